"""How a table of text is written: its delimiter, its quotation marks, and whether its first line holds names."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lab.data.roles import known_name

DELIMITERS = ",;\t|"
NUMBER = re.compile(r"[+-]?\d[\d.,]*(?:[eE][+-]?\d+)?")
_LONG_NAME = 60  # characters; what is longer is a sentence, not the name of a column


@dataclass(frozen=True)
class Dialect:
    """One character between cells, and one around a cell; no `quote` makes quotation marks plain text."""

    delimiter: str
    quote: str = '"'

    def reader(self, lines: Iterable[str], *, strict: bool = False) -> Any:
        """A `csv.reader` of lines written so."""
        if not self.quote:
            return csv.reader(lines, delimiter=self.delimiter, quoting=csv.QUOTE_NONE, strict=strict)
        return csv.reader(lines, delimiter=self.delimiter, quotechar=self.quote, strict=strict)


def find_quote(sample: Sequence[str]) -> str:
    """The quotation mark around cells: the single one only where nearly every line begins with it."""
    lines = [line for line in sample if line.strip()]
    single = sum(line.startswith("'") for line in lines)
    return "'" if lines and lines[0].startswith("'") and single > 0.9 * len(lines) else '"'


def find_delimiter(sample: Sequence[str], quote: str) -> str:
    """The delimiter that cuts most sampled rows into as many cells as the header, at least two."""
    best, best_score = ",", (0.0, 0)
    for delimiter in DELIMITERS:
        widths = [len(row) for row in lenient(sample, Dialect(delimiter, quote)) if row]
        if not widths or widths[0] < 2:
            continue
        score = (sum(width == widths[0] for width in widths) / len(widths), widths[0])
        if score > best_score:
            best, best_score = delimiter, score
    return best


def lenient(sample: Sequence[str], dialect: Dialect) -> list[list[str]]:
    """The rows of sampled lines up to the first that does not fit."""
    rows: list[list[str]] = []
    try:
        for row in dialect.reader(sample):
            rows.append(row)
    except csv.Error:
        pass  # what was read up to here is enough for a guess; reading in earnest names the line
    return rows


def has_no_names(header: Sequence[str], sample: Sequence[str], dialect: Dialect) -> bool:
    """Whether the first record is data: a number, a whole sentence, or a value that its column repeats."""
    if any(known_name(name) for name in header):
        return False
    below = [row for row in lenient(sample, dialect)[1:] if len(row) == len(header)]
    again = any(name in {row[i] for row in below} for i, name in enumerate(header) if name.strip())
    return again or any(NUMBER.fullmatch(name.strip()) or len(name) > _LONG_NAME for name in header)
