"""The buttons of one run: only those that make sense in its state, with the consequence in their words."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from lab.errors import LabError
from lab.runs import client
from lab.runs.view import RunView
from lab.ui.language import _
from lab.ui.layout import error_card
from lab.ui.menu import go


def run_buttons(view: RunView) -> None:
    """Stop, resume, continue, compare, publish or delete, as the state allows."""
    run, state = view.run, view.state
    if state == "queued":
        _button("stop", _("Take it out of the queue"), ":material/remove_from_queue:", lambda: client.stop(run))
    elif state in ("starting", "running"):
        label = _("Stop and keep the checkpoint") if view.can_keep else _("Stop the run")
        _button("stop", label, ":material/stop_circle:", lambda: client.stop(run))
    elif state == "stopping":
        st.button(_("Stopping"), disabled=True, icon=":material/hourglass_top:", key="run-stopping")
    elif state == "interrupted":
        _button("resume", _("Resume"), ":material/play_arrow:", lambda: client.resume(run), primary=True)
    elif state == "succeeded":
        if (view.result or {}).get("ended") == "short":
            _continue(run)
        if st.button(_("Compare before and after"), type="primary", icon=":material/compare:", key="run-compare"):
            go("review", run=run)
        if st.button(_("Publish"), icon=":material/upload:", key="run-publish"):
            go("publish", run=run)
    _more(view)


def _continue(run: str) -> None:
    if st.button(_("Continue as the full run"), icon=":material/fast_forward:", key="run-continue"):
        try:
            longer = client.continue_full(run)
        except LabError as error:
            error_card(error)
            return
        go("runs", run=longer)


def _more(view: RunView) -> None:
    with st.popover("", icon=":material/more_horiz:", key="run-more"):
        if view.state in ("queued", "starting", "running", "stopping", "interrupted"):
            _button("discard", _("Discard the run"), ":material/delete:", lambda: client.stop(view.run, discard=True))
            st.caption(_("Ends it and marks it as discarded; its files stay until it is deleted."))
        else:
            st.caption(_("Removes the run with its checkpoints, adapter and answers. This cannot be undone."))
            if st.button(_("Delete the run"), icon=":material/delete_forever:", key="run-delete"):
                try:
                    client.delete(view.run)
                except LabError as error:
                    error_card(error)
                else:
                    go("runs")


def _button(key: str, label: str, icon: str, act: Callable[[], object], *, primary: bool = False) -> None:
    if st.button(label, icon=icon, key=f"run-{key}", type="primary" if primary else "secondary"):
        try:
            act()
        except LabError as error:
            error_card(error)
            return
        st.rerun()
