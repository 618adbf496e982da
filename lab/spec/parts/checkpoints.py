"""The settings of `checkpoints`: when the state of the run is sealed on disk."""

from __future__ import annotations

from lab.spec.declare import setting
from lab.spec.parts.part import Part
from lab.text import N_


class CheckpointSpec(Part):
    """When the state of the run is sealed on disk."""

    every_steps: int | None = setting(
        None,
        N_("Checkpoint every"),
        N_("Steps between two checkpoints; empty for one at each evaluation."),
        unit=N_("steps"),
        minimum=1,
        maximum=1_000_000,
    )
    keep: int = setting(
        2, N_("Checkpoints kept"), N_("The newest ones are kept, older ones removed."), minimum=1, maximum=100
    )
