"""The trainer against plain TRL: the same loss, gradients and schedule, whatever the batching."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
import training_runs as runs
from trl import SFTConfig, SFTTrainer

from lab.data.example import IGNORED, Example
from lab.planning.schedule import schedule_curve
from lab.spec import RunSpec, setting_at
from lab.training import attention, build, probe
from lab.training.batches import UpdateCollator
from lab.training.collate import PaddedCollator
from lab.training.machine import Machine
from lab.training.measure import Pace
from lab.training.steps import course
from lab.training.trainer import LabTrainer, arguments, dataset

CPU = Machine("cpu", "fp32", 1)


def examples(count: int = 8) -> list[Example]:
    """Examples of unlike lengths that end with the end token, their prompts out of the loss."""
    draw = random.Random(1)
    made = []
    for _ in range(count):
        prompt = [draw.randrange(3, 300) for _ in range(draw.randint(2, 9))]
        answer = [*(draw.randrange(3, 300) for _ in range(draw.randint(1, 12))), 1]
        ids = prompt + answer
        labels = [IGNORED] * len(prompt) + answer
        made.append(Example("", "", "", "", ids, labels, len(prompt)))
    return made


def lab_trainer(folder: Path, model: Path, rows: list[Example], **changes: Any) -> LabTrainer:
    spec = runs.make_spec(model, model, method__name="full", schedule__max_steps=2, **changes)
    tokenizer = build.load_tokenizer(str(model))
    config = arguments(spec, course(spec, len(rows)), CPU, folder)
    return LabTrainer(build.load_base(str(model)), config, dataset(rows), tokenizer, CPU, Pace())


def gradients(trainer: SFTTrainer, accumulation: int) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of the first optimizer step over the first rows, which come in their order."""
    trainer.create_optimizer()
    model = trainer.model.train()
    size = trainer.args.per_device_train_batch_size
    accumulation = trainer.args.gradient_accumulation_steps if isinstance(trainer, LabTrainer) else accumulation
    rows = [trainer.train_dataset[i] for i in range(min(size * accumulation, len(trainer.train_dataset)))]
    batches = [trainer.data_collator(rows[i : i + size]) for i in range(0, len(rows), size)]
    items = trainer._get_num_items_in_batch(batches, torch.device("cpu"))
    trainer.current_gradient_accumulation_steps = accumulation
    loss = sum(trainer.training_step(model, batch, items).item() for batch in batches)
    return loss, {name: weight.grad.clone() for name, weight in model.named_parameters()}


def far(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> float:
    """The largest difference of two gradients, relative to the size of each."""
    return max(float((first[n] - second[n]).norm() / second[n].norm().clamp(min=1e-12)) for n in second)


@pytest.fixture
def plain_trl(tiny_llama: Path, tmp_path: Path) -> SFTTrainer:
    """TRL as its documentation uses it: its own collator, its own loss, padded batches."""
    config = SFTConfig(
        output_dir=str(tmp_path),
        per_device_train_batch_size=8,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        bf16=False,
        use_cpu=True,
        report_to=[],
        gradient_checkpointing=False,
    )
    model = build.load_base(str(tiny_llama))
    tokenizer = build.load_tokenizer(str(tiny_llama))
    return SFTTrainer(model, config, train_dataset=dataset(examples()).table(), processing_class=tokenizer)


def test_without_padding_loss_and_gradients_are_those_of_plain_trl(
    plain_trl: SFTTrainer, tiny_llama: Path, tmp_path: Path
) -> None:
    ours = lab_trainer(tmp_path, tiny_llama, examples(), schedule__per_device_batch=8)
    assert ours.attention_name == attention.NAME
    reference_loss, reference = gradients(plain_trl, 1)
    loss, found = gradients(ours, 1)
    assert loss == pytest.approx(reference_loss, rel=1e-5)
    assert far(found, reference) < 1e-5


def test_padded_batches_give_the_gradients_of_plain_trl_too(
    plain_trl: SFTTrainer, tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "decide", lambda model, max_length, choices: False)
    ours = lab_trainer(tmp_path, tiny_llama, examples(), schedule__per_device_batch=8)
    assert ours.attention_name == "sdpa"
    assert far(gradients(ours, 1)[1], gradients(plain_trl, 1)[1]) < 1e-5


@pytest.mark.parametrize(("batch", "accumulation"), [(1, 8), (2, 4), (4, 2)])
def test_accumulation_gives_the_gradient_of_one_large_batch(
    tiny_llama: Path, tmp_path: Path, batch: int, accumulation: int
) -> None:
    large = gradients(lab_trainer(tmp_path, tiny_llama, examples(), schedule__per_device_batch=8), 1)
    changes = {"schedule__per_device_batch": batch, "schedule__accumulation": accumulation}
    small = gradients(lab_trainer(tmp_path, tiny_llama, examples(), **changes), accumulation)
    assert small[0] == pytest.approx(large[0], rel=1e-5)
    assert far(small[1], large[1]) < 1e-5


def test_gradient_checkpointing_changes_no_gradient(tiny_llama: Path, tmp_path: Path) -> None:
    plain, saving = (
        lab_trainer(
            tmp_path,
            tiny_llama,
            examples(),
            schedule__per_device_batch=8,
            resources__gradient_checkpointing=on,
        )
        for on in (False, True)
    )
    assert far(gradients(saving, 1)[1], gradients(plain, 1)[1]) < 1e-5


@pytest.mark.parametrize("scheduler", setting_at("schedule.scheduler").choices)
def test_the_learning_rate_is_the_planned_one_at_every_step(tiny_llama: Path, tmp_path: Path, scheduler: Any) -> None:
    data = runs.write_questions(tmp_path / "questions.jsonl")
    changes = {"schedule__max_steps": 7, "schedule__warmup": 0.3, "evaluation__every_steps": 100}
    spec = runs.make_spec(tiny_llama, data, schedule__scheduler=scheduler, **changes)
    run = runs.make_run(tmp_path / "run", spec)
    runs.train(run)
    planned = dict(schedule_curve(spec, 7))
    used = runs.series(run, "learning_rate")
    assert used == pytest.approx({step + 1: planned[step] for step in range(7)})


def test_weight_decay_spares_norms(tiny_llama: Path, tmp_path: Path) -> None:
    trainer = lab_trainer(tmp_path, tiny_llama, examples(), schedule__weight_decay=0.1)
    groups = trainer.create_optimizer().param_groups
    norms = {id(weight) for name, weight in trainer.model.named_parameters() if "norm" in name}
    for group in groups:
        assert all((id(weight) in norms) == (group["weight_decay"] == 0) for weight in group["params"])


# --- batches ---


def test_padding_is_masked_by_length_even_where_it_is_the_end_token() -> None:
    rows = [
        {"input_ids": [5, 6, 1], "labels": [IGNORED, 6, 1]},
        {"input_ids": [7, 1], "labels": [IGNORED, 1]},
    ]
    batch = PaddedCollator(pad_id=1)(rows)
    assert batch["input_ids"].tolist() == [[5, 6, 1], [7, 1, 1]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert batch["labels"].tolist() == [[IGNORED, 6, 1], [IGNORED, 1, IGNORED]]


def test_a_flat_row_restarts_positions_and_never_predicts_across_a_boundary() -> None:
    rows = [{"input_ids": [5, 6, 1], "labels": [IGNORED, 6, 1]}, {"input_ids": [7, 1], "labels": [IGNORED, 1]}]
    (batch,) = UpdateCollator(8)(rows)["passes"]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1]]
    assert batch["cu_seq_lens_q"].tolist() == [0, 3, 5]
    assert batch["labels"].tolist() == [[IGNORED, 6, 1, IGNORED, 1]]
    assert batch["predicts"].tolist() == [0, 1, 3]
    assert batch["targets"].tolist() == [6, 1, 1]


