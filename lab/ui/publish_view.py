"""What will be published, and the upload as it goes."""

from __future__ import annotations

from typing import Any

import streamlit as st

from lab.errors import from_dict
from lab.runs import publishable
from lab.runs.view import RunView, read_run
from lab.ui import actions, publish_form, words
from lab.ui.format import gib, loss, share
from lab.ui.language import _, say
from lab.ui.layout import error_card, facts
from lab.ui.menu import go
from lab.ui.run_list import short_source


def _try_again(view: RunView) -> None:
    """The same upload once more; its token was kept nowhere, so it is asked for again."""
    with st.container(border=True, key="publish-retry"):
        st.markdown(f"**{_('Try again with the same settings')}**")
        publish_form.token_form()
        refused = actions.action_error()
        if refused:
            error_card(refused)
        token = publish_form.current_token()
        label = _("Try again") if token else _("Enter a token")
        if st.button(label, type="primary", icon=":material/refresh:", disabled=not token, key="publish-try-again"):
            publish_form.upload(view.directory.parameters)


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
                        _trained_share(result),
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


def _trained_share(result: dict[str, Any]) -> str:
    part = (result.get("trainable") or {}).get("share")
    return share(part, 0 if part == 1 else 2)


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
