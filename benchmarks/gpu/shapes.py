"""Models and rows of the GPU benchmark, made on the spot: shapes from configurations, random weights, seed 0."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

SHAPES: dict[str, dict[str, Any]] = {
    # The shape of Llama-3.2-1B.
    "llama-1b": {"kind": "llama", "vocab_size": 128_256, "hidden_size": 2048, "intermediate_size": 8192,
                 "num_hidden_layers": 16, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 64,
                 "tie_word_embeddings": True, "max_position_embeddings": 8192},
    "gpt2-large": {"kind": "gpt2", "vocab_size": 50_257, "n_embd": 1280, "n_layer": 36, "n_head": 20,
                   "n_positions": 1024, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0},
    # For machines without a GPU: the same code at a size that a test can wait for.
    "tiny-llama": {"kind": "llama", "vocab_size": 256, "hidden_size": 32, "intermediate_size": 64,
                   "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
                   "tie_word_embeddings": True, "max_position_embeddings": 256},
    "tiny-gpt2": {"kind": "gpt2", "vocab_size": 256, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256,
                  "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0},
}  # fmt: skip


def build(shape: str, folder: Path, dtype: str = "bfloat16") -> Path:
    """Write a model of this shape and a tokenizer of as many words to a folder, once."""
    target = folder / f"{shape}-{dtype}"
    if (target / "tokenizer.json").is_file():
        return target
    import torch
    from tokenizers import Tokenizer, models
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    values = dict(SHAPES[shape])
    config_class, model_class = {
        "llama": (LlamaConfig, LlamaForCausalLM), "gpt2": (GPT2Config, GPT2LMHeadModel),
    }[values.pop("kind")]  # fmt: skip
    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = model_class(config_class(**values, bos_token_id=0, eos_token_id=1, pad_token_id=2))
    model.to(getattr(torch, dtype)).save_pretrained(target)
    words = {f"w{i}": i for i in range(3, values["vocab_size"])} | {"<s>": 0, "</s>": 1, "<pad>": 2}
    special = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    tokenizer = Tokenizer(models.WordLevel(words, special["pad_token"]))
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)
    fast.save_pretrained(target)
    return target


def rows(kind: str, count: int, vocabulary: int, longest: int) -> list[dict[str, list[int]]]:
    """Ids uniform in the vocabulary; half of each example is trained.

    `alpaca`: log-normal lengths of mean 207 and 95th percentile about 500; `chat`: mean 587; cut to `longest`, which
    every example of `full` has.
    """
    mean, spread = {"alpaca": (5.05, 0.75), "chat": (6.1, 0.75), "full": (100.0, 0.0)}[kind]
    draw = random.Random(0)
    made = []
    for _ in range(count):
        length = max(8, min(longest, round(draw.lognormvariate(mean, spread))))
        ids = [draw.randrange(3, vocabulary) for _ in range(length - 1)] + [1]
        prompt = length // 2
        made.append({"input_ids": ids, "labels": [-100] * prompt + ids[prompt:]})
    return made
