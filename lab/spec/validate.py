"""Checking a whole request before any work: every wrong value and every conflict, all at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from lab.errors import InputError, InputErrors
from lab.spec.run import RunSpec
from lab.spec.settings import settings, unknown
from lab.text import N_

LATER = N_("This version of the lab does not run {value} yet; it keeps its place in the spec.")

# What has a place in the spec and no engine behind it yet: path -> values that run today.
_RUNS_TODAY: dict[str, tuple[object, ...]] = {
    "task": ("causal-lm",),
    "model.quantization": ("none",),
    "method.name": ("full", "lora"),
    "data.packing": (False,),
    "schedule.optimizer": ("adamw",),
    "regularisation.label_smoothing": (0.0,),
    "regularisation.neftune_alpha": (0.0,),
    "resources.devices": (1,),
    "resources.precision": ("auto", "bf16", "fp32"),
    "engine.name": ("local",),
}


def build(values: Mapping[str, Any]) -> RunSpec:
    """Make a RunSpec of a nested mapping.

    Raises InputErrors with one problem for each wrong value or unknown name.
    """
    try:
        return RunSpec.model_validate(values)
    except ValidationError as error:
        raise InputErrors(_problems(error)) from None


def check(spec: RunSpec, *, runnable: bool = True) -> None:
    """Refuse a spec whose settings contradict each other or, if `runnable`, that cannot run yet.

    Raises InputErrors with every problem.
    """
    problems = conflicts(spec) + (_not_yet(spec) if runnable else [])
    if problems:
        raise InputErrors(problems)


def conflicts(spec: RunSpec) -> list[InputError]:
    """Settings that contradict each other, each with the way out."""
    found = []
    schedule = spec.schedule
    if schedule.warmup >= 1 and schedule.warmup != int(schedule.warmup):
        found.append(
            InputError(
                N_("A warmup of {value} is neither a share below 1 nor a whole number of steps."),
                where="schedule.warmup",
                next=N_("Write 0.03 for 3 % of the steps, or 100 for a hundred steps."),
                value=schedule.warmup,
            )
        )
    if schedule.max_steps is not None and schedule.warmup > schedule.max_steps:
        found.append(
            InputError(
                N_("The warmup of {warmup} steps is longer than the run of {steps} steps."),
                where="schedule.warmup",
                next=N_("Shorten the warmup or lengthen the run."),
                warmup=int(schedule.warmup),
                steps=schedule.max_steps,
            )
        )
    if schedule.learning_rate > 0.1:
        found.append(
            InputError(
                N_("A learning rate of {value:g} would destroy the model in the first steps."),
                where="schedule.learning_rate",
                allowed=N_(
                    "Allowed: above 0 up to 0.1. Usual: 1e-4 to 3e-4 for LoRA, 5e-6 to 5e-5 for full fine-tuning."
                ),
                next=N_("Try 2e-4."),
                value=schedule.learning_rate,
            )
        )
    if spec.method.name == "qlora" and spec.model.quantization == "none":
        found.append(
            InputError(
                N_("QLoRA needs a quantized base model."),
                where="model.quantization",
                next=N_("Choose nf4 or 8bit, or the method lora."),
            )
        )
    if spec.method.name == "full" and spec.model.quantization != "none":
        found.append(
            InputError(
                N_("Quantized weights cannot be trained in full."),
                where="model.quantization",
                next=N_("Choose quantization none, or the method qlora."),
            )
        )
    return found


def _not_yet(spec: RunSpec) -> list[InputError]:
    found = []
    for path, runs in _RUNS_TODAY.items():
        value: Any = spec
        for name in path.split("."):
            value = getattr(value, name)
        if value not in runs:
            choices = ", ".join(str(choice) for choice in runs)
            found.append(
                InputError(LATER, where=path, allowed=N_("Allowed today: {choices}."), value=value, choices=choices)
            )
    return found


def _problems(error: ValidationError) -> list[InputError]:
    known = {setting.path: setting for setting in settings()}
    problems: dict[str, InputError] = {}
    for detail in error.errors(include_url=False):
        path = _setting_path(detail["loc"], known)
        if detail["type"] == "extra_forbidden":
            problems[path] = unknown(path)
            continue
        setting = known.get(path)
        problems[path] = _wrong_value(path, detail["input"], setting.allowed if setting else "")
    return list(problems.values())


def _wrong_value(path: str, value: object, allowed: str) -> InputError:
    shown = "nothing" if value is None or value == "" else str(value)[:80]
    return InputError(
        N_("{value} is not a valid value for {path}."),
        where=path,
        allowed=N_("Allowed: {choices}.") if allowed else "",
        value=shown,
        path=path,
        choices=allowed,
    )


def _setting_path(location: tuple[int | str, ...], known: Mapping[str, object]) -> str:
    """The dotted name behind a pydantic location, which also names members of unions and of containers."""
    parts = [str(part) for part in location]
    for end in range(len(parts), 0, -1):
        if ".".join(parts[:end]) in known:
            return ".".join(parts[:end])
    return ".".join(parts)
