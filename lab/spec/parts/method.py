"""The settings of `method`: how much of the model is trained."""

from __future__ import annotations

from typing import Literal

from lab.spec.declare import setting
from lab.spec.parts.part import Part
from lab.text import N_


class MethodSpec(Part):
    """How much of the model is trained."""

    name: Literal["full", "lora", "qlora", "frozen", "progressive"] = setting(
        "lora",
        N_("Method"),
        N_("Train all weights (full) or small added matrices (LoRA)."),
        level="basic",
    )
    rank: int = setting(
        16,
        N_("LoRA rank"),
        N_("Inner dimension of the added matrices; more learns more and costs more."),
        level="basic",
        minimum=1,
        maximum=1024,
        source="QLoRA, arXiv:2305.14314",
    )
    alpha: int = setting(
        32,
        N_("LoRA alpha"),
        N_("The update is scaled by alpha / rank; usually twice the rank."),
        minimum=1,
        maximum=4096,
        source="QLoRA, arXiv:2305.14314",
    )
    dropout: float = setting(
        0.05,
        N_("LoRA dropout"),
        N_("Share of the adapter's inputs dropped in training."),
        unit=N_("share"),
        minimum=0.0,
        maximum=0.9,
        source="QLoRA, arXiv:2305.14314",
    )
    target_modules: Literal["all-linear"] | list[str] = setting(
        "all-linear",
        N_("Target modules"),
        N_("Layers that get an adapter: all-linear, or names such as q_proj, v_proj."),
        source="LoRA Without Regret, thinkingmachines.ai",
    )
    adapter: str = setting(
        "",
        N_("Adapter to go on with"),
        N_("A finished run or the folder of an adapter whose training goes on; empty for a new adapter."),
    )
