"""From a spec to what it will do: batch, steps, warmup, learning rate, trained parameters, memory, time,
verdicts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.models import ModelFacts, facts_of
from lab.planning import batch, compute, lora, memory, rates, steps, warmup
from lab.planning.footprint import footprint, load_of
from lab.planning.hardware import Hardware
from lab.planning.inputs import PlanInputs, gather
from lab.planning.packing import packs_needed
from lab.planning.registry import formula_named
from lab.planning.trained import trained_of
from lab.planning.verdicts import Verdict, judge
from lab.spec import RunSpec

PASS_TOKENS = 8192  # of a pass on a CPU at most (FILLED of lab.training.choices)


@dataclass(frozen=True)
class Plan:
    """What a spec will do, computed before anything runs. None: not known, never 0.

    Counts in optimizer steps, tokens and parameters; memory in GiB for one device; `time_s` in seconds of
    training, without loading and evaluation. `used` names the formula and its inputs behind a field.
    """

    effective_batch: int
    steps: int | None
    epochs: float | None
    warmup_steps: int | None
    tokens_per_step: float | None
    tokens: float | None
    learning_rate: float
    learning_rate_range: rates.RateRange | None
    published: list[rates.PublishedRate]
    trained_parameters: int | None
    trained_share: float | None
    adapter_bytes: int | None
    memory: memory.MemoryPlan
    flops_per_token: float | None
    tokens_per_s: float | None
    time_s: float | None
    inputs: PlanInputs
    used: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The plan as `lab plan --json` prints it and as plan.json keeps it."""
        usual = self.learning_rate_range
        return {
            "effective_batch": self.effective_batch,
            "steps": self.steps,
            "epochs": _three_digits(self.epochs),
            "warmup_steps": self.warmup_steps,
            "tokens_per_step": None if self.tokens_per_step is None else round(self.tokens_per_step),
            "learning_rate": self.learning_rate,
            "trainable": {"parameters": self.trained_parameters, "share": self.trained_share},
            "memory": self.memory.as_dict(),
            "memory_sources": memory.sources(self.inputs.device),
            "time_s": None if self.time_s is None else round(self.time_s, 1),
            "verdicts": [verdict.as_dict() for verdict in self.verdicts],
            "examples": self.inputs.examples,
            "rows": self.inputs.rows,
            "packs": self.inputs.packs,
            "tokens_per_example": round(self.inputs.mean_tokens, 1),
            "tokens": None if self.tokens is None else round(self.tokens),
            "tokens_per_s": None if self.tokens_per_s is None else round(self.tokens_per_s, 1),
            "flops_per_token": self.flops_per_token,
            "adapter_mib": None if self.adapter_bytes is None else round(self.adapter_bytes / 2**20, 3),
            "learning_rate_range": usual and {"default": usual.default, "low": usual.low, "high": usual.high,
                                              "source": usual.source},
            "published": [rate.__dict__ for rate in self.published],
            "device": self.inputs.device,
            "assumptions": self.inputs.assumptions,
            "formulas": {name: _formula(*entry) for name, entry in self.used.items()},
        }  # fmt: skip


def plan(
    spec: RunSpec,
    *,
    facts: ModelFacts | None = None,
    examples: int | None = None,
    mean_tokens: float | None = None,
    longest_tokens: int | None = None,
    device: str | Hardware | None = None,
    tokens_per_s: float | None = None,
    packs: int | None = None,
    windows: int | Mapping[str, Any] | None = None,
) -> Plan:
    """Compute the plan of a spec.

    `examples` (training rows) and the lengths in tokens come from a prepared data set and win over
    `data.examples`; `device` is cpu, a GPU's name, cuda, or a device described; `tokens_per_s` a measured throughput
    in place of the assumed one; `packs` what their packing into `data.max_length` tokens was counted to give, which
    a batch counts where the spec packs; `windows` how many windows the passages of the rows are read in, which are its
    examples, or the measured lengths from which that is estimated (`windows_of_lengths`). Raises InputError for a model
    folder that cannot be used.
    """
    facts = facts_of(spec.model.source) if facts is None else facts
    given = gather(
        spec, facts, examples=examples, mean_tokens=mean_tokens, longest_tokens=longest_tokens, device=device,
        tokens_per_s=tokens_per_s, packs=packs, windows=windows,
    )  # fmt: skip
    spec = given.spec
    used: dict[str, tuple[str, dict[str, Any]]] = {}
    schedule, devices = spec.schedule, spec.resources.devices
    size = {
        "per_device": schedule.per_device_batch,
        "devices": devices,
        "accumulation": schedule.accumulation,
    }
    together = batch.effective_batch(**size)
    used["effective_batch"] = ("effective_batch", size)
    used |= _packing(given)
    count, epochs = _length(given, together, used)
    rise = None if count is None else warmup.warmup_steps(count, schedule.warmup)
    if count is not None:
        used["warmup_steps"] = ("warmup_steps", {"steps": count, "warmup": schedule.warmup})
    each = batch.tokens_per_step(together, given.tokens_per_item)
    used["tokens_per_step"] = (
        "tokens_per_step",
        {"batch": together, "tokens_per_example": given.tokens_per_item},
    )
    trained, share = _trained(spec, facts)
    flops = compute.flops_per_token(
        facts, method=spec.method.name, trained=trained, context=given.mean_tokens / 2,
        checkpointing=spec.resources.gradient_checkpointing,
    )  # fmt: skip
    speed = _speed(given, flops, each, used)
    tokens = None if count is None else count * each
    is_adapter = not spec.method.whole
    usual = rates.range_of(spec, facts)
    made = Plan(
        effective_batch=together,
        steps=count,
        epochs=epochs,
        warmup_steps=rise,
        tokens_per_step=each,
        tokens=tokens,
        learning_rate=schedule.learning_rate,
        learning_rate_range=usual,
        published=rates.published_beside(spec, facts),
        trained_parameters=trained,
        trained_share=share,
        adapter_bytes=lora.adapter_bytes(trained) if is_adapter and trained is not None else None,
        memory=footprint(facts, load_of(spec, length=given.longest_tokens, device=given.device, bf16=given.bf16)),
        flops_per_token=flops,
        tokens_per_s=speed,
        time_s=None if tokens is None or speed is None else compute.seconds_of(tokens, speed),
        inputs=given,
        used=used,
    )
    made.verdicts.extend(judge(made, spec))
    return made


