"""Pre-train a small BERT on text at hand, so that encoders can be tried without downloading any weights.

    python benchmarks/quality/pretrain_encoder.py --text FILE [FILE ...] --out FOLDER --minutes 10

Reads .txt, .csv, .tsv, .json, .jsonl and .zip (of .txt files) and takes every text in them of at least 40
characters. Writes a folder in the form of save_pretrained: an uncased WordPiece tokenizer and a
BertForMaskedLM in safetensors. The learning rate follows the clock, so that the time given is the time taken.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import random
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

import lab.training  # noqa: F401  # before torch: it settles how torch will compute
from lab.training.machine import has_bf16

SHORTEST = 40  # characters of a text that is taken
LENGTH = 128  # tokens of a training sequence
BATCH = 16
MASKED = 0.15
NEAR = 4  # tokens to each side that count as beside
WIDE = 0.05  # of the first weights
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def texts_of(path: Path) -> Iterator[str]:
    """The texts of a file, whatever its form."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".txt"):
                    yield archive.read(name).decode("utf-8", "replace")
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".jsonl":
        for line in text.splitlines():
            yield from strings(json.loads(line))
    elif path.suffix == ".json":
        yield from strings(json.loads(text))
    elif path.suffix in (".csv", ".tsv"):
        for row in csv.reader(text.splitlines(), delimiter="\t" if path.suffix == ".tsv" else ","):
            yield from row
    else:
        yield from text.split("\n\n")


def strings(value: Any) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings(inner)


def train_tokenizer(texts: list[str], size: int) -> BertTokenizerFast:
    """An uncased WordPiece tokenizer as BERT's."""
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    backend.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=size, special_tokens=SPECIAL))
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    backend.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", ends)
    return BertTokenizerFast(tokenizer_object=backend)


