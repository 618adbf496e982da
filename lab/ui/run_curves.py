"""The curves of a run: the loss, raw and smoothed, and the scores of the held-out rows, over the optimizer steps."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from lab.runs.view import RunView, series
from lab.ui import charts, run_numbers
from lab.ui.format import loss
from lab.ui.labelled_view import score_name
from lab.ui.language import _
from lab.ui.run_numbers import SMOOTHING
from lab.ui.theme import colours, stack_colours

MOST_LINES = 4  # that can be told apart
LONGEST_NAME = 16  # characters that fit behind the end of a line on a phone


def loss_chart(view: RunView) -> None:
    """Training loss, raw and smoothed, and validation loss over the optimizer steps."""
    smoothing = SMOOTHING[str(st.session_state.get("run-smoothing") or "light")]
    raw = series(view, "train_loss", 600)
    tone = colours()
    lines: dict[str, tuple[Sequence[charts.Point], str, bool]] = {}
    if smoothing:
        lines["raw"] = (raw, tone.training, True)
    lines[_("training")] = (charts.smooth(raw, smoothing), tone.training, False)
    lines[_("validation")] = (series(view, "eval_loss", 300), tone.validation, False)
    st.subheader(_("Loss"), anchor=False)
    if not raw and not lines[_("validation")][0]:
        st.caption(_("The curve begins with the first optimizer step."))
        st.skeleton(height=260)
        return
    charts.line(
        lines,
        key="run-loss",
        alt=_loss_in_words(view),
        x_title=_("optimizer step"),
        x_max=view.goal,
    )
    _smoothing_choice()


def _smoothing_choice() -> None:
    st.segmented_control(
        _("Smoothing"),
        list(SMOOTHING),
        default="light",
        required=True,
        key="run-smoothing",
        format_func=lambda code: {"none": _("no smoothing"), "light": _("light"), "strong": _("strong")}[code],
        label_visibility="collapsed",
    )


def score_chart(view: RunView) -> None:
    """The scores of the held-out rows over the optimizer steps; drawn only for a run that is scored."""
    curves = {score_name(name): series(view, name, 300) for name in _shown_scores(view)}
    if not curves:
        return
    tones = [colours().validation] if len(curves) == 1 else stack_colours()
    values = [value for points in curves.values() for _step, value in points if value is not None]
    close = bool(values) and max(values) - min(values) < 0.05
    short = max(map(len, curves)) <= LONGEST_NAME
    st.subheader(_("Score on held-out rows"), anchor=False)
    if not short:
        charts.legend(dict(zip(curves, tones, strict=False)))
    charts.line(
        {label: (points, tone, False) for (label, points), tone in zip(curves.items(), tones, strict=False)},
        key="run-scores",
        alt=_("{what} over the optimizer steps.", what=", ".join(curves)),
        x_title=_("optimizer step"),
        y_format=".1%" if close else ".0%",
        height=150,
        x_max=view.goal,
        named=short,
    )


def _shown_scores(view: RunView) -> list[str]:
    """The first score of each task, or the first two of a single one."""
    first: dict[str, list[str]] = {}
    for name in run_numbers.score_names(view):
        first.setdefault(name.rpartition(".")[0], []).append(name)
    if list(first) == [""]:
        return first[""][:2]
    return [names[0] for names in first.values()][:MOST_LINES]


def _loss_in_words(view: RunView) -> str:
    points = [value for _step, value in view.series.get("eval_loss", []) if value is not None]
    if not points:
        return _("Training loss over the optimizer steps.")
    return _(
        "Loss over the optimizer steps; validation loss went from {first} to {last}.",
        first=loss(points[0]),
        last=loss(points[-1]),
    )
