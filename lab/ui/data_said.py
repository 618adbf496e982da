"""What a person said of an uploaded file: how it is read, what its rows are, which column plays which role.

It is kept beside the upload, so that a reload, another page or another browser with the same address loses nothing,
and goes with the upload.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from lab.json_io import read_json, write_json
from lab.runs.home import is_id
from lab.ui import uploads
from lab.ui.language import _


def said(identifier: str, part: str) -> dict[str, str]:
    """What was said of one part (`reading`, `kind` or `roles`): name -> code; what was left to the lab is not in it."""
    return dict(_all(identifier).get(part) or {})


def say(identifier: str, part: str, name: str, value: str | None) -> None:
    """Keep one answer; None takes it back."""
    everything = _all(identifier)
    answers = {one: code for one, code in (everything.get(part) or {}).items() if one != name}
    everything[part] = answers if value is None else answers | {name: value}
    st.session_state[_key(identifier)] = everything
    if is_id(identifier) and uploads.said_path(identifier).parent.is_dir():
        try:
            write_json(uploads.said_path(identifier), everything)
        except OSError:
            st.toast(_("What you said of the file could not be saved: the disk of the lab's home has no room."))


def _all(identifier: str) -> dict[str, Any]:
    """Everything that was said of a file: in this session, else by an earlier visit."""
    if _key(identifier) not in st.session_state:
        stored = read_json(uploads.said_path(identifier)) if is_id(identifier) else None
        st.session_state[_key(identifier)] = stored if isinstance(stored, dict) else {}
    return dict(st.session_state[_key(identifier)])


def _key(identifier: str) -> str:
    return f"said-{identifier}"
