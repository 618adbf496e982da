"""Attention without padding on a GPU: what torch's kernel is called with, and what goes another way."""

from __future__ import annotations

import types
from typing import Any

import pytest
import torch

import lab.training  # noqa: F401  (before torch)
from lab.training import attention, probe


def test_the_kernel_of_the_installed_torch_takes_what_it_is_called_with() -> None:
    assert {"scale", "window_size"} <= attention._flash_options()


def kernel_2_11(
    query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, return_aux=None, scale=None, window_size=(-1, -1)
):  # type: ignore[no-untyped-def]
    """torch 2.11's signature, computed one example after the other."""
    return by_hand(query, key, value, cu_seq_q, (max_q, max_k), scale, tuple(window_size) == (-1, 0), False)


def kernel_2_13(
    query,
    key,
    value,
    cu_seq_q,
    cu_seq_k,
    max_q,
    max_k,
    *,
    return_aux=None,
    scale=None,
    window_size=(-1, -1),
    enable_gqa=False,
    seqused_k=None,
    block_table=None,
    num_splits=None,
):  # type: ignore[no-untyped-def]
    """torch 2.13's."""
    return by_hand(query, key, value, cu_seq_q, (max_q, max_k), scale, tuple(window_size) == (-1, 0), enable_gqa)


def kernel_2_10(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, is_causal=False, return_aux=None):  # type: ignore[no-untyped-def]
    """torch 2.10's."""
    return by_hand(query, key, value, cu_seq_q, (max_q, max_k), None, is_causal, False)


def by_hand(query: Any, key: Any, value: Any, bounds: Any, longest: Any, scale: Any, causal: bool, gqa: bool) -> Any:
    if not gqa and query.size(1) != key.size(1):
        raise ValueError("Expect query and key/value to have the same number of heads")  # as torch says
    assert bounds.dtype == torch.int32 and longest == (int(bounds.diff().max()),) * 2
    parts = []
    for low, high in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        q, k, v = (part[low:high].transpose(0, 1)[None] for part in (query, key, value))
        parts.append(
            torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal, scale=scale, enable_gqa=gqa)
        )
    return torch.cat(parts, 2)[0].transpose(0, 1)


@pytest.mark.parametrize("kernel", [kernel_2_10, kernel_2_11, kernel_2_13])
def test_each_torch_s_kernel_is_called_so_that_every_example_sees_itself_and_what_came_before(
    kernel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch.nn.attention.varlen as varlen

    monkeypatch.setattr(varlen, "varlen_attn", kernel)
    attention._flash_options.cache_clear()
    try:
        torch.manual_seed(0)
        query, key, value = (torch.randn(1, heads, 13, 8) for heads in (4, 2, 2))
        bounds = torch.tensor([0, 4, 5, 13], dtype=torch.int32)
        found = attention._flash(query, key, value, bounds, 8, 8**-0.5)[None]
        expected, _ = attention.varlen_attention(torch.nn.Module(), query, key, value, None, cu_seq_lens_q=bounds)
        assert (found - expected).abs().max() < 1e-5
    finally:
        attention._flash_options.cache_clear()


@pytest.mark.parametrize(
    ("change", "takes"),
    [
        ({}, True),
        ({"dropout": 0.1}, False),  # the kernel drops nothing: GPT-2's own dropout goes the long way
        ({"dtype": torch.float32}, False),
        ({"shape": (1, 8, 100, 320)}, False),
        ({"is_cuda": False}, False),
        ({"shape": (1, 32, 1_048_300, 64)}, True),  # (1,048,300 + 128 x 2) x 32 x 64 is just below 2^31 ...
        ({"shape": (1, 32, 1_048_400, 64)}, False),  # ... and this above
    ],
)
def test_what_the_kernel_cannot_do_right_goes_another_way(change: dict[str, Any], takes: bool) -> None:
    given: dict[str, Any] = {
        "is_cuda": True,
        "dtype": torch.bfloat16,
        "shape": (1, 8, 100, 64),
        "dropout": 0.0,
    } | change
    dropout = given.pop("dropout")
    query: Any = types.SimpleNamespace(**given)
    assert attention._takes_flash(query, dropout, 2) is takes


def test_scores_that_the_kernel_cannot_give_are_refused_and_such_a_model_is_padded() -> None:
    """Capped scores differ by less than the probe sees while they are small; Gemma 2's reach the cap."""
    from transformers import Gemma2Config, Gemma2ForCausalLM

    shape = {
        "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 64, "sliding_window": 64,
    }  # fmt: skip
    found = probe.probe(Gemma2ForCausalLM(Gemma2Config(**shape)), 48)
    assert not found.fits and found.why == "takes no flat rows (ValueError)"
    query = torch.randn(1, 2, 9, 8)
    bounds = torch.tensor([0, 2, 9], dtype=torch.int32)
    for refused in ({"sliding_window": 4}, {"s_aux": torch.zeros(2)}, {"softcap": 50.0}):
        with pytest.raises(ValueError, match="plain causal scores"):
            attention.varlen_attention(
                torch.nn.Module(), query, query, query, None, cu_seq_lens_q=bounds, max_length_q=7, **refused
            )
    attention.varlen_attention(
        torch.nn.Module(), query, query, query, None, cu_seq_lens_q=bounds, max_length_q=7, sliding_window=7
    )
