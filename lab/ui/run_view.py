"""The live screen of one run: what happens now, the curves, what the model says, and everything behind it."""

from __future__ import annotations

import html
import time
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import streamlit as st

from lab import spec as specs
from lab.catalogue.recipes import recipe, run_spec
from lab.errors import NotFoundError, from_dict
from lab.review.labelled import NAMES
from lab.runs import registry
from lab.runs.view import RunView, Sample, read_run, series
from lab.ui import charts, words
from lab.ui.format import duration, gib, learning_rate, loss, number, share
from lab.ui.forms import plain
from lab.ui.labelled_view import score_name
from lab.ui.language import _, ngettext, say
from lab.ui.layout import error_card, facts, said
from lab.ui.run_list import short_source, title_of
from lab.ui.theme import colours

SMOOTHING = {"none": 0.0, "light": 0.6, "strong": 0.9}


def subtitle(view: RunView) -> str:
    """Model, method and data in one line."""
    spec = view.spec
    if spec is None:
        return ""
    parts = [
        short_source(spec.model.source),
        words.method(spec.method.name, spec.method.rank),
        registry.name_of(spec.data.source),
        _("started {time}", time=time.strftime("%Y-%m-%d %H:%M", time.localtime(view.row.created))),
    ]
    if view.directory.request.get("until_step"):
        parts.append(_("short run"))
    return " · ".join(plain(part) for part in parts)


def status_card(view: RunView) -> None:
    """Phases, progress, time left and the six numbers that matter."""
    with st.container(border=True):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.html(_phase_line(view), width="stretch")
            if view.state == "queued":
                st.text(_waiting(view), width="content")
            else:
                st.markdown(_time_line(view), width="content")
        st.progress(_done(view))
        facts(_numbers(view))


def outcome(view: RunView) -> None:
    """How the run ended, why, and what to do next."""
    if view.state == "failed" and view.error:
        error_card(from_dict(view.error))
    elif view.state in ("failed", "interrupted", "cancelled") and view.reason:
        st.warning(say(view.reason), icon=":material/info:")
    for diagnosis in view.diagnoses:
        box = st.error if diagnosis.get("level") == "error" else st.warning
        box(say(diagnosis), icon=":material/insights:")
    result = view.result or {}
    if result.get("ended") == "short":
        _prediction(result)


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
        st.caption(_("The curve begins with the first evaluation, before the first optimizer step."))
        st.skeleton(height=260)
        return
    charts.line(
        lines,
        key="run-loss",
        alt=_loss_in_words(view),
        x_title=_("optimizer step"),
        x_max=view.progress.get("steps"),
    )
    st.segmented_control(
        _("Smoothing"),
        list(SMOOTHING),
        default="light",
        required=True,
        key="run-smoothing",
        format_func=lambda code: {"none": _("no smoothing"), "light": _("light"), "strong": _("strong")}[code],
        label_visibility="collapsed",
    )


def samples_panel(view: RunView) -> None:
    """One held-out prompt and what the model answered to it at each evaluation."""
    st.subheader(
        _("What it says"),
        anchor=False,
        help=_("A held-out prompt, answered again at each evaluation; never trained on."),
    )
    if not view.samples:
        st.caption(_("The first answers come before the first optimizer step."))
        st.skeleton(height=220)
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
    if answers[-1].reference:
        with st.expander(_("The right answer"), icon=":material/menu_book:"):
            said(answers[-1].reference)


def details(view: RunView) -> None:
    """Speed and learning rate, log, settings, and checkpoints, each one click away."""
    speed, log, settings, checkpoints, table = st.tabs(
        [_("Speed and learning rate"), _("Log"), _("Settings"), _("Checkpoints"), _("Data of the charts")],
        key="run-tabs",
        on_change="rerun",
    )
    if speed.open:
        with speed:
            _speed(view)
    if log.open:
        with log:
            st.code(view.directory.log_text(tail=200) or _("Nothing was printed yet."), language=None, height=320)
    if settings.open:
        with settings:
            _settings(view)
    if checkpoints.open:
        with checkpoints:
            _checkpoints(view)
    if table.open:
        with table:
            _table(view)


