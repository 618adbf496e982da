"""The held-out rows of a run with what base and tuned model said of each: filtered, ordered, searched, taken away."""

from __future__ import annotations

import html
from collections.abc import Sequence
from functools import partial

import streamlit as st

from lab.review.export import as_csv, as_jsonl, as_markdown
from lab.review.ordering import (
    FILTERS,
    FILTERS_OF_LABELS,
    ORDERS,
    ORDERS_OF_ANSWERS,
    ORDERS_OF_LABELS,
    arrange,
)
from lab.review.reading import Answer, Comparison, Pair
from lab.ui import review_words
from lab.ui.format import number, share
from lab.ui.labelled_view import said_label
from lab.ui.language import _
from lab.ui.layout import said

PER_PAGE = 8
LABELS_PER_PAGE = 20  # a label takes a line where an answer takes a card


def rows(comparison: Comparison, run_id: str, unit: str) -> None:
    """The rows side by side; `unit` is what they are called."""
    labels = comparison.of_labels
    orders = ORDERS_OF_LABELS if labels else ORDERS_OF_ANSWERS
    filters = FILTERS_OF_LABELS if labels else tuple(FILTERS)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        show = _choice(_("Show"), filters, FILTERS, key=f"review-show-{labels}")
        task = _task_choice(comparison.pairs)
        order = _choice(_("Order"), orders, ORDERS, key=f"review-order-{labels}")
        search = st.text_input(_("Search"), key="review-search", width=170)
        _downloads(comparison, run_id)
    found = arrange(comparison.pairs, order=order, show=show, search=search or "", task=task)
    st.caption(review_words.count(unit, len(found)))
    shown = _page_of(found, LABELS_PER_PAGE if labels else PER_PAGE)
    if labels and shown:
        st.html(label_table(shown, _("Right answer") if unit == "questions" else _("Right label")))
    for pair in () if labels else shown:
        _pair(pair)


def _choice(label: str, codes: Sequence[str], words: dict[str, str], *, key: str) -> str:
    chosen = st.selectbox(label, codes, format_func=lambda code: _(words[code]), key=key, width=170)
    return chosen or codes[0]


def _task_choice(pairs: Sequence[Pair]) -> str:
    """One task of a run that has several; empty for all of them."""
    tasks = list(dict.fromkeys(pair.task for pair in pairs if pair.task))
    if len(tasks) < 2:
        return ""
    return (
        st.selectbox(_("Task"), ["", *tasks], format_func=lambda name: name or _("All"), key="review-task", width=150)
        or ""
    )


def _page_of(found: Sequence[Pair], size: int) -> Sequence[Pair]:
    pages = max(1, -(-len(found) // size))
    chosen = st.pagination(pages, key="review-page") if pages > 1 else 1
    first = (min(chosen or 1, pages) - 1) * size
    return found[first : first + size]


def label_table(pairs: Sequence[Pair], right: str) -> str:
    """Rows with labels as our own HTML: what was read, what is right (headed `right`), and what each model said."""
    scored = any(answer.margin is not None for pair in pairs for answer in (pair.base, pair.tuned) if answer)
    names = (*([] if scored else [right]), _("Base"), _("Tuned"))
    heads = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    lines = [f"<thead><tr><td></td>{heads}</tr></thead><tbody>"]
    for pair in pairs:
        reference = [] if scored else [f"<span>{_escaped(pair.reference)}</span>"]
        named = zip(names, (*reference, _label(pair.base), _label(pair.tuned)), strict=True)
        drawn = "".join(f'<td data-of="{html.escape(name)}">{cell}</td>' for name, cell in named)
        folded = _folded(_("the better answer"), pair.reference) if scored else ""
        lines.append(f"<tr><th>{_what_was_read(pair)}{folded}</th>{drawn}</tr>")
    return f'<table class="lab-compare lab-even lab-labels">{"".join(lines)}</tbody></table>'


def _what_was_read(pair: Pair) -> str:
    task = f"<small>{html.escape(pair.task)}</small>" if pair.task else ""
    return html.escape(pair.prompt) + task + _folded(_("the passage"), pair.context)


def _folded(name: str, text: str) -> str:
    """A long text behind its name; nothing for an empty one."""
    return f"<details><summary>{html.escape(name)}</summary>{html.escape(text)}</details>" if text else ""


def _label(answer: Answer | None) -> str:
    if answer is None:
        return f"<span>{html.escape(_('not answered yet'))}</span>"
    words = _("right") if answer.right else _("not right")
    mark, css = ("✓", "lab-right") if answer.right else ("✗", "lab-wrong")
    sign = f'<span class="{css}" role="img" aria-label="{html.escape(words)}">{mark}</span>'
    said = _escaped(answer.text)
    note = _("confidence {share}", share=share(answer.confidence)) if answer.confidence is not None else ""
    if answer.margin is not None:
        said = ("+" if answer.margin >= 0 else "−") + number(abs(answer.margin), 3)
        note = _("better answer above the other") if answer.margin >= 0 else _("better answer below the other")
    return f"<span>{sign} {said}</span>" + (f"<small>{html.escape(note)}</small>" if note else "")


def _escaped(text: str) -> str:
    return html.escape(said_label(text)) or f"<i>{html.escape(_('no answer'))}</i>"


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
