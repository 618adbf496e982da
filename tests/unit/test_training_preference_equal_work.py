"""Equal work of preferences: whatever makes them faster gives the loss and the gradient of TRL's own trainers."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import task_runs as tasks
import torch
import training_runs as runs
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, RewardConfig, RewardTrainer

from lab.runs.events import EventWriter
from lab.runs.stopping import StopFlag
from lab.spec import RunSpec, with_overrides
from lab.spec.parts.speed import PLAIN
from lab.training.fused import unfuse_lora
from lab.training.interrupts import Interrupted
from lab.training.machine import Machine
from lab.training.measure import Pace
from lab.training.preference import inputs
from lab.training.preference.references import FILE, References
from lab.training.steps import course
from lab.training.tasks import plan_for
from lab.training.tasks.speed import NOT_HERE
from lab.training.tensorboard import Board

SMALL = 200  # tokens of a pass: a few pairs
WORDS = ["one", "two", "three", "four", "five", "six", "seven"]


def rows_of(kind: str, count: int = 34) -> list[dict[str, Any]]:
    """Preferences of unlike lengths."""
    draw, found = random.Random(2), []
    for i in range(count):
        asked = f"What does f{i} do? " + " ".join(draw.choices(WORDS, k=draw.randint(0, 3)))
        good, bad = (" ".join(draw.choices(WORDS, k=draw.randint(1, 7))) for _ in range(2))
        pair = {"prompt": asked, "chosen": good, "rejected": bad}
        single = {"prompt": asked, "completion": good, "desired": i % 3 > 0}
        found.append(single if kind == "kto" else pair)
    return found


def spec_of(model: Path, kind: str, **changes: Any) -> RunSpec:
    data = tasks.prepared(rows_of(kind), "preference", validation=6)
    given = {
        "preference__method": kind, "schedule__per_device_batch": 4, "schedule__accumulation": 3,
        "schedule__max_steps": 4, "schedule__max_grad_norm": 0, "speed__tokens_per_pass": SMALL, "data__max_length": 96,
    }  # fmt: skip
    return runs.make_spec(model, Path(data), task="preference", **given | changes)


def moved(model: Any) -> Any:
    """The model away from its reference: a new adapter starts at zero, and a whole model at the base."""
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        for name, weight in model.named_parameters():
            if weight.requires_grad and ("lora_B" in name or "lora" not in name):
                weight.add_(torch.randn_like(weight), alpha=0.05)
    return model


def trainer_of(spec: RunSpec, folder: Path) -> Any:
    """The Trainer as a run makes it."""
    folder.mkdir(exist_ok=True)
    plan: Any = plan_for(spec, folder, EventWriter(folder), Machine("cpu", "fp32", 1))
    plan.load_tokenizer()
    model = plan.load_model()
    if spec.method.whole:
        model.requires_grad_(True)
    plan.encode(spec)
    plan.evaluator(Board(folder / "board"), StopFlag())
    torch.manual_seed(0)
    trainer = plan.trainer(model, course(spec, len(plan.train)), Pace(), folder, [])
    moved(trainer.model)
    trainer.pairs = list(plan.train)
    return trainer


class _Fed:
    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        return dataset  # ids as they are


class PlainDpo(_Fed, DPOTrainer):
    """TRL's own, fed with ids."""


class PlainKto(_Fed, KTOTrainer):
    """TRL's own, fed with ids."""


class PlainReward(_Fed, RewardTrainer):
    """TRL's own, fed with ids."""


def plain_of(ours: Any, model: Any, spec: RunSpec, folder: Path, size: int) -> Any:
    """TRL's trainer of the same method on the same weights; nothing of the lab computes here."""
    kind, asked, rows = spec.preference.method, spec.preference, ours.pairs
    shared: dict[str, Any] = {
        "output_dir": str(folder), "per_device_train_batch_size": size, "bf16": False, "use_cpu": True, "report_to": [],
        "gradient_checkpointing": False, "disable_tqdm": True, "max_length": None, "remove_unused_columns": False,
    }  # fmt: skip
    given: dict[str, Any] = {"model": model, "processing_class": ours.processing_class}
    pad = ours.processing_class.pad_token_id
    if kind == "reward":
        collate = inputs.Whole(pad_token_id=pad)
        data = inputs.pair_rows(rows, whole=True)
        return PlainReward(args=RewardConfig(**shared), train_dataset=data, data_collator=collate, **given)
    if spec.method.whole:
        given["ref_model"] = ours.base
    if kind == "dpo":
        config = DPOConfig(beta=asked.beta, loss_type=[asked.loss], **shared)
        collate = inputs.DataCollatorForPreference(pad_token_id=pad)
        return PlainDpo(args=config, train_dataset=inputs.pair_rows(rows), data_collator=collate, **given)
    config = KTOConfig(beta=asked.beta, train_sampling_strategy="sequential", **shared)
    collate = inputs.SwappedAnswers(pad_token_id=pad)
    return PlainKto(args=config, train_dataset=inputs.single_rows(rows), data_collator=collate, **given)


