"""Bars as constant Vega-Lite specs: counts between edges, and the parts of a device's memory, each with its limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from lab.ui import charts
from lab.ui.language import _
from lab.ui.theme import colours, stack_colours


def histogram(
    edges: Sequence[float], counts: Sequence[int], *, key: str, limit: float | None, x_title: str, alt: str
) -> None:
    """Counts between edges (one more edge than counts), with the chosen limit as a dashed line."""
    tone = colours()
    rows = [{"from": edges[i], "to": edges[i + 1], "count": count} for i, count in enumerate(counts)]
    bars = {
        "data": {"values": rows},
        "mark": {"type": "bar", "color": tone.tuned, "opacity": 0.85, "binSpacing": 1},
        "encoding": {
            "x": {
                "field": "from",
                "type": "quantitative",
                "bin": {"binned": True},
                "title": x_title,
                "axis": {"grid": False, "tickCount": 6},
            },
            "x2": {"field": "to"},
            "y": {"field": "count", "type": "quantitative", "title": _("rows"), "axis": {"tickCount": 4}},
            "tooltip": [
                {"field": "from", "title": _("from"), "format": ","},
                {"field": "to", "title": _("to"), "format": ","},
                {"field": "count", "title": _("rows"), "format": ","},
            ],
        },
    }
    layers: list[dict[str, Any]] = [bars]
    if limit is not None and limit <= edges[-1] * 1.5:
        layers.append(_rule(limit, _("maximum length"), tone.validation))
    spec = {"layer": layers, **charts.frame(200)}
    st.vega_lite_chart(spec=spec, width="stretch", key=key, alt=alt)


def memory_bar(parts: Mapping[str, float], *, key: str, limit: float | None, limit_name: str, alt: str) -> None:
    """The parts of the memory in GiB as one stacked bar, with the limit of the device marked by its name."""
    rows, start = [], 0.0
    for index, (name, size) in enumerate(parts.items()):
        rows.append({"name": name, "start": start, "end": start + size, "size": size, "index": index})
        start += size
    show_limit = limit is not None and limit < 8 * start
    span = max(start, limit if show_limit and limit else 0) * 1.04
    bar = {
        "data": {"values": rows},
        "mark": {"type": "bar"},
        "encoding": {
            "x": {
                "field": "start",
                "type": "quantitative",
                "title": "GiB",
                "scale": {"domain": [0, span]},
                "axis": {"grid": False, "tickCount": 6},
            },
            "x2": {"field": "end"},
            "y": {"value": 18},
            "y2": {"value": 44},
            "color": {
                "field": "name",
                "type": "nominal",
                "sort": list(parts),
                "scale": {"domain": list(parts), "range": list(stack_colours()[: len(parts)])},
                "legend": {"orient": "bottom", "title": None, "columns": 3},
            },
            "tooltip": [
                {"field": "name", "title": _("part")},
                {"field": "size", "title": "GiB", "format": ".3f"},
            ],
        },
    }
    layers: list[dict[str, Any]] = [bar]
    if show_limit and limit is not None:
        layers.append(_rule(limit, limit_name, colours().text, label_y=4))
    spec = {
        "layer": layers,
        "height": 50,  # of the bar alone: legend and axis come on top
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": charts.frame(50)["config"],
    }
    st.vega_lite_chart(spec=spec, width="stretch", key=key, alt=alt)


def _rule(x: float, label: str, colour: str, label_y: int = 8) -> dict[str, Any]:
    return {
        "data": {"values": [{"x": x, "label": label}]},
        "encoding": {"x": {"field": "x", "type": "quantitative"}},
        "layer": [
            {"mark": {"type": "rule", "strokeDash": [4, 3], "color": colour}},
            {
                "mark": {
                    "type": "text",
                    "align": "right",
                    "dx": -4,
                    "y": label_y,
                    "color": colour,
                    "fontSize": 11,
                },
                "encoding": {"text": {"field": "label"}},
            },
        ],
    }
