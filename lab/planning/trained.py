"""How many weights each method trains."""

from __future__ import annotations

from lab.models import ModelFacts
from lab.planning.lora import adapter_parameters
from lab.spec import RunSpec
from lab.spec.rules.task import LABELLED

USUAL_BLOCKS = 2  # of a language model with frozen layers (lab.training.methods.freezing)


def trained_of(spec: RunSpec, facts: ModelFacts) -> int | None:
    """Trained weights of a run; None where they depend on what is not known, such as the labels of the data.

    Progressive unfreezing ends with all of them, or with those of its largest phase.
    """
    method = spec.method
    if method.name == "full":
        return facts.parameters
    if method.adapts:
        return adapter_parameters(facts, method.rank, method.target_modules, dora=method.dora)
    if method.name == "prompt-tuning":
        return None if facts.hidden is None else method.virtual_tokens * facts.hidden
    blocks = trained_blocks(spec)
    return facts.parameters if blocks is None else _upper(spec, facts, blocks)


def trained_blocks(spec: RunSpec) -> int | None:
    """How many blocks from the end are trained at most; None where gradients go through all of them."""
    method = spec.method
    if method.name == "progressive":
        return method.ordered_phases()[-1][0] if method.phases else None
    if method.name != "frozen":
        return None
    if method.trainable_layers is not None:
        return method.trainable_layers
    return 0 if spec.task in LABELLED else USUAL_BLOCKS


def trained_about(spec: RunSpec, facts: ModelFacts) -> int | None:
    """As `trained_of`, without the few weights of a head whose labels are not known yet: enough for memory."""
    known, blocks = trained_of(spec, facts), trained_blocks(spec)
    if known is not None or spec.task not in LABELLED or blocks is None or not facts.hidden:
        return known
    one = block_parameters(facts) if blocks else 0
    pooler = facts.hidden**2 + facts.hidden if facts.family == "bert" and spec.task == "classification" else 0
    return None if one is None else min(blocks, facts.layers or blocks) * one + pooler


def block_parameters(facts: ModelFacts) -> int | None:
    """Weights of one block: its linear layers and norms; None for a family that is not known."""
    if not facts.layers or not facts.hidden or not facts.linear_modules:
        return None
    of_blocks = [layer for layer in facts.linear_modules.values() if layer.count == facts.layers]  # no pooler
    linear = sum(layer.parameters for layer in of_blocks) // facts.layers
    norms = {"llama": 2, "gpt2": 4, "gpt_neox": 4, "bert": 4}.get(facts.family)
    return None if norms is None or facts.model_type in _OTHER_NORMS else linear + norms * facts.hidden


_OTHER_NORMS = ("gemma2", "qwen3", "olmo2")


def _upper(spec: RunSpec, facts: ModelFacts, blocks: int) -> int | None:
    """Weights of so many last blocks with the last norm and a head of its own; a tied head is not among them."""
    one = block_parameters(facts)
    if spec.task in LABELLED or one is None or facts.tied is None or not facts.vocabulary or not facts.hidden:
        return None
    norm = facts.hidden * (1 if facts.family == "llama" else 2)
    head = 0 if facts.tied else facts.vocabulary * facts.hidden
    return min(blocks, facts.layers or blocks) * one + norm + head
