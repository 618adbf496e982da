"""The plan for other tools: each form as a text to read and a file to keep, with what has no place in it."""

from __future__ import annotations

import json

import streamlit as st

from lab.catalogue.exchange import FORMATS, Export, export
from lab.errors import LabError
from lab.spec import setting_at
from lab.ui import plan_findings
from lab.ui.estimate import Estimate
from lab.ui.language import _, ngettext, say
from lab.ui.layout import error_card, said

_MIME = {
    "yaml": "application/yaml",
    "bash": "text/x-shellscript",
    "python": "text/x-python",
    "json": "application/x-ipynb+json",
}


def exports(now: Estimate) -> None:
    """Choose a form; see the text, what is left out, and take it."""
    plan_findings.former_values()
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        chosen = st.selectbox(
            _("For"),
            list(FORMATS),
            key="plan-format",
            format_func=lambda code: _(FORMATS[code].name),
            persist_state="session",
            width=360,
        )
        taken = _made(now, str(chosen))
        if taken:
            _download(taken, FORMATS[str(chosen)].language)
    if not taken:
        return
    _left_out(taken)
    if chosen == "notebook":
        _cells(taken.text)
    else:
        st.code(taken.text, language=FORMATS[str(chosen)].language, wrap_lines=True, height=520)


def _cells(notebook: str) -> None:
    """A notebook as it looks when it is opened, not as it is stored."""
    with st.container(border=True, height=520):
        for cell in json.loads(notebook)["cells"]:
            text = "".join(cell["source"])
            if cell["cell_type"] == "code":
                st.code(text, language="python", wrap_lines=True)
            else:
                said(text)


def _made(now: Estimate, chosen: str) -> Export | None:
    try:
        return export(now.spec, chosen, now.made)
    except LabError as error:
        error_card(error)
        return None


def _download(made: Export, language: str) -> None:
    st.download_button(
        _("Download {file}", file=made.filename),
        data=made.text,
        file_name=made.filename,
        mime=_MIME.get(language, "text/plain"),
        icon=":material/download:",
        type="primary",
        key="plan-download",
        on_click="ignore",
    )


def _left_out(made: Export) -> None:
    """The settings that this form cannot express, each with the reason."""
    if not made.left_out:
        return
    label = ngettext("{count} setting is not in this form", "{count} settings are not in this form", len(made.left_out))
    with st.expander(label, icon=":material/info:", type="compact"):
        for entry in made.left_out:
            st.text(f"{_(setting_at(entry.path).label)}: {say(entry.as_dict())}")
