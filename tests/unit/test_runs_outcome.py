"""How an attempt ended: one table of what was seen and what follows."""

from __future__ import annotations

from typing import Any

import pytest

from lab.runs.outcome import Ending, classify

ERROR = {"template": "Line {line} is wrong.", "values": {"line": 7}}
FINISHED, STOPPED = {"ended": "finished"}, {"ended": "stopped"}


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        ({"result": FINISHED, "code": 0}, "succeeded"),
        ({"result": {"ended": "short"}, "code": 0}, "succeeded"),
        ({"result": FINISHED, "signal": 9}, "succeeded"),  # killed after its last word
        ({"result": FINISHED, "code": None}, "succeeded"),  # the shim was killed, the worker was not
        ({"result": FINISHED, "code": 0, "wish": "discard"}, "succeeded"),  # it was quicker
        ({"result": STOPPED, "code": 75}, "interrupted"),
        ({"result": STOPPED, "code": 75, "wish": "stop"}, "interrupted"),
        ({"result": STOPPED, "code": 75, "wish": "discard"}, "cancelled"),
        ({"result": STOPPED, "code": None}, "interrupted"),
        ({"code": 75}, "interrupted"),
        ({"code": 2, "error": ERROR}, "failed"),
        ({"code": 1, "error": ERROR, "wish": "stop"}, "failed"),
        ({"signal": 15, "wish": "stop"}, "interrupted"),  # before the worker could listen
        ({"signal": 9, "wish": "stop", "sealed": True}, "interrupted"),
        ({"signal": 9, "wish": "discard", "sealed": True}, "cancelled"),
        ({"signal": 9, "sealed": True}, "interrupted"),
        ({"signal": 9}, "failed"),
        ({"signal": 11, "sealed": True}, "interrupted"),
        ({"signal": 9, "out_of_memory": True}, "failed"),
        ({"code": None, "sealed": True}, "interrupted"),  # the machine was switched off
        ({"code": None}, "failed"),
        ({"code": 0}, "failed"),  # it ended without a result
        ({"code": 3}, "failed"),
    ],
)
def test_what_was_seen_of_a_training_decides_its_state(seen: dict[str, Any], state: str) -> None:
    assert classify(Ending("train", **seen)).state == state


@pytest.mark.parametrize("kind", ["prepare", "publish", "generate", "evaluate"])
def test_a_job_that_cannot_go_on_later_is_cancelled_when_it_is_stopped(kind: str) -> None:
    assert classify(Ending(kind, result=STOPPED, code=75, wish="stop")).state == "cancelled"
    assert classify(Ending(kind, signal=9, wish="stop")).state == "cancelled"
    assert classify(Ending(kind, signal=9)).state == "failed"


def test_a_failure_keeps_the_workers_own_sentence_and_its_values() -> None:
    assert classify(Ending("train", code=2, error=ERROR)).reason == ERROR


@pytest.mark.parametrize(
    "seen", [{"signal": 9}, {"code": None}, {"code": 0}, {"code": 3}, {"signal": 9, "wish": "stop"}]
)
def test_an_end_that_nobody_explained_has_a_reason(seen: dict[str, Any]) -> None:
    reason = classify(Ending("train", **seen)).reason
    assert reason is not None
    assert reason["template"].format(**reason["values"])
