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
    names = ["load", "tokenise", "train", "evaluate", "save", "evaluate"]  # the base model is asked last
    assert phases == [(name, status) for name in names for status in ("start", "end")]


def test_held_out_rows_are_evaluated_at_step_0_every_n_steps_and_at_the_end(lora: Any) -> None:
    run, result = lora
    losses = runs.series(run, "eval_loss")
    assert sorted(losses) == [0, 3, 6]
    assert result["final"]["eval_loss_before"] == losses[0]
    assert result["final"]["eval_loss"] == losses[6] < losses[0]


def test_the_same_prompts_are_answered_at_each_evaluation(lora: Any) -> None:
    samples = runs.events(lora[0], "sample")
    assert [(sample["step"], sample["index"]) for sample in samples] == [(s, i) for s in (3, 6, 0) for i in (0, 1)]
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


PROMPT = "What does f3 do?"
PLAIN = """
import json, sys, torch
from peft import AutoPeftModelForCausalLM
from transformers import AutoModelForCausalLM, AutoTokenizer
found = {}
for folder in sys.argv[2:]:
    adapter = folder.endswith("lora")
    folder = folder.removesuffix(":lora")
    model = (AutoPeftModelForCausalLM if adapter else AutoModelForCausalLM).from_pretrained(folder).eval()
    ids = AutoTokenizer.from_pretrained(folder)(sys.argv[1], return_tensors="pt")["input_ids"]
    with torch.no_grad():
        found[folder] = model(input_ids=ids).logits[0].tolist()
assert not any(name.split(".")[0] == "lab" for name in sys.modules)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def plain_logits(lora: Any, full: Any) -> dict[str, Any]:
    """The logits of each saved model in an interpreter that knows nothing of the lab, by folder."""
    folders = [f"{lora[0].final_path}:lora", str(lora[0].final_path / "merged"), str(full[0].final_path)]
    arguments = [sys.executable, "-c", PLAIN, PROMPT, *folders]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=lora[0].path)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def far(logits: list[list[float]], run: RunDirectory) -> float:
    """The largest difference from the logits of the weights that the worker had: those of its last checkpoint."""
    import torch
    from peft import PeftModel

    from lab.training import build

    base = build.load_base(run.spec.model.source)
    checkpoint = str(run.checkpoints_path / "checkpoint-6")
    adapter = run.spec.method.name == "lora"
    model = PeftModel.from_pretrained(base, checkpoint) if adapter else build.load_base(checkpoint)
    ids = build.load_tokenizer(run.spec.model.source)(PROMPT, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        return float((model.eval()(input_ids=ids).logits[0] - torch.tensor(logits)).abs().max())


@pytest.mark.parametrize("folder", ["", "merged"])
def test_adapter_and_merged_model_load_plainly_and_give_the_same_logits(
    lora: Any, plain_logits: dict[str, Any], folder: str
) -> None:
    assert far(plain_logits[str(lora[0].final_path / folder)], lora[0]) < 1e-4


def test_a_full_fine_tune_loads_plainly_and_gives_the_same_logits(full: Any, plain_logits: dict[str, Any]) -> None:
    assert far(plain_logits[str(full[0].final_path)], full[0]) < 1e-5


def test_bf16_learns_what_fp32_learns(lora: Any, tmp_path: Path) -> None:
    spec = lora[0].spec
    resources = spec.resources.model_copy(update={"precision": "bf16"})
    run = runs.make_run(tmp_path / "run", spec.model_copy(update={"resources": resources}))
    result = runs.train(run)
    assert result["precision"] == "bf16"
    assert result["final"]["eval_loss"] == pytest.approx(lora[1]["final"]["eval_loss"], rel=1e-2)
