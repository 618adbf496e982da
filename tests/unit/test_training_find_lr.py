"""The learning-rate range test: what it reads from losses, that it leaves no trace, and that its rate trains."""

from __future__ import annotations

import copy
import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import task_runs as tasks
import training_runs as runs

from lab.errors import InputError, InputErrors
from lab.runs.directory import RunDirectory
from lab.runs.events import EventWriter
from lab.runs.find_lr import Sweep
from lab.runs.stopping import StopFlag
from lab.spec import RunSpec, with_overrides

ASKED = {"lowest": 1e-5, "highest": 10.0, "steps": 40, "seeds": 3}


# --- what is read from losses ---


def curve(losses: list[float], lowest: float = 1e-6, highest: float = 1.0) -> Any:
    from lab.training.find_lr_curve import Curve, ramp

    return Curve(0, ramp(lowest, highest, len(losses)), losses)


def test_the_rates_grow_by_one_factor_from_the_first_to_the_last() -> None:
    from lab.training.find_lr_curve import ramp

    rates = ramp(1e-7, 10, 101)
    assert (rates[0], rates[-1]) == pytest.approx((1e-7, 10))
    factors = [b / a for a, b in pairwise(rates)]
    assert factors == pytest.approx([10 ** (8 / 100)] * 100)


def test_smoothing_begins_at_the_first_loss_and_keeps_a_constant() -> None:
    from lab.training.find_lr_curve import smoothed

    assert smoothed([3.0, 1.0], 0.9) == pytest.approx([3.0, (0.9 * 0.1 * 3 + 0.1) / (1 - 0.81)])
    assert smoothed([2.5] * 30) == pytest.approx([2.5] * 30)


def test_the_steepest_fall_is_found_and_the_divergence_behind_it() -> None:
    # 61 points over 6 decades: flat at 4, a fall around 1e-3, flat at 1, and an explosion at the end.
    falls = [4 - 3 / (1 + math.exp(-4 * (-6 + i / 10 + 3))) for i in range(55)]
    found = curve([*falls, 3, 8, 20, 60, 200, 900])
    assert found.diverged_at is None or found.diverged_at > 0.2
    assert 5e-4 < found.steepest < 1e-2
    exploded = curve([*falls, 3, 8, 20])
    assert exploded.tenth == pytest.approx(0.1 * exploded.diverged_at)


def test_a_loss_that_never_falls_has_no_pick() -> None:
    from lab.training.find_lr_curve import verdict

    rising = curve([1 + 0.001 * i for i in range(40)])
    assert rising.steepest is None and rising.diverged_at is None
    assert verdict([rising], 0.1) == {"picks": {"steepest": None, "tenth": None}, "suggested": None}


def test_a_loss_that_is_no_number_has_diverged() -> None:
    from lab.training.find_lr_curve import has_diverged

    assert has_diverged([2.0, math.nan]) and has_diverged([2.0, math.inf]) and has_diverged([2.0, 1.0, 2.6])
    assert not has_diverged([2.0, 0.5, 1.5])  # three times the best, and still below where it began


def test_the_spread_is_the_lowest_and_highest_of_the_seeds_and_the_lower_pick_is_taken() -> None:
    from lab.training.find_lr_curve import picked

    found = picked([1e-4, 1e-2, 1e-3])
    assert found == {"rate": pytest.approx(1e-3), "low": 1e-4, "high": 1e-2, "seeds": 3, "of": 3}
    assert picked([None, 1e-3])["seeds"] == 1 and picked([None]) is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (Sweep(lowest=1.0, highest=1e-3), "no range"),
        (Sweep(lowest=0.0), "no range"),
        (Sweep(highest=math.nan), "no range"),
        (Sweep(steps=2), "10 to"),
        (Sweep(seeds=0), "1 to"),
    ],
)
def test_a_range_that_shows_nothing_is_refused(wrong: Sweep, says: str) -> None:
    with pytest.raises(InputError, match=says):
        wrong.check()


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InputErrors) as caught:
        Sweep(lowest=1, highest=1, steps=0, seeds=99).check()
    assert len(caught.value.problems) == 3


# --- the job ---


def find(
    folder: Path, spec: RunSpec, stop: StopFlag | None = None, **asked: Any
) -> tuple[RunDirectory, dict[str, Any]]:
    from lab.training.find_lr_worker import run as work

    directory = runs.make_run(folder, spec, kind="find-lr", parameters=ASKED | asked)
    writer = EventWriter(directory, 1)
    try:
        return directory, work(directory, writer, stop or StopFlag(), 1)
    finally:
        writer.close()


@pytest.fixture
def spec(tiny_llama: Path, tmp_path: Path) -> RunSpec:
    return runs.make_spec(tiny_llama, runs.write_questions(tmp_path / "questions.jsonl"))


def test_the_test_finds_a_rate_with_a_spread_and_that_rate_trains(spec: RunSpec, tmp_path: Path) -> None:
    directory, result = find(tmp_path / "find", spec)
    assert result["ended"] == "finished" and not directory.final_path.exists()
    assert [sweep["seed"] for sweep in result["curves"]] == [42, 43, 44]
    assert len({tuple(sweep["losses"]) for sweep in result["curves"]}) == 3
    steepest = result["picks"]["steepest"]
    assert steepest["low"] <= steepest["rate"] <= steepest["high"] and steepest["of"] == 3
    changed = {"schedule.learning_rate": result["suggested"], "schedule.max_steps": 30}
    trained = runs.make_run(tmp_path / "trained", with_overrides(spec, changed))
    final = runs.train(trained)["final"]
    assert final["eval_loss"] < final["eval_loss_before"] - 0.3


