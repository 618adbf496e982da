"""The doctor's tables: each value with its place in the usual range, and the nearest recipes."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from lab.catalogue.doctor_parts import Row
from lab.catalogue.neighbours import Neighbour
from lab.text import N_
from lab.ui import words
from lab.ui.format import learning_rate, number, share, tidy_exponents
from lab.ui.language import _, say
from lab.ui.menu import go
from lab.ui.recipe_view import field_name, value_text
from lab.ui.theme import colours

STATUS_WORDS = {
    "ok": N_("usual"),
    "info": N_("usual"),
    "low": N_("low"),
    "high": N_("high"),
    "warning": N_("look twice"),
    "error": N_("wrong"),
}
_SHARES = ("schedule.warmup", "data.validation_share")
_INSIDE, _EDGE = 76.0, 12.0  # percent of the bar that the usual range takes, and where it begins


def ranges(rows: Sequence[Row]) -> str:
    """The table of verdicts as escaped HTML: parameter, value, place in the usual range, verdict with its reason."""
    titles = (_("Setting"), _("Yours"), _("Usual range"), _("Verdict"))
    head = "".join(f'<th scope="col">{html.escape(title)}</th>' for title in titles)
    body = "".join(_row(row) for row in rows)
    return f'<table class="lab-compare lab-side lab-ranges"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _row(row: Row) -> str:
    why = tidy_exponents(say(row.why.as_dict()))
    verdict = f"{html.escape(_word(row))}<small>{html.escape(why)}</small>"
    return (
        f'<tr><th scope="row">{html.escape(_(row.label))}</th><td>{html.escape(_value(row, row.value))}</td>'
        f"<td>{_bar(row)}</td><td>{verdict}</td></tr>"
    )


def _word(row: Row) -> str:
    """The verdict in a word; what is no mistake but outside the range is not called usual."""
    if row.status == "info" and row.low is not None and row.value < row.low:
        return _("on the low side")
    if row.status == "info" and row.high is not None and row.value > row.high:
        return _("on the high side")
    return _(STATUS_WORDS.get(row.status, row.status))


def _bar(row: Row) -> str:
    """The range as a bar with a mark for the value; outside the range the mark stands beyond its end."""
    if row.position is None or row.low is None or row.high is None:
        return html.escape(_("no usual range"))
    tone = colours()
    below, above = row.value < row.low, row.value > row.high
    place = 4.0 if below else 96.0 if above else _EDGE + _INSIDE * row.position
    colour = tone.validation if below or above else tone.tuned
    return (
        f'<div class="lab-range"><i style="left:{place:.1f}%;background:{colour}"></i></div>'
        f'<div class="lab-ends"><span>{html.escape(_value(row, row.low))}</span>'
        f"<span>{html.escape(_value(row, row.high))}</span></div>"
    )


def _value(row: Row, value: Any) -> str:
    if row.field == "schedule.learning_rate":
        return learning_rate(value)
    if row.field in _SHARES and isinstance(value, int | float):
        return share(value, 0 if float(100 * value).is_integer() else 1)
    if isinstance(value, float):
        return number(value, 0 if value.is_integer() else 2 if value < 10 else 1)
    return value_text("", value)


def neighbours(found: Sequence[Neighbour]) -> None:
    """The nearest recipes and published runs with their numbers, and the ways to them."""
    if not found:
        return
    st.subheader(_("Nearest recipes and published runs"), anchor=False)
    shown = list(dict.fromkeys(name for one in found for name in one.values))
    rows = [
        {
            _("Name"): one.name,
            _("Method"): words.method(one.method),
            **{field_name(name): _of(one, name) for name in shown},
        }
        for one in found
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="doctor-nearest")
    if st.button(_("Compare them"), key="doctor-compare", icon=":material/compare_arrows:"):
        go("recipes", compare=",".join(one.id for one in found))


def _of(one: Neighbour, name: str) -> str:
    entry = one.values.get(name)
    return value_text(name, entry["value"]) if entry else _("not stated")
