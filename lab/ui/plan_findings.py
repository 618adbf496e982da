"""Findings of a plan on the screen, each with its source and one button that answers it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from lab import spec as specs
from lab.planning.suggestions import suggestion
from lab.planning.verdicts import Verdict
from lab.spec import setting_at
from lab.ui import draft, words
from lab.ui.estimate import Estimate
from lab.ui.format import learning_rate, number, tidy_exponents
from lab.ui.forms import plain
from lab.ui.language import _, say
from lab.ui.layout import verdict_icon
from lab.ui.start_form import in_sentence


def former_values() -> None:
    """At the numbers: which settings they still count with as they were, because what is typed cannot be used."""
    for path in draft.wrong():
        name, former = _(setting_at(path).label), specs.value_at(draft.spec(), path)
        sentence = _("{setting}: what is typed cannot be used, so these numbers still count with {value}.",
                     setting=name, value=_value(former))  # fmt: skip
        st.markdown(f":orange[:material/warning:] {plain(sentence)}")


def verdicts(now: Estimate, *, sources: bool = True) -> None:
    """What is worth a second look, each with one button that answers it; what is usual stays in one line."""
    if now.model_error:
        return  # what follows from a model that cannot be used is no finding
    usual = [verdict for verdict in now.made.verdicts if verdict.status == "ok"]
    for index, verdict in enumerate(now.made.verdicts):
        if verdict.status != "ok":
            _verdict_card(verdict, now, index, sources)
    if usual and sources:
        names = ", ".join(dict.fromkeys(_(setting_at(verdict.field).label) for verdict in usual))
        with st.expander(_("Usual: {names}", names=names), type="compact", icon=":material/check:"):
            for verdict in usual:
                st.text(tidy_exponents(say(verdict.as_dict())))
                _source(verdict)


def _verdict_card(verdict: Verdict, now: Estimate, index: int, sources: bool) -> None:
    change = suggestion(verdict, now.made)
    with st.container(border=True, key=f"verdict-{index}"):
        with st.container(horizontal=True, gap="small"):
            st.markdown(verdict_icon(verdict.status), width="content")
            with st.container(gap=None, width="stretch"):
                st.text(tidy_exponents(say(verdict.as_dict())))
                if sources:
                    _source(verdict)
        if change:
            st.button(
                change_in_words(change),
                key=f"apply-{verdict.field}",
                icon=":material/check:",
                on_click=apply,
                args=(change,),
            )


def _source(verdict: Verdict) -> None:
    if verdict.source:
        st.caption(_("Source: {source}", source=_(verdict.source)))


def change_in_words(change: dict[str, Any]) -> str:
    """A change as the label of the button that makes it."""
    parts = [
        _(
            "{setting} to {value}",
            setting=in_sentence(_(setting_at(path).label)),
            value=_value(value),
        )
        for path, value in change.items()
    ]
    return _("Set {changes}", changes=_(" and ").join(parts))


def apply(change: dict[str, Any]) -> None:
    """Put a change into the draft."""
    for path, value in change.items():
        draft.put(path, value)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return _("on") if value else _("off")
    if isinstance(value, int):
        return number(value)
    if isinstance(value, float):
        return learning_rate(value) if value < 1e-2 else f"{value:g}"
    if value is None:
        return _("automatic")
    return ", ".join(value) if isinstance(value, list) else words.choice(str(value))
