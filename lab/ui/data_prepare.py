"""From a file, a set of the Hub or the demo to a request for preparation: its form and the button."""

from __future__ import annotations

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from lab import spec as specs
from lab.errors import LabError
from lab.presets import presets_dir
from lab.runs.network import is_data_on_hub
from lab.ui import (
    actions,
    data_example,
    data_file,
    data_mapping,
    data_preset,
    data_reading,
    data_steps,
    draft,
    forms,
    sources,
    uploads,
)
from lab.ui.language import _
from lab.ui.layout import error_card
from lab.ui.menu import go

SHAPE = ("data.template", "data.max_length", "data.validation_share")
EXPERT = ("data.completion_only", "data.too_long", "data.packing", "seed")
PREPARATION = tuple(setting.path for setting in specs.settings() if setting.path.startswith("preparation."))
SETTINGS = (*SHAPE, *EXPERT, *PREPARATION)


def name_line(upload: uploads.Upload, report: dict[str, Any] | None = None) -> None:
    """The name of the file, how it was read, and the way to another one."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="data-name"):
        st.markdown(":material/description:", width="content")
        st.text(upload.name, width="content")
        if report:
            data_file.found_line(report, upload.id)
        if st.button(_("Another file"), type="tertiary", icon=":material/close:", key="data-other"):
            uploads.forget(upload.id)
            go("data")


def demo_choice(place: DeltaGenerator) -> None:
    """The embedded question set, and how to prepare it."""
    st.markdown(
        _(
            "Questions about the modules of Python's standard library, each with the first sentence of its "
            "documentation. One module in six is held out: nobody asks about it in training."
        )
    )
    try:
        report = data_reading.inspect(presets_dir() / "demo" / "questions.jsonl")
    except LabError as error:
        error_card(error)
        return
    data_file.found_line(report, "demo", changeable=False)
    st.caption(data_mapping.kind_in_words(str(report["kind"])))
    first = report["examples"][0]
    data_example.draw(str(report["kind"]), {role: first.get(column) for role, column in report["mapping"].items()})
    preparation_form()
    if prepare_button("data-prepare-demo", correction(), place):
        start({"demo": True, "name": "demo"} | parameters("", {}), name="prepare-demo")


def hub_choice(place: DeltaGenerator) -> None:
    """A data set of the Hub by its name."""
    st.markdown(_("A public data set of the Hugging Face Hub. It is fetched only when you press the button."))
    name = st.text_input(
        _("Name on the Hub"), key="data-hub", placeholder="owner/name", persist_state="session"
    ).strip()
    wrong = bool(name) and not is_data_on_hub(name)
    if wrong:
        st.markdown(":red[:material/error:] " + _("A name on the Hub is written owner/name, such as rajpurkar/squad."))
    if not name or wrong:
        return
    preparation_form()
    if prepare_button("data-prepare-hub", correction(), place):
        given = {"hub": name, "name": name.rpartition("/")[2][:80]}
        start(given | parameters("", {}), name=f"prepare-hub-{name}")


def prepare_form(report: dict[str, Any], upload: uploads.Upload, place: DeltaGenerator) -> None:
    """Mapping and settings of an uploaded file, and the button whose label names what is missing."""
    st.subheader(_("What is what"), anchor=False)
    kind, mapping = data_mapping.mapping_form(report, upload.id)
    report = _read_again(report, upload, kind, mapping)
    data_mapping.labels(report)
    data_file.problems(report["problems"])
    data_file.first_rows(report)
    preparation_form()
    wrong = correction(kind=kind, missing=data_mapping.missing_roles(kind, mapping))
    if prepare_button("data-prepare", wrong, place):
        given = {"path": str(upload.path), "name": upload.name[:80], "upload": upload.id}
        start(given | data_file.reading_of(upload.id) | parameters(kind, mapping), name=f"prepare-{upload.id}")


def preparation_form() -> None:
    """How the rows become examples, which steps clean them, and what happens to the training rows after the split."""
    st.subheader(_("How the rows become examples"), anchor=False)
    forms.group(SHAPE, columns=3)
    sources.model_field(label=_("Model whose tokenizer counts"), problem=sources.model_problem())
    _far_model()
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        with st.container(gap=None, width="stretch"):
            st.subheader(_("Steps that clean the rows"), anchor=False)
            st.caption(_("They run from top to bottom; each reports what it dropped, with examples."))
        with st.container(width="content"):
            data_preset.menu()
    data_preset.shown()
    data_steps.steps_form()
    with st.expander(_("Split, balance, varied copies, general data"), icon=":material/call_split:"):
        _after_the_split()
    with st.expander(_("Expert settings"), icon=":material/tune:"):
        forms.group(EXPERT, columns=3)


def _after_the_split() -> None:
    by_group = draft.shown("preparation.split_by") == "group"
    forms.group(
        ["preparation.split_by", "preparation.test_share", *(["preparation.group_column"] if by_group else [])],
        columns=3,
    )
    st.caption(_("What follows changes the training rows only; what is held out stays as it is."))
    varied = draft.shown("preparation.augment") != "none"
    mixed = bool(draft.shown("preparation.replay_source"))
    forms.group(["preparation.leakage", "preparation.balance"], columns=2)
    forms.group(["preparation.augment", *(["preparation.augment_share"] if varied else [])], columns=2)
    forms.field("preparation.replay_source", options=sources.data_sets(), names=sources.data_name)
    if mixed:
        forms.field("preparation.replay_share")


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


def correction(*, kind: str = "known", missing: list[str] | None = None) -> str:
    """What has to be put right before the rows can be prepared, as the label of the button; empty when nothing."""
    if not kind:
        return _("Say what a row is")
    if missing:
        return _("Choose the column: {role}", role=missing[0])
    if not draft.spec().model.source:
        return _("Choose a model")
    if "model.source" in draft.wrong() or sources.model_problem():
        return _("Choose another model")
    if draft.shown("preparation.split_by") == "group" and not draft.shown("preparation.group_column"):
        return _("Name the group column")
    if "language" in draft.shown("preparation.steps") and not draft.shown("preparation.languages"):
        return _("Name the languages to keep")
    return _("Correct the settings") if any(path in draft.wrong() for path in SETTINGS) else ""


def prepare_button(key: str, wrong: str, place: DeltaGenerator) -> bool:
    """The one button of the form, drawn in its place beside the title; its label says what is missing."""
    return place.button(
        wrong or _("Prepare"), type="primary", icon=":material/play_arrow:", key=key, disabled=bool(wrong)
    )


def parameters(kind: str, mapping: dict[str, str]) -> dict[str, Any]:
    """The settings of a preparation, from the draft."""
    shape = {path.removeprefix("data."): draft.shown(path) for path in (*SHAPE, *EXPERT)}
    preparation = {path.removeprefix("preparation."): draft.shown(path) for path in PREPARATION}
    spec = draft.spec()
    return {
        "kind": kind or None,
        "mapping": mapping or None,
        "model": spec.model.source,
        "batch": spec.schedule.per_device_batch,
        "preparation": preparation,
        **shape,
    }


def _read_again(report: dict[str, Any], upload: uploads.Upload, kind: str, mapping: dict[str, str]) -> dict[str, Any]:
    """What is said of the file with the mapping that a person chose in place of the guess."""
    if not kind or data_mapping.missing_roles(kind, mapping):
        return report
    guessed = {role: column for role, column in (report["mapping"] or {}).items() if role in mapping}
    if (kind, mapping) == (report["kind"], guessed):
        return report
    said = data_file.reading_of(upload.id)
    try:
        return data_reading.inspect(upload.path, name=upload.name, kind=kind, mapping=mapping, **said)
    except LabError as error:
        error_card(error)
        return report


def start(request: dict[str, Any], *, name: str) -> None:
    """Queue the preparation and go to where it can be watched."""
    run = actions.start_request("prepare", request, name=name)
    if run is None:
        st.rerun()
    go("data", prepare=str(run))
