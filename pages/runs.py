"""Runs: the queue and the history, or one run live."""

import streamlit as st

from lab.errors import LabError, NotFoundError
from lab.runs import client
from lab.runs.view import RunView, read_run
from lab.ui import run_curves, run_details, run_view
from lab.ui.forms import plain
from lab.ui.language import _
from lab.ui.layout import empty, error_card, head, title
from lab.ui.menu import page
from lab.ui.run_actions import run_buttons
from lab.ui.run_list import run_table, runs_in_words, title_of

run_id = st.query_params.get("run", "")


def head_of(view: RunView) -> tuple[str, str, bool]:
    """What the buttons of a run depend on."""
    return view.run, view.state, view.can_keep


def live() -> None:
    """Draw the run as it is now; when its buttons would be others, or it has ended, draw the whole page again."""
    now = read_run(run_id)
    if st.session_state.get("run-head") != head_of(now):
        st.rerun()
    run_view.status_card(now)
    run_view.outcome(now)
    curve, answers = st.columns([3, 2], gap="medium")
    with curve:
        run_curves.loss_chart(now)
        run_curves.score_chart(now)
    with answers:
        run_view.samples_panel(now)
    run_details.details(now)


if run_id:
    try:
        view = read_run(run_id)
    except NotFoundError as error:
        error_card(error)
        st.page_link(page("runs"), label=_("All runs"), icon=":material/arrow_back:")
        st.stop()
    st.page_link(page("runs"), label=_("All runs"), icon=":material/arrow_back:")
    with head(plain(title_of(view)), run_view.subtitle(view)):
        run_buttons(view)
    run_view.unread_spec(view)
    st.session_state["run-head"] = head_of(view)
    st.fragment(live, run_every=None if view.ended else 1.0)()
else:
    runs = client.list_runs(limit=200)
    title(_("Runs"), _("They go on when the page, the tab or the app is closed."))
    if not runs:
        empty(runs_in_words(runs), _("Watch a model learn"), page("home"), icon=":material/play_arrow:")
    else:
        st.caption(runs_in_words(runs))
        try:
            run_table(runs, key="runs-table")
        except LabError as error:
            error_card(error)
