"""NEFTune: noise on the embeddings in training (Jain et al., arXiv:2310.05914)."""

from __future__ import annotations

from typing import Any

import torch
from transformers import PreTrainedModel


class Noise:
    """Adds uniform noise of size alpha / sqrt(tokens x width) to the embeddings of each example.

    `tokens` are the example's own, whether it is padded or shares a row with others. In evaluation nothing is added.
    The noise is drawn from torch's random state, which a checkpoint keeps.
    """

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha
        self.tokens: torch.Tensor | None = None  # of the example that each position belongs to, shape as the ids

    def attach(self, body: torch.nn.Module, embeddings: torch.nn.Module) -> list[Any]:
        """Listen to the body of a model for its lengths, and change what its embeddings give; returns the hooks."""
        before = body.register_forward_pre_hook(self._look, with_kwargs=True)
        return [before, embeddings.register_forward_hook(self._add)]

    def _look(self, body: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.tokens = lengths_of(kwargs)

    def _add(self, embeddings: torch.nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        if not embeddings.training or not torch.is_grad_enabled():
            return output
        rows, width, size = output.shape
        tokens = self.tokens if self.tokens is not None else torch.full((rows, width), width, device=output.device)
        limit = self.alpha / torch.sqrt(tokens.to(output.dtype) * size)
        # Where no example is, `tokens` is 0: no noise there.
        limit = torch.where(tokens > 0, limit, torch.zeros_like(limit))
        return output + torch.empty_like(output).uniform_(-1, 1) * limit[..., None]


def lengths_of(inputs: dict[str, Any]) -> torch.Tensor | None:
    """The length of the example that each position belongs to, shape (rows, width); 0 for padding."""
    bounds, mask = inputs.get("cu_seq_lens_q"), inputs.get("attention_mask")
    if bounds is not None:
        lengths = bounds.diff()
        return lengths.repeat_interleave(lengths)[None]
    if isinstance(mask, torch.Tensor) and mask.ndim == 2:
        return mask * mask.sum(1, keepdim=True)
    return None


def add_noise(model: torch.nn.Module, alpha: float) -> list[Any]:
    """Noise for every embedding table that a model (or each model of several tasks) reads its tokens with."""
    hooks: list[Any] = []
    seen: set[int] = set()
    for part in model.modules():
        if not isinstance(part, PreTrainedModel):
            continue
        body, embeddings = part.base_model, part.get_input_embeddings()
        if id(embeddings) not in seen and body is not None:
            seen.add(id(embeddings))
            hooks += Noise(alpha).attach(body, embeddings)
    return hooks
