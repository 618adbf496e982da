"""Publish: what a finished run learned, to a repository on the Hugging Face Hub, private unless said otherwise."""

import streamlit as st

from lab.runs import client
from lab.ui import publish_form, publish_view
from lab.ui.language import _
from lab.ui.layout import empty, title
from lab.ui.menu import page

title(
    _("Publish"),
    _("Put what a finished run learned on the Hugging Face Hub, with a model card that tells how it was made."),
)

finished = [run for run in client.list_runs(limit=200) if run.state == "succeeded"]
if not finished:
    empty(_("There is no finished run to publish yet."), _("Watch a model learn"), page("home"))
    st.stop()

upload = st.query_params.get("upload", "")
if upload:
    publish_view.watch(upload)
    st.stop()

form, preview = st.columns([2, 3], gap="large")
with form:
    run = publish_form.choose_run(finished, st.query_params.get("run", ""))
    request = publish_form.repository_form(run)
    publish_form.token_form()
    publish_form.start_button(request)
with preview:
    publish_view.what_will_be_published(run, request)
