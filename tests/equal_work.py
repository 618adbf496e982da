"""For tests of equal work: tiny models, rows for them, and one update of plain TRL and of the lab's trainer."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

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
from lab.spec import RunSpec, with_overrides
from lab.training import build
from lab.training.choices import Choices
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
    tiny_llama: Path,
    folder: Path,
    model: Any,
    rows: list[Example],
    choices: Choices,
    packs: Sequence[Sequence[int]] | None = None,
    **changes: Any,
) -> LabTrainer:
    items = len(rows if packs is None else packs)
    settings = {"schedule.per_device_batch": items, "schedule.accumulation": 1, "schedule.max_steps": 1}
    spec = with_overrides(RunSpec(), {**settings, **changes})
    machine = Machine("cpu", "bf16" if spec.resources.precision == "bf16" else "fp32", 1)
    config = arguments(spec, course(spec, items), machine, folder)
    tokenizer = build.load_tokenizer(str(tiny_llama))
    return LabTrainer(
        model, config, dataset(rows, packs), tokenizer, machine, Pace(), adapt=adapted, max_length=48, choices=choices
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
