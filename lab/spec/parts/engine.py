"""The settings of `engine`: what starts the worker."""

from __future__ import annotations

from typing import Literal

from lab.spec.declare import setting
from lab.spec.parts.part import Part
from lab.text import N_


class EngineSpec(Part):
    """What starts the worker."""

    name: Literal["local", "torchrun", "ray", "slurm"] = setting(
        "local", N_("Engine"), N_("local starts one process on this machine.")
    )
