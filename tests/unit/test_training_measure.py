"""The speed of a run and the time that is left, on a clock that the test turns."""

from __future__ import annotations

import pytest

from lab.training.measure import Pace
from lab.training.steps import Course


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_before_the_first_step_there_is_no_estimate(clock: Clock) -> None:
    pace = Pace(clock)
    assert pace.remaining_s(10, 2) is None and pace.tokens_per_s is None
    assert pace.throughput()["step_s"] is None


def test_loading_does_not_count_and_first_steps_are_forgotten(clock: Clock) -> None:
    pace = Pace(clock)
    clock.now += 500  # loading
    pace.begin()
    for seconds in (30, 20, 2, 2):
        clock.now += seconds
        pace.step(tokens=100, examples=4)
    assert pace.step_s == 2
    assert pace.remaining_s(10, 0) == 20
    assert pace.tokens_per_s == 50
    assert pace.throughput() == {"tokens_per_s": 50, "samples_per_s": 2, "step_s": 2}


def test_evaluations_are_timed_apart_and_counted_for_those_to_come(clock: Clock) -> None:
    pace = Pace(clock)
    pace.begin()
    for _ in range(5):
        clock.now += 1
        pace.step(10, 1)
        with pace.aside():
            clock.now += 7
        with pace.paused():
            clock.now += 100  # a checkpoint
    assert pace.step_s == 1
    assert pace.remaining_s(4, 2) == 4 * 1 + 2 * 7


def test_the_estimate_follows_the_latest_steps(clock: Clock) -> None:
    pace = Pace(clock)
    pace.begin()
    for seconds in [1.0] * 60 + [3.0] * 50:
        clock.now += seconds
        pace.step(10, 1)
    assert pace.step_s == pytest.approx(3)


@pytest.mark.parametrize(("step", "left"), [(0, 3), (24, 3), (25, 2), (74, 1), (75, 0), (100, 0)])
def test_evaluations_to_come_are_those_before_the_end(step: int, left: int) -> None:
    assert Course(100, 100, 3, 25, 25).evaluations_left(step) == left
