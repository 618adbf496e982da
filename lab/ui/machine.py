"""The machine: GPU or CPU, its memory, and the line at the bottom of the menu."""

from __future__ import annotations

import shutil
import subprocess

import psutil
import streamlit as st

from lab.planning.hardware import hardware
from lab.ui.format import gib
from lab.ui.language import _

GIB = 2**30


@st.cache_data(ttl=3600, max_entries=1, show_spinner=False)
def gpu() -> tuple[str, float]:
    """Name and memory in GiB of the first NVIDIA GPU as its driver tells them; ("", 0) without one."""
    tool = shutil.which("nvidia-smi")
    if not tool:
        return "", 0.0
    query = ["--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run([tool, *query], capture_output=True, text=True, timeout=5, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return "", 0.0
    if answer.returncode != 0 or not answer.stdout.strip():
        return "", 0.0
    name, _comma, mebibytes = answer.stdout.strip().splitlines()[0].rpartition(",")
    return name.strip(), float(mebibytes) / 1024 if mebibytes.strip().isdigit() else 0.0


def gpu_name() -> str:
    """The name of the first NVIDIA GPU, or an empty text."""
    return gpu()[0]


def planning_device(wanted: str) -> str:
    """What a plan for this machine counts with: the GPU's name, cuda for one that a run insists on, or cpu."""
    if wanted == "cpu":
        return "cpu"
    return gpu_name() or ("cuda" if wanted == "cuda" else "cpu")


def memory_limit(device: str) -> tuple[float | None, str]:
    """The memory of a device in GiB and what to call it; None when it is not known."""
    if device in hardware() and device != "cpu":
        preset = hardware()[device]
        return (preset.memory_gb * 1e9 / GIB if preset.memory_gb else None), preset.name
    name, size = gpu()
    if device == "cpu":
        return psutil.virtual_memory().total / GIB, _("this machine")
    return (size, name) if size else (None, device)


def machine_line() -> str:
    """GPU name or CPU cores, and the free memory of the machine."""
    free = psutil.virtual_memory().available / GIB
    device = gpu_name() or _("CPU, {cores} cores", cores=psutil.cpu_count(logical=True) or 1)
    return _("{device}, {free} free", device=device, free=gib(free))
