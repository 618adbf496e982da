"""Reading a file from the first to the last row: what it is, what it holds, what is wrong with it."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.data import limits
from lab.data.canonical import WrongValue, canonical
from lab.data.clean import digest
from lab.data.csv_reader import read_csv
from lab.data.files import Text, open_text
from lab.data.json_reader import read_json, read_jsonl
from lab.data.kinds import Found, find, unknown_columns
from lab.data.rendered import Unrenderable
from lab.data.roles import TRAINABLE
from lab.data.table import Table
from lab.errors import InputError
from lab.text import N_

_READERS: dict[str, Callable[[Text], Table]] = {
    "csv": read_csv,
    "tsv": read_csv,
    "json": read_json,
    "jsonl": read_jsonl,
}
_NO_VALUE = frozenset(("null", "none", "nan", "na", "n/a", "#n/a"))
PARTS = frozenset(("train", "validation", "test"))


@dataclass
class Survey:
    """What is known of a file once its last row has been read; `found` is None when no column is known."""

    text: Text
    table: Table
    found: Found | None
    rows: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    empty: Counter[str] = field(default_factory=Counter)
    placeholders: Counter[str] = field(default_factory=Counter)
    sorts: dict[str, set[str]] = field(default_factory=dict)
    words: set[str] = field(default_factory=set)
    repeated: int = 0
    first: dict[str, int] = field(default_factory=dict)

    @property
    def trainable(self) -> bool:
        """Whether this version of the lab trains on such data."""
        return self.found is not None and self.found.kind in TRAINABLE

    @property
    def has_split(self) -> bool:
        """Whether every word of the split column names a part; only then does the column count."""
        return bool(self.words) and self.words <= PARTS


def survey(
    path: str | Path,
    *,
    name: str = "",
    encoding: str = "",
    mapping: Mapping[str, str] | None = None,
    kind: str = "",
    lenient: bool = False,
    write: Callable[[dict[str, Any]], None] | None = None,
) -> Survey:
    """Read the whole file; `write` receives every canonical row.

    Raises InputError for a file that cannot be read, naming the line, and for one without a known column
    unless `lenient`. Memory: one row at a time, 16 bytes for each row to find repetitions, and the document
    for JSON.
    """
    text = open_text(path, name=name, encoding=encoding)
    table = _READERS[text.format](text)
    sample = list(itertools.islice(table.rows, limits.SAMPLE))
    found = find(table.columns, [row for _, row in sample], mapping or {}, kind)
    if found is None and not lenient:
        for _ in table.rows:  # a broken line says more than an unknown column
            pass
        raise unknown_columns(table.columns, [row for _, row in sample], text.name)
    result = Survey(text, table, found)
    _read(result, itertools.chain(sample, table.rows), write)
    _tell(result)
    return result


def _read(
    result: Survey, rows: Iterator[tuple[int, dict[str, Any]]], write: Callable[[dict[str, Any]], None] | None
) -> None:
    seen: set[bytes] = set()
    for line, row in rows:
        result.rows += 1
        if len(result.examples) < limits.EXAMPLES:
            result.examples.append({name: shortened(value) for name, value in row.items()})
        _note_sorts(result, row)
        key = digest(row)
        if key in seen:
            result.repeated += 1
            result.first.setdefault("repeated", line)
        seen.add(key)
        if result.found is None or not result.trainable:
            continue
        try:
            values = canonical(row, result.found)
        except Unrenderable as refusal:
            result.dropped[refusal.reason] += 1
            result.first.setdefault(refusal.reason, line)
            continue
        except WrongValue as wrong:
            raise _wrong_value(result.text, line, wrong) from None
        _note_values(result, line, values)
        if write:
            write(values)


def _note_sorts(result: Survey, row: Mapping[str, Any]) -> None:
    if result.table.delimiter:
        return  # every value of a CSV file is text
    for column, value in row.items():
        if value is not None:
            result.sorts.setdefault(column, set()).add(_SORTS.get(type(value), "text"))


_SORTS = {bool: "true or false", int: "number", float: "number", list: "list", dict: "object"}


def _note_values(result: Survey, line: int, values: Mapping[str, Any]) -> None:
    if "split" in values:
        result.words.add(values["split"][:40] if len(result.words) < 20 else "...")
    for role, value in values.items():
        if not isinstance(value, str) or role in ("split", "input", "context"):
            continue
        if not value.strip():
            result.empty[role] += 1
            result.first.setdefault(f"empty {role}", line)
        elif len(value) < 5 and value.strip().lower() in _NO_VALUE:
            result.placeholders[role] += 1
            result.first.setdefault(f"placeholder {role}", line)


def _tell(result: Survey) -> None:
    table, first = result.table, result.first
    mapping = result.found.mapping if result.found else {}
    if result.found is not None and not result.trainable:
        table.tell(
            N_("The file holds data of the kind {kind}; this version of the lab does not train on it yet."),
            None,
            kind=result.found.kind,
        )
    for role, count in result.empty.items():
        table.tell(
            N_("{count} rows have nothing in the column {column}; they are left out."),
            first[f"empty {role}"],
            count=count,
            column=mapping[role],
        )
    for role, count in result.placeholders.items():
        table.tell(
            N_("{count} rows hold a word such as NULL or NA in the column {column}; it is kept as text."),
            first[f"placeholder {role}"],
            count=count,
            column=mapping[role],
        )
    for reason, count in result.dropped.items():
        table.tell(N_("{count} rows are left out: {reason}."), first[reason], count=count, reason=reason)
    if result.repeated:
        table.tell(
            N_("{count} rows repeat an earlier one exactly."), first["repeated"], count=result.repeated
        )
    for column, sorts in result.sorts.items():
        if len(sorts) > 1:
            table.tell(
                N_("The column {column} holds values of several sorts: {sorts}."),
                None,
                column=column[:60],
                sorts=", ".join(sorted(sorts)),
            )
    if result.found and result.found.split and result.words and not result.has_split:
        table.tell(
            N_("The column {column} is not used as a split: it holds {words}."),
            None,
            column=result.found.split,
            words=", ".join(sorted(result.words)[:10]),
        )


def shortened(value: Any) -> Any:
    """A value that is not too long to be shown: text is cut, what is nested becomes text and is cut."""
    if isinstance(value, str):
        long = len(value) > limits.SHOWN_CHARACTERS
        return value[: limits.SHOWN_CHARACTERS] + "…" if long else value
    if isinstance(value, list | dict):
        text = json.dumps(value, ensure_ascii=False)
        return value if len(text) <= limits.SHOWN_CHARACTERS else text[: limits.SHOWN_CHARACTERS] + "…"
    return value if not isinstance(value, int) or abs(value) < 2**53 else str(value)


def _wrong_value(text: Text, line: int, wrong: WrongValue) -> InputError:
    return text.refusal(
        N_("Line {line}: the column {column} holds {what} where text is expected."),
        line,
        next=N_("Correct the row, or give this role to another column."),
        column=wrong.column[:60],
        what=wrong.what,
    )
