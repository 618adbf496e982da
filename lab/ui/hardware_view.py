"""The same run on other hardware: what fits, how long it takes and what it costs."""

from __future__ import annotations

import re

import streamlit as st

from lab.planning.hardware import Hardware, hardware
from lab.ui import cost_view, estimate, fit_view, hardware_chart, own_gpu, plan_findings, plan_view
from lab.ui.estimate import Estimate
from lab.ui.format import gib, number
from lab.ui.hardware_chart import LINE, Size
from lab.ui.language import _

ANY_GPU = "h100"  # the terms of the memory are the same on every GPU
_ONE_LINE = 4  # from so many names on, a row of the chart has two lines
_BESIDE_THE_NAME = re.compile(r"^(NVIDIA|AMD Instinct) | \d+ GB( SXM2)?$")


def machines(now: Estimate) -> None:
    """The device, then time and cost on it, what fits on it, and all the others."""
    plan_findings.former_values()
    device_choice()
    _figures(now.made.inputs.hardware)
    cost_view.speed_and_price(now)
    cost_view.summary(now)
    on_gpu = now if now.made.inputs.device == "cuda" else estimate.of(now.spec, device=ANY_GPU)
    _against_each(on_gpu, now)
    cost_view.on_each(estimate.of(now.spec, device=ANY_GPU))
    fit_view.what_fits_here(now)


def device_choice() -> None:
    """This machine, or a device of the hardware presets."""
    others = {estimate.HERE: _("this machine"), own_gpu.CODE: _("a GPU that is not in this list")}
    codes = [*others, *(code for code, preset in hardware().items() if preset.kind != "cpu")]
    st.selectbox(
        _("Plan for"),
        codes,
        key="plan-device",
        format_func=lambda code: others.get(code) or hardware()[code].name,
        help=_("Memory and time are counted for this device."),
        persist_state="session",
    )
    if st.session_state.get("plan-device") == own_gpu.CODE:
        own_gpu.inputs()


def _figures(device: Hardware | None) -> None:
    """What the plan takes as the speed, memory, bandwidth and power of this device, each with its source."""
    if device is None:
        return
    rows = (
        (_("Peak speed"), device.peak_flops / 1e12, "TFLOPS", device.source),
        (_("Memory"), device.memory_gb, "GB", device.memory_source),
        (_("Memory bandwidth"), device.bandwidth_gb_s, "GB/s", device.bandwidth_source),
        (_("Power"), device.tdp_w, "W", device.tdp_source),
    )
    with st.expander(_("Figures of this device and their sources"), type="compact", key="plan-device-figures"):
        for label, value, unit, source in rows:
            if value and source:
                st.text(f"{label}: {number(value, 1)} {unit}")
                st.caption(_("Source: {source}", source=_(source)))


def _against_each(on_gpu: Estimate, now: Estimate) -> None:
    """The memory of the run against that of every GPU that the lab knows."""
    st.subheader(_("Memory against each GPU"), anchor=False)
    parts = plan_view.memory_parts(on_gpu)
    if not parts:
        st.caption(_("Memory is not known: the lab knows too little about this model."))
        return
    total = sum(parts.values())
    sizes = _sizes()
    smallest = next((size for size in sizes if size.gib >= total), None)
    if smallest:
        names = smallest.names.replace(LINE, ", ")
        text = _("{total} on one GPU; the smallest that holds it: {names}.", total=gib(total), names=names)
    else:
        text = _("{total} on one GPU: none that the lab knows holds it.", total=gib(total))
    st.markdown(text)
    _beside_this_machine(on_gpu, now)
    hardware_chart.memory_against(parts, sizes, key="plan-gpus", alt=text)


def _beside_this_machine(on_gpu: Estimate, now: Estimate) -> None:
    """Why the plan for a CPU says another number than the one for a GPU."""
    here = now.made.memory.total_gib
    if here is None or now.made.inputs.device == "cuda" or on_gpu is now:
        return
    st.caption(
        _("On this machine the same run takes {here}: a CPU keeps frozen weights in fp32 and the logits whole, a GPU "
          "keeps them in bf16 and in pieces and needs room for its runtime (CUDA).", here=gib(here))
    )  # fmt: skip


def _sizes() -> list[Size]:
    """The GPUs of the presets by the size of their memory, smallest first."""
    groups: dict[float, list[Hardware]] = {}
    for preset in hardware().values():
        if preset.memory_gib:
            groups.setdefault(preset.memory_gib, []).append(preset)
    sizes = [Size(size, _names(presets)) for size, presets in groups.items()]
    if st.session_state.get("plan-device") == own_gpu.CODE:
        name = _("{size} GB: yours", size=number(own_gpu.memory_gb()))
        sizes.append(Size(own_gpu.memory_gb() * 1e9 / 2**30, name))
    return sorted(sizes)


def _names(presets: list[Hardware]) -> str:
    """The memory and the names without it, in at most two lines of about the same length."""
    short = list(dict.fromkeys(_BESIDE_THE_NAME.sub("", preset.name) for preset in presets))
    short[0] = _("{size} GB: {names}", size=number(presets[0].memory_gb), names=short[0])
    half = len(short) if len(short) < _ONE_LINE else (len(short) + 1) // 2
    return LINE.join(", ".join(part) for part in (short[:half], short[half:]) if part)
