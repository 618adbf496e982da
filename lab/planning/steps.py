"""Optimizer steps and epochs, as arithmetic and as the Trainer rounds them."""

from __future__ import annotations

import math

from lab.planning.registry import formula

_TRAINER = "transformers 5.23, Trainer.set_initial_training_values"


@formula("examples x epochs / effective batch", unit="steps", source="document 000 L638")
def steps_for_epochs(examples: float, epochs: float, batch: float) -> float:
    """Optimizer steps of so many epochs, not rounded. 52,002 x 3 / 128 = 1,218.8."""
    return examples * epochs / batch


@formula("steps x effective batch / examples", unit="epochs", source="document 000 L638, solved")
def epochs_of_steps(steps: float, batch: float, examples: float) -> float:
    """How often every example is seen. 25,000 x 192 / 114,000 = 42.1."""
    return steps * batch / examples


@formula(
    "ceil(ceil(examples / (batch per device x devices)) / accumulation), at least 1",
    unit="steps",
    source=_TRAINER,
)
def steps_per_epoch(examples: int, per_device: int, devices: int, accumulation: int) -> int:
    """Optimizer steps of one epoch: the last batch may be small and the last step may add up fewer
    batches.
    """
    batches = math.ceil(examples / (per_device * devices))
    return max(math.ceil(batches / accumulation), 1)


@formula("ceil(epochs x steps per epoch)", unit="steps", source=_TRAINER)
def trainer_steps(examples: int, epochs: float, per_device: int, devices: int = 1, accumulation: int = 1) -> int:
    """Optimizer steps of a run as the Trainer counts them. 52,002 rows, 3 epochs, 4 x 4 x 8: 1,221."""
    return math.ceil(epochs * steps_per_epoch(examples, per_device, devices, accumulation))


@formula("(rows - rows held out) x epochs / effective batch", unit="steps", source="document 000 L638")
def steps_after_holding_out(rows: float, held_out: float, epochs: float, batch: float) -> float:
    """Optimizer steps when some rows are kept for evaluation."""
    return (rows - held_out) * epochs / batch


@formula(
    "tokens / tokens per sequence x epochs / effective batch",
    unit="steps",
    source="arithmetic, full sequences",
)
def steps_for_tokens(tokens: float, sequence_length: float, epochs: float, batch: float) -> float:
    """Optimizer steps when the data are cut into sequences of full length."""
    return tokens / sequence_length * epochs / batch


@formula("steps x effective batch x sequence length / tokens", unit="passes", source="arithmetic, full sequences")
def passes_over_tokens(steps: float, batch: float, sequence_length: float, tokens: float) -> float:
    """How often a data set of so many tokens is gone through with sequences of full length."""
    return steps * batch * sequence_length / tokens


@formula("every, 2 x every, ... up to steps", unit="steps", source=_TRAINER)
def evaluation_points(every: int, steps: int) -> list[int]:
    """The steps at which something that happens every so many steps happens."""
    return list(range(every, steps + 1, every))
