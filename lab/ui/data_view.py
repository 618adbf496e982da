"""Prepared data sets: their list, one's heading and figures, and a preparation that is on."""

from __future__ import annotations

import html
import re
import time
from pathlib import Path
from typing import Any

import streamlit as st

from lab.errors import InputError, NotFoundError, from_dict
from lab.json_io import read_json
from lab.review.data_report import as_html, read_data
from lab.runs import client, registry
from lab.runs.home import created_at
from lab.runs.view import RunView
from lab.ui import data_versions, words
from lab.ui.data_mapping import kind_in_words
from lab.ui.format import ago, duration, number, share
from lab.ui.language import _, ngettext, say, translator
from lab.ui.layout import error_card, facts, said
from lab.ui.menu import go

PREPARE_PHASES = ("read", "clean", "measure", "split", "write")


def progress_card(view: RunView) -> None:
    """Where a preparation is: its phases, done and to come."""
    known = {phase.name: phase for phase in view.phases}
    parts = []
    for name in dict.fromkeys((*PREPARE_PHASES, *known)):
        phase, label = known.get(name), html.escape(words.phase(name))
        if phase is None:
            parts.append(f'<span class="todo">{label}</span>')
        elif name == view.phase:
            parts.append(f'<span class="now">● {label}</span>')
        else:
            parts.append(f'<span class="done">✓ {label} {html.escape(duration(phase.seconds))}</span>')
    with st.container(border=True):
        st.html(f'<div class="lab-flow">{" <span class=todo>→</span> ".join(parts)}</div>')
        st.progress(min(1.0, float(view.progress.get("done") or 0.0)), text=words.state(view.state))


def stop(run: str) -> None:
    """Stop a preparation; what it wrote so far is thrown away."""
    try:
        client.stop(run, discard=True)
    except InputError:
        return  # it ended in the same moment; the page shows how


def failure(view: RunView) -> None:
    """Why a preparation did not end well."""
    if view.error:
        error_card(from_dict(view.error))
    elif view.reason:
        st.warning(say(view.reason), icon=":material/info:")
    else:
        st.info(_("The preparation was stopped."))


def prepared_list(sets: list[dict[str, Any]]) -> None:
    """The prepared data sets, newest first, each as a link to its own view."""
    for record in sets:
        with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"set-{record['id']}"):
            with st.container(gap=None, width="stretch"):
                said(str(record.get("name") or record["id"]))
                rows = record.get("rows") or {}
                st.caption(
                    " · ".join(
                        (
                            _("version {number}", number=record.get("version") or 1),
                            ngettext("{count} row", "{count} rows", int(rows.get("kept") or 0)),
                            kind_in_words(str(record.get("kind", ""))),
                            ago(time.time() - created_at(record["id"])),
                        )
                    )
                )
            if st.button(_("Open"), key=f"open-{record['id']}"):
                go("data", dataset=record["id"])
            with st.popover("", icon=":material/more_horiz:", key=f"more-{record['id']}"):
                st.caption(_("Removes the prepared set. Runs that used it keep what they made."))
                st.button(
                    _("Delete the data set"),
                    icon=":material/delete_forever:",
                    key=f"delete-{record['id']}",
                    on_click=_delete,
                    args=(record["id"],),
                )


def _delete(identifier: str) -> None:
    try:
        registry.delete_dataset(identifier)
    except NotFoundError:
        return  # somebody else was faster: it is gone, as asked


def heading(record: dict[str, Any]) -> None:
    """The name of the data set, and what its rows are."""
    with st.container(gap=None):
        st.text(str(record.get("name") or record["id"]))
        st.caption(
            " · ".join(
                (
                    _("version {number}", number=record.get("version") or 1),
                    kind_in_words(str(record.get("kind", ""))),
                    ago(time.time() - created_at(record["id"])),
                    _("fingerprint {start}", start=data_versions.short(record)),
                )
            )
        )


def summary(record: dict[str, Any]) -> None:
    """How many rows were read, kept, dropped and held out."""
    rows = record["rows"]
    lost = sum((record.get("dropped") or {}).values())
    held_out = [(_("Validation"), number(rows.get("validation")), _("held out"))]
    if rows.get("test"):
        held_out.append((_("Test"), number(rows["test"]), _("held out")))
    facts(
        [
            (_("Read"), number(rows["read"]), _("rows")),
            (_("Kept"), number(rows["kept"]), share(rows["kept"] / rows["read"], 1) if rows["read"] else ""),
            (_("Dropped"), number(lost), _("see the steps") if lost else _("none")),
            (_("Training"), number(rows.get("train")), _("rows")),
            *held_out,
        ]
    )


def files(identifier: str) -> dict[str, Any]:
    """What lies beside a prepared data set: its record, lengths, preview, steps and figures. Raises NotFoundError."""
    folder: Path = registry.dataset_path(identifier)
    empty: dict[str, Any] = {"lengths": {}, "preview": [], "steps": [], "figures": {}}
    told = {name: read_json(folder / f"{name}.json") or nothing for name, nothing in empty.items()}
    return told | {"record": registry.dataset(identifier), "folder": folder}


def report_button(told: dict[str, Any]) -> None:
    """The printable report as a file; it is made when somebody asks for it."""
    record, folder, translate = told["record"], told["folder"], translator()
    st.download_button(
        _("Report"),
        data=lambda: as_html(read_data(folder), translate),
        file_name=f"{safe_name(str(record.get('name') or 'data'))}-v{record.get('version') or 1}.html",
        mime="text/html",
        icon=":material/print:",
        key="data-report",
        on_click="ignore",
        help=_("One page to print or to keep: what was read, what was dropped, the figures and examples."),
    )


def safe_name(name: str) -> str:
    """A name for a downloaded file: letters, digits and dashes."""
    return re.sub(r"[^\w-]+", "-", name).strip("-")[:60] or "data"