def _length(given: PlanInputs, together: int, used: dict[str, Any]) -> tuple[int | None, float | None]:
    """Steps and epochs: one of them is given, the other follows if the number of examples is known."""
    schedule, items = given.spec.schedule, given.items
    if schedule.max_steps is not None:
        count = schedule.max_steps
        if items is None:
            return count, None
        inputs = {"steps": count, "batch": together, "examples": items}
        used["epochs"] = ("epochs_of_steps", inputs)
        return count, steps.epochs_of_steps(**inputs)
    if items is None:
        return None, schedule.epochs
    values: dict[str, Any] = {
        "examples": items, "epochs": schedule.epochs, "per_device": schedule.per_device_batch,
        "devices": given.spec.resources.devices, "accumulation": schedule.accumulation,
    }  # fmt: skip
    used["steps"] = ("trainer_steps", values)
    return steps.trainer_steps(**values), schedule.epochs


def _packing(given: PlanInputs) -> dict[str, Any]:
    """What the packs follow from; room that stays free is known only where the lengths were packed."""
    if given.packs is None or given.examples is None:
        return {}
    tokens, length = round(given.examples * given.mean_tokens), given.spec.data.max_length
    bare = packs_needed(tokens, 0, length) == given.packs
    room = 0 if bare else given.packs * length - tokens
    return {"packs": ("packs_needed", {"tokens": tokens, "room": room, "max_length": length})}


def _trained(spec: RunSpec, facts: ModelFacts) -> tuple[int | None, float | None]:
    """Trained parameters, and their share of the base model's."""
    trained = trained_of(spec, facts)
    if trained is None or facts.parameters is None:
        return trained, None
    return trained, trained / facts.parameters


def _speed(
    given: PlanInputs, flops: float | None, step: float, used: dict[str, tuple[str, dict[str, Any]]]
) -> float | None:
    """Tokens per second of all devices together: measured if known, else from the device's assumed FLOP/s.

    `step` are the tokens of an optimizer step.
    """
    if given.tokens_per_s is not None:
        return given.tokens_per_s
    device = given.hardware
    if flops is None or device is None:
        return None
    if not device.pass_s:
        return device.peak_flops * device.used_share * given.spec.resources.devices / flops
    inputs = {
        "flops": flops, "peak": device.peak_flops, "used_share": device.used_share, "pass_s": device.pass_s,
        "pass_tokens": _pass_tokens(given, step), "token_s": device.token_s,
    }  # fmt: skip
    used["tokens_per_s"] = ("tokens_per_second", inputs)
    return compute.tokens_per_second(**inputs) * given.spec.resources.devices


def _pass_tokens(given: PlanInputs, step: float) -> float:
    """Mean tokens of a pass on a CPU: a micro-batch; without padding as much of an update as one pass takes."""
    spec = given.spec
    step = max(1.0, step / spec.resources.devices)
    if spec.speed.padding_free == "off":
        return step / spec.schedule.accumulation
    room = max(PASS_TOKENS, spec.schedule.per_device_batch * spec.data.max_length)
    return step / math.ceil(step / (spec.speed.tokens_per_pass or room))


def _formula(name: str, inputs: dict[str, Any]) -> dict[str, Any]:
    found = formula_named(name)
    return {
        "formula": found.expression,
        "inputs": inputs,
        "source": found.source,
        "unit": found.unit,
        "name": name,
    }


def _three_digits(value: float | None) -> float | None:
    """Epochs as a person says them: 42.1, 0.506, 3.0."""
    if value is None or value == 0:
        return value
    return round(value, max(0, 2 - math.floor(math.log10(value))))
