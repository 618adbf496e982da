"""The plan on the screen: inputs, results, findings with their remedy, and how each number came about."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from lab.planning.hardware import hardware
from lab.planning.suggestions import suggestion
from lab.planning.verdicts import Verdict
from lab.spec import setting_at
from lab.text import N_
from lab.ui import charts, draft, estimate, forms, start_form, words
from lab.ui.estimate import Estimate
from lab.ui.format import duration, gib, learning_rate, number, share, tidy_exponents
from lab.ui.language import _, say
from lab.ui.layout import facts, verdict_icon

NUMBERS = ("data.examples", "schedule.per_device_batch", "schedule.accumulation", "resources.devices")
MEMORY_PARTS = {
    "weights_gib": N_("weights"),
    "adapter_gib": N_("weights"),
    "gradients_gib": N_("gradients"),
    "optimizer_gib": N_("optimizer"),
    "activations_gib": N_("activations"),
    "logits_gib": N_("logits and loss"),
    "overhead_gib": N_("runtime"),
}
FIELD_NAMES = {
    "effective_batch": N_("Effective batch"),
    "steps": N_("Optimizer steps"),
    "epochs": N_("Epochs"),
    "warmup_steps": N_("Warmup"),
    "tokens_per_step": N_("Tokens per step"),
    "learning_rate_ratio": N_("Learning-rate ratio"),
}


def inputs() -> str:
    """The recipe, your own numbers, and the rest one click away; returns the device that the plan is for."""
    start_form.recipe_choice()
    length = start_form.length_path()
    forms.group(NUMBERS)
    _length_choice()
    forms.group([length, "schedule.learning_rate"])
    forms.group(["schedule.warmup", "schedule.scheduler"])
    with st.expander(_("Model, method and hardware"), icon=":material/tune:"):
        forms.field("model.source")
        forms.group(["method.name", "method.rank", "data.max_length", "resources.gradient_checkpointing"])
        return _device_choice()


def _length_choice() -> None:
    key = "plan-length"
    st.session_state[key] = "epochs" if start_form.length_path() == "schedule.epochs" else "steps"
    st.segmented_control(
        _("Length of the run"),
        ["epochs", "steps"],
        required=True,
        key=key,
        format_func=lambda code: {"epochs": _("in epochs"), "steps": _("in optimizer steps")}[code],
        on_change=_length_changed,
        args=(key,),
        width="stretch",
    )


def _length_changed(key: str) -> None:
    if st.session_state[key] == "epochs":
        draft.put("schedule.max_steps", None)
    else:
        draft.put("schedule.max_steps", estimate.of(draft.spec()).made.steps or 1000)


def _device_choice() -> str:
    codes = [estimate.HERE, *(code for code, preset in hardware().items() if preset.kind != "cpu")]
    chosen = st.selectbox(
        _("Plan for"),
        codes,
        key="plan-device",
        format_func=lambda code: _("this machine") if code == estimate.HERE else hardware()[code].name,
        help=_("Memory and time are counted for this device."),
        persist_state="session",
    )
    return str(chosen)


def results(now: Estimate) -> None:
    """The answer first: facts, findings, curve, memory, and the way each number was computed."""
    facts(_facts(now))
    verdicts(now)
    st.subheader(_("Learning rate over the run"), anchor=False)
    if now.curve:
        charts.schedule(now.curve, key="plan-schedule", warmup=now.plan["warmup_steps"] or 0)
    else:
        st.caption(_("The curve needs the number of steps: enter the examples, or the length in optimizer steps."))
    st.subheader(_("Memory per device"), anchor=False)
    memory(now)
    st.subheader(_("How the numbers are computed"), anchor=False)
    with st.container(gap="xxsmall"):
        derivations(now)
        published(now)
        tables(now)


def short_facts(now: Estimate) -> None:
    """The numbers that a person should see before the start."""
    every = {row[0]: row for row in _facts(now)}
    shown = [
        _("Effective batch"),
        _("Optimizer steps"),
        _("Trained share"),
        _("Memory"),
        _("Time"),
        _("Epochs"),
    ]
    facts([every[name] for name in shown])


def _facts(now: Estimate) -> list[tuple[str, str, str]]:
    plan, spec = now.plan, now.spec
    size = (spec.schedule.per_device_batch, spec.schedule.accumulation, spec.resources.devices)
    trainable, total = plan["trainable"], plan["memory"]["total_gib"]
    return [
        (_("Effective batch"), number(plan["effective_batch"]), " × ".join(map(number, size))),
        (_("Optimizer steps"), number(plan["steps"]), _examples(plan)),
        (_("Epochs"), number(plan["epochs"], 1 if (plan["epochs"] or 0) % 1 else 0), ""),
        (_("Warmup"), _steps(plan["warmup_steps"]), _share_of(plan["warmup_steps"], plan["steps"])),
        (
            _("Learning-rate ratio"),
            _("{ratio} to 1", ratio=number(now.ratio, 0 if (now.ratio or 0) >= 10 else 1))
            if now.ratio
            else _("not known"),
            _("pre-training to yours"),
        ),
        (
            _("Trained share"),
            share(trainable["share"], 0 if trainable["share"] == 1 else 2),
            _("{count} parameters", count=_short(trainable["parameters"])) if trainable["parameters"] else "",
        ),
        (_("Memory"), gib(total), _memory_note(now)),
        (_("Time"), duration(plan["time_s"]), _time_note(plan)),
    ]


def _examples(plan: dict[str, Any]) -> str:
    count = plan.get("examples")
    return _("{count} examples", count=number(count)) if count else _("number of examples not known")


def _steps(count: int | None) -> str:
    return _("not known") if count is None else _("{count} steps", count=number(count))


def _share_of(part: int | None, whole: int | None) -> str:
    return _("{share} of the run", share=share(part / whole, 1)) if part is not None and whole else ""


def _short(count: int) -> str:
    """A number of parameters as 6.6 M or 1.2 G."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{number(count / size, 1)} {letter}"
    return number(count)


