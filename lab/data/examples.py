"""Examples that are made when somebody looks at them: their ids lie in arrays, their texts in the rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from copy import copy
from pathlib import Path
from typing import Any, overload

import numpy as np

from lab.data.example import Example
from lab.data.rendered import Rendered
from lab.data.templates import render
from lab.data.texts import Row
from lab.data.tokenised import Array, Tokens
from lab.data.tokens import Encoded, Encoder


class Examples(Sequence[Example]):
    """The examples of one part. For ids alone ask `tokens`: the part's have the `numbers`, int64 [examples]."""

    def __init__(
        self, tokens: Tokens, part: str, rows: Sequence[Row], *, kind: str, template: str, encoder: Encoder
    ) -> None:
        self.tokens = tokens
        self.numbers = np.arange(*tokens.parts[part])
        self._rows, self._kind, self._template, self._encoder = rows, kind, template, encoder

    def __len__(self) -> int:
        return len(self.numbers)

    def taught(self) -> Examples:
        """Those that train a token: the first of an example is no target."""
        chosen = copy(self)
        if len(self):
            among = self.tokens.taught(int(self.numbers[0]), int(self.numbers[-1]) + 1)
            chosen.numbers = np.intersect1d(self.numbers, among, assume_unique=True)
        return chosen

    @overload
    def __getitem__(self, at: int) -> Example: ...

    @overload
    def __getitem__(self, at: slice) -> list[Example]: ...

    def __getitem__(self, at: int | slice) -> Example | list[Example]:
        if isinstance(at, slice):
            return [self._made(number) for number in self.numbers[at].tolist()]
        if not -len(self) <= at < len(self):
            raise IndexError(at)
        return self._made(int(self.numbers[at]))

    def __iter__(self) -> Iterator[Example]:
        return (self._made(number) for number in self.numbers.tolist())

    def _made(self, number: int) -> Example:
        row, n_prompt, segment, length = (int(value) for value in self.tokens.index[number])
        ids, labels = self.tokens.ids(number).tolist(), self.tokens.labels(number).tolist()
        return self._encoder.example(self.rendered(row), Encoded(ids, labels, n_prompt, segment, length))

    def rendered(self, row: int) -> Rendered:
        """The row with this number in rows.jsonl, in the form of the template."""
        return render(self._rows[row], self._kind, self._template, self._encoder.tokenizer)


class RowsFile(Sequence[dict[str, Any]]):
    """The rows of a rows.jsonl, each read from the file when it is asked for."""

    def __init__(self, path: Path, lines: Array) -> None:
        self.path, self.lines = path, lines

    def __len__(self) -> int:
        return len(self.lines) - 1

    @overload
    def __getitem__(self, at: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, at: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, at: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        if not 0 <= at < len(self):
            raise IndexError(at)
        with open(self.path, "rb") as file:
            file.seek(int(self.lines[at]))
            row: dict[str, Any] = json.loads(file.read(int(self.lines[at + 1] - self.lines[at])))
        return row


def lines_of(path: Path) -> Array:
    """Where each line of a file begins, and its end: int64 [lines + 1], in bytes."""
    with open(path, "rb") as file:
        return np.cumsum([0, *(len(line) for line in file)], dtype=np.int64)
