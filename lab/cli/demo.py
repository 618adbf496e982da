"""`demo`: the whole main job on the embedded model and data, and what it changed."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

import psutil

from lab.cli.arguments import Commands, command
from lab.cli.output import Output
from lab.cli.scores import scores_table
from lab.cli.train import summary
from lab.cli.waiting import failure_of, wait_for
from lab.json_io import read_json

if TYPE_CHECKING:
    from lab.review.reading import Comparison
    from lab.runs.view import RunView

RECIPE = "demo"
SAMPLES = 3


def add(commands: Commands) -> None:
    """Add the command."""
    command(
        commands,
        "demo",
        "tune the embedded model and compare before and after",
        demo,
        description="Tune the embedded model on the embedded questions, and ask it, before and after, about"
        " modules that were held out. Nothing is downloaded.",
    )


def demo(arguments: argparse.Namespace, output: Output) -> int:
    """Run the recipe `demo` and print the comparison."""
    from lab.catalogue.recipes import recipe, run_spec
    from lab.cli.checks import check_run
    from lab.runs import client

    client.ensure_supervisor()  # it comes up while the run is being planned
    checked = check_run(run_spec(recipe(RECIPE)))
    view = wait_for(client.submit(checked.spec, plan=checked.plan))
    if view.state != "succeeded":
        return failure_of(view, output)
    record = _record(view)
    output.answer(record, _in_words(view, record))
    return 0


def _record(view: RunView) -> dict[str, Any]:
    phases = {name: seconds for name, seconds in (view.result or {}).get("seconds", {}).items() if name != "total"}
    held_out = (read_json(view.directory.review_path / "summary.json") or {}).get("held_out") or {}
    # From the start of this process: that is when the person pressed Enter.
    total = round(time.time() - psutil.Process().create_time(), 2)
    return summary(view) | {"seconds": {**phases, "total": total}, "held_out": held_out}


def _in_words(view: RunView, record: dict[str, Any]) -> list[str]:
    from lab.review.reading import read_comparison

    return [
        "Questions about modules that nobody asked about in the tuning:",
        "",
        scores_table(record["held_out"]),
        *_samples(read_comparison(view.directory.path)),
        "",
        f"{record['seconds']['total']:.0f} s. Ask it more:",
        f'python -m lab generate {view.run} --prompt "What does bisect.insort do?"',
    ]


def _samples(comparison: Comparison) -> list[str]:
    """The first three questions with both answers, whatever they are."""
    pairs = [pair for pair in comparison.pairs if pair.base and pair.tuned]
    lines = []
    for pair in pairs[:SAMPLES]:
        lines += ["", pair.prompt]
        for name, answer in (("before", pair.base), ("after", pair.tuned)):
            text = " ".join(answer.text.split()) if answer else ""
            lines.append(f"  {name:<8}{text[:160]}{'...' if len(text) > 160 else ''}")
    return lines
