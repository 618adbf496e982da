"""`doctor`: whether this installation can do its work, and what to do where it cannot."""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import psutil

from lab.cli import machine
from lab.cli.arguments import Commands, command
from lab.cli.output import Output, table
from lab.cli.words import gib

LIBRARIES = ("torch", "transformers", "trl", "peft", "datasets", "accelerate", "safetensors", "streamlit")
LITTLE_MEMORY_GIB = 4.0
LITTLE_DISK_GIB = 5.0
GIB = 2**30


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: `status` is ok, info, warning or error; `next` says what to do."""

    name: str
    status: str
    value: str
    next: str = ""


def add(commands: Commands) -> None:
    """Add the command."""
    command(commands, "doctor", "check this installation", doctor)


def doctor(arguments: argparse.Namespace, output: Output) -> int:
    """Look at everything and print it; 1 when something keeps the lab from working."""
    findings = [_python(), *_libraries(), *_machine(), *_home(), _supervisor(), _demo_model()]
    broken = any(finding.status == "error" for finding in findings)
    rows = [[one.status, one.name, one.value + (f"  {one.next}" if one.next else "")] for one in findings]
    output.answer({"ok": not broken, "checks": [asdict(one) for one in findings]}, table(rows, ["", "", ""]).strip())
    return 1 if broken else 0


def _python() -> Finding:
    return Finding("Python", "ok", platform.python_version())


def _libraries() -> list[Finding]:
    found = []
    for name in LIBRARIES:
        try:
            found.append(Finding(name, "ok", metadata.version(name)))
        except metadata.PackageNotFoundError:
            found.append(Finding(name, "error", "missing", "Install it: make setup"))
    return found


def _machine() -> list[Finding]:
    memory = psutil.virtual_memory()
    free = memory.available / GIB
    status = "warning" if free < LITTLE_MEMORY_GIB else "ok"
    found = [
        Finding("CPU threads", "ok", str(machine.usable_threads())),
        Finding("memory", status, f"{gib(free)} of {gib(memory.total / GIB)} free"),
    ]
    if machine.gpus():
        found += [Finding("GPU", "ok", f"{name}, {gib(size)}") for name, size in machine.gpus()]
    elif Path("/proc/driver/nvidia").exists():
        found.append(Finding("GPU", "warning", "a driver, but nvidia-smi does not answer", "Runs use the CPU."))
    else:
        found.append(Finding("GPU", "info", "none found", "Runs use the CPU."))
    return found


def _home() -> list[Finding]:
    from lab.runs.disk import free_bytes
    from lab.runs.home import lab_home

    try:
        home = lab_home()
        probe = home / f".doctor-{os.getpid()}"
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        place = os.environ.get("LAB_HOME") or "the folder for user data"
        return [Finding("LAB_HOME", "error", f"{place}: {error.strerror}", "Set LAB_HOME to a folder of yours.")]
    free = free_bytes(home) / GIB
    status = "warning" if free < LITTLE_DISK_GIB else "ok"
    return [Finding("LAB_HOME", "ok", str(home)), Finding("disk", status, f"{gib(free)} free")]


def _supervisor() -> Finding:
    from lab.errors import LabError
    from lab.runs.store import Store
    from lab.runs.supervision import is_running

    try:
        active, queued = len(Store().active()), len(Store().queued())
        alive = is_running()
    except (LabError, OSError, sqlite3.Error) as error:
        return Finding("supervisor", "error", str(error))
    jobs = f"{active} at work, {queued} waiting"
    if (active or queued) and not alive:
        return Finding("supervisor", "warning", f"not running; {jobs}", "Any command that waits starts it again.")
    return Finding("supervisor", "ok", f"{'running' if alive else 'starts when there is work'}; {jobs}")


def _demo_model() -> Finding:
    from lab.errors import LabError
    from lab.models.location import demo_folder
    from lab.models.safety import check_folder

    try:
        check_folder(demo_folder())
    except LabError as error:
        return Finding("demo model", "error", str(error), "Restore presets/demo from the repository.")
    return Finding("demo model", "ok", str(demo_folder()))
