"""Preferences as ids: a prompt with two answers, or with one that somebody called good or bad."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lab.data.example import IGNORED, Example
from lab.data.features.item import Row
from lab.data.rendered import EMPTY_ANSWER, SAME_ANSWERS, Rendered, Unrenderable
from lab.data.templates import choose, render
from lab.data.tokenizer import Tokenizer
from lab.data.tokens import Dropped, Encoder
from lab.spec import RunSpec


@dataclass(frozen=True)
class Pair:
    """A better and a worse answer to one prompt; both examples train the answer alone."""

    row: int
    chosen: Example
    rejected: Example

    @property
    def input_ids(self) -> list[int]:
        """The ids of prompt and better answer."""
        return self.chosen.input_ids

    @property
    def labels(self) -> list[int]:
        """The ids of prompt and worse answer: with `input_ids` they tell one pair from another."""
        return self.rejected.input_ids


@dataclass(frozen=True)
class Single:
    """One answer, and whether it is a good one."""

    row: int
    answer: Example
    desired: bool

    @property
    def input_ids(self) -> list[int]:
        """The ids of prompt and answer."""
        return self.answer.input_ids

    @property
    def labels(self) -> list[int]:
        """1 for a good answer, 0 for a bad one."""
        return [int(self.desired)]


@dataclass
class Preferences:
    """What became of rows: pairs or singles, counts of what was left out, and of what was cut."""

    items: list[Any] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    cut: int = 0


class PreferenceEncoder:
    """Encodes rows in the form of a run: the chat template of the model if it has one, else the spec's template."""

    def __init__(self, spec: RunSpec, tokenizer: Tokenizer) -> None:
        self.spec, self.tokenizer = spec, tokenizer
        data = spec.data
        self.encoder = Encoder(tokenizer, max_length=data.max_length, too_long=data.too_long)

    def template(self, row: Row) -> str:
        """The template of a row: messages without a chat template are written as questions and answers."""
        kind = "messages" if isinstance(row["prompt"], list) else "preference"
        return choose(self.spec.data.template, kind, self.tokenizer)

    def pairs(self, rows: Sequence[Row]) -> Preferences:
        """Pairs of rows with a chosen and a rejected answer."""
        found = Preferences()
        for index, row in enumerate(rows):
            chosen, rejected = (self._example(row, row[name], found) for name in ("chosen", "rejected"))
            if isinstance(chosen, str) or isinstance(rejected, str):
                found.dropped[chosen if isinstance(chosen, str) else str(rejected)] += 1
            elif chosen.input_ids == rejected.input_ids:  # as they came, or where they differ was cut
                found.dropped[SAME_ANSWERS] += 1
            else:
                found.items.append(Pair(index, chosen, rejected))
        return found

    def singles(self, rows: Sequence[Row]) -> Preferences:
        """Single answers of rows; a pair gives two of them."""
        found = Preferences()
        for index, row in enumerate(rows):
            for answer, desired in _told(row):
                example = self._example(row, answer, found)
                if isinstance(example, str):
                    found.dropped[example] += 1
                else:
                    found.items.append(Single(index, example, desired))
        return found

    def _example(self, row: Row, answer: str, found: Preferences) -> Example | str:
        """One answer with its prompt, or the reason why it is left out."""
        try:
            rendered = self._rendered(row, answer)
        except Unrenderable as why:
            return why.reason
        encoded = self.encoder.encode_all([rendered])[0]
        if isinstance(encoded, Dropped):
            return encoded.reason
        found.cut += encoded.cut
        example = self.encoder.example(rendered, encoded)
        # Of a conversation only the last answer is judged.
        labels = [IGNORED] * example.n_prompt + example.input_ids[example.n_prompt :]
        return replace(example, labels=labels)

    def _rendered(self, row: Row, answer: str) -> Rendered:
        if not str(answer).strip():
            raise Unrenderable(EMPTY_ANSWER)
        template = self.template(row)
        if isinstance(row["prompt"], list):
            turns = [*row["prompt"], {"role": "assistant", "content": answer}]
            return render({"messages": turns}, "messages", template, self.tokenizer)
        return render({"prompt": row["prompt"], "completion": answer}, "prompt-completion", template, self.tokenizer)


def _told(row: Row) -> list[tuple[str, bool]]:
    if "chosen" in row:
        return [(row["chosen"], True), (row["rejected"], False)]
    return [(row["completion"], bool(row["desired"]))]
