"""Rendered rows as packed ids, for the tokenizers whose words are remembered: what `Encoder` gives, without its lists.

A question with its answer needs no second look at the border where the answer begins with a blank behind a letter or
a sign: none of the patterns of `lab.data.words` has a word across it. Whatever else there is goes the usual way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lab.data.example import IGNORED
from lab.data.rendered import EMPTY_ANSWER, QUESTION_TOO_LONG, TOO_LONG, Rendered
from lab.data.tokens import OPENING, Dropped, Encoded, Encoder

_ID = 4  # bytes


@dataclass(frozen=True, slots=True)
class Packed:
    """An `Encoded` in bytes: `ids` as int32, `trained` as bool, one after the other."""

    ids: bytes
    trained: bytes
    n_prompt: int
    segment: int
    length: int

    @property
    def cut(self) -> bool:
        """Whether its end is missing."""
        return self.length * _ID > len(self.ids)


def packed_rows(encoder: Encoder, rows: Sequence[Rendered]) -> list[Packed | Dropped]:
    """What `encoder.encode_all` gives, packed."""
    found = [_quick(encoder, row) for row in rows]
    others = iter(encoder.encode_all([row for row, one in zip(rows, found, strict=True) if one is None]))
    return [_packed(next(others)) if one is None else one for one in found]


def _packed(one: Encoded | Dropped) -> Packed | Dropped:
    if isinstance(one, Dropped):
        return one
    ids, trained = np.array(one.input_ids, np.int32), np.array(one.labels, np.int32) != IGNORED
    return Packed(ids.tobytes(), trained.tobytes(), one.n_prompt, one.segment, one.length)


def _quick(encoder: Encoder, row: Rendered) -> Packed | Dropped | None:
    """The row packed, or why it is left out; None where the encoder has to see it."""
    words = encoder.texts.words
    if words is None or row.own_specials:
        return None
    if not row.reference or row.reference.isspace():
        return Dropped(EMPTY_ANSWER)
    *asked, answered = encoder.settled(row)
    prompt, answer = asked[0].text if asked else "", answered.text
    if len(asked) > 1 or not answered.trained or any(segment.trained for segment in asked):
        return None
    if asked and (not answer.startswith(" ") or not prompt or prompt[-1].isspace()):
        return None
    if not words.knows(prompt + answer):
        return None
    before, question, ids = encoder.before(row), words.packed(prompt), words.packed(answer)
    end = np.int32(encoder.frame.end).tobytes()
    if end in ids:
        return None
    start = len(before) + len(question) // _ID
    whole = np.array(before, np.int32).tobytes() + question + ids + end
    return _fitted(encoder, whole, start, start if encoder.completion_only else len(before), len(asked))


def _fitted(encoder: Encoder, ids: bytes, n_prompt: int, untrained: int, segment: int) -> Packed | Dropped:
    length, most = len(ids) // _ID, encoder.max_length
    if length > most:
        if encoder.too_long == "drop":
            return Dropped(TOO_LONG, length)
        if n_prompt >= most:
            return Dropped(QUESTION_TOO_LONG, length)
        ids = ids[: most * _ID]
    count = len(ids) // _ID
    if segment == 0:
        n_prompt = max(n_prompt, min(OPENING, count // 4), 1)
    return Packed(ids, b"\0" * untrained + b"\1" * (count - untrained), n_prompt, segment, length)
