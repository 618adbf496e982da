"""Batches: how many examples and tokens one optimizer step sees."""

from __future__ import annotations

import math

from lab.planning.registry import formula


@formula(
    "batch per device x devices x accumulation",
    unit="examples",
    source="document 000 L319-322; Hugging Face documentation, Trainer",
)
def effective_batch(per_device: int, devices: int, accumulation: int) -> int:
    """Examples in one optimizer step. Holds for every kind of data parallelism."""
    return per_device * devices * accumulation


@formula("effective batch / (devices x accumulation)", unit="examples", source="effective batch, solved")
def per_device_batch(effective: float, devices: int, accumulation: int) -> float:
    """Examples that one device takes through the model at once."""
    return effective / (devices * accumulation)


@formula("steps x effective batch", unit="examples", source="arithmetic")
def samples_seen(steps: float, batch: float) -> float:
    """Examples that a run goes through, repeats counted."""
    return steps * batch


@formula("effective batch x tokens per example", unit="tokens", source="arithmetic")
def tokens_per_step(batch: float, tokens_per_example: float) -> float:
    """Tokens that one optimizer step sees, padding left out."""
    return batch * tokens_per_example


@formula("samples / seconds", unit="examples/s", source="transformers 5.23, trainer_utils.speed_metrics")
def samples_per_second(samples: float, seconds: float) -> float:
    """Throughput of a run as the Trainer's log states it."""
    return samples / seconds


@formula(
    "effective batch / devices = batch per device x accumulation", unit="pairs", source="effective batch, factored"
)
def factorings(effective: int, devices: int = 1) -> list[dict[str, int]]:
    """Every pair of batch per device and accumulation that gives this effective batch, largest batch first.

    192 on 6 devices: 32 x 1, 16 x 2, 8 x 4, 4 x 8, 2 x 16, 1 x 32. Empty when the devices do not divide it.
    """
    if effective < 1 or devices < 1 or effective % devices:
        return []
    each = effective // devices
    small = [part for part in range(1, math.isqrt(each) + 1) if each % part == 0]
    divisors = sorted({*small, *(each // part for part in small)}, reverse=True)
    return [{"per_device": part, "accumulation": each // part} for part in divisors]


@formula("4 or more per device: ample; 1 or 2 with 16 or more batches: scarce", source="document 000 L348-362")
def accumulation_regime(per_device: int, accumulation: int) -> str:
    """In which regime a batch is put together: "none", "ample" memory (4-8 per device x 4-8), "scarce" (1-2 x 16-32)
    or "between". Accumulation itself makes nothing faster (Hugging Face documentation).
    """
    if accumulation == 1:
        return "none"
    if per_device <= 2 and accumulation >= 16:
        return "scarce"
    return "ample" if per_device >= 4 and accumulation <= 8 else "between"
