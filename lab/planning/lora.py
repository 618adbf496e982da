"""LoRA: how many parameters are trained, and how large the adapter is."""

from __future__ import annotations

import math
from collections.abc import Iterable

from lab.models import ModelFacts, facts_of
from lab.models.architectures import Linear
from lab.planning.registry import formula

_PEFT = "arXiv:2106.09685; PEFT documentation"
ALL = "all-linear"


@formula("sum over target layers of rank x (inputs + outputs)", unit="parameters", source=_PEFT)
def lora_parameters(model: str, rank: int, targets: list[str] | str = "all-linear") -> int | None:
    """Trained parameters of an adapter on the model's real layers; None for a model whose layers are not
    known.

    GPT-2 Large, rank 16, c_attn and c_fc: 6,635,520.
    """
    return adapter_parameters(facts_of(model), rank, targets)


@formula("LoRA parameters / (model parameters)", unit="share", source=_PEFT)
def lora_share(model: str, rank: int, targets: list[str] | str = "all-linear") -> float | None:
    """Trained parameters as a share of the base model's. Llama 3.2 1B, rank 16, attention: 0.276 %."""
    facts = facts_of(model)
    trained = adapter_parameters(facts, rank, targets)
    return None if trained is None or not facts.parameters else trained / facts.parameters


@formula("alpha / rank", unit="factor", source=_PEFT)
def lora_scale(alpha: float, rank: float) -> float:
    """The factor in front of the adapter's update."""
    return alpha / rank


@formula("alpha / sqrt(rank)", unit="factor", source="rsLoRA, arXiv:2312.03732")
def rank_stabilised_scale(alpha: float, rank: float) -> float:
    """The factor in front of the update with rsLoRA. Alpha 32, rank 16: 8."""
    return alpha / math.sqrt(rank)


def adapter_parameters(facts: ModelFacts, rank: int, targets: list[str] | str, *, dora: bool = False) -> int | None:
    """Trained parameters of an adapter, with DoRA a length for each output too.

    None when the layers are not known or a target is not among them.
    """
    layers = target_layers(facts, targets)
    if layers is None:
        return None
    matrices = sum(rank * (layer.inputs + layer.outputs) * layer.count for layer in layers)
    return matrices + (sum(layer.outputs * layer.count for layer in layers) if dora else 0)


def target_layers(facts: ModelFacts, targets: list[str] | str) -> list[Linear] | None:
    """The linear layers that get an adapter; None when the model's layers are not known or none has this
    name.
    """
    if not facts.linear_modules:
        return None
    return [layer for name, layer in facts.linear_modules.items() if is_target(name, targets)] or None


def is_target(layer: str, targets: list[str] | str) -> bool:
    """Whether the linear layer of this name gets an adapter."""
    return targets == ALL or _matches(layer, [targets] if isinstance(targets, str) else targets)


def unknown_targets(facts: ModelFacts, targets: list[str] | str) -> list[str]:
    """Target names that no linear layer of the model has; empty when nothing is known about the model."""
    if not facts.linear_modules or targets == "all-linear":
        return []
    names = [targets] if isinstance(targets, str) else targets
    return [name for name in names if not any(_matches(layer, [name]) for layer in facts.linear_modules)]


def adapter_bytes(parameters: int, bytes_each: int = 4) -> int:
    """Size of the saved adapter in bytes; the Trainer keeps adapters in fp32."""
    return parameters * bytes_each


def _matches(layer: str, names: Iterable[str]) -> bool:
    """PEFT's rule: the target is the end of the layer's path."""
    return any(layer == name or layer.endswith(f".{name}") for name in names)
