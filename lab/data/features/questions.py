"""Questions on a passage as windows: a passage that is too long is read in parts that overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.data.features.item import Encoded, Item, Row
from lab.data.rendered import NOT_IN_CONTEXT, QUESTION_TOO_LONG
from lab.data.tokenizer import Tokenizer


@dataclass(frozen=True)
class Windows:
    """How passages are cut: `max_length` tokens with the question, `stride` of them shared by two windows.

    `closing` is an id put behind each window, which stands for "no answer here" in a model that reads from
    left to right; an encoder uses its first token for that.
    """

    max_length: int
    stride: int
    closing: int | None = None

    def encode(self, rows: Sequence[Row], tokenizer: Tokenizer, *, to_train: bool) -> Encoded:
        """The windows of each row, in order; `places[t]` is the span of token `t` in the passage, or None.

        With `to_train`, rows whose answer is not where they say are dropped; a window without the answer
        learns that there is none.
        """
        found = Encoded()
        for index, row in enumerate(rows):
            answer = answer_of(row)
            if to_train and answer is None and row["answers"]:
                found.drop(NOT_IN_CONTEXT)
            elif not self._has_room(row, tokenizer):
                found.drop(QUESTION_TOO_LONG)
            else:
                found.items += self._windows(row, index, answer, tokenizer)
        return found

    def _has_room(self, row: Row, tokenizer: Tokenizer) -> bool:
        # The tokenizer moves on by what is left beside question and stride: one token at least.
        taken = len(tokenizer(row["question"], "", verbose=False)["input_ids"]) + (self.closing is not None)
        return taken + self.stride < self.max_length

    def _windows(self, row: Row, index: int, answer: tuple[int, int] | None, tokenizer: Tokenizer) -> list[Item]:
        coded = tokenizer(
            row["question"],
            row["context"],
            truncation="only_second",
            max_length=self.max_length - (self.closing is not None),
            stride=self.stride,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            split_special_tokens=True,
            verbose=False,
        )
        items = []
        for number, ids in enumerate(coded["input_ids"]):
            texts = coded.sequence_ids(number)
            offsets = coded["offset_mapping"][number]
            places = [tuple(span) if text == 1 else None for span, text in zip(offsets, texts, strict=True)]
            kinds = list(coded["token_type_ids"][number]) if "token_type_ids" in coded else []
            nowhere = 0
            if self.closing is not None:
                ids, places, nowhere = [*ids, self.closing], [*places, None], len(ids)
                kinds = [*kinds, kinds[-1]] if kinds else []
            target = _target(answer, places) or (nowhere, nowhere)
            items.append(Item(list(ids), list(target), index, kinds, tuple(places)))
        return items


def answer_of(row: Row) -> tuple[int, int] | None:
    """From which to which character of the passage the first answer reaches; None without one that is there."""
    context = row["context"]
    for answer in row["answers"]:
        text, start = answer["text"], int(answer["start"])
        if text and start >= 0 and context[start : start + len(text)] == text:
            return start, start + len(text)
    return None


def _target(answer: tuple[int, int] | None, places: Sequence[tuple[int, int] | None]) -> tuple[int, int] | None:
    """The first and last token of the answer in a window that holds all of it."""
    if answer is None:
        return None
    start, end = answer
    inside = [t for t, span in enumerate(places) if span and span[0] < end and span[1] > start]
    if not inside:
        return None
    first, last = places[inside[0]], places[inside[-1]]
    if first is None or last is None or first[0] > start or last[1] < end:
        return None
    return inside[0], inside[-1]
