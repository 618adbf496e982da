"""From the numbers in config.json to the layers of a model and their exact size.

One reader for each family. Layer names and biases are those of transformers; a test compares them with its
classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Linear:
    """A kind of linear layer: input and output width, how many the model has, and whether it adds a bias."""

    inputs: int
    outputs: int
    count: int
    bias: bool = False

    @property
    def weights(self) -> int:
        """Values in the matrices of all these layers, biases left out."""
        return self.inputs * self.outputs * self.count

    @property
    def parameters(self) -> int:
        """Values in all these layers, biases included."""
        return self.weights + (self.outputs * self.count if self.bias else 0)


@dataclass(frozen=True)
class Shape:
    """What shapes a model: widths in values, counts of layers and heads, the blocks' linear layers by name.

    `other` counts every value outside the linear layers of the blocks: embeddings, norms and the head.
    """

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    positions: int | None
    tied: bool
    linear: dict[str, Linear] = field(default_factory=dict)
    other: int = 0
    family: str = "llama"

    @property
    def parameters(self) -> int:
        """Exact number of values in the model."""
        return self.other + sum(layer.parameters for layer in self.linear.values())


def shape_of(config: Mapping[str, Any]) -> Shape | None:
    """The shape behind a config.json; None for an architecture or a set of numbers that is not known here."""
    reader = _READERS.get(str(config.get("model_type", "")))
    if reader is None:
        return None
    try:
        return reader(config)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def _llama(config: Mapping[str, Any]) -> Shape:
    """Llama and its relatives: RMS norms, gated feed-forward, separate query, key and value layers."""
    kind = config["model_type"]
    hidden, layers, heads = (
        int(config["hidden_size"]),
        int(config["num_hidden_layers"]),
        int(config["num_attention_heads"]),
    )
    kv_heads = int(config.get("num_key_value_heads") or heads)
    head_dim = int(config.get("head_dim") or hidden // heads)
    feed = int(config["intermediate_size"])
    attention_bias = bool(config.get("attention_bias", False))
    bias = kind == "qwen2" or attention_bias
    feed_bias = bool(config.get("mlp_bias", False))
    linear = {
        "q_proj": Linear(hidden, heads * head_dim, layers, bias),
        "k_proj": Linear(hidden, kv_heads * head_dim, layers, bias),
        "v_proj": Linear(hidden, kv_heads * head_dim, layers, bias),
        "o_proj": Linear(heads * head_dim, hidden, layers, attention_bias and kind != "qwen2"),
        "gate_proj": Linear(hidden, feed, layers, feed_bias),
        "up_proj": Linear(hidden, feed, layers, feed_bias),
        "down_proj": Linear(feed, hidden, layers, feed_bias),
    }
    norms = {"gemma2": 4}.get(kind, 2) * hidden
    if kind == "qwen3":
        norms += 2 * head_dim
    elif kind == "olmo2":
        norms += (heads + kv_heads) * head_dim
    tied = bool(config.get("tie_word_embeddings", kind in ("smollm3", "gemma", "gemma2")))
    vocabulary = int(config["vocab_size"])
    return Shape(
        hidden, layers, heads, kv_heads, head_dim, feed, vocabulary, _positions(config), tied, linear,
        other=vocabulary * hidden * (1 if tied else 2) + layers * norms + hidden,
    )  # fmt: skip


def _phi3(config: Mapping[str, Any]) -> Shape:
    """Phi-3: as Llama, with query, key and value in one layer and gate and up in another."""
    plain = _llama({**config, "model_type": "llama", "attention_bias": False, "mlp_bias": False})
    hidden, feed, layers = plain.hidden, plain.intermediate, plain.layers
    width = plain.heads * plain.head_dim
    linear = {
        "qkv_proj": Linear(hidden, width + 2 * plain.kv_heads * plain.head_dim, layers),
        "o_proj": Linear(width, hidden, layers),
        "gate_up_proj": Linear(hidden, 2 * feed, layers),
        "down_proj": Linear(feed, hidden, layers),
    }
    return Shape(**{**plain.__dict__, "linear": linear})


def _gpt2(config: Mapping[str, Any]) -> Shape:
    hidden, layers, heads = int(config["n_embd"]), int(config["n_layer"]), int(config["n_head"])
    feed = int(config.get("n_inner") or 4 * hidden)
    vocabulary, positions = int(config["vocab_size"]), int(config.get("n_positions") or config["n_ctx"])
    tied = bool(config.get("tie_word_embeddings", True))
    # PEFT matches names by their end: c_proj is both the attention's output and the feed-forward's.
    linear = {
        "c_attn": Linear(hidden, 3 * hidden, layers, True),
        "attn.c_proj": Linear(hidden, hidden, layers, True),
        "c_fc": Linear(hidden, feed, layers, True),
        "mlp.c_proj": Linear(feed, hidden, layers, True),
    }
    other = vocabulary * hidden * (1 if tied else 2) + positions * hidden + layers * 4 * hidden + 2 * hidden
    return Shape(
        hidden,
        layers,
        heads,
        heads,
        hidden // heads,
        feed,
        vocabulary,
        positions,
        tied,
        linear,
        other,
        "gpt2",
    )


def _gpt_neox(config: Mapping[str, Any]) -> Shape:
    hidden, layers, heads = (
        int(config["hidden_size"]),
        int(config["num_hidden_layers"]),
        int(config["num_attention_heads"]),
    )
    feed, vocabulary = int(config["intermediate_size"]), int(config["vocab_size"])
    bias = bool(config.get("attention_bias", True))
    tied = bool(config.get("tie_word_embeddings", False))
    linear = {
        "query_key_value": Linear(hidden, 3 * hidden, layers, bias),
        "attention.dense": Linear(hidden, hidden, layers, bias),
        "dense_h_to_4h": Linear(hidden, feed, layers, True),
        "dense_4h_to_h": Linear(feed, hidden, layers, True),
    }
    other = vocabulary * hidden * (1 if tied else 2) + layers * 4 * hidden + 2 * hidden
    kind, positions = "gpt_neox", _positions(config)
    return Shape(hidden, layers, heads, heads, hidden // heads, feed, vocabulary, positions, tied, linear, other, kind)


def _bert(config: Mapping[str, Any]) -> Shape:
    """The encoder with its pooler, as BertModel; a classification head comes on top."""
    hidden, layers, heads = (
        int(config["hidden_size"]),
        int(config["num_hidden_layers"]),
        int(config["num_attention_heads"]),
    )
    feed, vocabulary = int(config["intermediate_size"]), int(config["vocab_size"])
    positions, kinds = int(config["max_position_embeddings"]), int(config.get("type_vocab_size", 2))
    linear = {
        "query": Linear(hidden, hidden, layers, True),
        "key": Linear(hidden, hidden, layers, True),
        "value": Linear(hidden, hidden, layers, True),
        "attention.output.dense": Linear(hidden, hidden, layers, True),
        "intermediate.dense": Linear(hidden, feed, layers, True),
        "output.dense": Linear(feed, hidden, layers, True),
        "pooler.dense": Linear(hidden, hidden, 1, True),
    }
    other = (vocabulary + positions + kinds) * hidden + 2 * hidden + layers * 4 * hidden
    return Shape(
        hidden,
        layers,
        heads,
        heads,
        hidden // heads,
        feed,
        vocabulary,
        positions,
        True,
        linear,
        other,
        "bert",
    )


def _roberta(config: Mapping[str, Any]) -> Shape:
    """As BERT, with positions that are counted from behind the padding token's."""
    plain = _bert(config)
    first = int(config.get("pad_token_id") or 0) + 1
    return replace(plain, positions=int(config["max_position_embeddings"]) - first)


def _positions(config: Mapping[str, Any]) -> int | None:
    positions = config.get("max_position_embeddings")
    return int(positions) if positions else None


_READERS: dict[str, Callable[[Mapping[str, Any]], Shape]] = {
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "smollm3", "gemma", "gemma2", "olmo2"), _llama),
    "phi3": _phi3,
    "gpt2": _gpt2,
    "gpt_neox": _gpt_neox,
    "bert": _bert,
    **dict.fromkeys(("roberta", "xlm-roberta", "camembert"), _roberta),
}
# The values of model_type whose shape is known.
FAMILIES = tuple(_READERS)
