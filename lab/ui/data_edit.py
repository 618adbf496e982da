"""An editor for a handful of rows; what is saved becomes a new version, prepared like the one before it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from lab.errors import InputError, InputErrors, LabError
from lab.text import N_
from lab.ui import data_mapping, data_prepare, data_rows, uploads
from lab.ui.format import number
from lab.ui.language import _, ngettext
from lab.ui.layout import error_card

SHOWN = 20  # rows at a time
# Done once, and in the rows already: doing them again would add copies of copies.
_ONCE = {"augment": "none", "replay_source": "", "test_share": 0.0}
_ONCE_BALANCE = ("oversample", "undersample")
_KEPT = ("kind", "model", "template", "max_length", "too_long", "completion_only", "packing", "batch", "seed")


def editor(record: dict[str, Any], folder: Path) -> None:
    """Draw twenty rows to change, add or delete, and the button that makes a new version of them."""
    total = int((record.get("rows") or {}).get("kept") or 0)
    st.markdown(_("Change, add or delete rows. What you save becomes a new version; this one stays as it is."))
    first = 1
    if total > SHOWN:
        with st.container(width=220):
            first = int(
                st.number_input(
                    _("From row"),
                    min_value=1,
                    max_value=total,
                    step=SHOWN,
                    key=f"edit-from-{record['id']}",
                    help=_("Of {count} rows.", count=number(total)),
                )
            )
    rows = data_rows.read(folder / "rows.jsonl", first - 1, SHOWN)
    if not rows:
        st.caption(_("There are no rows to change."))
        return
    frame = pd.DataFrame([{name: cell(value) for name, value in row.items()} for row in rows]).astype("string")
    key = f"edit-{record['id']}-{first}"
    st.data_editor(
        frame,
        key=key,
        num_rows="dynamic",
        hide_index=True,
        row_height=60,
        column_config={name: st.column_config.TextColumn(_column(name)) for name in frame.columns},
        disabled=["split", "id"],
        alt=_("Rows of the data set, to change."),
    )
    changed = st.session_state.get(key) or {}
    count = sum(len(changed.get(part) or ()) for part in ("edited_rows", "added_rows", "deleted_rows"))
    label = ngettext("Save {count} change as a new version", "Save {count} changes as a new version", count)
    if st.button(
        label if count else _("Nothing is changed"),
        type="primary",
        key="edit-save",
        icon=":material/save:",
        disabled=not count,
    ):
        _save(record, folder / "rows.jsonl", rows, first - 1, changed)


def cell(value: Any) -> str:
    """A value as the text of a cell: lists and objects as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def applied(rows: list[dict[str, Any]], changed: dict[str, Any], kind: str, first: int = 0) -> list[dict[str, Any]]:
    """The rows as the editor left them; a column that held a list or an object holds one again.

    Raises InputErrors, each with its row and column, for cells that cannot be read or must not be empty.
    """
    deleted = set(changed.get("deleted_rows") or ())
    edits = {int(at): values for at, values in (changed.get("edited_rows") or {}).items()}
    added = [{"split": "train"} | values for values in changed.get("added_rows") or []]
    sample, wrong, result = rows[0], [], []
    for at, row in [*enumerate(rows), *enumerate(added, len(rows))]:
        if at in deleted:
            continue
        values = dict(row)
        for name, text in ({**row, **edits.get(at, {})} if at < len(rows) else row).items():
            if name == "_index" or (at < len(rows) and name not in edits.get(at, {})):
                continue
            try:
                values[name] = _value(text, sample.get(name))
            except ValueError:
                wrong.append(_unreadable(first + at + 1, name))
        values.pop("_index", None)
        touched = at in edits or at >= len(rows)
        wrong += [_empty(first + at + 1, name) for name in _empty_columns(values, kind) if touched]
        result.append(values)
    if wrong:
        raise InputErrors(wrong)
    return result


def _empty_columns(row: dict[str, Any], kind: str) -> list[str]:
    needed = [name for name in data_mapping.ROLES.get(kind, ((), ()))[0] if name != "answers"]
    if kind == "preference" and "completion" in row:
        needed = ["completion"]
    return [name for name in needed if not row.get(name) or not str(row[name]).strip()]


def _value(text: Any, sample: Any) -> Any:
    if sample is None or isinstance(sample, str):
        return "" if text is None else str(text)
    value = json.loads(str(text or ""))
    if type(value) is not type(sample):
        raise ValueError(text)
    return value


def _unreadable(row: int, column: str) -> InputError:
    return InputError(
        N_("Row {row}: what stands in {column} cannot be read as the others can."),
        where=column,
        allowed=N_("A list or an object written as JSON, such as the cells above it."),
        row=row,
        column=column,
    )


def _empty(row: int, column: str) -> InputError:
    return InputError(
        N_("Row {row}: {column} is empty."),
        where=column,
        next=N_("Fill it, or delete the row."),
        row=row,
        column=column,
    )


def _save(record: dict[str, Any], path: Path, rows: list[dict[str, Any]], first: int, changed: dict[str, Any]) -> None:
    try:
        new = applied(rows, changed, str(record.get("kind", "")), first)
        kept = _written(path, first, len(rows), new, str(record.get("name") or "data"))
    except LabError as error:
        error_card(error)
        return
    request = {"path": str(uploads.find(kept).path), "upload": kept, "name": record.get("name"), "edited": record["id"]}
    data_prepare.start(request | _settings(record), name=f"edit-{kept}")


def _settings(record: dict[str, Any]) -> dict[str, Any]:
    """The settings of the version before, without what is in its rows already."""
    options = dict(record.get("options") or {})
    preparation = dict(options.get("preparation") or {}) | _ONCE
    if preparation.get("balance") in _ONCE_BALANCE:
        preparation["balance"] = "none"
    kept = {name: options[name] for name in _KEPT if options.get(name) not in (None, "")}
    return kept | {"kind": record.get("kind"), "template": record.get("template"), "preparation": preparation}


def _written(path: Path, first: int, count: int, new: list[dict[str, Any]], name: str) -> str:
    """A new upload with all rows, those from `first` on replaced by the new ones."""
    incoming = uploads.Incoming(f"{name[:80]}.jsonl", path.stat().st_size)
    try:
        for part in _parts(path, first, count, new):
            incoming.write(part)
        return incoming.finish()
    except BaseException:
        incoming.abandon()
        raise


def _parts(path: Path, first: int, count: int, new: list[dict[str, Any]]) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from islice(file, first)
        for row in new:
            yield (json.dumps(row, ensure_ascii=False) + "\n").encode()
        for _skipped in islice(file, count):
            pass
        while part := file.read(uploads.CHUNK):
            yield part


def _column(name: str) -> str:
    return _("Part") if name == "split" else _(data_mapping.ROLE_WORDS.get(name, name))
