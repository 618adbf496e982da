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
from lab.data.canonical import WrongValue, as_text, canonical
from lab.data.files import File, open_file
from lab.data.kinds import Found, find, unknown_columns
from lab.data.nested import nested_columns, pick
from lab.data.readers import read
from lab.data.rendered import Unrenderable
from lab.data.roles import TRAINABLE
from lab.data.said import Said
from lab.data.table import Table
from lab.data.telling import tell
from lab.errors import InputError
from lab.text import N_

_NO_VALUE = frozenset(("null", "none", "nan", "na", "n/a", "#n/a"))
_MAY_BE_EMPTY = frozenset(("split", "group", "input", "context", "text_pair", "tools", "id", "system"))
_SORTS = {bool: "true or false", int: "number", float: "number", list: "list", dict: "object"}
PARTS = frozenset(("train", "validation", "test"))


@dataclass
class Survey:
    """What is known of a file once its last row has been read; `found` is None when no column is known.

    `labels` counts what a model of this kind would tell: classes, tags of words, whether an answer is desired,
    or whether a question can be answered; None when there are none, or more than the limit.
    """

    text: File
    table: Table
    found: Found | None
    nested: list[str] = field(default_factory=list)
    rows: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    empty: Counter[str] = field(default_factory=Counter)
    placeholders: Counter[str] = field(default_factory=Counter)
    sorts: dict[str, set[str]] = field(default_factory=dict)
    words: set[str] = field(default_factory=set)
    repeated: int = 0
    first: dict[str, int] = field(default_factory=dict)
    labels: Counter[str] | None = field(default_factory=Counter)

    @property
    def trainable(self) -> bool:
        """Whether the kind is known."""
        return self.found is not None and self.found.kind in TRAINABLE

    @property
    def has_split(self) -> bool:
        """Whether every word of the split column names a part; only then does the column count."""
        return bool(self.words) and self.words <= PARTS


def survey(
    path: str | Path,
    *,
    name: str = "",
    mapping: Mapping[str, str] | None = None,
    kind: str = "",
    lenient: bool = False,
    group: str = "",
    write: Callable[[dict[str, Any]], None] | None = None,
    **said: str,
) -> Survey:
    """Read the whole file; `write` receives every canonical row.

    `group` is the column by whose values the rows will be split; each row then carries its value as `group`.
    `said` may name encoding, delimiter, quote, text_unit and format (see `lab.data.said`). Raises InputError for a
    file that cannot be read, naming the line, and for one without a known column unless `lenient`. Memory: one
    row at a time, 8 bytes for each row to find repetitions, and the document for JSON.
    """
    file = open_file(path, name=name, said=Said.of(said, name or Path(path).name))
    table = read(file)
    sample = list(itertools.islice(table.rows, limits.SAMPLE))
    rows = [row for _, row in sample]
    found = find(table.columns, rows, mapping or {}, kind)
    if found is None and not lenient:
        for _ in table.rows:  # a broken line says more than an unknown column
            pass
        raise unknown_columns(table.columns, rows, file.name)
    result = Survey(file, table, found, nested_columns(rows) if rows else [])
    _read(result, itertools.chain(sample, table.rows), group, write)
    _count_what_is_left_out(result)
    tell(result)
    return result


def _read(
    result: Survey,
    rows: Iterator[tuple[int, dict[str, Any]]],
    group: str,
    write: Callable[[dict[str, Any]], None] | None,
) -> None:
    seen: set[int] = set()
    of_any_sort = result.table.format in ("json", "jsonl")  # the values of other formats are of one
    for line, row in rows:
        result.rows += 1
        if len(result.examples) < limits.EXAMPLES:
            result.examples.append({name: shortened(value) for name, value in row.items()})
        if of_any_sort:
            _note_sorts(result, row)
        key = _key(row, result.table)
        if key in seen:
            result.repeated += 1
            result.first.setdefault("repeated", line)
        seen.add(key)
        if result.found is None:
            continue
        try:
            values = canonical(row, result.found)
            if group and group not in values:
                values["group"] = as_text(pick(row, group), group)
        except Unrenderable as refusal:
            result.dropped[refusal.reason] += 1
            result.first.setdefault(refusal.reason, line)
            continue
        except WrongValue as wrong:
            raise _wrong_value(result, line, wrong) from None
        _note_values(result, line, values)
        if write:
            write(values)


def _key(row: Mapping[str, Any], table: Table) -> int:
    """A number that is equal for equal rows, and for others by chance once in 2^64 pairs."""
    if table.format in ("csv", "tsv"):
        return hash(tuple(row.values()))  # text only, columns in one order
    return hash(json.dumps(row, ensure_ascii=False, sort_keys=True))


def _count_what_is_left_out(result: Survey) -> None:
    """Rows that the reader itself left out count as read and as left out."""
    result.rows += sum(result.table.dropped.values())
    result.dropped.update(result.table.dropped)
    for reason, line in result.table.first.items():
        result.first.setdefault(reason, line)
    if result.labels is not None and not result.labels:
        result.labels = None


def _note_sorts(result: Survey, row: Mapping[str, Any]) -> None:
    for column, value in row.items():
        if value is not None:
            result.sorts.setdefault(column, set()).add(_SORTS.get(type(value), "text"))


def _note_values(result: Survey, line: int, values: Mapping[str, Any]) -> None:
    if "split" in values:
        result.words.add(values["split"][:40] if len(result.words) < 20 else "...")
    if result.labels is not None:
        if found := _labels(values):
            result.labels.update(found)
        if len(result.labels) > limits.LABELS:
            result.labels = None
            result.first["labels"] = line
    for role, value in values.items():
        if not isinstance(value, str) or role in _MAY_BE_EMPTY:
            continue
        if not value or value.isspace():
            result.empty[role] += 1
            result.first.setdefault(f"empty {role}", line)
        elif len(value) < 5 and value.strip().lower() in _NO_VALUE:
            result.placeholders[role] += 1
            result.first.setdefault(f"placeholder {role}", line)


def _labels(values: Mapping[str, Any]) -> list[str]:
    if "label" in values:
        return [values["label"][:200]] if values["label"] else []
    if "tags" in values:
        return list(values["tags"])
    if "desired" in values:
        return ["desired" if values["desired"] else "undesired"]
    if "answers" in values:
        return ["answered" if values["answers"] else "impossible"]
    return []


def shortened(value: Any) -> Any:
    """A value that is not too long to be shown: text is cut, what is nested becomes text and is cut."""
    if isinstance(value, str):
        long = len(value) > limits.SHOWN_CHARACTERS
        return value[: limits.SHOWN_CHARACTERS] + "…" if long else value
    if isinstance(value, list | dict):
        text = json.dumps(value, ensure_ascii=False)
        return value if len(text) <= limits.SHOWN_CHARACTERS else text[: limits.SHOWN_CHARACTERS] + "…"
    return value if not isinstance(value, int) or abs(value) < 2**53 else str(value)


def _wrong_value(result: Survey, line: int, wrong: WrongValue) -> InputError:
    by_line = N_("Line {line}: the column {column} holds {what} where text is expected.")
    by_row = N_("Row {line}: the column {column} holds {what} where text is expected.")
    return result.text.refusal(
        by_line if result.table.counted == "lines" else by_row,
        line,
        next=N_("Correct the row, or give this role to another column."),
        column=wrong.column[:60],
        what=wrong.what,
    )
