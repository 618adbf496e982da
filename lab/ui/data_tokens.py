"""Tokens of a prepared data set: which are trained, how long examples are, where all of them go."""

from __future__ import annotations

import html
from itertools import groupby
from typing import Any

import streamlit as st

from lab.errors import LabError
from lab.runs.child import ask
from lab.text import N_
from lab.ui import data_charts, data_example, data_rows
from lab.ui.format import number, share
from lab.ui.language import _, ngettext
from lab.ui.layout import error_card, tokens
from lab.ui.run_list import short_source
from lab.ui.theme import colours

_LIMITS = {"file": 1 << 20}  # a library that looks for a place for temporary files writes a few bytes
LEAFED = 50  # rows to leaf through where no examples were kept
PARTS = {"train": N_("training"), "validation": N_("validation"), "test": N_("test")}


def rows_view(told: dict[str, Any]) -> None:
    """Any row of the set as the model sees it: the first ones by leafing, every other by its number."""
    record, preview = told["record"], told["preview"]
    total = int((record.get("rows") or {}).get("kept") or 0)
    if not total:
        st.caption(_("There is no example to show."))
        return
    if preview:
        _legend()
    number_of = 0
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        with st.container(width="content"):
            many = len(preview) or min(total, LEAFED)
            leafed = st.pagination(
                many, key="data-example", max_visible_pages=5, on_change=_first_ones, args=(f"data-row-{record['id']}",)
            )
        with st.container(width=150):
            number_of = int(
                st.number_input(
                    _("Any row"),
                    min_value=0,
                    max_value=total,
                    step=1,
                    key=f"data-row-{record['id']}",
                    help=_("Number of the row, from 1 to {count}; 0 for the first ones.", count=number(total)),
                )
            )
    if number_of:
        _any_row(told, number_of - 1)
    elif preview:
        _example(preview, min(leafed, many))
    else:
        rows = data_rows.read(told["folder"] / "rows.jsonl", min(leafed, many) - 1, 1)
        _as_it_stands(rows, record)


def _first_ones(key: str) -> None:
    st.session_state[key] = 0


def _any_row(told: dict[str, Any], row: int) -> None:
    record = told["record"]
    if not told["preview"]:
        _as_it_stands(data_rows.read(told["folder"] / "rows.jsonl", row, 1), record)
        return
    try:
        with st.spinner(_("The row is read as the training will read it")):
            shown = _asked(str(record["id"]), str(record.get("fingerprint")), row)
    except LabError as error:
        error_card(error)
        return
    if shown.get("tokens"):
        _tokens(shown["tokens"]["segments"], _("Row {number}", number=number(row + 1)))
        return
    st.caption(_("This row is in no example: it is longer than the maximum length."))
    _as_it_stands(data_rows.read(told["folder"] / "rows.jsonl", row, 1), record)


@st.cache_data(max_entries=64, show_spinner=False)
def _asked(dataset: str, _fingerprint: str, row: int) -> dict[str, Any]:
    return ask("lab.data.show", {"dataset": dataset, "row": row}, timeout_s=60, limits=_LIMITS)


def _as_it_stands(rows: list[dict[str, Any]], record: dict[str, Any]) -> None:
    for row in rows:
        data_example.draw(str(record.get("kind", "")), row)
        if row.get("split"):
            st.caption(_("Part: {part}", part=_(PARTS.get(str(row["split"]), str(row["split"])))))


def _legend() -> None:
    st.html(
        '<div class="lab-tokens"><span class="lab-trained">'
        + _("trained: the model learns to say this")
        + '</span> <span class="lab-muted">'
        + _("masked: the model reads this")
        + "</span></div>"
    )


def _example(preview: list[dict[str, Any]], shown: int) -> None:
    example = preview[shown - 1]
    _tokens(example["segments"], _("Example {number} of the first {count}", number=shown, count=len(preview)))
    with st.expander(_("The text without marks"), type="compact"):
        st.code(example.get("text", ""), language=None, wrap_lines=True)


