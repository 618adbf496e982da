"""The loss on held-out examples: negative log-likelihood of the answers' tokens, in nats."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from lab.data.example import IGNORED, Example
from lab.training.collate import PaddedCollator
from lab.training.interrupts import Interrupted
from lab.training.machine import random_state_kept

TOKENS = 4096  # of a batch, padding included
LOGITS = 2**26  # numbers that one batch's logits may hold: 256 MiB in fp32


@dataclass(frozen=True)
class Loss:
    """What one pass over held-out examples gave: summed loss and label tokens of each, in their order."""

    sums: list[float]
    counts: list[int]

    def mean(self, rows: int | None = None) -> float | None:
        """Loss per label token over the first `rows` examples; None if they have no label tokens."""
        tokens = sum(self.counts[:rows])
        return sum(self.sums[:rows]) / tokens if tokens else None

    def of(self, row: int) -> float | None:
        """Loss per label token of one example."""
        return self.sums[row] / self.counts[row] if self.counts[row] else None


def perplexity(loss: float | None) -> float | None:
    """e to the loss, or None where it is not a finite number."""
    return math.exp(loss) if loss is not None and loss < 700 else None


def held_out_loss(
    model: PreTrainedModel,
    examples: Sequence[Example],
    *,
    pad_id: int,
    interrupted: Callable[[], bool] | None = None,
) -> Loss:
    """The loss of each example; the model keeps its mode. Raises Interrupted when asked to stop."""
    sums, counts = [0.0] * len(examples), [0] * len(examples)
    collate = PaddedCollator(pad_id)
    was_training = model.training
    model.eval()
    try:
        with random_state_kept(), torch.no_grad():
            for chosen in _batches(examples, model.config.get_text_config().vocab_size):
                if interrupted and interrupted():
                    raise Interrupted
                rows = [{"input_ids": examples[i].input_ids, "labels": examples[i].labels} for i in chosen]
                for i, (total, count) in zip(chosen, _losses(model, collate(rows)), strict=True):
                    sums[i], counts[i] = total, count
    finally:
        model.train(was_training)
    return Loss(sums, counts)


def _losses(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> list[tuple[float, int]]:
    labels = batch.pop("labels")[:, 1:].to(model.device)
    batch = {name: tensor.to(model.device) for name, tensor in batch.items()}
    logits = model(**batch, use_cache=False).logits
    logits = logits[:, logits.shape[1] - labels.shape[1] - 1 : -1]  # a learned prompt has logits of its own
    wanted = labels != IGNORED
    tokens = torch.zeros(labels.shape, dtype=torch.float32, device=model.device)
    tokens[wanted] = cross_entropy(logits[wanted].float(), labels[wanted], reduction="none")
    return list(zip(tokens.sum(1).tolist(), wanted.sum(1).tolist(), strict=True))


def _batches(examples: Sequence[Example], vocabulary: int) -> list[list[int]]:
    """Indices in batches of like lengths."""
    budget = min(TOKENS, max(1, LOGITS // vocabulary))
    batches: list[list[int]] = []
    for i in sorted(range(len(examples)), key=lambda i: len(examples[i].input_ids)):
        length = len(examples[i].input_ids)
        if batches and (len(batches[-1]) + 1) * length <= budget:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches
