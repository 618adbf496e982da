"""What goes wrong in a training, and what the person is told to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import training_runs as runs

from lab.errors import InputError, LabError
from lab.training import callbacks
from lab.training.build import load_base
from lab.training.tasks import causal
from lab.training.trainer import LabTrainer


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return runs.write_questions(tmp_path / "questions.jsonl")


def poisoned_at(step: int) -> Any:
    """A training step of LabTrainer after which, from an optimizer step on, the weights are not numbers."""
    original = LabTrainer.training_step

    def training_step(self: LabTrainer, model: Any, inputs: Any, items: Any = None) -> Any:
        if self.state.global_step + 1 >= step:
            for weight in self.model.parameters():
                if weight.requires_grad:
                    weight.data.fill_(float("nan"))
        return original(self, model, inputs, items)

    return training_step


def test_three_losses_that_are_no_numbers_end_the_run_with_a_diagnosis(
    tiny_llama: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs.make_run(tmp_path / "run", runs.make_spec(tiny_llama, data, schedule__max_steps=20))
    monkeypatch.setattr(LabTrainer, "training_step", poisoned_at(5))
    with pytest.raises(LabError, match="from step 5 on") as caught:
        runs.train(run)
    assert "0.0002" in str(caught.value)
    assert "diverged" in [event["code"] for event in runs.events(run, "diagnosis")]
    assert runs.series(run, "train_loss")[7] is None
    assert [checkpoint.step for checkpoint in run.sealed_checkpoints()] == [3]  # 6 was due, and not sealed


def test_a_run_that_ends_on_weights_that_are_no_numbers_has_failed(
    tiny_llama: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs.make_run(tmp_path / "run", runs.make_spec(tiny_llama, data))
    monkeypatch.setattr(LabTrainer, "training_step", poisoned_at(6))
    with pytest.raises(LabError, match="diverged"):
        runs.train(run)
    assert not run.final_path.exists()


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), MemoryError()])
def test_a_full_memory_names_half_the_batch_and_double_the_accumulation(
    tiny_llama: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    spec = runs.make_spec(tiny_llama, data, schedule__per_device_batch=4, schedule__accumulation=2)
    run = runs.make_run(tmp_path / "run", spec)

    def full(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr(LabTrainer, "training_step", full)
    with pytest.raises(LabError, match="batch of 2 and an accumulation of 4"):
        runs.train(run)
    assert runs.events(run, "diagnosis")[0]["code"] == "out-of-memory"


def test_a_full_memory_at_a_batch_of_one_names_other_ways_out(
    tiny_llama: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs.make_run(tmp_path / "run", runs.make_spec(tiny_llama, data, schedule__per_device_batch=1))

    def full(*args: Any, **kwargs: Any) -> None:
        # Real: torch's own words when a CPU allocation fails.
        torch.empty(2**62, dtype=torch.uint8)

    monkeypatch.setattr(LabTrainer, "training_step", full)
    with pytest.raises(LabError, match="gradient checkpointing"):
        runs.train(run)


def test_another_runtime_error_is_not_taken_for_a_full_memory(
    tiny_llama: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs.make_run(tmp_path / "run", runs.make_spec(tiny_llama, data))
    monkeypatch.setattr(causal, "open_data", lambda *args, **kwargs: torch.ones(2) @ torch.ones(3))
    with pytest.raises(RuntimeError):
        runs.train(run)


def test_a_length_beyond_the_models_positions_is_cut_and_noted(tiny_llama: Path, data: Path, tmp_path: Path) -> None:
    spec = runs.make_spec(tiny_llama, data, data__max_length=4096, schedule__max_steps=1)
    run = runs.make_run(tmp_path / "run", spec)
    assert runs.train(run)["ended"] == "finished"
    assert {"asked": 4096, "limit": 256} in [event["values"] for event in runs.events(run, "note")]


def test_rows_that_are_too_long_are_counted_in_a_warning(tiny_llama: Path, data: Path, tmp_path: Path) -> None:
    with open(data, "a", encoding="utf-8") as file:
        for i in range(10):
            file.write(json.dumps({"question": f"What is long {i}?", "answer": "many words " * 100}) + "\n")
    spec = runs.make_spec(tiny_llama, data, data__max_length=64, schedule__max_steps=1)
    run = runs.make_run(tmp_path / "run", spec)
    trained = runs.train(run)["data"]["rows"]["train"]
    told = [event for event in runs.events(run, "note") if "left out" in event["template"]]
    assert [(one["level"], one["values"]) for one in told] == [
        ("warning", {"left": 10, "rows": 50, "length": 64, "count": trained})
    ]


def test_target_modules_that_the_model_lacks_are_refused_with_those_it_has(
    tiny_llama: Path, data: Path, tmp_path: Path
) -> None:
    run = runs.make_run(tmp_path / "run", runs.make_spec(tiny_llama, data, method__target_modules=["c_attn"]))
    with pytest.raises(InputError, match="no layer called c_attn") as caught:
        runs.train(run)
    assert "q_proj" in str(caught.value) and "lm_head" not in str(caught.value)


def test_a_gpu_that_is_not_there_is_refused(tiny_llama: Path, data: Path, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    run = runs.make_run(tmp_path / "run", runs.make_spec(tiny_llama, data, resources__device="cuda"))
    with pytest.raises(InputError, match="no GPU"):
        runs.train(run)


def test_without_held_out_rows_a_run_trains_and_says_so(tiny_llama: Path, data: Path, tmp_path: Path) -> None:
    run = runs.make_run(tmp_path / "run", runs.make_spec(tiny_llama, data, data__validation_share=0.0))
    result = runs.train(run)
    assert (result["ended"], result["final"]["eval_loss"]) == ("finished", None)
    assert any("nothing is evaluated" in event["template"] for event in runs.events(run, "note"))


def test_a_weight_that_is_no_number_is_seen(tiny_llama: Path) -> None:
    model = load_base(str(tiny_llama))
    assert callbacks.finite(model)
    next(model.parameters()).data[0, 0] = float("inf")
    assert not callbacks.finite(model)
