"""The live screen of one run: what happens now, the curves, what the model says, and everything behind it."""

from __future__ import annotations

import html
import time
from itertools import groupby

import streamlit as st

from lab.errors import from_dict
from lab.runs import registry
from lab.runs.view import RunView, Sample
from lab.spec import RunSpec
from lab.ui import run_numbers, words
from lab.ui.format import duration, gib
from lab.ui.forms import plain
from lab.ui.labelled_view import said_label
from lab.ui.language import _, say
from lab.ui.layout import error_card, facts, said
from lab.ui.run_list import short_source

MOST_NOTES = 3  # that stand under the numbers of a run


def subtitle(view: RunView) -> str:
    """Task, model, method and data in one line; of a run whose settings cannot be read, when it was started."""
    spec = view.spec
    started = _("started {time}", time=time.strftime("%Y-%m-%d %H:%M", time.localtime(view.row.created)))
    parts = [started]
    if spec is not None:
        parts = [
            *([words.task(spec.task)] if spec.task != "causal-lm" else []),
            short_source(spec.model.source),
            words.method(spec.method.name, spec.method.rank),
            _data_name(spec),
            started,
        ]
    if view.directory.request.get("until_step"):
        parts.append(_("short run"))
    return " · ".join(plain(part) for part in parts)


def _data_name(spec: RunSpec) -> str:
    """What the run learned from; of several tasks each one's data set."""
    if spec.task != "multi-task":
        return registry.name_of(spec.data.source)
    return ", ".join(registry.name_of(source) for source in spec.tasks.sources.values())


def unread_spec(view: RunView) -> None:
    """Why the settings of a run cannot be read; everything else of it is still there."""
    if view.spec_error is None:
        return
    with st.container(border=True, key="run-unread"):
        st.markdown(
            ":orange[:material/warning:] **"
            + _("The settings of this run cannot be read: another version of the lab wrote them, or they were edited.")
            + "**"
        )
        st.caption(_("What it learned is still here. It cannot be resumed or continued by this version."))
        with st.expander(_("What cannot be read"), type="compact"):
            error_card(view.spec_error)


def status_card(view: RunView) -> None:
    """Phases, progress, time left and the six numbers that matter."""
    with st.container(border=True):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.html(run_numbers.phase_line(view), width="stretch")
            if view.state == "queued":
                st.text(run_numbers.waiting(view), width="content")
            else:
                st.markdown(run_numbers.time_line(view), width="content")
        st.progress(run_numbers.done(view))
        facts(run_numbers.numbers(view))


def outcome(view: RunView) -> None:
    """How the run ended, why, and what to do next."""
    if view.state == "failed" and view.error:
        error_card(from_dict(view.error))
    elif view.state in ("failed", "interrupted", "cancelled") and view.reason:
        st.warning(say(view.reason), icon=":material/info:")
    for diagnosis in view.diagnoses:
        box = st.error if diagnosis.get("level") == "error" else st.warning
        box(say(diagnosis), icon=":material/insights:")
    _notes(view)
    result = view.result or {}
    if result.get("ended") == "short":
        _prediction(result)


def _notes(view: RunView) -> None:
    """What the run changed or found by itself, each once and warnings first; all of it stands with the log."""
    warnings, others = notes_of(view)
    with st.container(gap="xxsmall"):
        for text in warnings:
            st.markdown(":orange[:material/warning:] " + plain(text))
        for text in others[-MOST_NOTES:]:
            st.caption(":material/info: " + plain(text))


def notes_of(view: RunView) -> tuple[list[str], list[str]]:
    """The warnings of a run and its other notes, each once: a resumed attempt finds much of it again."""
    different = {say(note): note.get("level") == "warning" for note in view.notes}
    warnings = [text for text, is_warning in different.items() if is_warning]
    return warnings, [text for text in different if text not in warnings]


def samples_panel(view: RunView) -> None:
    """One held-out prompt and what the model answered to it at each evaluation."""
    spec = view.spec
    scores_only = spec is not None and spec.task == "preference" and spec.preference.method == "reward"
    st.subheader(
        _("Which answer it prefers") if scores_only else _("What it says"),
        anchor=False,
        help=_("A held-out prompt, answered again at each evaluation; never trained on."),
    )
    if not view.samples:
        _no_samples(view)
        return
    indexes = list(view.samples)
    chosen = st.segmented_control(
        _("Prompt"),
        indexes,
        default=indexes[0],
        required=True,
        key="run-prompt",
        format_func=lambda index: str(indexes.index(index) + 1) if index in indexes else str(index),
        label_visibility="collapsed",
    )
    answers = view.samples.get(chosen if chosen in view.samples else indexes[0], [])
    said(answers[-1].prompt)
    st.html(_answer_table(answers))
    if answers[0].step > 0 and not view.ended:
        st.caption(_("What the base model says comes after the training."))
    if answers[-1].reference:
        with st.expander(_("The right answer"), icon=":material/menu_book:"):
            said(said_label(answers[-1].reference))


def _no_samples(view: RunView) -> None:
    """An empty place: answers are still to come, or this run gives none."""
    if view.ended or (view.spec is not None and not view.spec.evaluation.samples):
        st.caption(_("This run keeps no answers; its curves and scores tell how it went."))
        return
    st.caption(_("The first answers come with the first evaluation; those of the base model, after the training."))
    st.skeleton(height=220)


def _prediction(result: dict[str, object]) -> None:
    prediction = result.get("prediction") or {}
    if not isinstance(prediction, dict) or not prediction:
        return
    with st.container(border=True):
        st.markdown(f"**{_('What the full run would take')}**")
        facts(
            [
                (
                    _("Time"),
                    duration(prediction.get("full_time_s")),
                    _("plan {time}", time=duration(prediction.get("plan_time_s"))),
                ),
                (
                    _("Memory"),
                    gib(prediction.get("full_memory_gib")),
                    _("plan {size}", size=gib(prediction.get("plan_memory_gib"))),
                ),
            ]
        )


def _answer_table(answers: list[Sample], most: int = 7) -> str:
    """The answers by step; steps in a row that say the same share one line, and the first line always stays."""
    spans = [list(same) for _text, same in groupby(answers, key=lambda answer: (answer.text, answer.stopped))]
    if len(spans) > most:
        spans = spans[:1] + spans[1 - most :]
    rows = []
    for span in spans:
        first, last = span[0], span[-1]
        steps = str(first.step) if first is last else f"{first.step}–{last.step}"
        mark = "" if last.stopped else f' <span class="lab-end">{html.escape(_("did not stop"))}</span>'
        css = "last" if span is spans[-1] else "lab-muted"
        rows.append(f'<tr class="{css}"><td>{steps}</td><td>{html.escape(said_label(last.text))}{mark}</td></tr>')
    header = f"<tr><th>{html.escape(_('step'))}</th><th>{html.escape(_('answer'))}</th></tr>"
    return f'<table class="lab-answers">{header}{"".join(rows)}</table>'
