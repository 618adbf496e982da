"""How an attempt ended, decided by one pure function.

The order of its questions matters, and each stands where it does for a reason:

1. A finished result wins over everything: the worker writes it last, so a signal that comes after it changes
nothing. 2. A worker that says it stopped (exit code 75) is believed: it has sealed what it had. 3. The
worker's own error comes before the exit code: it knows the file and the line. 4. A stop that ended in a
signal is what the person asked for, even if the worker did not get to say so. 5. Only then is a signal a
crash: with a sealed checkpoint the run can go on (interrupted), without one it failed. 6. What is left ended
without a word: exit code 0 without a result is not a success.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lab.runs.states import CANCELLED, FAILED, INTERRUPTED, SUCCEEDED
from lab.text import N_

STOPPED = 75  # exit code of a worker that was asked to stop and sealed a checkpoint


@dataclass(frozen=True)
class Ending:
    """What is known when no process of an attempt is alive any more.

    `code` and `signal` are None when nobody saw the worker end (its shim was killed, the machine went down).
    `sealed` tells whether the run has a sealed checkpoint, `wish` what a person asked for: stop, discard or
    None.
    """

    kind: str
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    code: int | None = None
    signal: int | None = None
    out_of_memory: bool = False
    sealed: bool = False
    wish: str | None = None


@dataclass(frozen=True)
class Outcome:
    """The state a run goes to, and why, as a sentence with its values."""

    state: str
    template: str = ""
    values: dict[str, Any] | None = None

    @property
    def reason(self) -> dict[str, Any] | None:
        """The sentence as the data base keeps it; None when there is nothing to say."""
        return {"template": self.template, "values": self.values or {}} if self.template else None


def classify(ending: Ending) -> Outcome:
    """The state that follows from how an attempt ended; see the order above."""
    if ending.result and ending.result.get("ended") in ("finished", "short"):
        return Outcome(SUCCEEDED)
    if ending.code == STOPPED or (ending.result and ending.result.get("ended") == "stopped"):
        return _stopped(ending)
    if ending.error:
        return Outcome(FAILED, str(ending.error.get("template", "")), dict(ending.error.get("values") or {}))
    if ending.wish and ending.signal is not None:
        return _stopped(ending)
    if ending.out_of_memory:
        return _crashed(ending, N_("The machine ran out of memory and the worker was killed."))
    if ending.signal is not None:
        return _crashed(ending, N_("The worker was killed by signal {signal}."), signal=ending.signal)
    if ending.code is None:
        return _crashed(ending, N_("The worker disappeared: it was killed, or the machine was switched off."))
    if ending.code == 0:
        return Outcome(FAILED, N_("The worker ended without a result; its log tells what it did."))
    return Outcome(FAILED, N_("The worker ended with exit code {code}; its log tells why."), {"code": ending.code})


def _stopped(ending: Ending) -> Outcome:
    # Only a training can go on later; another job that was stopped is over.
    if ending.wish == "discard" or ending.kind != "train":
        return Outcome(CANCELLED)
    if ending.code == STOPPED or ending.result:
        return Outcome(INTERRUPTED)
    if ending.sealed:
        return Outcome(INTERRUPTED, N_("It did not stop in time and was ended; the last sealed checkpoint is kept."))
    return Outcome(INTERRUPTED, N_("It was ended before the first checkpoint; resuming starts it again."))


def _crashed(ending: Ending, sentence: str, **values: Any) -> Outcome:
    if ending.wish == "discard":
        return Outcome(CANCELLED, sentence, values)
    if ending.kind == "train" and (ending.sealed or ending.wish):
        return Outcome(INTERRUPTED, sentence, values)
    return Outcome(FAILED, sentence, values)
