"""Dropout of a model's own layers, set as the model is built: changing its config afterwards changes nothing."""

from __future__ import annotations

from typing import Any

# What families call it in their config.json. Dropout of whole layers and of routers is something else.
NAMES = (
    "hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout",  # BERT and relatives
    "resid_pdrop", "embd_pdrop", "attn_pdrop", "summary_first_dropout",  # GPT-2
    "attention_dropout", "hidden_dropout", "dropout", "embedding_dropout", "seq_classif_dropout", "qa_dropout",
)  # fmt: skip


def settings(config: Any, share: float | None) -> dict[str, Any]:
    """The values of a config that set every dropout of a model to a share; empty without a share."""
    return {} if share is None else {name: share for name in NAMES if hasattr(config, name)}
