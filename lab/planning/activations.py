"""Activations: what the blocks of a model keep between forward and backward pass.

Counted tensor by tensor for transformers' eager layers with attention that keeps no scores; the counts equal those of
real models to a few bytes per token (tests/unit/test_planning_memory_truth.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.models import ModelFacts
from lab.planning.lora import ALL, is_target

# Where the inputs of the linear layers come from, with the layers that read them, for each family.
_INPUTS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "llama": (
        ("norm", ("q_proj", "k_proj", "v_proj", "qkv_proj")),
        ("attention", ("o_proj",)),
        ("norm", ("gate_proj", "up_proj", "gate_up_proj")),
        ("product", ("down_proj",)),
    ),
    "gpt2": (
        ("norm", ("c_attn",)),
        ("attention", ("attn.c_proj",)),
        ("norm", ("c_fc",)),
        ("product", ("mlp.c_proj",)),
    ),
    "gpt_neox": (
        ("norm", ("query_key_value",)),
        ("attention", ("attention.dense",)),
        ("norm", ("dense_h_to_4h",)),
        ("product", ("dense_4h_to_h",)),
    ),
    "bert": (
        ("norm", ("query", "key", "value")),
        ("attention", ("attention.output.dense",)),
        ("norm", ("intermediate.dense",)),
        ("product", ("output.dense",)),
    ),
}


@dataclass(frozen=True)
class Numbers:
    """In which formats a run computes and what it trains.

    `bf16`: the computation; `autocast`: weights or adapters in fp32, cast as they are used; `half`: frozen weights in
    bf16 beside them. `rank` 0: a full fine-tune. `dropout`: that of the adapter. `mask`: bytes of a dropout mask's
    value, 4 on a CPU, 1 on a GPU. `forms`: faster forms of the layers that keep less: "lora" (the fused pass of the
    lab), "gelu" (GPT-2's activation in one), "liger" (its norm and SwiGLU).
    """

    bf16: bool = True
    autocast: bool = True
    half: bool = False
    rank: int = 0
    targets: list[str] | str = ALL
    dropout: float = 0.0
    mask: int = 1
    forms: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        """Bytes of a value in the blocks."""
        return 2 if self.bf16 else 4

    @property
    def stream(self) -> int:
        """Bytes of a value between the blocks, which keeps the format of the weights."""
        return 2 if self.bf16 and (self.half or not self.autocast) else 4

    @property
    def norm(self) -> int:
        """Bytes of a value in a norm, which autocast computes in fp32."""
        return 2 if self.bf16 and not self.autocast else 4

    @property
    def cast(self) -> bool:
        """Whether each linear layer keeps a bf16 copy of its own of an fp32 input."""
        return self.bf16 and self.autocast


def activation_bytes(
    facts: ModelFacts, tokens: int, *, lora_rank: int = 0, bf16: bool = True, autocast: bool = True,
    checkpointing: bool = False, targets: list[str] | str = ALL, dropout: float = 0.0, mask: int = 1,
    scores: int = 0, half: bool = False, forms: frozenset[str] = frozenset(), blocks: int | None = None,
) -> float | None:  # fmt: skip
    """Bytes kept between forward and backward pass for `tokens` tokens of one batch; None for other families.

    With checkpointing: the input of each block, and all of the one block that is computed again. `scores`: tokens
    of an example whose attention scores are kept, 0 for attention that keeps none. `blocks`: how many from the end
    are trained, below which nothing is kept; None for all. Final norm included, the head not (`memory.logit_bytes`).
    """
    numbers = Numbers(bf16, autocast, half, lora_rank, targets, dropout, mask, forms)
    block = layer_bytes(facts, numbers, scores=scores)
    if block is None or facts.layers is None or facts.hidden is None:
        return None
    layers = facts.layers if blocks is None else min(blocks, facts.layers)
    # An RMS norm keeps the scaled input for its weight, and where a gradient goes further down its input too.
    norms = 0 if lora_rank else (8 if facts.family == "llama" and layers else 4) * facts.hidden
    if facts.family == "bert" and blocks is not None:
        norms = 0  # there is one behind the embeddings and none behind the last block
    if checkpointing and layers:
        kept = layers * facts.hidden * numbers.stream + (4 * facts.hidden if lora_rank else norms)
        return float((kept + block) * tokens)
    return float((layers * block + norms) * tokens)


def layer_bytes(facts: ModelFacts, numbers: Numbers, *, scores: int = 0) -> float | None:
    """Bytes that one block keeps for one token; None for a family that was not counted."""
    if facts.family not in _INPUTS or None in (facts.hidden, facts.heads, facts.kv_heads, facts.head_dim):
        return None
    if facts.intermediate is None:
        return None
    kept = _norms(facts, numbers) + _attention(facts, numbers) + _feed_forward(facts, numbers)
    kept += scores * (facts.heads or 0) * (12 if facts.dropout else 4)
    if facts.dropout and facts.family in ("gpt2", "bert"):  # masks behind attention and feed-forward
        kept += 2 * (facts.hidden or 0) * numbers.mask
    return float(kept + _linear_inputs(facts, numbers))


def _norms(facts: ModelFacts, numbers: Numbers) -> float:
    hidden = facts.hidden or 0
    if facts.family != "llama":  # a layer norm keeps its input, mean and deviation
        return 2 * hidden * numbers.norm + 16
    # An RMS norm keeps its input in fp32; where its weight is trained, the scaled input too.
    count = 4 if facts.model_type == "gemma2" else 2
    if "liger" in numbers.forms:  # its input as it comes, and the norm's factor
        return count * (hidden * numbers.stream + 4)
    return count * (hidden * (4 + (0 if numbers.rank else numbers.norm)) + 4)


def _attention(facts: ModelFacts, numbers: Numbers) -> float:
    """Query, key, value, output, and the logarithm of each head's sum in fp32."""
    heads, width = facts.heads or 0, (facts.heads or 0) * (facts.head_dim or 0)
    keys = (facts.kv_heads or 0) * (facts.head_dim or 0)
    values = 2 * width + 2 * keys
    if facts.family == "gpt_neox":  # turned queries and keys are new; values hold the fused layer's whole output
        values = 6 * width
    return numbers.size * values + 4 * heads


def _feed_forward(facts: ModelFacts, numbers: Numbers) -> float:
    """Gate, activated gate and up; or the layer's output, with four steps of gelu_new where that is spelt out."""
    if facts.family == "llama":
        steps = 2 if "liger" in numbers.forms else 3
    else:
        spelt_out = facts.activation in ("gelu_new", "") and facts.family == "gpt2" and "gelu" not in numbers.forms
        steps = 4 if spelt_out else 1
    return numbers.size * steps * (facts.intermediate or 0)


def _linear_inputs(facts: ModelFacts, numbers: Numbers) -> float:
    """What trained linear layers keep of their inputs, and the adapters of their inner values."""
    kept = 0.0
    for origin, names in _INPUTS[facts.family]:
        present = [name for name in names if name in facts.linear_modules]
        trained = [name for name in present if not numbers.rank or is_target(name, numbers.targets)]
        if trained:
            width = facts.linear_modules[trained[0]].inputs
            kept += width * _copies(origin, len(trained), numbers) + numbers.rank * numbers.size * len(trained)
    return kept


def _copies(origin: str, layers: int, numbers: Numbers) -> float:
    """Bytes kept of one value that so many trained layers read."""
    own = 0 if origin == "attention" else numbers.size  # attention keeps its output anyway
    fused = "lora" in numbers.forms and bool(numbers.rank)
    if fused and numbers.half:
        pass  # the input is in bf16 as it comes: one copy for all of its layers
    elif numbers.cast and (origin == "norm" or (numbers.rank and not fused)):
        own = 2 * layers
    if numbers.rank and numbers.dropout:
        own = layers * (numbers.mask + numbers.size)
    return own


def cast_bytes(
    facts: ModelFacts, trained: int | None, *, full: bool, half: bool, checkpointing: bool,
    upper: int | None = None, words: bool = True,
) -> float:  # fmt: skip
    """Bytes of the bf16 copies of fp32 weights that autocast keeps for the backward pass.

    `half`: the frozen weights are stored in bf16, so that only adapters are cast. With checkpointing the copies of
    frozen weights are those of one block. `upper`: how many blocks from the end are trained, None for all; `words`:
    whether the head has a row for each token of the vocabulary.
    """
    blocks = sum(layer.weights for layer in facts.linear_modules.values())
    if full:
        share = 1.0 if upper is None or not facts.layers else min(1.0, upper / facts.layers)
        return 2.0 * (share * blocks + words * (facts.vocabulary or 0) * (facts.hidden or 0))
    frozen = 0.0 if half else blocks / (facts.layers or 1 if checkpointing else 1)
    return 2.0 * (frozen + (trained or 0))
