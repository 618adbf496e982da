"""Review: the same questions to the base model and to the tuned one, on rows that were never trained on."""

import streamlit as st

from lab.errors import NotFoundError
from lab.review.labelled import read_labelled
from lab.review.reading import read_comparison
from lab.runs import client
from lab.runs.view import read_run
from lab.spec.rules.task import speaks
from lab.ui import labelled_view, review_view
from lab.ui.language import _
from lab.ui.layout import empty, error_card, head
from lab.ui.menu import go, page
from lab.ui.run_list import title_of

finished = [run for run in client.list_runs(limit=200) if run.state == "succeeded"]
run_id = review_view.chosen_run(finished, st.query_params.get("run", ""))

with head(_("Review"), _("The same question to the base model and to yours, on rows that were never trained on.")):
    if run_id and st.button(_("Publish"), type="primary", icon=":material/upload:", key="review-publish"):
        go("publish", run=run_id)

if not run_id:
    empty(_("There is no finished run to compare yet."), _("Watch a model learn"), page("home"))
    st.stop()

view = read_run(run_id)
review_view.run_chooser(finished, run_id, title_of)
try:
    comparison = read_comparison(view.directory.path)
except NotFoundError as error:
    error_card(error)
    st.stop()

labelled = read_labelled(view.directory.path)
if labelled and (view.spec is None or not speaks(view.spec)):  # a model that gives labels is not asked questions
    labelled_view.figures(labelled)
    review_view.pairs(comparison, run_id)
    st.stop()

if labelled:
    labelled_view.figures(labelled)
review_view.figures(comparison)
ask, held_out = st.tabs([_("Held-out questions"), _("Ask both models")], key="review-tabs")[::-1]
with held_out:
    review_view.pairs(comparison, run_id)
with ask:
    review_view.free_prompt(view)
