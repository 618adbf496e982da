"""Asking a throw-away process: it reads what nobody trusts, and may die of it."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from lab.errors import InputError, LabError, from_dict
from lab.runs.environment import cleaned
from lab.runs.home import lab_home
from lab.runs.how_far import share_read
from lab.text import N_

# Bytes of address space, seconds of processor time, bytes of one written file (answers go through a pipe).
DEFAULT_LIMITS: dict[str, int] = {"memory": 3 * 2**30, "cpu_s": 60, "file": 0}
_RESOURCES = {"memory": resource.RLIMIT_AS, "cpu_s": resource.RLIMIT_CPU, "file": resource.RLIMIT_FSIZE}


_LOOK_S = 0.1  # seconds between two looks at whether to go on


def ask(
    module: str,
    request: dict[str, Any],
    *,
    timeout_s: float = 120.0,
    limits: Mapping[str, int] | None = None,
    go_on: Callable[[], None] = lambda: None,
    how_far: Callable[[float | None], None] = lambda share: None,
) -> dict[str, Any]:
    """Run `python -m module` with the request as JSON on its input, and return the JSON object that it
    prints.

    `limits` may name memory (bytes), cpu_s (seconds) and file (bytes). An answer {"error": ...} is raised as
    the error that it describes. Raises InputError when the process is killed or takes too long. `go_on` is called
    ten times a second; what it raises ends the process. So is `how_far`, with the share of the file at the request's
    "path" that was read so far, None where that is not known.
    """
    process = subprocess.Popen(  # noqa: S603  # a constant command
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=lab_home(),
        env=cleaned(),
        start_new_session=True,
    )

    def look() -> None:
        go_on()
        how_far(share_read(process.pid, str(request.get("path", ""))))

    try:
        _limit(process.pid, DEFAULT_LIMITS | dict(limits or {}))
        output, complaint = _answered(process, json.dumps(request).encode(), timeout_s, look)
    finally:
        _end(process)
    if process.returncode == -signal.SIGXCPU:
        raise InputError(
            N_("Reading the file takes more than {seconds} s of processor time."),
            next=N_("Split the file, or leave out the columns that the model does not learn from."),
            seconds=(DEFAULT_LIMITS | dict(limits or {}))["cpu_s"],
        )
    if process.returncode < 0:
        raise _unsafe(
            N_("The file could not be read safely: reading it was ended by signal {n}."),
            n=-process.returncode,
        )
    return _answer(module, output, complaint)


def _answered(
    process: subprocess.Popen[bytes], request: bytes, timeout_s: float, look: Callable[[], None]
) -> tuple[bytes, bytes]:
    """What the process says and complains of."""
    end, given = time.monotonic() + timeout_s, request or None
    while True:
        look()
        try:
            return process.communicate(given, timeout=_LOOK_S)
        except subprocess.TimeoutExpired:
            given = None  # it is on its way
        if time.monotonic() > end:
            raise _unsafe(N_("The file took longer than {seconds:g} s to read."), seconds=timeout_s)


def _limit(pid: int, limits: Mapping[str, int]) -> None:
    # Set from outside while the child waits for its request: code between fork and exec is unsafe with
    # threads.
    for name, value in limits.items():
        # At the first limit the kernel says so by a signal of its own; two seconds later it only kills.
        resource.prlimit(pid, _RESOURCES[name], (value, value + 2 * (name == "cpu_s")))


def _answer(module: str, output: bytes, complaint: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(output)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        last = complaint.decode(errors="replace").strip().rpartition("\n")[2]
        raise LabError(N_("{module} gave no answer: {why}."), module=module, why=last[:300] or N_("it said nothing"))
    if "error" in answer:
        raise from_dict(answer["error"])
    return answer


def _unsafe(sentence: str, **values: Any) -> InputError:
    return InputError(sentence, next=N_("Check the file, or give a smaller part of it."), **values)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:  # not reaped yet, so the number of its group is still its own
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
