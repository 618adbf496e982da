"""The preparation of document 001 as a preset, with what is wrong with it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from lab.text import N_
from lab.ui import draft
from lab.ui.language import _

_BEFORE = "lab-before-document-001"

# Document 001 L205-345: dropna, the prompt, len(text) < 1024, train_test_split(test_size=0.20, seed=42).
VALUES: dict[str, Any] = {
    "preparation.steps": ["missing", "characters"],
    "preparation.min_characters": 0,
    "preparation.max_characters": 1024,
    "preparation.split_by": "random",
    "preparation.test_share": 0.0,
    "preparation.leakage": "report",
    "preparation.balance": "none",
    "preparation.augment": "none",
    "preparation.replay_source": "",
    "data.template": "question-answer",
    "data.max_length": 1024,
    "data.validation_share": 0.2,
    "seed": 42,
}
WRONG = (
    N_(
        "It says 1,024 tokens and counts 1,024 characters, about 250 tokens: 24,899 of 136,108 rows are left, and most "
        "of the others would have fitted. Here the filter is called by its name, and its effect is shown."
    ),
    N_("Nothing is compared: a question that comes twice can be trained on and be tested with."),
    N_("Its 20 % are used to choose the checkpoint and to judge it; there is no part that nobody has looked at."),
    N_("Its prompt has no end token, so that a model never learns to stop. The lab adds it."),
)


def preset() -> None:
    """Draw the button of the preset; while it is on, what is wrong with it and the way back."""
    if not is_on():
        st.button(_("As in document 001"), icon=":material/history_edu:", key="preset-001", on_click=_put_on)
        return
    with st.container(border=True, key="preset-001-on"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{_('As in document 001')}**", width="stretch")
            st.button(_("Undo"), icon=":material/undo:", key="preset-001-off", type="tertiary", on_click=_take_off)
        st.caption(_("Rows without a value dropped, at most 1,023 characters, 80 % and 20 % by chance with seed 42."))
        st.markdown(_("What is wrong with it:"))
        st.markdown("\n".join(f"- {_(sentence)}" for sentence in WRONG))


def is_on() -> bool:
    """Whether the settings are those of the document."""
    return all(draft.shown(path) == value for path, value in VALUES.items())


def _put_on() -> None:
    st.session_state[_BEFORE] = {path: draft.shown(path) for path in VALUES}
    for path, value in VALUES.items():
        draft.put(path, value)


def _take_off() -> None:
    before = st.session_state.pop(_BEFORE, None)
    for path in VALUES:
        if before is not None:
            draft.put(path, before[path])
        else:  # put on before a reload: the lab's own values
            draft.reset(path)
