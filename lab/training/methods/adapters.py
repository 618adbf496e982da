"""The adapter of a run as PEFT makes it: LoRA with its variants and starts, or a learned prompt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from peft import LoraConfig, PeftConfig, PeftModel, PromptTuningConfig, TaskType, get_peft_model
from transformers import PreTrainedModel, PreTrainedTokenizerBase, set_seed

from lab.errors import InputError
from lab.spec import MethodSpec, RunSpec
from lab.text import N_
from lab.training.methods import pissa, quantised

STARTS: dict[str, Any] = {
    "default": True,
    "gaussian": "gaussian",
    "orthogonal": "orthogonal",
    "pissa": "pissa",
    "pissa-fast": "pissa_niter_16",
    "loftq": True,  # put in place afterwards, from the weights before they were rounded
}


def lora_config(
    method: MethodSpec,
    model: torch.nn.Module,
    targets: str | Sequence[str],
    *,
    task_type: str | None = None,
    whole: Iterable[str] = (),
) -> LoraConfig:
    """The LoRA adapter of a spec on these layers; those in `whole` are trained and saved whole.

    Raises InputError for a rank that a layer has no room for.
    """
    chosen = targeted(model, targets, set(whole))
    _check_rank(method.rank, chosen)
    return LoraConfig(
        task_type=task_type,
        r=method.rank,
        lora_alpha=method.alpha,
        lora_dropout=method.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        modules_to_save=sorted(whole) or None,
        use_rslora=method.rslora,
        use_dora=method.dora,
        init_lora_weights=STARTS[method.init],
        # GPT-2's Conv1D keeps inputs x outputs; quantized, it is a linear layer like any other.
        fan_in_fan_out=bool(chosen) and all(type(layer).__name__ == "Conv1D" for layer in chosen.values()),
    )


def prompt_config(method: MethodSpec, tokenizer: PreTrainedTokenizerBase, folder: str) -> PromptTuningConfig:
    """A learned prompt, from the words of a text or from tokens drawn by chance. Lester et al., arXiv:2104.08691."""
    start: dict[str, Any] = {"prompt_tuning_init": "RANDOM"}
    if method.prompt.strip():
        start = {
            "prompt_tuning_init": "TEXT",
            "prompt_tuning_init_text": method.prompt,
            "tokenizer_name_or_path": folder,
        }
    return PromptTuningConfig(task_type=TaskType.CAUSAL_LM, num_virtual_tokens=method.virtual_tokens, **start)


def adapt(model: PreTrainedModel, config: PeftConfig, spec: RunSpec) -> PeftModel:
    """The model with a new adapter, which depends on the seed alone; what is trained is in fp32."""
    set_seed(spec.seed)
    tuned = get_peft_model(model, config)
    if spec.method.init == "loftq":
        quantised.start_from_rounding(tuned, spec.model.source, spec.model.revision)
    for weight in tuned.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
    pissa.remember(tuned)
    return tuned


def prompt_tokens(model: torch.nn.Module) -> int:
    """Learned tokens that stand before every example; 0 for a model without a learned prompt."""
    config = model.active_peft_config if isinstance(model, PeftModel) else None
    return int(config.num_virtual_tokens) if config is not None and config.is_prompt_learning else 0


def targeted(model: torch.nn.Module, targets: str | Sequence[str], left_out: set[str]) -> dict[str, torch.nn.Module]:
    """The linear layers that names such as `q_proj` mean, by their full names; all but the head for all-linear."""
    head = model.get_output_embeddings() if isinstance(model, PreTrainedModel) else None
    found = {}
    for name, layer in model.named_modules():
        linear = isinstance(layer, torch.nn.Linear) or type(layer).__name__ == "Conv1D"
        if not linear or layer is head or name in left_out:
            continue
        if isinstance(targets, str) or any(f".{name}".endswith(f".{target}") for target in targets):
            found[name] = layer
    return found


def sizes(layer: Any) -> tuple[int, int]:
    """Inputs and outputs of a linear layer, also of GPT-2's Conv1D and of quantized ones."""
    if type(layer).__name__ == "Conv1D":
        return int(layer.weight.shape[0]), int(layer.nf)
    return int(layer.in_features), int(layer.out_features)


def _check_rank(rank: int, layers: dict[str, torch.nn.Module]) -> None:
    if not layers:
        return
    name, room = min(((name, min(sizes(layer))) for name, layer in layers.items()), key=lambda one: one[1])
    if rank > room:
        raise InputError(
            N_("A rank of {rank} is more than the {room} dimensions of {layer}."),
            where="method.rank",
            allowed=N_("Allowed: up to {room}."),
            next=N_("Usual are 8 to 64."),
            rank=rank,
            room=room,
            layer=name,
        )
