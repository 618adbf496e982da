"""Equal work: every optimisation gives the gradient, the loss and the label tokens of padded plain TRL."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from equal_work import MODELS, WORDS, adapted, far, lab_trainer, made, one_step, plain_trl, rows_of
from transformers import PreTrainedModel

from lab.data.example import IGNORED
from lab.errors import InputError
from lab.training import attention, probe
from lab.training.batches import pack, passes
from lab.training.choices import Choices
from lab.training.fused import fuse_lora, swap_activation, unfuse_lora

# One optimisation at a time, and all of them.
CHOICES = {
    "padding-free": {"label_loss": False},
    "label-loss": {"padding_free": "off", "label_loss": True},
    "fused-lora": {"padding_free": "off", "label_loss": False, "fused_lora": True},
    "checkpointing": {"checkpointing": True, "label_loss": False},
    "activation": {"padding_free": "off", "label_loss": False, "activation_swap": True},
    "small-passes": {"budget": 24},
    "side-by-side": {"budget": 64, "fused_lora": True, "side_by_side": True},
    "many-side-by-side": {"budget": 24, "side_by_side": True},
    "all": {"budget": 64, "fused_lora": True, "activation_swap": True},
}


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("name", MODELS)
def test_one_step_has_the_gradient_of_padded_plain_trl(
    tiny_llama: Path, tmp_path: Path, name: str, choice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.training.side_by_side.LEAST", 0)
    rows = rows_of()
    loss, labels, expected = one_step(plain_trl(tiny_llama, tmp_path, adapted(made(name)), rows))
    trainer = lab_trainer(tiny_llama, tmp_path, made(name), rows, Choices(**CHOICES[choice]))
    got = one_step(trainer)
    assert got[1] == labels == sum(label != IGNORED for row in rows for label in row.labels[1:])
    assert got[0] == pytest.approx(loss, rel=1e-5)
    assert far(got[2], expected) < 1e-5


def test_checkpointing_that_is_chosen_takes_effect_and_leaves_the_gradients_as_they_were(
    tiny_llama: Path, tmp_path: Path
) -> None:
    found = {}
    for chosen in (False, True):
        trainer = lab_trainer(
            tiny_llama, tmp_path, made("llama"), rows_of(16), Choices(budget=64, checkpointing=chosen),
            **{"schedule.max_steps": 2},
        )  # fmt: skip
        trainer.train()
        assert trainer.model.is_gradient_checkpointing is chosen
        found[chosen] = [entry["grad_norm"] for entry in trainer.state.log_history if "grad_norm" in entry]
    assert found[True] == pytest.approx(found[False], rel=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_over_twenty_updates_in_bf16_the_loss_stays_with_plain_trl(tiny_llama: Path, tmp_path: Path, name: str) -> None:
    rows = rows_of(40)
    common = {"max_steps": 20, "learning_rate": 1e-3, "logging_steps": 1, "seed": 5, "data_seed": 5}
    reference = plain_trl(
        tiny_llama, tmp_path / "trl", adapted(made(name)), rows, bf16=True, per_device_train_batch_size=8,
        weight_decay=0.0, lr_scheduler_type="constant", **common,
    )  # fmt: skip
    reference.train()
    changes = {
        "schedule.max_steps": 20, "schedule.learning_rate": 1e-3, "schedule.per_device_batch": 4, "seed": 5,
        "schedule.accumulation": 2, "schedule.weight_decay": 0.0, "schedule.scheduler": "constant",
        "schedule.warmup": 0.0, "resources.precision": "bf16",
    }  # fmt: skip
    choices = Choices(budget=64, fused_lora=True, activation_swap=True)
    ours = lab_trainer(tiny_llama, tmp_path / "lab", made(name), rows, choices, **changes)
    ours.train()
    wanted = [entry["loss"] for entry in reference.state.log_history if "loss" in entry]
    losses = [entry["loss"] for entry in ours.state.log_history if "loss" in entry]
    assert len(losses) == len(wanted) == 20
    assert losses == pytest.approx(wanted, rel=5e-3)
    assert losses[-1] < losses[0]


def test_the_last_update_of_an_epoch_trains_on_what_is_left(tiny_llama: Path, tmp_path: Path) -> None:
    rows = rows_of(10)
    changes = {"schedule.per_device_batch": 2, "schedule.accumulation": 2, "schedule.max_steps": 3}
    trainer = lab_trainer(tiny_llama, tmp_path, made("llama"), rows, Choices(budget=64), **changes)
    trainer.train()
    assert trainer.state.epoch == 1.0
    assert trainer.take_counts() == (sum(len(row.input_ids) for row in rows), 10)


# --- the parts ---


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_fused_lora_is_peft_s_forward_and_backward_pass(name: str, dropout: float) -> None:
    model = adapted(made(name)).train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    for layer in [m for m in model.modules() if hasattr(m, "lora_dropout")]:
        layer.lora_dropout["default"] = torch.nn.Dropout(dropout) if dropout else torch.nn.Identity()
    ids = torch.randint(3, WORDS, (1, 12), generator=torch.Generator().manual_seed(0))

    def gradients() -> dict[str, torch.Tensor]:
        model.zero_grad()
        torch.manual_seed(7)  # the same dropout
        model(input_ids=ids, labels=ids).loss.backward()
        return {n: w.grad.clone() for n, w in model.named_parameters() if w.grad is not None}

    expected = gradients()
    assert fuse_lora(model) == len([m for m in model.modules() if hasattr(m, "lora_dropout")]) > 0
    assert far(gradients(), expected) < 1e-5
    unfuse_lora(model)
    assert far(gradients(), expected) == 0.0


def test_the_fused_gelu_is_gpt2_s_own_function() -> None:
    model = made("gpt2")
    ids = torch.arange(3, 20)[None]
    with torch.no_grad():
        before = model(input_ids=ids).logits
        assert swap_activation(model)
        after = model(input_ids=ids).logits
    assert not torch.equal(before, after)  # another kernel ran
    assert (before - after).abs().max() < 1e-5
    assert model.config.activation_function == "gelu_new"  # what is saved is what was loaded
    assert not swap_activation(made("llama"))


@pytest.mark.parametrize("length", [attention.SHORT, attention.SHORT + 1])
def test_attention_is_the_same_on_both_sides_of_the_short_examples(length: int) -> None:
    torch.manual_seed(0)
    query, key, value = (
        torch.randn(1, 4, length + 5, 8),
        torch.randn(1, 2, length + 5, 8),
        torch.randn(1, 2, length + 5, 8),
    )
    bounds = torch.tensor([0, 5, length + 5])
    found, _ = attention.varlen_attention(torch.nn.Module(), query, key, value, None, cu_seq_lens_q=bounds)
    for low, high in ((0, 5), (5, length + 5)):
        alone = torch.nn.functional.scaled_dot_product_attention(
            query[:, :, low:high], key[:, :, low:high], value[:, :, low:high], is_causal=True, enable_gqa=True
        )
        assert (found[:, low:high] - alone.transpose(1, 2)).abs().max() < 1e-5


# --- passes ---


def test_packs_hold_every_example_once_and_never_more_than_the_budget() -> None:
    draw = random.Random(0)
    lengths = [draw.randint(1, 90) for _ in range(500)] + [150]
    packs = pack(lengths, 100)
    assert sorted(i for members in packs for i in members) == list(range(501))
    assert all(sum(lengths[i] for i in members) <= 100 for members in packs if members != [500])
    full = sum(lengths[:500]) / (100 * (len(packs) - 1))
    assert full > 0.97


def test_an_update_that_fits_is_one_pass_and_a_large_one_is_cut() -> None:
    assert passes([5, 6, 7], 18) == [[0, 1, 2]]
    assert sorted(map(len, passes([5, 6, 7], 13))) == [1, 2]
    assert passes([30], 13) == [[0]]


# --- the probe ---


def blind(model: PreTrainedModel) -> PreTrainedModel:
    """The model with a fault that packing must not meet: it counts positions through the row."""
    forward = model.model.forward

    def through(*args: Any, **kwargs: Any) -> Any:
        if kwargs.get("position_ids") is not None:
            kwargs["position_ids"] = torch.arange(kwargs["position_ids"].shape[1])[None]
        if kwargs.get("cu_seq_lens_q") is not None:
            whole = torch.tensor([0, int(kwargs["cu_seq_lens_q"][-1])], dtype=torch.int32)
            kwargs |= {"cu_seq_lens_q": whole, "cu_seq_lens_k": whole}
        return forward(*args, **kwargs)

    model.model.forward = through
    return model


@pytest.mark.parametrize("name", MODELS)
def test_the_probe_finds_no_difference_in_a_model_that_keeps_examples_apart(name: str) -> None:
    found = probe.probe(made(name), 48)
    assert found.fits and found.difference is not None and found.difference < 1e-5


def test_the_probe_refuses_a_model_that_mixes_neighbours() -> None:
    found = probe.probe(blind(made("llama")), 48)
    assert not found.fits and found.difference is not None and found.difference > 0.01
    with pytest.raises(InputError, match="cannot share a row"):
        probe.decide(blind(made("llama")), 48, Choices(padding_free="on"))
    with pytest.raises(InputError, match="cannot share a row"):
        probe.decide(blind(made("llama")), 48, Choices(packed=True))
    assert not probe.decide(blind(made("llama")), 48, Choices())
