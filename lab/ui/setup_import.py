"""A setup of another tool (or of the lab) as YAML: read, told what was understood, and taken over by one press."""

from __future__ import annotations

import streamlit as st

from lab import spec as specs
from lab.catalogue.exchange import Imported, read_setup
from lab.errors import LabError
from lab.spec import RunSpec
from lab.text import N_
from lab.ui import draft, plan_adopt
from lab.ui.language import _, ngettext, say
from lab.ui.layout import error_card

_TAKEN = "plan-imported"
_NAMES = {"lab": N_("Fine-Tuning Lab"), "trl": "TRL", "axolotl": "Axolotl", "llamafactory": "LLaMA-Factory"}


def importer() -> None:
    """A file or a pasted text in, what was understood out."""
    with st.expander(_("Open a setup from a YAML file"), icon=":material/upload_file:"):
        st.caption(_("Of the lab, TRL, Axolotl or LLaMA-Factory. Nothing is taken over before you say so."))
        uploaded = st.file_uploader(
            _("YAML file"), type=["yaml", "yml"], key="doctor-file", max_upload_size=1, label_visibility="collapsed"
        )
        pasted = st.text_area(_("Or paste its text"), key="doctor-text", height=110)
        if uploaded is not None:
            _show(uploaded.getvalue().decode("utf-8", errors="replace"), uploaded.name)
        elif pasted.strip():
            _show(pasted, _("the pasted text"))


def taken() -> Imported | None:
    """The file that the numbers on the page come from; None as soon as a recipe is chosen instead."""
    return None if draft.recipe_id() else st.session_state.get(_TAKEN)


def _show(text: str, name: str) -> None:
    try:
        found = read_setup(text, where=name)
    except LabError as error:
        error_card(error)
        return
    count = len(found.values)
    st.markdown(
        ngettext(
            "A setup of {tool} with {count} setting that the lab knows.",
            "A setup of {tool} with {count} settings that the lab knows.",
            count,
            tool=_(_NAMES.get(found.format, found.format)),
        )
    )
    for note in found.notes:
        st.text(_("Line {line}: {what}", line=note.line, what=say(note.as_dict())))
    st.button(
        _("Take over these numbers"),
        key="doctor-take",
        type="primary",
        icon=":material/check:",
        on_click=_take,
        args=(found,),
    )


def _take(found: Imported) -> None:
    """The imported setup becomes the draft; what it does not name stands at that tool's default."""
    changed = specs.difference(RunSpec(), found.spec)
    plan_adopt.adopt("", {path: after for path, (_before, after) in changed.items()})
    st.session_state[_TAKEN] = found
