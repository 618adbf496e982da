"""The shim: the parent of one attempt's worker, and the only one who can tell how it ended.

    python -m lab.jobs.shim RUN_DIR ATTEMPT LOCK_FD [DEVICE_FD]

It inherits the locked descriptors and hands them on, so that the locks live as long as anybody of the
attempt. It starts the worker, forwards a request to stop, ends what the worker leaves behind, and writes
exit.json last.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from lab.jobs.memory import oom_kills
from lab.jobs.signals import grace_s
from lab.json_io import write_json
from lab.runs.directory import RunDirectory
from lab.runs.environment import of_worker
from lab.runs.procs import Process
from lab.runs.supervision import wake

PR_SET_CHILD_SUBREAPER = 36
WORKER = (sys.executable, "-m", "lab.jobs.worker")


class Shim:
    """One attempt from its start to its exit.json."""

    def __init__(self, directory: RunDirectory, attempt: int, descriptors: list[int]) -> None:
        self.directory = directory
        self.attempt = attempt
        self.folder = directory.attempt_path(attempt)
        self.descriptors = descriptors
        self.stop_asked: float | None = None
        self._signalled, wake_up = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(wake_up)

    def run(self) -> None:
        """Start the worker, see it end, and write down how."""
        if (self.folder / "abandoned").exists():
            return
        started, killed_before = time.monotonic(), oom_kills()
        worker = self._start()
        handle = os.pidfd_open(worker)
        self._announce(worker)
        self._watch(worker, handle)
        _, status, used = os.wait4(worker, 0)
        _end_leftovers()
        code = os.waitstatus_to_exitcode(status)
        write_json(
            self.folder / "exit.json",
            {
                "code": code if code >= 0 else None,
                "signal": -code if code < 0 else None,
                "out_of_memory": code == -signal.SIGKILL and oom_kills() > killed_before,
                "seconds": round(time.monotonic() - started, 3),
                "peak_memory_gib": round(used.ru_maxrss / 2**20, 3),
                "cpu_s": round(used.ru_utime + used.ru_stime, 2),
            },
        )
        for descriptor in self.descriptors:  # free before the supervisor is called to look
            os.close(descriptor)
        wake()

    def _start(self) -> int:
        """Set the worker to work and return its number."""
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        log = self.folder / "log.txt"
        with open(log, "ab") as output:
            worker = self._worker(work, output.fileno())
        latest = self.directory.path / "log.txt"
        latest.unlink(missing_ok=True)
        latest.hardlink_to(log)
        return worker

    def _worker(self, work: Path, output: int) -> int:
        self._process = subprocess.Popen(  # noqa: S603  # a constant command
            [*WORKER, str(self.directory.path)],
            pass_fds=self.descriptors,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=work,
            env=of_worker(self.directory.request, self.attempt, work),
            process_group=0,
        )
        return self._process.pid

    def _announce(self, worker: int) -> None:
        processes = {"shim": Process.with_pid(os.getpid()), "worker": Process.with_pid(worker)}
        record = {name: process.as_record() if process else None for name, process in processes.items()}
        write_json(self.folder / "shim.json", record)
        wake()

    def _watch(self, worker: int, handle: int) -> None:
        """Return when the worker has ended; ask it to stop, and after the grace time end it, if that is
        wanted.
        """
        forwarded = False
        while True:
            left = None if self.stop_asked is None else max(0.0, self.stop_asked + grace_s() - time.monotonic())
            ready, _, _ = select.select([handle, self._signalled], [], [], left)
            if handle in ready:
                return
            if self._signalled in ready:
                os.read(self._signalled, 4096)
            if self.stop_asked is not None and not forwarded:
                # To the worker alone: its helpers (readers of data) have to live until it has sealed its
                # checkpoint.
                signal.pidfd_send_signal(handle, signal.SIGTERM)
                forwarded = True
            elif left == 0.0:
                os.killpg(worker, signal.SIGKILL)  # not reaped yet, so the number is still its own

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        if self.stop_asked is None:
            self.stop_asked = time.monotonic()


def _end_leftovers() -> None:
    """Kill what the worker left behind; as sub-reaper this process is the parent of all of it."""
    while True:
        for child in _children():
            os.kill(child, signal.SIGKILL)  # an own child that is not reaped: the number cannot be a stranger's
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def settle() -> None:
    """What a shim and its worker have in common: private files, no core dumps, ended first when memory runs out."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # The worker rather than the pages should be ended when memory runs out; raising the score needs no
    # rights.
    Path("/proc/self/oom_score_adj").write_text("500")


def main() -> None:
    """Run the shim as its command line says."""
    settle()
    descriptors = [int(text) for text in sys.argv[3:]]
    Shim(RunDirectory(sys.argv[1]), int(sys.argv[2]), descriptors).run()


if __name__ == "__main__":
    main()
