"""Generation in batches: left padding changes no answer, whatever the architecture."""

from __future__ import annotations

import pytest
import torch
import toy_tokenizers as toys
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from lab.training.generate import generate

PROMPTS = ["one", "What is the answer to a much longer question than all the others?", "a few words", "What is it?"]


def made(name: str, words: int) -> PreTrainedModel:
    rotary = {
        "vocab_size": words, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128, "initializer_range": 0.5,
    }  # fmt: skip
    torch.manual_seed(3)
    if name == "gpt2":
        shape = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128, "initializer_range": 0.5}
        return GPT2LMHeadModel(GPT2Config(vocab_size=words, eos_token_id=2, bos_token_id=None, **shape)).eval()
    if name == "qwen2":
        return Qwen2ForCausalLM(Qwen2Config(**rotary)).eval()
    return LlamaForCausalLM(LlamaConfig(**rotary)).eval()


@pytest.mark.parametrize("name", ["llama", "qwen2", "gpt2"])
def test_a_batch_padded_on_the_left_answers_as_each_prompt_alone(name: str) -> None:
    tokenizer = toys.gpt2_like()
    tokenizer.pad_token = tokenizer.eos_token  # as a model without a padding token gets it
    model = made(name, len(tokenizer))
    rows = [tokenizer(prompt)["input_ids"] for prompt in PROMPTS]
    assert len({len(row) for row in rows}) > 2  # so that there is padding
    together = generate(model, tokenizer, rows, max_new_tokens=16, batch_size=len(rows))
    alone = [generate(model, tokenizer, [row], max_new_tokens=16)[0] for row in rows]
    assert together == alone
    assert len({answer.text for answer in together}) > 1