def _phase_line(view: RunView) -> str:
    known = {phase.name: phase for phase in view.phases}
    order = words.TRAIN_PHASES
    now = order.index(view.phase) if view.phase in order else len(order)
    parts = []
    for place, name in enumerate(order):
        label = html.escape(words.phase(name))
        phase = known.get(name)
        if phase is None or place > now:  # the base model is asked before the training: more of that phase is to come
            parts.append(f'<span class="todo">{label}</span>')
        elif name == view.phase:
            parts.append(f'<span class="now">● {label}</span>')
        elif phase.status == "stopped":
            parts.append(f'<span class="todo">■ {label}</span>')
        else:
            parts.append(f'<span class="done">✓ {label} {html.escape(duration(phase.seconds))}</span>')
    return f'<div class="lab-flow">{" <span class=todo>→</span> ".join(parts)}</div>'


def _time_line(view: RunView) -> str:
    if view.ended:
        total = (view.result or {}).get("seconds", {}).get("total")
        text = f"{words.STATE_ICONS[view.state]} **{words.state(view.state)}**"
        return text + (f" :gray[· {duration(total)}]" if total else "")
    eta = view.progress.get("eta_s")
    if eta is None:
        return f"**{words.state(view.state)}**"
    finish = time.strftime("%H:%M", time.localtime(time.time() + eta))
    return f"**{_('{time} left', time=duration(eta))}** :gray[· {_('done at {time}', time=finish)}]"


def _waiting(view: RunView) -> str:
    """What a run waits for, and how many others wait before it; names are a person's, so this is never Markdown."""
    holder, before = view.waits_for, view.queue_place
    text = _("waits for {run}", run=title_of(read_run(holder.id))) if holder else _("waits for the device")
    if before:
        text += " · " + ngettext("{count} run before it", "{count} runs before it", before)
    return text


def _done(view: RunView) -> float:
    return 1.0 if view.state == "succeeded" else min(1.0, float(view.progress.get("done") or 0.0))


def _numbers(view: RunView) -> list[tuple[str, str, str]]:
    progress, latest, plan, result = view.progress, view.latest, view.plan, view.result or {}
    step, steps = progress.get("step"), view.goal
    raw = series(view, "train_loss", 600)
    smoothed = [value for _step, value in charts.smooth(raw, SMOOTHING["light"]) if value is not None]
    best = min(((value, at) for at, value in view.series.get("eval_loss", []) if value is not None), default=None)
    scores = [(score_name(name), share(latest[name])) for name in _score_names(view)][:1]
    memory = result.get("peak_memory_gib") or latest.get("memory_gib")
    planned = (plan.get("memory") or {}).get("total_gib")
    return [
        (
            _("Step"),
            _("{step} of {steps}", step=number(step or 0), steps=number(steps)),
            _epoch(view),
        ),
        (_("Training loss"), loss(smoothed[-1] if smoothed else None), _("smoothed") if smoothed else ""),
        (
            _("Validation loss"),
            loss(latest.get("eval_loss")),
            _("best {loss} at step {step}", loss=loss(best[0]), step=number(best[1])) if best else "",
        ),
        *((label, value, "") for label, value in scores),
        (_("Speed"), _speed_text(progress.get("tokens_per_s")), _planned_speed(view)),
        (_("Peak memory"), gib(memory), _("plan {size}", size=gib(planned)) if planned else ""),
        # Beside a score it would stand in a row of its own; it is drawn as a curve below.
        *([] if scores else [(_("Learning rate"), learning_rate(latest.get("learning_rate")), _peak_rate(view))]),
    ]


def _score_names(view: RunView) -> list[str]:
    """The scores of a run with labels among its metrics, the first of each task first."""
    return [name for name in view.latest if name.rpartition(".")[2] in NAMES]


def _epoch(view: RunView) -> str:
    epoch, epochs = view.progress.get("epoch"), view.plan.get("epochs")
    if epoch is None or not epochs:
        return ""
    if view.directory.request.get("until_step"):  # a short run never sees the plan's last epoch
        return _("epoch {epoch}", epoch=number(epoch, 2))
    return _("epoch {epoch} of {epochs}", epoch=number(epoch, 2), epochs=number(epochs, 1))


def _speed_text(tokens_per_s: float | None) -> str:
    return _("{count} tok/s", count=number(tokens_per_s)) if tokens_per_s else _("not known")


def _planned_speed(view: RunView) -> str:
    planned = view.plan.get("tokens_per_s")
    return _("plan {count}", count=number(planned)) if planned else ""


