"""Plan: the numbers that follow from a recipe and from your own, each with its formula and its source."""

import streamlit as st

from lab.ui import draft, estimate, plan_view
from lab.ui.language import _
from lab.ui.layout import head
from lab.ui.menu import page

with head(_("Plan"), _("Change a number and see what follows. Every result shows its formula and its source.")):
    if st.button(_("Train this"), type="primary", icon=":material/play_arrow:", key="plan-train"):
        st.switch_page(page("train"))

inputs, results = st.columns([9, 11], gap="large")
with inputs:
    device = plan_view.inputs()
with results:
    plan_view.results(estimate.of(draft.spec(), device=device))
