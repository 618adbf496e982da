"""Messages with open files between processes of the lab, over a pair of sockets that keep each message whole."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from typing import Any

MOST_BYTES, MOST_FILES = 65_536, 8

Message = dict[str, Any]


def pair() -> tuple[socket.socket, socket.socket]:
    """Both ends of a private connection; when an end is closed, the other one reads nothing more."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(end: socket.socket, message: Message, files: Sequence[int] = ()) -> None:
    """Send a message and copies of the descriptors `files`. Raises OSError when nobody is there or it is full.

    A copy that is on its way keeps the lock of its file held.
    """
    socket.send_fds(end, [json.dumps(message).encode()], list(files), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


def receive(end: socket.socket) -> tuple[Message | None, list[int]]:
    """The next message and its descriptors; None when the other end is closed."""
    try:
        text, files, _, _ = socket.recv_fds(end, MOST_BYTES, MOST_FILES, socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError:  # it was closed with a message unread
        return None, []
    return (json.loads(text) if text else None), list(files)
