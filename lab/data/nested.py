"""Values inside values, under dotted names: `data.question`, `instances.0.output`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_DEEPEST = 3
_MOST = 100  # names
_SAMPLED = 50  # rows
_TURN = frozenset(("role", "from"))


def pick(row: Mapping[str, Any], column: str) -> Any:
    """The value of a column, which may be a dotted name; None where there is none."""
    if column in row or "." not in column:
        return row.get(column)
    value: Any = row
    for step in column.split("."):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def nested_columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The dotted names of the texts and numbers inside objects, and inside the first object of a list of them.

    Turns of a conversation and answers with their places are no columns: they mean something as a whole.
    """
    names: dict[str, None] = {}
    for row in rows[:_SAMPLED]:
        for column, value in row.items():
            if isinstance(value, dict | list):
                names.update(dict.fromkeys(_leaves(column, value, 1)))
    return [name for name in names if name not in rows[0]][:_MOST]


def _leaves(name: str, value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, list):
        if value and isinstance(value[0], dict) and not _TURN & value[0].keys():
            yield from _leaves(f"{name}.0", value[0], depth)
    elif isinstance(value, dict):
        if depth <= _DEEPEST and not _TURN & value.keys():
            for key, inner in value.items():
                yield from _leaves(f"{name}.{key}", inner, depth + 1)
    elif "." in name:
        yield name
