"""What is usual for these numbers: learning rate, rows for the task and their split, and what other steps would do."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from lab.planning.advice import beside_training, data_needed, rate_advice, usual_epochs
from lab.planning.what_if import Difference, WhatIf, what_if
from lab.runs import registry
from lab.runs.home import is_id
from lab.text import N_
from lab.ui import cost_view, words
from lab.ui.estimate import Estimate
from lab.ui.format import duration, gib, learning_rate, number
from lab.ui.language import _

MOST_STEPS = 100_000_000
PLACES = {
    "below": N_("below the least"),
    "minimum": N_("above the least"),
    "recommended": N_("enough"),
    "optimal": N_("ample"),
}
NUMBERS = {
    "effective_batch": N_("Effective batch"),
    "steps": N_("Optimizer steps"),
    "epochs": N_("Epochs"),
    "warmup_steps": N_("Warmup steps"),
    "tokens": N_("Tokens"),
    "learning_rate": N_("Learning rate"),
    "trained_parameters": N_("Trained parameters"),
    "memory_gib": N_("Memory"),
    "time_s": N_("Time"),
    "gpu_hours": N_("Device-hours"),
    "cost": N_("Cost ($)"),
    "energy_kwh": N_("Energy (kWh)"),
}


def rate(now: Estimate) -> None:
    """The usual learning rates for this method and size, the rule for LoRA, and the two nearest published runs."""
    advice = rate_advice(now.made)
    parts = []
    if advice.usual:
        usual = advice.usual
        low, high, default = (learning_rate(each) for each in (usual.low, usual.high, usual.default))
        parts.append(_("Usual here: {low} to {high}; start from {default}.", low=low, high=high, default=default))
    if advice.rule:
        rule = learning_rate(advice.rule)
        parts.append(_("{factor} times the rate of a full fine-tune: {rule}.", factor=advice.rule_factor, rule=rule))
    if advice.nearest:
        runs = "; ".join(f"{one.name} {learning_rate(one.learning_rate)}" for one in advice.nearest)
        parts.append(_("Nearest published: {runs}.", runs=runs))
    if parts:
        st.caption(" ".join(parts))


def data(now: Estimate) -> None:
    """How many rows the task wants, where these stand, how to split them, and epochs to start with."""
    rows, need = now.made.inputs.examples, data_needed(now.spec.task)
    if need is None and not rows:
        return
    st.subheader(_("Data"), anchor=False)
    if need:
        least, enough, ample = (number(each) for each in (need.minimum, need.recommended, need.optimal))
        task, unit = words.task(now.spec.task), _(need.unit)
        st.markdown(
            _("{task} wants {least} {unit} at least, {enough} are enough, {ample} ample.",
              task=task.capitalize(), unit=unit, least=least, enough=enough, ample=ample)
            + (f" {_('Yours: {rows}, {place}.', rows=number(rows), place=_(PLACES[need.place(rows)]))}" if rows else "")
        )  # fmt: skip
        st.caption(" ".join(filter(None, (_(need.note), _("Source: {source}", source=_(need.source))))))
    if rows:
        st.caption(
            _split(now, rows)
            + " "
            + _("Epochs to start with: {epochs}.", epochs=usual_epochs(rows, now.spec.task == "classification"))
        )


def _split(now: Estimate, rows: int) -> str:
    """How the rows are split, or what to hold out beside those that are only planned with."""
    source = now.spec.data.source
    if now.spec.task == "multi-task":
        return _("These are the training rows of all tasks together; each data set brings its own split.")
    if source == "demo" and now.spec.data.examples is None:
        return _("The demo set brings its own split; these rows are its training part.")
    record = registry.dataset(source)["rows"] if is_id(source) and not now.data_error else None
    if record and record.get("train") == rows:
        split = {name: number(record.get(name) or 0) for name in ("train", "validation", "test")}
        return _("Split of this data set: {train} to train, {validation} to validate, {test} to test once.", **split)
    split = {name: number(count) for name, count in beside_training(rows).items()}
    return _("Hold out beside these {train} training rows: {validation} to validate, {test} to test once.", **split)


def what_if_line(now: Estimate) -> None:
    """Another number of steps, and what it saves or costs."""
    if now.made.steps is None:
        return
    with st.container(horizontal=True, vertical_alignment="bottom", key="plan-what-if"):
        st.number_input(
            _("What if: optimizer steps"), value=None, step=1.0, format="%g", key="plan-instead",
            placeholder=number(now.made.steps), persist_state="session", width=210,
        )  # fmt: skip
        typed = st.session_state.get("plan-instead")
        if typed is None or typed == now.made.steps:
            return
        if not 1 <= typed <= MOST_STEPS or typed % 1:
            sentence = _("A whole number from 1 to {most}, please.", most=number(MOST_STEPS))
            st.markdown(f":red[:material/error:] {sentence}", width="stretch")
            return
        steps = int(typed)
        found = what_if(now.made, {"schedule.max_steps": steps}, **cost_view.options())
        st.markdown(_saving(found), width="stretch")
    with st.expander(_("Everything that changes"), type="compact"):
        rows = [(_(NUMBERS[each.name]), _value(each, each.before), _value(each, each.after))
                for each in found.differences()]  # fmt: skip
        st.dataframe(pd.DataFrame(rows, columns=["", _("now"), _("instead")]), hide_index=True, key="plan-changes")


def _saving(found: WhatIf) -> str:
    steps = {"after": number(found.after.steps), "before": number(found.before.steps)}
    before, after = found.costs_before.time_s, found.costs_after.time_s
    if before is None or after is None:
        return _("{after} instead of {before} steps.", **steps)
    time = duration(abs(after - before))
    if after < before:
        return _("{after} instead of {before} steps saves {time}.", **steps, time=f"**{time}**")
    return _("{after} instead of {before} steps takes {time} more.", **steps, time=f"**{time}**")


def _value(each: Difference, value: float | None) -> str:
    if each.name == "time_s":
        return duration(value)
    if each.name == "memory_gib":
        return gib(value)
    if each.name == "learning_rate":
        return learning_rate(value)
    return number(value, 0 if value is None or value >= 1000 or float(value).is_integer() else 2)
