"""Taking over numbers from elsewhere (a recipe, an address, an imported file), with the way back to one's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from lab.catalogue.recipes import Recipe
from lab.catalogue.side_by_side import plan_values
from lab.ui import draft
from lab.ui.language import _

_KEY = "plan-before"


def start_from(one: Recipe) -> None:
    """Begin with a recipe; what has no settings of its own lends the numbers that it states."""
    if one.run:
        draft.start_from(one.id)
        return
    draft.start_from("")
    for path, value in plan_values(one).items():
        draft.put(path, value)


def own_numbers() -> dict[str, Any]:
    """The draft in short: its recipe and the values that differ from it."""
    return {"recipe": draft.recipe_id(), "values": {path: draft.shown(path) for path in draft.own_paths()}}


def adopt(recipe: str, values: Mapping[str, Any]) -> None:
    """Replace the draft; the numbers that were there can be had back by one press."""
    before = own_numbers()
    draft.start_from(recipe)
    for path, value in values.items():
        draft.put(path, value)
    if before != own_numbers():
        st.session_state[_KEY] = before


def way_back() -> None:
    """One line that says that other numbers are open, with the button that brings one's own back."""
    offer()
    if _KEY not in st.session_state:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="plan-way-back"):
        st.markdown(f":gray[{_('These numbers were opened from elsewhere.')}]", width="content")
        st.button(_("Back to my own"), key="plan-back", type="tertiary", icon=":material/undo:", on_click=_restore)
        st.button(_("Keep these"), key="plan-keep", type="tertiary", icon=":material/check:", on_click=_forget)


def offer() -> None:
    """A browser that was never here begins afresh; what another one saved last is one press away."""
    if not draft.offered():
        return
    with st.container(horizontal=True, vertical_alignment="center", key="plan-offered"):
        st.markdown(f":gray[{_('Another browser saved its numbers in this lab.')}]", width="content")
        st.button(
            _("Take them over"), key="plan-take", type="tertiary", icon=":material/download:",
            on_click=draft.take_offered,
        )  # fmt: skip


def _restore() -> None:
    before = st.session_state.pop(_KEY)
    draft.start_from(before["recipe"])
    for path, value in before["values"].items():
        draft.put(path, value)


def _forget() -> None:
    st.session_state.pop(_KEY, None)
