"""Charts as constant Vega-Lite specs with the data passed in.

Thin lines without point marks, a light grid, labels on the lines instead of a legend, units on the axes. A chart never
gets more than about a thousand points: `lab.runs.view` thins the series out.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import streamlit as st

from lab.ui.language import _, language
from lab.ui.theme import colours

Point = tuple[float, float | None]


def line(
    series: Mapping[str, tuple[Sequence[Point], str, bool]],
    *,
    key: str,
    alt: str,
    x_title: str,
    y_format: str = ".2f",
    height: int = 260,
    x_max: float | None = None,
    named: bool = True,
) -> None:
    """Draw one line for each series: label -> (points, colour, faint).

    A value that is None leaves a gap. Faint series (the raw loss behind the smoothed one) get no label; without `named`
    none gets one: `legend` draws names that are too long for the ends of their lines.
    """
    rows = [
        {"x": x, "y": y, "s": index}
        for index, (points, _colour, _faint) in enumerate(series.values())
        for x, y in points
    ]
    layers = [_line_layer(index, colour, faint) for index, (_points, colour, faint) in enumerate(series.values())]
    layers += _labels(series) if named else []
    domain = {"domain": [0, x_max]} if x_max else {}
    shared = {
        "x": {
            "field": "x",
            "type": "quantitative",
            "title": x_title,
            "scale": {"nice": False, **domain},
            "axis": {"grid": False, "tickCount": 6, "format": ",d"},
        },
        "y": {
            "field": "y",
            "type": "quantitative",
            "title": None,
            "scale": {"zero": False},
            "axis": {"tickCount": 5, "domain": False, "ticks": False, "format": y_format} | _zero(y_format),
        },
    }
    tooltip = [
        {"field": "x", "type": "quantitative", "title": x_title, "format": ","},
        {"field": "y", "type": "quantitative", "title": _("value"), "format": ".4g"},
    ]
    spec = {
        "data": {"values": rows},
        "encoding": shared | {"tooltip": tooltip},
        "layer": layers,
        "height": height,
        "padding": _padding([label for label, (_points, _colour, faint) in series.items() if named and not faint]),
        "config": _config(),
    }
    st.vega_lite_chart(spec=spec, width="stretch", key=key, alt=alt)


def _zero(y_format: str) -> dict[str, str]:
    """On an axis of powers of ten the zero is a plain 0, not 0.0e+0."""
    return {"labelExpr": "datum.value === 0 ? '0' : datum.label"} if y_format.endswith("e") else {}


def legend(names: Mapping[str, str]) -> None:
    """Names of lines in their colours (name -> colour), for names that are too long for the ends of the lines."""
    spans = (
        f'<span style="color: {tone}; font-weight: 600">{html.escape(name)}</span>' for name, tone in names.items()
    )
    st.html(f'<div class="lab-flow">{"".join(spans)}</div>')


def _padding(labels: Sequence[str] = ()) -> dict[str, float]:
    """Room around a chart: on the right for the labels beyond the lines' ends, and for half of the last tick."""
    longest = max((len(label) for label in labels), default=0)
    return {"left": 4, "top": 8, "bottom": 4, "right": 18 + 6.6 * longest}


def frame(height: int, labels: Sequence[str] = ()) -> dict[str, Any]:
    """What a spec that is built elsewhere shares with these: height, room around it, and how numbers are written."""
    return {"height": height, "padding": _padding(labels), "config": _config()}


def _config() -> dict[str, Any]:
    """What all charts share; numbers on axes and in tooltips as the visitor's language writes them."""
    config: dict[str, Any] = {"view": {"stroke": None}}
    if language() == "fr":
        config["locale"] = {
            "number": {"decimal": ",", "thousands": "\u202f", "grouping": [3], "currency": ["", "\u00a0€"]}
        }
    return config


def _line_layer(index: int, colour: str, faint: bool) -> dict[str, Any]:
    return {
        "transform": [{"filter": f"datum.s === {index}"}],
        "mark": {
            "type": "line",
            "color": colour,
            "strokeWidth": 1 if faint else 2,
            "opacity": 0.28 if faint else 1,
            "invalid": "break-paths-show-path-domains",
        },
    }


def _labels(series: Mapping[str, tuple[Sequence[Point], str, bool]]) -> list[dict[str, Any]]:
    """The name of each line right of its end, where no line is, pushed apart when two ends are close."""
    ends: list[list[Any]] = []
    for label, (points, colour, faint) in series.items():
        drawn = [(x, y) for x, y in points if y is not None]
        if drawn and not faint and label:
            ends.append([drawn[-1][0], drawn[-1][1], label, colour])
    values = [y for points, _colour, _faint in series.values() for _x, y in points if y is not None]
    gap = 0.08 * (max(values) - min(values)) if values else 0.0
    ends.sort(key=lambda end: end[1])
    for below, above in pairwise(ends):
        if above[1] - below[1] < gap:
            above[1] = below[1] + gap
    return [
        {
            "data": {"values": [{"x": x, "y": y}]},
            "mark": {
                "type": "text",
                "text": label,
                "align": "left",
                "baseline": "middle",
                "dx": 6,
                "fontSize": 12,
                "fontWeight": 600,
                "color": colour,
            },
        }
        for x, y, label, colour in ends
    ]


def schedule(points: Sequence[Point], *, key: str, warmup: int, height: int = 170) -> None:
    """The learning rate over the optimizer steps."""
    peak = max((value for _x, value in points if value is not None), default=0.0)
    line(
        {"": (points, colours().tuned, False)},
        key=key,
        alt=_(
            "The learning rate rises over {warmup} warmup steps to {peak:.1e} and then follows the scheduler.",
            warmup=warmup,
            peak=peak,
        ),
        x_title=_("optimizer step"),
        y_format=".1e",
        height=height,
    )


def smooth(points: Sequence[Point], weight: float) -> list[Point]:
    """Exponential moving average with bias correction; gaps stay gaps. `weight` is 0 (none) to below 1."""
    smoothed: list[Point] = []
    total = correction = 0.0
    for x, y in points:
        if y is None:
            smoothed.append((x, None))
            continue
        total = weight * total + (1 - weight) * y
        correction = weight * correction + (1 - weight)
        smoothed.append((x, total / correction))
    return smoothed
