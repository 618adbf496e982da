"""Charts of a data set: labels, first words, lengths, and where its tokens go."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from lab.ui import bars, charts
from lab.ui.format import number, share
from lab.ui.language import _, ngettext
from lab.ui.theme import colours, stack_colours

MOST_BARS = 30
_BAR = 22  # pixels a bar, with the gap below it


def label_bars(counted: Mapping[str, int], *, key: str, unit: str) -> None:
    """How many rows or words (`unit`) have each label, the most frequent first."""
    parts = {label: {unit: count} for label, count in counted.items()}
    total, most = sum(counted.values()), max(counted, key=lambda label: counted[label])
    of_most = share(counted[most] / max(1, total))
    alt = ngettext(
        "{count} label; it has {share} of the {unit}.",
        "{count} labels; the most frequent has {share} of the {unit}.",
        len(counted),
        share=of_most,
        unit=unit,
    )
    stacked(parts, key=key, alt=alt, x_title=unit, say=alt)


def stacked(
    parts: Mapping[str, Mapping[str, int]],
    *,
    key: str,
    alt: str,
    x_title: str,
    say: str = "",
    palette: Sequence[str] = (),
    heading: str = "",
) -> None:
    """One horizontal bar for each name, made of its parts (name -> part -> count), and the table of the counts."""
    shown = dict(list(parts.items())[:MOST_BARS])
    names = list(dict.fromkeys(part for values in shown.values() for part in values))
    rows = [
        {"name": name, "part": part, "count": count, "order": names.index(part)}
        for name, values in shown.items()
        for part, count in values.items()
    ]
    legend = {"orient": "top", "title": None, "direction": "horizontal", "offset": 4} if len(names) > 1 else None
    spec = {
        "data": {"values": rows},
        "mark": {"type": "bar", "height": {"band": 0.72}},
        "encoding": {
            "y": {
                "field": "name",
                "type": "nominal",
                "sort": list(shown),
                "title": None,
                "axis": {"labelLimit": 220, "labelOverlap": False, "domain": False, "ticks": False},
            },
            "x": {
                "field": "count",
                "type": "quantitative",
                "title": x_title,
                "axis": {"tickCount": 5, "format": ",d", "domain": False},
            },
            "color": {
                "field": "part",
                "type": "nominal",
                "scale": {"domain": names, "range": list(palette or _palette(len(names)))},
                "legend": legend,
            },
            "order": {"field": "order"},
            "tooltip": [
                {"field": "name", "title": heading or _("label")},
                {"field": "part", "title": _("part")},
                {"field": "count", "title": x_title, "format": ","},
            ],
        },
        **charts.frame(_BAR * len(shown)),
        "autosize": {"type": "fit-x", "contains": "padding"},  # the height is that of the bars alone
    }
    st.vega_lite_chart(spec=spec, width="stretch", key=key, alt=alt)
    if say:
        st.caption(say)
    if len(parts) > MOST_BARS:
        st.caption(_("The {shown} most frequent of {count} are drawn.", shown=MOST_BARS, count=number(len(parts))))
    table(pd.DataFrame([{heading or _("label"): name, **values} for name, values in parts.items()]))


def table(frame: pd.DataFrame) -> None:
    """The data of a chart, one click away."""
    with st.expander(_("Data of the chart"), type="compact"):
        st.dataframe(frame, hide_index=True, height=min(220, 40 + 35 * len(frame)), alt=_("The data of the chart."))


def histogram(figures: Mapping[str, Any], *, key: str, limit: float | None, unit: str) -> None:
    """The histogram of lengths with the limit, its percentiles in words and as a table."""
    percentiles = figures.get("percentiles") or {"50": figures["median"], "95": figures["p95"]}
    text = _(
        "Half of the examples have at most {median} {unit}, 95 of 100 at most {p95}; the longest has {max}.",
        median=number(figures["median"]),
        p95=number(figures["p95"]),
        max=number(figures["max"]),
        unit=unit,
    )
    edges, counts = figures["edges"], figures["counts"]
    bars.histogram(edges, counts, key=key, limit=limit, x_title=_("{unit} per example", unit=unit), alt=text)
    st.caption(text)
    cells = "".join(f"<div><span>{share(int(p) / 100)}</span><b>{number(v)}</b></div>" for p, v in percentiles.items())
    heading = html.escape(_("This share of the examples has at most so many {unit}", unit=unit))
    st.html(f'<div class="lab-who">{heading}</div><div class="lab-percentiles">{cells}</div>')
    table(pd.DataFrame({_("from"): edges[:-1], _("to"): edges[1:], _("rows"): counts}))


def _palette(count: int) -> Sequence[str]:
    tone = colours()
    if count <= 3:  # training, validation, test
        return (tone.training, tone.validation, tone.base)[:count]
    return stack_colours()[:count]
