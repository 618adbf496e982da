"""Data: any file in, what is in it, how it is prepared, and exactly what the model will learn from."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from lab.errors import LabError, NotFoundError
from lab.runs import registry
from lab.runs.view import read_run
from lab.ui import (
    actions,
    data_content,
    data_dropped,
    data_edit,
    data_file,
    data_prepare,
    data_reading,
    data_tokens,
    data_upload,
    data_versions,
    data_view,
    draft,
    fits,
    sources,
    theme,
    uploads,
)
from lab.ui.language import _
from lab.ui.layout import error_card, head, title
from lab.ui.menu import go

SOURCES = ("upload", "hub", "demo", "prepared")


def show_prepared(identifier: str) -> None:
    """Draw a prepared data set."""
    if st.button(_("All data"), type="tertiary", icon=":material/arrow_back:", key="data-back"):
        go("data")
    try:
        told = data_view.files(identifier)
    except NotFoundError as error:
        error_card(error)
        return
    with head(_("Data"), _("Exactly what the model will learn from.")):
        data_view.report_button(told)
        train = st.button(_("Train on this data"), type="primary", icon=":material/model_training:", key="data-train")
    if train:
        draft.put("data.source", identifier)
        if fitting := fits.misfit(draft.run_spec()):  # what was put together before was of other data
            draft.put("task", fitting)
        go("train")
    record, figures = told["record"], told["figures"]
    data_view.heading(record)
    data_view.summary(record)
    data_content.verdicts(figures)
    names = [_("Examples"), _("Steps"), _("Content"), _("Repetitions"), _("Versions"), _("Edit")]
    examples, steps, content, repetitions, versions, edit = st.tabs(names)
    with examples:
        show_examples(told)
    with steps:
        data_dropped.steps_report(told["steps"])
        st.subheader(_("Rows left out"), anchor=False)
        data_dropped.dropped(record)
    with content:
        data_content.classes(figures.get("classes"))
        data_content.first_words(figures.get("first_words") or [], record["rows"]["kept"])
    with repetitions:
        data_content.repetitions(figures)
    with versions:
        data_versions.versions(record)
    with edit:
        data_edit.editor(record, told["folder"])


def show_examples(told: dict) -> None:
    """Draw the examples as tokens, and how long all of them are."""
    seen, counted = st.columns([3, 2], gap="large")
    with seen:
        st.subheader(_("What the model sees"), anchor=False)
        data_tokens.rows_view(told)
    with counted:
        st.subheader(_("Length of the examples"), anchor=False)
        data_tokens.lengths(told["lengths"])
    st.subheader(_("Where the tokens go"), anchor=False)
    data_tokens.where_tokens_go(told["figures"].get("tokens"))


def show_preparation(run: str) -> None:
    """Draw a preparation that is on, and go to the data set as soon as there is one."""
    try:
        view = read_run(run)
    except NotFoundError as error:
        title(_("Data"), _("See exactly what the model will learn from."))
        error_card(error)
        return
    if view.state == "succeeded":
        go("data", dataset=str((view.result or {}).get("dataset", "")))
    with head(_("Data"), _("The rows are read, cleaned, put into the template and measured.")):
        if not view.ended:
            st.button(
                _("Stop and discard"),
                icon=":material/stop_circle:",
                key="data-stop",
                on_click=data_view.stop,
                args=(run,),
            )
    if view.ended:
        data_view.failure(view)
        upload = view.directory.parameters.get("upload")
        model = str(view.directory.parameters.get("model") or "demo")
        with st.container(horizontal=True):
            again = st.button(_("Change the settings"), icon=":material/arrow_back:", key="data-again")
            # A tokenizer that could not be fetched is the usual reason, and the demo's is always here.
            other = view.state == "failed" and sources.is_far(model) and sources.demo_model_button("data-again-demo")
        if again or other:
            go("data", **({"upload": str(upload)} if upload else {}))
        return

    def watch() -> None:
        now = read_run(run)
        if now.ended:
            st.rerun()
        data_view.progress_card(now)

    st.fragment(watch, run_every=0.5)()


def show_choice() -> None:
    """Draw the ways to give data: a file, a set of the Hub, the demo set, or a set that was prepared before."""
    with head(_("Data"), _("See exactly what the model will learn from.")):
        place = st.container()  # for the one button, which knows what is missing only when the form is drawn
    error = actions.action_error()
    if error:
        error_card(error)
    sets = registry.datasets()
    source = st.segmented_control(
        _("Source"),
        SOURCES if sets else SOURCES[:3],
        default="upload",
        required=True,
        key="data-source",
        format_func=lambda code: {
            "upload": _("My file"),
            "hub": _("From the Hub"),
            "demo": _("Demo set"),
            "prepared": _("Prepared before"),
        }[code],
        label_visibility="collapsed",
    )
    if source == "prepared":
        data_view.prepared_list(sets)
    elif source == "demo":
        data_prepare.demo_choice(place)
    elif source == "hub":
        data_prepare.hub_choice(place)
    else:
        show_upload(st.query_params.get("upload", ""), place)


def show_upload(identifier: str, place: DeltaGenerator) -> None:
    """Draw the place for a file, or what is in the one that was given."""
    if not identifier:
        data_upload.upload_box()
        return
    try:
        upload = uploads.find(identifier)
    except NotFoundError as error:
        error_card(error)
        data_upload.upload_box()
        return
    line = st.container()
    try:
        said = data_file.reading_of(upload.id)
        report = data_reading.inspect(upload.path, upload=upload.id, name=upload.name, **said)
    except LabError as error:
        with line:
            data_prepare.name_line(upload)
        data_file.refused(error, upload.id)
        return
    with line:
        data_prepare.name_line(upload, report)
    data_prepare.prepare_form(report, upload, place)


theme.style_data()
if "dataset" in st.query_params:
    show_prepared(st.query_params["dataset"])
elif "prepare" in st.query_params:
    show_preparation(st.query_params["prepare"])
else:
    show_choice()
