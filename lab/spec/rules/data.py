"""Which settings of the data and its preparation contradict each other."""

from __future__ import annotations

from lab.errors import InputError
from lab.spec.run import RunSpec


def conflicts(spec: RunSpec) -> list[InputError]:
    """The contradictions, each with the way out."""
    found: list[InputError] = []
    return found
