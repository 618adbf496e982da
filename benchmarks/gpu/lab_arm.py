"""The lab's own arm: the trainer that a run uses, with the settings of the job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from meter import Meter

from lab.training import libraries  # isort: skip  # what torch reads when it is loaded


def spec_of(job: dict[str, Any]) -> Any:
    """The spec of a job: what the arms have in common, and `set`."""
    from lab.spec import RunSpec, with_overrides

    common = {"model.source": job["model"], "method.rank": job["rank"], "method.alpha": 2 * job["rank"],
              "method.dropout": 0.0, "schedule.max_steps": job["updates"], "schedule.accumulation": 1,
              "schedule.per_device_batch": job["batch"], "schedule.learning_rate": 2e-4,
              "data.max_length": job["longest"], "seed": 0}  # fmt: skip
    return with_overrides(RunSpec(), common | job.get("set", {}))


def trainer_of(job: dict[str, Any], rows: list[dict[str, Any]], callbacks: list[Any], scratch: str) -> Any:
    """The trainer, its choices, and the plan's peak in GiB."""
    from lab.data.example import Example
    from lab.training import build
    from lab.training import machine as machines
    from lab.training.choices import choose, planned_gib
    from lab.training.measure import Pace
    from lab.training.methods.adapters import adapt, lora_config
    from lab.training.steps import course
    from lab.training.trainer import LabTrainer, arguments, dataset

    libraries.quiet()
    spec = spec_of(job)
    machine = machines.choose(spec.resources)
    dtype = None if spec.method.whole else machine.frozen_dtype
    options = {"dtype": dtype} if dtype else {}
    base = build.load_base(job["model"], device=machine.device, rounded=spec.model, **options)
    machine = machines.with_threads(machine, spec.resources, base.num_parameters())
    examples = [Example("", "", "", "", row["input_ids"], row["labels"], 1) for row in rows]
    choices = choose(spec, machine)
    wrap = None if spec.method.whole else lambda plain: adapt(
        plain, lora_config(spec.method, plain, spec.method.target_modules, task_type="CAUSAL_LM"), spec
    )  # fmt: skip
    trainer = LabTrainer(
        base, arguments(spec, course(spec, len(examples)), machine, Path(scratch)), dataset(examples),
        build.load_tokenizer(job["model"]), machine, Pace(), adapt=wrap, callbacks=callbacks,
        max_length=job["longest"], choices=choices,
    )  # fmt: skip
    return trainer, choices, planned_gib(spec, machine, choices)


def ours(job: dict[str, Any], rows: list[dict[str, Any]], meter: Meter, scratch: str) -> dict[str, Any]:
    """Train as the job says; returns the plan's peak and the choices beside what the meter has."""
    trainer, choices, planned = trainer_of(job, rows, [meter.callback()], scratch)
    trainer.train()
    return {"planned_gib": planned, "speed": choices.record(), "attention": trainer.attention_name}
