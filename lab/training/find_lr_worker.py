"""A run of kind find-lr: several sweeps over the learning rate on a spec's own model, data and batches."""

from __future__ import annotations

import time
from typing import Any

from lab.runs.directory import RunDirectory
from lab.runs.events import EventWriter, plain
from lab.runs.stopping import StopFlag
from lab.spec import RunSpec, with_overrides
from lab.text import N_
from lab.training.interrupts import Interrupted
from lab.training.measure import Stopwatch
from lab.training.troubles import memory_watched

LIMIT = 0.1  # what the spec allows as a learning rate; a learned prompt takes larger steps
LIMIT_OF_A_PROMPT = 1.0


def run(directory: RunDirectory, events: EventWriter, stop: StopFlag, attempt: int) -> dict[str, Any]:
    """Sweep the rate from `lowest` to `highest` in `steps` updates, once for each of `seeds` (parameters).

    Returns the sweeps, both picks and the rate to take. Nothing of the model is kept. Raises LabError for
    everything that a person can change.
    """
    parameters, watch = directory.parameters, Stopwatch()
    with memory_watched(events, directory.spec):
        try:
            with events.phase("load"), watch.phase("load"):
                from lab.training.session import Session

                session = Session(directory, events, stop, watch)
                session.spec = for_a_sweep(session.spec, int(parameters["steps"]))
                session.load()
            with events.phase("tokenise"), watch.phase("tokenise"):
                session.tokenise()
            with events.phase("sweep"), watch.phase("sweep"):
                found = _sweeps(session, parameters)
        except Interrupted:
            return {"ended": "stopped"}
    spec = directory.spec
    about = {"learning_rate": spec.schedule.learning_rate, "parameters": parameters, "seconds": watch.as_dict()}
    return plain({"ended": "finished", **found, **about})


def for_a_sweep(spec: RunSpec, steps: int) -> RunSpec:
    """The spec of a training in which nothing but the sweep moves the rate, one update longer than its rates."""
    return with_overrides(
        spec,
        {
            "schedule.max_steps": steps + 1,
            "schedule.scheduler": "constant",
            "schedule.warmup": 0,
            "evaluation.patience": None,
            "evaluation.keep_best": False,
        },
    )


def _sweeps(session: Any, parameters: dict[str, Any]) -> dict[str, Any]:
    from lab.training.find_lr import sweep
    from lab.training.find_lr_curve import ramp, verdict

    steps, seeds = int(parameters["steps"]), [session.spec.seed + i for i in range(int(parameters["seeds"]))]
    rates = ramp(float(parameters["lowest"]), float(parameters["highest"]), steps)
    trainer = _trainer(session)
    curves = []
    for number, seed in enumerate(seeds):
        tell = _Told(session.events, number * (steps + 1), len(seeds) * (steps + 1))
        curves.append(sweep(trainer, rates, seed, interrupted=lambda: session.stop.requested, tell=tell))
        if curves[-1].diverged_at:
            template = N_("Seed {seed}: the loss diverges at a rate of {rate:.1e}.")
            session.events.note(template, seed=seed, rate=curves[-1].diverged_at)
    limit = LIMIT_OF_A_PROMPT if session.spec.method.name == "prompt-tuning" else LIMIT
    return verdict(curves, limit) | {"curves": [curve.as_dict() for curve in curves]}


def _trainer(session: Any) -> Any:
    """The Trainer of the run, as a training makes it, with nobody watching."""
    from transformers import PrinterCallback, set_seed

    from lab.training.methods.methods import Methods

    set_seed(session.spec.seed)
    methods = Methods(session.spec, session.plan, session.events, session.stop)
    methods.before(session.model)
    # Nothing is saved: the folder only has to be named.
    trainer = session.plan.trainer(session.model, session.course, session.pace, session.directory.checkpoints_path, [])
    methods.attach(trainer, None)
    trainer.remove_callback(PrinterCallback)  # the events tell what the log would
    return trainer


class _Told:
    """Reports the updates of one sweep as part of all of them."""

    def __init__(self, events: EventWriter, before: int, of: int) -> None:
        self.events, self.before, self.of = events, before, of
        self.began = time.monotonic()

    def __call__(self, update: int, loss: float, rate: float) -> None:
        step = self.before + update
        each = (time.monotonic() - self.began) / update
        self.events.metric(step, {"train_loss": loss, "learning_rate": rate})
        self.events.progress(step, self.of, eta_s=each * (self.of - step))
