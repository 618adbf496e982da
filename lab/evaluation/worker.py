"""A run of kind evaluate: base and tuned model of a finished run again, on more held-out prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.errors import InputError
from lab.runs.directory import RunDirectory
from lab.runs.events import EventWriter
from lab.runs.stopping import StopFlag
from lab.spec.rules.task import LABELLED
from lab.text import N_
from lab.training.interrupts import Interrupted
from lab.training.troubles import memory_watched

if TYPE_CHECKING:
    from lab.evaluation.compare import Comparer
    from lab.evaluation.tasks import TaskComparer

MOST_PROMPTS = 2000


def run(directory: RunDirectory, events: EventWriter, stop: StopFlag, attempt: int) -> dict[str, Any]:
    """Ask both models of the run in `parameters` so many prompts and replace its comparison.

    The parameters are `run` (an id) and `prompts`. Returns `held_out`, the figures of both models. The old
    comparison stays when this one is stopped or fails. Raises NotFoundError without such a run or its
    finished model.
    """
    tuned_run = RunDirectory.of(str(directory.parameters.get("run", "")))
    prompts = _prompts(directory.parameters.get("prompts"))
    with memory_watched(events, tuned_run.spec):
        try:
            with events.phase("load"):
                comparer = _comparer(tuned_run, events, stop, prompts)
            with events.phase("tokenise"):
                comparer.tokenise(directory.path)
            with events.phase("evaluate"):
                comparer.ask()
        except Interrupted:
            return {"ended": "stopped", "run": tuned_run.id}
    with events.phase("save"):
        return {"ended": "finished", "run": tuned_run.id, "held_out": comparer.write()}


def _comparer(run: RunDirectory, events: EventWriter, stop: StopFlag, prompts: int) -> Comparer | TaskComparer:
    # With these come torch, transformers and peft: seconds that belong to loading.
    if run.spec.task in (*LABELLED, "preference"):
        from lab.evaluation.tasks import TaskComparer

        return TaskComparer(run, events, stop, prompts)
    from lab.evaluation.compare import Comparer

    return Comparer(run, events, stop, prompts)


def _prompts(given: object) -> int:
    number = int(given) if isinstance(given, int | str) and str(given).isdigit() else 0
    if not 1 <= number <= MOST_PROMPTS:
        raise InputError(
            N_("{given} is no number of prompts."),
            where="prompts",
            allowed=N_("A whole number from 1 to {most}."),
            given=str(given),
            most=MOST_PROMPTS,
        )
    return number
