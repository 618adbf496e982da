"""Which kind of data a table holds, and which column plays which role."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.data.nested import nested_columns, pick
from lab.data.roles import KINDS, SPLIT, Kind, Role, folded, kinds_named
from lab.data.strict_json import decode_cell
from lab.data.tags import scheme_of
from lab.errors import InputError
from lab.text import N_

Row = Mapping[str, Any]
_WORD = re.compile(r"[^\W\d_]+")
_FEW = 20  # different values at most, for a column that holds labels
_MANY = 20  # rows at least, to tell labels from texts by their values


@dataclass(frozen=True)
class Found:
    """A kind and its mapping, role -> column, which may be a dotted name; `split` is the column that names a row's
    part, or empty; `scheme` is that of the tags of words (see `lab.data.tags`).
    """

    kind: str
    mapping: dict[str, str]
    split: str = ""
    scheme: str = ""


def find(columns: Sequence[str], rows: Sequence[Row], mapping: Mapping[str, str], kind: str = "") -> Found | None:
    """The kind of data in `rows` (a sample) and the columns' roles; None when no kind fits.

    `mapping` (role -> column) and `kind` are what a person has said; they are kept and completed. Names are
    compared whole, so that "context" is never taken for "text". What is nested goes by dotted names. Raises
    InputError for a role, column or kind that is not there.
    """
    columns = [*columns, *nested_columns(rows)] if rows else columns
    said = {role: _column(columns, column) for role, column in mapping.items() if column}
    split = said.pop("split", "") or _named(SPLIT, columns, rows, taken=set(said.values()))
    _check_roles(said, kind)
    for candidate in kinds_named(kind) if kind else KINDS:
        found = _roles_of(candidate, columns, rows, said)
        if found is not None:
            return Found(candidate.name, found, split, _scheme(found, rows))
    return None if said or kind not in ("", "classification") else _labels_by_values(columns, rows, split)


def _roles_of(
    kind: Kind, columns: Sequence[str], rows: Sequence[Row], said: Mapping[str, str]
) -> dict[str, str] | None:
    if not said.keys() <= set(kind.role_names):
        return None
    found = dict(said)
    for role in kind.roles:
        if role.name in found:
            continue
        column = _named(role, columns, rows, taken=set(found.values()))
        if column:
            found[role.name] = column
        elif role.needed:
            return None
    return {role.name: found[role.name] for role in kind.roles if role.name in found}


def _named(role: Role, columns: Sequence[str], rows: Sequence[Row], taken: set[str]) -> str:
    free = {folded(column.rpartition(".")[2]): column for column in reversed(columns) if "." in column}
    free |= {folded(column): column for column in reversed(columns)}
    free = {name: column for name, column in free.items() if column not in taken}
    for name in role.names:
        if name in free and holds(role.holds, free[name], rows):
            return free[name]
    if role.name == "label":  # airline_sentiment: the last word says what it is
        for column in free.values():
            words = _WORD.findall(column)
            if len(words) > 1 and folded(words[-1]) in role.names:
                return column
    return ""


def holds(what: str, column: str, rows: Sequence[Row]) -> bool:
    """Whether the values of a column in the sampled rows are of one sort; a column without values may hold
    anything.
    """
    values = [value for row in rows if (value := pick(row, column)) is not None]
    if what == "any" or not values:
        return True
    if what == "messages":
        return all(isinstance(value, list) or str(value).lstrip().startswith("[{") for value in values[:20])
    if what == "list":
        return all(isinstance(value, list | dict) or _is_list(value) for value in values[:20])
    if what == "truth":
        return all(isinstance(value, bool) or value in (0, 1, "true", "false", "True", "False") for value in values)
    return not isinstance(values[0], list | dict | bool)


def _is_list(cell: Any) -> bool:
    """Whether a cell of a CSV file holds a JSON list or object."""
    return isinstance(cell, str) and cell[:1] in ("[", "{") and isinstance(decode_cell(cell), list | dict)


def _scheme(mapping: Mapping[str, str], rows: Sequence[Row]) -> str:
    if "tags" not in mapping:
        return ""
    values = [pick(row, mapping["tags"]) for row in rows]
    lists = [decode_cell(value) if isinstance(value, str) else value for value in values]
    return scheme_of([str(tag) for tag in tags] for tags in lists if isinstance(tags, list))


def _labels_by_values(columns: Sequence[str], rows: Sequence[Row], split: str) -> Found | None:
    """Text and label in a table of two columns whose names tell nothing: few different short values against
    many.
    """
    pair = [column for column in columns if column != split]
    if len(pair) != 2 or len(rows) < _MANY:
        return None
    different = {column: len({str(pick(row, column)) for row in rows}) for column in pair}
    label, text = sorted(pair, key=different.__getitem__)
    if different[label] <= _FEW and different[text] > len(rows) // 2:
        return Found("classification", {"text": text, "label": label}, split)
    return None


def _column(columns: Sequence[str], wanted: str) -> str:
    for column in columns:
        if column == wanted:
            return column
    near = difflib.get_close_matches(wanted, columns, n=3, cutoff=0.5)
    raise InputError(
        N_("There is no column called {column}."),
        where="data.columns",
        allowed=N_("The columns are: {columns}."),
        next=N_("Did you mean {near}?") if near else N_("Name one of the columns."),
        column=wanted[:80],
        columns=listed(columns),
        near=", ".join(near),
    )


def _check_roles(said: Mapping[str, str], kind: str) -> None:
    if kind and not kinds_named(kind):
        raise InputError(
            N_("There is no kind of data called {kind}."),
            where="kind",
            allowed=N_("Allowed: {choices}."),
            kind=kind[:80],
            choices=", ".join(dict.fromkeys(known.name for known in KINDS)),
        )
    candidates = kinds_named(kind) if kind else KINDS
    if not any(said.keys() <= set(candidate.role_names) for candidate in candidates):
        raise InputError(
            N_("No kind of data has the roles {roles} together."),
            where="data.columns",
            allowed=N_("Allowed: {choices}."),
            roles=", ".join(said),
            choices="; ".join(", ".join(candidate.role_names) for candidate in candidates),
        )


def unknown_columns(columns: Sequence[str], rows: Sequence[Row], name: str) -> InputError:
    """The error for a file whose columns' names tell nothing; it suggests the two columns with the longest
    texts.
    """
    size = {column: sum(len(str(pick(row, column) or "")) for row in rows) for column in columns}
    texts = [column for column in columns if holds("text", column, rows)]
    longest = sorted(texts, key=size.__getitem__)[-2:]
    prompt, completion = sorted(longest, key=columns.index) if len(longest) == 2 else ("...", "...")
    return InputError(
        N_("The names of the columns of {name} do not tell which is the question and which the answer: {columns}."),
        where=name,
        allowed=N_(
            "Known are instruction, input, output; question, answer; prompt, completion; messages; text; "
            "and their French names."
        ),
        next=N_("Say which column is which, for example prompt: {prompt}, completion: {completion}."),
        name=name,
        columns=listed(columns),
        prompt=prompt,
        completion=completion,
    )


def listed(columns: Sequence[str]) -> str:
    """The first columns in a sentence."""
    return ", ".join(column[:60] for column in columns[:20]) + (", ..." if len(columns) > 20 else "")
