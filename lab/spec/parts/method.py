"""The settings of `method`: how much of the model is trained."""

from __future__ import annotations

from typing import Literal

from lab.spec.declare import setting
from lab.spec.parts.part import Part
from lab.text import N_

ALL_BLOCKS = "all"


def _phases() -> dict[str, float]:
    return {"0": 2.0, "2": 2.0, ALL_BLOCKS: 1.0}


class MethodSpec(Part):
    """How much of the model is trained."""

    name: Literal["full", "lora", "qlora", "frozen", "progressive", "prompt-tuning"] = setting(
        "lora",
        N_("Method"),
        N_(
            "Train all weights (full), added matrices (LoRA; on a quantized base QLoRA), the last layers (frozen), "
            "more and more layers (progressive), or a learned prompt."
        ),
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
    rslora: bool = setting(
        False,
        N_("Rank-stabilised scale"),
        N_("Scale the update by alpha / square root of the rank, so that large ranks learn as fast as small ones."),
        source="rsLoRA, arXiv:2312.03732",
    )
    dora: bool = setting(
        False,
        N_("DoRA"),
        N_("Learn the length of each output's weights apart from their direction; slower, and a little larger."),
        source="DoRA, arXiv:2402.09353",
    )
    init: Literal["default", "gaussian", "orthogonal", "pissa", "pissa-fast", "loftq"] = setting(
        "default",
        N_("Start of the adapter"),
        N_(
            "default starts from no change; pissa from the largest directions of each weight (pissa-fast finds them "
            "roughly); loftq from what NF4 rounded away."
        ),
        source="LoRA, arXiv:2106.09685; PiSSA, arXiv:2404.02948; LoftQ, arXiv:2310.08659",
    )
    adapter: str = setting(
        "",
        N_("Adapter to go on with"),
        N_("A finished run or the folder of an adapter whose training goes on; empty for a new adapter."),
    )
    trainable_layers: int | None = setting(
        None,
        N_("Trained blocks"),
        N_(
            "For the method frozen: how many blocks from the end are trained with the head; empty for none, or for two "
            "where a language model is trained."
        ),
        unit=N_("blocks"),
        minimum=0,
        maximum=1000,
        source="document 002 L95-117",
    )
    phases: dict[str, float] = setting(
        _phases,
        N_("Phases"),
        N_(
            "For the method progressive: blocks from the end that are trained, such as 0 (the head), 2 or all, and for "
            "how large a part of the run."
        ),
        source="document 002 L124-126; ULMFiT, arXiv:1801.06146",
    )
    virtual_tokens: int = setting(
        20,
        N_("Virtual tokens"),
        N_("For prompt tuning: how many learned tokens stand before every prompt."),
        unit=N_("tokens"),
        minimum=1,
        maximum=1000,
        source="Lester et al., arXiv:2104.08691: 20 and more",
    )
    prompt: str = setting(
        "",
        N_("Start of the prompt"),
        N_("For prompt tuning: a text whose tokens the learned ones start from; empty for tokens drawn by chance."),
        source="Lester et al., arXiv:2104.08691",
    )

    @property
    def adapts(self) -> bool:
        """Whether LoRA matrices are trained beside the weights."""
        return self.name in ("lora", "qlora")

    @property
    def whole(self) -> bool:
        """Whether the run leaves a whole model, not an adapter of its base."""
        return self.name in ("full", "frozen", "progressive")

    def ordered_phases(self) -> list[tuple[int | None, float]]:
        """Blocks and part of each phase, fewest blocks first; None stands for every weight of the model."""
        known = [(None if name == ALL_BLOCKS else int(name), part) for name, part in self.phases.items()]
        return sorted(known, key=lambda phase: (phase[0] is None, phase[0] or 0))