def one_step(trainer: Any, rows: list[dict[str, Any]], size: int) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of an update over these rows, `size` at a time."""
    model = trainer.model.train()
    model.zero_grad()
    batches = [trainer.data_collator(rows[start : start + size]) for start in range(0, len(rows), size)]
    trainer.current_gradient_accumulation_steps = len(batches)
    trainer._metrics["train"].clear()
    loss = sum(float(trainer.training_step(model, batch, None)) for batch in batches)
    return loss, {n: w.grad.clone() for n, w in model.named_parameters() if w.grad is not None}


def far(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> float:
    """The difference of two gradients, relative to the size of the second."""
    assert found.keys() == expected.keys()
    difference = torch.cat([(found[n] - expected[n]).flatten() for n in expected])
    return float(difference.norm() / torch.cat([part.flatten() for part in expected.values()]).norm())


def both(tiny_llama: Path, folder: Path, kind: str, **changes: Any) -> tuple[Any, Any]:
    """Our Trainer and TRL's on models of the same weights, with the same rows."""
    from transformers import AutoModelForCausalLM

    spec = spec_of(tiny_llama, kind, **changes)
    ours = trainer_of(spec, folder / "ours")
    ours.base = AutoModelForCausalLM.from_pretrained(tiny_llama)
    model = copy.deepcopy(ours.model)
    unfuse_lora(model)
    if kind != "reward":  # TRL's loss head is bound to the model that it was put on
        for part in (model, model.get_base_model()) if hasattr(model, "peft_config") else (model,):
            vars(part).pop("forward", None)
    trl = plain_of(ours, model, spec, folder / "trl", 4)
    if kind != "reward" and not spec.method.whole:
        trl.model.delete_adapter("ref")  # TRL's copy of an adapter that goes on; a new one is held against the base
    return ours, trl


METHODS = [("dpo", "lora"), ("dpo", "full"), ("kto", "lora"), ("kto", "full"), ("reward", "lora"), ("reward", "full")]


