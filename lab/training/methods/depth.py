"""How deep below the head a weight lies: what freezing, thawing and rates by layers go by."""

from __future__ import annotations

import re

import torch

from lab.errors import InputError
from lab.text import N_

# `model.layers.3.`, `bert.encoder.layer.3.`, `transformer.h.3.`, `encoder.block.3.`
_BLOCK = re.compile(r"(?:^|\.)(?:layers?|h|blocks?)\.(\d+)\.")


def depths(model: torch.nn.Module) -> dict[str, int]:
    """The depth of every weight by its name: 0 for head and last norm, 1 for the last block, and so on downwards.

    What comes before the first block, as embeddings do, is deepest. A head that is the embedding table itself counts
    as that. Raises InputError for a model without numbered blocks.
    """
    names = [name for name, _ in model.named_parameters()]
    blocks = {name: int(found.group(1)) for name in names if (found := _BLOCK.search(name))}
    if not blocks:
        raise InputError(
            N_("The blocks of this model are not known, so its layers cannot be told apart."),
            where="method.name",
            next=N_("Choose full or lora, and a layer_decay of 1."),
        )
    count = max(blocks.values()) + 1
    found_at: dict[str, int] = {}
    below = count + 1
    for name in names:  # in the order in which the model was put together: embeddings, blocks, norm, head
        if name in blocks:
            found_at[name] = count - blocks[name]
            below = 0
        else:
            found_at[name] = below
    return found_at


def blocks_of(model: torch.nn.Module) -> int:
    """How many blocks a model has."""
    return max(depths(model).values()) - 1 if any(depth for depth in depths(model).values()) else 0
