"""The job of kind `generate`: load a run's models once, then answer prompts, or a session's questions."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lab.errors import InputError
from lab.runs.directory import RunDirectory
from lab.runs.events import EventWriter
from lab.runs.stopping import StopFlag
from lab.serving.mailbox import Mailbox
from lab.serving.request import Request
from lab.text import N_

if TYPE_CHECKING:
    from lab.serving.labels import Labels
    from lab.serving.models import Models

IDLE_S = 600.0  # a session without a question for so long ends and frees its memory
LOOK_S = 0.05
STOPPED = {"ended": "stopped"}


def run(directory: RunDirectory, events: EventWriter, stop: StopFlag, attempt: int) -> dict[str, Any]:
    """Answer `prompts`, or with `session` the questions that arrive in `inbox/`, until nobody asks any more.

    Parameters: run, prompts, which, max_new_tokens, temperature, seed, session, idle_s. Returns {"ended",
    "outputs": [{"prompt", "model", "text", "stopped", "seconds"}]}, of a session {"ended", "answered"}. A classifier's
    "text" is the label, with "scores" of all labels, and of the tuned model alone.
    """
    parameters = directory.parameters
    source = RunDirectory.of(str(parameters.get("run") or ""))
    session = bool(parameters.get("session"))
    request = None if session else Request.of(parameters, source.spec)
    if source.kind != "train":
        raise InputError(N_("Run {run} is no training and has no models."), where="run", run=source.id)
    with events.phase("load"):
        # With these come torch, transformers and peft: seconds.
        from lab.serving.labels import Labels
        from lab.serving.models import Models
        from lab.training.generate import Interrupted

        kind = Labels if source.spec.task == "classification" else Models
        models = kind(source, events, directory.attempt_path(attempt))
    try:
        with events.phase("generate"):
            if request is not None:
                return _once(models, request, events, stop)
            return _session(models, directory, float(parameters.get("idle_s") or IDLE_S), stop)
    except Interrupted:
        return STOPPED


def _once(models: Models | Labels, request: Request, events: EventWriter, stop: StopFlag) -> dict[str, Any]:
    total = len(request.prompts) * len(request.which)
    outputs = models.answers(request, _wish(stop), lambda done: events.progress(done, total))
    return {"ended": "finished", "outputs": outputs}


def _session(models: Models | Labels, directory: RunDirectory, idle_s: float, stop: StopFlag) -> dict[str, Any]:
    mailbox, answered = Mailbox(directory.path), 0
    last = time.monotonic()

    def ask(asked: dict[str, Any]) -> dict[str, Any]:
        return {"outputs": models.answers(Request.of(asked, models.spec), _wish(stop))}

    while time.monotonic() - last < idle_s:
        for question in mailbox.waiting():
            mailbox.answer(question, ask)
            answered += 1
            last = time.monotonic()
        if stop.wait(LOOK_S):
            return STOPPED | {"answered": answered}
    return {"ended": "finished", "answered": answered}


def _wish(stop: StopFlag) -> Callable[[], bool]:
    return lambda: stop.requested
