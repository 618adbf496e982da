"""Reaching the supervisor from outside: is it there, start it, wake it, end it."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from lab.json_io import read_json
from lab.runs.environment import cleaned
from lab.runs.home import lab_home
from lab.runs.locks import is_held
from lab.runs.procs import Process

COMMAND = (sys.executable, "-m", "lab.jobs.supervisor")

_children: list[subprocess.Popen[bytes]] = []


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
    """Start a supervisor if none is alive; it outlives this process."""
    if is_running():
        return
    _children[:] = [child for child in _children if child.poll() is None]  # so that none stays a zombie
    log = os.open(lab_home() / "supervisor.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _children.append(
            subprocess.Popen(  # noqa: S603  # a constant command
                COMMAND,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=lab_home(),
                env=cleaned(),
                start_new_session=True,
            )
        )
    finally:
        os.close(log)


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