def test_an_example_in_a_flat_row_gets_the_logits_that_it_has_alone(tiny_llama: Path) -> None:
    model = build.load_base(str(tiny_llama))
    first, second = examples(2)
    with torch.no_grad():
        alone = model(input_ids=torch.tensor([second.input_ids])).logits[0]
        with attention.using(model, attention.NAME):
            row = attention.flat_row([first.input_ids, second.input_ids])
            together = model(**row, use_cache=False).logits[0]
    assert (together[len(first.input_ids) :] - alone).abs().max() < 1e-5


def test_flat_attention_without_boundaries_is_refused(tiny_llama: Path) -> None:
    model = build.load_base(str(tiny_llama))
    with attention.using(model, attention.NAME), pytest.raises(ValueError, match="cu_seq_lens_q"):
        model(input_ids=torch.tensor([[3, 4, 5]]), use_cache=False)


def test_a_model_with_a_short_window_is_padded_instead(tiny_llama: Path) -> None:
    model = build.load_base(str(tiny_llama))
    assert probe.fits(model, 64)
    model.config.sliding_window = 32
    assert not probe.fits(model, 64)


def test_a_gpt2_takes_flat_rows_too() -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=4, n_positions=64)
    assert probe.fits(GPT2LMHeadModel(config), 64)


def test_examples_without_a_trained_token_never_reach_the_training() -> None:
    empty = Example("", "", "", "", [3, 4], [IGNORED, IGNORED], 2)
    assert len(dataset([*examples(2), empty])) == 2


def test_a_run_without_evaluation_interval_evaluates_about_ten_times() -> None:
    spec = RunSpec()
    spec.schedule.max_steps = 205
    assert course(spec, 1000).evaluate_every == 21


def test_the_steps_of_epochs_are_those_of_the_trainer(tiny_llama: Path, tmp_path: Path) -> None:
    spec = runs.make_spec(tiny_llama, tiny_llama, schedule__max_steps=None, schedule__epochs=2.5)
    rows = examples(7)  # 4 batches of 2 an epoch, 2 steps of 2 batches
    assert course(spec, len(rows)).steps == 5
    config = SFTConfig(
        output_dir=str(tmp_path),
        num_train_epochs=2.5,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=2,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        bf16=False,
        use_cpu=True,
        report_to=[],
    )
    tokenizer = build.load_tokenizer(str(tiny_llama))
    trainer = SFTTrainer(
        build.load_base(str(tiny_llama)), config, train_dataset=dataset(rows).table(), processing_class=tokenizer
    )
    assert trainer.set_initial_training_values(config, trainer.get_train_dataloader())[-1] == 5
