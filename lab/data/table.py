"""Rows as a file holds them, before anybody knows what they mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lab.data import limits
from lab.text import fill


@dataclass
class Problem:
    """Something worth knowing that does not keep a file from being read; `line` counts from 1."""

    line: int | None
    template: str
    values: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As in `data inspect --json`."""
        what = fill(self.template, self.values)
        return {"line": self.line, "what": what, "template": self.template, "values": self.values}


@dataclass
class Table:
    """The rows of a file: (line on which the row begins, column -> value), read once and in order.

    Values of CSV are text as it stands; those of JSON and Parquet have any JSON type. `columns` may grow while
    rows are read. `counted` is what the line of a row counts: lines, rows or files. `quote`, `delimiter` and
    `text_unit` are how the file was read, where that means something. Rows that are no rows are in `dropped`
    (reason -> number), with the line of the first in `first`.
    """

    format: str
    encoding: str
    rows: Iterator[tuple[int, dict[str, Any]]]
    delimiter: str = ""
    columns: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    quote: str = ""
    text_unit: str = ""
    counted: str = "lines"
    dropped: Counter[str] = field(default_factory=Counter)
    first: dict[str, int] = field(default_factory=dict)

    def tell(self, template: str, line: int | None = None, /, **values: Any) -> None:
        """Remember a problem, unless there are too many already."""
        if len(self.problems) < limits.PROBLEMS:
            self.problems.append(Problem(line, template, values))

    def leave_out(self, reason: str, line: int) -> None:
        """Count a row that is none."""
        self.dropped[reason] += 1
        self.first.setdefault(reason, line)
