"""From a finding to the change that answers it: which settings to give which values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from lab.planning.plan import Plan
from lab.planning.steps import trainer_steps
from lab.planning.verdicts import Verdict
from lab.spec import RunSpec

USUAL_EPOCHS = 3.0  # Stanford Alpaca, Vicuna
USUAL_WARMUP = 0.03  # Alpaca, Vicuna, QLoRA
HIGHEST_DECAY = 0.1  # Llama 2
USUAL_CLIPPING = 1.0  # TRL default

Change = dict[str, Any]


def suggestion(verdict: Verdict, plan: Plan) -> Change:
    """The settings, by dotted name, that would answer a finding; empty when there is nothing to change."""
    rule = _RULES.get(verdict.field)
    return {} if verdict.status == "ok" or rule is None else rule(verdict, plan, plan.inputs.spec)


def _steps(_verdict: Verdict, plan: Plan, spec: RunSpec) -> Change:
    if plan.inputs.examples is None:
        return {}
    steps = trainer_steps(
        plan.inputs.examples,
        USUAL_EPOCHS,
        spec.schedule.per_device_batch,
        spec.resources.devices,
        spec.schedule.accumulation,
    )
    return {"schedule.max_steps": steps}


def _accumulation(verdict: Verdict, _plan: Plan, spec: RunSpec) -> Change:
    together = spec.schedule.per_device_batch * spec.resources.devices
    low, high = verdict.values["low"], verdict.values["high"]
    if verdict.status == "low":
        return {"schedule.accumulation": math.ceil(low / together)}
    if together <= high:
        return {"schedule.accumulation": high // together}
    fitting = high // spec.resources.devices
    return {"schedule.accumulation": 1, "schedule.per_device_batch": fitting} if fitting else {}


def _rate(_verdict: Verdict, plan: Plan, _spec: RunSpec) -> Change:
    usual = plan.learning_rate_range
    return {} if usual is None else {"schedule.learning_rate": usual.default}


def _length(_verdict: Verdict, plan: Plan, _spec: RunSpec) -> Change:
    return {"data.max_length": plan.inputs.facts.positions}


def _memory(_verdict: Verdict, _plan: Plan, spec: RunSpec) -> Change:
    """Less memory for the same result: recompute activations first, then smaller batches, more often."""
    if not spec.resources.gradient_checkpointing:
        return {"resources.gradient_checkpointing": True}
    batch = spec.schedule.per_device_batch
    if batch % 2:
        return {}
    return {"schedule.per_device_batch": batch // 2, "schedule.accumulation": spec.schedule.accumulation * 2}


_RULES: dict[str, Callable[[Verdict, Plan, RunSpec], Change]] = {
    "schedule.max_steps": _steps,
    "schedule.epochs": lambda verdict, plan, spec: {"schedule.epochs": USUAL_EPOCHS},
    "schedule.accumulation": _accumulation,
    "schedule.learning_rate": _rate,
    "schedule.warmup": lambda verdict, plan, spec: {"schedule.warmup": USUAL_WARMUP},
    "schedule.weight_decay": lambda verdict, plan, spec: {"schedule.weight_decay": HIGHEST_DECAY},
    "schedule.max_grad_norm": lambda verdict, plan, spec: {"schedule.max_grad_norm": USUAL_CLIPPING},
    "method.target_modules": lambda verdict, plan, spec: {"method.target_modules": "all-linear"},
    "data.max_length": _length,
    "resources.device": _memory,
}
