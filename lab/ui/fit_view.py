"""What fits on the chosen device: the same batch in less memory, and how far each method goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from lab import spec as specs
from lab.planning.batch import accumulation_regime
from lab.planning.fit import MethodFit, swap, swaps, what_fits
from lab.text import N_
from lab.ui import plan_findings, words
from lab.ui.estimate import Estimate
from lab.ui.format import gib, number
from lab.ui.language import _

REGIMES = {
    "none": N_("Now without accumulation: one batch makes one step."),
    "ample": N_("Now as where memory is ample: 4 or more examples per device, up to 8 batches a step."),
    "scarce": N_("Now as where memory is scarce: 1 or 2 examples per device, 16 batches a step or more."),
    "between": N_("Now between ample and scarce memory. Accumulation itself makes nothing faster."),
}


def what_fits_here(now: Estimate) -> None:
    """Each method on this device with its memory, the largest batch and the longest examples."""
    limit, name = now.limit
    if limit is None or now.made.memory.total_gib is None:
        return
    inputs = now.made.inputs
    st.subheader(_("What fits: {device}", device=name), anchor=False)
    found = what_fits(now.spec, inputs.facts, limit, length=inputs.longest_tokens, device=inputs.device)
    rows = [
        {
            _("Method"): words.method(one.method),
            _("Gradient checkpointing"): _("on") if one.checkpointing else _("off"),
            _("Memory"): gib(one.total_gib),
            _("Fits"): _yes(one.fits),
            _("Largest batch"): _count(one.largest_batch),
            _("Longest example (tokens)"): _count(one.longest),
        }
        for one in found
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="plan-fits")
    _adopt(now, found, limit)
    _same_batch(now, limit)


def _adopt(now: Estimate, found: Sequence[MethodFit], limit: float) -> None:
    """A button for each other method that fits, if need be with a smaller batch accumulated more often."""
    ways = [(one, _change(now, one, limit)) for one in found]
    if not any(change for _one, change in ways):
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="plan-adopt"):
        st.markdown(_("Take over:"), width="content")
        for one, change in ways:
            if change:
                st.button(
                    _method_name(one),
                    key=f"plan-adopt-{one.method}-{'on' if one.checkpointing else 'off'}",
                    icon=":material/check:",
                    help=plan_findings.change_in_words(change),
                    on_click=plan_findings.apply,
                    args=(change,),
                )


def _change(now: Estimate, one: MethodFit, limit: float) -> dict[str, Any]:
    """What has to be set for a method to fit; empty where it is set already or cannot fit."""
    change, inputs = dict(one.change), now.made.inputs
    if not one.fits:
        other = specs.with_overrides(now.spec, change)
        best = swap(other, inputs.facts, limit, length=inputs.longest_tokens, device=inputs.device)
        if best is None:
            return {}
        change |= best.change
    return {path: value for path, value in change.items() if specs.value_at(now.spec, path) != value}


def _method_name(one: MethodFit) -> str:
    method = words.method(one.method)
    return _("{method} with checkpointing", method=method) if one.checkpointing else method


def _same_batch(now: Estimate, limit: float) -> None:
    """The effective batch taken apart: every batch per device and accumulation, and the largest that fits."""
    inputs = now.made.inputs
    length, device = inputs.longest_tokens, inputs.device
    ways = swaps(now.spec, inputs.facts, limit, length=length, device=device)
    current = (now.spec.schedule.per_device_batch, now.spec.schedule.accumulation)
    count = number(now.made.effective_batch)
    st.markdown(_("Every way to make the effective batch of {count}, with the same result:", count=count))
    rows = [
        {
            _("Batch per device"): way.per_device,
            _("Gradient accumulation"): way.accumulation,
            _("Memory"): gib(way.total_gib),
            _("Fits"): _yes(way.fits),
            _("Now"): (way.per_device, way.accumulation) == current,
        }
        for way in ways
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="plan-swaps", height=min(35 * (len(rows) + 1) + 3, 283))
    st.caption(_(REGIMES[accumulation_regime(*current)]))
    best = swap(now.spec, inputs.facts, limit, length=length, device=device)
    if best is None:
        st.caption(_("None of these fits: use LoRA, gradient checkpointing or shorter examples."))
    elif (best.per_device, best.accumulation) != current:
        st.button(
            plan_findings.change_in_words(best.change),
            key="plan-swap",
            icon=":material/check:",
            help=_("The largest batch per device that fits; the training stays the same."),
            on_click=plan_findings.apply,
            args=(best.change,),
        )


def _yes(fits: bool | None) -> str:
    return _("not known") if fits is None else _("yes") if fits else _("no")


def _count(value: int | None) -> str:
    return _("not known") if value is None else number(value) if value else _("none")
