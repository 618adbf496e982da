"""A whole run from its spec to `final/`: what it reports, what it leaves, and that others can load it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import training_runs as runs

from lab.runs.directory import RunDirectory


@pytest.fixture(scope="module")
def lora(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDirectory, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("lora")
    data = runs.write_questions(folder / "questions.jsonl")
    run = runs.make_run(folder / "run", runs.make_spec(tiny_llama, data))
    return run, runs.train(run)


@pytest.fixture(scope="module")
def full(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDirectory, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("full")
    data = runs.write_questions(folder / "questions.jsonl")
    run = runs.make_run(folder / "run", runs.make_spec(tiny_llama, data, method__name="full"))
    return run, runs.train(run)


def test_the_phases_come_in_order_and_each_ends(lora: tuple[RunDirectory, dict[str, Any]]) -> None:
    phases = [(event["phase"], event["status"]) for event in runs.events(lora[0], "phase")]
    names = ["load", "tokenise", "evaluate", "train", "evaluate", "save"]
    assert phases == [(name, status) for name in names for status in ("start", "end")]


def test_held_out_rows_are_evaluated_at_step_0_every_n_steps_and_at_the_end(lora: Any) -> None:
    run, result = lora
    losses = runs.series(run, "eval_loss")
    assert sorted(losses) == [0, 3, 6]
    assert result["final"]["eval_loss_before"] == losses[0]
    assert result["final"]["eval_loss"] == losses[6] < losses[0]


def test_the_same_prompts_are_answered_at_each_evaluation(lora: Any) -> None:
    samples = runs.events(lora[0], "sample")
    assert [(sample["step"], sample["index"]) for sample in samples] == [
        (s, i) for s in (0, 3, 6) for i in (0, 1)
    ]
    assert len({sample["prompt"] for sample in samples}) == 2
    assert all(sample["prompt"].startswith("What does f") for sample in samples)


def test_every_step_reports_its_loss_rate_and_gradient(lora: Any) -> None:
    for name in ("train_loss", "learning_rate", "grad_norm", "memory_gib"):
        assert sorted(runs.series(lora[0], name)) == [1, 2, 3, 4, 5, 6]


def test_the_last_progress_is_whole_and_counts_real_tokens(lora: Any) -> None:
    last = runs.events(lora[0], "progress")[-1]
    assert (last["step"], last["steps"], last["done"]) == (6, 6, 1.0)
    assert last["tokens"] > 0 and last["tokens_per_s"] > 0


def test_the_result_says_what_other_programs_rely_on(lora: Any) -> None:
    result = lora[1]
    assert result["ended"] == "finished"
    assert (result["step"], result["steps"], result["adapter"], result["precision"]) == (6, 6, True, "fp32")
    assert result["peak_memory_gib"] > 0.05
    assert result["throughput"]["tokens_per_s"] > 0 and result["throughput"]["samples_per_s"] > 0
    assert set(result["seconds"]) == {"load", "tokenise", "evaluate", "train", "save", "total"}
    assert 0 < result["trainable"]["share"] < 1
    assert result["versions"]["trl"]


def test_tensorboard_files_hold_the_same_curve(lora: Any) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(lora[0].tensorboard_path))
    board.Reload()
    shown = {scalar.step: scalar.value for scalar in board.Scalars("train_loss")}
    assert shown == pytest.approx(runs.series(lora[0], "train_loss"))


def test_the_comparison_holds_both_answers_to_each_prompt(lora: Any) -> None:
    review = lora[0].review_path
    base, tuned = ([json.loads(line) for line in (review / f"{w}.jsonl").open()] for w in ("base", "tuned"))
    assert [record["prompt"] for record in base] == [record["prompt"] for record in tuned]
    assert len(base) == 3
    summary = json.loads((review / "summary.json").read_text())
    assert summary["held_out"]["tuned"]["loss"] < summary["held_out"]["base"]["loss"]
    assert summary["held_out"]["tuned"]["count"] == 3


def test_nothing_that_a_run_leaves_is_a_pickle_of_arguments(lora: Any, full: Any) -> None:
    for run, _ in (lora, full):
        names = {path.name for path in run.path.rglob("*") if path.is_file()}
        assert "training_args.bin" not in names
        finals = {path.suffix for path in run.final_path.rglob("*") if path.is_file()}
        assert finals <= {".json", ".safetensors", ".jinja"}


def test_the_adapter_names_the_base_model_as_it_was_given(lora: Any, tiny_llama: Path) -> None:
    config = json.loads((lora[0].final_path / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(tiny_llama)


PLAIN = """
import json, sys, torch
from peft import AutoPeftModelForCausalLM
from transformers import AutoModelForCausalLM, AutoTokenizer
kind, folder, prompt = sys.argv[1:]
loader = AutoPeftModelForCausalLM if kind == "adapter" else AutoModelForCausalLM
model, tokenizer = loader.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
with torch.no_grad():
    print(json.dumps(model(input_ids=ids).logits[0].tolist()))
assert not any(name.split(".")[0] == "lab" for name in sys.modules)
"""


def in_a_fresh_interpreter(kind: str, folder: Path, prompt: str) -> Any:
    import torch

    done = subprocess.run(
        [sys.executable, "-c", PLAIN, kind, str(folder), prompt], capture_output=True, text=True, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return torch.tensor(json.loads(done.stdout))


def worker_logits(run: RunDirectory, prompt: str) -> Any:
    """The logits of the weights that the worker had at its end: those of its last checkpoint."""
    import torch
    from peft import PeftModel

    from lab.training import build

    base = build.load_base(run.spec.model.source)
    checkpoint = str(run.checkpoints_path / "checkpoint-6")
    adapter = run.spec.method.name == "lora"
    model = PeftModel.from_pretrained(base, checkpoint) if adapter else build.load_base(checkpoint)
    ids = build.load_tokenizer(run.spec.model.source)(prompt, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        return model.eval()(input_ids=ids).logits[0]


@pytest.mark.parametrize("kind", ["adapter", "merged"])
def test_adapter_and_merged_model_load_plainly_and_give_the_same_logits(lora: Any, kind: str) -> None:
    run = lora[0]
    folder = run.final_path if kind == "adapter" else run.final_path / "merged"
    prompt = "What does f3 do?"
    found, expected = in_a_fresh_interpreter(kind, folder, prompt), worker_logits(run, prompt)
    assert (found - expected).abs().max() < 1e-4


def test_a_full_fine_tune_loads_plainly_and_gives_the_same_logits(full: Any) -> None:
    run = full[0]
    found = in_a_fresh_interpreter("model", run.final_path, "What does f3 do?")
    assert (found - worker_logits(run, "What does f3 do?")).abs().max() < 1e-5
