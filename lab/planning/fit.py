"""What fits: the memory of a run turned round, from a limit in GiB to batches, lengths and methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from lab.models import ModelFacts
from lab.planning.batch import factorings
from lab.planning.footprint import Load, footprint, load_of
from lab.spec import RunSpec

LARGEST_BATCH = 1024
LONGEST = 1_048_576

# The methods that are compared, each with and without gradient checkpointing.
METHODS = (("full", False), ("full", True), ("lora", False), ("lora", True), ("qlora", False), ("qlora", True))


@dataclass(frozen=True)
class Factoring:
    """One way to make an effective batch: per device x devices x accumulation, its memory, and whether it fits."""

    per_device: int
    accumulation: int
    total_gib: float | None
    fits: bool | None

    @property
    def change(self) -> dict[str, Any]:
        """The settings that make it, by dotted name."""
        return {"schedule.per_device_batch": self.per_device, "schedule.accumulation": self.accumulation}


@dataclass(frozen=True)
class MethodFit:
    """Whether a method fits: its memory at the given batch and length, the largest batch, the longest examples.

    `largest_batch` 0: not even one example fits; None: the memory is not known.
    """

    method: str
    checkpointing: bool
    total_gib: float | None
    fits: bool | None
    largest_batch: int | None
    longest: int | None

    @property
    def change(self) -> dict[str, Any]:
        """The settings that choose it, by dotted name."""
        return {
            "method.name": self.method,
            "model.quantization": "nf4" if self.method == "qlora" else "none",
            "resources.gradient_checkpointing": self.checkpointing,
        }


def swaps(spec: RunSpec, facts: ModelFacts, limit_gib: float | None, *, length: int, device: str) -> list[Factoring]:
    """Every factoring of the spec's effective batch, largest batch per device first, so none changes the training.

    `length` is the longest example in tokens, `device` cpu or cuda. 192 on 6 devices: 32 x 1, 16 x 2, 8 x 4, ...
    """
    load = load_of(spec, length=length, device=device, bf16=computes_in_bf16(spec))
    whole = spec.schedule.per_device_batch * spec.resources.devices * spec.schedule.accumulation
    return [
        _factoring(facts, load, pair["per_device"], pair["accumulation"], limit_gib)
        for pair in factorings(whole, spec.resources.devices)
    ]


def swap(spec: RunSpec, facts: ModelFacts, limit_gib: float, *, length: int, device: str) -> Factoring | None:
    """The way out of "out of memory" at the same effective batch: the largest batch per device that fits, or None."""
    fitting = (way for way in swaps(spec, facts, limit_gib, length=length, device=device) if way.fits)
    return next(fitting, None)


def what_fits(
    spec: RunSpec, facts: ModelFacts, limit_gib: float, *, length: int, device: str = "cuda"
) -> list[MethodFit]:
    """What each method takes on a device with so much memory, and how far it goes there."""
    own = load_of(spec, length=length, device=device, bf16=computes_in_bf16(spec))
    return [_method(facts, own.with_method(name, checkpointing=on), limit_gib) for name, on in METHODS]


def largest_batch(facts: ModelFacts, load: Load, limit_gib: float) -> int | None:
    """The most examples of this length that one device takes at once; 0 for none, None when not known."""
    return _largest(lambda count: total(facts, replace(load, batch=count)), limit_gib, LARGEST_BATCH)


def longest_length(facts: ModelFacts, load: Load, limit_gib: float) -> int | None:
    """The longest examples in tokens at this batch, at most the model's positions; 0 for none, None: not known."""
    return _largest(lambda count: total(facts, replace(load, length=count)), limit_gib, facts.positions or LONGEST)


def total(facts: ModelFacts, load: Load) -> float | None:
    """Peak memory in GiB of one device; None when a term is not known."""
    return footprint(facts, load).total_gib


def computes_in_bf16(spec: RunSpec) -> bool:
    """Whether the computation is in a format of two bytes; `auto` is taken as bf16."""
    return spec.resources.precision != "fp32"


def _factoring(facts: ModelFacts, load: Load, batch: int, accumulation: int, limit_gib: float | None) -> Factoring:
    needed = total(facts, replace(load, batch=batch))
    return Factoring(batch, accumulation, needed, None if needed is None or limit_gib is None else needed <= limit_gib)


def _method(facts: ModelFacts, load: Load, limit_gib: float) -> MethodFit:
    needed = total(facts, load)
    return MethodFit(
        load.method,
        load.checkpointing,
        needed,
        None if needed is None else needed <= limit_gib,
        largest_batch(facts, load, limit_gib),
        longest_length(facts, load, limit_gib),
    )


def _largest(needed: Callable[[int], float | None], limit: float, highest: int) -> int | None:
    """The largest count from 0 to `highest` whose memory is within the limit; memory grows with the count."""
    if needed(1) is None:
        return None
    low, high = 0, highest
    while low < high:
        middle = (low + high + 1) // 2
        memory = needed(middle)
        if memory is not None and memory <= limit:
            low = middle
        else:
            high = middle - 1
    return low
