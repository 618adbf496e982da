"""Stopping, resuming and continuing end with the weights of an undivided run, to the last bit on a CPU."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import training_runs as runs

from lab.errors import InputError
from lab.runs.directory import RunDirectory
from lab.spec import RunSpec
from lab.training import seal

CHANGES: dict[str, Any] = {"schedule__max_steps": 8, "method__dropout": 0.1, "checkpoints__every_steps": 3}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.write_questions(tmp_path_factory.mktemp("data") / "questions.jsonl")


@pytest.fixture(scope="module")
def spec(tiny_llama: Path, data: Path) -> RunSpec:
    return runs.make_spec(tiny_llama, data, **CHANGES)


@pytest.fixture(scope="module")
def undivided(spec: RunSpec, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    run = runs.make_run(tmp_path_factory.mktemp("undivided") / "run", spec)
    assert runs.train(run)["ended"] == "finished"
    return run


def adapter(run: RunDirectory) -> bytes:
    return (run.final_path / "adapter_model.safetensors").read_bytes()


def test_a_stopped_run_seals_a_checkpoint_and_is_not_finished(
    spec: RunSpec, undivided: RunDirectory, tmp_path: Path
) -> None:
    run = runs.make_run(tmp_path / "run", spec)
    result = runs.train(run, runs.StopAt(run, 4))
    assert (result["ended"], result["step"]) == ("stopped", 5)
    assert runs.events(run, "checkpoint")[-1]["reason"] == "stop"
    assert not run.final_path.exists()

    assert runs.train(run, attempt=2)["ended"] == "finished"
    assert adapter(run) == adapter(undivided)
    assert runs.series(run, "train_loss") == runs.series(undivided, "train_loss")
    told = [{e["step"]: e["tokens"] for e in runs.events(r, "progress")} for r in (run, undivided)]
    assert told[0][8] == told[1][8]
    assert sum(event["step"] == 0 for event in runs.events(run, "sample")) == 2  # the base was asked once


def test_a_short_run_continued_as_the_full_run_ends_like_an_undivided_one(
    spec: RunSpec, undivided: RunDirectory, tmp_path: Path
) -> None:
    short = runs.make_run(tmp_path / "short", spec, until_step=4)
    result = runs.train(short)
    assert (result["ended"], result["step"], result["steps"]) == ("short", 4, 8)
    assert sorted(runs.series(short, "eval_loss")) == [0, 3, 4]
    assert result["prediction"]["full_time_s"] > result["seconds"]["load"]

    full = runs.make_run(tmp_path / "full", spec, parent=short.id)
    shutil.copy(short.events_path, full.events_path)
    shutil.copytree(short.checkpoints_path / "checkpoint-4", full.checkpoints_path / "checkpoint-4")
    assert runs.train(full)["ended"] == "finished"
    assert adapter(full) == adapter(undivided)
    assert runs.series(full, "train_loss") == runs.series(undivided, "train_loss")


def test_a_full_fine_tune_resumes_to_the_same_weights(tiny_llama: Path, data: Path, tmp_path: Path) -> None:
    spec = runs.make_spec(tiny_llama, data, method__name="full", schedule__max_steps=4)
    whole, divided = (runs.make_run(tmp_path / name, spec) for name in ("whole", "divided"))
    runs.train(whole)
    assert runs.train(divided, runs.StopAt(divided, 1))["ended"] == "stopped"
    runs.train(divided, attempt=2)
    assert runs.weights_sha(divided.final_path) == runs.weights_sha(whole.final_path)


def test_a_run_killed_after_its_last_step_only_asks_and_saves_again(
    undivided: RunDirectory, spec: RunSpec, tmp_path: Path
) -> None:
    run = runs.make_run(tmp_path / "run", spec)
    shutil.copytree(undivided.checkpoints_path, run.checkpoints_path)
    shutil.copytree(undivided.review_path, run.review_path)
    result = runs.train(run, attempt=2)
    assert (result["ended"], result["step"]) == ("finished", 8)
    assert runs.series(run, "train_loss") == {}
    assert adapter(run) == adapter(undivided)
    assert result["final"]["train_loss"] is not None


@pytest.mark.parametrize("damage", ["flip", "missing optimizer", "no manifest"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    undivided: RunDirectory, spec: RunSpec, tmp_path: Path, damage: str
) -> None:
    run = runs.make_run(tmp_path / "run", spec)
    shutil.copytree(undivided.checkpoints_path, run.checkpoints_path)
    newest = run.checkpoints_path / "checkpoint-8"
    if damage == "flip":
        file = newest / "adapter_model.safetensors"
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
    else:
        (newest / ("optimizer.pt" if damage == "missing optimizer" else seal.MANIFEST)).unlink()
    (run.checkpoints_path / ".trash-checkpoint-4").mkdir()  # of a removal that was killed
    runs.train(run)
    assert not list(run.checkpoints_path.glob(".trash-*"))
    assert min(runs.series(run, "train_loss")) == 7  # from checkpoint-6
    assert adapter(run) == adapter(undivided)


def test_only_as_many_checkpoints_as_asked_for_are_kept(undivided: RunDirectory) -> None:
    assert [checkpoint.step for checkpoint in undivided.sealed_checkpoints()] == [6, 8]
    manifest = json.loads((undivided.checkpoints_path / "checkpoint-8" / seal.MANIFEST).read_text())
    assert {"adapter_model.safetensors", "optimizer.pt", "rng_state.pth"} <= set(manifest["files"])


def test_a_resume_on_other_data_is_refused(spec: RunSpec, undivided: RunDirectory, tmp_path: Path) -> None:
    other = runs.write_questions(tmp_path / "other.jsonl", rows=41)
    changed = spec.model_copy(update={"data": spec.data.model_copy(update={"source": str(other)})})
    run = runs.make_run(tmp_path / "changed", changed)
    shutil.copytree(undivided.checkpoints_path, run.checkpoints_path)
    with pytest.raises(InputError, match="not the one that this run began with"):
        runs.train(run)


def test_a_stop_before_the_first_step_ends_at_once_and_leaves_no_checkpoint(
    spec: RunSpec, tmp_path: Path
) -> None:
    run = runs.make_run(tmp_path / "run", spec)
    stop = runs.StopFlag()
    stop.request()
    assert runs.train(run, stop)["ended"] == "stopped"
    assert not run.sealed_checkpoints()
    assert runs.series(run, "train_loss") == {}
