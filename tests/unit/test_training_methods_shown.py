"""What works against overfitting does what it says, on real sentences: a small encoder learns a few rows by heart."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import task_runs as tasks
import torch
import training_runs as runs
from safetensors.torch import load_file

from lab.runs.directory import RunDirectory

STEPS = 80
GIVEN: dict[str, Any] = {
    "task": "classification",
    "method__name": "full",
    "schedule__max_steps": STEPS,
    "schedule__per_device_batch": 16,
    "schedule__accumulation": 1,
    "schedule__learning_rate": 2e-3,
    "schedule__weight_decay": 0.0,
    "schedule__scheduler": "constant",
    "schedule__warmup": 0,
    "evaluation__every_steps": 8,
    "data__validation_share": 0.75,
    "evaluation__max_examples": 200,
    "evaluation__keep_best": False,
    "checkpoints__every_steps": 8,
    "checkpoints__keep": 1,
}
REMEDIES: dict[str, dict[str, Any]] = {
    "plain": {},
    "stopped": {"evaluation__patience": 2, "evaluation__best_by": "loss", "evaluation__keep_best": True},
    "smoothed": {"regularisation__label_smoothing": 0.2},
    "dropout": {"model__dropout": 0.4},
    "noise": {"regularisation__neftune_alpha": 20.0},
    "decay": {"schedule__weight_decay": 1.0},
    "layers": {"schedule__layer_decay": 0.3},
}


class Shown:
    """The runs, made once each: the same rows, the same start, one remedy."""

    def __init__(self, folder: Path) -> None:
        path = Path(__file__).parents[2] / "presets" / "demo" / "questions.jsonl"
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        rows = [row for row in rows if row["module"] in ("os", "decimal", "asyncio")]
        random.Random(0).shuffle(rows)
        labelled = [{"text": row["answer"], "label": row["module"]} for row in rows[:260]]
        self.folder, self.made = folder, dict[str, tuple[RunDirectory, dict[str, Any]]]()
        patch = pytest.MonkeyPatch()
        patch.setattr(tasks, "texts", lambda: [row["text"] for row in labelled[:60]])
        self.bert = tasks.build_tiny_bert(folder / "bert")
        patch.undo()
        self.data = folder / "rows.jsonl"
        self.data.write_text("".join(json.dumps(row) + "\n" for row in labelled))

    def __getitem__(self, name: str) -> tuple[RunDirectory, dict[str, Any]]:
        if name not in self.made:
            run = runs.make_run(self.folder / name, runs.make_spec(self.bert, self.data, **GIVEN | REMEDIES[name]))
            self.made[name] = run, runs.train(run)
        return self.made[name]

    def losses(self, name: str) -> dict[int, float]:
        """Held-out losses while it trained."""
        return {step: value for step, value in runs.series(self[name][0], "eval_loss").items() if step}

    def sure(self, name: str) -> float:
        """How sure the tuned model is of what it says, on average over the held-out rows."""
        lines = (self[name][0].review_path / "tuned.jsonl").read_text().splitlines()
        return sum(json.loads(line)["confidence"] for line in lines) / len(lines)

    def accuracy(self, name: str) -> float:
        return float(self[name][1]["final"]["scores"]["accuracy"])

    def weights(self, name: str) -> dict[str, torch.Tensor]:
        return load_file(self[name][0].final_path / "model.safetensors")

    def start(self) -> dict[str, torch.Tensor]:
        return load_file(self.bert / "model.safetensors")

    def moved(self, name: str, part: str) -> float:
        """How far the weights of a part went from where they were, relative to their size."""
        start, end = self.start(), self.weights(name)
        names = [key for key in start if part in key and key in end and key.endswith("weight")]
        assert names
        far = sum(float((end[key] - start[key]).norm() ** 2) for key in names)
        return (far / sum(float(start[key].norm() ** 2) for key in names)) ** 0.5


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    return Shown(tmp_path_factory.mktemp("shown"))


def test_without_a_remedy_the_rows_are_learned_by_heart(shown: Shown) -> None:
    losses, result = shown.losses("plain"), shown["plain"][1]
    assert result["step"] == STEPS and result["final"]["train_loss"] < 0.05
    assert result["final"]["eval_loss"] > min(losses.values()) + 0.3


def test_early_stopping_ends_before_and_keeps_the_weights_that_held(shown: Shown) -> None:
    """It keeps what was asked for, the loss; accuracy may still have risen afterwards."""
    result, losses = shown["stopped"][1], shown.losses("stopped")
    best = min(losses, key=lambda step: losses[step])
    assert best < result["step"] < STEPS and result["best"]["step"] == best
    assert result["final"]["eval_loss"] == pytest.approx(losses[best], abs=1e-6)
    assert result["final"]["eval_loss"] < shown["plain"][1]["final"]["eval_loss"] - 0.2


def test_label_smoothing_makes_a_model_less_sure_of_itself(shown: Shown) -> None:
    """It is no more often right for it on these rows."""
    assert shown.sure("smoothed") < shown.sure("plain") - 0.1
    assert shown["smoothed"][1]["final"]["eval_loss"] < shown["plain"][1]["final"]["eval_loss"]


@pytest.mark.parametrize("remedy", ["dropout", "noise"])
def test_noise_in_the_layers_and_on_the_embeddings_keep_rows_from_being_learned_by_heart(
    shown: Shown, remedy: str
) -> None:
    """As many steps with much of it also learn less: neither is free."""
    with_it, without = shown[remedy][1]["final"], shown["plain"][1]["final"]
    assert with_it["train_loss"] > without["train_loss"] + 0.2
    gaps = [told["eval_loss"] - told["train_loss"] for told in (with_it, without)]
    assert gaps[0] < 0.6 * gaps[1]
    assert with_it["eval_loss"] < without["eval_loss"]


def test_weight_decay_shrinks_matrices_and_spares_norms(shown: Shown) -> None:
    def size(name: str, part: str) -> float:
        found = [weight for key, weight in shown.weights(name).items() if key.endswith(part)]
        return float(sum(weight.norm() ** 2 for weight in found)) ** 0.5

    assert size("decay", "dense.weight") < 0.92 * size("plain", "dense.weight")
    assert size("decay", "LayerNorm.weight") > 0.98 * size("plain", "LayerNorm.weight")


def test_layer_wise_decay_moves_what_lies_deeper_less(shown: Shown) -> None:
    parts = ("layer.1.", "layer.0.", "embeddings.word")
    shares = [shown.moved("layers", part) / shown.moved("plain", part) for part in parts]
    assert 1 > shares[0] > 1.5 * shares[1] > 1.5 * 1.5 * shares[2] > 0
