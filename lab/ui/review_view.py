"""The parts of the Review page around its rows: which run, the figures before and after, and a free question."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from lab.errors import LabError
from lab.review import session
from lab.review.reading import Comparison, Rate
from lab.runs.store import RunRow
from lab.runs.view import RunView, read_run
from lab.ui import review_words
from lab.ui.format import duration, loss, share
from lab.ui.language import _
from lab.ui.layout import error_card, facts, said


def chosen_run(finished: Sequence[RunRow], wanted: str) -> str:
    """The run in the address, else the newest finished one, else an empty text."""
    ids = [run.id for run in finished]
    chosen = st.session_state.get("review-run") or wanted
    if wanted and st.session_state.get("review-wanted") != wanted:
        chosen = st.session_state["review-wanted"] = wanted
        st.session_state.pop("review-run", None)
    return chosen if chosen in ids else (ids[0] if ids else "")


def run_chooser(finished: Sequence[RunRow], run_id: str, title_of: Callable[[RunView], str]) -> None:
    """Another run to look at; only drawn when there is more than one."""
    if len(finished) < 2:
        return
    ids = [run.id for run in finished]
    names = {run: title_of(read_run(run)) for run in ids}
    st.session_state["review-run"] = run_id
    st.selectbox(
        _("Run"),
        ids,
        key="review-run",
        format_func=lambda run: f"{names.get(run, run)} · {run[-6:]}",
        label_visibility="collapsed",
        width=420,
    )


def figures(comparison: Comparison, unit: str, *, with_loss: bool = True) -> None:
    """Held-out loss and rates, base and tuned, with how sure they are; `unit` is what they were asked."""
    base, tuned = comparison.base, comparison.tuned
    fall = comparison.loss_fall
    rows = []
    if with_loss:
        lower = _("{share} lower", share=share(fall)) if fall is not None and fall > 0 else ""
        rows.append((_("Held-out loss"), f"{loss(base.loss)} → {loss(tuned.loss)}", lower))
    for name, label, note in (
        ("stop_rate", _("Ends by itself"), ""),
        ("format_rate", _("In the taught form"), _("one sentence, then the end")),
        ("answer_rate", _("Says the right thing"), ""),
    ):
        before, after = base.rates.get(name), tuned.rates.get(name)
        if before and after:
            rows.append((label, f"{share(before.share)} → {share(after.share)}", note or _sure(after)))
    with st.container(border=True):
        facts(rows, width=170)
        st.caption(
            review_words.held_out(unit, tuned.count or len(comparison.pairs))
            + " · "
            + _("greedy decoding, longest answer {tokens} tokens", tokens=comparison.max_new_tokens or "?")
            + " · "
            + _("right: ROUGE-L of at least 0.5 with the reference")
        )


def _sure(rate: Rate) -> str:
    low, high = rate.interval
    return _("95 % sure: {low} to {high}", low=share(low), high=share(high))


def free_prompt(view: RunView) -> None:
    """A question of one's own to both models, same seed; the models stay loaded for a while."""
    st.caption(
        _(
            "The question goes into the same template as in training. "
            "One copy of the base model answers twice: without and with the adapter."
        )
        if (view.result or {}).get("adapter", True)
        else _("The question goes into the same template as in training.")
    )
    with st.form("review-ask", border=False):
        prompt = st.text_area(_("Your question"), key="review-question", height=80, max_chars=4000)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            temperature = st.slider(
                _("Temperature"),
                0.0,
                1.5,
                0.0,
                0.1,
                key="review-temperature",
                width=200,
                help=_("0 always takes the likeliest token; more makes the answers vary."),
            )
            seed = st.number_input(_("Seed"), 0, 2**31 - 1, 42, key="review-seed", width=120)
            asked = st.form_submit_button(_("Ask both"), type="primary", icon=":material/send:")
    answers = st.session_state.setdefault(f"review-answers-{view.run}", [])
    if asked and prompt.strip():
        waiting = _("Both models answer; the first time they are loaded, which takes some seconds.")
        with st.spinner(waiting, show_time=True):
            try:
                outputs = session.ask_models(view.run, prompt.strip(), temperature=float(temperature), seed=int(seed))
            except LabError as error:
                error_card(error)
            else:
                answers.insert(0, (prompt.strip(), outputs))
    for question, outputs in answers:
        _exchange(question, outputs)


def _exchange(question: str, outputs: Sequence[dict[str, object]]) -> None:
    with st.container(border=True):
        st.text(question)
        for column, which, label in zip(
            st.columns(2, gap="medium"), ("base", "tuned"), (_("Base"), _("Tuned")), strict=True
        ):
            with column:
                st.caption(label)
                for output in outputs:
                    if output.get("model") == which:
                        said(str(output.get("text", "")), muted=which == "base")
                        seconds = output.get("seconds")
                        ending = _("ended by itself") if output.get("stopped") else _("did not stop")
                        took = f" · {duration(float(seconds))}" if isinstance(seconds, int | float) else ""
                        st.caption(ending + took)
