"""Memory and speed as a run tells them: measured beside planned, the largest batch that fits, what was switched on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import training_runs as runs

from lab.planning.memory import OVERHEAD_GIB
from lab.spec import RunSpec, with_overrides
from lab.spec.parts.speed import PLAIN
from lab.training import memory_search
from lab.training.choices import Choices, choose, planned_gib
from lab.training.machine import Machine
from lab.training.memory_watch import planned_now

CPU = Machine("cpu", "fp32", 1)


@pytest.fixture
def spec(tiny_llama: Path, tmp_path: Path) -> RunSpec:
    data = runs.write_questions(tmp_path / "questions.jsonl")
    return runs.make_spec(tiny_llama, data, schedule__max_steps=10, evaluation__every_steps=100)


def test_after_ten_steps_the_measured_memory_stands_beside_the_planned(spec: RunSpec, tmp_path: Path) -> None:
    run = runs.make_run(tmp_path / "run", spec)
    result = runs.train(run)
    (note,) = [event for event in runs.events(run, "note") if "Memory after ten steps" in event["template"]]
    assert note["values"]["measured"] == pytest.approx(runs.series(run, "memory_peak_gib")[10])
    assert note["values"]["planned"] > 0
    assert result["speed"]["padding_free"] == "auto"
    assert result["speed"]["fused_lora"] and result["speed"]["why"]["fused_lora"] == "14 layers"


def test_the_plan_beside_a_gpu_s_measurement_leaves_out_what_torch_does_not_see(spec: RunSpec) -> None:
    gpu = Machine("cuda", "bf16", 1)
    asked = with_overrides(spec, {"data.examples": 24, "data.max_length": 64})
    choices = Choices(budget=64)
    beside = planned_now(asked, {"tokens": {"max": 64}}, 24, gpu, choices)
    whole = planned_gib(asked, gpu, choices)
    assert beside is not None and whole is not None and whole - beside == pytest.approx(OVERHEAD_GIB["cuda"])


def test_with_every_switch_off_a_run_is_padded_and_learns_the_same(spec: RunSpec, tmp_path: Path) -> None:
    changes = {"method.dropout": 0.0}
    fast = runs.make_run(tmp_path / "fast", with_overrides(spec, changes))
    plain = runs.make_run(tmp_path / "plain", with_overrides(spec, changes | PLAIN))
    assert runs.train(fast)["attention"] == "lab_varlen"
    result = runs.train(plain)
    assert result["attention"] == "sdpa" and not result["speed"]["fused_lora"]
    assert runs.series(fast, "train_loss") == pytest.approx(runs.series(plain, "train_loss"), rel=1e-3)


def test_checkpointing_is_chosen_only_where_the_plan_does_not_fit(
    spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not choose(spec, CPU).checkpointing
    monkeypatch.setattr("lab.training.choices.free_gib", lambda device: 0.5)
    assert choose(spec, CPU).checkpointing
    assert not choose(with_overrides(spec, {"speed.auto_checkpointing": False}), CPU).checkpointing


def test_a_pass_holds_as_much_of_an_update_as_pays_and_fits(spec: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = {"schedule.per_device_batch": 8, "schedule.accumulation": 4, "data.max_length": 512}
    spec = with_overrides(spec, batch)
    assert choose(spec, CPU).budget == 8_192  # of the 16,384 tokens that an update may have
    assert choose(with_overrides(spec, {"schedule.accumulation": 1}), CPU).budget == 8 * 512
    assert choose(with_overrides(spec, {"speed.tokens_per_pass": 99}), CPU).budget == 99
    monkeypatch.setattr("lab.training.choices.SHARE", 1e-6)
    assert choose(spec, CPU).budget == 8 * 512


def test_the_search_keeps_the_effective_batch_and_stops_at_the_first_that_fits(spec: RunSpec) -> None:
    asked: list[tuple[int, int]] = []

    def trial(one: RunSpec) -> float | None:
        asked.append((one.schedule.per_device_batch, one.schedule.accumulation))
        return None if one.schedule.per_device_batch == 4 else 1.2

    best, tried = memory_search.search(spec, 2.0, "cpu", trial)
    assert asked == [(4, 1), (2, 2)]
    assert best is not None and best.per_device * best.accumulation == 4
    assert [one.fits for one in tried] == [False, True]


def test_a_trial_is_a_real_step_in_a_process_of_its_own(spec: RunSpec) -> None:
    measured: Any = memory_search.measured_gib(spec)
    assert measured is not None and 0.2 < measured < 3.0
    broken = with_overrides(spec, {"model.source": spec.model.source + "-gone"})
    assert memory_search.measured_gib(broken) is None
