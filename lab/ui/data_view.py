"""A prepared data set: what was kept, what was not and why, how long examples are, what is trained."""

from __future__ import annotations

import html
import time
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from lab.errors import InputError, NotFoundError, from_dict
from lab.json_io import read_json
from lab.runs import client, registry
from lab.runs.home import created_at
from lab.runs.view import RunView
from lab.text import N_
from lab.ui import charts, words
from lab.ui.data_file import kind_in_words
from lab.ui.format import ago, duration, number, share
from lab.ui.language import _, ngettext, say
from lab.ui.layout import error_card, facts, said, tokens
from lab.ui.menu import go
from lab.ui.run_list import short_source

PREPARE_PHASES = ("read", "clean", "format", "measure", "write")


def progress_card(view: RunView) -> None:
    """Where a preparation is: its phases, done and to come."""
    known = {phase.name: phase for phase in view.phases}
    parts = []
    for name in dict.fromkeys((*PREPARE_PHASES, *known)):
        phase, label = known.get(name), html.escape(words.phase(name))
        if phase is None:
            parts.append(f'<span class="todo">{label}</span>')
        elif name == view.phase:
            parts.append(f'<span class="now">● {label}</span>')
        else:
            parts.append(f'<span class="done">✓ {label} {html.escape(duration(phase.seconds))}</span>')
    with st.container(border=True):
        st.html(f'<div class="lab-flow">{" <span class=todo>→</span> ".join(parts)}</div>')
        st.progress(min(1.0, float(view.progress.get("done") or 0.0)), text=words.state(view.state))


def stop(run: str) -> None:
    """Stop a preparation; what it wrote so far is thrown away."""
    try:
        client.stop(run, discard=True)
    except InputError:
        return  # it ended in the same moment; the page shows how


def failure(view: RunView) -> None:
    """Why a preparation did not end well."""
    if view.error:
        error_card(from_dict(view.error))
    elif view.reason:
        st.warning(say(view.reason), icon=":material/info:")
    else:
        st.info(_("The preparation was stopped."))


def prepared_list(sets: list[dict[str, Any]]) -> None:
    """The prepared data sets, newest first, each as a link to its own view."""
    for record in sets:
        with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"set-{record['id']}"):
            with st.container(gap=None, width="stretch"):
                said(str(record.get("name") or record["id"]))
                rows = record.get("rows") or {}
                st.caption(
                    " · ".join(
                        (
                            ngettext("{count} row", "{count} rows", int(rows.get("kept") or 0)),
                            kind_in_words(str(record.get("kind", ""))),
                            ago(time.time() - created_at(record["id"])),
                        )
                    )
                )
            if st.button(_("Open"), key=f"open-{record['id']}"):
                go("data", dataset=record["id"])
            with st.popover("", icon=":material/more_horiz:", key=f"more-{record['id']}"):
                st.caption(_("Removes the prepared set. Runs that used it keep what they made."))
                st.button(
                    _("Delete the data set"),
                    icon=":material/delete_forever:",
                    key=f"delete-{record['id']}",
                    on_click=_delete,
                    args=(record["id"],),
                )


def _delete(identifier: str) -> None:
    try:
        registry.delete_dataset(identifier)
    except NotFoundError:
        return  # somebody else was faster: it is gone, as asked


def heading(record: dict[str, Any]) -> None:
    """The name of the data set, and what its rows are."""
    with st.container(gap=None):
        st.text(str(record.get("name") or record["id"]))
        st.caption(
            " · ".join((kind_in_words(str(record.get("kind", ""))), ago(time.time() - created_at(record["id"]))))
        )


def summary(record: dict[str, Any]) -> None:
    """How many rows were read, kept, dropped and held out."""
    rows = record["rows"]
    lost = sum((record.get("dropped") or {}).values())
    held_out = [(_("Validation"), number(rows.get("validation")), _("held out"))]
    if rows.get("test"):
        held_out.append((_("Test"), number(rows["test"]), _("held out")))
    facts(
        [
            (_("Read"), number(rows["read"]), _("rows")),
            (_("Kept"), number(rows["kept"]), share(rows["kept"] / rows["read"], 1) if rows["read"] else ""),
            (_("Dropped"), number(lost), _("reasons below") if lost else _("none")),
            (_("Training"), number(rows.get("train")), _("rows")),
            *held_out,
        ]
    )


