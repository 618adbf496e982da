"""Ids of texts from remembered words, for tokenizers that cut a text into words before anything else.

Byte-level BPE (GPT-2, Llama 3, Qwen 2) splits a text by a pattern and encodes each word on its own, so that the ids of
a text are those of its words, one after the other. Words repeat: remembering theirs takes a third of the time of
encoding the text. What is a letter or a blank is certain, whatever the engine and its version of Unicode, for ASCII and
for the old alphabets and signs of `_RANGES`; a text with any other character, or with an added token, is left to the
tokenizer.
"""

from __future__ import annotations

import json
import re
from typing import Any
from unicodedata import category

import numpy as np

_BLANK = r" \t\n\r\f\v"
# The patterns as tokenizer.json has them -> the same for ASCII texts, in Python's syntax.
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + _TAIL
_QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + _TAIL
_KNOWN = (_GPT2, _LLAMA3, _QWEN2)
_REMEMBERED = 500_000  # words; then the memory starts anew


# Latin, Greek, Cyrillic, punctuation, signs; no blanks, which engines count differently.
_RANGES = ((0xA1, 0x24F), (0x370, 0x3FF), (0x400, 0x4FF), (0x2010, 0x2027), (0x2030, 0x205E), (0x20A0, 0x20AC))
_ARROWS_AND_SIGNS = (0x2190, 0x22FF)
_LONG_S = 0x17F  # equals s for a pattern without case
_SAFE = [chr(n) for low, high in (*_RANGES, _ARROWS_AND_SIGNS) for n in range(low, high + 1) if n != _LONG_S]
_SAFE = [one for one in _SAFE if category(one) not in ("Cn", "Cf")]
_OUTSIDE = re.compile(f"[^\0-\x7f{''.join(_SAFE)}]")


def _python(pattern: str, others: list[str]) -> re.Pattern[str]:
    """A pattern for texts of ASCII and these other characters."""
    letters = "A-Za-z" + "".join(one for one in others if category(one)[0] == "L")
    numbers = "0-9" + "".join(one for one in others if category(one)[0] == "N")
    pattern = pattern.replace(r"[^\s\p{L}\p{N}]", f"[^{_BLANK}{letters}{numbers}]")
    pattern = pattern.replace(r"[^\r\n\p{L}\p{N}]", rf"[^\r\n{letters}{numbers}]")
    pattern = pattern.replace(r"\p{L}", f"[{letters}]").replace(r"\p{N}", f"[{numbers}]")
    return re.compile(pattern.replace(r"\s", f"[{_BLANK}]").replace(r"\S", f"[^{_BLANK}]"))


class Words(dict[str, bytes]):
    """Word -> its ids (int32, one after the other), asked of the tokenizer when it is met for the first time."""

    def __init__(self, backend: Any, pattern: str, added: list[str]) -> None:
        super().__init__()
        self.backend, self.added = backend, added
        self.split_ascii, self.split = _python(pattern, []).findall, _python(pattern, _SAFE).findall

    def __missing__(self, word: str) -> bytes:
        self[word] = ids = np.array(self.backend.encode(word, add_special_tokens=False).ids, np.int32).tobytes()
        return ids

    def knows(self, text: str) -> bool:
        """Whether the ids of a text are those of its words."""
        if any(token in text for token in self.added):
            return False
        return text.isascii() or _OUTSIDE.search(text) is None

    def ids(self, text: str) -> list[int]:
        """The ids of a text that it `knows`."""
        return list(memoryview(self.packed(text)).cast("i"))

    def packed(self, text: str) -> bytes:
        """The same, as int32."""
        if len(self) > _REMEMBERED:
            self.clear()
        words = self.split_ascii(text) if text.isascii() else self.split(text)
        return b"".join(map(self.__getitem__, words))


def words_of(backend: Any) -> Words | None:
    """The words of a tokenizer whose control tokens are plain characters; None for one that works differently."""
    model, pre = backend.model, backend.pre_tokenizer
    if backend.normalizer is not None or type(model).__name__ != "BPE" or model.dropout or pre is None:
        return None
    pattern = _pattern(json.loads(pre.__getstate__()))  # of the whole tokenizer it would be all merges as JSON
    if pattern is None:
        return None
    added = backend.get_added_tokens_decoder().values()
    return Words(backend, pattern, [one.content for one in added if not one.special])


def _pattern(told: dict[str, Any]) -> str | None:
    if told.get("type") == "ByteLevel":
        return _GPT2 if told["use_regex"] and not told["add_prefix_space"] else None
    if told.get("type") != "Sequence" or len(told["pretokenizers"]) != 2:
        return None
    split, bytes_ = told["pretokenizers"]
    if split["type"] != "Split" or bytes_["type"] != "ByteLevel" or bytes_["use_regex"] or bytes_["add_prefix_space"]:
        return None
    pattern = split["pattern"].get("Regex")
    known = pattern in _KNOWN and split["behavior"] == "Isolated" and not split["invert"]
    return str(pattern) if known else None