def _memory_note(now: Estimate) -> str:
    size, name = now.limit
    return _("of {size}, {name}", size=gib(size), name=name) if size else _("per device")


def _time_note(plan: dict[str, Any]) -> str:
    if plan["time_s"] is None:
        return ""
    if "throughput" in plan["assumptions"]:
        return _("assumed speed")
    return _("at the speed of an earlier run")


def verdicts(now: Estimate, *, sources: bool = True) -> None:
    """What is worth a second look, each with one button that answers it; what is usual stays in one line."""
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
        st.caption(_("Source: {source}", source=verdict.source))


def change_in_words(change: dict[str, Any]) -> str:
    """A change as the label of the button that makes it."""
    parts = [
        _(
            "{setting} to {value}",
            setting=start_form.in_sentence(_(setting_at(path).label)),
            value=_value(value),
        )
        for path, value in change.items()
    ]
    return _("Set {changes}", changes=_(" and ").join(parts))


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return _("on") if value else _("off")
    if isinstance(value, int):
        return number(value)
    if isinstance(value, float):
        return learning_rate(value) if value < 1e-2 else f"{value:g}"
    return words.choice(str(value))


def apply(change: dict[str, Any]) -> None:
    """Put a change into the draft."""
    for path, value in change.items():
        draft.put(path, value)


def memory(now: Estimate) -> None:
    """The parts of the memory as one bar against the device, or what is missing to know them."""
    terms = {name: value for name, value in now.plan["memory"].items() if name != "total_gib"}
    if any(value is None for value in terms.values()):
        st.caption(_("Memory is not known: the lab knows too little about this model."))
        return
    parts: dict[str, float] = {}
    for name, value in terms.items():
        label = _(MEMORY_PARTS[name])
        parts[label] = parts.get(label, 0.0) + value
    size, device = now.limit
    total = now.plan["memory"]["total_gib"]
    text = _("{total} in all, of {limit} on {device}.", total=gib(total), limit=gib(size), device=device)
    charts.memory_bar(parts, key="plan-memory", limit=size, limit_name=device, alt=text)
    st.caption(text)


