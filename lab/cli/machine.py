"""What this machine has, without importing torch."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

GIB = 2**30


@cache
def gpus() -> tuple[tuple[str, float], ...]:
    """Name and memory (GiB) of each NVIDIA GPU, as its driver tells them; empty where there is none."""
    tool = shutil.which("nvidia-smi")
    if tool is None or not Path("/proc/driver/nvidia").exists():
        return ()
    command = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return ()
    if answer.returncode != 0:
        return ()
    rows = [line.rpartition(",") for line in answer.stdout.splitlines() if "," in line]
    return tuple((name.strip(), float(memory) / 1024) for name, _, memory in rows)


def gpu_name() -> str:
    """The name of the first GPU, or an empty text."""
    return gpus()[0][0] if gpus() else ""


def usable_threads() -> int:
    """Processors that this process may use; a container often has fewer than the machine."""
    return len(os.sched_getaffinity(0))
