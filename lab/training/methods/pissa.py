"""Adapters that change the base weights at their start (PiSSA), and how they are saved as plain LoRA.

PiSSA takes the largest directions of each weight W into the adapter, s B0 A0, and leaves W - s B0 A0 in the base. What
was learned is s (B A - B0 A0) on top of W: an adapter of twice the rank that any loader of PEFT understands.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from peft import LoraConfig, PeftModel
from peft.tuners.lora import LoraLayer
from peft.utils import get_peft_model_state_dict

_START = "lab_start"


def remember(model: PeftModel) -> None:
    """Keep the first A and B of an adapter that takes part of the base weights with it."""
    if not _moves_base(model):
        return
    for layer in _layers(model):
        a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
        setattr(layer, _START, (a.detach().clone(), b.detach().clone()))


def as_plain_lora(model: PeftModel) -> tuple[LoraConfig, dict[str, torch.Tensor]] | None:
    """Config and weights of the same function as plain LoRA on the untouched base; None where it is that already."""
    if not _moves_base(model):
        return None
    config = model.peft_config["default"]
    weights = get_peft_model_state_dict(model, save_embedding_layers=False)
    for name, layer in model.named_modules():
        start = getattr(layer, _START, None)
        if start is None:
            continue
        a, b = start
        weights[f"{name}.lora_A.weight"] = torch.cat([weights[f"{name}.lora_A.weight"], a.to("cpu")]).contiguous()
        weights[f"{name}.lora_B.weight"] = torch.cat([weights[f"{name}.lora_B.weight"], -b.to("cpu")], 1).contiguous()
    plain = LoraConfig(**_kept(config))
    plain.r = 2 * config.r
    plain.lora_alpha = scale(config) * plain.r
    plain.use_rslora, plain.init_lora_weights = False, True
    return plain, weights


@torch.no_grad()
def base_of(model: PeftModel) -> Any:
    """The model without its adapter, and with the weights that the adapter had taken part of as they were."""
    config = model.peft_config.get("default")
    for layer in _layers(model):
        start = getattr(layer, _START, None)
        if start is not None:
            weight = layer.get_base_layer().weight
            taken = scale(config) * (start[1] @ start[0])
            weight += (taken.t() if layer.fan_in_fan_out else taken).to(weight)
    return model.unload()


def scale(config: LoraConfig) -> float:
    """The factor in front of an adapter: alpha / r, or alpha / sqrt(r) with rsLoRA."""
    return config.lora_alpha / (math.sqrt(config.r) if config.use_rslora else config.r)


def _kept(config: LoraConfig) -> dict[str, Any]:
    names = (
        "task_type", "base_model_name_or_path", "revision", "target_modules", "lora_alpha", "lora_dropout",
        "fan_in_fan_out", "bias", "modules_to_save",
    )  # fmt: skip
    return {name: getattr(config, name) for name in names} | {"inference_mode": True}


def _moves_base(model: PeftModel) -> bool:
    config = model.peft_config.get("default")
    return isinstance(config, LoraConfig) and str(config.init_lora_weights).startswith("pissa")


def _layers(model: torch.nn.Module) -> list[LoraLayer]:
    return [layer for layer in model.modules() if isinstance(layer, LoraLayer) and "default" in layer.lora_A]
