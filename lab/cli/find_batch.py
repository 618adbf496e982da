"""`find-batch`: the largest batch per device that fits, tried on this machine at the same effective batch."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.cli.arguments import Commands, add_spec_arguments, command
from lab.cli.output import Output, table
from lab.cli.words import gib
from lab.errors import InputError, LabError
from lab.text import N_

if TYPE_CHECKING:
    from lab.spec import RunSpec


def add(commands: Commands) -> None:
    """Add the command."""
    added = command(
        commands, "find-batch", "find the largest batch per device that fits", find_batch,
        description="Take one optimizer step over examples of the full length, in a process of its own, with the "
        "largest batch per device that the memory plan lets through, then with smaller ones until one fits. The "
        "effective batch stays the same, and nothing of the model is kept.",
    )  # fmt: skip
    add_spec_arguments(added)
    added.add_argument(
        "--limit-gib", type=float, metavar="N", help="memory that may be used (default: most of what is free now)"
    )


def find_batch(arguments: argparse.Namespace, output: Output) -> int:
    """Check the spec, try the batches, and print what each took."""
    from lab.cli.checks import check_run
    from lab.cli.specs import spec_of
    from lab.runs import chain

    spec = check_run(spec_of(arguments)).spec
    if spec.task != "causal-lm":
        raise InputError(
            N_("The search tries the batches of a language model; of the task {task} only the plan tells the memory."),
            where="task",
            allowed=N_("Allowed: {choices}."),
            next=N_("Read the memory of a smaller or larger schedule.per_device_batch from: python -m lab plan"),
            task=spec.task,
            choices="causal-lm",
        )
    output.note(N_("Trying batches, the largest first; each takes a process of its own some seconds."))
    found = search(chain.resolved(spec)[0], arguments.limit_gib)
    best = found["best"]
    if best is None:
        raise LabError(
            N_("No batch of this run was found to fit into {limit} of memory."),
            where="schedule.per_device_batch",
            next=N_("Switch gradient checkpointing on, shorten data.max_length, or give more with --limit-gib."),
            limit=gib(found["limit_gib"]),
        )
    change = {"schedule.per_device_batch": best["per_device"], "schedule.accumulation": best["accumulation"]}
    output.answer(found | {"change": change}, in_words(found, change))
    return 0


def search(spec: RunSpec, limit_gib: float | None) -> dict[str, Any]:
    """What the search in a process of its own found: limit_gib, best (None: nothing fits) and trials."""
    from lab.runs.environment import cleaned
    from lab.spec import dump

    with tempfile.TemporaryDirectory(prefix="lab-batch-") as folder:
        path = Path(folder) / "spec.yaml"
        path.write_text(dump(spec), encoding="utf-8")
        words = [sys.executable, "-m", "lab.training.memory_search", str(path), "--json"]
        words += ["--limit-gib", str(limit_gib)] if limit_gib is not None else []
        done = subprocess.run(words, capture_output=True, text=True, env=cleaned(), check=False)  # noqa: S603  # our own module
    try:
        return dict(json.loads(done.stdout))
    except ValueError:
        last = (done.stderr.strip().splitlines() or [str(done.returncode)])[-1]
        raise LabError(N_("The search ended early: {what}."), what=last[:300]) from None


def in_words(found: dict[str, Any], change: dict[str, int]) -> list[str]:
    """Every batch that was tried, and how to use the one that fits."""
    rows = [
        [
            f"{one['per_device']} x {one['accumulation']}",
            gib(one["estimated_gib"]) or "not known",
            "out of memory" if one["measured_gib"] is None else gib(one["measured_gib"]),
            "fits" if one["fits"] else "too large",
        ]
        for one in found["trials"]
    ]
    use = " ".join(f"--set {name}={value}" for name, value in change.items())
    return [
        table(rows, ["Batch x accumulation", "Planned", "Measured", ""]),
        f"\nwithin {gib(found['limit_gib'])}",
        f"Use it: {use}",
    ]
