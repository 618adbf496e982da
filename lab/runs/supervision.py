"""Reaching the supervisor from outside: is it there, start it, wake it, end it."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.json_io import read_json
from lab.runs.environment import cleaned
from lab.runs.home import lab_home
from lab.runs.locks import is_held
from lab.runs.procs import Process
from lab.text import N_

COMMAND = (sys.executable, "-m", "lab.jobs.supervisor")

QUIET_ENDS = (0, 75, -signal.SIGTERM, -signal.SIGKILL)  # nothing to do, a rival was first, or it was ended
RECENT_S = 10.0


@dataclass(frozen=True)
class _Started:
    process: subprocess.Popen[bytes]
    at: float


_started: dict[Path, _Started] = {}  # by LAB_HOME: the supervisor that this process started last


def lock_path() -> Path:
    """The file that the one supervisor of this LAB_HOME keeps locked."""
    return lab_home() / "supervisor.lock"


def wake_path() -> Path:
    """The named pipe at which the supervisor listens."""
    return lab_home() / "supervisor.wake"


def is_running() -> bool:
    """Whether a supervisor is alive."""
    return is_held(lock_path())


def ensure_supervisor() -> None:
    """Start a supervisor if none is alive; it outlives this process. Raises LabError when it cannot be started."""
    if is_running():
        return
    home = lab_home()
    last = _started.get(home)
    code = last.process.poll() if last else 0
    if code is None:
        return  # it is coming up
    if last and code not in QUIET_ENDS and time.monotonic() - last.at < RECENT_S:
        raise LabError(
            N_("The supervisor ended with exit code {code}."),
            where=str(home / "supervisor.log"),
            next=N_("The end of that file tells why."),
            code=code,
        )
    _started[home] = _Started(_start(home), time.monotonic())


def _start(home: Path) -> subprocess.Popen[bytes]:
    with open(home / "supervisor.log", "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as log:
        return subprocess.Popen(  # noqa: S603  # a constant command
            COMMAND,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home,
            env=cleaned(),
            start_new_session=True,
        )


def wake() -> None:
    """Tell the supervisor that there is something to do; nothing happens when there is none."""
    try:
        pipe = os.open(wake_path(), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENOENT):  # nobody listens
            return
        raise
    try:
        os.write(pipe, b"!")
    except BlockingIOError:
        pass  # the pipe is full of earlier calls, which wake it just as well
    finally:
        os.close(pipe)


def end_supervisor(timeout_s: float = 5.0) -> bool:
    """End the supervisor and wait until it is gone; the jobs that it started go on. Tells whether there was
    one.
    """
    if not is_running():
        return False
    process = Process.from_record((read_json(lock_path()) or {}).get("process"))
    handle = process.handle() if process else None
    if handle is None:
        return False
    try:
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        select.select([handle], [], [], timeout_s)
    finally:
        os.close(handle)
    until = time.monotonic() + timeout_s
    while is_running() and time.monotonic() < until:
        time.sleep(0.01)
    return True
