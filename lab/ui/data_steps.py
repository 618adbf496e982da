"""The steps that clean the rows: switched on and off, put in order, each with its settings while it is on."""

from __future__ import annotations

import streamlit as st

from lab.spec import setting_at
from lab.text import N_
from lab.ui import draft, forms
from lab.ui.language import _, ngettext

PATH = "preparation.steps"
# In the order in which they help each other: repair first, so that later steps compare repaired text.
STEPS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "repair-text": (
        N_("Repair text"),
        N_("Mends letters that were read in a wrong encoding, and unites the ways to write the same letter."),
        (),
    ),
    "strip-html": (
        N_("Take out HTML"),
        N_("Removes tags and turns the codes of letters into letters; code in the text keeps its signs."),
        (),
    ),
    "missing": (
        N_("Missing values"),
        N_("Drops rows without a question or an answer, also where only blanks stand."),
        (),
    ),
    "characters": (
        N_("Length in characters"),
        N_("Drops rows that are too short or too long in characters; the maximum in tokens is asked for above."),
        ("preparation.min_characters", "preparation.max_characters"),
    ),
    "language": (
        N_("Language"),
        N_("Keeps the rows in the languages named; short texts are kept when nobody can tell."),
        ("preparation.languages",),
    ),
    "personal-data": (
        N_("Personal data"),
        N_("Finds e-mail addresses, telephone, card and account numbers, and flags, masks or drops them."),
        ("preparation.personal_data",),
    ),
    "exact-duplicates": (
        N_("Exact duplicates"),
        N_("Keeps the first of several rows that say exactly the same."),
        (),
    ),
    "near-duplicates": (
        N_("Near duplicates"),
        N_("Drops rows whose words resemble an earlier row's, found with MinHash."),
        ("preparation.near_threshold",),
    ),
}


def name(code: str) -> str:
    """A step in words."""
    return _(STEPS[code][0]) if code in STEPS else _(_OTHERS.get(code, code))


_OTHERS = {
    "leakage": N_("Leakage"),
    "balance": N_("Class balance"),
    "augment": N_("Augmentation"),
    "augmentation": N_("Augmentation"),
    "replay": N_("General data"),
    "split": N_("Split"),
    "length": N_("Length in tokens"),
    "too-long": N_("Length in tokens"),
    "format": N_("Template"),
}


def steps_form() -> None:
    """The list of the steps: those that are on in their order, then the others."""
    chosen = _chosen()
    with st.container(border=True, gap="small", key="steps-on"):
        if not chosen:
            st.caption(_("No step is on: the rows stay as they are in the file."))
        for place, step in enumerate(chosen):
            _on(step, place, len(chosen))
    others = [step for step in _known() if step not in chosen]
    if others:
        label = ngettext("{count} more step", "{count} more steps", len(others))
        with st.expander(label, icon=":material/add:", key="steps-off"):
            for step in others:
                _off(step)


def _chosen() -> list[str]:
    return [step for step in draft.shown(PATH) if step in _known()]


def _known() -> list[str]:
    """The steps of the spec, in the order of this list; one that is not described here comes last."""
    declared = set(setting_at(PATH).choices or STEPS)
    return [*(step for step in STEPS if step in declared), *sorted(declared - set(STEPS))]


def _on(step: str, place: int, count: int) -> None:
    title, sentence, settings = STEPS.get(step, (step, "", ()))
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"step-{step}"):
        with st.container(width="stretch", gap=None):
            _toggle(step, f"{place + 1}. {_(title)}", True)
            st.caption(_(sentence))
        with st.container(horizontal=True, width="content", gap="small"):
            _mover(step, place, -1, place == 0)
            _mover(step, place, 1, place == count - 1)
    if settings:
        with st.container(key=f"step-settings-{step}"):
            forms.group(list(settings), columns=2)


def _off(step: str) -> None:
    title, sentence, _settings = STEPS.get(step, (step, "", ()))
    with st.container(gap=None, key=f"step-{step}"):
        _toggle(step, _(title), False)
        st.caption(_(sentence))


def _toggle(step: str, label: str, on: bool) -> None:
    key = f"step-on-{step}"
    st.session_state[key] = on
    st.toggle(label, key=key, on_change=_switch, args=(step,))


def _mover(step: str, place: int, by: int, disabled: bool) -> None:
    up = by < 0
    st.button(
        _("Earlier") if up else _("Later"),
        icon=":material/arrow_upward:" if up else ":material/arrow_downward:",
        key=f"step-{'up' if up else 'down'}-{step}",
        type="tertiary",
        disabled=disabled,
        on_click=_move,
        args=(place, by),
    )


def _switch(step: str) -> None:
    chosen = _chosen()
    draft.put(PATH, [one for one in chosen if one != step] if step in chosen else _with(chosen, step))


def _with(chosen: list[str], step: str) -> list[str]:
    """The steps with one more, before the first that usually comes after it."""
    order = _known()
    later = [at for at, one in enumerate(chosen) if order.index(one) > order.index(step)]
    at = later[0] if later else len(chosen)
    return [*chosen[:at], step, *chosen[at:]]


def _move(place: int, by: int) -> None:
    chosen = _chosen()
    if 0 <= place + by < len(chosen):
        chosen[place], chosen[place + by] = chosen[place + by], chosen[place]
        draft.put(PATH, chosen)
