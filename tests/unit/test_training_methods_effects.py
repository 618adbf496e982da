"""What works against forgetting and imbalance does so, on the real sentences of the demo's documentation."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import task_runs as tasks
import torch
import training_runs as runs

import lab.training  # noqa: F401  (before torch)
from lab.runs.directory import RunDirectory

QUIET: dict[str, Any] = {
    "method__name": "full",
    "schedule__per_device_batch": 8,
    "schedule__accumulation": 1,
    "evaluation__every_steps": 10_000,
    "checkpoints__every_steps": 10_000,
    "evaluation__samples": 0,
    "evaluation__review_prompts": 1,
}


@pytest.fixture(scope="module")
def questions() -> list[dict[str, str]]:
    path = Path(__file__).parents[2] / "presets" / "demo" / "questions.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# --- forgetting ---


class Memory:
    """A small GPT-2 that has learned the module os by heart and is then taught another module, in capitals."""

    def __init__(self, folder: Path, questions: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.old = [self._row(row, row["answer"]) for row in questions if row["module"] == "os"][:40]
        self.new = [self._row(row, row["answer"].upper()) for row in questions if row["module"] == "decimal"][:40]
        every = [row["prompt"] + row["completion"] for row in (*self.old, *self.new)]
        monkeypatch.setattr(tasks, "texts", lambda: every)
        model = tasks.build_tiny_gpt2(folder / "gpt2")
        self.learned = self.run(model, self.old, "first", schedule__max_steps=150, schedule__learning_rate=3e-3)

    @staticmethod
    def _row(row: dict[str, str], answer: str) -> dict[str, str]:
        return {"prompt": row["question"], "completion": f" {answer}"}

    def file(self, rows: list[dict[str, str]], name: str) -> Path:
        path = self.folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    def run(self, model: Path, rows: list[dict[str, str]], name: str, **values: Any) -> RunDirectory:
        given = QUIET | {"data__max_length": 128} | values
        run = runs.make_run(self.folder / name, runs.make_spec(model, self.file(rows, name), **given))
        runs.train(run)
        return run

    def then(self, rows: list[dict[str, str]], name: str, **values: Any) -> RunDirectory:
        """The run that follows the first."""
        given = {"schedule__max_steps": 40, "schedule__learning_rate": 1e-3} | values
        return self.run(self.learned.final_path, rows, name, **given)

    @torch.no_grad()
    def loss(self, run: RunDirectory, rows: list[dict[str, str]]) -> float:
        """Nats for each token of the answers."""
        from transformers import AutoModelForCausalLM, AutoTokenizer

        model = AutoModelForCausalLM.from_pretrained(run.final_path).eval()
        tokenizer = AutoTokenizer.from_pretrained(run.final_path)
        total = count = 0.0
        for row in rows:
            prompt, answer = (tokenizer(row[name])["input_ids"] for name in ("prompt", "completion"))
            logits = model(input_ids=torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1]
            total += torch.nn.functional.cross_entropy(logits, torch.tensor(answer), reduction="sum").item()
            count += len(answer)
        return total / count


def test_consolidation_and_replay_reduce_forgetting(
    questions: list[dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory(tmp_path, questions, monkeypatch)
    asked = {"regularisation__ewc_data": str(memory.file(memory.old, "old")), "regularisation__ewc_rows": 40}
    plain = memory.then(memory.new, "plain")
    held = memory.then(memory.new, "ewc", regularisation__ewc_lambda=1e4, **asked)
    # A fifth of the rows, drawn by the preparation from these ten; the other old ones are asked.
    general = {"preparation__replay_source": str(memory.file(memory.old[:10], "general"))}
    replayed = memory.then(memory.new, "replay", **general, preparation__replay_share=0.2)
    assert json.loads((replayed.path / "result.json").read_text())["data"]["rows"]["train"] > len(memory.new)

    old = {run: memory.loss(run, memory.old[10:]) for run in (memory.learned, plain, held, replayed)}
    new = {run: memory.loss(run, memory.new) for run in (memory.learned, plain, held, replayed)}
    forgotten = old[plain] - old[memory.learned]
    assert forgotten > 1.0
    assert old[held] - old[memory.learned] < 0.6 * forgotten
    assert old[replayed] - old[memory.learned] < 0.4 * forgotten
    # Neither is free, but both learn: most of what the plain run gained on the new rows.
    gained = new[memory.learned] - new[plain]
    assert all(new[memory.learned] - new[run] > 0.9 * gained for run in (held, replayed))
    penalties = runs.series(held, "ewc_penalty")
    assert penalties[40] > 0 and not runs.series(plain, "ewc_penalty")


# --- imbalance ---

REMEDIES: dict[str, dict[str, Any]] = {
    "plain": {},
    "weights": {"regularisation__class_weights": "balanced"},
    "focal": {
        "regularisation__focal_gamma": 2.0,
        "regularisation__class_weights": "given",
        "regularisation__class_values": {"asyncio": 14, "other": 1},
    },
    "sampler": {"regularisation__sampler": "balanced"},
}


def minority_f1(run: RunDirectory) -> float:
    tuned = json.loads((run.review_path / "summary.json").read_text())["held_out"]["tuned"]
    return next(part["f1"] for part in tuned["classes"] if part["label"] == "asyncio")


def test_class_weights_focal_loss_and_sampling_find_the_rare_class(
    questions: list[dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence in fifteen is about asyncio; without a remedy a small model never says so."""
    shuffled = list(questions)
    random.Random(0).shuffle(shuffled)
    labelled = [
        {"text": row["answer"], "label": "asyncio" if row["module"] == "asyncio" else "other"} for row in shuffled
    ]
    rare, usual = ([row for row in labelled if row["label"] == label] for label in ("asyncio", "other"))
    train, held_out = rare[:80] + usual[:1120], rare[80:140] + usual[1120:1420]
    random.Random(1).shuffle(train)
    monkeypatch.setattr(tasks, "texts", lambda: [row["text"] for row in train])
    bert = tasks.build_tiny_bert(tmp_path / "bert")
    data = Path(tasks.prepared(train + held_out, "classification", validation=len(held_out)))

    found = {}
    for name, values in REMEDIES.items():
        given = QUIET | {"schedule__max_steps": 120, "schedule__per_device_batch": 32, "schedule__learning_rate": 5e-4}
        spec = runs.make_spec(bert, data, **given, task="classification", evaluation__max_examples=400, **values)
        run = runs.make_run(tmp_path / name, spec)
        runs.train(run)
        found[name] = minority_f1(run)
    assert all(found[name] > found["plain"] + 0.1 for name in REMEDIES if name != "plain"), found
