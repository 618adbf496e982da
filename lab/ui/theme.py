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
