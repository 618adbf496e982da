"""A run of kind train, from its spec to its result: load, tokenise, train, ask the tuned model and the base."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lab.runs.directory import RunDirectory
from lab.runs.events import EventWriter
from lab.runs.stopping import StopFlag
from lab.training.interrupts import Interrupted
from lab.training.measure import Stopwatch
from lab.training.troubles import memory_watched


def run(directory: RunDirectory, events: EventWriter, stop: StopFlag, attempt: int) -> dict[str, Any]:
    """Train as the run's spec says and return what belongs into result.json.

    A run that was stopped has sealed a checkpoint and returns `{"ended": "stopped", ...}`; called again, it
    goes on from its newest checkpoint. Raises LabError for everything that a person can change.
    """
    watch = Stopwatch()

    @contextmanager
    def phase(name: str) -> Iterator[None]:
        with events.phase(name), watch.phase(name):
            yield

    with memory_watched(events, directory.spec):
        try:
            with phase("load"):
                # With this come torch, transformers, trl and peft: several seconds that belong to loading.
                from lab.training.session import Session

                session = Session(directory, events, stop, watch)
                session.load()
            with phase("tokenise"):
                session.tokenise()
            if session.plan.base_first and session.base is None:
                with phase("evaluate"):
                    session.ask_base()
            with phase("train"):
                session.train()
            with phase("evaluate"):
                session.ask_tuned()
            with phase("save"):
                session.save()
            if session.base is None:
                with phase("evaluate"):
                    session.ask_base_again()
        except Interrupted:
            return session.result("stopped")
    return session.result("short" if session.course.short else "finished")
