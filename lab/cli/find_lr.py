"""`find-lr`: the learning-rate range test on a spec's own model, data and batches."""

from __future__ import annotations

import argparse
from typing import Any

from lab.cli.arguments import Commands, add_spec_arguments, command
from lab.cli.output import Output, facts, table
from lab.cli.waiting import failure_of, wait_for
from lab.cli.words import metric


def add(commands: Commands) -> None:
    """Add the command."""
    added = command(
        commands, "find-lr", "sweep the learning rate and pick one", find_lr,
        description="Train a few steps with a growing learning rate, once for each seed, and pick a rate (Smith's "
        "range test). Nothing of the model is kept.",
    )  # fmt: skip
    add_spec_arguments(added)
    added.add_argument("--from", dest="lowest", type=float, default=1e-6, metavar="RATE", help="first (default 1e-6)")
    added.add_argument("--to", dest="highest", type=float, default=1.0, metavar="RATE", help="last (default 1)")
    added.add_argument("--steps", type=int, default=100, metavar="N", help="optimizer steps of a sweep (default 100)")
    added.add_argument("--seeds", type=int, default=3, metavar="N", help="sweeps, each in another order (default 3)")
    added.add_argument("--detach", action="store_true", help="return at once; the page shows the result")


def find_lr(arguments: argparse.Namespace, output: Output) -> int:
    """Check, queue the test, wait for it, and print its picks."""
    from lab.cli.checks import check_run
    from lab.cli.specs import spec_of
    from lab.runs import find_lr as tests

    sweep = tests.Sweep(arguments.lowest, arguments.highest, arguments.steps, arguments.seeds)
    sweep.check()
    run = tests.submit(check_run(spec_of(arguments)).spec, sweep)
    if arguments.detach:
        output.answer({"run": run}, [run, f"Watch it: python -m lab runs show {run}"])
        return 0
    view = wait_for(run)
    if view.state != "succeeded":
        return failure_of(view, output)
    record = {"run": run, "state": view.state, **tests.summary(view.result)}
    output.answer(record, in_words(record))
    return 0


def in_words(record: dict[str, Any]) -> list[str]:
    """The picks with their spread, and how to use the one to take."""
    rate, picks = record["suggested"], record["picks"] or {}
    names = {"steepest": "steepest fall", "tenth": "a tenth of divergence"}
    rows = []
    for name, label in names.items():
        pick = picks.get(name)
        cells = [_rate(pick[key]) for key in ("rate", "low", "high")] if pick else ["not seen", "", ""]
        rows.append([label, *cells, f"{pick['seeds']} of {pick['of']}" if pick else ""])
    lines = [table(rows, ["Pick", "Rate", "Lowest", "Highest", "Seeds"]), ""]
    lines.append(facts([("asked for", _rate(record["learning_rate"])), ("to take", _rate(rate) if rate else "none")]))
    if rate:
        lines.append(f"Use it: --set schedule.learning_rate={rate:g}")
    else:
        lines.append("No sweep fell or diverged: try a wider range (--from, --to) or more --steps.")
    return lines


def _rate(value: Any) -> str:
    return metric("learning_rate", value)
