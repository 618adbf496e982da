"""Several tasks on one quantized body: trained, resumed, saved as plain models that say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import task_runs as tasks
import torch
import training_runs as runs
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification

from lab.evaluation.tasks import TaskComparer
from lab.json_io import read_json
from lab.runs.directory import RunDirectory
from lab.runs.events import EventWriter
from lab.spec import with_overrides

QUICK: dict[str, Any] = {
    "schedule__max_steps": 30, "schedule__per_device_batch": 8, "schedule__accumulation": 1,
    "schedule__learning_rate": 5e-3, "evaluation__every_steps": 30, "evaluation__max_examples": 40, "method__rank": 8,
    "checkpoints__every_steps": 5, "method__name": "qlora",
}  # fmt: skip


def several(model: Path, folder: Path, **changes: Any) -> RunDirectory:
    kinds = {"mood": "classification", "names": "token-classification"}
    rows = {"mood": tasks.classification_rows(120), "names": tasks.entity_rows(120)}
    sources = {name: tasks.prepared(rows[name], kind, 24) for name, kind in kinds.items()}
    spec = runs.make_spec(model, Path("demo"), task="multi-task", **QUICK | changes)
    return runs.make_run(folder, with_overrides(spec, {"tasks.sources": sources, "tasks.kinds": kinds}))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {
        "bert": tasks.build_tiny_bert(tmp_path_factory.mktemp("bert")),
        "gpt2": tasks.build_tiny_gpt2(tmp_path_factory.mktemp("gpt2")),
    }


WAYS: list[tuple[str, str, dict[str, Any]]] = [
    ("bert", "nf4", {}),
    ("bert", "nf4", {"speed__dequantise": True}),
    ("bert", "nf4", {"method__dora": True}),
    ("bert", "nf4", {"method__target_modules": ["query", "value"]}),
    ("bert", "8bit", {}),
    ("gpt2", "nf4", {}),
    ("gpt2", "nf4", {"method__dora": True}),
]


@pytest.mark.parametrize(("name", "bits", "more"), WAYS)
def test_several_tasks_learn_on_a_quantized_body_and_are_saved_plain(
    models: dict[str, Path], tmp_path: Path, name: str, bits: str, more: dict[str, Any]
) -> None:
    changes = {"speed__dequantise": False} | more
    run = several(models[name], tmp_path / "run", model__quantization=bits, **changes)
    assert runs.train(run)["ended"] == "finished"
    told = read_json(run.review_path / "summary.json")
    assert told is not None
    before, after = told["held_out"]["base"], told["held_out"]["tuned"]
    assert after["loss"] < 0.8 * before["loss"]
    for task in ("mood", "names"):
        config = read_json(run.final_path / task / "config.json")
        assert config is not None and "quantization_config" not in config
    # What was saved says of every held-out text what the quantized model with its adapter said.
    again = TaskComparer(run, EventWriter(run, 1), runs.StopFlag(), 0)
    again.tokenise(tmp_path)
    again.ask()
    near = 5e-3 if bits == "8bit" else 1e-3  # LLM.int8() rounds the inputs of its layers too, a plain model does not
    assert again.found["base"][0]["loss"] == pytest.approx(before["loss"], rel=near)
    assert again.found["tuned"][0]["loss"] == pytest.approx(after["loss"], rel=near)


def test_a_quantized_body_goes_on_from_a_checkpoint_as_if_it_had_not_stopped(
    models: dict[str, Path], tmp_path: Path
) -> None:
    changes = {"model__quantization": "nf4", "speed__dequantise": False, "schedule__max_steps": 10}
    whole = several(models["bert"], tmp_path / "whole", **changes)
    runs.train(whole)
    stopped = runs.make_run(tmp_path / "stopped", whole.spec)
    assert runs.train(stopped, runs.StopAt(stopped, 5))["ended"] == "stopped"
    assert runs.train(stopped, attempt=2)["ended"] == "finished"
    kept = load_file(whole.path / "checkpoints" / "checkpoint-5" / "model.safetensors")
    assert all("lora_" in name or "classifier" in name or "pooler" in name for name in kept) and kept
    assert runs.weights_sha(stopped.final_path) == runs.weights_sha(whole.final_path)
    model = AutoModelForSequenceClassification.from_pretrained(whole.final_path / "mood")
    assert all(weight.dtype == torch.float32 for weight in model.parameters())
