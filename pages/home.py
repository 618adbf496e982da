"""Home: watch a model learn, plan a fine-tune, or go on with the runs."""

import streamlit as st

from lab.runs import client
from lab.ui import actions
from lab.ui.language import _
from lab.ui.layout import error_card, title
from lab.ui.menu import go
from lab.ui.run_list import run_table, runs_in_words

title(
    _("Fine-Tuning Lab"),
    _("Pick a recipe, see what it will do with your numbers, watch the model learn, and compare what it says."),
)
error = actions.action_error()
if error:
    error_card(error)
st.space("small")

runs = client.list_runs(limit=8)
watch, plan, mine = st.columns(3)

with watch.container(border=True, height="stretch"):
    st.subheader(_("Watch a model learn"), anchor=False)
    st.write(
        _(
            "A small model has read Python's manual, but nobody ever asked it a question. "
            "In a minute you teach it to answer."
        )
    )
    st.space("stretch")
    if st.button(_("Start the demo"), type="primary", icon=":material/play_arrow:", width="stretch", key="home-demo"):
        run = actions.start_demo()
        if run is None:
            st.rerun()
        actions.open_run(str(run))
    st.caption(_("about a minute, nothing is downloaded"))
    actions.expect_demo()

with plan.container(border=True, height="stretch"):
    st.subheader(_("Plan my fine-tune"), anchor=False)
    st.write(_("Effective batch, steps, warmup, learning rate, memory and time from your numbers, with sources."))
    st.space("stretch")
    if st.button(_("Open the planner"), icon=":material/calculate:", width="stretch", key="home-plan"):
        go("plan")
    st.caption(_("no GPU needed"))

with mine.container(border=True, height="stretch"):
    st.subheader(_("My runs"), anchor=False)
    st.write(runs_in_words(runs))
    st.space("stretch")
    if st.button(_("See the runs"), icon=":material/monitoring:", width="stretch", key="home-runs"):
        go("runs")
    st.caption(_("they go on when this page is closed"))

if runs:
    st.space("small")
    st.subheader(_("Recent runs"), anchor=False)
    run_table(runs, key="home-table")