def sequences(texts: list[str], tokenizer: BertTokenizerFast) -> torch.Tensor:
    """All texts one after the other, cut into rows of LENGTH tokens that begin with [CLS]."""
    ids: list[int] = []
    for start in range(0, len(texts), 1000):
        for row in tokenizer(texts[start : start + 1000], add_special_tokens=False, verbose=False)["input_ids"]:
            ids += [*row, tokenizer.sep_token_id]
    width = LENGTH - 1
    rows = torch.tensor(ids[: len(ids) // width * width]).view(-1, width)
    return torch.cat([torch.full((len(rows), 1), tokenizer.cls_token_id), rows], 1)


def masked(rows: torch.Tensor, tokenizer: BertTokenizerFast) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids with 15 % of the tokens hidden (80 % [MASK], 10 % another token, 10 % as they are), and where."""
    special = torch.tensor(tokenizer.all_special_ids)
    chosen = (torch.rand(rows.shape) < MASKED) & ~torch.isin(rows, special)
    draw = torch.rand(rows.shape)
    ids = rows.clone()
    ids[chosen & (draw < 0.8)] = tokenizer.mask_token_id
    other = chosen & (draw >= 0.8) & (draw < 0.9)
    ids[other] = torch.randint(len(SPECIAL), len(tokenizer), (int(other.sum()),))
    return ids, chosen


def word_vectors(rows: torch.Tensor, vocabulary: int, width: int) -> torch.Tensor:
    """Vectors of the tokens from which others they stand beside: (vocabulary, width), each number about 1.

    Positive pointwise mutual information within four tokens, reduced by a singular value decomposition.
    Source: Levy and Goldberg, Neural word embedding as implicit matrix factorization (2014).
    """
    counts = torch.zeros(vocabulary * vocabulary)
    for distance in range(1, NEAR + 1):
        for part in rows.split(4096):
            pairs = part[:, :-distance] * vocabulary + part[:, distance:]
            counts += torch.bincount(pairs.flatten(), minlength=vocabulary * vocabulary)
    table = counts.view(vocabulary, vocabulary)
    table = table + table.T
    word = table.sum(1)
    beside = word**0.75 / (word**0.75).sum()
    shared = torch.log(table * word.sum() / (word[:, None] * word.sum() * beside[None]).clamp(min=1e-9) + 1e-12)
    left, values, _ = torch.svd_lowrank(shared.clamp(min=0), q=width, niter=4)
    vectors = left * values.sqrt()
    return vectors / vectors.std(0).clamp(min=1e-6)


def started_well(model: BertForMaskedLM, rows: torch.Tensor) -> BertForMaskedLM:
    """The model with word vectors, waves as positions, and how frequent each token is, as its first weights.

    From BERT's own start (everything 0.02 and at random) a run of minutes learns little more than how frequent
    each word is.
    """
    table = model.bert.embeddings.position_embeddings.weight
    length, width = table.shape
    rates = torch.exp(torch.arange(0, width, 2) / width * -math.log(10_000))
    waves = torch.arange(length)[:, None] * rates
    words = model.bert.embeddings.word_embeddings.weight
    seen = torch.bincount(rows.flatten(), minlength=len(words))
    vectors = word_vectors(rows, len(words), width)
    vectors[: len(SPECIAL)] = torch.randn(len(SPECIAL), width)  # most of them stand beside nothing
    with torch.no_grad():
        words.copy_(WIDE * vectors)
        model.cls.predictions.bias.copy_(torch.log((seen + 1) / (seen.sum() + len(words))))
        table.copy_(WIDE * torch.stack([waves.sin(), waves.cos()], 2).flatten(1))
    return model


def loss_of(model: BertForMaskedLM, rows: torch.Tensor, tokenizer: BertTokenizerFast) -> torch.Tensor:
    """The loss of the hidden tokens; the head reads these alone, which saves most of its time."""
    ids, chosen = masked(rows, tokenizer)
    hidden = model.bert(input_ids=ids).last_hidden_state[chosen]
    return torch.nn.functional.cross_entropy(model.cls(hidden).float(), rows[chosen])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--text", nargs="+", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--vocabulary", type=int, default=8192)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()

    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    texts = [text for path in given.text for text in texts_of(path) if len(text) >= SHORTEST]
    random.Random(given.seed).shuffle(texts)
    tokenizer = train_tokenizer(texts, given.vocabulary)
    rows = sequences(texts, tokenizer)
    held_out, rows = rows[: 16 * BATCH], rows[16 * BATCH :]
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=given.hidden, num_hidden_layers=given.layers,
        num_attention_heads=given.hidden // 32, intermediate_size=4 * given.hidden, max_position_embeddings=512,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=WIDE,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    model = started_well(BertForMaskedLM(config), rows)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=given.learning_rate, betas=(0.9, 0.98), fused=True)
    precision = torch.autocast("cpu", torch.bfloat16, enabled=has_bf16("cpu"))
    print(f"{len(texts):,} texts, {rows.numel():,} tokens, {model.num_parameters():,} parameters", flush=True)

    started, step, told = time.monotonic(), 0, 0.0
    order = torch.randperm(len(rows))
    while (passed := (time.monotonic() - started) / (60 * given.minutes)) < 1:
        place = step * BATCH % (len(rows) - BATCH)
        if place < BATCH and step:
            order = torch.randperm(len(rows))
        rate = given.learning_rate * (passed / 0.05 if passed < 0.05 else 0.5 + 0.5 * math.cos(math.pi * passed))
        for group in optimizer.param_groups:
            group["lr"] = rate
        with precision:
            loss = loss_of(model, rows[order[place : place + BATCH]], tokenizer)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        if passed - told >= 0.05:
            told = passed
            print(f"{passed:4.0%} step {step} loss {loss.item():.3f} tokens {step * BATCH * LENGTH:,}", flush=True)

    model.eval()
    torch.manual_seed(given.seed)
    with torch.no_grad():
        final = sum(float(loss_of(model, part, tokenizer)) for part in held_out.split(BATCH)) / 16
    model.save_pretrained(given.out)
    tokenizer.save_pretrained(given.out)
    seen = step * BATCH * LENGTH
    print(json.dumps({"steps": step, "tokens": seen, "epochs": round(seen / rows.numel(), 2),
                      "held_out_mlm_loss": round(final, 3), "parameters": model.num_parameters()}))  # fmt: skip


if __name__ == "__main__":
    main()
