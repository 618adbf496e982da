"""Up to four recipes side by side: the differences, or everything, with the choice in the address."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import streamlit as st

from lab.catalogue.search import everything, find
from lab.catalogue.side_by_side import MOST, Cell, Row, compare, nearest
from lab.errors import LabError
from lab.ui.format import tidy_exponents
from lab.ui.language import _, ngettext
from lab.ui.layout import error_card
from lab.ui.menu import go
from lab.ui.recipe_view import STATUS_WORDS, computed_text, field_name, purpose, value_text
from lab.ui.theme import colours

_KEY = "compare-chosen"
_ADDRESS = "compare"


def read_address() -> list[str]:
    """The recipes that the address names, at most four; the unknown ones are said and left out."""
    chosen = []
    for name in dict.fromkeys(str(st.query_params.get(_ADDRESS, "")).split(",")):
        if not name:
            continue
        try:
            chosen.append(find(name).id)
        except LabError as error:
            error_card(error)
    return chosen[:MOST]


def choose(chosen: Sequence[str]) -> list[str]:
    """Which recipes are compared; the answer goes into the address."""
    names = {one.id: one.name for one in everything()}
    if _KEY not in st.session_state:
        st.session_state[_KEY] = list(chosen)
    picked = st.multiselect(
        _("Compare up to four"),
        list(names),
        key=_KEY,
        format_func=lambda code: names.get(code, code),
        max_selections=MOST,
        select_all=False,
        placeholder=_("name of a recipe or of a published run"),
    )
    address = ",".join(picked)
    if st.query_params.get(_ADDRESS) != address:
        st.query_params[_ADDRESS] = address
    return picked


def add_buttons(chosen: Sequence[str]) -> None:
    """With one recipe: those that are most like it, each added by one press."""
    st.caption(_("Most like it:"))
    with st.container(horizontal=True):
        for one in nearest(chosen[0]):
            st.button(one.name, key=f"compare-add-{one.id}", icon=":material/add:", on_click=_add, args=(one.id,))


def _add(name: str) -> None:
    st.session_state[_KEY] = [*st.session_state[_KEY], name]


def table(chosen: Sequence[str]) -> None:
    """The fields of all chosen recipes beside each other; what is the same everywhere is hidden unless asked for."""
    rows = compare(chosen)
    different = [row for row in rows if row.differs]
    everything_shown = st.toggle(_("Everything, not only the differences"), key="compare-all")
    shown = rows if everything_shown else different
    _legend()
    stated, computed = [row for row in shown if not row.computed], [row for row in shown if row.computed]
    if stated:
        st.html(_table(chosen, stated))
    else:
        st.info(_("No field that two of them state differs."))
    if computed:
        st.html(_table(chosen, computed, heading=_("Computed")))
    _hidden(rows, shown)


def open_buttons(chosen: Sequence[str]) -> None:
    """The way from the comparison to each of the recipes."""
    with st.container(horizontal=True):
        for name in chosen:
            if st.button(find(name).name, key=f"compare-open-{name}", type="tertiary", icon=":material/arrow_forward:"):
                go("recipes", recipe=name)


def _hidden(rows: Sequence[Row], shown: Sequence[Row]) -> None:
    hidden = [row for row in rows if row not in shown]
    same = sum(row.stated > 1 for row in hidden)
    alone = len(hidden) - same
    parts = []
    if same:
        parts.append(ngettext("{count} field is the same", "{count} fields are the same", same))
    if alone:
        parts.append(ngettext("{count} is stated by one of them only", "{count} are stated by one of them only", alone))
    if parts:
        st.caption(_("Hidden: {what}.", what=", ".join(parts)))


def _legend() -> None:
    tone = colours()
    st.html(
        '<div class="lab-flow lab-legend">'
        f'<span style="color:{tone.document}">■ {html.escape(_("The document"))}</span>'
        f'<span style="color:{tone.published}">■ {html.escape(_("Published"))}</span>'
        f'<span style="color:{tone.computed}">■ {html.escape(_("Computed"))}</span></div>'
    )


def _table(chosen: Sequence[str], rows: Sequence[Row], heading: str = "") -> str:
    names = "".join(_head(name) for name in chosen)
    short = [html.escape(find(name).name, quote=True) for name in chosen]  # stands before each value on a phone
    first = f"<th>{html.escape(heading)}</th>" if heading else "<td></td>"
    body = "".join(
        f'<tr><th scope="row">{html.escape(_name(row))}</th>'
        + "".join(
            f'<td data-of="{name}">{_cell(row.field, cell, row.computed)}</td>'
            for name, cell in zip(short, row.cells, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return (
        '<div class="lab-wide" tabindex="0"><table class="lab-compare lab-side lab-even">'
        f"<thead><tr>{first}{names}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _head(name: str) -> str:
    """The name of a recipe, and what it is."""
    one = find(name)
    return f'<th scope="col">{html.escape(one.name)}<small>{html.escape(purpose(one))}</small></th>'


def _name(row: Row) -> str:
    return _(row.field) if row.computed else field_name(row.field)


def _cell(field: str, cell: Cell, computed: bool) -> str:
    """The values of one recipe, the document's above the published, each in its colour; words where there is none."""
    tone = colours()
    parts = [
        _coloured(value_text(field, value), colour)
        for value, colour in ((cell.described, tone.document), (cell.published, tone.published))
        if value is not None
    ]
    if cell.computed is not None:
        parts.append(_coloured(computed_text(cell.computed, cell.unit), tone.computed))
    if cell.status in ("fails", "implausible"):
        parts.append(f"<small>{html.escape(_(STATUS_WORDS[cell.status]))}</small>")
    missing = _("not computed") if computed else _("not stated")
    return "".join(parts) or f'<span class="lab-muted">{html.escape(missing)}</span>'


def _coloured(text: Any, colour: str) -> str:
    return f'<div style="color:{colour}">{html.escape(tidy_exponents(str(text)))}</div>'
