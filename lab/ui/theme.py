"""Colours with fixed meanings, for light and dark: one edit here changes them everywhere."""

from __future__ import annotations

from typing import NamedTuple

import streamlit as st


class Colours(NamedTuple):
    """What each colour means, whatever the page."""

    base: str
    tuned: str
    training: str
    validation: str
    document: str
    published: str
    computed: str
    grid: str
    text: str
    muted: str


_LIGHT = Colours(
    base="#64748B",
    tuned="#0F766E",
    training="#0F766E",
    validation="#B45309",
    document="#64748B",
    published="#2563EB",
    computed="#7C3AED",
    grid="#E3E7E5",
    text="#1C2321",
    muted="#5B6663",
)
_DARK = Colours(
    base="#94A3B8",
    tuned="#5EEAD4",
    training="#5EEAD4",
    validation="#FBBF24",
    document="#94A3B8",
    published="#93C5FD",
    computed="#C4B5FD",
    grid="#2E3533",
    text="#E7ECEA",
    muted="#9AA6A2",
)
_STACK_LIGHT = ("#0F766E", "#B45309", "#2563EB", "#7C3AED", "#BE185D", "#64748B")
_STACK_DARK = ("#5EEAD4", "#FBBF24", "#93C5FD", "#C4B5FD", "#F9A8D4", "#94A3B8")


def is_dark() -> bool:
    """Whether the visitor looks at the dark theme."""
    return getattr(st.context.theme, "type", None) == "dark"


def colours() -> Colours:
    """The colours of the visitor's theme."""
    return _DARK if is_dark() else _LIGHT


def stack_colours() -> tuple[str, ...]:
    """Six colours that differ, for the parts of a stacked bar."""
    return _STACK_DARK if is_dark() else _STACK_LIGHT


# The rows of a data set and its lists of steps; colours of the chips are those of stacked parts.
_DATA_STYLE = """
<style>
.lab-row { display: grid; gap: .7rem; border: 1px solid color-mix(in srgb, currentColor 14%, transparent);
  border-radius: 8px; padding: .8rem 1rem; font-size: .93rem; line-height: 1.5; max-height: 26rem; overflow-y: auto; }
.lab-row p { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.lab-who { display: block; font-size: .8rem; opacity: .72; margin-bottom: .1rem; }
.lab-pair { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; }
.lab-tagged { line-height: 2.1; overflow-wrap: anywhere; }
.lab-chip { border-radius: 4px; padding: .1rem .35rem; white-space: nowrap;
  background: color-mix(in srgb, var(--chip) 20%, transparent); border-bottom: 2px solid var(--chip); }
.lab-chip small { opacity: .8; font-size: .72rem; margin-left: .3rem; }
%CHIPS%
.lab-percentiles { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; font-variant-numeric: tabular-nums; }
.lab-percentiles span { display: block; font-size: .8rem; opacity: .72; }
.lab-step-rows { font-variant-numeric: tabular-nums; font-size: .93rem; }
.lab-change { display: grid; grid-template-columns: 1fr 1fr; gap: .2rem 1rem; font-size: .88rem; line-height: 1.45;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.lab-change del { text-decoration-thickness: 1px; opacity: .75; }
.lab-change small { grid-column: 1 / -1; opacity: .72; }
.lab-change > :not(small) { border-bottom: 1px solid color-mix(in srgb, currentColor 14%, transparent);
  padding-bottom: .45rem; margin-bottom: .3rem; }
@media (max-width: 640px) { .lab-pair, .lab-change { grid-template-columns: 1fr; } }
</style>
"""


def style_data() -> None:
    """Add the style rules of the data page."""
    chips = "\n".join(f".lab-chip-{at} {{ --chip: {colour}; }}" for at, colour in enumerate(stack_colours()))
    st.html(_DATA_STYLE.replace("%CHIPS%", chips))
