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
        N_("A folder with a model in safetensors, a Hub id such as HuggingFaceTB/SmolLM2-135M, or `demo`."),
        level="basic",
    )
    revision: str = setting("", N_("Revision"), N_("Branch, tag or commit of a Hub model; empty for its main branch."))
    quantization: Literal["none", "8bit", "nf4"] = setting(
        "none", N_("Quantization"), N_("Store the frozen base weights in fewer bits to save memory.")
    )
