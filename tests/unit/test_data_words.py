"""Ids from remembered words are the tokenizer's own ids, for every pattern that is known."""

from __future__ import annotations

import random

import pytest
import toy_tokenizers
from tokenizers import Regex, Tokenizer, pre_tokenizers

from lab.data.tokenizer import Texts
from lab.data.words import _GPT2, _LLAMA3, _QWEN2, _SAFE, words_of

POOLS = (
    [chr(number) for number in range(128)],
    [*_SAFE, *(chr(number) for number in range(128))],
    [" ", "\n", "\r", "\t", "'", "s", "S", "T", "ll", "re", "VE", "1", "23", ".", "é", "’", "½"],
)


def backend(pattern: str) -> Tokenizer:
    made: Tokenizer = toy_tokenizers.gpt2_like().backend_tokenizer
    if pattern != _GPT2:
        split = pre_tokenizers.Split(Regex(pattern), "isolated")
        last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        made.pre_tokenizer = pre_tokenizers.Sequence([split, last])
    made.encode_special_tokens = True
    return made


@pytest.mark.parametrize("pattern", [_GPT2, _LLAMA3, _QWEN2], ids=["gpt2", "llama3", "qwen2"])
def test_remembered_words_give_the_ids_of_the_tokenizer(pattern: str):
    made, draw, seen = backend(pattern), random.Random(1), 0
    words = words_of(made)
    assert words is not None
    for _ in range(3000):
        text = "".join(draw.choice(POOLS[draw.randrange(3)]) for _ in range(draw.randint(1, 30)))
        if words.knows(text):
            seen += 1
            assert words.ids(text) == made.encode(text, add_special_tokens=False).ids, repr(text)
    assert seen > 2500


def test_a_text_with_other_characters_is_left_to_the_tokenizer():
    words = words_of(backend(_GPT2))
    assert words is not None
    assert words.knows("L'été coûte 5 €.")
    assert not any(words.knows(text) for text in ("数据", "🙂", "no\u00a0break", "line\u2028end", "a\u0085b"))


@pytest.mark.parametrize("name", ["llama_like", "demo"])
def test_a_tokenizer_that_works_otherwise_has_no_words(name: str):
    assert words_of(getattr(toy_tokenizers, name)().backend_tokenizer) is None


def test_texts_are_encoded_as_the_tokenizer_does_it_itself():
    tokenizer = toy_tokenizers.gpt2_like()
    texts = ["plain words", "数据 and more", "", "</s> is five characters", "L'été 🙂"]
    expected = tokenizer(texts, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert Texts(tokenizer).ids(texts, split_specials=True) == expected
    kept = tokenizer(texts, add_special_tokens=False, split_special_tokens=False)["input_ids"]
    assert Texts(tokenizer).ids(texts, split_specials=False) == kept != expected
