"""One round of the supervisor: carry out intents, look after attempts, start what waits."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from lab.jobs.signals import StopRequests
from lab.jobs.standby import Standby, kept_s
from lab.json_io import read_json
from lab.runs import states
from lab.runs.directory import RunDirectory
from lab.runs.environment import cleaned
from lab.runs.home import lab_home, locks_folder, runs_folder
from lab.runs.locks import try_lock
from lab.runs.marks import abandon, ending_of, exit_of, is_alive, keep_state, note_start
from lab.runs.outcome import Outcome, classify
from lab.runs.store import Intent, RunRow, Store
from lab.text import N_

SHIM = (sys.executable, "-m", "lab.jobs.shim")
TAKES_STANDBY = ("train", "find-lr")  # kinds that begin with what it has imported
STARTS = 3  # attempts that may die before their worker has begun, until the run is given up


class Queue:
    """The queue and the runs that are on, as the supervisor sees them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.standby = Standby()
        self._stops = StopRequests()
        self._trouble = ""

    def step(self) -> bool:
        """Do what there is to do now; tells whether anything waits or may be alive."""
        for intent in self.store.intents():
            self._carry_out(intent)
        for row in self.store.active():
            with self._contained(row.id):
                self._look_after(row)
        self._start_waiting()
        self._see_to_standby()
        return self.store.is_busy()

    def _see_to_standby(self) -> None:
        with self._contained("standby"):
            likely = self.store.expected()
            if likely is not None and time.time() - likely[1] < kept_s():  # not one of last week
                self.standby.expect(likely[0])
            self.standby.look(free=not any(row.lane == "device" for row in self.store.active()))

    @contextlib.contextmanager
    def _contained(self, what: str) -> Iterator[None]:
        """Trouble with the files of one run (a full disk, a removed directory) leaves the others alone."""
        try:
            yield
        except (OSError, ValueError) as error:
            trouble = f"{what}: {type(error).__name__}: {error}"
            if trouble != self._trouble:  # the next round meets it again
                sys.stderr.write(trouble + "\n")
            self._trouble = trouble

    def _carry_out(self, intent: Intent) -> None:
        row = self.store.find(intent.run)
        if row is not None and intent.kind == "resume":
            self._resume(row)
        elif row is not None:
            with self._contained(row.id):
                self._stop(row, intent.kind)
        self.store.settle(intent)

    def _resume(self, row: RunRow) -> None:
        if row.state == states.INTERRUPTED:
            self.store.move(row, states.QUEUED)

    def _stop(self, row: RunRow, wish: str) -> None:
        if row.state == states.QUEUED:
            # Nothing of it runs: what has never started, or should not go on, is over.
            kept = wish == "stop" and row.attempt > 0
            self._end(row, Outcome(states.INTERRUPTED if kept else states.CANCELLED))
        elif row.state == states.INTERRUPTED and wish == "discard":
            self._end(row, Outcome(states.CANCELLED))
        elif row.state in states.ACTIVE:
            self.store.wish(row.id, wish)
            if row.state != states.STOPPING:
                self.store.move(row, states.STOPPING)

    def _look_after(self, row: RunRow) -> None:
        directory = _directory(row)
        attempt = directory.attempt_path(row.attempt)
        if is_alive(attempt):
            self._follow(row, directory)
            return
        # The lock is free, so no process of this attempt is alive or can come to life: its shim was handed
        # the lock.
        if exit_of(attempt) is None and not (attempt / "shim.json").exists():
            self._never_started(row, directory)
            return
        self._end(row, classify(ending_of(directory, row.attempt, row.wish)))

    def _follow(self, row: RunRow, directory: RunDirectory) -> None:
        at_work = read_json(directory.attempt_path(row.attempt) / "shim.json")
        if at_work is None:
            return
        if row.state == states.STARTING:
            self.store.move(row, states.RUNNING)
        elif row.state == states.STOPPING:
            self._stops.make(directory.attempt_path(row.attempt), at_work)

    def _never_started(self, row: RunRow, directory: RunDirectory) -> None:
        abandon(directory.attempt_path(row.attempt))
        if row.state == states.STOPPING:
            self._end(row, classify(ending_of(directory, row.attempt, row.wish)))
        elif _starts_in_vain(directory, row.attempt) >= STARTS:
            self._end(row, Outcome(states.FAILED, N_("The worker could not be started; supervisor.log tells why.")))
        else:
            self.store.move(row, states.QUEUED)

    def _end(self, row: RunRow, outcome: Outcome) -> None:
        # The file first: the data base can be made again from it, not the other way round.
        keep_state(_directory(row), outcome.state, row.attempt, outcome.reason)
        self.store.move(row, outcome.state, reason=outcome.reason)

    def _start_waiting(self) -> None:
        waiting = self.store.queued()
        for lane in states.LANE_WIDTH if waiting else ():
            room = states.LANE_WIDTH[lane] - sum(row.lane == lane for row in self.store.active())
            for row in [row for row in waiting if row.lane == lane][: max(0, room)]:
                with self._contained(row.id):
                    self._start(row)

    def _start(self, row: RunRow) -> None:
        directory, number = _directory(row), row.attempt + 1
        folder = directory.attempt_path(number)
        folder.mkdir(parents=True, exist_ok=True)
        with _locks(row, folder) as descriptors:
            # Locked before it is called starting: nobody can take a slow start for a death.
            if descriptors and self.store.move(row, states.STARTING, attempt=number):
                self._set_to_work(row, directory, number, descriptors)

    def _set_to_work(self, row: RunRow, directory: RunDirectory, number: int, descriptors: list[int]) -> None:
        if row.kind in TAKES_STANDBY:
            folder = directory.attempt_path(number)
            why = self.standby.refusal(directory.request)
            note_start(folder, warm=not why, why=why or self.standby.remark, asked=row.queued)
            if not why and self.standby.hand_over(directory.path, number, descriptors):
                return
            if not why:
                note_start(folder, warm=False, why="it died", asked=row.queued)
        _start_shim(directory, number, descriptors)


@contextlib.contextmanager
def _locks(row: RunRow, folder: Path) -> Iterator[list[int]]:
    """The locked descriptors of the attempt and of its device; empty when something of it is still alive."""
    paths = [locks_folder() / "device0.lock"] if row.lane == "device" else []
    held: list[int] = []
    try:
        for path in [folder / "lock", *paths]:
            descriptor = try_lock(path)
            if descriptor is None:
                yield []
                return
            held.append(descriptor)
        yield held
    finally:
        for descriptor in held:
            os.close(descriptor)


def _start_shim(directory: RunDirectory, attempt: int, descriptors: list[int]) -> None:
    log = os.open(lab_home() / "supervisor.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        subprocess.Popen(  # noqa: S603  # a constant command; ids and numbers only
            [*SHIM, str(directory.path), str(attempt), *map(str, descriptors)],
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=cleaned(),
            start_new_session=True,
        )
    finally:
        os.close(log)


def _starts_in_vain(directory: RunDirectory, attempt: int) -> int:
    """How many attempts in a row, up to this one, never got a worker."""
    count = 0
    while attempt > 0 and (directory.attempt_path(attempt) / "abandoned").exists():
        count, attempt = count + 1, attempt - 1
    return count


def _directory(row: RunRow) -> RunDirectory:
    return RunDirectory(runs_folder() / row.id)