def test_the_job_tells_its_rates_and_its_progress(spec: RunSpec, tmp_path: Path) -> None:
    directory, result = find(tmp_path / "find", spec, seeds=1, steps=12, highest=1e-2)
    told = runs.series(directory, "learning_rate")
    assert list(told.values())[:12] == pytest.approx(result["curves"][0]["rates"])
    assert runs.events(directory, "progress")[-1]["step"] == 13
    json.dumps(result, allow_nan=False)


def test_divergence_ends_a_sweep(spec: RunSpec, tmp_path: Path) -> None:
    changed = with_overrides(spec, {"method.name": "full", "schedule.max_grad_norm": 0, "schedule.optimizer": "sgd"})
    _, result = find(tmp_path / "find", changed, lowest=1e-3, highest=100.0, steps=60, seeds=1)
    sweep = result["curves"][0]
    assert len(sweep["rates"]) < 60 and sweep["diverged_at"] == sweep["rates"][-1]
    assert result["picks"]["tenth"]["rate"] == pytest.approx(0.1 * sweep["diverged_at"])


def test_a_stop_ends_the_job(spec: RunSpec, tmp_path: Path) -> None:
    class After(StopFlag):
        asked = 0

        @property
        def requested(self) -> bool:
            self.asked += 1
            return self.asked > 6

    assert find(tmp_path / "find", spec, After())[1] == {"ended": "stopped"}


@pytest.mark.parametrize("task", ["classification", "preference"])
def test_other_tasks_are_swept_too(task: str, tiny_llama: Path, tmp_path: Path) -> None:
    rows = tasks.classification_rows(60)
    if task == "preference":
        rows = [{"prompt": row["text"], "chosen": "It is fine.", "rejected": "No."} for row in rows]
    data = tasks.prepared(rows, task)
    asked = runs.make_spec(tiny_llama, Path(data), task=task, schedule__per_device_batch=4, schedule__accumulation=1)
    _, result = find(tmp_path / "find", asked, seeds=1, steps=20, lowest=1e-4, highest=1.0)
    assert result["ended"] == "finished" and len(result["curves"][0]["rates"]) >= 5


def test_the_command_waits_for_the_job_and_prints_what_it_found(
    spec: RunSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    from lab.cli import main
    from lab.runs import client

    sources = [f"--set=model.source={spec.model.source}", f"--set=data.source={spec.data.source}"]
    quick = ["--set=data.max_length=64", "--set=resources.precision=fp32", "--steps=10", "--seeds=2"]
    assert main(["find-lr", *sources, *quick, "--from=1e-4", "--to=1e-1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["state"] == "succeeded" and [len(one["rates"]) for one in told["curves"]] == [10, 10]
    assert set(told["picks"]) == {"steepest", "tenth"} and told["learning_rate"] == 2e-4
    row = client.list_runs(kinds=("find-lr",))[0]
    assert (row.id, row.lane, row.state) == (told["run"], "device", "succeeded")
    assert client.list_runs() == []  # no training was made


def test_the_command_refuses_wrong_input_before_the_queue(capsys: pytest.CaptureFixture[str]) -> None:
    from lab.cli import main
    from lab.runs import client

    assert main(["find-lr", "--steps=2", "--json"]) == 2
    assert main(["find-lr", "--set=method.rank=1000", "--json"]) == 2
    assert "rank" in capsys.readouterr().out and client.list_runs(kinds=("find-lr",)) == []


# --- no trace ---


@pytest.mark.parametrize("method", ["lora", "full"])
def test_model_and_optimizer_are_afterwards_what_they_were_to_the_bit(
    method: str, spec: RunSpec, tmp_path: Path
) -> None:
    import torch

    from lab.training.find_lr import sweep
    from lab.training.find_lr_curve import ramp
    from lab.training.find_lr_worker import _trainer, for_a_sweep
    from lab.training.measure import Stopwatch
    from lab.training.session import Session

    changed = for_a_sweep(with_overrides(spec, {"method.name": method, "method.dropout": 0.1}), 12)
    directory = runs.make_run(tmp_path / "run", changed)
    writer = EventWriter(directory, 1)
    session = Session(directory, writer, StopFlag(), Stopwatch())
    session.load()
    session.tokenise()
    trainer = _trainer(session)
    trainer.train()  # so that the optimizer has moments to lose
    weights = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    optimizer, moments = trainer.optimizer, copy.deepcopy(trainer.optimizer.state_dict())
    record, drawn = copy.deepcopy(trainer.state.log_history), torch.get_rng_state()

    losses = sweep(trainer, ramp(1e-5, 1.0, 12), seed=7).losses

    writer.close()
    assert len(losses) >= 3 and len(set(losses)) == len(losses)
    after = trainer.model.state_dict()
    assert weights.keys() == after.keys() and all(torch.equal(weights[name], after[name]) for name in weights)
    assert trainer.optimizer is optimizer
    _same(moments, optimizer.state_dict())
    assert torch.equal(torch.get_rng_state(), drawn) and trainer.state.log_history == record
    assert sweep(trainer, ramp(1e-5, 1.0, 12), seed=7).losses == losses  # the second begins where the first did


def _same(one: Any, other: Any) -> None:
    import torch

    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for name in one:
            _same(one[name], other[name])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for first, second in zip(one, other, strict=True):
            _same(first, second)
    else:
        assert one == other
