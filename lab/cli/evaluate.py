"""`evaluate`: base and tuned model of a finished run again, on more held-out prompts."""

from __future__ import annotations

import argparse

from lab.cli.arguments import Commands, add_run_argument, command
from lab.cli.output import Output
from lab.cli.scores import scores_table
from lab.cli.waiting import failure_of, wait_for


def add(commands: Commands) -> None:
    """Add the command."""
    added = command(commands, "evaluate", "compare base and tuned model again, on more held-out prompts", evaluate)
    add_run_argument(added)
    added.add_argument("--prompts", type=int, default=200, metavar="N", help="held-out prompts (default 200)")


def evaluate(arguments: argparse.Namespace, output: Output) -> int:
    """Queue the evaluation, wait for it, and print both models' figures."""
    from lab.cli.runs import resolve
    from lab.runs import client

    run = resolve(arguments.id)
    job = client.submit_request("evaluate", {"run": run, "prompts": arguments.prompts}, parent=run)
    view = wait_for(job)
    if view.state != "succeeded":
        return failure_of(view, output)
    held_out = (view.result or {}).get("held_out") or {}
    output.answer({"run": run, "held_out": held_out}, scores_table(held_out))
    return 0
