"""The largest micro-batch that fits, at the same effective batch: first by estimate, then by trial.

    python -m lab.training.memory_search SPEC.yaml [--limit-gib 24] [--json]

Each trial is a process of its own that takes one optimizer step over examples of the full length; its peak memory
decides. The factorings of the effective batch are tried from the largest that the estimate lets through.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab.models import facts_of
from lab.planning.fit import Factoring, swaps
from lab.spec import RunSpec, load, with_overrides

MARGIN = 1.25  # a factoring is tried although the estimate is so much above the limit: estimates err to both sides
STEPS = 1


@dataclass(frozen=True)
class Trial:
    """One factoring: what was estimated and what was measured, in GiB; `measured_gib` None: it ran out of memory."""

    per_device: int
    accumulation: int
    estimated_gib: float | None
    measured_gib: float | None
    fits: bool


def search(
    spec: RunSpec, limit_gib: float, device: str, trial: Callable[[RunSpec], float | None]
) -> tuple[Trial | None, list[Trial]]:
    """The largest batch per device whose measured peak is within the limit, and every trial on the way.

    `trial` measures one spec in GiB, None when it ran out of memory. Returns None when nothing fits.
    """
    ways = swaps(spec, facts_of(spec.model.source), limit_gib, length=spec.data.max_length, device=device)
    tried: list[Trial] = []
    for way in ways:
        if way.total_gib is not None and way.total_gib > MARGIN * limit_gib:
            continue
        measured = trial(with_overrides(spec, way.change))
        tried.append(_judged(way, measured, limit_gib))
        if tried[-1].fits:
            return tried[-1], tried
    return None, tried


def _judged(way: Factoring, measured: float | None, limit_gib: float) -> Trial:
    fits = measured is not None and measured <= limit_gib
    return Trial(way.per_device, way.accumulation, way.total_gib, measured, fits)


def measured_gib(spec: RunSpec) -> float | None:
    """Peak memory in GiB of one step of this spec, in a process of its own; None when that died or ran out."""
    from lab.spec import dump

    with tempfile.TemporaryDirectory(prefix="lab-memory-") as folder:
        path = Path(folder) / "spec.yaml"
        path.write_text(dump(spec), encoding="utf-8")
        done = subprocess.run(  # noqa: S603  # this module, with a path of its own
            [sys.executable, "-m", "lab.training.memory_search", str(path), "--trial", folder],
            capture_output=True, text=True,
        )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"peak_gib"')]
    return None if done.returncode or not lines else float(json.loads(lines[-1])["peak_gib"])


def one_step(spec: RunSpec, folder: str) -> float:
    """Take one optimizer step over examples of the full length in this process and return its peak in GiB."""
    from lab.training import machine as machines
    from lab.training.choices import choose
    from lab.training.measure import Pace
    from lab.training.methods.adapters import adapt, lora_config
    from lab.training.steps import course
    from lab.training.trainer import LabTrainer, arguments, dataset

    machine = machines.choose(spec.resources)
    model, tokenizer = _loaded(spec, machine)
    machine = machines.with_threads(machine, spec.resources, model.num_parameters())
    size = spec.schedule.per_device_batch
    # One pass is the peak: accumulation repeats it.
    spec = with_overrides(spec, {"schedule.max_steps": STEPS, "schedule.accumulation": 1})
    rows = _longest(size, spec.data.max_length, model.get_input_embeddings().num_embeddings)
    method = spec.method
    wrap = None if method.whole else lambda base: adapt(
        base, lora_config(method, base, method.target_modules, task_type="CAUSAL_LM"), spec
    )  # fmt: skip
    config = arguments(spec, course(spec, len(rows)), machine, Path(folder))
    trainer = LabTrainer(
        model, config, dataset(rows), tokenizer, machine, Pace(), adapt=wrap, max_length=spec.data.max_length,
        choices=choose(spec, machine),
    )  # fmt: skip
    trainer.train()
    return machines.peak_memory_gib(machine.device)


def _loaded(spec: RunSpec, machine: Any) -> tuple[Any, Any]:
    import torch

    from lab.training import build

    source, dtype = spec.model, torch.float32 if spec.method.whole else machine.frozen_dtype
    options = {"revision": source.revision, "device": machine.device, "dtype": dtype, "rounded": source}
    model = build.load_base(source.source, **options)
    return model, build.load_tokenizer(spec.model.source, spec.model.revision)


def _longest(count: int, length: int, vocabulary: int) -> list[Any]:
    """Examples of the full length, every token trained: the worst that a batch may hold."""
    from lab.data.example import Example

    ids = [3 + i % (vocabulary - 3) for i in range(length)]
    return [Example("", "", "", "", ids, list(ids), 1) for _ in range(count)]


def main() -> int:
    """Search as the command line says, or run one trial of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("spec", type=Path)
    parser.add_argument("--limit-gib", type=float, help="memory that may be used; without it, what is free now")
    parser.add_argument("--json", action="store_true", help="one object on standard output")
    parser.add_argument("--trial", metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    spec = load(options.spec)
    if options.trial:
        sys.stdout.write(json.dumps({"peak_gib": one_step(spec, options.trial)}) + "\n")
        return 0
    from lab.training import machine as machines
    from lab.training.choices import RESERVE, free_gib

    device = machines.choose(spec.resources).device
    limit = options.limit_gib or RESERVE * free_gib(device)
    best, tried = search(spec, limit, device, measured_gib)
    answer = {"limit_gib": round(limit, 3), "best": best and asdict(best), "trials": [asdict(one) for one in tried]}
    sys.stdout.write((json.dumps(answer) if options.json else _told(answer)) + "\n")
    return 0 if best else 1


def _told(answer: dict[str, Any]) -> str:
    lines = [f"limit: {answer['limit_gib']:.2f} GiB"]
    for one in answer["trials"]:
        measured = "out of memory" if one["measured_gib"] is None else f"{one['measured_gib']:.2f} GiB measured"
        estimate = "?" if one["estimated_gib"] is None else f"{one['estimated_gib']:.2f}"
        lines.append(f"{one['per_device']} x {one['accumulation']}: {estimate} GiB estimated, {measured}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
