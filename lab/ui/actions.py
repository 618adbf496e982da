"""What a button does: start a run once, however often it is pressed, and go to where it can be watched."""

from __future__ import annotations

import logging
import sqlite3
import time
from typing import Any

import streamlit as st

from lab import spec as specs
from lab.catalogue.recipes import recipe, run_spec
from lab.errors import InputErrors, LabError
from lab.models.facts import facts_of
from lab.runs import beforehand, chain, client, likely, rehearsal
from lab.runs.home import new_id
from lab.spec import RunSpec
from lab.ui import estimate
from lab.ui.menu import go

_ERROR = "lab-action-error"
_DOUBLE_CLICK_S = 3.0


def press_key(name: str) -> str:
    """A key that stays the same until a moment after the action `name` has succeeded: a double click makes one run.

    The second click of a double click may come when the first has already succeeded and its page is not drawn yet.
    """
    keys: dict[str, tuple[str, float | None]] = st.session_state.setdefault("lab-press-keys", {})
    key, succeeded = keys.get(name, ("", None))
    if not key or (succeeded is not None and time.monotonic() - succeeded > _DOUBLE_CLICK_S):
        key = new_id()
        keys[name] = (key, None)
    return key


def pressed(name: str) -> None:
    """Tell that the action `name` has succeeded."""
    _succeeded(name)


def _succeeded(name: str) -> None:
    keys = st.session_state["lab-press-keys"]
    keys[name] = (keys[name][0], time.monotonic())


def start_run(spec: RunSpec, *, short: bool, name: str) -> str | None:
    """Check, plan and queue a run; None, with the error kept for `action_error`, when it is refused."""
    try:
        specs.check(spec)
        now = estimate.of(spec)
        if now.model_error or now.data_error:
            raise now.model_error or now.data_error  # type: ignore[misc]  # one of them is an error
        found = beforehand.problems(spec, facts_of(chain.resolved(spec)[0].model.source))
        if found := found or rehearsal.merged([], rehearsal.problems(spec)):
            raise InputErrors(found)
        now = estimate.of(spec)  # with what the rows have told
        run = client.submit(spec, short=short, plan=now.plan, key=press_key(name))
    except LabError as error:
        st.session_state[_ERROR] = error
        return None
    _succeeded(name)
    return run


def start_request(
    kind: str, parameters: dict[str, Any], *, name: str, parent: str | None = None, secret: str | None = None
) -> str | None:
    """Queue a job of another kind; None, with the error kept for `action_error`, when it is refused."""
    try:
        run = client.submit_request(kind, parameters, parent=parent, key=press_key(name), secret=secret)
    except LabError as error:
        st.session_state[_ERROR] = error
        return None
    _succeeded(name)
    return run


def expect_run(spec: RunSpec) -> None:
    """Tell the lab that such a run is likely, so that it starts at once; a page never fails for that."""
    try:
        likely.expect(spec)
    except (LabError, OSError, sqlite3.Error) as error:
        logging.getLogger("lab").warning("No worker waits for the run: %s", error)


def expect_demo() -> None:
    """Tell the lab that the demo is likely."""
    expect_run(run_spec(recipe("demo")))


def start_demo() -> str | None:
    """Queue the demo: the recipe `demo` as it stands."""
    return start_run(run_spec(recipe("demo")), short=False, name="demo")


def open_run(run: str) -> None:
    """Go to the live screen of a run."""
    go("runs", run=run)


def action_error() -> LabError | None:
    """The error of the last action, once."""
    return st.session_state.pop(_ERROR, None)
