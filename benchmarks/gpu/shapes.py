"""Models and rows of the GPU benchmark, made on the spot: shapes from configurations, random weights, seed 0."""

from __future__ import annotations

import json
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
    "tiny-llama": {"kind": "llama", "vocab_size": 256, "hidden_size": 64, "intermediate_size": 128,
                   "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
                   "tie_word_embeddings": True, "max_position_embeddings": 256},
    "tiny-gpt2": {"kind": "gpt2", "vocab_size": 256, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 256,
                  "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0},
}  # fmt: skip
# Tokens of an example at every twentieth of the share below it, 0 to 100 %: characters / 4.2 + 20 for a template, of
# 450 examples of LLaMA-Factory's alpaca_en_demo (its whole list of 999 has mean 207 and 95 % below 498).
ALPACA = (29, 42, 49, 53, 58, 63, 71, 84, 106, 122, 152, 174, 197, 227, 281, 320, 345, 405, 445, 483, 707)


def build(shape: str, folder: Path, dtype: str = "bfloat16") -> Path:
    """Write a model of this shape and a tokenizer of as many words to a folder, once."""
    target = folder / f"{shape}-{dtype}"
    if (target / "tokenizer.json").is_file():
        return target
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
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
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(target)
    return target


def lengths(kind: str, count: int, longest: int) -> list[int]:
    """Tokens of each example, at least 8, cut to `longest`, which every example of `full` has.

    `alpaca`: drawn from the list above, mean 202; `chat`: log-normal, mean 587.
    """
    draw = random.Random(0)
    if kind == "full":
        return [longest] * count
    if kind == "chat":
        return [max(8, min(longest, round(draw.lognormvariate(6.1, 0.75)))) for _ in range(count)]
    return [max(8, min(longest, round(_of_table(draw.random() * (len(ALPACA) - 1))))) for _ in range(count)]


def _of_table(place: float) -> float:
    low = int(place)
    return ALPACA[low] + (place - low) * (ALPACA[low + 1] - ALPACA[low])


def rows(kind: str, count: int, vocabulary: int, longest: int) -> list[dict[str, list[int]]]:
    """Ids uniform in the vocabulary, an end token last; the second half of each example is trained."""
    draw = random.Random(1)
    made = []
    for length in lengths(kind, count, longest):
        ids = [draw.randrange(3, vocabulary) for _ in range(length - 1)] + [1]
        prompt = length // 2
        made.append({"input_ids": ids, "labels": [-100] * prompt + ids[prompt:]})
    return made


def write_rows(folder: Path, kind: str, count: int, vocabulary: int, longest: int) -> Path:
    """The rows as a JSON file that every arm reads, in whatever environment it runs; written once."""
    path = folder / f"rows-{kind}-{count}-{vocabulary}-{longest}.json"
    if not path.is_file():
        path.write_text(json.dumps(rows(kind, count, vocabulary, longest)), encoding="utf-8")
    return path
