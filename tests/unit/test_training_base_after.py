"""The base model is asked after the training: nothing that it says, and nothing that is learned, depends on that."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import task_runs as tasks
import torch
import training_runs as runs

from lab.runs.directory import RunDirectory
from lab.runs.stopping import StopFlag
from lab.spec import RunSpec, with_overrides
from lab.training.tasks import TaskPlan

pytestmark = pytest.mark.slow
FEW = {
    "schedule__max_steps": 4,
    "schedule__per_device_batch": 8,
    "schedule__accumulation": 1,
    "evaluation__max_examples": 12,
}


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tasks.build_tiny_bert(tmp_path_factory.mktemp("bert"))


def language(tiny_llama: Path, bert: Path, folder: Path, **changes: Any) -> RunSpec:
    return runs.make_spec(tiny_llama, runs.write_questions(folder / "questions.jsonl"), **changes)


def labelled(tiny_llama: Path, bert: Path, folder: Path, **changes: Any) -> RunSpec:
    data = tasks.prepared(tasks.classification_rows(60), "classification")
    return runs.make_spec(bert, Path(data), **FEW | {"task": "classification"} | changes)


def several(tiny_llama: Path, bert: Path, folder: Path, **changes: Any) -> RunSpec:
    spec = runs.make_spec(bert, Path("demo"), **FEW | {"task": "multi-task"} | changes)
    sources = {
        "mood": tasks.prepared(tasks.classification_rows(60), "classification"),
        "names": tasks.prepared(tasks.entity_rows(60), "token-classification"),
    }
    kinds = {"mood": "classification", "names": "token-classification"}
    return with_overrides(spec, {"tasks.sources": sources, "tasks.kinds": kinds})


def preferred(tiny_llama: Path, bert: Path, folder: Path, **changes: Any) -> RunSpec:
    draw = random.Random(5)
    words = [draw.choice(["size", "step", "copy"]) for _ in range(40)]
    rows = [
        {"prompt": f"What does f{i} do? ", "chosen": f"Return a {word}.", "rejected": f"Question: {word}?"}
        for i, word in enumerate(words)
    ]
    data = tasks.prepared(rows, "preference", validation=12)
    return runs.make_spec(tiny_llama, Path(data), **FEW | {"task": "preference", "data__max_length": 48} | changes)


SETUPS: dict[str, tuple[Callable[..., RunSpec], dict[str, Any]]] = {
    "lora": (language, {"method__dropout": 0.1}),
    "pissa": (language, {"method__init": "pissa"}),
    "full": (language, {"method__name": "full"}),
    "prompt-tuning": (language, {"method__name": "prompt-tuning"}),
    "classification, lora": (labelled, {"method__name": "lora"}),
    "classification, full": (labelled, {"method__name": "full"}),
    "several tasks": (several, {"method__name": "lora"}),
    "reward": (preferred, {"preference__method": "reward"}),
}


def said(run: RunDirectory) -> dict[str, bytes]:
    """What was written of base and tuned model."""
    return {name: (run.review_path / name).read_bytes() for name in ("summary.json", "base.jsonl", "tuned.jsonl")}


@pytest.mark.parametrize("name", SETUPS)
def test_asked_after_the_training_the_base_says_the_same_to_the_byte_and_the_weights_are_the_same(
    tiny_llama: Path, bert: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, changes = SETUPS[name]
    spec = make(tiny_llama, bert, tmp_path, **changes)
    after = runs.make_run(tmp_path / "after", spec)
    late = runs.train(after)
    monkeypatch.setattr(TaskPlan, "base_first", True)
    before = runs.make_run(tmp_path / "before", spec)
    early = runs.train(before)
    phases = [[event["phase"] for event in runs.events(run, "phase")[::2]] for run in (after, before)]
    assert [order.index("evaluate") < order.index("train") for order in phases] == [False, True]
    assert said(after) == said(before)
    assert runs.weights_sha(after.final_path) == runs.weights_sha(before.final_path)
    assert runs.series(after, "eval_loss") == runs.series(before, "eval_loss")
    assert late["final"] == early["final"]


def test_a_preference_that_is_held_against_the_base_asks_it_first(tiny_llama: Path, bert: Path, tmp_path: Path) -> None:
    run = runs.make_run(tmp_path / "run", preferred(tiny_llama, bert, tmp_path, preference__method="dpo"))
    runs.train(run)
    phases = [event["phase"] for event in runs.events(run, "phase")[::2]]
    assert phases == ["load", "tokenise", "evaluate", "train", "evaluate", "save"]
    assert 0 in runs.series(run, "reward_margin")


def test_weights_that_no_file_has_are_drawn_again_as_they_were(
    tiny_llama: Path, bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file, save_file

    model = tmp_path / "model"
    model.mkdir()
    for file in tiny_llama.iterdir():
        (model / file.name).write_bytes(file.read_bytes())
    weights = load_file(model / "model.safetensors")
    dropped = next(name for name in sorted(weights) if "mlp.up_proj" in name)
    save_file({name: value for name, value in weights.items() if name != dropped}, model / "model.safetensors")
    spec = language(model, bert, tmp_path)
    found = []
    for name, first in (("after", False), ("before", True)):
        torch.manual_seed(7)  # the state of a process that has just begun
        monkeypatch.setattr(TaskPlan, "base_first", first)
        run = runs.make_run(tmp_path / name, spec)
        runs.train(run)
        found.append(said(run))
    assert found[0] == found[1]


def test_a_base_that_changed_while_it_was_trained_is_not_asked_and_nothing_else_is_lost(
    tiny_llama: Path, bert: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for file in tiny_llama.iterdir():
        (model / file.name).write_bytes(file.read_bytes())

    class Swap(StopFlag):
        """Changes the model's file when the training is seen to be on."""

        @property
        def requested(self) -> bool:
            if 2 in runs.series(run, "train_loss"):  # another file in its place: the old one is mapped into memory
                (model / "another").write_bytes(b"another")
                (model / "another").replace(model / "model.safetensors")
            return False

    run = runs.make_run(tmp_path / "run", language(model, bert, tmp_path))
    result = runs.train(run, Swap())
    assert (result["ended"], result["final"]["eval_loss_before"]) == ("finished", None)
    assert any("is not the one" in note["template"] for note in runs.events(run, "note"))
    assert not (run.review_path / "base.jsonl").exists()
    assert (run.final_path / "adapter_model.safetensors").is_file()


def test_a_run_stopped_while_the_base_is_asked_asks_it_when_it_goes_on(
    tiny_llama: Path, bert: Path, tmp_path: Path
) -> None:
    class Saved(StopFlag):
        """Asks to stop as soon as the tuned model is saved."""

        @property
        def requested(self) -> bool:
            return (run.final_path / "adapter_config.json").is_file()

    run = runs.make_run(tmp_path / "run", language(tiny_llama, bert, tmp_path))
    assert runs.train(run, Saved())["ended"] == "stopped"
    assert not (run.review_path / "base.jsonl").exists()
    losses = runs.series(run, "train_loss")
    assert runs.train(run, attempt=2)["ended"] == "finished"
    assert (run.review_path / "base.jsonl").is_file()
    assert runs.series(run, "train_loss") == losses