def _tokens(segments: list[Any], name: str) -> None:
    pairs = [(str(text), bool(trained)) for text, trained in segments]
    with st.container(border=True):
        tokens(_stretches(pairs))
    st.caption(
        _(
            "{name}: {trained} of {total} tokens are trained.",
            name=name,
            trained=number(sum(flag for _text, flag in pairs)),
            total=number(len(pairs)),
        )
    )


def _stretches(segments: list[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """Neighbouring tokens with the same mark as one stretch, so that the highlight has no seams."""
    return [
        ("".join(text for text, _trained in run), trained) for trained, run in groupby(segments, lambda one: one[1])
    ]


def lengths(figures: dict[str, Any]) -> None:
    """The lengths in tokens of the chosen model, and on a second tab in characters."""
    if not figures or not figures.get("counts"):
        st.caption(_("The lengths were not measured."))
        return
    in_tokens, in_characters = st.tabs([_("In tokens"), _("In characters")])
    with in_tokens:
        limit = figures.get("max_length")
        data_charts.histogram(figures, key="data-lengths", limit=limit, unit=_("tokens"))
        st.caption(_("The maximum length is {limit}.", limit=number(limit)))
        _cut(figures)
        _counted_with(figures)
    with in_characters:
        letters = figures.get("characters") or {}
        if not letters.get("counts"):
            st.caption(_("The characters were not counted."))
            return
        limit = letters.get("max_characters")
        data_charts.histogram(letters, key="data-characters", limit=limit, unit=_("characters"))
        ratio = figures.get("characters_per_token")
        if ratio:
            st.caption(_("One token of this model holds {ratio} characters of this text.", ratio=number(ratio, 1)))


def _cut(figures: dict[str, Any]) -> None:
    cut = int(figures.get("cut") or 0)
    if cut:
        st.markdown(
            ":orange[:material/content_cut:] "
            + ngettext(
                "{count} example is cut at the maximum length; it never learns where to stop.",
                "{count} examples are cut at the maximum length; they never learn where to stop.",
                cut,
            )
        )


def _counted_with(figures: dict[str, Any]) -> None:
    if figures.get("model"):
        model = html.escape(_("Counted with the tokenizer of {model}.", model=short_source(str(figures["model"]))))
        st.html(f'<div class="lab-who">{model}</div>')


def where_tokens_go(told: dict[str, Any] | None) -> None:
    """Two bars: trained, masked and padding tokens of one epoch, without packing and with it; what was cut in words."""
    if not told or not told.get("total"):
        st.caption(_("For this kind of data tokens are counted when the training begins."))
        return
    trained, masked, cut = int(told["trained"]), int(told["masked"]), int(told.get("cut") or 0)
    loose, packed = int(told["padded"]), int(told["padded_packed"])
    names = (_("trained"), _("masked"), _("padding"), _("cut"))
    batch = told.get("batch")
    first = _("Batches of {count}", count=number(batch)) if batch else _("Without packing")
    parts = {
        first: dict(zip(names, (trained, masked, loose, cut), strict=True)),
        _("With packing"): dict(zip(names, (trained, masked, packed, cut), strict=True)),
    }
    if not cut:
        parts = {
            name: {part: count for part, count in values.items() if part != names[3]} for name, values in parts.items()
        }
    through = trained + masked + loose
    sentence = _(
        "{trained} of the tokens of an example are trained. Padding is {loose} of what goes through the model, "
        "with packing {packed}.",
        trained=share(trained / max(1, trained + masked), 1),
        loose=share(loose / max(1, through), 1),
        packed=share(packed / max(1, trained + masked + packed), 1),
    )
    if cut:
        sentence += " " + ngettext("{count} token was cut away.", "{count} tokens were cut away.", cut)
    tone = colours()
    palette = (tone.training, tone.base, tone.grid, tone.validation)
    data_charts.stacked(
        parts,
        key="data-token-bars",
        alt=sentence,
        x_title=_("tokens in one epoch"),
        say=sentence,
        palette=palette[: 3 + bool(cut)],
        heading=_("way"),
    )
