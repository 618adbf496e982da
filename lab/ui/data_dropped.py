"""What the steps did to the rows: how many went in and came out, why, and examples of what was dropped."""

from __future__ import annotations

import html
from typing import Any

import streamlit as st

from lab.text import N_
from lab.ui import data_steps
from lab.ui.format import duration, number
from lab.ui.language import _, ngettext, say

# Why rows are left out (`lab.data.rendered.REASONS` and the steps' own), as the second half of "12 rows ..." without
# the word rows. A test asks for each.
REASONS: dict[str, str] = {
    "empty answer": N_("without an answer"),
    "empty question": N_("without a question"),
    "empty text": N_("without text"),
    "empty label": N_("without a label"),
    "duplicate": N_("repeating an earlier row"),
    "near duplicate": N_("resembling an earlier row"),
    "too long": N_("longer than the maximum length"),
    "question too long": N_("whose question alone exceeds the maximum length"),
    "no assistant turn": N_("in which the assistant never speaks"),
    "unknown role": N_("with a role that is not known"),
    "not a list of messages of text": N_("whose messages are not a list of texts with roles"),
    "another number of cells than there are columns": N_("with another number of cells than there are columns"),
    "another number of tags than words": N_("with another number of labels than words"),
    "not a list of words with a tag each": N_("that are not a list of words with a label each"),
    "answer not at its place in the context": N_("whose answer does not stand at its place in the context"),
    "no answer, and not marked as impossible": N_("without an answer and not marked as impossible"),
    "both answers are the same": N_("whose two answers are the same"),
    "no two answers to one question": N_("that do not hold two answers to one question"),
    "contains a control token of the model": N_("containing a control token of the model"),
    "refused by the chat template": N_("refused by the chat template"),
    "another language": N_("in another language"),
    "too few characters": N_("with too few characters"),
    "too many characters": N_("with too many characters"),
    "personal data": N_("holding personal data"),
    "broken characters repaired": N_("with broken letters repaired"),
    "resembles a held-out row": N_("resembling a held-out row"),
    "left out to balance the classes": N_("left out to balance the classes"),
}


def dropped(record: dict[str, Any]) -> None:
    """Which rows the model will not see, and why; which were added."""
    reasons = record.get("dropped") or {}
    if not any(reasons.values()):
        st.markdown(f":green[:material/check_circle:] {_('No row was dropped.')}")
    for reason, count in sorted(reasons.items(), key=lambda pair: -pair[1]):
        if count:
            st.markdown(f":orange[:material/filter_alt:] **{number(count)}** {reason_in_words(reason)}")
    for reason, count in (record.get("added") or {}).items():
        if count:
            st.markdown(f":material/add: **{number(count)}** {data_steps.name(str(reason))}")


def reason_in_words(reason: str) -> str:
    """Why rows were left out; the reason comes from the lab, never from the file."""
    return _(REASONS.get(reason, reason))


def steps_report(steps: list[dict[str, Any]]) -> None:
    """Each step in its order: rows in and out, and the examples behind a click."""
    if not steps:
        st.caption(_("No step was on."))
        return
    for number_of, step in enumerate(steps):
        _step(step, f"step-report-{number_of}")


def _step(step: dict[str, Any], key: str) -> None:
    rows_in, rows_out = int(step.get("rows_in") or 0), int(step.get("rows_out") or 0)
    with st.container(border=True, gap="small", key=key):
        st.html(
            f'<div class="lab-step-rows"><b>{html.escape(data_steps.name(str(step["step"])))}</b> &nbsp; '
            f"{number(rows_in)} → {number(rows_out)} {html.escape(_('rows'))}</div>"
        )
        st.caption(" · ".join(_did(step, rows_in, rows_out)))
        for note in step.get("notes") or []:
            st.text(say(note))
        examples = step.get("examples") or []
        if examples:
            with st.expander(
                ngettext("{count} example", "{count} examples", len(examples)), type="compact", key=f"{key}-examples"
            ):
                st.html(f'<div class="lab-change">{"".join(_example(one) for one in examples)}</div>')


def _did(step: dict[str, Any], rows_in: int, rows_out: int) -> list[str]:
    parts = [
        f"{number(count)} {reason_in_words(str(reason))}"
        for reason, count in (step.get("dropped") or {}).items()
        if count
    ]
    if rows_out > rows_in:
        parts.append(ngettext("{count} row added", "{count} rows added", rows_out - rows_in))
    if step.get("changed"):
        parts.append(ngettext("{count} row changed", "{count} rows changed", int(step["changed"])))
    parts += [f"{_plain(str(what))}: {number(count)}" for what, count in list((step.get("found") or {}).items())[:8]]
    return [*(parts or [_("nothing to do")]), duration(step.get("seconds"))]


def _example(one: dict[str, Any]) -> str:
    row = _("Row {row}", row=number(int(one.get("row") or 0) + 1))
    why = f"{row}: {reason_in_words(str(one['why']))}"
    before, after = html.escape(str(one.get("before", ""))), one.get("after")
    changed = after is not None
    left = f"<span>{before}</span>" if changed else f"<del>{before or '&nbsp;'}</del>"
    right = f"<span>{html.escape(str(after))}</span>" if changed else f"<span>{html.escape(_('dropped'))}</span>"
    return f"<small>{html.escape(why)}</small>{left}{right}"


def _plain(text: str) -> str:
    return "".join(letter for letter in text if letter.isalnum() or letter in " -_.")[:40]
