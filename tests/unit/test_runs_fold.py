"""From events to curves, phases and samples; and curves with fewer points."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lab.runs.downsample import min_max
from lab.runs.fold import Fold


def metric(attempt: int, step: int, **values: float | None) -> dict[str, Any]:
    return {"kind": "metric", "attempt": attempt, "step": step, "values": values}


def phase(attempt: int, name: str, status: str, seconds: float = 0.0) -> dict[str, Any]:
    return {
        "kind": "phase",
        "attempt": attempt,
        "phase": name,
        "status": status,
        "seconds": seconds,
        "t": 5.0,
    }


def test_a_resumed_attempt_replaces_what_the_killed_one_measured_after_its_checkpoint() -> None:
    fold = Fold().add([metric(1, step, train_loss=float(step)) for step in range(1, 8)])
    fold.add([metric(2, step, train_loss=-float(step)) for step in (5, 6)])
    assert fold.series["train_loss"] == {1: 1.0, 2: 2.0, 3: 3.0, 4: 4.0, 5: -5.0, 6: -6.0}


def test_a_value_that_was_not_finite_stays_as_a_gap() -> None:
    fold = Fold().add([metric(1, 1, loss=1.0), metric(1, 2, loss=None), metric(1, 3, loss=2.0)])
    assert fold.series["loss"] == {1: 1.0, 2: None, 3: 2.0}


def test_an_evaluation_inside_training_leaves_training_open() -> None:
    fold = Fold().add(
        [phase(1, "train", "start"), phase(1, "evaluate", "start"), phase(1, "evaluate", "end", 2.0)]
    )
    assert fold.open_phases == ["train"]
    fold.add([phase(1, "evaluate", "start"), phase(1, "evaluate", "end", 3.0), phase(1, "train", "end", 9.0)])
    assert fold.open_phases == []
    assert {name: (one.status, one.seconds) for name, one in fold.phases.items()} == {
        "train": ("done", 9.0),
        "evaluate": ("done", 5.0),
    }


def test_a_new_attempt_has_every_phase_before_it_and_no_progress_of_the_one_before() -> None:
    fold = Fold().add([phase(1, "load", "start"), phase(1, "load", "end", 1.0), phase(1, "train", "start")])
    fold.add([{"kind": "progress", "attempt": 1, "step": 7, "steps": 30, "done": 0.2}])
    assert (fold.phases["load"].status, fold.progress["step"]) == ("done", 7)
    fold.add([phase(2, "load", "start")])
    assert (fold.phases["train"].status, fold.open_phases, fold.progress) == ("waiting", ["load"], {})
    fold.add([phase(2, "load", "end", 1.0), phase(2, "train", "start")])
    assert (fold.phases["train"].status, fold.phases["load"].seconds) == ("running", 2.0)


def test_samples_are_kept_by_prompt_and_step_and_the_last_word_counts() -> None:
    sample = {"kind": "sample", "attempt": 1, "index": 3, "prompt": "q", "stopped": True}
    fold = Fold().add([{**sample, "step": 0, "text": "a"}, {**sample, "step": 5, "text": "b"}])
    fold.add([{**sample, "step": 5, "text": "c", "attempt": 2}])
    assert [one.text for one in fold.samples[3].values()] == ["a", "c"]


def test_kinds_of_a_later_version_are_left_alone() -> None:
    assert Fold().add([{"kind": "telepathy", "attempt": 1}]).attempt == 1


values = st.one_of(st.none(), st.floats(-1e6, 1e6))


@given(st.lists(values, min_size=0, max_size=3000), st.integers(10, 1000))
def test_fewer_points_keep_the_ends_and_the_extremes(numbers: list[float | None], limit: int) -> None:
    points = list(enumerate(numbers))
    kept = min_max(points, limit)
    assert len(kept) <= max(limit, len(points) if len(points) <= limit else 0)
    assert set(kept) <= set(points)
    assert kept == sorted(kept, key=lambda point: point[0])
    if points:
        assert (kept[0], kept[-1]) == (points[0], points[-1])
    finite = [value for value in numbers if value is not None]
    if finite:
        shown = [value for _, value in kept if value is not None]
        assert (min(shown), max(shown)) == (min(finite), max(finite))
