"""The memory of a run against the memory of every known GPU, as one chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import streamlit as st

from lab.ui.language import _
from lab.ui.theme import colours, stack_colours

ROW = 29  # height of one row in pixels
LINE = "|"  # where the label of a row has a line break


class Size(NamedTuple):
    """The GPUs of one memory size: how much in GiB, and what they are called."""

    gib: float
    names: str


def memory_against(parts: Mapping[str, float], sizes: Sequence[Size], *, key: str, alt: str) -> None:
    """The parts of the memory as one stacked bar above a bar for each memory size.

    What is large enough is filled, what is too small only outlined; the dashed line is what the run needs.
    """
    total = sum(parts.values())
    tone = colours()
    order = [_("this run"), *(size.names for size in sizes)]
    span = max(total, *(size.gib for size in sizes)) * 1.02
    spec = {
        "layer": [
            _need(parts, order[0]),
            _capacities(sizes, total, tone),
            _line(total, tone.text),
        ],
        "encoding": {
            "y": {
                "field": "row",
                "type": "nominal",
                "sort": order,
                "title": None,
                "axis": {
                    "labelLimit": 190,
                    "labelExpr": f"split(datum.label, '{LINE}')",
                    "labelLineHeight": 12,
                    "ticks": False,
                    "domain": False,
                },
            },
            "x": {"scale": {"domain": [0, span]}, "axis": {"grid": False, "tickCount": 6}, "title": "GiB"},
        },
        "height": ROW * len(order),
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": {"view": {"stroke": None}},
    }
    st.vega_lite_chart(spec=spec, width="stretch", key=key, alt=alt)


def _need(parts: Mapping[str, float], row: str) -> dict[str, Any]:
    rows, start = [], 0.0
    for name, size in parts.items():
        rows.append({"row": row, "name": name, "start": start, "end": start + size, "size": size})
        start += size
    return {
        "data": {"values": rows},
        "mark": {"type": "bar", "height": 14},
        "encoding": {
            "x": {"field": "start", "type": "quantitative"},
            "x2": {"field": "end"},
            "color": {
                "field": "name",
                "type": "nominal",
                "scale": {"domain": list(parts), "range": list(stack_colours()[: len(parts)])},
                "legend": {"orient": "bottom", "title": None, "columns": 2},
            },
            "tooltip": [
                {"field": "name", "title": _("part")},
                {"field": "size", "title": "GiB", "format": ".3f"},
            ],
        },
    }


def _capacities(sizes: Sequence[Size], total: float, tone: Any) -> dict[str, Any]:
    rows = [
        {
            "row": size.names,
            "names": size.names.replace(LINE, ", "),
            "end": size.gib,
            "fits": size.gib >= total,
            "says": _("fits") if size.gib >= total else _("too small"),
        }
        for size in sizes
    ]
    return {
        "data": {"values": rows},
        "mark": {"type": "bar", "height": 10, "strokeWidth": 1, "stroke": tone.muted, "color": tone.base},
        "encoding": {
            "x": {"field": "end", "type": "quantitative"},
            "fillOpacity": {"condition": {"test": "datum.fits", "value": 0.55}, "value": 0},
            "tooltip": [
                {"field": "names", "title": "GPU"},
                {"field": "end", "title": "GiB", "format": ".1f"},
                {"field": "says", "title": _("this run")},
            ],
        },
    }


def _line(total: float, colour: str) -> dict[str, Any]:
    return {
        "data": {"values": [{"x": total}]},
        "mark": {"type": "rule", "strokeDash": [4, 3], "color": colour},
        "encoding": {"x": {"field": "x", "type": "quantitative"}, "y": None},
    }
