"""Ways of preparing data that documents describe, as presets: put on, taken off, and what is wrong with each."""

from __future__ import annotations

from typing import Any

import streamlit as st

from lab.catalogue.preparations import PreparationPreset, preparation, preparations
from lab.text import N_
from lab.ui import data_content, draft
from lab.ui.forms import plain
from lab.ui.language import _

_ON, _BEFORE = "lab-preparation-preset", "lab-before-preset"
_PHASES = {"general": N_("first phase, general data"), "domain": N_("second phase, domain data")}


def menu() -> None:
    """The list of the presets; each phase of one that has several is a way of its own."""
    with st.popover(_("As in a document"), icon=":material/history_edu:", key="presets"):
        for one in preparations():
            for at, phase in enumerate(one.phases):
                name = " · ".join(filter(None, (_(one.name), _(_PHASES.get(phase.name, phase.name)))))
                st.button(name, key=f"preset-{one.id}-{at}", type="tertiary", on_click=_put_on, args=(one.id, at))


def shown() -> None:
    """The preset that is on, with what is wrong with it and the way back; nothing where the settings are others."""
    known = is_on()
    if known is None:
        return
    one, at = known
    with st.container(border=True, key="preset-on", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            phase = _(_PHASES.get(one.phases[at].name, one.phases[at].name))
            st.markdown(f"**{plain(' · '.join(filter(None, (_(one.name), phase))))}**", width="stretch")
            st.button(_("Undo"), icon=":material/undo:", key="preset-off", type="tertiary", on_click=_take_off)
        if _needs_general(one, at) and not draft.shown("preparation.replay_source"):
            st.markdown(":orange[:material/arrow_downward:] " + _("Choose the set of the first phase as general data."))
        if one.wrong:
            st.markdown(_("What is wrong with it:"))
            st.markdown(
                "\n".join(
                    f"- {plain(data_content.with_labels(_(wrong.what)))} :gray[{plain(wrong.line)}]"
                    for wrong in one.wrong
                )
            )


def is_on() -> tuple[PreparationPreset, int] | None:
    """The preset and its phase whose settings the draft has; of two that agree the one that was chosen."""
    chosen = st.session_state.get(_ON)
    known = [(preparation(chosen[0]), chosen[1])] if chosen else []
    known += [(one, at) for one in preparations() for at in range(len(one.phases)) if one.id == "document-001"]
    return next((pair for pair in known if _is_drawn(_values(*pair))), None)


def _is_drawn(values: dict[str, Any]) -> bool:
    return all(draft.shown(path) == value for path, value in values.items() if path != "preparation.replay_source")


def _values(one: PreparationPreset, at: int) -> dict[str, Any]:
    """The settings of a phase; the data set of an earlier phase is for a person to choose."""
    settings = one.settings(at)
    return {path: "" if value == "{general}" else value for path, value in settings.items()}


def _needs_general(one: PreparationPreset, at: int) -> bool:
    return one.settings(at).get("preparation.replay_source") == "{general}"


def _put_on(identifier: str, at: int) -> None:
    values = _values(preparation(identifier), at)
    if is_on() is None:
        st.session_state[_BEFORE] = {path: draft.shown(path) for path in values}
    st.session_state[_ON] = (identifier, at)
    for path, value in values.items():
        draft.put(path, value)


def _take_off() -> None:
    known, before = is_on(), st.session_state.pop(_BEFORE, {})
    for path in _values(*known) if known else ():
        if path in before:
            draft.put(path, before[path])
        else:  # put on before a reload: the lab's own value
            draft.reset(path)
    st.session_state.pop(_ON, None)
