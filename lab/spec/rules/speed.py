"""Which settings of speed and memory contradict each other."""

from __future__ import annotations

from lab.errors import InputError
from lab.spec.run import RunSpec
from lab.text import N_


def conflicts(spec: RunSpec) -> list[InputError]:
    """The contradictions, each with the way out."""
    found: list[InputError] = []
    if spec.data.packing and spec.speed.padding_free == "off":
        found.append(
            InputError(
                N_("Packed examples stand in one row, and padding-free rows are switched off."),
                where="data.packing",
                allowed=N_("Packing with speed.padding_free on or auto."),
                next=N_("Set speed.padding_free=auto, or switch data.packing off."),
            )
        )
    return found
