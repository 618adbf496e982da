"""What has a place in the spec and no engine behind it yet."""

from __future__ import annotations

from typing import Any

from lab.errors import InputError
from lab.spec.run import RunSpec
from lab.text import N_

LATER = N_("This version of the lab does not run {value} yet; it keeps its place in the spec.")

# Path -> values that run today.
RUNS_TODAY: dict[str, tuple[object, ...]] = {
    "resources.devices": (1,),
    "resources.precision": ("auto", "bf16", "fp32"),
    "engine.name": ("local",),
}


def not_yet(spec: RunSpec) -> list[InputError]:
    """One error for each setting whose value does not run in this version."""
    found = []
    for path, runs in RUNS_TODAY.items():
        value: Any = spec
        for name in path.split("."):
            value = getattr(value, name)
        if value not in runs:
            choices = ", ".join(str(choice) for choice in runs)
            found.append(
                InputError(LATER, where=path, allowed=N_("Allowed today: {choices}."), value=value, choices=choices)
            )
    return found
