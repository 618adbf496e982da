"""The versions of a prepared data set: fingerprint, rows, and what changed from one to the next."""

from __future__ import annotations

import time
from typing import Any

import streamlit as st

from lab.runs import registry
from lab.runs.home import created_at
from lab.spec import settings
from lab.text import N_
from lab.ui import data_steps
from lab.ui.format import ago, number
from lab.ui.forms import plain
from lab.ui.language import _, ngettext
from lab.ui.menu import go

SHORT = 12  # characters of a fingerprint that tell two sets apart at a glance
_OPTIONS = {
    "model": "model.source",
    "revision": "model.revision",
    "seed": "seed",
    "columns": "data.columns",
    "encoding": "data.encoding",
    "batch": "schedule.per_device_batch",
}
_WORDS = {"kind": N_("Kind of data"), "delimiter": N_("Delimiter"), "quote": N_("Quotes"), "format": N_("Format")}


def versions_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Every prepared set with this name, the newest first."""
    return [one for one in registry.datasets() if one.get("name") == record.get("name")]


def versions(record: dict[str, Any]) -> None:
    """The list of the versions, each with what changed since the one before it."""
    found = versions_of(record)
    for place, one in enumerate(found):
        before = next((other for other in found if other["id"] == one.get("parent")), None)
        _version(one, before or (found[place + 1] if place + 1 < len(found) else None), one["id"] == record["id"])
    st.caption(
        _("The same file, settings and tokenizer give the same fingerprint on any machine. A run names the version.")
    )


def short(record: dict[str, Any]) -> str:
    """The beginning of a fingerprint."""
    return str(record.get("fingerprint") or "")[:SHORT]


def _version(one: dict[str, Any], before: dict[str, Any] | None, here: bool) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"version-{one['id']}"):
        with st.container(gap=None, width="stretch"):
            rows = int((one.get("rows") or {}).get("kept") or 0)
            st.markdown(
                f"**{_('Version {number}', number=one.get('version', 1))}** · "
                + ngettext("{count} row", "{count} rows", rows)
                + f" · `{short(one)}` · {ago(time.time() - created_at(one['id']))}"
            )
            for line in changes(one, before) if before else [_("the first one")]:
                st.caption(plain(line))
        if here:
            st.caption(_("shown here"), width="content")
        elif st.button(_("Open"), key=f"open-version-{one['id']}"):
            go("data", dataset=one["id"])


def changes(now: dict[str, Any], before: dict[str, Any]) -> list[str]:
    """What is different between two versions, in words."""
    if now.get("fingerprint") == before.get("fingerprint"):
        return [_("the same rows and settings: the fingerprint is the same")]
    lines = []
    new, old = _flat(now), _flat(before)
    for path in dict.fromkeys((*old, *new)):
        if new.get(path) != old.get(path):
            label, values = _label(path), (_value(old.get(path)), _value(new.get(path)))
            lines.append(_("{what}: {before} → {now}", what=label, before=values[0], now=values[1]))
    rows, were = (int((one.get("rows") or {}).get("kept") or 0) for one in (now, before))
    if rows != were:
        lines.append(_("Rows: {before} → {now}", before=number(were), now=number(rows)))
    return lines or [_("the same settings, other rows")]


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """The settings of a version by name; what was left to the lab is what it found."""
    options = record.get("options") or {}
    found = {"kind": record.get("kind"), "columns": record.get("mapping"), "encoding": record.get("encoding")}
    options = options | {name: value for name, value in found.items() if value and not options.get(name)}
    preparation = options.get("preparation") or {}
    own = {name: value for name, value in options.items() if name != "preparation"}
    return own | {f"preparation.{name}": value for name, value in preparation.items()}


def _label(name: str) -> str:
    path = _OPTIONS.get(name, name if "." in name else f"data.{name}")
    known = {setting.path: setting.label for setting in settings()}
    return _(known[path]) if path in known else _(_WORDS.get(name, name))


def _value(value: Any) -> str:
    if value in (None, "", [], {}):
        return _("none")
    if isinstance(value, list):
        return ", ".join(data_steps.name(str(one)) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{role}: {column}" for role, column in value.items())
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return number(value) if isinstance(value, int) and value >= 10_000 else str(value)
