"""How each number of a plan came about: formula, inputs and source, what was assumed, and the charts as tables."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from lab.text import N_
from lab.ui import words
from lab.ui.estimate import Estimate
from lab.ui.format import duration, gib, learning_rate, number, share
from lab.ui.language import _

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
    "packs": N_("Packs"),
    "learning_rate_ratio": N_("Learning-rate ratio"),
    "tokens_per_s": N_("Tokens per second"),
}
FLOPS_SOURCE = N_(
    "counted with torch's FlopCounterMode: 6 per weight for a full fine-tune, 4 per weight and 6 per trained parameter "
    "for an adapter, and attention"
)
ASSUMED = {"tokens_per_example": N_("Tokens per example"), "throughput": N_("Speed"), "packs": N_("Packs")}
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
    "tokens": N_("tokens"),
    "room": N_("tokens that stay free"),
    "max_length": N_("maximum length"),
    "pretraining": N_("pre-training rate"),
    "fine_tuning": N_("fine-tuning rate"),
    "flops": N_("operations per token"),
    "peak": N_("operations per second at most"),
    "used_share": N_("share of them in use"),
    "pass_s": N_("seconds per pass"),
    "pass_tokens": N_("tokens per pass"),
    "token_s": N_("seconds per token"),
}


def derivations(now: Estimate) -> None:
    """Each number with its formula, its inputs and its source; then what had to be assumed."""
    derived(now.plan, key="plan", ratio=now.ratio)


def derived(plan: dict[str, Any], *, key: str, ratio: float | None = None) -> None:
    """The same for a plan as it is stored with a run; `key` keeps two of them apart on the screen."""
    for name, how in (plan.get("formulas") or {}).items():
        value = ratio if name == "learning_rate_ratio" else plan.get(name)
        label = _("{name}: how {value} is computed", name=_(FIELD_NAMES.get(name, name)), value=_plain_number(value))
        with st.expander(label, type="compact", key=f"how-{key}-{name}"):
            st.text(_(how["formula"]).replace(" x ", " × "))
            st.text(", ".join(f"{input_name(of)} = {_plain_number(item)}" for of, item in how["inputs"].items()))
            st.caption(_("Source: {source}", source=_(str(how["source"]))))
            if "flops" in how["inputs"]:
                operations = input_name("flops")
                st.caption(f"{operations}: " + _("Source: {source}", source=_(FLOPS_SOURCE)))
    _memory_parts(plan, key)
    _speed_and_time(plan, key)
    for name, assumed in (plan.get("assumptions") or {}).items():
        label = _("{name}: what is assumed", name=_(ASSUMED.get(name, name)))
        with st.expander(label, type="compact", key=f"assumed-{key}-{name}"):
            st.text(_assumed_value(name, assumed["value"]))
            st.caption(_("Source: {source}", source=_source_of(assumed)))


def _memory_parts(plan: dict[str, Any], key: str) -> None:
    """The parts of the memory, each with what it is counted from."""
    parts, sources = plan.get("memory") or {}, plan.get("memory_sources") or {}
    if parts.get("total_gib") is None:
        return
    label = _("{name}: how {value} is computed", name=_("Memory"), value=gib(parts["total_gib"]))
    with st.expander(label, type="compact", key=f"how-{key}-memory"):
        for name, size in parts.items():
            if name in MEMORY_PARTS and size is not None:
                label = _("adapter") if name == "adapter_gib" else _(MEMORY_PARTS[name])
                with st.container(gap=None):
                    st.markdown(f"{label}: **{gib(size) if size else _('under 1 MiB')}**")
                    st.caption(_(str(sources.get(name, ""))))


def _speed_and_time(plan: dict[str, Any], key: str) -> None:
    """Speed from the operations of a token, and time from the speed."""
    speed, flops, tokens = plan.get("tokens_per_s"), plan.get("flops_per_token"), plan.get("tokens")
    assumed = (plan.get("assumptions") or {}).get("throughput")
    if speed is None:
        return
    if "tokens_per_s" not in (plan.get("formulas") or {}):
        _speed(speed, flops, assumed, key)
    if tokens is not None and plan.get("time_s") is not None:
        label = _("{name}: how {value} is computed", name=_("Time"), value=duration(plan["time_s"]))
        with st.expander(label, type="compact", key=f"how-{key}-time"):
            st.text(_("optimizer steps × tokens per step / tokens per second"))
            st.text(f"{number(plan['steps'])} × {_plain_number(plan['tokens_per_step'])} / {_plain_number(speed)}")
            st.caption(_("Loading, evaluations and saving come on top."))


def _speed(speed: float, flops: float | None, assumed: dict[str, Any] | None, key: str) -> None:
    label = _("{name}: how {value} is computed", name=_("Tokens per second"), value=_plain_number(speed))
    with st.expander(label, type="compact", key=f"how-{key}-speed"):
        if assumed is None:
            st.text(_("The speed of the newest run on this machine with this model and method."))
        elif flops is not None:
            st.text(_("operations per second in use / operations per token"))
            st.text(f"{_assumed_value('throughput', assumed['value'])} / {number(flops / 1e6, 1)} MFLOP")
            st.caption(_("Source: {source}", source=_(FLOPS_SOURCE)))


def _source_of(assumed: dict[str, Any]) -> str:
    """Where an assumed number comes from; a source of several parts is put together in the visitor's language."""
    if not assumed.get("template"):
        return _(str(assumed["source"]))
    values = {name: _(value) if isinstance(value, str) else share(value) for name, value in assumed["values"].items()}
    return _(str(assumed["template"]), **values)


def _assumed_value(name: str, value: float) -> str:
    if name == "throughput":
        return _("{speed} TFLOP/s in use on each device", speed=number(value / 1e12, 1 if value > 1e12 else 3))
    return number(value)


def input_name(code: str) -> str:
    """The name of a formula's input in words."""
    return _(INPUT_NAMES.get(code, "")) or code.replace("_", " ")


def _plain_number(value: Any) -> str:
    if isinstance(value, float) and 0 < abs(value) < 1e-2:
        return learning_rate(value)
    if isinstance(value, int | float):
        return number(
            value,
            0
            if float(value).is_integer() or abs(value) >= 1000
            else 3
            if abs(value) < 0.1
            else 2
            if abs(value) < 10
            else 1,
        )
    return _("not known") if value is None else str(value)


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
