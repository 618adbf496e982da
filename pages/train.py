"""Train: a short form, what will follow from it, and two ways to start."""

import streamlit as st

from lab.ui import actions, draft, estimate, plan_adopt, start_form, train_view
from lab.ui.language import _
from lab.ui.layout import error_card, head

spec = draft.run_spec()
now = estimate.of(spec)
missing = start_form.missing_step(spec, now)

with head(_("Train"), _("A short run first: it is the beginning of the full one.")):
    short = st.button(
        start_form.short_label(spec, missing),
        icon=":material/timer:",
        key="train-short",
        disabled=bool(missing),
        help=_("The full run, stopped after a few steps: it shows whether everything works, and can go on."),
    )
    full = st.button(
        missing or _("Start training"),
        type="primary",
        icon=":material/play_arrow:",
        key="train-full",
        disabled=bool(missing),
    )
if short or full:
    run = actions.start_run(spec, short=short, name="train-short" if short else "train-full")
    if run is not None:
        actions.open_run(run)
if not missing:
    actions.expect_run(spec)
error = actions.action_error()
if error:
    error_card(error)

plan_adopt.offer()
problems = train_view.problems_by_field(spec, now)
settings, summary = st.columns([11, 9], gap="large")
with settings:
    train_view.form(problems)
with summary:
    train_view.hidden_problems(problems)
    train_view.summary(now)
    if not draft.wrong():
        train_view.elsewhere(spec)
