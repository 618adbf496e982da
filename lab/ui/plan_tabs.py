"""The parts of the plan page as tabs that stay in the address, and the inputs beside the settings."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from lab.catalogue.exchange import FORMATS
from lab.planning.hardware import hardware
from lab.text import N_
from lab.ui import estimate, own_gpu
from lab.ui.language import _

TABS = {
    "plan": N_("Plan"),
    "hardware": N_("Hardware and cost"),
    "doctor": N_("Doctor"),
    "export": N_("Export"),
}
_LABEL, _CODE, _FIRST = "plan-tabs", "plan-tab", "plan-tab-first"


def tabs() -> Sequence[Any]:
    """The tabs of the page. The open one is kept as a code, so that it outlives a change of language or of page."""
    labels = [_(label) for label in TABS.values()]
    if st.session_state.get(_LABEL) not in labels:
        st.session_state.pop(_LABEL, None)
        st.session_state[_FIRST] = TABS.get(st.session_state.get(_CODE, ""), TABS["plan"])
    drawn = st.tabs(labels, default=_(st.session_state[_FIRST]), key=_LABEL, on_change="rerun")
    st.session_state[_CODE] = next(code for code, tab in zip(TABS, drawn, strict=True) if tab.open)
    return drawn


def device() -> str:
    """The device that the plan is for: this machine, or one of the hardware presets."""
    return str(st.session_state.get("plan-device") or estimate.HERE)


def _code_of(known: Callable[[], Sequence[str]]) -> Callable[[str], str | None]:
    return lambda text: text if text in known() else None


def _number_in(low: float, high: float) -> Callable[[str], float | None]:
    """A reader of a number between two bounds."""

    def read(text: str) -> float | None:
        try:
            value = float(text)
        except ValueError:
            return None
        return value if math.isfinite(value) and low <= value <= high else None

    return read


# Inputs that are no settings of the run: name in the address -> key of the widget, and how its text is read.
EXTRAS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "tab": (_CODE, _code_of(lambda: list(TABS)[1:])),
    "device": ("plan-device", _code_of(lambda: [own_gpu.CODE, *hardware()])),
    "gb": (own_gpu.MEMORY, _number_in(1, 1e4)),
    "tflops": (own_gpu.SPEED, _number_in(0.1, 1e5)),
    "format": ("plan-format", _code_of(lambda: list(FORMATS)[1:])),
    "instead": ("plan-instead", _number_in(1, 1e8)),
    "step_s": ("plan-step-s", _number_in(1e-4, 1e5)),
    "mfu": ("plan-mfu", _number_in(1, 100)),
    "price": ("plan-price", _number_in(0, 1e4)),
}
