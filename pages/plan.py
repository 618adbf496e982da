"""Plan: the numbers that follow from a recipe and from your own, each with its formula and its source."""

import streamlit as st

from lab.ui import (
    doctor_view,
    draft,
    estimate,
    export_view,
    hardware_view,
    plan_address,
    plan_adopt,
    plan_tabs,
    plan_view,
)
from lab.ui.language import _
from lab.ui.layout import head
from lab.ui.menu import go

with head(_("Plan"), _("Change a number and see what follows. Every result shows its formula and its source.")):
    if st.button(_("Train this"), type="primary", icon=":material/play_arrow:", key="plan-train"):
        go("train")

plan_address.read(plan_tabs.EXTRAS)
plan_adopt.way_back()
now = estimate.of(draft.spec(), device=plan_tabs.device())
planning, machines, doctor, exports = plan_tabs.tabs()
if planning.open:
    with planning:
        inputs, results = st.columns([9, 11], gap="large")
        with inputs:
            plan_view.inputs()
        with results:
            plan_view.results(now)
if machines.open:
    with machines:
        hardware_view.machines(now)
if doctor.open:
    with doctor:
        doctor_view.doctor(now)
if exports.open:
    with exports:
        export_view.exports(now)
plan_address.write(now, plan_tabs.EXTRAS)
