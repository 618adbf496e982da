"""Two passes of an update at a time: the same examples, the same gradient, and a run that repeats itself to the bit."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import training_runs as runs
from equal_work import adapted, far, lab_trainer, made, one_step, rows_of

from lab.spec import RunSpec, with_overrides
from lab.training import side_by_side
from lab.training.choices import Choices, choose
from lab.training.machine import Machine
from lab.training.side_by_side import even, hindrance

TWO = Machine("cpu", "fp32", 2)


@pytest.fixture(autouse=True)
def small_models_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "LEAST", 0)


@pytest.fixture
def spec(tiny_llama: Path, tmp_path: Path) -> RunSpec:
    data = runs.write_questions(tmp_path / "questions.jsonl")
    settings = {"schedule.max_steps": 6, "resources.threads": 2, "method.dropout": 0.2, "checkpoints.every_steps": 3}
    return with_overrides(runs.make_spec(tiny_llama, data), settings)


def test_every_example_is_in_one_pass_and_the_passes_are_of_about_the_same_size() -> None:
    draw = random.Random(0)
    for _ in range(50):
        lengths = [draw.randint(1, 200) for _ in range(draw.randint(1, 40))]
        groups = even(lengths, 512)
        assert sorted(i for members in groups for i in members) == list(range(len(lengths)))
        held = [sum(lengths[i] for i in members) for members in groups]
        assert min(held) > 0 and max(held) - min(held) <= max(lengths)
        assert len(groups) == min(len(lengths), 2 * -(-sum(lengths) // 512))


@pytest.mark.parametrize("budget", [24, 1000])
def test_the_gradient_is_that_of_one_pass_after_the_other(tiny_llama: Path, tmp_path: Path, budget: int) -> None:
    rows = rows_of(7)
    alone = lab_trainer(tiny_llama, tmp_path / "one", made("llama"), rows, Choices(budget=budget, fused_lora=True))
    beside = lab_trainer(
        tiny_llama, tmp_path / "two", made("llama"), rows,
        Choices(budget=budget, fused_lora=True, side_by_side=True),
    )  # fmt: skip
    assert alone.sides is None and beside.sides is not None
    (loss, labels, expected), got = one_step(alone), one_step(beside)
    assert got[:2] == (pytest.approx(loss, rel=1e-6), labels)
    assert far(got[2], expected) < 1e-6
    assert alone.take_counts() == beside.take_counts()


def test_a_run_with_dropout_repeats_itself_stopped_or_not(spec: RunSpec, tmp_path: Path) -> None:
    whole, again = runs.make_run(tmp_path / "whole", spec), runs.make_run(tmp_path / "again", spec)
    result = runs.train(whole)
    assert result["speed"]["side_by_side"] and result["step"] == 6
    assert runs.train(again, runs.StopAt(again, 3))["ended"] == "stopped"
    runs.train(again, attempt=2)
    assert runs.weights_sha(again.final_path) == runs.weights_sha(whole.final_path)
    other = runs.make_run(tmp_path / "other", with_overrides(spec, {"seed": 7}))
    runs.train(other)
    assert runs.weights_sha(other.final_path) != runs.weights_sha(whole.final_path)


def test_where_it_cannot_be_the_reason_is_told(spec: RunSpec, tmp_path: Path) -> None:
    assert choose(spec, TWO).side_by_side
    for change, machine, why in (
        ({}, Machine("cpu", "fp32", 1), "needs two threads"),
        ({"method.name": "full"}, TWO, "not with this method"),
        ({"regularisation.neftune_alpha": 5.0}, TWO, "not with this method"),
        ({"resources.gradient_checkpointing": True}, TWO, "not with this method"),
    ):
        choices = choose(with_overrides(spec, change), machine)
        assert not choices.side_by_side and choices.why["side_by_side"] == why
    assert not choose(with_overrides(spec, {"speed.side_by_side": False}), TWO).side_by_side


def test_a_small_model_takes_its_passes_one_after_the_other(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side, "LEAST", 1_000_000)
    trainer = lab_trainer(tiny_llama, tmp_path, made("llama"), rows_of(4), Choices(budget=64, side_by_side=True))
    assert trainer.sides is None and trainer.choices.why["side_by_side"] == "not for this model"


def test_a_model_with_dropout_of_its_own_takes_its_passes_one_after_the_other(tiny_llama: Path, tmp_path: Path) -> None:
    model = made("llama")
    assert hindrance(adapted(made("llama"))) == ""
    for layer in model.model.layers:
        layer.self_attn.attention_dropout = 0.1
    trainer = lab_trainer(tiny_llama, tmp_path, model, rows_of(4), Choices(budget=64, side_by_side=True))
    assert trainer.sides is None and not trainer.choices.side_by_side
    assert trainer.choices.why["side_by_side"] == "the model has dropout of its own"
