"""The review of a run with labels: scores before and after, each class, and which is taken for which."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from lab.review.labelled import NAMES, Part, Score
from lab.ui import review_words
from lab.ui.format import loss, number, share
from lab.ui.language import _
from lab.ui.layout import facts

MOST_CONFUSED = 30  # classes of a confusion matrix that can still be read


def figures(parts: list[Part], unit: str) -> None:
    """The tasks of a run below each other; `unit` is what the rows of a single one are called."""
    for part in parts:
        _part(part, unit)


def score_name(name: str) -> str:
    """A score's name as a person reads it; that of a task among several keeps the task's name."""
    task, _dot, last = name.rpartition(".")
    known = _(NAMES[last]) if last in NAMES else last
    return f"{task}: {known}" if task else known


def said_label(text: str) -> str:
    """What a model with labels said, as a person reads it: a sentence without marked words is not an O."""
    return _("nothing marked") if text == "O" else text


def _part(part: Part, unit: str) -> None:
    with st.container(border=True):
        if part.name:
            st.markdown(f"**{part.name}**")
        before, after = part.loss
        rows = [(_("Held-out loss"), f"{loss(before)} → {loss(after)}", "")]
        rows += [
            (score_name(score.name), f"{share(score.before)} → {share(score.after)}", _sure(score))
            for score in part.scores
        ]
        if part.margin != (None, None):
            rows.append((_("Margin of the better answers"), f"{loss(part.margin[0])} → {loss(part.margin[1])}", ""))
        facts(rows, width=170)
        caption = review_words.held_out(unit, part.count)
        if part.majority is not None:
            caption += " · " + _("always giving the most frequent label: {share} right", share=share(part.majority))
        st.caption(caption)
    if part.classes or part.confusion:
        with st.expander(_("Each label"), icon=":material/table_chart:"):
            _classes(part)
            _confusion(part)


def _sure(score: Score) -> str:
    if score.low is None or score.high is None:
        return ""
    return _("95 % sure: {low} to {high}", low=share(score.low), high=share(score.high))


def _classes(part: Part) -> None:
    st.dataframe(
        [
            {
                _("label"): str(row.get("label", "")),
                _("precision"): number(row.get("precision"), 3),
                _("recall"): number(row.get("recall"), 3),
                _("F1"): number(row.get("f1"), 3),
                _("rows"): int(row.get("support") or 0),
            }
            for row in part.classes
        ],
        hide_index=True,
        width="content",
        column_config={
            _(name): st.column_config.TextColumn(_(name), alignment="right") for name in ("precision", "recall", "F1")
        },
    )


def _confusion(part: Part) -> None:
    if not part.confusion or len(part.labels) > MOST_CONFUSED:
        return
    st.caption(_("Which label (row) was taken for which (column):"))
    st.dataframe(pd.DataFrame(part.confusion, index=part.labels, columns=part.labels), width="content")
