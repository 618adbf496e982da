"""From a file or the demo set to a request for preparation: the place to give it, its form, and the button."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from lab.errors import LabError
from lab.presets import presets_dir
from lab.ui import actions, draft, forms, uploads
from lab.ui.data_file import first_rows, found, inspect, mapping_form, missing_roles, problems
from lab.ui.language import _
from lab.ui.layout import error_card
from lab.ui.menu import go
from lab.ui.run_list import short_source

ENCODINGS = (
    "cp1252",
    "latin-1",
    "iso-8859-15",
    "iso-8859-2",
    "mac-roman",
    "cp850",
    "cp1251",
    "gb18030",
    "shift_jis",
    "euc-kr",
)


def upload_box() -> None:
    """A place for a file of at most 200 MB; it is written to disk at once and forgotten by the page."""
    turn = int(st.session_state.get("data-upload-turn", 0))
    file = st.file_uploader(
        _("CSV, TSV, JSON or JSONL, up to {size} MB", size=uploads.MOST_MEGABYTES),
        key=f"data-upload-{turn}",
        max_upload_size=uploads.MOST_MEGABYTES,
        help=_("The file stays on this machine. A larger one: python -m lab data prepare FILE"),
    )
    if file is None:
        st.caption(
            _("One row for each example: a question and its answer, an instruction, a conversation, or plain text.")
        )
        return
    try:
        kept = uploads.keep(file, file.name)
    except LabError as error:
        error_card(error)
        return
    st.session_state["data-upload-turn"] = turn + 1  # a new widget: the bytes of the old one are let go
    go("data", upload=kept)


def name_line(upload: uploads.Upload) -> None:
    """The name of the file, and the way to another one."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(":material/description:", width="content")
        st.text(upload.name, width="content")
        if st.button(_("Another file"), type="tertiary", icon=":material/close:", key="data-other"):
            uploads.forget(upload.id)
            go("data")


def encoding_choice(upload: uploads.Upload) -> None:
    """The encoding of a file that is neither UTF-8 nor UTF-16, for a person to name."""
    st.selectbox(
        _("Encoding"),
        ["", *ENCODINGS],
        key=f"encoding-{upload.id}",
        format_func=lambda code: code or _("found by the lab"),
        help=_("cp1252 is what Windows programs write in Western Europe and America."),
        width=240,
    )


def encoding_of(upload: uploads.Upload) -> str:
    """The encoding that a person named, or an empty text."""
    return str(st.session_state.get(f"encoding-{upload.id}") or "")


def demo_choice() -> None:
    """The embedded question set, and how to prepare it."""
    st.markdown(
        _(
            "Questions about the modules of Python's standard library, each with the first sentence of its "
            "documentation. One module in six is held out: nobody asks about it in training."
        )
    )
    try:
        report = inspect(presets_dir() / "demo" / "questions.jsonl")
    except LabError as error:
        error_card(error)
        return
    found(report)
    first_rows(report)
    preparation_form()
    if st.button(_("Prepare"), type="primary", icon=":material/play_arrow:", key="data-prepare-demo"):
        _prepare({"demo": True, "name": "demo"} | parameters("", {}), name="prepare-demo")


def prepare_form(report: dict[str, Any], upload: uploads.Upload) -> None:
    """Mapping and settings of an uploaded file, and the button whose label names what is missing."""
    st.subheader(_("What is what"), anchor=False)
    kind, mapping = mapping_form(report, upload.id)
    _what_to_know(report, upload, kind, mapping)
    st.subheader(_("How the rows become examples"), anchor=False)
    preparation_form()
    missing = missing_roles(kind, mapping)
    wrong = [
        path for path in ("data.template", "data.max_length", "data.validation_share", "seed") if path in draft.wrong()
    ]
    label = _("Prepare")
    if not kind:
        label = _("Say what a row is")
    elif missing:
        label = _("Choose the column: {role}", role=missing[0])
    elif wrong:
        label = _("Correct the settings")
    pressed = st.button(
        label,
        type="primary",
        icon=":material/play_arrow:",
        key="data-prepare",
        disabled=bool(not kind or missing or wrong),
    )
    if pressed:
        given = {
            "path": str(upload.path),
            "name": Path(upload.name).stem[:80],
            "encoding": encoding_of(upload) or None,
            "upload": upload.id,
        }
        _prepare(given | parameters(kind, mapping), name=f"prepare-{upload.id}")


def preparation_form() -> None:
    """How the rows become examples: template, length, held-out share; the rest one click away."""
    forms.group(["data.template", "data.max_length", "data.validation_share"], columns=3)
    model = short_source(str(draft.shown("model.source")))
    with st.expander(_("Expert settings"), icon=":material/tune:"):
        forms.group(["data.completion_only", "data.too_long", "seed"], columns=3)
    with st.container(horizontal=True, gap="small"):
        st.caption(_("Tokens are counted with the tokenizer of the model chosen on the Train page:"), width="content")
        st.text(model, width="content")


def parameters(kind: str, mapping: dict[str, str]) -> dict[str, Any]:
    """The settings of a preparation, from the draft."""
    return {
        "kind": kind or None,
        "mapping": mapping or None,
        "model": draft.shown("model.source"),
        "template": draft.shown("data.template"),
        "max_length": draft.shown("data.max_length"),
        "too_long": draft.shown("data.too_long"),
        "completion_only": draft.shown("data.completion_only"),
        "validation_share": draft.shown("data.validation_share"),
        "seed": draft.shown("seed"),
    }


def _what_to_know(report: dict[str, Any], upload: uploads.Upload, kind: str, mapping: dict[str, str]) -> None:
    """The problems of the file, read again with the mapping where a person changed the guess."""
    if not kind or missing_roles(kind, mapping):
        return
    if (kind, mapping) != (
        report["kind"],
        {role: column for role, column in report["mapping"].items() if role in mapping},
    ):
        try:
            report = inspect(upload.path, name=upload.name, kind=kind, mapping=mapping, encoding=encoding_of(upload))
        except LabError as error:
            error_card(error)
            return
    problems(report["problems"])


def _prepare(request: dict[str, Any], *, name: str) -> None:
    run = actions.start_request("prepare", request, name=name)
    if run is None:
        st.rerun()
    go("data", prepare=str(run))
