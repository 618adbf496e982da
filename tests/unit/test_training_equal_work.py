"""Equal work: every optimisation gives the gradient, the loss and the label tokens of padded plain TRL."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)
from trl import SFTConfig, SFTTrainer

from lab.data.example import IGNORED, Example
from lab.errors import InputError
from lab.spec import RunSpec, with_overrides
from lab.training import attention, build, probe
from lab.training.batches import pack, passes
from lab.training.choices import Choices
from lab.training.fused import fuse_lora, swap_activation, unfuse_lora
from lab.training.machine import Machine
from lab.training.measure import Pace
from lab.training.steps import course
from lab.training.trainer import LabTrainer, arguments, dataset

WORDS, END = 96, 1
SHAPE: dict[str, Any] = {
    "vocab_size": WORDS, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "tie_word_embeddings": True,
}  # fmt: skip
GPT2: dict[str, Any] = {"vocab_size": WORDS, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
NO_DROPOUT = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
MODELS: dict[str, Callable[[], PreTrainedModel]] = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SHAPE)),
    "qwen": lambda: Qwen2ForCausalLM(Qwen2Config(**SHAPE)),
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(**GPT2, **NO_DROPOUT)),
}
# One optimisation at a time, and all of them.
CHOICES = {
    "padding-free": {"label_loss": False},
    "label-loss": {"padding_free": "off", "label_loss": True},
    "fused-lora": {"padding_free": "off", "label_loss": False, "fused_lora": True},
    "checkpointing": {"checkpointing": True, "label_loss": False},
    "activation": {"padding_free": "off", "label_loss": False, "activation_swap": True},
    "small-passes": {"budget": 24},
    "all": {"budget": 64, "fused_lora": True, "activation_swap": True},
}


def made(name: str) -> PreTrainedModel:
    """A random model, the same at each call; its adapter starts away from zero."""
    torch.manual_seed(0)
    return MODELS[name]().eval()


def adapted(model: PreTrainedModel) -> Any:
    torch.manual_seed(1)
    fan = model.config.model_type == "gpt2"
    config = LoraConfig(
        r=4,
        lora_alpha=8,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
        init_lora_weights=False,
        fan_in_fan_out=fan,
    )
    return get_peft_model(model, config)


def rows_of(count: int = 10) -> list[Example]:
    """Examples of unlike lengths, the prompt out of the loss, the end token trained."""
    draw = random.Random(3)
    found = []
    for _ in range(count):
        prompt = [draw.randrange(3, WORDS) for _ in range(draw.randint(2, 9))]
        answer = [*(draw.randrange(3, WORDS) for _ in range(draw.randint(1, 14))), END]
        found.append(Example("", "", "", "", prompt + answer, [IGNORED] * len(prompt) + answer, len(prompt)))
    return found


def plain_trl(tiny_llama: Path, folder: Path, model: Any, rows: list[Example], **changes: Any) -> SFTTrainer:
    config: dict[str, Any] = {
        "output_dir": str(folder), "per_device_train_batch_size": len(rows), "max_length": None, "bf16": False,
        "use_cpu": True, "report_to": [], "gradient_checkpointing": False, "disable_tqdm": True, "save_strategy": "no",
        "dataset_kwargs": {"skip_prepare_dataset": True},
    }  # fmt: skip
    tokenizer = build.load_tokenizer(str(tiny_llama))
    return SFTTrainer(
        model, SFTConfig(**config | changes), train_dataset=dataset(rows).table(), processing_class=tokenizer
    )


def lab_trainer(
    tiny_llama: Path, folder: Path, model: Any, rows: list[Example], choices: Choices, **changes: Any
) -> LabTrainer:
    settings = {"schedule.per_device_batch": len(rows), "schedule.accumulation": 1, "schedule.max_steps": 1}
    spec = with_overrides(RunSpec(), {**settings, **changes})
    machine = Machine("cpu", "bf16" if spec.resources.precision == "bf16" else "fp32", 1)
    config = arguments(spec, course(spec, len(rows)), machine, folder)
    tokenizer = build.load_tokenizer(str(tiny_llama))
    return LabTrainer(
        model, config, dataset(rows), tokenizer, machine, Pace(), adapt=adapted, max_length=48, choices=choices
    )


def one_step(trainer: SFTTrainer) -> tuple[float, int, dict[str, torch.Tensor]]:
    """Loss, label tokens and gradients of the first update over all rows."""
    trainer.create_optimizer()
    model = trainer.model.train()
    if trainer.args.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
        model.enable_input_require_grads()
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(len(trainer.train_dataset))])
    items = trainer._get_num_items_in_batch([batch], torch.device("cpu"))
    trainer.current_gradient_accumulation_steps = 1
    loss = float(trainer.training_step(model, batch, items))
    return loss, int(items), {n: w.grad.clone() for n, w in model.named_parameters() if w.grad is not None}


def far(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> float:
    """The difference of two gradients, relative to the size of the second."""
    assert found.keys() == expected.keys()
    difference = torch.cat([(found[n] - expected[n]).flatten() for n in expected])
    return float(difference.norm() / torch.cat([part.flatten() for part in expected.values()]).norm())


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("name", MODELS)
def test_one_step_has_the_gradient_of_padded_plain_trl(
    tiny_llama: Path, tmp_path: Path, name: str, choice: str
) -> None:
    rows = rows_of()
    loss, labels, expected = one_step(plain_trl(tiny_llama, tmp_path, adapted(made(name)), rows))
    trainer = lab_trainer(tiny_llama, tmp_path, made(name), rows, Choices(**CHOICES[choice]))
    got = one_step(trainer)
    assert got[1] == labels == sum(label != IGNORED for row in rows for label in row.labels[1:])
    assert got[0] == pytest.approx(loss, rel=1e-5)
    assert far(got[2], expected) < 1e-5


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
