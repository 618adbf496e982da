"""The quick ways give what the usual ones give: packed ids those of the encoder, handed rows the rows themselves."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import toy_tokenizers
from tokenizers import Regex, pre_tokenizers

from lab.data.clean import content, digest
from lab.data.example import IGNORED
from lab.data.handing import RowsOut, rows_in
from lab.data.quick import Packed, packed_rows
from lab.data.rendered import Rendered, Segment
from lab.data.tokens import Encoded, Encoder
from lab.data.words import _GPT2, _LLAMA3, _QWEN2

PIECES = (" ", "  ", "\n", "'", "s", "'s", ":", "Answer", "é", "½", "12345", "日本", "\t", ".", "<|endoftext|>")


def texts(draw: random.Random) -> tuple[str, str]:
    question, answer = ("".join(draw.choices(PIECES, k=draw.randint(0, 9))) for _ in range(2))
    return question, answer


@pytest.mark.parametrize("pattern", [_GPT2, _LLAMA3, _QWEN2], ids=["gpt2", "llama3", "qwen2"])
@pytest.mark.parametrize("too_long", ["drop", "cut"])
def test_packed_rows_are_those_of_the_encoder(pattern: str, too_long: str):
    tokenizer = toy_tokenizers.gpt2_like()
    if pattern != _GPT2:
        split = pre_tokenizers.Split(Regex(pattern), "isolated")
        last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, last])
    draw = random.Random(3)
    rows = []
    for _ in range(400):
        question, answer = texts(draw)
        asked = Segment(draw.choice((f"### Question: {question}\n### Answer: ", question, question + ":")), False)
        answered = Segment(draw.choice((answer, " " + answer)), True)
        segments = (answered,) if draw.random() < 0.2 else (asked, answered)
        rows.append(Rendered(segments, question, answered.text))
    for completion_only in (True, False):
        how = {"completion_only": completion_only, "too_long": too_long, "max_length": 24}
        encoder = Encoder(tokenizer, **how)  # type: ignore[arg-type]  # each has its type
        assert encoder.texts.words is not None
        for packed, usual in zip(packed_rows(encoder, rows), encoder.encode_all(rows), strict=True):
            if not isinstance(usual, Encoded):
                assert packed == usual
                continue
            assert isinstance(packed, Packed)
            assert np.frombuffer(packed.ids, np.int32).tolist() == usual.input_ids
            trained = [label != IGNORED for label in usual.labels]
            assert np.frombuffer(packed.trained, np.bool_).tolist() == trained
            assert (packed.n_prompt, packed.segment, packed.length) == (usual.n_prompt, usual.segment, usual.length)
            assert packed.cut == usual.cut


def test_rows_are_handed_on_as_they_are(tmp_path: Path):
    flat = [{"question": f"q{i}\n\u2028é", "answer": "日本𝄞" * (i % 3)} for i in range(700)]
    mixed = [{"tokens": ["a\n", "é"], "tags": ["O", "O"]}, {"text": "a", "split": "train"}, {"text": "b"}]
    for rows in ([], flat, mixed, flat + mixed + flat[:3]):
        with open(tmp_path / "rows", "wb") as file:
            out = RowsOut(file)
            for row in rows:
                out.add(row)
            out.close()
        assert list(rows_in(tmp_path / "rows")) == rows


def test_rows_of_equal_content_are_those_of_equal_digests():
    rows = [
        {"question": "a", "answer": "b"},
        {"answer": "b", "question": "a"},
        {"question": "a", "answer": "b", "split": "train"},
        {"question": "b", "answer": "a"},
        {"question": "a", "context": "b"},
        {"messages": [{"role": "user", "content": "a"}]},
        {"prompt": "a", "completion": "b", "desired": True},
        {"prompt": "a", "completion": "b", "desired": False},
    ]
    for one in rows:
        for other in rows:
            assert (content(one) == content(other)) == (digest(one) == digest(other))
