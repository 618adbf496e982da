"""The form of a publication: which run and what of it, which repository, which token, and the button."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

import streamlit as st

from lab.errors import LabError
from lab.runs import child, publishable
from lab.runs.store import RunRow
from lab.runs.view import RunView, read_run
from lab.ui import actions
from lab.ui.language import _, error_parts
from lab.ui.layout import error_card
from lab.ui.menu import go
from lab.ui.run_list import title_of

_REPOSITORY = re.compile(r"^(?:[\w.-]{1,96}/)?[\w.-]{1,96}$")


def choose_run(finished: Sequence[RunRow], wanted: str) -> RunView:
    """The run to publish, the wanted one first."""
    ids = [run.id for run in finished]
    names = {run.id: title_of(read_run(run.id)) for run in finished}
    chosen = st.selectbox(
        _("Run"),
        ids,
        index=ids.index(wanted) if wanted in ids else 0,
        format_func=lambda run: f"{names.get(run, run)} · {run[-6:]}",
        key="publish-run",
    )
    return read_run(chosen)


def repository_form(view: RunView) -> dict[str, Any]:
    """Repository, visibility and what of the run goes there."""
    spec = view.spec
    default = re.sub(r"[^\w.-]+", "-", title_of(view)).strip("-") or "my-adapter"
    name = st.text_input(
        _("Repository"),
        value=default,
        key=f"publish-name-{view.run}",
        help=_("A name, or organisation/name. It is made when it does not exist."),
    )
    public = st.toggle(_("Everybody may see it"), key="publish-public", help=_("Off: only you and your organisation."))
    task = _task_choice(publishable.tasks_of(view.run))
    what = _what(view)
    source = spec.model.source if spec else ""
    hub_base = source if re.fullmatch(r"[\w.-]+/[\w.-]+", source) else ""
    base = ""
    if what == "adapter":
        base = st.text_input(
            _("Base model on the Hub"),
            value=hub_base,
            key=f"publish-base-{view.run}",
            help=_("The adapter is loaded onto this model. Empty when the base is not on the Hub."),
        )
        if not base:
            st.caption(_("Without a base on the Hub, others need the same model folder; the card says so."))
    return {
        "run": view.run,
        "repository": name.strip(),
        "private": not public,
        "what": what,
        "base_model": base.strip(),
        "task": task,
    }


def _what(view: RunView) -> str:
    """What of the run goes there: only what others could load, with the reason for what they could not."""
    whole = not (view.result or {}).get("adapter", True)
    options = ["merged"] if whole else publishable.ways(view.run) or list(publishable.WAYS)
    chosen = st.segmented_control(
        _("What is published"),
        options,
        default=options[0],
        required=True,
        key=f"publish-what-{view.run}",
        format_func=lambda code: _("the adapter") if code == "adapter" else _("the whole model"),
    )
    if whole:
        st.caption(_("The whole model was trained: there is no adapter."))
    for way in publishable.WAYS if not whole else ():
        if way not in options:
            for problem in _told(view.run, way):
                st.caption(" ".join(filter(None, error_parts(problem)[::2])))
    return str(chosen or options[0])


def _told(run: str, way: str) -> list[LabError]:
    """Why a run cannot be published this way, of any of its tasks."""
    try:
        first = (*publishable.tasks_of(run), "")[0]
        return list(publishable.problems({"run": run, "what": way, "task": first}))
    except LabError as error:
        return [error]


def refused(request: dict[str, Any]) -> list[LabError]:
    """What the worker would refuse of this request, known before anything is sent."""
    try:
        return list(publishable.problems(request))
    except LabError as error:  # the model has gone
        return [error]


def _task_choice(tasks: Sequence[str]) -> str:
    """Which of several tasks: each has a model of its own, and a repository holds one."""
    if not tasks:
        return ""
    return str(st.segmented_control(_("Task"), tasks, default=tasks[0], required=True, key="publish-task"))


def token_form() -> None:
    """The token: typed here, or taken from the environment; checked before anything is sent."""
    if os.environ.get("HF_TOKEN"):
        st.checkbox(_("Use the token of the variable HF_TOKEN"), value=True, key="publish-env-token")
    if not st.session_state.get("publish-env-token"):
        st.text_input(
            _("Token"),
            type="password",
            key="publish-token",
            autocomplete="off",
            help=_("A token with the right to write. It is handed to the upload and kept nowhere."),
        )
    token = current_token()
    if token and st.button(_("Check the token"), icon=":material/key:", key="publish-check"):
        try:
            st.session_state["publish-who"] = child.ask(
                "lab.publishing.child", {"do": "whoami", "token": token}, timeout_s=30
            )
        except LabError as error:
            st.session_state.pop("publish-who", None)
            error_card(error)
    who = st.session_state.get("publish-who")
    if who and token:
        rights = _("may write") if who.get("can_write") else _("may only read")
        st.caption(_("Token of {name}, {rights}.", name=who.get("name", ""), rights=rights))


def current_token() -> str:
    """The token that would be used now, or an empty text."""
    if st.session_state.get("publish-env-token"):
        return os.environ.get("HF_TOKEN", "")
    return str(st.session_state.get("publish-token") or "").strip()


def start_button(request: dict[str, Any]) -> None:
    """Start the upload; the label names what is still missing."""
    for problem in (actions.action_error(), *refused(request)):
        if problem:
            error_card(problem)
    missing = _missing(request)
    label = missing or (_("Publish privately") if request["private"] else _("Publish for everybody"))
    if st.button(
        label, type="primary", icon=":material/upload:", disabled=bool(missing), key="publish-start", width="stretch"
    ):
        upload(request)


def upload(request: dict[str, Any]) -> None:
    """Queue an upload and go to where it can be watched; the token is handed over and forgotten."""
    job = actions.start_request("publish", request, name="publish", parent=request["run"], secret=current_token())
    if job is None:
        st.rerun()
    st.session_state.pop("publish-token", None)
    go("publish", upload=str(job))


def _missing(request: dict[str, Any]) -> str:
    if refused(request):
        return _("This cannot be published")
    if not _REPOSITORY.fullmatch(request["repository"]):
        return _("Correct the repository's name")
    if not current_token():
        return _("Enter a token")
    return ""
