"""events.jsonl: what a killed writer may leave behind, and what a reader makes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lab.runs.events import EventWriter, tail_events


def test_a_torn_last_line_is_ignored_and_read_once_it_is_whole(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path)
    writer.metric(1, {"train_loss": 2.0})
    path = tmp_path / "events.jsonl"
    with path.open("ab") as file:
        file.write(b'{"t": 1, "attempt": 1, "kind": "metric", "st')
    events, offset = tail_events(path)
    assert [event["step"] for event in events] == [1]
    with path.open("ab") as file:
        file.write(b'ep": 2, "values": {}}\n')
    events, _ = tail_events(path, offset)
    assert [event["step"] for event in events] == [2]


def test_the_next_attempt_starts_on_a_line_of_its_own(tmp_path: Path) -> None:
    EventWriter(tmp_path).metric(1, {"train_loss": 2.0})
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(b'{"t": 1, "kind": "met')
    EventWriter(tmp_path, attempt=2).metric(2, {"train_loss": 1.0})
    events, _ = tail_events(tmp_path / "events.jsonl")
    assert [(event["attempt"], event["step"]) for event in events] == [(1, 1), (2, 2)]


def test_values_that_are_not_finite_become_null_and_foreign_numbers_plain(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path)
    writer.metric(3, {"a": float("nan"), "b": float("inf"), "c": np.float32(1.5), "d": np.float64("nan")})
    text = (tmp_path / "events.jsonl").read_text()
    assert json.loads(text)["values"] == {"a": None, "b": None, "c": 1.5, "d": None}


@pytest.mark.parametrize("text", ["two\nlines", "\udc80 lone", "\x00\x1b[31m", "déjà vu 日本 🙂", '"\\'])
def test_any_text_of_a_model_comes_back_as_it_was(tmp_path: Path, text: str) -> None:
    EventWriter(tmp_path).sample(0, 0, text, text, True)
    events, _ = tail_events(tmp_path / "events.jsonl")
    assert events[0]["prompt"] == events[0]["text"] == text


def test_a_phase_that_fails_has_a_start_and_no_end(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path)
    with writer.phase("load"):
        pass
    with pytest.raises(RuntimeError), writer.phase("train"):
        raise RuntimeError
    events, _ = tail_events(tmp_path / "events.jsonl")
    assert [(event["phase"], event["status"]) for event in events] == [
        ("load", "start"),
        ("load", "end"),
        ("train", "start"),
    ]


def test_several_processes_never_mix_their_lines(tmp_path: Path) -> None:
    code = (
        "import sys; from lab.runs.events import EventWriter\n"
        "w = EventWriter(sys.argv[1], int(sys.argv[2]))\n"
        "for step in range(300): w.sample(step, 0, 'x' * step, 'y' * 900, True)"
    )
    repository = Path(__file__).parents[2]
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(number)], cwd=repository)
        for number in (1, 2, 3)
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    events, _ = tail_events(tmp_path / "events.jsonl")
    assert sorted((event["attempt"], event["step"]) for event in events) == [
        (attempt, step) for attempt in (1, 2, 3) for step in range(300)
    ]


def test_lines_that_are_no_events_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('null\n[1]\n{"no": "kind"}\n{broken\n\n{"kind": "note", "t": 1}\n')
    assert [event["kind"] for event in tail_events(path)[0]] == ["note"]
    assert tail_events(tmp_path / "missing.jsonl", 7) == ([], 7)
