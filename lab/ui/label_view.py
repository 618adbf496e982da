"""A text of one's own to the classifier of a run: its label, and how sure the model is of each."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from lab.errors import LabError
from lab.review import session
from lab.ui.format import share
from lab.ui.forms import plain
from lab.ui.language import _
from lab.ui.layout import error_card, facts

MOST_LABELS = 6


def free_text(run: str) -> None:
    """A form for a text, and below it what the tuned model calls it; the model stays loaded for a while."""
    with st.form("review-label", border=False):
        text = st.text_area(_("Your text"), key="review-text", height=80, max_chars=4000).strip()
        asked = st.form_submit_button(_("Find the label"), type="primary", icon=":material/send:")
    answers = st.session_state.setdefault(f"review-labels-{run}", [])
    if asked and text:
        with st.spinner(_("The model answers; the first time it is loaded, which takes some seconds."), show_time=True):
            try:
                answers[:0] = session.ask_models(run, text, which=("tuned",))
            except LabError as error:
                error_card(error)
    for answer in answers:
        with st.container(border=True):
            st.text(str(answer["prompt"]))
            facts(_shares(answer["scores"]))


def _shares(scores: Mapping[str, float]) -> list[tuple[str, str, str]]:
    surest = sorted(scores.items(), key=lambda pair: -pair[1])[:MOST_LABELS]
    notes = [_("the label"), *[""] * MOST_LABELS]
    return [(plain(label), share(value), note) for (label, value), note in zip(surest, notes, strict=False)]
