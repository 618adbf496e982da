"""The parts of the Review page: the figures before and after, the answers side by side, and a free question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from lab.errors import LabError
from lab.review import session
from lab.review.export import as_csv, as_jsonl, as_markdown
from lab.review.ordering import FILTERS, ORDERS, arrange
from lab.review.reading import Answer, Comparison, Pair, Rate
from lab.runs.store import RunRow
from lab.runs.view import RunView, read_run
from lab.ui.format import duration, loss, number, share
from lab.ui.language import _, ngettext
from lab.ui.layout import error_card, facts, said

PER_PAGE = 8


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


def figures(comparison: Comparison) -> None:
    """Held-out loss and rates, base and tuned, with how sure they are."""
    base, tuned = comparison.base, comparison.tuned
    fall = comparison.loss_fall
    rows = [
        (
            _("Held-out loss"),
            f"{loss(base.loss)} → {loss(tuned.loss)}",
            _("{share} lower", share=share(fall)) if fall is not None and fall > 0 else "",
        )
    ]
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
            ngettext("{count} held-out question", "{count} held-out questions", tuned.count or len(comparison.pairs))
            + " · "
            + _("greedy decoding, longest answer {tokens} tokens", tokens=comparison.max_new_tokens or "?")
            + " · "
            + _("right: ROUGE-L of at least 0.5 with the reference")
        )


def _sure(rate: Rate) -> str:
    low, high = rate.interval
    return _("95 % sure: {low} to {high}", low=share(low), high=share(high))


def pairs(comparison: Comparison, run_id: str) -> None:
    """The answers side by side, filtered, ordered and searched."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        show = st.selectbox(
            _("Show"), list(FILTERS), format_func=lambda code: _(FILTERS[code]), key="review-show", width=190
        )
        order = st.selectbox(
            _("Order"), list(ORDERS), format_func=lambda code: _(ORDERS[code]), key="review-order", width=210
        )
        search = st.text_input(_("Search"), key="review-search", width=220)
        _downloads(comparison, run_id)
    found = arrange(comparison.pairs, order=order or "asked", show=show or "all", search=search or "")
    st.caption(ngettext("{count} question", "{count} questions", len(found)))
    pages = max(1, -(-len(found) // PER_PAGE))
    number_of_page = st.pagination(pages, key="review-page") if pages > 1 else 1
    first = ((number_of_page or 1) - 1) * PER_PAGE
    for pair in found[first : first + PER_PAGE]:
        _pair(pair)


def _pair(pair: Pair) -> None:
    with st.container(border=True):
        st.text(pair.prompt)
        left, right = st.columns(2, gap="medium")
        with left:
            _answer(_("Base"), pair.base, muted=True)
        with right:
            _answer(_("Tuned"), pair.tuned, muted=False)
        if pair.reference and pair.tuned is not None and pair.tuned.text.strip() != pair.reference.strip():
            st.caption(_("Reference"))
            said(pair.reference, muted=True)


def _answer(label: str, answer: Answer | None, *, muted: bool) -> None:
    st.caption(label)
    if answer is None:
        st.caption(_("not answered yet"))
        return
    said(answer.text, muted=muted)
    marks = []
    if answer.right is not None:
        icon = ":green[:material/check:]" if answer.right else ":red[:material/close:]"
        words = _("right") if answer.right else _("not right")
        marks.append(f"{icon} {words}" + (f" (ROUGE-L {number(answer.rouge_l, 2)})" if answer.exact is None else ""))
    if answer.exact is None:
        marks.append(_("ended by itself") if answer.stopped else _("did not stop"))
    st.caption(" · ".join(marks))


def _downloads(comparison: Comparison, run_id: str) -> None:
    with st.popover(_("Download"), icon=":material/download:", key="review-download"):
        for kind, make in (("md", as_markdown), ("jsonl", as_jsonl), ("csv", as_csv)):
            st.download_button(
                kind.upper() if kind != "md" else "Markdown",
                data=partial(make, comparison),
                file_name=f"comparison-{run_id[-6:]}.{kind}",
                on_click="ignore",
                key=f"review-download-{kind}",
            )


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
