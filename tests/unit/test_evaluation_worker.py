"""A finished run's comparison, made again on more prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import training_runs as runs

from lab.errors import InputError, NotFoundError
from lab.evaluation.worker import run as evaluate
from lab.runs.directory import RunDirectory
from lab.runs.events import EventWriter
from lab.runs.home import new_id, runs_folder
from lab.runs.stopping import StopFlag


def ask(parameters: dict[str, Any], stop: StopFlag | None = None) -> dict[str, Any]:
    folder = runs_folder() / new_id()
    folder.mkdir()
    (folder / "request.json").write_text(json.dumps({"kind": "evaluate", "parameters": parameters}))
    directory = RunDirectory(folder)
    return evaluate(directory, EventWriter(directory, 1), stop or StopFlag(), 1)


@pytest.fixture(params=["lora", "full"])
def finished(request: pytest.FixtureRequest, tiny_llama: Path, tmp_path: Path) -> RunDirectory:
    data = runs.write_questions(tmp_path / "questions.jsonl", rows=80)
    spec = runs.make_spec(tiny_llama, data, method__name=request.param, evaluation__max_examples=8)
    run = runs.make_run(runs_folder() / new_id(), spec)
    runs.train(run)
    return run


def read(run: RunDirectory, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.review_path / f"{name}.jsonl").open(encoding="utf-8")]


def test_more_prompts_begin_with_the_same_answers(finished: RunDirectory) -> None:
    before = {which: read(finished, which) for which in ("base", "tuned")}
    figures = json.loads((finished.review_path / "summary.json").read_text())["held_out"]
    result = ask({"run": finished.id, "prompts": 8})
    assert result["ended"] == "finished"
    for which, records in before.items():
        after = read(finished, which)
        assert (len(records), len(after)) == (3, 8)
        told = [(record["prompt"], record["text"]) for record in after]
        assert told[:3] == [(record["prompt"], record["text"]) for record in records]
        assert result["held_out"][which]["loss"] == pytest.approx(figures[which]["loss"], rel=1e-4)
        assert result["held_out"][which]["count"] == 8


def test_a_stop_leaves_the_old_comparison(finished: RunDirectory) -> None:
    before = (finished.review_path / "tuned.jsonl").read_bytes()
    stop = StopFlag()
    stop.request()
    assert ask({"run": finished.id, "prompts": 8}, stop)["ended"] == "stopped"
    assert (finished.review_path / "tuned.jsonl").read_bytes() == before


def test_a_run_without_a_finished_model_is_refused(tiny_llama: Path, tmp_path: Path) -> None:
    run = runs.make_run(runs_folder() / new_id(), runs.make_spec(tiny_llama, tmp_path))
    with pytest.raises(NotFoundError, match="no finished model"):
        ask({"run": run.id, "prompts": 8})


@pytest.mark.parametrize("prompts", [0, -1, "many", None, 2001])
def test_a_number_of_prompts_out_of_range_is_refused(tiny_llama: Path, tmp_path: Path, prompts: Any) -> None:
    run = runs.make_run(runs_folder() / new_id(), runs.make_spec(tiny_llama, tmp_path))
    with pytest.raises(InputError, match="from 1 to 2000"):
        ask({"run": run.id, "prompts": prompts})
