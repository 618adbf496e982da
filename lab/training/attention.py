"""Attention over several examples in one row without padding and without looking across their boundaries.

`lab_varlen` is registered with transformers beside `sdpa`. It reads the boundaries that the collator passes
as `cu_seq_lens_q`. On CUDA it calls the FlashAttention kernel inside torch (`torch.nn.attention.varlen`),
elsewhere it loops over the examples. `lab.training.probe` asks the model itself whether the result is the same as
one example at a time.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention, softmax
from transformers import AttentionInterface, PreTrainedModel

NAME = "lab_varlen"
OTHER_SCORES = ("softcap", "s_aux")  # what Gemma 2 and gpt-oss do to their scores, by the names of transformers
SHORT = 512  # tokens of an example whose scores are kept (lab.planning.footprint counts them)


def varlen_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention within each example of a flat row.

    `query` is (1, heads, tokens, head size); `key` and `value` may have fewer heads. Returns (1, tokens,
    heads, head size). Raises ValueError without boundaries: transformers builds no mask for this attention,
    so a padded batch or a row with its boundaries lost would silently be wrong.
    """
    bounds = kwargs.get("cu_seq_lens_q")
    if bounds is None or query.shape[0] != 1:
        raise ValueError("lab_varlen attention needs one flat row and its cu_seq_lens_q")
    if any(kwargs.get(name) is not None for name in OTHER_SCORES) or _beyond_window(kwargs, bounds):
        raise ValueError("lab_varlen attention has plain causal scores only")
    if query.is_cuda and torch.is_autocast_enabled("cuda"):
        # Rotary positions give fp32 queries and keys beside bf16 values where the weights are fp32.
        query, key, value = (part.to(torch.get_autocast_dtype("cuda")) for part in (query, key, value))
    if _takes_flash(query, dropout, len(bounds) - 1):
        return _flash(query, key, value, bounds, kwargs["max_length_q"], scaling)[None], None
    return _one_by_one(query, key, value, bounds.diff().tolist(), dropout, scaling), None


def _beyond_window(kwargs: dict[str, Any], bounds: torch.Tensor) -> bool:
    """Whether an example of the row is longer than the layer looks back."""
    window = kwargs.get("sliding_window")
    return window is not None and int(kwargs.get("max_length_q") or bounds.diff().max()) > window


def _one_by_one(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    lengths: list[int],
    dropout: float,
    scaling: float | None,
) -> torch.Tensor:
    groups = query.shape[1] // key.shape[1]
    # The fused kernel for CPUs costs more than it saves on short examples: two to five times as long.
    if query.device.type == "cpu" and max(lengths) <= SHORT:
        return _spelt_out(query, key, value, lengths, dropout, scaling or query.shape[-1] ** -0.5)
    parts = [
        scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True, scale=scaling, enable_gqa=groups > 1)
        for q, k, v in zip(query.split(lengths, 2), key.split(lengths, 2), value.split(lengths, 2), strict=True)
    ]
    return torch.cat(parts, 2).transpose(1, 2).contiguous()


def _spelt_out(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    lengths: list[int],
    dropout: float,
    scaling: float,
) -> torch.Tensor:
    """Softmax(Q K' s + mask) V as three operations an example; scores in the format of the computation."""
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = (part.repeat_interleave(groups, 1) for part in (key, value))
    longest = max(lengths)
    mask = query.new_full((longest, longest), float("-inf")).triu(1)
    # Heads x tokens x head size, once: a slice of it is what the products want.
    query, key, value = (part[0].contiguous() for part in (query, key, value))
    parts = []
    for q, k, v in zip(query.split(lengths, 1), key.split(lengths, 1), value.split(lengths, 1), strict=True):
        size = q.shape[1]
        scores = torch.baddbmm(mask[:size, :size].expand(q.shape[0], size, size), q, k.transpose(1, 2), alpha=scaling)
        weights = softmax(scores, -1)
        parts.append(torch.bmm(torch.dropout(weights, dropout, True) if dropout else weights, v))
    return torch.cat(parts, 1).transpose(0, 1)[None].contiguous()


def _takes_flash(query: torch.Tensor, dropout: float, examples: int) -> bool:
    if not query.is_cuda or dropout or query.dtype not in (torch.bfloat16, torch.float16):
        return False
    heads, tokens, size = query.shape[1:]
    # Beyond this the kernel's backward pass counts past 32 bits and reads memory that is not its own.
    return size <= 256 and (tokens + 128 * examples) * heads * (-(-size // 32) * 32) < 2**31


@cache
def _flash_options() -> frozenset[str]:
    from torch.nn.attention.varlen import varlen_attn

    return frozenset(inspect.signature(varlen_attn).parameters)


def _flash(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bounds: torch.Tensor,
    longest: int,
    scaling: float | None,
) -> torch.Tensor:
    """Tokens x heads x head size; the kernel's arguments changed between torch 2.10 and 2.13."""
    from torch.nn.attention.varlen import varlen_attn

    options: dict[str, Any] = {}
    if scaling is not None and "scale" in _flash_options():
        options["scale"] = scaling
    options |= {"window_size": (-1, 0)} if "window_size" in _flash_options() else {"is_causal": True}
    groups = query.shape[1] // key.shape[1]
    if groups > 1 and "enable_gqa" in _flash_options():
        options["enable_gqa"] = True
    elif groups > 1:
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    query, key, value = (tensor[0].transpose(0, 1) for tensor in (query, key, value))
    return varlen_attn(query, key, value, bounds, bounds, longest, longest, **options)


AttentionInterface.register(NAME, varlen_attention)


@contextmanager
def using(model: PreTrainedModel, name: str) -> Iterator[None]:
    """Let the model attend with this implementation for a while."""
    config = model.config
    before, config._attn_implementation = config._attn_implementation, name
    try:
        yield
    finally:
        config._attn_implementation = before


def flat_row(rows: Sequence[Any], device: torch.device | str = "cpu") -> dict[str, Any]:
    """Model inputs for examples, lists or arrays of ids, one after the other: ids and positions of shape (1, tokens),
    boundaries.
    """
    lengths = [len(row) for row in rows]
    bounds = torch.tensor([0, *lengths], dtype=torch.int32).cumsum(0, dtype=torch.int32).to(device)
    return {
        "input_ids": torch.from_numpy(np.concatenate(rows, dtype=np.int64))[None].to(device),
        "position_ids": torch.cat([torch.arange(length) for length in lengths])[None].to(device),
        "cu_seq_lens_q": bounds,
        "cu_seq_lens_k": bounds,
        "max_length_q": max(lengths),
        "max_length_k": max(lengths),
    }
