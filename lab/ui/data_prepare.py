"""From a file or the demo set to a request for preparation: the place to give it, its form, and the button."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from lab.errors import LabError
from lab.presets import presets_dir
from lab.ui import actions, draft, forms, sources, uploads
from lab.ui.data_file import first_rows, found, inspect, mapping_form, missing_roles, problems
from lab.ui.language import _
from lab.ui.layout import error_card
from lab.ui.menu import go

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


SETTINGS = ("data.template", "data.max_length", "data.validation_share", "seed")


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
    if _prepare_button("data-prepare-demo", _correction()):
        _prepare({"demo": True, "name": "demo"} | parameters("", {}), name="prepare-demo")


def prepare_form(report: dict[str, Any], upload: uploads.Upload) -> None:
    """Mapping and settings of an uploaded file, and the button whose label names what is missing."""
    st.subheader(_("What is what"), anchor=False)
    kind, mapping = mapping_form(report, upload.id)
    _what_to_know(report, upload, kind, mapping)
    st.subheader(_("How the rows become examples"), anchor=False)
    preparation_form()
    if _prepare_button("data-prepare", _correction(kind=kind, missing=missing_roles(kind, mapping))):
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
    sources.model_field(label=_("Model whose tokenizer counts"), problem=sources.model_problem())
    _far_model()
    with st.expander(_("Expert settings"), icon=":material/tune:"):
        forms.group(["data.completion_only", "data.too_long", "seed"], columns=3)


def _far_model() -> None:
    """Say that a tokenizer would have to be fetched, before the preparation fails without a connection."""
    if not sources.is_far(draft.spec().model.source):
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="data-far-model"):
        st.markdown(":orange[:material/cloud_download:]", width="content")
        st.markdown(
            _("This model is not on this machine: its tokenizer is fetched from the Hub, which needs a connection."),
            width="stretch",
        )
        if sources.demo_model_button("data-use-demo"):
            st.rerun()


def _correction(*, kind: str = "known", missing: list[str] | None = None) -> str:
    """What has to be put right before the rows can be prepared, as the label of the button; empty when nothing."""
    if not kind:
        return _("Say what a row is")
    if missing:
        return _("Choose the column: {role}", role=missing[0])
    if not draft.spec().model.source:
        return _("Choose a model")
    if "model.source" in draft.wrong() or sources.model_problem():
        return _("Choose another model")
    return _("Correct the settings") if any(path in draft.wrong() for path in SETTINGS) else ""


def _prepare_button(key: str, correction: str) -> bool:
    return st.button(
        correction or _("Prepare"),
        type="primary",
        icon=":material/play_arrow:",
        key=key,
        disabled=bool(correction),
    )


def parameters(kind: str, mapping: dict[str, str]) -> dict[str, Any]:
    """The settings of a preparation, from the draft."""
    return {
        "kind": kind or None,
        "mapping": mapping or None,
        "model": draft.spec().model.source,
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
