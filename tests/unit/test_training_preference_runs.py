"""Learning from preferences: the margin grows on a set that can be learned, and runs stop, resume and end as others."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
import task_runs as tasks
import training_runs as runs

from lab.data.templates import free_prompt
from lab.errors import InputError, InputErrors
from lab.review.labelled import read_labelled
from lab.runs.directory import RunDirectory
from lab.runs.events import EventWriter
from lab.runs.home import new_id, runs_folder
from lab.runs.stopping import StopFlag
from lab.spec import RunSpec, check

QUICK = {
    "task": "preference",
    "schedule__max_steps": 60,
    "schedule__per_device_batch": 8,
    "schedule__accumulation": 1,
    "evaluation__every_steps": 30,
    "evaluation__max_examples": 24,
}
RATES = {"lora": 2e-2, "full": 3e-3}


def pairs(count: int = 96, prompt: str = "text") -> list[dict[str, Any]]:
    """Questions whose better answer ends politely and whose worse one does not, with other words in both."""
    draw, rows = random.Random(5), []
    for i in range(count):
        word = draw.choice(["size", "step", "copy", "batch"])
        asked: Any = f"What does f{i} do? "
        if prompt == "messages":
            asked = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hello."},
                     {"role": "user", "content": asked}]  # fmt: skip
        rows.append({"prompt": asked, "chosen": f"Return a {word}.", "rejected": f"Question: {word}?"})
    return rows


def singles(count: int = 96) -> list[dict[str, Any]]:
    found = []
    for i, row in enumerate(pairs(count)):
        good = i % 2 == 0
        answer = row["chosen"] if good else row["rejected"]
        found.append({"prompt": row["prompt"], "completion": answer, "desired": good})
    return found


def spec_of(model: Path, method: str, kind: str, rows: list[dict[str, Any]] | None = None, **more: Any) -> RunSpec:
    rows = rows or (singles() if kind == "kto" else pairs())
    data = tasks.prepared(rows, "preference")
    own = {"preference__method": kind, "method__name": method, "schedule__learning_rate": RATES[method]}
    return runs.make_spec(model, Path(data), **QUICK | own | more)


def summary(run: RunDirectory) -> dict[str, Any]:
    return json.loads((run.review_path / "summary.json").read_text())["held_out"]


# --- it learns ---


@pytest.mark.parametrize("method", ["lora", "full"])
@pytest.mark.parametrize("kind", ["dpo", "kto", "reward"])
def test_the_margin_grows_and_the_better_answers_are_preferred(
    tiny_llama: Path, method: str, kind: str, tmp_path: Path
) -> None:
    run = runs.make_run(tmp_path / "run", spec_of(tiny_llama, method, kind))
    result = runs.train(run)
    score = "preference_accuracy" if kind == "reward" else "reward_accuracy"
    assert result["ended"] == "finished" and result["final"]["scores"][score] > 0.9
    margins = list(runs.series(run, "rewards/margins").values())
    assert sum(margins[-5:]) / 5 > sum(margins[:5]) / 5 + 0.2
    held_out = runs.series(run, "reward_margin")
    assert held_out[60] > held_out[0] + 0.2
    before, after = summary(run)["base"], summary(run)["tuned"]
    assert after["loss"] < before["loss"]
    if kind != "reward":
        # A model that has learned nothing is its own reference: no margin, and every comparison a tie.
        assert (before["margin"], before["scores"][score]["value"]) == (0.0, 0.5)
        expected = math.log(2) if kind == "dpo" else 0.5
        assert before["loss"] == pytest.approx(expected, abs=1e-6)
    assert (result["final"]["margin"], result["final"]["margin_before"]) == (after["margin"], before["margin"])
    part = read_labelled(run.path)[0]
    assert part.count == 24 and part.margin == (before["margin"], after["margin"])
    low, high = (after["scores"][score][side] for side in ("low", "high"))
    assert low <= after["scores"][score]["value"] <= high
    assert result["data"]["kind"] == "preference" and result["throughput"]["tokens_per_s"] > 0
    named = {name: result["data"][name] for name in ("dataset", "name", "version")}
    assert named == {"dataset": run.spec.data.source, "name": "tiny", "version": 1}


def test_what_is_saved_loads_with_plain_libraries_and_scores_the_same(tiny_llama: Path, tmp_path: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    run = runs.make_run(tmp_path / "run", spec_of(tiny_llama, "lora", "reward"))
    runs.train(run)
    base = AutoModelForSequenceClassification.from_pretrained(tiny_llama, num_labels=1, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(run.final_path)
    base.config.pad_token_id = tokenizer.pad_token_id
    model = PeftModel.from_pretrained(base, str(run.final_path)).eval()
    scores = []
    for answer in ("Return a size.", "Question: size?"):
        ids = tokenizer(f"What does f7 do? {answer}</s>", return_tensors="pt")["input_ids"]
        scores.append(model(ids).logits.item())
    assert scores[0] > scores[1] + 0.2


def test_a_tuned_model_says_what_was_preferred(tiny_llama: Path, tmp_path: Path) -> None:
    run = runs.make_run(tmp_path / "run", spec_of(tiny_llama, "full", "dpo", schedule__max_steps=90))
    runs.train(run)
    read = [json.loads(line) for line in (run.review_path / "tuned.jsonl").read_text().splitlines()]
    assert len(read) == 3 and all(record["reference"].startswith("Return") for record in read)
    assert not (run.final_path / "ref").exists() and (run.final_path / "model.safetensors").is_file()


def test_prompts_may_be_conversations_and_kto_learns_from_pairs(tiny_llama: Path, tmp_path: Path) -> None:
    rows = pairs(prompt="messages")
    run = runs.make_run(tmp_path / "run", spec_of(tiny_llama, "lora", "kto", rows, data__max_length=128))
    result = runs.train(run)
    assert result["data"]["template"] == "question-answer"
    assert result["examples"] == 2 * 72 and result["final"]["scores"]["reward_accuracy"] > 0.9


def test_a_chosen_file_is_read_as_pairs(tiny_llama: Path, tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in pairs(40)), encoding="utf-8")
    spec = runs.make_spec(tiny_llama, file, **QUICK | {"schedule__max_steps": 4, "evaluation__every_steps": 4})
    result = runs.train(runs.make_run(tmp_path / "run", spec))
    assert result["data"]["rows"] | {} == {"read": 40, "kept": 40, "train": 36, "validation": 4, "test": 0}
    assert [result["data"][name] for name in ("dataset", "name", "version")] == [None, "pairs.jsonl", None]


# --- as every run ---


@pytest.mark.parametrize(("kind", "method"), [("dpo", "lora"), ("dpo", "full"), ("kto", "lora"), ("reward", "full")])
def test_a_stopped_and_resumed_run_ends_as_an_uninterrupted_one(
    tiny_llama: Path, kind: str, method: str, tmp_path: Path
) -> None:
    spec = spec_of(tiny_llama, method, kind, schedule__max_steps=12, evaluation__every_steps=4)
    whole, broken = (runs.make_run(tmp_path / name, spec) for name in ("whole", "broken"))
    expected = runs.train(whole)
    assert runs.train(broken, runs.StopAt(broken, 6))["ended"] == "stopped"
    found = runs.train(broken, attempt=2)
    assert found["ended"] == "finished"
    assert runs.weights_sha(broken.final_path) == runs.weights_sha(whole.final_path)
    assert found["final"]["scores"] == expected["final"]["scores"]
    assert summary(broken)["tuned"] == summary(whole)["tuned"]


@pytest.mark.parametrize(
    "change", [{"method__name": "frozen"}, {"method__name": "qlora", "model__quantization": "nf4"}]
)
def test_other_methods_learn_preferences_too(tiny_llama: Path, change: dict[str, Any], tmp_path: Path) -> None:
    spec = spec_of(tiny_llama, "lora", "dpo", **{"schedule__max_steps": 40, "schedule__learning_rate": 5e-3} | change)
    result = runs.train(runs.make_run(tmp_path / "run", spec))
    assert result["final"]["scores"]["reward_accuracy"] > 0.8 and result["final"]["margin"] > 0.1


def test_an_adapter_of_an_earlier_run_is_the_reference_of_the_next(tiny_llama: Path, tmp_path: Path) -> None:
    first = runs.make_run(tmp_path / "first", spec_of(tiny_llama, "lora", "dpo", schedule__max_steps=20))
    runs.train(first)
    more = {"method__adapter": str(first.final_path), "schedule__max_steps": 20}
    second = runs.make_run(tmp_path / "second", spec_of(tiny_llama, "lora", "dpo", **more))
    result = runs.train(second)
    assert summary(second)["base"]["margin"] == 0.0 < result["final"]["scores"]["reward_accuracy"]
    assert summary(second)["base"]["nll"] == pytest.approx(summary(first)["tuned"]["nll"], abs=1e-4)
    assert runs.series(second, "rewards/margins")[1] == pytest.approx(0.0, abs=1e-4)
    assert not (second.final_path / "ref").exists()


def test_the_first_step_is_trls_own(tiny_llama: Path, tmp_path: Path) -> None:
    """DPOTrainer with nothing of the lab, fed with text: the same loss and the same gradient norm."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    rows = pairs(32)
    spec = spec_of(tiny_llama, "full", "dpo", rows, schedule__max_steps=2, schedule__warmup=0,
                   schedule__scheduler="constant", schedule__max_grad_norm=0)  # fmt: skip
    run = runs.make_run(tmp_path / "run", spec)
    runs.train(run)

    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    tokenizer.pad_token = tokenizer.eos_token
    config = DPOConfig(str(tmp_path / "trl"), max_steps=2, per_device_train_batch_size=8, learning_rate=3e-3,
                       lr_scheduler_type="constant", logging_steps=1, bf16=False, use_cpu=True, report_to=[], seed=42,
                       data_seed=42, max_grad_norm=0, gradient_checkpointing=False, save_strategy="no",
                       disable_tqdm=True)  # fmt: skip
    model = AutoModelForCausalLM.from_pretrained(tiny_llama)
    plain = DPOTrainer(
        model, AutoModelForCausalLM.from_pretrained(tiny_llama), config,
        train_dataset=Dataset.from_list(rows[:8]), processing_class=tokenizer,
    )  # fmt: skip
    plain.train()
    log = [entry for entry in plain.state.log_history if "loss" in entry]
    # The second step shows what the first one did.
    assert list(runs.series(run, "train_loss").values()) == pytest.approx([e["loss"] for e in log], abs=2e-5)
    assert list(runs.series(run, "grad_norm").values()) == pytest.approx([e["grad_norm"] for e in log], rel=1e-3)