def _peak_rate(view: RunView) -> str:
    spec = view.spec
    if spec is None:
        return ""
    return _(
        "{scheduler}, peak {rate}", scheduler=spec.schedule.scheduler, rate=learning_rate(spec.schedule.learning_rate)
    )


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


def _loss_in_words(view: RunView) -> str:
    points = [value for _step, value in view.series.get("eval_loss", []) if value is not None]
    if not points:
        return _("Training loss over the optimizer steps.")
    return _(
        "Loss over the optimizer steps; validation loss went from {first} to {last}.",
        first=loss(points[0]),
        last=loss(points[-1]),
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
        rows.append(f'<tr class="{css}"><td>{steps}</td><td>{html.escape(last.text)}{mark}</td></tr>')
    header = f"<tr><th>{html.escape(_('step'))}</th><th>{html.escape(_('answer'))}</th></tr>"
    return f'<table class="lab-answers">{header}{"".join(rows)}</table>'


def _speed(view: RunView) -> None:
    tone = colours()
    for name, label, form in (
        ("learning_rate", _("Learning rate"), ".1e"),
        ("tokens_per_s", _("Tokens per second"), ",.0f"),
        ("grad_norm", _("Gradient norm"), ".2f"),
        ("rewards/margins", _("Margin of the better answers"), ".2f"),
        ("rewards/accuracies", _("Share of a batch in which the better answer is preferred"), ".2f"),
    ):
        points = series(view, name, 500)
        if points:
            st.caption(label)
            charts.line(
                {"": (points, tone.base, False)},
                key=f"run-{name}",
                alt=_("{what} over the optimizer steps.", what=label),
                x_title=_("optimizer step"),
                y_format=form,
                height=130,
                x_max=view.progress.get("steps"),
            )


def _settings(view: RunView) -> None:
    spec = view.spec
    if spec is None:
        return
    st.caption(_("The same run on the command line:"))
    st.code(f"python -m lab train --spec {view.directory.path / 'spec.yaml'}", language=None, wrap_lines=True)
    if spec.recipe:
        try:
            differences = specs.difference(run_spec(recipe(spec.recipe)), spec)
        except NotFoundError:
            differences = {}
        rows = [
            {"setting": path, "recipe": str(before), "run": str(after)}
            for path, (before, after) in differences.items()
            if path not in ("name", "recipe")
        ]
        st.caption(_("Difference from the recipe:") if rows else _("As the recipe has it."))
        if rows:
            st.dataframe(rows, hide_index=True)
    with st.expander("spec.yaml", icon=":material/description:"):
        st.code(specs.dump(spec), language="yaml")


def _checkpoints(view: RunView) -> None:
    sealed = view.directory.sealed_checkpoints()
    if not sealed:
        st.caption(_("No checkpoint is sealed yet."))
        return
    st.caption(_("Each is sealed with the size and sha256 of its files; a run resumes from the newest that verifies."))
    st.dataframe(
        [
            {
                _("step"): checkpoint.step,
                _("size"): gib(sum(file.stat().st_size for file in checkpoint.path.iterdir()) / 2**30),
            }
            for checkpoint in sealed
        ],
        hide_index=True,
        width="content",
    )


def _table(view: RunView) -> None:
    steps: dict[int, dict[str, float | None]] = {}
    for name, points in view.series.items():
        for step, value in points:
            steps.setdefault(step, {})[name] = value
    rows = [{"step": step, **values} for step, values in sorted(steps.items())]
    st.dataframe(rows, hide_index=True, height=320)


def finished_facts(view: RunView) -> list[tuple[str, str, str]]:
    """Before and after, in three numbers, for the card of a finished run."""
    final = (view.result or {}).get("final", {})
    before, after = final.get("eval_loss_before"), final.get("eval_loss")
    fall = share(1 - after / before) if before and after is not None else ""
    return [
        (_("Held-out loss"), f"{loss(before)} → {loss(after)}", _("{share} lower", share=fall) if fall else ""),
        *_scores_or_perplexity(final),
    ]


def _scores_or_perplexity(final: dict[str, Any]) -> list[tuple[str, str, str]]:
    scores, before = final.get("scores"), final.get("scores_before") or {}
    if not scores:
        return [(_("Perplexity"), number(final.get("perplexity"), 2), "")]
    return [(score_name(name), f"{share(before.get(name))} → {share(value)}", "") for name, value in scores.items()][:3]
