"""The settings of `model`: which model is tuned."""

from __future__ import annotations

from typing import Literal

from lab.spec.declare import setting
from lab.spec.parts.part import Part
from lab.text import N_


class ModelSpec(Part):
    """Which model is tuned."""

    source: str = setting(
        "demo",
        N_("Model"),
        N_(
            "A folder with a model in safetensors, a Hub id such as HuggingFaceTB/SmolLM2-135M, the id of a run to "
            "start from its result, or `demo`."
        ),
        level="basic",
    )
    revision: str = setting("", N_("Revision"), N_("Branch, tag or commit of a Hub model; empty for its main branch."))
    quantization: Literal["none", "8bit", "nf4"] = setting(
        "none",
        N_("Quantization"),
        N_("Store the frozen base weights in fewer bits to save memory."),
        source="LLM.int8(), arXiv:2208.07339; QLoRA, arXiv:2305.14314",
    )
    double_quantization: bool = setting(
        True,
        N_("Double quantization"),
        N_("With NF4: store the constants of the blocks in 8 bits too, which saves 0.4 bits for each weight."),
        source="QLoRA, arXiv:2305.14314",
    )
    dropout: float | None = setting(
        None,
        N_("Dropout of the model"),
        N_("Share of values that the model's own layers drop in training; empty keeps what its config says."),
        unit=N_("share"),
        minimum=0.0,
        maximum=0.9,
        source="document 002 L686-692",
    )
