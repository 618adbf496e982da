"""Memory of a training run, term by term, in bytes. A term that cannot be known is None.

Activations have a module of their own; `footprint` puts the terms together.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from lab.models import ModelFacts
from lab.planning.registry import formula
from lab.text import N_

GIB = 2**30
# Bytes per parameter of the states that the optimizer keeps for fp32 parameters: two moments; two in 8 bits with their
# constants (measured); rows and columns in place of a matrix; none without momentum. Paged states may lie in the
# memory of the machine while the GPU has no room.
OPTIMIZER_BYTES = {
    "adamw": 8.0, "paged-adamw-32bit": 8.0, "adamw-8bit": 2.03, "paged-adamw-8bit": 2.03, "adafactor": 0.1, "sgd": 0.0,
    "adagrad": 4.0, "rmsprop": 4.0, "lion": 4.0, "lion-8bit": 1.02, "paged-lion-8bit": 1.02, "ademamix": 12.0,
    "ademamix-8bit": 3.05,
}  # fmt: skip
# Bytes per value of the linear layers in the blocks: 4 bits and a constant for 64 values, in fp32 or quantized again.
LINEAR_BYTES = {"8bit": 1.0, "nf4": 0.51587, "nf4-plain": 0.5625}
# What the process holds beside these terms; `SOURCES` says where it comes from.
OVERHEAD_GIB = {"cuda": 0.6, "cpu": 0.65}
# Tokens and logits that an evaluation on held-out rows reads at once (lab.training.held_out).
HELD_OUT_TOKENS, HELD_OUT_LOGITS = 4096, 2**26
# How each term is come by, for the page; `overhead` by device.
SOURCES = {
    "weights": N_("Values of the base model times their bytes: 4, in bf16 2, in 8 bits 1, in NF4 0.52."),
    "adapter": N_("LoRA parameters times 4 bytes."),
    "gradients": N_("Trained parameters times 4 bytes."),
    "optimizer": N_("Trained parameters times the bytes of the optimizer's states: 8 for AdamW."),
    "activations": N_("Counted tensor by tensor in real models, for the longest example in every place of the batch."),
    "logits": N_("Logits of every token with their copies, or the tile of them that the loss on a GPU holds."),
    "overhead_cuda": N_("The CUDA context; the allocator may keep 5 to 10 % more in reserve."),
    "overhead_cpu": N_(
        "Measured in runs of models of up to 30 million parameters: 0.45 GiB for torch, transformers, TRL, PEFT and "
        "datasets, 0.2 for compiled kernels and the allocator; and the logits of an evaluation with their copy. With "
        "the other terms it is the peak of the process, to about a fifth."
    ),
}
TERMS = ("weights", "adapter", "gradients", "optimizer", "activations", "logits", "overhead")
# TRL 1.16, kernels/chunked_logprob.py: a tile, and the bytes for each of its values that lie beside it in torch's ops.
TILE_TOKENS, TILE_WORDS, TILE_COPIES = 4096, 32_768, 29
HEAD_TILE = 256 * 2**20  # bytes of logits that TRL's fused loss head holds at a time


@dataclass(frozen=True)
class MemoryPlan:
    """Peak memory of one device in GiB, by term; None for what cannot be known."""

    weights_gib: float | None = None
    adapter_gib: float | None = None
    gradients_gib: float | None = None
    optimizer_gib: float | None = None
    activations_gib: float | None = None
    logits_gib: float | None = None
    overhead_gib: float | None = None

    @property
    def total_gib(self) -> float | None:
        """The sum; None as soon as one term is not known."""
        terms = [getattr(self, field.name) for field in fields(self)]
        return None if any(term is None for term in terms) else sum(terms)

    def as_dict(self) -> dict[str, float | None]:
        """Total and terms in GiB, to the nearest MiB."""
        terms = {"total_gib": self.total_gib} | {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: None if value is None else round(value, 3) for name, value in terms.items()}


def sources(device: str) -> dict[str, str]:
    """Where each term of the memory comes from, by its name in `MemoryPlan.as_dict`, on cpu or cuda."""
    names = {name: SOURCES.get(name) or SOURCES[f"{name}_{device}"] for name in TERMS}
    return {f"{name}_gib": text for name, text in names.items()}


@formula(
    "bytes per parameter x parameters / 1e9",
    unit="GB",
    source="tatsu-lab/stanford_alpaca:README.md (16 bytes); Hugging Face model_memory_anatomy (18 bytes)",
)
def full_tuning_gigabytes(parameters: float, bytes_per_parameter: float) -> float:
    """Rule of thumb for weights, gradients and Adam's states, without activations. 7B x 16 = 112 GB."""
    return parameters * bytes_per_parameter / 1e9


