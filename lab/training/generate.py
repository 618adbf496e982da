"""Answers of a model to prompts: large batches padded on the left, with a cache, greedy by default."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase, StoppingCriteria

from lab.data.tokenizer import frame_of
from lab.training import attention
from lab.training.build import positions, stop_ids
from lab.training.interrupts import Interrupted
from lab.training.machine import random_state_kept

BATCH = 64
PLAIN_SCORES = 2**25  # attention scores that are stored at once: 128 MiB in fp32


@dataclass(frozen=True)
class Generated:
    """One answer: its text without special tokens, whether it ended by itself, and its length in tokens."""

    text: str
    stopped: bool
    tokens: int


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str] | Sequence[list[int]],
    *,
    max_new_tokens: int,
    temperature: float = 0.0,
    seed: int = 0,
    batch_size: int = BATCH,
    interrupted: Callable[[], bool] | None = None,
) -> list[Generated]:
    """Answer prompts in their order: token ids (`Example.prompt_ids`, `Encoder.prompt_ids`), or bare texts.

    The same prompts, seed and batch size give the same answers; torch's random state is left as it was. A
    prompt too long for the model keeps its end. Raises Interrupted within a token or two after `interrupted`
    becomes true.
    """
    rows = [_ids(prompt, tokenizer) for prompt in prompts]
    room = _room(model, max_new_tokens)
    answers: list[Generated | None] = [None] * len(rows)
    # Like lengths together: the padding of a batch is work for nothing.
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    was_training = model.training
    model.eval()
    try:
        with random_state_kept(), torch.no_grad():
            torch.manual_seed(seed)
            for start in range(0, len(order), batch_size):
                chosen = order[start : start + batch_size]
                batch = [rows[i][-room:] if room else rows[i] for i in chosen]
                produced = _answer(model, tokenizer, batch, max_new_tokens, temperature, interrupted)
                for i, answer in zip(chosen, produced, strict=True):
                    answers[i] = answer
    finally:
        model.train(was_training)
    return [answer for answer in answers if answer is not None]


class _Interrupt(StoppingCriteria):
    def __init__(self, interrupted: Callable[[], bool]) -> None:
        self.interrupted = interrupted

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        if self.interrupted():
            raise Interrupted
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)


def _answer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[list[int]],
    max_new_tokens: int,
    temperature: float,
    interrupted: Callable[[], bool] | None,
) -> list[Generated]:
    width = max(len(row) for row in rows)
    pad, ends = tokenizer.pad_token_id, stop_ids(model, tokenizer)
    ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows], device=model.device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=model.device)
    # Every setting is named: a model's own generation_config may sample, penalise or force tokens.
    greedy: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    sampling = {"do_sample": True, "temperature": temperature} if temperature > 0 else greedy
    with _attention(model, len(rows), width):
        output = model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=max_new_tokens,
            eos_token_id=ends,
            pad_token_id=pad,
            repetition_penalty=None,
            use_cache=True,
            stopping_criteria=[_Interrupt(interrupted)] if interrupted else None,
            **sampling,
        )
    return [_decoded(row, tokenizer, ends) for row in output[:, width:].tolist()]


def _attention(model: PreTrainedModel, rows: int, width: int) -> AbstractContextManager[None]:
    """Plain attention on a CPU, where torch's fused kernel takes twice as long for one new token at a time.

    It stores every score of the prompts, so only where these are few.
    """
    scores = rows * width**2 * getattr(model.config.get_text_config(), "num_attention_heads", 1)
    if model.device.type != "cpu" or model.config._attn_implementation != "sdpa" or scores > PLAIN_SCORES:
        return nullcontext()
    return attention.using(model, "eager")


def _decoded(ids: list[int], tokenizer: PreTrainedTokenizerBase, ends: list[int]) -> Generated:
    end = next((i for i, token in enumerate(ids) if token in ends), None)
    kept = ids if end is None else ids[:end]
    text = tokenizer.decode(kept, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return Generated(text, end is not None, len(kept))


def _ids(prompt: str | list[int], tokenizer: PreTrainedTokenizerBase) -> list[int]:
    if not isinstance(prompt, str):
        return list(prompt)
    return [*frame_of(tokenizer).before, *tokenizer(prompt, add_special_tokens=False)["input_ids"]]


def _room(model: PreTrainedModel, max_new_tokens: int) -> int | None:
    """The longest prompt in tokens that leaves room for the answer; None without a limit."""
    limit = positions(model)
    return None if limit is None else max(1, limit - max_new_tokens)