@pytest.mark.parametrize("count", [12, 10])  # the last update of an epoch has batches of unlike sizes
@pytest.mark.parametrize(("kind", "method"), METHODS)
def test_one_step_has_the_gradient_of_plain_trl(
    tiny_llama: Path, tmp_path: Path, kind: str, method: str, count: int
) -> None:
    ours, trl = both(tiny_llama, tmp_path, kind, method__name=method)
    rows = [ours.train_dataset[i] for i in range(count)]
    plain = [{name: value for name, value in row.items() if not name.startswith("ref_")} for row in rows]
    size = 4 if kind == "kto" else count  # an update is one batch of ours, but for KTO
    if kind == "dpo":
        assert "ref_chosen_logps" in rows[0] and ours.ref_model is None
    if kind != "kto" and count == 12:
        assert len(ours.data_collator(rows)["passes"]) > 2
    loss, found = one_step(ours, rows, size)
    expected_loss, expected = one_step(trl, plain, 4)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert far(found, expected) < 1e-5
    for name, values in trl._metrics["train"].items():
        if name.startswith("rewards/") or name in ("accuracy", "margin", "kl"):
            own = ours._metrics["train"][name]
            assert sum(own) / len(own) == pytest.approx(sum(values) / len(values), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("loss", ["hinge", "ipo"])
def test_every_loss_of_dpo_is_the_sum_of_its_passes(tiny_llama: Path, tmp_path: Path, loss: str) -> None:
    ours, trl = both(tiny_llama, tmp_path, "dpo", preference__loss=loss)
    rows = [ours.train_dataset[i] for i in range(12)]
    value, found = one_step(ours, rows, 12)
    plain = [{name: given for name, given in row.items() if not name.startswith("ref_")} for row in rows]
    expected_value, expected = one_step(trl, plain, 4)
    assert value == pytest.approx(expected_value, rel=1e-5)
    assert far(found, expected) < 1e-5


SWITCHES = {
    "padding_free": {"speed__padding_free": "off"},
    "reference_once": {"speed__reference_once": False},
    "label_loss": {"speed__label_loss": False},
    "fused_lora": {"speed__fused_lora": False},
}


@pytest.mark.parametrize("switch", SWITCHES)
def test_each_switch_leaves_the_loss_of_a_run_as_it_was(tiny_llama: Path, tmp_path: Path, switch: str) -> None:
    losses = []
    for changes in ({}, SWITCHES[switch]):
        run = runs.make_run(tmp_path / str(len(losses)), spec_of(tiny_llama, "dpo", **changes))
        runs.train(run)
        losses.append(list(runs.series(run, "train_loss").values()))
    assert len(losses[0]) == 4 and losses[0] == pytest.approx(losses[1], rel=1e-5)


# --- the reference ---


def test_the_reference_is_asked_once_and_kept_for_the_next_attempt(tmp_path: Path) -> None:
    pairs = inputs.Dataset.from_dict(
        {"prompt_ids": [[1] * n for n in (3, 9, 2)], "chosen_ids": [[2], [3, 4], [5]], "rejected_ids": [[6], [7], [8]]}
    )
    asked: list[int] = []

    def ask(rows: list[dict[str, Any]]) -> Any:
        asked.append(len(rows))
        return np.array([[-len(row["prompt_ids"]), -0.1] for row in rows], dtype=np.float32)

    first = References(tmp_path, 40, 1, lambda: False).added_to(pairs, ask)
    assert sum(asked) == 3 and len(asked) > 1
    assert first["ref_chosen_logps"][:] == [-3.0, -9.0, -2.0]
    again = References(tmp_path, 40, 1, lambda: False).added_to(pairs, ask)
    assert sum(asked) == 3 and again["ref_rejected_logps"][:] == first["ref_rejected_logps"][:]
    kept = json.loads((tmp_path / FILE).read_text())
    kept["log_probabilities"][1][0] = -8.0
    (tmp_path / FILE).write_text(json.dumps(kept))  # damage
    repaired = References(tmp_path, 40, 1, lambda: False).added_to(pairs, ask)
    assert sum(asked) == 6 and repaired["ref_chosen_logps"][:] == [-3.0, -9.0, -2.0]
    References(tmp_path, 40, 1, lambda: False).added_to(pairs.select([0, 1]), ask)
    assert sum(asked) == 8  # other pairs
    with pytest.raises(Interrupted):
        References(tmp_path / "new", 40, 1, lambda: True).added_to(pairs, ask)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_stopped_run_of_passes_ends_as_an_uninterrupted_one_and_another_seed_elsewhere(
    tiny_llama: Path, tmp_path: Path, method: str
) -> None:
    spec = spec_of(tiny_llama, "dpo", schedule__max_steps=8, evaluation__every_steps=4, method__name=method)
    whole, broken, same = (runs.make_run(tmp_path / name, spec) for name in ("whole", "broken", "same"))
    runs.train(whole)
    assert runs.train(broken, runs.StopAt(broken, 4))["ended"] == "stopped"
    written = (broken.path / FILE).stat().st_mtime_ns
    assert runs.train(broken, attempt=2)["ended"] == "finished"
    assert (broken.path / FILE).stat().st_mtime_ns == written
    runs.train(same)
    other = runs.make_run(tmp_path / "other", with_overrides(spec, {"seed": 9}))
    runs.train(other)
    ends = [runs.weights_sha(run.final_path) for run in (whole, broken, same, other)]
    assert ends[0] == ends[1] == ends[2] != ends[3]


# --- what a run tells ---


def notes(run: Any) -> list[str]:
    return [event["template"] for event in runs.events(run, "note")]


def test_the_result_tells_what_was_used_and_what_does_not_apply(tiny_llama: Path, tmp_path: Path) -> None:
    for kind in ("dpo", "kto", "reward"):
        run = runs.make_run(tmp_path / kind, spec_of(tiny_llama, kind, method__dropout=0.1))
        result = runs.train(run)
        speed, why = result["speed"], result["speed"]["why"]
        assert result["attention"] == "eager" and int(why["fused_lora"].split()[0]) > 0
        assert why["dropout"] == "0.1 switched off"
        assert [event["values"] for event in runs.events(run, "note") if "Dropout" in event["template"]] == [
            {"share": 0.1, "method": kind}
        ]
        assert speed["label_loss"] is (kind != "reward")
        assert (run.path / FILE).exists() is (kind == "dpo")
        if kind == "kto":
            assert why["padding_free"].startswith(NOT_HERE) and why["reference"].startswith(NOT_HERE)
        else:
            assert "like lengths" in why["padding_free"] and speed["budget"] == SMALL
        if kind == "reward":
            assert why["label_loss"] == NOT_HERE


def test_a_short_run_asks_its_reference_in_each_step(tiny_llama: Path, tmp_path: Path) -> None:
    run = runs.make_run(tmp_path / "run", spec_of(tiny_llama, "dpo", schedule__max_steps=2))
    result = runs.train(run)
    assert "each step" in result["speed"]["why"]["reference"] and not (run.path / FILE).exists()


@pytest.mark.parametrize("kind", ["dpo", "kto", "reward"])
def test_without_the_switches_nothing_but_trl_computes(tiny_llama: Path, tmp_path: Path, kind: str) -> None:
    switches = {name.replace(".", "__"): value for name, value in PLAIN.items()}
    spec = spec_of(tiny_llama, kind, method__dropout=0.0, **switches)
    run = runs.make_run(tmp_path / "plain", spec)
    result = runs.train(run)
    assert result["attention"] == "sdpa" and not any(value is True for value in result["speed"].values())
    assert result["speed"]["budget"] == 0 and result["speed"]["why"] == {}
    assert not (run.path / FILE).exists() and not [note for note in notes(run) if "Dropout" in note]