@formula("bits per value x parameters / 8 / 2^30", unit="GiB", source="definition")
def weights_gib(parameters: float, bits: float) -> float:
    """Memory of weights in so many bits: 32, 16, 8; NF4 4.5, with double quantisation 4.127. 7B in bf16: 13.04."""
    return bits * parameters / 8 / GIB


@formula(
    "bytes of the states x parameters / 2^30",
    unit="GiB",
    source="AdamW: two fp32 moments; 8-bit states: arXiv:2110.02861, measured 2.03 bytes",
)
def optimizer_gib(parameters: float, optimizer: str) -> float:
    """Memory of the optimizer's states for so many trained fp32 parameters. 7B with AdamW: 52.15."""
    return OPTIMIZER_BYTES[optimizer] * parameters / GIB


@formula(
    "2 x layers x key-value heads x head width x bytes x tokens / 2^30",
    unit="GiB",
    source="keys and values of every layer; bf16: 2 bytes",
)
def kv_cache_gib(layers: int, kv_heads: int, head_dim: int, tokens: float, bytes_each: int = 2) -> float:
    """Memory of generation for so many tokens, all sequences together. Llama 3.1 8B, 8,192 tokens: 1.0."""
    return 2 * layers * kv_heads * head_dim * bytes_each * tokens / GIB


def kv_cache_bytes(facts: ModelFacts, tokens: float, *, bytes_each: int = 2) -> float | None:
    """Bytes of the key-value cache of so many tokens; None for a model whose shape is not known."""
    if facts.layers is None or facts.kv_heads is None or facts.head_dim is None:
        return None
    return kv_cache_gib(facts.layers, facts.kv_heads, facts.head_dim, tokens, bytes_each) * GIB


def weight_bytes(facts: ModelFacts, *, quantization: str = "none", bytes_each: int = 4) -> float | None:
    """Bytes of the base model's weights; quantized weights keep norms, embeddings and head in 2 bytes.

    `quantization`: none, 8bit, nf4 (double quantisation) or nf4-plain (without).
    """
    if facts.parameters is None:
        return None
    if quantization == "none":
        return float(facts.parameters * bytes_each)
    if not facts.linear_modules:
        return None
    linear = sum(layer.weights for layer in facts.linear_modules.values())
    return LINEAR_BYTES[quantization] * linear + 2.0 * (facts.parameters - linear)


def logit_bytes(facts: ModelFacts, tokens: int, *, bf16: bool = True) -> float | None:
    """Peak bytes of a head that keeps every logit of `tokens` tokens: logits, fp32 copy, log-softmax, its
    gradient.
    """
    if facts.vocabulary is None or facts.family == "bert":
        return None if facts.vocabulary is None else 0.0
    return float((14 if bf16 else 12) * facts.vocabulary * tokens)


def fused_head_bytes(facts: ModelFacts, tokens: int, *, full: bool = False) -> float | None:
    """Peak bytes of TRL's loss head on a GPU: a tile of logits, the hidden states' gradient, for a full
    fine-tune the weight's gradient in fp32.
    """
    if facts.vocabulary is None or facts.hidden is None or facts.family == "bert":
        return None if facts.vocabulary is None else 0.0
    whole = logit_bytes(facts, tokens) or 0.0
    fused = HEAD_TILE + 6 * facts.hidden * tokens + (4 * facts.vocabulary * facts.hidden if full else 0)
    return float(min(whole, fused))


def tiled_head_bytes(facts: ModelFacts, tokens: int, *, full: bool = False, bf16: bool = True) -> float | None:
    """Peak bytes of TRL's fused head where there is no Triton, as on a CPU: a tile with its copies in fp32, the
    hidden states' gradient, for a full fine-tune the weight's gradient in fp32.
    """
    if facts.vocabulary is None or facts.hidden is None:
        return None
    tile = min(tokens, TILE_TOKENS) * min(facts.vocabulary, TILE_WORDS) * (TILE_COPIES + (2 if bf16 else 4))
    return float(tile + 8 * facts.hidden * tokens + (4 * facts.vocabulary * facts.hidden if full else 0))


def overhead_bytes(facts: ModelFacts, device: str, *, words: bool = True) -> float:
    """Bytes of the process beside the other terms; on a CPU with the logits of an evaluation, which come on top of what
    the allocator keeps (on a GPU the memory of the training step serves again), where the head has `words`.
    """
    held_out = min(HELD_OUT_TOKENS * (facts.vocabulary or 0), HELD_OUT_LOGITS) * 8 if device == "cpu" and words else 0
    return OVERHEAD_GIB[device] * GIB + held_out


def trained_bytes(parameters: int | None, optimizer: str) -> tuple[float | None, float | None]:
    """Bytes of the gradients and of the optimizer's states for so many trained fp32 parameters."""
    if parameters is None:
        return None, None
    return 4.0 * parameters, OPTIMIZER_BYTES[optimizer] * parameters
