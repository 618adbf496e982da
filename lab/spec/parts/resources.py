"""The settings of `resources`: what the run may use."""

from __future__ import annotations

from typing import Literal

from lab.spec.declare import setting
from lab.spec.parts.part import Part
from lab.text import N_


class ResourceSpec(Part):
    """What the run may use."""

    devices: int = setting(
        1, N_("Devices"), N_("Number of GPUs; 1 also means the CPU of a machine without one."), minimum=1, maximum=4096
    )
    device: Literal["auto", "cpu", "cuda"] = setting("auto", N_("Device"), N_("auto takes the GPU when there is one."))
    precision: Literal["auto", "bf16", "fp16", "fp32"] = setting(
        "auto",
        N_("Precision"),
        N_("Number format of the computation; auto takes bf16 where the hardware has it, else fp32."),
        source="TRL default",
    )
    gradient_checkpointing: bool = setting(
        False, N_("Gradient checkpointing"), N_("Recompute activations instead of storing them: less memory, slower.")
    )
    threads: int | None = setting(
        None,
        N_("CPU threads"),
        N_("Threads of the computation on a CPU; empty lets the lab choose."),
        minimum=1,
        maximum=1024,
    )
