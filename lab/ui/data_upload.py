"""The place where a file is handed over: our own uploader, which streams to disk instead of into memory."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from lab.errors import LabError, from_dict
from lab.text import N_
from lab.ui.language import _, language
from lab.ui.layout import error_card
from lab.ui.menu import go
from lab.ui.upload_route import ADDRESS
from lab.ui.uploads import MOST_BYTES

_AGAIN = "data-uploads"
_PARTS = Path(__file__).parent / "parts"
_uploader = st.components.v2.component(
    "lab-upload",
    html=(_PARTS / "upload.html").read_text(encoding="utf-8"),
    css=(_PARTS / "upload.css").read_text(encoding="utf-8"),
    js=(_PARTS / "upload.js").read_text(encoding="utf-8"),
)
FORMATS = "CSV, TSV, JSON, JSONL, Parquet, TXT, CoNLL, SQuAD, ZIP"


def upload_box() -> None:
    """Draw the place for a file, and go to what is in it as soon as it lies on the lab's disk."""
    data = {"words": _words(), "most": MOST_BYTES, "address": ADDRESS, "language": language()}
    place = f"data-upload-{st.session_state.get(_AGAIN, 0)}"
    answer = _uploader(key=place, data=data, on_uploaded_change=_nothing, on_refused_change=_nothing)
    if answer.refused:
        error_card(_refusal(answer.refused))
    if answer.uploaded:
        go("data", upload=str(answer.uploaded))


def begin_again() -> None:
    """An uploader that has stored a file says so for as long as it is there; the next one is another."""
    st.session_state[_AGAIN] = st.session_state.get(_AGAIN, 0) + 1


def _words() -> dict[str, str]:
    most = MOST_BYTES // 2**30
    return {
        "call": _("Drop a file here, or choose one"),
        "limits": _("{formats}. Up to {most} GiB; it stays on this machine.", formats=FORMATS, most=most),
        "choose": _("Choose a file"),
        "cancel": _("Cancel"),
        "going": _("The file is being stored"),
        "amount": _("{done} of {all}, {percent}%", done="{done}", all="{all}", percent="{percent}"),
        "closing": _("Being written to the disk…"),
        "done": _("Stored. Being read…"),
        "large": _("This file is larger than {size}. Split it, or leave out columns.", size="{size}"),
        "empty": _("This file is empty. Choose another one."),
        "broken": _("The connection to the lab broke off, and nothing was kept. Is the lab still running? Try again."),
        "cancelled": _("Cancelled; nothing was kept."),
    }


def _refusal(record: object) -> LabError:
    if isinstance(record, dict) and record.get("template"):
        return from_dict(record)
    return LabError(N_("The file could not be stored."), where="upload", next=N_("Reload the page and try again."))


def _nothing() -> None:
    """Streamlit reports a component's triggers only to those who ask for a call."""
