"""From a finding to the change that answers it: which settings to give which values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from lab.planning.footprint import footprint, load_of
from lab.planning.steps import trainer_steps
from lab.spec import RunSpec, with_overrides

if TYPE_CHECKING:
    from lab.planning.plan import Plan
    from lab.planning.verdicts import Verdict

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
    if plan.inputs.items is None:
        return {}
    steps = trainer_steps(
        plan.inputs.items,
        USUAL_EPOCHS,
        spec.schedule.per_device_batch,
        spec.resources.devices,
        spec.schedule.accumulation,
    )
    return {"schedule.max_steps": steps}


def _accumulation(verdict: Verdict, plan: Plan, spec: RunSpec) -> Change:
    together = spec.schedule.per_device_batch * spec.resources.devices * plan.inputs.examples_per_item
    low, high = verdict.values["low"], verdict.values["high"]
    if verdict.status == "low":
        return {"schedule.accumulation": math.ceil(low / together)}
    if together <= high:
        return {"schedule.accumulation": int(high // together)}
    fitting = int(high // (spec.resources.devices * plan.inputs.examples_per_item))
    return {"schedule.accumulation": 1, "schedule.per_device_batch": fitting} if fitting else {}


def _rate(_verdict: Verdict, plan: Plan, _spec: RunSpec) -> Change:
    usual = plan.learning_rate_range
    return {} if usual is None else {"schedule.learning_rate": usual.default}


def _length(verdict: Verdict, _plan: Plan, _spec: RunSpec) -> Change:
    return {"data.max_length": verdict.values["positions"]}


def memory_change(plan: Plan, limit_gib: float) -> Change:
    """The mildest change after which the run fits into so many GiB of a device; empty when none makes it fit.

    First what gives the same result, recomputed activations and smaller batches more often, then LoRA in place of a
    full fine-tune.
    """
    given = plan.inputs
    for change in _lighter(given.spec):
        lighter = with_overrides(given.spec, change)
        load = load_of(lighter, length=given.longest_tokens, device=given.device, bf16=given.bf16)
        total = footprint(given.facts, load).total_gib
        if total is not None and total <= limit_gib:
            return change
    return {}


def _lighter(spec: RunSpec) -> Iterator[Change]:
    """Changes that take less and less memory, in the order in which a person would rather make them."""
    recomputed = {} if spec.resources.gradient_checkpointing else {"resources.gradient_checkpointing": True}
    batches = list(_smaller_batches(spec))
    if recomputed:
        yield recomputed
    yield from batches
    if recomputed:
        yield from (recomputed | batch for batch in batches)
    if spec.method.name == "full":
        adapter = {"method.name": "lora"}
        yield adapter
        yield adapter | recomputed
        yield from (adapter | recomputed | batch for batch in batches)


def _smaller_batches(spec: RunSpec) -> Iterator[Change]:
    """Smaller batches per device with the same effective batch, the largest first."""
    batch, times = spec.schedule.per_device_batch, spec.schedule.accumulation
    for part in range(batch // 2, 0, -1):
        if batch % part == 0:
            yield {"schedule.per_device_batch": part, "schedule.accumulation": times * (batch // part)}


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
    "resources.device": lambda verdict, plan, spec: memory_change(plan, verdict.values["there"]),
}
