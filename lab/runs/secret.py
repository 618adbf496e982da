"""Handing a token to one worker, once: never on disk, in an argument or in an environment.

The submitting process listens on a unix socket that only its owner may open; the worker connects, reads the
token, and the socket is gone. If the submitting process ends before, so does the token.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError
from lab.runs.home import is_id, lab_home, no_such_run
from lab.text import N_

WAIT_S = 3600.0  # how long a queued job may take until it asks
LONGEST = 4096


def offer_secret(run_id: str, secret: str) -> None:
    """Keep `secret` in this process until the worker of the run fetches it, for at most an hour."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _short_path(run_id) as address:
        listener.bind(address)
    path = _folder() / f"{run_id}.sock"
    path.chmod(0o600)
    listener.listen(1)
    listener.settimeout(WAIT_S)
    threading.Thread(target=_serve_once, args=(listener, path, secret), daemon=True, name="lab-secret").start()


def fetch_secret(run_id: str) -> str:
    """The secret that was offered to this run, once. Raises LabError when nobody offers it."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller, _short_path(run_id) as address:
            caller.settimeout(10)
            caller.connect(address)
            return _read_all(caller).decode()
    except OSError:
        raise LabError(
            N_("The token is no longer there: the program that held it has ended."),
            next=N_("Start this again and give the token again."),
        ) from None


def _serve_once(listener: socket.socket, path: Path, secret: str) -> None:
    try:
        with listener:
            while True:
                caller, _ = listener.accept()
                with caller:
                    if _owner_of(caller) == os.getuid():
                        caller.sendall(secret.encode())
                        return
    except TimeoutError:
        return  # nobody came; the token is forgotten
    finally:
        path.unlink(missing_ok=True)


def _owner_of(caller: socket.socket) -> int:
    credentials = caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1])


def _read_all(caller: socket.socket) -> bytes:
    received = b""
    while len(received) < LONGEST and (block := caller.recv(LONGEST)):
        received += block
    return received


def _folder() -> Path:
    folder = lab_home() / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@contextmanager
def _short_path(run_id: str) -> Iterator[str]:
    # The address of a unix socket holds 107 bytes; going through the open folder keeps it short for any
    # LAB_HOME.
    if not is_id(run_id):
        raise no_such_run(run_id)
    folder = os.open(_folder(), os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{run_id}.sock"
    finally:
        os.close(folder)
