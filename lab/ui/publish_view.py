"""The parts of the Publish page: which run, which repository, which token, and the upload as it goes."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

import streamlit as st

from lab.errors import LabError, from_dict
from lab.runs import child, publishable
from lab.runs.store import RunRow
from lab.runs.view import RunView, read_run
from lab.ui import actions, words
from lab.ui.format import gib, loss, share
from lab.ui.language import _, say
from lab.ui.layout import error_card, facts
from lab.ui.menu import go
from lab.ui.run_list import short_source, title_of

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
    adapter = bool((view.result or {}).get("adapter", True))
    options = publishable.ways(view.run) if adapter else ["merged"]
    task = _task_choice(publishable.tasks_of(view.run))
    what = st.segmented_control(
        _("What is published"),
        options,
        default=options[0],
        required=True,
        key="publish-what",
        format_func=lambda code: _("the adapter") if code == "adapter" else _("the whole model"),
    )
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
    refused = actions.action_error()
    if refused:
        error_card(refused)
    missing = _missing(request)
    label = missing or (_("Publish privately") if request["private"] else _("Publish for everybody"))
    if st.button(
        label, type="primary", icon=":material/upload:", disabled=bool(missing), key="publish-start", width="stretch"
    ):
        _upload(request)


def _upload(request: dict[str, Any]) -> None:
    """Queue an upload and go to where it can be watched; the token is handed over and forgotten."""
    upload = actions.start_request("publish", request, name="publish", parent=request["run"], secret=current_token())
    if upload is None:
        st.rerun()
    st.session_state.pop("publish-token", None)
    go("publish", upload=str(upload))


def _try_again(view: RunView) -> None:
    """The same upload once more; its token was kept nowhere, so it is asked for again."""
    with st.container(border=True, key="publish-retry"):
        st.markdown(f"**{_('Try again with the same settings')}**")
        token_form()
        refused = actions.action_error()
        if refused:
            error_card(refused)
        token = current_token()
        label = _("Try again") if token else _("Enter a token")
        if st.button(label, type="primary", icon=":material/refresh:", disabled=not token, key="publish-try-again"):
            _upload(view.directory.parameters)


def _missing(request: dict[str, Any]) -> str:
    if not _REPOSITORY.fullmatch(request["repository"]):
        return _("Correct the repository's name")
    if not current_token():
        return _("Enter a token")
    return ""


def what_will_be_published(view: RunView, request: dict[str, Any]) -> None:
    """What the card will say and which files go along."""
    spec, result = view.spec, view.result or {}
    final = result.get("final", {})
    with st.container(border=True):
        st.subheader(_("What will be published"), anchor=False)
        if spec:
            facts(
                [
                    (_("Base model"), short_source(spec.model.source), ""),
                    (_("Method"), words.method(spec.method.name, spec.method.rank), ""),
                    (
                        _("Held-out loss"),
                        f"{loss(final.get('eval_loss_before'))} → {loss(final.get('eval_loss'))}",
                        "",
                    ),
                    (
                        _("Trained share"),
                        share((result.get("trainable") or {}).get("share"), 2),
                        _("of the weights"),
                    ),
                ],
                width=100,
            )
        folder = publishable.folder_of(view.directory, request["task"])
        if request["what"] == "merged" and (folder / "merged").is_dir():
            folder = folder / "merged"
        files = sorted(file for file in folder.iterdir() if file.is_file()) if folder.is_dir() else []
        st.caption(_("Files, besides the model card and the settings of the run:"))
        st.dataframe(
            [{_("file"): file.name, _("size"): gib(file.stat().st_size / 2**30)} for file in files],
            hide_index=True,
            height="content",
        )
        st.caption(
            _(
                "Before anything leaves this machine, the files are searched for tokens and for paths of this "
                "machine. Checkpoints, logs and your data stay here."
            )
        )


def watch(upload: str) -> None:
    """The upload as it goes, and where it went."""
    view = read_run(upload)

    def draw() -> None:
        now = read_run(upload)
        if now.ended and st.session_state.pop("publish-watched", None) == upload:
            st.rerun()
        with st.container(border=True):
            st.markdown(f"{words.STATE_ICONS[now.state]} **{words.state(now.state)}**")
            known = {phase.name: phase for phase in now.phases}
            for name in words.PUBLISH_PHASES:
                phase = known.get(name)
                icon = ":gray[:material/radio_button_unchecked:]"
                if phase is not None:
                    icon = {
                        "done": ":green[:material/check:]",
                        "running": ":material/radio_button_checked:",
                        "stopped": ":red[:material/close:]",
                    }[phase.status]
                st.markdown(f"{icon} {words.phase(name)}")
        for note in now.notes:
            st.caption(say(note))

    if not view.ended:
        st.session_state["publish-watched"] = upload
    st.fragment(draw, run_every=None if view.ended else 1.0)()
    result = view.result or {}
    if view.state == "succeeded":
        st.success(_("Published."), icon=":material/check_circle:")
        st.code(str(result.get("url", "")), language=None)
        st.caption(_("It is private.") if result.get("private") else _("Everybody can see it."))
    elif view.error:
        error_card(from_dict(view.error))
    if view.ended and view.state != "succeeded":
        _try_again(view)
    if st.button(_("Publish another"), icon=":material/arrow_back:", key="publish-again"):
        go("publish")
