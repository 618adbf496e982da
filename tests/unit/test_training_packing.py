"""Packing across the whole set: the same work as without it, fewer updates, and every count says what it counts."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import training_runs as runs
from equal_work import MODELS, adapted, far, lab_trainer, made, one_step, plain_trl, rows_of

from lab.data.example import IGNORED, Example
from lab.data.examples import Examples
from lab.data.opening import open_data
from lab.data.options import Options
from lab.data.prepare import prepare_dataset
from lab.data.progress import NotesOnly
from lab.errors import InputError, InputErrors
from lab.json_io import write_json
from lab.planning import plan
from lab.planning.packing import pack
from lab.runs.directory import RunDirectory
from lab.runs.packs import packs_of
from lab.spec import RunSpec, check, with_overrides
from lab.training.choices import Choices
from lab.training.same_run import pieces
from lab.training.trainer import dataset

ROOM = 24  # tokens of a pack
LONG = 128  # tokens of a pack of a whole run
PACKED: dict[str, Any] = {
    "data__packing": True, "data__max_length": LONG, "schedule__max_steps": None, "schedule__epochs": 2.0,
    "schedule__accumulation": 1,
}  # fmt: skip


def packed(rows: list[Example]) -> list[list[int]]:
    return pack([len(row.input_ids) for row in rows], ROOM)


def label_tokens(rows: list[Example]) -> int:
    return sum(label != IGNORED for row in rows for label in row.labels[1:])


@pytest.mark.parametrize("budget", [ROOM, 1000])
@pytest.mark.parametrize("name", MODELS)
def test_one_update_over_packs_has_the_gradient_of_padded_plain_trl(
    tiny_llama: Path, tmp_path: Path, name: str, budget: int
) -> None:
    rows = rows_of()
    loss, labels, expected = one_step(plain_trl(tiny_llama, tmp_path, adapted(made(name)), rows))
    packs = packed(rows)
    assert 1 < len(packs) < len(rows)
    choices = Choices(budget=budget, packed=True, fused_lora=True)
    got = one_step(lab_trainer(tiny_llama, tmp_path, made(name), rows, choices, packs))
    assert got[1] == labels == label_tokens(rows)
    assert got[0] == pytest.approx(loss, rel=1e-5)
    assert far(got[2], expected) < 1e-5


@pytest.mark.parametrize("name", MODELS)
def test_over_twenty_packed_updates_in_bf16_the_loss_stays_with_padded_plain_trl(
    tiny_llama: Path, tmp_path: Path, name: str
) -> None:
    rows = rows_of(40)
    packs = packed(rows)
    changes = {
        "schedule.max_steps": 20, "schedule.learning_rate": 1e-3, "schedule.per_device_batch": 2, "seed": 5,
        "schedule.accumulation": 2, "schedule.weight_decay": 0.0, "schedule.scheduler": "constant",
        "schedule.warmup": 0.0, "resources.precision": "bf16",
    }  # fmt: skip
    choices = Choices(budget=2 * ROOM, packed=True, fused_lora=True, activation_swap=True)
    ours = lab_trainer(tiny_llama, tmp_path / "lab", made(name), rows, choices, packs, **changes)
    updates: list[list[dict[str, Any]]] = []
    collate = ours.data_collator

    def recording(groups: list[Any]) -> Any:
        updates.append([{key: row[key].tolist() for key in row} for group in groups for row in group])
        return collate(groups)

    ours.data_collator = recording
    ours.train()
    # The same examples in each update, unpacked and padded; an item of the reference's data is a whole update.
    reference = plain_trl(
        tiny_llama, tmp_path / "trl", adapted(made(name)), rows, bf16=True, per_device_train_batch_size=1, max_steps=20,
        learning_rate=1e-3, logging_steps=1, weight_decay=0.0, lr_scheduler_type="constant",
        train_sampling_strategy="sequential",
    )  # fmt: skip
    padded = reference.data_collator
    reference.train_dataset = updates[:20]  # type: ignore[assignment]  # a list is a data set
    reference.data_collator = lambda groups: padded(groups[0])
    reference.train()
    wanted, losses = (
        [entry["loss"] for entry in trainer.state.log_history if "loss" in entry] for trainer in (reference, ours)
    )
    assert len(losses) == len(wanted) == 20
    assert losses == pytest.approx(wanted, rel=5e-3)
    assert losses[-1] < losses[0]


def test_an_epoch_holds_every_example_and_label_token_once_and_ends_with_what_is_left(
    tiny_llama: Path, tmp_path: Path
) -> None:
    rows = rows_of(22)
    packs = packed(rows)
    changes = {"schedule.per_device_batch": 2, "schedule.accumulation": 2, "schedule.max_steps": None}
    assert len(packs) % 4, "the last update is a partial one"
    choices = Choices(budget=2 * ROOM, packed=True)
    trainer = lab_trainer(
        tiny_llama, tmp_path, made("llama"), rows, choices, packs, **changes, **{"schedule.epochs": 1.0}
    )
    batches = list(trainer.get_train_dataloader())
    assert sum(int((batch["labels"] != IGNORED).sum()) for batch in batches) == label_tokens(rows)
    trainer.train()
    assert trainer.state.global_step == len(batches) == math.ceil(len(packs) / 4)
    assert trainer.state.epoch == 1.0
    assert trainer.take_counts() == (sum(len(row.input_ids) for row in rows), len(rows))


# --- whole runs ---


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.write_questions(tmp_path_factory.mktemp("data") / "questions.jsonl", rows=60)


@pytest.fixture(scope="module")
def spec(tiny_llama: Path, data: Path) -> RunSpec:
    return runs.make_spec(tiny_llama, data, method__dropout=0.1, **PACKED)


@pytest.fixture(scope="module")
def finished(spec: RunSpec, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDirectory, dict[str, Any]]:
    run = runs.make_run(tmp_path_factory.mktemp("packed") / "run", spec)
    write_json(run.path / "plan.json", plan(spec, examples=54, mean_tokens=30.0).as_dict())
    return run, runs.train(run)


def test_steps_warmup_and_epochs_of_a_packed_run_count_packs(
    finished: tuple[RunDirectory, dict[str, Any]], spec: RunSpec
) -> None:
    run, result = finished
    rows = open_data(spec, run.path).train
    count = len(pack([len(row.input_ids) for row in rows], spec.data.max_length))
    assert result["examples"] == len(rows) == 54
    assert result["packing"]["packs"] == count < 30
    assert result["packing"]["length"] == LONG
    assert result["packing"]["planned"] == math.ceil(54 * 30 / LONG)
    real = sum(len(row.input_ids) for row in rows)
    assert result["packing"]["filled"] == pytest.approx(real / (LONG * count))
    assert result["step"] == result["steps"] == 2 * math.ceil(count / 2)
    assert runs.events(run, "progress")[-1]["tokens"] == 2 * real
    assert runs.events(run, "progress")[-1]["epoch"] == 2.0
    assert result["attention"] == "lab_varlen" and result["speed"]["packed"]
    (told,) = [note for note in runs.events(run, "note") if "packs of" in note["template"]]
    assert told["values"]["packs"] == count


def test_a_stopped_packed_run_ends_with_the_weights_of_an_undivided_one(
    finished: tuple[RunDirectory, dict[str, Any]], spec: RunSpec, tmp_path: Path
) -> None:
    run = runs.make_run(tmp_path / "run", spec)
    assert runs.train(run, runs.StopAt(run, 3))["ended"] == "stopped"
    assert runs.train(run, attempt=2)["ended"] == "finished"
    assert runs.weights_sha(run.final_path) == runs.weights_sha(finished[0].final_path)
    assert runs.series(run, "train_loss") == runs.series(finished[0], "train_loss")


def test_held_out_rows_are_the_same_with_and_without_packing(
    finished: tuple[RunDirectory, dict[str, Any]], spec: RunSpec, tmp_path: Path
) -> None:
    run = runs.make_run(tmp_path / "run", with_overrides(spec, {"data.packing": False, "schedule.max_steps": 1}))
    assert "packing" not in runs.train(run)
    assert runs.series(run, "eval_loss")[0] == runs.series(finished[0], "eval_loss")[0]


def test_a_model_whose_examples_cannot_share_a_row_is_refused_before_anything_is_made_of_the_data(
    tiny_llama: Path, spec: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lab.training import build

    load = build.load_base

    def windowed(*given: Any, **options: Any) -> Any:
        model = load(*given, **options)
        model.config.sliding_window = 32
        return model

    monkeypatch.setattr(build, "load_base", windowed)
    run = runs.make_run(tmp_path / "run", spec)
    with pytest.raises(InputError, match="cannot share a row: attends within a window of 32") as caught:
        runs.train(run)
    assert caught.value.where == "data.packing" and "data.packing=false" in caught.value.next
    assert not (run.path / "data").exists()


def test_a_prepared_data_set_is_planned_with_the_packs_that_its_run_makes(tiny_llama: Path, data: Path) -> None:
    options = Options(model=str(tiny_llama), max_length=LONG)
    told = prepare_dataset(data, options, NotesOnly())
    spec = runs.make_spec(tiny_llama, data, data__source=told["dataset"], **PACKED)
    counted = packs_of(spec)
    lengths = [len(row.input_ids) for row in open_data(spec, data.parent).train]
    assert counted == len(pack(lengths, LONG))
    made_ = plan(spec, examples=len(lengths), mean_tokens=sum(lengths) / len(lengths), packs=counted)
    assert made_.as_dict()["packs"] == counted and "packs" not in made_.inputs.assumptions
    assert packs_of(with_overrides(spec, {"data.max_length": 48})) is None


# --- the plan ---


@pytest.mark.parametrize(
    ("known", "packs", "how"),
    [
        ({"examples": 1000, "mean_tokens": 100.0, "packs": 205}, 205, None),
        ({"examples": 1000, "mean_tokens": 100.0}, 196, "lower bound"),
        ({"examples": 1000}, 1000, "upper bound"),
    ],
)
def test_the_plan_counts_packs_and_says_how_it_knows_them(known: dict[str, Any], packs: int, how: str | None) -> None:
    settings = {"data.packing": True, "data.source": "my.csv", "data.max_length": 512, "schedule.epochs": 2.0,
                "schedule.per_device_batch": 4, "schedule.accumulation": 2}  # fmt: skip
    spec = with_overrides(RunSpec(), settings)
    told = plan(spec, **known).as_dict()
    assert told["packs"] == packs and told["examples"] == 1000
    assert told["steps"] == 2 * math.ceil(math.ceil(packs / 4) / 2)
    assert (how or "") in told["assumptions"].get("packs", {}).get("source", "")
    assert ("packs" in told["assumptions"]) == (how is not None)
    assert told["tokens_per_step"] == round(8 * min(512, 1000 * told["tokens_per_example"] / packs))
    formula = told["formulas"]["packs"]["inputs"]
    assert math.ceil((formula["tokens"] + formula["room"]) / formula["max_length"]) == packs
    (verdict,) = [one for one in told["verdicts"] if one["field"] == "data.packing"]
    assert f"1000 examples go into {'' if how is None else 'about '}{packs} packs" in verdict["why"]


def test_the_plan_of_the_demo_packs_its_rows() -> None:
    told = plan(with_overrides(RunSpec(), {"data.packing": True, "data.max_length": 256})).as_dict()
    full = told["examples"] * told["tokens_per_example"] / 256
    assert full <= told["packs"] < 1.05 * full
    assert "estimated" in told["assumptions"]["packs"]["source"]


def test_packing_without_padding_free_rows_is_refused_with_a_way_out() -> None:
    check(with_overrides(RunSpec(), {"data.packing": True}))
    with pytest.raises(InputErrors) as caught:
        check(with_overrides(RunSpec(), {"data.packing": True, "speed.padding_free": "off"}))
    (problem,) = caught.value.problems
    assert problem.where == "data.packing" and "speed.padding_free=auto" in problem.next


@pytest.mark.parametrize("task", ["classification", "token-classification", "extractive-qa", "preference"])
def test_packing_is_for_language_models(task: str) -> None:
    with pytest.raises(InputErrors) as caught:
        check(with_overrides(RunSpec(), {"data.packing": True, "task": task, "data.source": "my.jsonl"}))
    assert [problem for problem in caught.value.problems if problem.where == "data.packing" and problem.next]


# --- rows from arrays ---


def test_rows_are_read_from_the_mapped_files_and_only_for_the_batch(spec: RunSpec, tmp_path: Path) -> None:
    train = open_data(spec, tmp_path).train
    assert isinstance(train, Examples) and isinstance(train.tokens.input_ids, np.memmap)
    rows = dataset(train)
    assert np.shares_memory(rows[3]["input_ids"], train.tokens.input_ids)
    listed = dataset(list(train))
    assert len(rows) == len(listed) == len(train) and rows.lengths == listed.lengths
    for one, other in zip(rows, listed, strict=True):
        assert one["input_ids"].tolist() == other["input_ids"].tolist()
        assert one["labels"].tolist() == other["labels"].tolist()
        assert one["labels"][0] == IGNORED


def test_the_sum_of_the_data_is_that_of_earlier_checkpoints(spec: RunSpec, tmp_path: Path) -> None:
    train = open_data(spec, tmp_path).train
    assert list(pieces(train)) == list(pieces(list(train)))


def test_examples_that_train_nothing_are_found_on_the_arrays() -> None:
    """Nothing trained, only the first token, an example of one token: none of them has a target."""
    rows = [
        Example("", "", "", "", ids, labels, 1)
        for ids, labels in (
            ([5, 6, 7], [IGNORED, IGNORED, IGNORED]),
            ([5, 6, 7], [5, IGNORED, IGNORED]),
            ([5], [5]),
            ([5, 6, 7], [IGNORED, IGNORED, 7]),
            ([8, 9], [8, 9]),
        )
    ]
    kept = dataset([*rows, rows[0]])
    assert kept.numbers.tolist() == [3, 4]
    assert [row["labels"].tolist() for row in kept] == [[IGNORED, IGNORED, 7], [IGNORED, 9]]
    assert torch.tensor(kept[0]["input_ids"]).tolist() == [5, 6, 7]
    with pytest.raises(ValueError, match="neither the id"):
        dataset([Example("", "", "", "", [5, 6], [IGNORED, 7], 1)])
