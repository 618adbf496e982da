"""After ten steps of every task, what the training really takes stands beside what was planned."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import task_runs as tasks
import training_runs as runs

from lab.spec import with_overrides

QUICK: dict[str, Any] = {
    "schedule__max_steps": 10, "schedule__per_device_batch": 2, "schedule__accumulation": 1, "tasks__stride": 8,
    "evaluation__every_steps": 10, "evaluation__samples": 0, "evaluation__review_prompts": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tasks.build_tiny_bert(tmp_path_factory.mktemp("bert"))


def pairs() -> list[dict[str, Any]]:
    return [{"prompt": f"p{i}", "chosen": f"one {i}", "rejected": f"two {i}"} for i in range(24)]


CASES: dict[str, dict[str, Any]] = {
    "classification": {"task": "classification"},
    "frozen classification": {"task": "classification", "method__name": "frozen"},
    "token-classification": {"task": "token-classification", "method__name": "full"},
    "extractive-qa": {"task": "extractive-qa"},
    "multi-task": {"task": "multi-task"},
    "dpo": {"task": "preference"},
    "kto": {"task": "preference", "preference__method": "kto"},
    "reward": {"task": "preference", "preference__method": "reward"},
    "causal-lm": {},
}


@pytest.mark.parametrize("name", CASES)
def test_the_measured_memory_stands_beside_the_planned_one(
    tiny_llama: Path, bert: Path, tmp_path: Path, name: str
) -> None:
    changes = QUICK | CASES[name]
    task = changes.get("task", "causal-lm")
    rows = {
        "classification": tasks.classification_rows,
        "token-classification": tasks.entity_rows,
        "extractive-qa": tasks.question_rows,
    }
    if task == "preference":
        spec = runs.make_spec(tiny_llama, Path(tasks.prepared(pairs(), "preference", 4)), **changes)
    elif task == "causal-lm":
        spec = runs.make_spec(tiny_llama, runs.write_questions(tmp_path / "questions.jsonl"), **changes)
    elif task == "multi-task":
        kinds = {"mood": "classification", "names": "token-classification"}
        sources = {one: tasks.prepared(rows[kind](24), kind, 4) for one, kind in kinds.items()}
        spec = runs.make_spec(bert, Path("demo"), **changes)
        spec = with_overrides(spec, {"tasks.sources": sources, "tasks.kinds": kinds})
    else:
        spec = runs.make_spec(bert, Path(tasks.prepared(rows[task](24), task, 4)), **changes)
    run = runs.make_run(tmp_path / "run", spec)
    result = runs.train(run)
    (note,) = [event for event in runs.events(run, "note") if "Memory after ten steps" in event["template"]]
    (planned,) = runs.series(run, "memory_planned_gib").values()
    assert note["values"]["planned"] == pytest.approx(planned, abs=0.001)
    assert runs.series(run, "memory_peak_gib")[10] <= result["peak_memory_gib"] + 0.001


@pytest.mark.slow
@pytest.mark.parametrize("how", ["full", "frozen"])
def test_the_plan_of_a_classifier_is_the_peak_of_its_process(tmp_path: Path, how: str) -> None:
    """A real worker on the embedded model: resident memory, all of it."""
    rows = [{"text": f"{'What does it do? ' * 40}{i}", "label": "good" if i % 2 else "bad"} for i in range(48)]
    changes = QUICK | {"task": "classification", "method__name": how, "schedule__per_device_batch": 16}
    long = {"data__max_length": 256, "data__too_long": "cut", "resources__precision": "auto"}
    spec = runs.make_spec(Path("demo"), Path(tasks.prepared(rows, "classification", 8)), **changes | long)
    run = runs.make_run(tmp_path / "run", spec)
    run.attempt_path(1).mkdir(parents=True)
    subprocess.run([sys.executable, "-m", "lab.jobs.worker", str(run.path)], check=True, timeout=240)
    (planned,) = runs.series(run, "memory_planned_gib").values()
    assert planned == pytest.approx((run.result or {})["peak_memory_gib"], rel=0.2)


def test_the_memory_of_a_worker_is_its_own_not_that_of_who_started_it() -> None:
    large = bytearray(1 << 30)
    large[::4096] = b"x" * len(large[::4096])  # so that every page of it is there
    code = "from lab.training.machine import peak_memory_gib; print(peak_memory_gib('cpu'))"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120).stdout
    assert 0.05 < float(told.split()[-1]) < 0.9 < len(large) / 2**30
