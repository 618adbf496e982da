"""One line on the machine: GPU or CPU, and how much memory is free."""

from __future__ import annotations

import shutil
import subprocess

import psutil
import streamlit as st

from lab.ui.format import gib
from lab.ui.language import _


@st.cache_data(ttl=3600, max_entries=1, show_spinner=False)
def gpu_name() -> str:
    """The name of the first NVIDIA GPU as its driver tells it, or an empty text."""
    tool = shutil.which("nvidia-smi")
    if not tool:
        return ""
    try:
        answer = subprocess.run(  # noqa: S603  # a constant command
            [tool, "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True, timeout=5, check=False
        )
    except subprocess.TimeoutExpired:
        return ""
    return answer.stdout.strip().splitlines()[0] if answer.returncode == 0 and answer.stdout.strip() else ""


def machine_line() -> str:
    """GPU name or CPU cores, and the free memory of the machine."""
    free = psutil.virtual_memory().available / 2**30
    device = gpu_name() or _("CPU, {cores} cores", cores=psutil.cpu_count(logical=True) or 1)
    return _("{device}, {free} free", device=device, free=gib(free))