def derivations(now: Estimate) -> None:
    """Each number with its formula, its inputs and its source; then what had to be assumed."""
    plan = now.plan
    for name, how in plan["formulas"].items():
        value = now.ratio if name == "learning_rate_ratio" else plan.get(name)
        label = _("{name}: how {value} is computed", name=_(FIELD_NAMES.get(name, name)), value=_plain_number(value))
        with st.expander(label, type="compact", key=f"how-{name}"):
            st.text(_(how["formula"]).replace(" x ", " × "))
            st.text(", ".join(f"{input_name(key)} = {_plain_number(item)}" for key, item in how["inputs"].items()))
            st.caption(_("Source: {source}", source=how["source"]))
    for name, assumed in plan["assumptions"].items():
        label = _("{name}: what is assumed", name=_(ASSUMED.get(name, name)))
        with st.expander(label, type="compact", key=f"assumed-{name}"):
            st.text(_assumed_value(name, assumed["value"]))
            st.caption(_("Source: {source}", source=_(str(assumed["source"]))))


ASSUMED = {"tokens_per_example": N_("Tokens per example"), "throughput": N_("Speed")}


def _assumed_value(name: str, value: float) -> str:
    if name == "throughput":
        return _("{speed} TFLOP/s in use on each device", speed=number(value / 1e12, 1 if value > 1e12 else 3))
    return number(value)


def input_name(code: str) -> str:
    """The name of a formula's input in words."""
    return _(INPUT_NAMES.get(code, "")) or code.replace("_", " ")


INPUT_NAMES = {
    "per_device": N_("batch per device"),
    "devices": N_("devices"),
    "accumulation": N_("gradient accumulation"),
    "examples": N_("examples"),
    "epochs": N_("epochs"),
    "steps": N_("optimizer steps"),
    "batch": N_("effective batch"),
    "warmup": N_("warmup"),
    "tokens_per_example": N_("tokens per example"),
    "pretraining": N_("pre-training rate"),
    "fine_tuning": N_("fine-tuning rate"),
}


def _plain_number(value: Any) -> str:
    if isinstance(value, float) and 0 < abs(value) < 1e-2:
        return learning_rate(value)
    if isinstance(value, int | float):
        return number(value, 0 if float(value).is_integer() or abs(value) >= 1000 else 2 if abs(value) < 10 else 1)
    return _("not known") if value is None else str(value)


def tables(now: Estimate) -> None:
    """What the charts show, as tables."""
    with st.expander(_("Data of the charts"), type="compact"):
        rows = [(_(MEMORY_PARTS[name]), value) for name, value in now.plan["memory"].items() if name in MEMORY_PARTS]
        st.dataframe(pd.DataFrame(rows, columns=[_("part"), "GiB"]), hide_index=True, height=220)
        if now.curve:
            frame = pd.DataFrame(now.curve, columns=[_("optimizer step"), _("Learning rate")])
            st.dataframe(
                frame,
                hide_index=True,
                height=220,
                column_config={_("Learning rate"): st.column_config.NumberColumn(format="%.2e")},
            )


def published(now: Estimate) -> None:
    """Published runs of the same kind nearest in size, with their learning rates."""
    if not now.plan["published"]:
        return
    with st.expander(_("Learning rates of published runs of this kind"), type="compact"):
        frame = pd.DataFrame(now.plan["published"])[["name", "method", "learning_rate", "source"]]
        frame["learning_rate"] = frame["learning_rate"].map(learning_rate)
        frame["method"] = frame["method"].map(words.method)
        frame.columns = [_("Recipe"), _("Method"), _("Learning rate"), _("Source")]
        st.dataframe(frame, hide_index=True)
