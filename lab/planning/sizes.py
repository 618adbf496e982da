"""Sizes of models from their dimensions."""

from __future__ import annotations

from lab.models import facts_of
from lab.planning.registry import formula


@formula(
    "V h (1 if tied, else 2) + L (2 h H d + 2 h K d + 3 h F + 2 h) + h",
    unit="parameters",
    source="transformers 5.23, LlamaForCausalLM",
)
def llama_parameters(
    vocabulary: int, hidden: int, layers: int, heads: int, kv_heads: int, feed_forward: int, tied: bool
) -> int | None:
    """Parameters of a Llama with these dimensions (V vocabulary, h width, L layers, H heads, K key-value
    heads of width d = h / H, F feed-forward width). Llama 3.2 1B: 1,235,814,400.
    """
    config = {
        "model_type": "llama",
        "vocab_size": vocabulary,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "intermediate_size": feed_forward,
        "tie_word_embeddings": tied,
    }
    return facts_of(config).parameters


@formula("positions of the model's config", unit="tokens", source="config.json of the model")
def positions_of(model: str) -> int | None:
    """Longest sequence that the model has positions for."""
    return facts_of(model).positions
