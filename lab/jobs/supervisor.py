"""The supervisor: the one process that moves runs from state to state.

Exactly one lives for a LAB_HOME, as long as it holds supervisor.lock. It carries out intents, starts what
waits, and sees how attempts end. It may be killed at any moment: the next one finds the attempts alive (their
lock is held) or ended (it is free), and goes on. It is light: neither torch nor pydantic.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import time
from types import FrameType

from lab.jobs.listening import Ears
from lab.jobs.queue import Queue
from lab.runs.locks import try_lock
from lab.runs.procs import Process
from lab.runs.store import Busy, Store
from lab.runs.supervision import lock_path

BUSY_S = 0.5  # longest time between two looks at attempts that may be alive; events wake it earlier
IDLE_S = 5.0
IDLE_END_S = 600.0  # after this time with nothing to do it ends; a client starts the next one
LOCK_PATIENCE_S = 0.5  # somebody who only looked at the lock may be in the way for a moment
ALREADY_RUNNING = 75


def main() -> int:
    """Supervise until there was nothing to do for ten minutes; 75 when another supervisor is alive."""
    os.umask(0o077)
    lock = _lock_patiently()
    if lock is None:
        return ALREADY_RUNNING
    ears = Ears()
    _end_on_signal(ears)
    queue = Queue(Store())
    while True:
        _supervise(queue, ears)
        queue.standby.end()
        os.close(lock)
        # A client that saw the lock held a moment ago has not started another one: look once more.
        if ears.ending or not queue.store.path.exists() or not queue.store.is_busy():
            return 0
        if (lock := _lock_patiently()) is None:
            return ALREADY_RUNNING


def _supervise(queue: Queue, ears: Ears) -> None:
    idle_since, lock = time.monotonic(), lock_path()
    while not ears.ending and lock.exists():  # without it the whole LAB_HOME was removed
        try:
            busy = queue.step()
            idle_since = time.monotonic() if queue.standby.wanted else idle_since
        except (sqlite3.OperationalError, Busy) as error:  # the disk is full, or somebody keeps the data base locked
            sys.stderr.write(f"lab.db: {error}\n")
            busy = True
        _reap()
        if busy:
            idle_since = time.monotonic()
        elif time.monotonic() - idle_since > IDLE_END_S:
            return
        ears.listen(BUSY_S if busy else IDLE_S)


def _lock_patiently() -> int | None:
    until = time.monotonic() + LOCK_PATIENCE_S
    while (lock := try_lock(lock_path())) is None:
        if time.monotonic() > until:
            return None
        time.sleep(0.01)
    me = Process.with_pid(os.getpid())
    record = {"process": me.as_record() if me else None}
    os.ftruncate(lock, 0)
    os.pwrite(lock, json.dumps(record).encode(), 0)  # in place: a rename would leave the lock behind
    return lock


def _end_on_signal(ears: Ears) -> None:
    def end(number: int, frame: FrameType | None) -> None:
        ears.ending = True

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)


def _reap() -> None:
    """Collect shims that have ended, so that none stays a zombie."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass  # there are no children


if __name__ == "__main__":
    sys.exit(main())