def dropped(record: dict[str, Any]) -> None:
    """Which rows the model will not see, and why."""
    reasons = record.get("dropped") or {}
    if not any(reasons.values()):
        st.markdown(f":green[:material/check_circle:] {_('No row was dropped.')}")
        return
    for reason, count in sorted(reasons.items(), key=lambda pair: -pair[1]):
        if count:
            st.markdown(f":orange[:material/filter_alt:] **{number(count)}** {_(REASONS.get(reason, reason))}")


# The reasons of lab.data.rendered, as the second half of "12 rows ..." without the word rows.
REASONS: dict[str, str] = {
    "empty answer": N_("without an answer"),
    "empty question": N_("without a question"),
    "empty text": N_("without text"),
    "duplicate": N_("repeating an earlier row"),
    "too long": N_("longer than the maximum length"),
    "question too long": N_("whose question alone exceeds the maximum length"),
    "no assistant turn": N_("in which the assistant never speaks"),
    "unknown role": N_("with a role that is not known"),
    "contains a control token of the model": N_("containing a control token of the model"),
    "refused by the chat template": N_("refused by the chat template"),
}


def lengths_chart(lengths: dict[str, Any]) -> None:
    """The histogram of token lengths with the maximum marked, and its percentiles in words."""
    if not lengths or not lengths.get("counts"):
        st.caption(_("The lengths were not measured."))
        return
    limit = lengths.get("max_length")
    text = _(
        "Half of the examples have at most {median} tokens, 95 of 100 at most {p95}; the longest has {max}.",
        median=number(lengths["median"]),
        p95=number(lengths["p95"]),
        max=number(lengths["max"]),
    )
    charts.histogram(
        lengths["edges"],
        lengths["counts"],
        key="data-lengths",
        limit=limit,
        x_title=_("tokens per example"),
        alt=text,
    )
    st.caption(text + " " + _("The maximum length is {limit}.", limit=number(limit)))
    cut = int(lengths.get("cut") or 0)
    if cut:
        st.markdown(
            ":orange[:material/content_cut:] "
            + ngettext(
                "{count} example is cut at the maximum length; it never learns where to stop.",
                "{count} examples are cut at the maximum length; they never learn where to stop.",
                cut,
            )
        )
    with st.expander(_("Data of the chart"), type="compact"):
        edges = lengths["edges"]
        frame = pd.DataFrame({_("from"): edges[:-1], _("to"): edges[1:], _("rows"): lengths["counts"]})
        st.dataframe(frame, hide_index=True, height=220)


def token_view(preview: list[dict[str, Any]]) -> None:
    """One example as the model sees it: what is trained is marked, what is masked is not."""
    if not preview:
        st.caption(_("There is no example to show."))
        return
    st.html(
        '<div class="lab-tokens"><span class="lab-trained">'
        + _("trained: the model learns to say this")
        + '</span> <span class="lab-muted">'
        + _("masked: the model reads this")
        + "</span></div>"
    )
    shown = st.pagination(len(preview), key="data-example", max_visible_pages=5)
    example = preview[min(shown, len(preview)) - 1]
    segments = [(str(text), bool(trained)) for text, trained in example["segments"]]
    with st.container(border=True):
        tokens(_stretches(segments))
    trained = sum(flag for _text, flag in segments)
    st.caption(
        _(
            "Example {number} of the first {count}: {trained} of {total} tokens are trained.",
            number=min(shown, len(preview)),
            count=len(preview),
            trained=number(trained),
            total=number(len(segments)),
        )
    )
    with st.expander(_("The text without marks"), type="compact"):
        st.code(example.get("text", ""), language=None, wrap_lines=True)


def _stretches(segments: list[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """Neighbouring tokens with the same mark as one stretch, so that the highlight has no seams."""
    return [
        ("".join(text for text, _trained in run), trained) for trained, run in groupby(segments, lambda one: one[1])
    ]


def measured_with(lengths: dict[str, Any]) -> None:
    """Whose tokenizer counted."""
    if lengths.get("model"):
        with st.container(horizontal=True, gap="small"):
            st.caption(_("Counted with the tokenizer of"), width="content")
            st.text(short_source(str(lengths["model"])), width="content")


def files(identifier: str) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
    """The record, the lengths and the preview of a prepared data set. Raises NotFoundError."""
    folder: Path = registry.dataset_path(identifier)
    return (
        registry.dataset(identifier),
        read_json(folder / "lengths.json") or {},
        read_json(folder / "preview.json") or [],
    )
