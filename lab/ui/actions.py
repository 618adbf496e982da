"""What a button does: start a run once, however often it is pressed, and go to where it can be watched."""

from __future__ import annotations

import streamlit as st

from lab import spec as specs
from lab.catalogue.recipes import recipe, run_spec
from lab.errors import LabError
from lab.models.facts import facts_of
from lab.planning import plan
from lab.runs import client
from lab.runs.home import new_id
from lab.spec import RunSpec
from lab.ui.menu import page

_ERROR = "lab-action-error"


def press_key(name: str) -> str:
    """A key that stays the same until the action `name` has succeeded: a double click makes one run."""
    keys = st.session_state.setdefault("lab-press-keys", {})
    return str(keys.setdefault(name, new_id()))


def start_run(spec: RunSpec, *, short: bool, name: str) -> str | None:
    """Check, plan and queue a run; None, with the error kept for `action_error`, when it is refused."""
    try:
        specs.check(spec)
        facts = facts_of(spec.model.source)
        run = client.submit(spec, short=short, plan=plan(spec, facts=facts).as_dict(), key=press_key(name))
    except LabError as error:
        st.session_state[_ERROR] = error
        return None
    st.session_state["lab-press-keys"].pop(name, None)
    return run


def start_demo() -> str | None:
    """Queue the demo: the recipe `demo` as it stands."""
    return start_run(run_spec(recipe("demo")), short=False, name="demo")


def open_run(run: str) -> None:
    """Go to the live screen of a run."""
    st.switch_page(page("runs"), query_params={"run": run})


def action_error() -> LabError | None:
    """The error of the last action, once."""
    return st.session_state.pop(_ERROR, None)