@pytest.mark.parametrize(("kind", "method"), [("dpo", "lora"), ("dpo", "full"), ("kto", "lora"), ("reward", "lora")])
def test_a_finished_run_is_scored_again_and_asked(tiny_llama: Path, kind: str, method: str, tmp_path: Path) -> None:
    from lab.evaluation.worker import run as evaluate
    from lab.serving.form import form_of
    from lab.training.build import load_tuned

    spec = spec_of(tiny_llama, method, kind, schedule__max_steps=20)
    run = runs.make_run(runs_folder() / new_id(), spec)
    runs.train(run)
    before = summary(run)
    job = runs.make_run(runs_folder() / new_id(), spec, kind="evaluate", parameters={"run": run.id, "prompts": 5})
    found = evaluate(job, EventWriter(job, 1), StopFlag(), 1)["held_out"]
    for which in ("base", "tuned"):
        assert found[which]["scores"] == before[which]["scores"] and summary(run)[which] == found[which]
        assert found[which]["margin"] == pytest.approx(before[which]["margin"], abs=1e-4)
    if kind == "reward":
        with pytest.raises(InputError, match="not text"):
            load_tuned(run.path)
        return
    assert len((run.review_path / "tuned.jsonl").read_text().splitlines()) == 5
    _, tokenizer = load_tuned(run.path)
    template, row_kind = form_of(run, tokenizer, tmp_path)
    assert free_prompt("What is it?", template=template, kind=row_kind, tokenizer=tokenizer).prompt == "What is it?"


