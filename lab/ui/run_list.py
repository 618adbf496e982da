"""Runs as a table and in a sentence."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from lab.runs import naming
from lab.runs.states import ACTIVE, QUEUED
from lab.runs.store import RunRow
from lab.runs.view import RunView, read_run, series
from lab.ui import words
from lab.ui.format import ago, duration
from lab.ui.language import _, ngettext
from lab.ui.menu import go


def runs_in_words(runs: Sequence[RunRow]) -> str:
    """How many runs are on, wait and have ended, as one sentence."""
    active = sum(run.state in ACTIVE for run in runs)
    waiting = sum(run.state == QUEUED for run in runs)
    done = len(runs) - active - waiting
    if not runs:
        return _("Nothing has run yet. Each run is kept here with its settings, curves, answers and log.")
    parts = []
    if active:
        parts.append(ngettext("{count} run is on", "{count} runs are on", active))
    if waiting:
        parts.append(ngettext("{count} waits", "{count} wait", waiting))
    if done:
        parts.append(ngettext("{count} has ended", "{count} have ended", done))
    return ", ".join(parts) + "."


def run_table(runs: Sequence[RunRow], *, key: str) -> None:
    """The runs, newest first; choosing a row opens its live screen."""
    views = [read_run(run.id) for run in runs]
    frame = pd.DataFrame([_row(view) for view in views])  # what matters most comes first: a phone shows three columns
    chosen = st.dataframe(
        frame,
        hide_index=True,
        key=key,
        on_select="rerun",
        selection_mode="single-cell",
        alt=_("Table of runs with state, progress, validation loss and method."),
        column_config={
            "name": st.column_config.TextColumn(_("Run"), width="medium"),
            "state": st.column_config.TextColumn(_("State"), width="small"),
            "eval_loss": st.column_config.NumberColumn(_("Validation loss"), format="%.3f", width=130),
            "progress": st.column_config.ProgressColumn(
                _("Progress"), format="percent", min_value=0, max_value=1, width="small"
            ),
            "loss": st.column_config.LineChartColumn(_("Loss"), width="small"),
            "method": st.column_config.TextColumn(_("Method"), width="small"),
            "when": st.column_config.TextColumn(_("When"), width="small"),
        },
    )
    cells = chosen.selection.cells
    if cells:
        go("runs", run=runs[cells[0][0]].id)


def title_of(view: RunView) -> str:
    """The name that a person gave, else the recipe, else model and method."""
    spec = view.spec
    if view.row.name:
        return view.row.name
    if spec is None:
        return view.row.kind
    return spec.name or spec.recipe or f"{short_source(spec.model.source)} {words.method(spec.method.name)}"


def short_source(source: str) -> str:
    """What a model is called in a line: the run that left it, else the last part of its folder or Hub id."""
    return naming.model_name(source)


def _row(view: RunView) -> dict[str, object]:
    spec = view.spec
    curve = [value for _step, value in series(view, "train_loss", 60) if value is not None]
    return {
        "name": title_of(view),
        "state": words.state(view.state),
        "eval_loss": view.latest.get("eval_loss"),
        "progress": 1.0 if view.state == "succeeded" else float(view.progress.get("done") or 0.0),
        "loss": curve or None,
        "method": words.method(spec.method.name, spec.method.rank) if spec else "",
        "when": _when(view),
    }


def _when(view: RunView) -> str:
    eta = view.progress.get("eta_s")
    if view.state == "running" and eta is not None:
        return _("{time} left", time=duration(eta))
    return ago(max(0.0, time.time() - view.row.created))
