"""Tiny models and tiny data for the tasks with labels: each data set can be learned by heart in a few steps."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from lab.runs.home import datasets_folder, new_id

WORDS = {"good": ["great", "lovely", "fine"], "bad": ["awful", "poor", "dull"], "plain": ["table", "paper", "stone"]}
FILLER = ["the", "a", "film", "was", "very", "and", "story", "it", "is", "of"]
NAMES = {"person": ["Anna", "Bert", "Cora"], "place": ["Paris", "Oslo", "Rome"]}


def classification_rows(count: int = 120, labels: tuple[str, ...] = ("good", "bad")) -> list[dict[str, Any]]:
    """Texts with one telling word among fillers."""
    draw = random.Random(1)
    rows = []
    for i in range(count):
        label = labels[i % len(labels)]
        words = [*draw.choices(FILLER, k=draw.randint(2, 7)), draw.choice(WORDS[label])]
        draw.shuffle(words)
        rows.append({"text": f"{' '.join(words)} {i}", "label": label})
    return rows


def entity_rows(count: int = 120) -> list[dict[str, Any]]:
    """Sentences with a name of one word or two; the type shows in the word."""
    draw = random.Random(2)
    rows = []
    for i in range(count):
        tokens, tags = [], []
        for kind in draw.sample(list(NAMES), k=draw.randint(1, 2)):
            tokens += draw.choices(FILLER, k=draw.randint(1, 3))
            tags += ["O"] * (len(tokens) - len(tags))
            name = draw.choices(NAMES[kind], k=draw.randint(1, 2))
            tokens += name
            tags += [f"B-{kind}", *([f"I-{kind}"] * (len(name) - 1))]
        rows.append({"tokens": [*tokens, str(i)], "tags": [*tags, "O"]})
    return rows


def question_rows(count: int = 120, impossible: int = 0) -> list[dict[str, Any]]:
    """Passages that name a city; the answer is the city. The last `impossible` rows name none."""
    draw = random.Random(3)
    rows = []
    for i in range(count):
        before, after = draw.choices(FILLER, k=draw.randint(1, 8)), draw.choices(FILLER, k=draw.randint(1, 8))
        has = i < count - impossible
        city = draw.choice(NAMES["place"]) if has else "stone"
        context = " ".join([*before, city, *after, str(i)])
        answers = [{"text": city, "start": context.index(city)}] if has else []
        rows.append({"id": f"q{i}", "context": context, "question": "which city ?", "answers": answers})
    return rows


def prepared(rows: list[dict[str, Any]], kind: str, validation: int = 24) -> str:
    """A prepared data set in LAB_HOME with its last rows held out; returns its id."""
    identifier = new_id()
    folder = datasets_folder() / identifier
    folder.mkdir(parents=True)
    parts = ["train"] * (len(rows) - validation) + ["validation"] * validation
    lines = [json.dumps(row | {"split": part}) + "\n" for row, part in zip(rows, parts, strict=True)]
    (folder / "rows.jsonl").write_text("".join(lines), encoding="utf-8")
    counts = {
        "read": len(rows),
        "kept": len(rows),
        "train": len(rows) - validation,
        "validation": validation,
        "test": 0,
    }
    record = {"id": identifier, "name": "tiny", "kind": kind, "mapping": {}, "rows": counts, "cleaned": {},
              "dropped": {}, "options": {}}  # fmt: skip
    (folder / "dataset.json").write_text(json.dumps(record), encoding="utf-8")
    return identifier


def texts() -> list[str]:
    """Every word of the data sets, for a tokenizer."""
    known = [word for words in (*WORDS.values(), *NAMES.values()) for word in words]
    words = [*FILLER, *known, "which city ?"]
    return [" ".join(words)] * 3


def build_tiny_bert(folder: Path) -> Path:
    """A random BERT (2 layers, width 64) with a WordPiece tokenizer, saved as BertForMaskedLM without a pooler."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    backend.train_from_iterator(texts(), trainers.WordPieceTrainer(vocab_size=300, special_tokens=special))
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    backend.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", ends)
    BertTokenizerFast(tokenizer_object=backend).save_pretrained(folder)
    config = BertConfig(
        vocab_size=backend.get_vocab_size(), hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=128, max_position_embeddings=128, initializer_range=0.1,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        BertForMaskedLM(config).save_pretrained(folder)
    return folder


def build_tiny_roberta(folder: Path) -> Path:
    """A random RoBERTa with a byte-level tokenizer whose positions begin behind the padding token's."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast, RobertaConfig, RobertaForMaskedLM

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    backend.train_from_iterator(texts(), trainers.BpeTrainer(vocab_size=400, special_tokens=special,
                                                             initial_alphabet=alphabet))  # fmt: skip
    ends = [("<s>", 0), ("</s>", 2)]
    backend.post_processor = processors.TemplateProcessing("<s> $A </s>", "<s> $A </s> </s> $B </s>", ends)
    PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>",
        pad_token="<pad>", unk_token="<unk>", mask_token="<mask>",
    ).save_pretrained(folder)  # fmt: skip
    config = RobertaConfig(
        vocab_size=backend.get_vocab_size(), hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=128, max_position_embeddings=130, initializer_range=0.1, pad_token_id=1, bos_token_id=0,
        eos_token_id=2, type_vocab_size=1, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        RobertaForMaskedLM(config).save_pretrained(folder)
    return folder


def build_tiny_gpt2(folder: Path) -> Path:
    """A random GPT-2 whose tokenizer has one special token and none for padding."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    end = "<|endoftext|>"
    backend.train_from_iterator(texts(), trainers.BpeTrainer(vocab_size=400, special_tokens=[end],
                                                             initial_alphabet=alphabet))  # fmt: skip
    fast = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token=end, eos_token=end, unk_token=end)
    fast.save_pretrained(folder)
    config = GPT2Config(
        vocab_size=len(fast), n_embd=64, n_layer=2, n_head=4, n_positions=128, initializer_range=0.1,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        GPT2LMHeadModel(config).save_pretrained(folder)
    return folder
