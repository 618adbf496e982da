"""The maximum length that a run has: the one asked for, or what the model has positions for."""

from __future__ import annotations

from lab.models import ModelFacts
from lab.spec import RunSpec, setting_at, with_overrides


def room_of(spec: RunSpec, facts: ModelFacts) -> int | None:
    """The tokens of an example that the model has positions for; learned tokens take positions too. None: not known."""
    if facts.positions is None:
        return None
    return facts.positions - (spec.method.virtual_tokens if spec.method.name == "prompt-tuning" else 0)


def fitted(spec: RunSpec, facts: ModelFacts) -> RunSpec:
    """The spec as its run takes it: the default length is cut to the model's positions.

    A longer one that somebody chose stays, and is refused before the queue (`lab.runs.early_checks`).
    """
    room, default = room_of(spec, facts), setting_at("data.max_length").default
    if room is None or room < 1 or spec.data.max_length <= room or spec.data.max_length != default:
        return spec
    return with_overrides(spec, {"data.max_length": room})
