"""JSON and JSONL, read strictly: every mistake is named by its line, none is skipped or mended."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lab.data import limits
from lab.data.files import Text
from lab.data.readers.delimited import too_many_rows
from lab.data.readers.squad import unfolded
from lab.data.strict_json import decode, not_json, skip_string, skip_value
from lab.data.table import Table
from lab.errors import InputError
from lab.text import N_

_BLANK = re.compile(r"[ \t\r\n]*")


def read_jsonl(text: Text) -> Table:
    """The rows of a JSONL file, one object a line.

    Raises InputError, while rows are read, naming the line that is broken.
    """
    first = next((line.lstrip()[:1] for line in text.lines() if line.strip()), "")
    if first == "[":
        return read_json(text)  # one JSON list under the wrong suffix
    table = Table("jsonl", text.encoding, iter(()))
    table.rows = _columned(text, table, _jsonl_rows(text, table))
    return table


def read_json(text: Text) -> Table:
    """The rows of a JSON file: a list of objects, or an object with exactly one such list.

    The nested form of SQuAD is unfolded into one row for each question. Raises InputError.
    """
    document = "".join(text.lines())
    start = _after_blank(document, 0)
    if start == len(document):
        raise text.refusal(N_("{name} has no content."), next=N_("Choose a file with rows."), name=text.name)
    if document[start] == "{":
        return _read_object(text, document, start)
    if document[start] != "[":
        raise _no_list(text)
    table = Table("json", text.encoding, iter(()))
    table.rows = _columned(text, table, _items(text, document, start))
    return table


def _read_object(text: Text, document: str, start: int) -> Table:
    lists = []
    try:
        for name, at, value in _members(text, document, start):
            if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
                lists.append((name, at))
    except _MoreFollows:
        del document
        table = Table("jsonl", text.encoding, iter(()))  # JSONL under the suffix of JSON
        table.rows = _columned(text, table, _jsonl_rows(text, table))
        return table
    if len(lists) != 1:
        raise _no_list(text, [name for name, _ in lists])
    table = Table("json", text.encoding, iter(()))
    table.rows = _columned(text, table, _items(text, document, lists[0][1]))
    return table


class _MoreFollows(Exception):
    """After the object that should be the whole document another one begins."""


def _members(text: Text, document: str, start: int) -> Iterator[tuple[str, int, Any]]:
    """The members of the object at `start`: (name, position of the value, value)."""
    line = 1 + document.count("\n", 0, start)
    whole, end = decode(text, document, start, line)
    rest = _after_blank(document, end)
    if document[rest : rest + 1] == "{":
        raise _MoreFollows
    if rest < len(document):
        raise not_json(text, 1 + document.count("\n", 0, rest), "Extra data", 0)
    position = start + 1
    for name, value in whole.items():
        position = skip_string(document, document.index('"', position))
        at = _after_blank(document, _after_blank(document, position) + 1)
        yield name, at, value
        position = skip_value(document, at)


def _items(text: Text, document: str, start: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of the list at `start`, each with its line; only one is held at a time."""
    line = 1 + document.count("\n", 0, start)
    position, counted = _after_blank(document, start + 1), start
    if document[position : position + 1] == "]":
        raise text.refusal(N_("{name} holds an empty list."), next=N_("Choose a file with rows."), name=text.name)
    while True:
        line += document.count("\n", counted, position)
        counted = position
        item, end = decode(text, document, position, line)
        yield line, _as_object(text, item, line)
        position = _after_blank(document, end)
        mark = document[position : position + 1]
        if mark == "]":
            break
        here = line + document.count("\n", counted, position)
        if mark != ",":
            raise not_json(text, here, "Expecting ',' or ']'", 0)
        position = _after_blank(document, position + 1)
    rest = _after_blank(document, position + 1)
    if rest < len(document) and document[start] == "[" and start == _after_blank(document, 0):
        raise not_json(text, 1 + document.count("\n", 0, rest), "Extra data", 0)


def _jsonl_rows(text: Text, table: Table) -> Iterator[tuple[int, dict[str, Any]]]:
    blank, first = 0, 0
    for number, line in enumerate(text.lines(), 1):
        if not line.strip():
            blank, first = blank + 1, first or number
            continue
        value, end = decode(text, line, _after_blank(line, 0), number, one_line=True)
        if _after_blank(line, end) < len(line):
            raise not_json(text, number, "Extra data", end + 1)
        yield number, _as_object(text, value, number)
    if blank:
        table.tell(N_("{count} blank lines are skipped."), first, count=blank)


def _columned(
    text: Text, table: Table, rows: Iterator[tuple[int, dict[str, Any]]]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Count rows and columns; unfold what is nested as in SQuAD."""
    columns: dict[str, None] = {}
    count = 0
    for line, row in unfolded(text, rows):
        count += 1
        if count > limits.ROWS:
            raise too_many_rows(text, line)
        if not row.keys() <= columns.keys():
            columns.update(dict.fromkeys(row))
            table.columns = list(columns)
            if len(columns) > limits.COLUMNS:
                raise text.refusal(
                    N_("Up to line {line} the objects have more than {limit} different keys."),
                    line,
                    next=N_("Leave out the keys that are not needed."),
                    limit=limits.COLUMNS,
                )
        yield line, row
    if not count:
        raise text.refusal(N_("{name} has no rows."), next=N_("Choose a file with rows."), name=text.name)


def _as_object(text: Text, value: Any, line: int) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    kinds = {list: "a list", str: "a text", type(None): "null", bool: "true or false"}
    raise text.refusal(
        N_("Line {line} holds {what} where an object is expected."),
        line,
        next=N_("Give every row the names of its values."),
        allowed=N_('An object is a row with named values, such as {{"question": "...", "answer": "..."}}.'),
        what=kinds.get(type(value), "a number"),
    )


def _no_list(text: Text, names: list[str] | None = None) -> InputError:
    if names:
        return text.refusal(
            N_("{name} holds several lists of objects: {names}."),
            next=N_("Save the one that you want as a file of its own."),
            name=text.name,
            names=", ".join(names),
        )
    return text.refusal(
        N_("{name} holds no list of objects."),
        allowed=N_('Expected: [{{"question": "...", "answer": "..."}}, ...]'),
        next=N_("Save one object for each row."),
        name=text.name,
    )


def _after_blank(document: str, position: int) -> int:
    match = _BLANK.match(document, position)
    return match.end() if match else position
