"""A GPU that no preset describes: its memory, and if its owner knows it, its speed."""

from __future__ import annotations

import streamlit as st

from lab.planning.hardware import Hardware
from lab.text import N_
from lab.ui.format import number
from lab.ui.language import _

CODE = "own"  # in the address and in the list of devices
MEMORY, SPEED = "plan-own-gb", "plan-own-tflops"
USUAL_GB = 8.0  # of a laptop's GPU


def inputs() -> None:
    """Memory and speed of the GPU."""
    st.session_state.setdefault(MEMORY, USUAL_GB)
    columns = st.columns(2, vertical_alignment="bottom")
    with columns[0]:
        st.number_input(_("Its memory (GB)"), min_value=1.0, max_value=10_000.0, step=1.0, format="%g", key=MEMORY,
                        persist_state="session")  # fmt: skip
    with columns[1]:
        st.number_input(
            _("Its speed (TFLOP/s in bf16)"), min_value=0.1, max_value=1e5, value=None, step=1.0, format="%g",
            key=SPEED, persist_state="session", placeholder=_("not known"),
            help=_("From its datasheet, dense, without sparsity. Without it the time is not known."),
        )  # fmt: skip


def memory_gb() -> float:
    """The memory that was entered, in GB of 1e9 bytes."""
    return float(st.session_state.get(MEMORY) or USUAL_GB)


def name() -> str:
    """What the GPU is called in sentences."""
    return _("a GPU with {size} GB", size=number(memory_gb(), 0 if memory_gb().is_integer() else 1))


def described() -> Hardware | None:
    """The GPU as the planner takes it; None while its speed is not known."""
    speed = st.session_state.get(SPEED)
    if not speed:
        return None
    source = N_("as you entered it")
    return Hardware(CODE, name(), "cuda", 1e12 * float(speed), memory_gb(), source)
