"""What a run's plan said beside what was measured, how the plan's numbers came about, and what made the run fast."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import NamedTuple

import streamlit as st

from lab.runs.view import RunView
from lab.ui import plan_details, speed_words
from lab.ui.format import duration, gib, number, share
from lab.ui.language import _

FEW_STEPS = 10  # after so many the worker, too, notes what the training takes


class Compared(NamedTuple):
    """One number of a run: what it is, planned, measured, and the two as numbers where they can be compared."""

    label: str
    planned: str
    measured: str
    of_plan: float | None = None


def panel(view: RunView) -> None:
    """The plan beside the measurement, then each number of the plan with its formula, inputs and source."""
    if not view.plan.get("steps"):
        st.caption(_("This run has no plan: nothing was computed before its start."))
    else:
        st.html(_table(compared(view)))
        st.caption(
            _(
                "Measured: memory is the peak of the worker's process on a CPU, of what torch allocated on a GPU; "
                "speed counts real tokens, without padding, over the last 50 steps; evaluations are not in it."
            )
        )
        own = " " + _("After ten steps the run's own plan is meant, for what it really uses.")
        said = _("The plan was made before the start.") + (own if _planned_by_the_run(view) else "")
        st.caption(said + " " + _("How its numbers come about:"))
        with st.container(gap="xxsmall"):
            plan_details.derived(view.plan, key="run")
    _speed_used(view)


def compared(view: RunView) -> list[Compared]:
    """Memory, time, speed and sizes of a run, planned and measured."""
    plan, result = view.plan, view.result or {}
    memory = (plan.get("memory") or {}).get("total_gib")
    peak = result.get("peak_memory_gib") or view.latest.get("memory_gib")
    speed = (result.get("throughput") or {}).get("tokens_per_s") or view.progress.get("tokens_per_s")
    planned_time, trained_for = _time_of(view), _trained_for(view)
    each = _tokens_of_a_step(view)
    missing = _("not measured") if view.ended else _("not measured yet")
    trainable = [(one.get("trainable") or {}).get("parameters") for one in (plan, result)]
    numbers: list[tuple[str, float | None, float | None, Callable[..., str]]] = [
        (_("Peak memory after ten steps"), _planned_by_the_run(view) or memory, after_ten_steps(view), _size),
        (_("Peak memory"), memory, peak, _size),
        (_("Time of the training"), planned_time, trained_for, duration),
        (_("Tokens per second"), plan.get("tokens_per_s"), speed, number),
        (_("Tokens per step"), plan.get("tokens_per_step"), each, number),
        (_("Examples"), plan.get("examples"), result.get("examples"), number),
        (_("Trained parameters"), trainable[0], trainable[1], number),
    ]
    rows = [_row(*entry, missing) for entry in numbers]
    return [row for row in rows if row is not None]


def _planned_by_the_run(view: RunView) -> float | None:
    """What the worker itself counted on, in GiB: the plan for what it really uses, and the longest examples."""
    points = view.series.get("memory_planned_gib") or []
    return next((value for _step, value in reversed(points) if value is not None), None)


def after_ten_steps(view: RunView) -> float | None:
    """The peak memory in GiB at the tenth optimizer step; None before it, and for a run of fewer."""
    points = view.series.get("memory_peak_gib") or view.series.get("memory_gib") or []
    return next((value for step, value in points if step >= FEW_STEPS and value is not None), None)


def _row(
    label: str, planned: float | None, measured: float | None, write: Callable[..., str], missing: str
) -> Compared | None:
    """A row of the table; None where neither number is known."""
    if planned is None and measured is None:
        return None
    said = missing if measured is None else write(measured)
    ratio = measured / planned if planned and measured is not None else None
    return Compared(label, write(planned), said, ratio)


def _size(value: float | None) -> str:
    """GiB with two digits after the point, so that two near sizes can be told apart."""
    return f"{number(value, 2)} GiB" if value is not None and value >= 1 else gib(value)


def _time_of(view: RunView) -> float | None:
    """The planned seconds of the steps that this run makes: a short run makes only its own."""
    whole, steps, goal = view.plan.get("time_s"), view.plan.get("steps"), view.goal
    return None if whole is None else whole * min(1.0, goal / steps) if steps and goal else whole


def _trained_for(view: RunView) -> float | None:
    """Seconds that the steps took; of a run that has not ended nothing, for it is not over."""
    seconds = (view.result or {}).get("seconds") or {}
    return seconds.get("train")


def _tokens_of_a_step(view: RunView) -> float | None:
    tokens, step = view.progress.get("tokens"), view.progress.get("step")
    return tokens / step if tokens and step else None


def _of_plan(ratio: float | None) -> str:
    if ratio is None or abs(ratio - 1) < 0.005:
        return ""
    if ratio >= 2:
        return _("{times} times the plan", times=number(ratio, 1))
    return _("{share} of the plan", share=share(ratio))


def _table(rows: list[Compared]) -> str:
    planned, measured = _("Planned"), _("Measured")
    head = "".join(f"<th>{html.escape(name)}</th>" for name in (planned, measured))
    lines = [f"<thead><tr><td></td>{head}</tr></thead><tbody>"]
    for row in rows:
        cells = "".join(
            f'<td data-of="{html.escape(name)}"><span>{html.escape(value)}</span>{note}</td>'
            for name, value, note in ((planned, row.planned, ""), (measured, row.measured, _note(row.of_plan)))
        )
        lines.append(f"<tr><th>{html.escape(row.label)}</th>{cells}</tr>")
    return f'<table class="lab-compare lab-even">{"".join(lines)}</tbody></table>'


def _note(ratio: float | None) -> str:
    text = _of_plan(ratio)
    return f"<small>{html.escape(text)}</small>" if text else ""


def _speed_used(view: RunView) -> None:
    """Which of the settings of `speed` were really used, and why the others were not."""
    st.subheader(_("What made it fast"), anchor=False)
    if view.result is None:
        st.caption(_("Which of the settings of Speed were really used is told when the run has ended."))
        return
    rows = speed_words.used(view.result)
    if not rows:
        st.caption(_("This run recorded nothing of the settings of Speed: it was trained on padded batches."))
        return
    st.html(_used_table(rows))
    for sentence in speed_words.besides(view.result):
        st.caption(sentence)


def _used_table(rows: list[speed_words.Used]) -> str:
    lines = []
    for row in sorted(rows, key=lambda row: not row.used):  # what was used comes first
        mark, css = (("✓ " + _("used")), ' class="used"') if row.used else (_("not used"), "")
        why = f"<small>{html.escape(row.why)}</small>" if row.why else ""
        lines.append(
            f"<tr{css}><th>{html.escape(row.label)}<small>{html.escape(row.help)}</small></th>"
            f"<td><span>{html.escape(mark)}</span>{why}</td></tr>"
        )
    return f'<table class="lab-compare lab-used"><tbody>{"".join(lines)}</tbody></table>'
