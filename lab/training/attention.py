"""Attention over several examples in one row without padding and without looking across their boundaries.

`lab_varlen` is registered with transformers beside `sdpa`. It reads the boundaries that the collator passes
as `cu_seq_lens_q`. On CUDA it calls the FlashAttention kernel inside torch (`torch.nn.attention.varlen`),
elsewhere it loops over the examples. `fits` asks the model itself whether the result is the same as one
example at a time.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, PreTrainedModel

NAME = "lab_varlen"
SHORT = 256  # tokens


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
    if query.is_cuda and torch.is_autocast_enabled("cuda"):
        # Rotary positions give fp32 queries and keys beside bf16 values where the weights are fp32.
        query, key, value = (part.to(torch.get_autocast_dtype("cuda")) for part in (query, key, value))
    if _takes_flash(query, dropout, len(bounds) - 1):
        return _flash(query, key, value, bounds, kwargs["max_length_q"], scaling)[None], None
    return _one_by_one(query, key, value, bounds.diff().tolist(), dropout, scaling), None


def _one_by_one(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    lengths: list[int],
    dropout: float,
    scaling: float | None,
) -> torch.Tensor:
    grouped = query.shape[1] != key.shape[1]
    # The fused kernel for CPUs costs more than it saves on short examples: a fifth of a step of the demo.
    short = query.device.type == "cpu" and max(lengths) <= SHORT
    with sdpa_kernel(SDPBackend.MATH) if short else nullcontext():
        parts = [
            scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True, scale=scaling, enable_gqa=grouped)
            for q, k, v in zip(query.split(lengths, 2), key.split(lengths, 2), value.split(lengths, 2), strict=True)
        ]
    return torch.cat(parts, 2).transpose(1, 2).contiguous()


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


def flat_row(rows: list[list[int]], device: torch.device | str = "cpu") -> dict[str, Any]:
    """Model inputs for examples one after the other: ids and positions of shape (1, tokens), boundaries."""
    lengths = [len(row) for row in rows]
    bounds = torch.tensor([0, *lengths], dtype=torch.int32).cumsum(0, dtype=torch.int32).to(device)
    return {
        "input_ids": torch.tensor([[token for row in rows for token in row]], device=device),
        "position_ids": torch.cat([torch.arange(length) for length in lengths])[None].to(device),
        "cu_seq_lens_q": bounds,
        "cu_seq_lens_k": bounds,
        "max_length_q": max(lengths),
        "max_length_k": max(lengths),
    }


@torch.no_grad()
def fits(model: PreTrainedModel, max_length: int, *, tolerance: float = 5e-2) -> bool:
    """Whether this model gives the same logits for two examples in one row as for each alone.

    A model that ignores position ids, attends within a window shorter than `max_length` or changes the scores
    (soft capping, sinks) does not; its batches are padded instead. `tolerance` is relative, wide enough for
    bf16.
    """
    window = getattr(model.config, "sliding_window", None)
    if window is not None and getattr(model.config, "use_sliding_window", True) and window < max_length:
        return False
    vocabulary = model.get_input_embeddings().num_embeddings
    rows = [[(7 * i + 3) % vocabulary for i in range(length)] for length in (5, 9)]
    was_training = model.training
    model.eval()
    try:
        alone = [model(input_ids=torch.tensor([row], device=model.device), use_cache=False).logits[0] for row in rows]
        with using(model, NAME):
            together = model(**flat_row(rows, model.device), use_cache=False).logits[0]
    except (TypeError, ValueError, RuntimeError, KeyError):
        return False  # it does not take these inputs, or takes no attention from outside
    finally:
        model.train(was_training)
    expected = torch.cat(alone).float()
    return bool((together.float() - expected).norm() <= tolerance * expected.norm())
