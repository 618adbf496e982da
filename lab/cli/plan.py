"""`plan`: batch, steps, memory and time of a run before it exists."""

from __future__ import annotations

import argparse
from typing import Any

from lab.cli.arguments import Commands, add_spec_arguments, command
from lab.cli.exports import FORMATS, add_out_argument, export_spec
from lab.cli.output import Output, facts
from lab.cli.words import duration, gib, metric, number


def add(commands: Commands) -> None:
    """Add the command."""
    plan = command(commands, "plan", "batch, steps, epochs, memory and time of a run, without data or GPU", show_plan)
    add_spec_arguments(plan)
    plan.add_argument("--export", choices=FORMATS, help="print the setup in this form instead of the plan")
    add_out_argument(plan)


def show_plan(arguments: argparse.Namespace, output: Output) -> int:
    """Print the plan of the spec that the arguments describe."""
    from lab import spec as specs
    from lab.cli.checks import DataFacts, check_model, data_facts, planned
    from lab.cli.specs import spec_of
    from lab.runs import chain

    spec = spec_of(arguments)
    specs.check(spec, runnable=False)  # what this version cannot run can still be planned
    if arguments.export or arguments.out:
        return export_spec(spec, arguments.export or "spec", arguments.out, output)
    model = check_model(chain.place_of(spec.model.source))
    # A number of examples is enough: then the data need not exist yet.
    data = DataFacts(spec.data.examples) if spec.data.examples else data_facts(spec)
    record = planned(spec, model, data)
    output.answer(record, plan_in_words(record))
    return 0


def plan_in_words(plan: dict[str, Any]) -> str:
    """A plan as names and values, one a line, and its verdicts."""
    memory, trainable = plan.get("memory") or {}, plan.get("trainable") or {}
    share = trainable.get("share")
    shown = facts(
        [
            ("effective batch", number(plan.get("effective_batch"))),
            ("optimizer steps", number(plan.get("steps"))),
            ("epochs", number(plan.get("epochs"), 2)),
            ("warmup steps", number(plan.get("warmup_steps"))),
            ("learning rate", metric("learning_rate", plan.get("learning_rate"))),
            ("tokens per step", number(plan.get("tokens_per_step"), 0)),
            ("trained parameters", number(trainable.get("parameters"))),
            ("share of all", f"{100 * share:.2f} %" if share is not None else ""),
            ("memory", gib(memory.get("total_gib"))),
            ("time", duration(plan.get("time_s"))),
        ]
    )
    verdicts = [f"{one['status']}: {one['field']}: {one['why']}" for one in plan.get("verdicts") or []]
    return "\n".join([shown, *([""] if verdicts else []), *verdicts])
