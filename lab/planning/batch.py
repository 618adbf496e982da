"""Batches: how many examples and tokens one optimizer step sees."""

from __future__ import annotations

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
