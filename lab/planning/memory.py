"""Memory of a training run, term by term, in bytes.

The activations are counted per layer and token for transformers' eager layers with attention that stores no
scores (measured for Llama and GPT-2; the terms marked derived follow from them). A term that cannot be known
is None.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from lab.models import ModelFacts
from lab.planning.registry import formula

GIB = 2**30
# Bytes per parameter of the states that the optimizer keeps for fp32 parameters.
OPTIMIZER_BYTES = {"adamw": 8.0, "paged-adamw-32bit": 8.0, "adamw-8bit": 2.03, "adafactor": 0.1, "sgd": 0.0}
# Bytes per value of the linear layers in the blocks; nf4 with its constants quantized too.
LINEAR_BYTES = {"8bit": 1.0, "nf4": 0.51587}
# What the process holds beside the tensors: CUDA context and allocator on a GPU, Python and libraries on a
# CPU.
OVERHEAD_GIB = {"cuda": 0.6, "cpu": 1.0}
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


@formula(
    "bytes per parameter x parameters / 1e9",
    unit="GB",
    source="tatsu-lab/stanford_alpaca:README.md (16 bytes); Hugging Face model_memory_anatomy (18 bytes)",
)
def full_tuning_gigabytes(parameters: float, bytes_per_parameter: float) -> float:
    """Rule of thumb for weights, gradients and Adam's states, without activations. 7B x 16 = 112 GB."""
    return parameters * bytes_per_parameter / 1e9


def weight_bytes(facts: ModelFacts, *, quantization: str = "none", bytes_each: int = 4) -> float | None:
    """Bytes of the base model's weights; quantized weights keep norms, embeddings and head in 2 bytes."""
    if facts.parameters is None:
        return None
    if quantization == "none":
        return float(facts.parameters * bytes_each)
    if not facts.linear_modules:
        return None
    linear = sum(layer.weights for layer in facts.linear_modules.values())
    return LINEAR_BYTES[quantization] * linear + 2.0 * (facts.parameters - linear)


def activation_bytes(
    facts: ModelFacts, tokens: int, *, lora_rank: int = 0, bf16: bool = True, autocast: bool = True,
    checkpointing: bool = False,
) -> float | None:  # fmt: skip
    """Bytes stored between forward and backward pass for `tokens` tokens of one batch; None for other
    families.
    """
    per_layer = layer_bytes(facts, lora_rank=lora_rank, bf16=bf16, autocast=autocast)
    if per_layer is None or facts.layers is None or facts.hidden is None:
        return None
    if checkpointing:
        kept = facts.layers * facts.hidden * (2 if bf16 else 4)
        return float((kept + per_layer) * tokens)
    return float(facts.layers * per_layer * tokens)


def layer_bytes(facts: ModelFacts, *, lora_rank: int, bf16: bool, autocast: bool) -> float | None:
    """Bytes of stored activations of one layer for one token.

    Counted exactly for bf16 models; with fp32 weights under bf16 autocast, and in fp32, derived from that
    count.
    """
    hidden, heads, kv_heads = facts.hidden, facts.heads, facts.kv_heads
    width, feed = facts.head_dim, facts.intermediate
    if hidden is None or heads is None or kv_heads is None or width is None or feed is None:
        return None
    if facts.family == "llama":
        return _llama_bytes(hidden, heads, kv_heads, width, feed, lora_rank, bf16=bf16, autocast=autocast)
    if facts.family in ("gpt2", "gpt_neox", "bert"):
        # gelu_new keeps its intermediate values, the fused forms do not.
        count = (56 if facts.activation == "gelu_new" else 32) * hidden + 4 * hidden + 4 * heads + 16
        return count + 14 * lora_rank if bf16 else 2.0 * count + 28 * lora_rank
    return None


def _llama_bytes(
    hidden: int, heads: int, kv_heads: int, width: int, feed: int, rank: int, *, bf16: bool, autocast: bool
) -> float:
    attention = 4 * heads * width + 4 * kv_heads * width
    plain = 16 * hidden + attention + 8 * feed + 4 * heads + 8
    if not bf16:
        return 2.0 * plain + 28 * rank
    if autocast:
        return 18 * hidden + attention + 2 * heads * width + 8 * feed + 14 * rank
    return (12 if rank else 16) * hidden + attention + 8 * feed + 4 * heads + 8 + 14 * rank


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


def trained_bytes(parameters: int | None, optimizer: str) -> tuple[float | None, float | None]:
    """Bytes of the gradients and of the optimizer's states for so many trained fp32 parameters."""
    if parameters is None:
        return None, None
    return 4.0 * parameters, OPTIMIZER_BYTES[optimizer] * parameters