# --- what is wrong ---


@pytest.mark.parametrize(
    ("changes", "where", "says"),
    [
        ({"preference__method": "orpo"}, "preference.method", "ORPO"),
        ({"preference__method": "kto", "schedule__per_device_batch": 1}, "schedule.per_device_batch", "batch of one"),
        ({"data__packing": True}, "data.packing", "judged on its own"),
        ({"regularisation__label_smoothing": 0.1}, "regularisation.label_smoothing", "not preferences"),
        ({"method__init": "pissa"}, "method.init", "reference"),
    ],
)
def test_what_cannot_run_is_refused_with_the_way_out(changes: dict[str, Any], where: str, says: str) -> None:
    spec = runs.make_spec(Path("demo"), Path("pairs.jsonl"), **QUICK | changes)
    with pytest.raises(InputErrors) as caught:
        check(spec)
    told = [problem for problem in caught.value.problems if problem.where == where and says in problem.message]
    assert len(told) == 1 and told[0].next


def test_rows_that_do_not_suit_the_method_are_refused(tiny_llama: Path, tmp_path: Path) -> None:
    for name, kind, rows, says in (
        ("a", "dpo", singles(40), "kto"),
        ("b", "reward", singles(40), "kto"),
        ("c", "kto", [row | {"desired": True} for row in singles(40)], "called good"),
    ):
        with pytest.raises(InputError) as caught:
            runs.train(runs.make_run(tmp_path / name, spec_of(tiny_llama, "lora", kind, rows)))
        assert says in str(caught.value)
