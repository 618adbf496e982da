"""The shim of the standby: a shim whose worker was started before anybody knew for which run.

    python -m lab.jobs.standby_shim SOCKET_FD

Over the socket the supervisor says for which request the worker's environment is, asks whether it is there, and
once hands it a run with the locks of the attempt. From then on this is that attempt's shim. It is ended with the
supervisor until then, by the kernel, and its worker with it.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

from lab.jobs import messages
from lab.jobs.family import end_with_parent, outlive_parent
from lab.jobs.messages import Message
from lab.jobs.shim import Shim, settle
from lab.runs.directory import RunDirectory
from lab.runs.environment import of_attempt, of_request

WORKER = (sys.executable, "-m", "lab.jobs.standby_worker")


class Waiting:
    """The worker that waits: its process, the line to it, and whether it has imported everything."""

    def __init__(self, request: Message) -> None:
        self.line, its_end = messages.pair()
        self.process = subprocess.Popen(  # noqa: S603  # a constant command
            [*WORKER, str(its_end.fileno())],
            pass_fds=[its_end.fileno()],
            stdin=subprocess.DEVNULL,
            cwd="/",
            env=of_request(request),
            process_group=0,
        )
        its_end.close()
        self.handle = os.pidfd_open(self.process.pid)
        self.ready = False

    def hear(self) -> Message | None:
        """What the worker says; None when it is gone."""
        said = messages.receive(self.line)[0]
        self.ready = self.ready or said is not None
        return said


class StandbyShim(Shim):
    """The shim of an attempt whose worker is there already."""

    def __init__(self, directory: RunDirectory, attempt: int, descriptors: list[int], waiting: Waiting) -> None:
        super().__init__(directory, attempt, descriptors)
        self.waiting = waiting

    def _worker(self, work: Path, output: int) -> int:
        errand = {"run": str(self.directory.path), "attempt": self.attempt, "work": str(work)}
        errand["environment"] = of_attempt(self.attempt, work)
        messages.send(self.waiting.line, errand, [output, *self.descriptors])
        if self.waiting.ready and not self._taken():
            # Nothing tells of this attempt yet: the supervisor starts the run afresh.
            raise ProcessLookupError("the standby died before it had taken the run")
        return self.waiting.process.pid

    def _taken(self) -> bool:
        select.select([self.waiting.line.fileno(), self.waiting.handle], [], [])
        return self.waiting.hear() is not None


def wait(supervisor: socket.socket) -> StandbyShim | None:
    """Wait for a run; None when the supervisor or the worker is gone."""
    request = messages.receive(supervisor)[0]
    if request is None:
        return None
    waiting = Waiting(request)
    theirs, its = supervisor.fileno(), waiting.line.fileno()
    while True:
        ready, _, _ = select.select([theirs, its, waiting.handle], [], [])
        if waiting.handle in ready:
            return None
        if its in ready and (said := waiting.hear()) is not None:
            messages.send(supervisor, said)
        if theirs in ready:
            asked, files = messages.receive(supervisor)
            if asked is None:
                waiting.process.kill()
                return None
            if "run" in asked:
                outlive_parent()
                return StandbyShim(RunDirectory(asked["run"]), asked["attempt"], files, waiting)
            # While it imports it cannot answer for itself; that it lives is enough.
            if waiting.ready:
                messages.send(waiting.line, asked)
            else:
                messages.send(supervisor, {**asked, "importing": True})


def main() -> None:
    """Wait as the command line says, and be the shim of the run that comes."""
    end_with_parent()
    settle()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    supervisor = socket.socket(fileno=int(sys.argv[1]))
    shim = wait(supervisor)
    supervisor.close()
    if shim is not None:
        shim.run()


if __name__ == "__main__":
    main()
