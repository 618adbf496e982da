"""The worker: one body for every kind of job.

    python -m lab.jobs.worker RUN_DIR

It ends with 0 (result.json is written), 75 (stopped, a checkpoint is sealed), 2 (wrong input) or 1 (failed);
in the last two cases error.json says why.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from lab.data.without_torch import keep_torch_out
from lab.errors import InputError
from lab.jobs.failures import as_lab_error
from lab.json_io import write_json
from lab.runs.directory import RunDirectory
from lab.runs.events import EventWriter
from lab.runs.marks import start_of
from lab.runs.outcome import STOPPED
from lab.runs.stopping import StopFlag
from lab.text import N_

Run = Callable[[RunDirectory, EventWriter, StopFlag, int], dict[str, Any] | None]

# Imported when a job of the kind starts: the heavy libraries belong to the job that needs them.
BODIES = {
    "train": "lab.training.worker",
    "prepare": "lab.data.worker",
    "evaluate": "lab.evaluation.worker",
    "find-lr": "lab.training.find_lr_worker",
    "generate": "lab.serving.worker",
    "publish": "lab.publishing.worker",
}


def work(path: Path, attempt: int, stop: StopFlag) -> int:
    """Do the job of a run directory and return the exit code."""
    directory = RunDirectory(path)
    (path / "result.json").unlink(missing_ok=True)  # what an earlier attempt left is not this one's result
    try:
        events = EventWriter(directory, attempt)
        if start := start_of(directory.attempt_path(attempt)):
            events.write("start", start=start["start"], why=start["why"])
        result = _body(directory.kind)(directory, events, stop, attempt) or {"ended": "finished"}
        write_json(path / "result.json", {**result, "attempt": attempt})
    except Exception as error:  # the last place where a failure can become a sentence
        traceback.print_exc()
        told = as_lab_error(error, path)
        write_json(directory.attempt_path(attempt) / "error.json", told.as_dict())
        return told.exit_code if told.exit_code == InputError.exit_code else 1
    return STOPPED if result.get("ended") == "stopped" else 0


def _body(kind: str) -> Run:
    if kind not in BODIES:
        raise InputError(
            N_("There is no job of kind {kind}."),
            allowed=N_("Allowed: {kinds}."),
            kind=kind,
            kinds=", ".join(BODIES),
        )
    if kind == "prepare":
        keep_torch_out()
    run: Run = importlib.import_module(BODIES[kind]).run
    return run


def listening() -> StopFlag:
    """Begin as every worker does; what comes back is raised when it is asked to stop."""
    stop = StopFlag().listen()  # first of all: importing the libraries takes seconds in which a stop may come
    os.umask(0o077)
    faulthandler.register(signal.SIGUSR1)  # a worker that hangs can be asked where
    return stop


def leave(code: int) -> NoReturn:
    """End this process with an exit code."""
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is on disk; tearing down torch takes a second and may hang on a thread of a library.
    os._exit(code)


def main() -> None:
    """Work on the run directory of the command line."""
    stop = listening()
    leave(work(Path(sys.argv[1]), int(os.environ.get("LAB_ATTEMPT", "1")), stop))


if __name__ == "__main__":
    main()
