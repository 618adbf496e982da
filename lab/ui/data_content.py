"""What the rows of a prepared data set say: classes, first words, repetitions, leakage, and whether they are enough."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import streamlit as st

from lab.text import N_
from lab.ui import data_charts
from lab.ui.format import number, share
from lab.ui.forms import plain
from lab.ui.language import _, known_settings, ngettext, say
from lab.ui.layout import said, verdict_icon

_DOTTED = sorted((path for path in known_settings() if "." in path), key=len, reverse=True)  # "seed" is a word, too
_SETTING = re.compile(r"\b(?:" + "|".join(map(re.escape, _DOTTED)) + r")\b")
_PLACES = {
    "below": ("warning", N_("fewer than the usual minimum")),
    "minimum": ("info", N_("the usual minimum")),
    "recommended": ("ok", N_("a usual amount")),
    "optimal": ("ok", N_("plenty")),
}


def verdicts(figures: dict[str, Any]) -> None:
    """Whether the rows are enough for the task, and what is worth a second look, the gravest first."""
    with st.container(gap="xsmall", key="data-verdicts"):
        _sufficiency(figures.get("sufficiency"))
        for finding in figures.get("findings") or []:
            icon = verdict_icon("warning" if finding.get("level") == "warning" else "info")
            st.markdown(f"{icon} {plain(with_labels(say(finding)))}")


def with_labels(text: str) -> str:
    """A sentence in which settings go by their labels, as the form shows them, not by their dotted names."""
    return _SETTING.sub(lambda found: f"“{_(known_settings()[found[0]])}”", text)


def _sufficiency(found: dict[str, Any] | None) -> None:
    if not found:
        return
    level, words = _PLACES.get(str(found.get("verdict")), ("info", str(found.get("verdict", ""))))
    st.markdown(
        f"{verdict_icon(level)} "
        + plain(
            _(
                "{rows} training rows are {place}: at least {minimum}, better {recommended}, and beyond {optimal} more "
                "rows help little.",
                rows=number(found.get("rows")),
                place=_(words),
                minimum=number(found.get("minimum")),
                recommended=number(found.get("recommended")),
                optimal=number(found.get("optimal")),
            )
        )
    )
    notes = [_(str(found["note"]))] if found.get("note") else []
    if found.get("source"):
        notes.append(_("Source: {source}", source=_(str(found["source"]))))
    if notes:
        st.caption(plain(" ".join(notes)))


def classes(counted: dict[str, dict[str, int]] | None) -> None:
    """How often each label occurs in each part."""
    if not counted:
        return
    st.subheader(_("Labels"), anchor=False)
    words = {"train": _("training"), "validation": _("validation"), "test": _("test")}
    has_test = any(parts.get("test") for parts in counted.values())
    parts = {
        label: {word: int(rows.get(part) or 0) for part, word in words.items() if part != "test" or has_test}
        for label, rows in counted.items()
    }
    totals = {label: sum(values.values()) for label, values in parts.items()}
    most, least = max(totals, key=lambda one: totals[one]), min(totals, key=lambda one: totals[one])
    sentence = _(
        "The most frequent label has {most} rows, the rarest {least}.",
        most=number(totals[most]),
        least=number(totals[least]),
    )
    data_charts.stacked(parts, key="data-classes", alt=sentence, x_title=_("rows"), say=sentence)


def first_words(words: list[list[Any]], rows: int) -> None:
    """The words with which questions or texts begin most often."""
    if not words:
        return
    st.subheader(_("Most frequent first words"), anchor=False)
    counted = {str(word)[:40]: {_("rows"): int(count)} for word, count in words}
    sentence = _(
        "{word} begins {share} of the rows; a model learns the forms that it sees often.",
        word=words[0][0],
        share=share(int(words[0][1]) / max(1, rows)),
    )
    data_charts.stacked(counted, key="data-words", alt=sentence, x_title=_("rows"), heading=_("first word"))
    said(sentence, muted=True)


def repetitions(figures: dict[str, Any]) -> None:
    """Near duplicates, and training rows that resemble a held-out row."""
    st.subheader(_("Near duplicates"), anchor=False)
    pairs = figures.get("duplicates") or []
    if pairs:
        _pairs(pairs, {"row": _("row"), "of": _("like row"), "similarity": _("similarity"), "text": _("text")})
    else:
        st.caption(_("None was found, or the step was off."))
    st.subheader(_("Training rows that resemble a held-out row"), anchor=False)
    leaks, count = figures.get("leakage") or [], int(figures.get("leakage_count") or 0)
    if not leaks and not count:
        st.markdown(f"{verdict_icon('ok')} {_('No training row resembles a held-out one.')}")
        return
    st.markdown(
        f"{verdict_icon('warning')} "
        + ngettext(
            "{count} training row resembles a held-out one: the held-out loss looks better than it is.",
            "{count} training rows resemble a held-out one: the held-out loss looks better than it is.",
            count,
        )
    )
    headings = {"train": _("training"), "held_out": _("held out"), "similarity": _("similarity"), "text": _("text")}
    _pairs(leaks, headings)


def _pairs(pairs: list[dict[str, Any]], headings: dict[str, str]) -> None:
    rows = []
    for pair in pairs:
        row = {heading: pair.get(name, "") for name, heading in headings.items()}
        row[headings["similarity"]] = share(float(pair.get("similarity") or 0.0))
        rows.append({heading: value + 1 if type(value) is int else value for heading, value in row.items()})
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        height=min(320, 40 + 35 * len(rows)),
        alt=_("Pairs of rows that are alike."),
    )
