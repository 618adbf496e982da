"""`train`: check a spec, plan it, queue it, and wait if wanted."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from lab.cli.arguments import Commands, add_spec_arguments, add_waiting_arguments, command
from lab.cli.output import Output, facts
from lab.cli.plan import plan_in_words
from lab.cli.waiting import failure_of, wait_for
from lab.cli.words import duration, gib, number, percent

if TYPE_CHECKING:
    from lab.runs.view import RunView


def add(commands: Commands) -> None:
    """Add the command."""
    added = command(commands, "train", "fine-tune a model", train)
    add_spec_arguments(added)
    added.add_argument(
        "--short",
        action="store_true",
        help="stop after schedule.short_steps steps; `runs continue` goes on from there",
    )
    add_waiting_arguments(added)
    added.add_argument("--dry-run", action="store_true", help="check and plan only; nothing is queued")


def train(arguments: argparse.Namespace, output: Output) -> int:
    """Check everything that can be checked, then queue the run."""
    from lab.cli.checks import check_run
    from lab.cli.specs import spec_of
    from lab.runs import client

    checked = check_run(spec_of(arguments))
    if arguments.dry_run:
        record = {"run": None, "plan": checked.plan, "spec": checked.spec.model_dump(mode="json")}
        output.answer(record, [plan_in_words(checked.plan), "", "Everything is in order; nothing was queued."])
        return 0
    run = client.submit(checked.spec, short=arguments.short, plan=checked.plan)
    return follow(run, output, wait=arguments.wait)


def follow(run: str, output: Output, *, wait: bool) -> int:
    """Wait for a training and print how it ended, or say how to watch it."""
    from lab.runs import client

    if wait:
        return ended(wait_for(run), output)
    shown = client.show(run)
    record = {key: shown[key] for key in ("run", "state", "directory")}
    output.answer(record, [run, f"Watch it: python -m lab runs show {run}, or on the page."])
    return 0


def ended(view: RunView, output: Output) -> int:
    """Print how a training ended, as `train --wait` does."""
    record = summary(view)
    if view.state != "succeeded":
        return failure_of(view, output, **record)
    final, throughput = record["final"], record["throughput"]
    output.answer(
        record,
        facts(
            [
                ("run", view.run),
                ("state", view.state),
                ("training loss", number(final.get("train_loss"))),
                ("held-out loss", number(final.get("eval_loss"))),
                ("before", number(final.get("eval_loss_before"))),
                *_scores(final),
                ("throughput", f"{number(float(throughput.get('tokens_per_s') or 0), 0)} tokens/s"),
                ("peak memory", gib(record["peak_memory_gib"])),
                ("time", duration((record["seconds"] or {}).get("total"))),
                ("result", view.directory.final_path if view.directory.final_path.is_dir() else ""),
            ]
        ),
    )
    return 0


def summary(view: RunView) -> dict[str, Any]:
    """The object that `train --wait --json` prints."""
    result = view.result or {}
    return {
        "run": view.run,
        "state": view.state,
        "ended": result.get("ended"),
        "directory": str(view.directory.path),
        "final": result.get("final") or {},
        "throughput": result.get("throughput") or {},
        "peak_memory_gib": result.get("peak_memory_gib"),
        "seconds": result.get("seconds") or {},
        "step": result.get("step"),
        "steps": result.get("steps"),
    }


def _scores(final: dict[str, Any]) -> list[tuple[str, str]]:
    scores, before = final.get("scores"), final.get("scores_before") or {}
    if not scores:
        return [("perplexity", number(final.get("perplexity"), 2))]
    return [(name, f"{percent(before.get(name))} -> {percent(value)}") for name, value in scores.items()]
