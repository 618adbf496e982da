"""The standby: at most one worker that has imported the training libraries and waits for a run.

The supervisor keeps it when somebody says that a run is likely, hands it the run when that comes, and ends it when
nobody came. A standby is only ever a head start: whatever is wrong with it, the run starts afresh.
"""

from __future__ import annotations

import hashlib
import os
import select
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import Any

from lab.jobs import messages
from lab.jobs.memory import available_gib
from lab.runs.environment import REPOSITORY, cleaned, of_request
from lab.runs.home import lab_home

SHIM = (sys.executable, "-m", "lab.jobs.standby_shim")
KEPT_S = 600.0  # how long it waits after the last word that a run is likely
ANSWER_S = 1.0  # a standby that does not answer within this time is no head start
NEEDED_GIB = 2.0  # with less memory left it takes none away: it holds a quarter of this itself

Request = Mapping[str, Any]


def kept_s() -> float:
    """Seconds that a standby waits for a run; LAB_STANDBY_S changes them."""
    return float(os.environ.get("LAB_STANDBY_S") or KEPT_S)


def code_version() -> str:
    """What a process started now would import: the files of the lab, and what is installed."""
    told = []
    for path in sorted((REPOSITORY / "lab").rglob("*.py")):
        with suppress(FileNotFoundError):  # an editor's, gone again
            told.append((str(path), (stat := path.stat()).st_mtime_ns, stat.st_size))
    installed = Path(sysconfig.get_path("purelib")).stat().st_mtime_ns
    return hashlib.sha256(repr((told, installed)).encode()).hexdigest()


@dataclass
class _Waiting:
    """A standby that was started: the line to its shim, a handle of the shim, and what it was started with."""

    line: socket
    shim: int
    environment: dict[str, str]
    code: str
    importing: bool = False  # when it was last asked

    @property
    def alive(self) -> bool:
        """Whether the shim lives; it ends with its worker."""
        return not select.select([self.shim], [], [], 0)[0]

    def answers(self) -> bool:
        """Whether shim and worker answer at once; a worker that still imports is answered for."""
        end = time.monotonic() + ANSWER_S
        token = os.urandom(8).hex()
        with suppress(OSError):  # it is gone
            messages.send(self.line, {"ask": token})
            while select.select([self.line], [], [], max(0.0, end - time.monotonic()))[0]:
                said = messages.receive(self.line)[0]
                if said is None or said.get("ask") == token:
                    self.importing = bool(said and said.get("importing"))
                    return said is not None
        return False

    def end(self) -> None:
        """End it, at once: there is nothing to lose. Its worker is killed with it by the kernel."""
        self.line.close()
        with suppress(ProcessLookupError):  # it was gone already
            signal.pidfd_send_signal(self.shim, signal.SIGKILL)
        os.close(self.shim)


class Standby:
    """The standby as the supervisor sees it; without one a run starts as ever."""

    def __init__(self) -> None:
        self._handed: list[socket] = []  # lines to shims that have a run now, until they hang up
        self._waiting: _Waiting | None = None
        self._wish: Request | None = None  # what somebody said is likely
        self._until = 0.0
        self._gone = ""  # why there is none any more, for the run that would have taken it

    @property
    def wanted(self) -> bool:
        """Whether a run was said to be likely a short time ago."""
        return self._wish is not None

    def expect(self, request: Request) -> None:
        """A run with this request is likely."""
        self._wish, self._until = request, time.monotonic() + kept_s()

    def look(self, *, free: bool) -> None:
        """Start, keep or end it; `free` tells that no run has the device, whose time it would take."""
        self._hang_up()
        if time.monotonic() > self._until:
            self._wish = None
        if self._waiting is not None:
            self._check(self._waiting)
        elif self._wish is not None and free and available_gib() >= NEEDED_GIB:
            self._start(self._wish)

    def refusal(self, request: Request) -> str:
        """Why a run cannot take it; empty when it is ready to be handed this run."""
        if request.get("standby") is False:
            return "switched off"
        waiting = self._waiting
        if waiting is None:
            return self._gone or "none was kept"
        for why, wrong in (
            ("it died", not waiting.alive),
            ("another environment", waiting.environment != of_request(request)),
            ("the code has changed", waiting.code != code_version()),
            ("it did not answer", not waiting.answers()),
        ):
            if wrong:
                self.end(why)
                return why
        return ""

    @property
    def remark(self) -> str:
        """What there is to say of the standby that was not refused; empty when it has everything imported."""
        return "it was still importing" if self._waiting is not None and self._waiting.importing else ""

    def hand_over(self, run: Path, attempt: int, locks: Sequence[int]) -> bool:
        """Give it the run and the locks of the attempt, for good; False when it has just died."""
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return False
        try:
            messages.send(waiting.line, {"run": str(run), "attempt": attempt}, locks)
        except OSError:
            waiting.end()
            return False
        # Closed here with a word unread, it would be torn down before the shim has read its errand.
        self._handed.append(waiting.line)
        os.close(waiting.shim)
        return True

    def end(self, why: str = "") -> None:
        """End it, if there is one."""
        self._gone = why
        if self._waiting is not None:
            self._waiting.end()
            self._waiting = None

    def _hang_up(self) -> None:
        for line in select.select(self._handed, [], [], 0)[0]:
            if messages.receive(line)[0] is None:
                self._handed.remove(line)
                line.close()

    def _check(self, waiting: _Waiting) -> None:
        if not waiting.alive:
            self._wish = None  # not again and again; the next word tries anew
            self.end("it died")
        elif self._wish is None:
            self.end("it had waited too long")
        elif available_gib() < NEEDED_GIB:
            self.end("memory was short")
        elif waiting.environment != of_request(self._wish) or waiting.code != code_version():
            self.end()  # the next look starts another one

    def _start(self, request: Request) -> None:
        self._gone = ""
        ours, its_end = messages.pair()
        path = lab_home() / "supervisor.log"
        code = code_version()
        with open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600)) as log:
            started = subprocess.Popen(  # noqa: S603  # a constant command
                [*SHIM, str(its_end.fileno())],
                pass_fds=[its_end.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=cleaned(),
                start_new_session=True,
            )
        its_end.close()
        self._waiting = _Waiting(ours, os.pidfd_open(started.pid), of_request(request), code)
        messages.send(ours, dict(request))
