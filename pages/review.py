"""Review: the same rows to the base model and to the tuned one, none of which was trained on."""

import streamlit as st

from lab.errors import NotFoundError
from lab.review.labelled import read_labelled
from lab.review.reading import read_comparison
from lab.runs import client
from lab.runs.view import read_run
from lab.spec.rules.task import speaks
from lab.ui import label_view, labelled_view, review_rows, review_view, review_words
from lab.ui.language import _
from lab.ui.layout import empty, error_card, head
from lab.ui.menu import go, page
from lab.ui.run_list import title_of

finished = [run for run in client.list_runs(limit=200) if run.state == "succeeded"]
run_id = review_view.chosen_run(finished, st.query_params.get("run", ""))

with head(_("Review"), _("The base model and yours on the same rows, none of which was trained on.")):
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

labelled, unit = read_labelled(view.directory.path), review_words.unit_of(view)
if labelled:
    labelled_view.figures(labelled, unit)
if comparison.of_labels:  # a model that gives labels is not asked questions
    st.caption(_("Base is the model before this training: a head that is new answers by chance."))
    if view.spec is None or view.spec.task != "classification":
        review_rows.rows(comparison, run_id, unit)
        st.stop()
    held_out, own = st.tabs([review_words.heading(unit), _("Try a text")], key="review-tabs")
    with held_out:
        review_rows.rows(comparison, run_id, unit)
    with own:
        label_view.free_text(view.run)
    st.stop()

review_view.figures(comparison, unit, with_loss=not labelled)
if view.spec is not None and not speaks(view.spec):
    review_rows.rows(comparison, run_id, unit)
    st.stop()
ask, held_out = st.tabs([review_words.heading(unit), _("Ask both models")], key="review-tabs")[::-1]
with held_out:
    review_rows.rows(comparison, run_id, unit)
with ask:
    review_view.free_prompt(view)
