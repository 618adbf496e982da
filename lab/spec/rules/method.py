"""Which methods go with which models."""

from __future__ import annotations

from lab.errors import InputError
from lab.spec.run import RunSpec
from lab.text import N_


def conflicts(spec: RunSpec) -> list[InputError]:
    """The contradictions, each with the way out."""
    found = []
    if spec.method.name == "qlora" and spec.model.quantization == "none":
        found.append(
            InputError(
                N_("QLoRA needs a quantized base model."),
                where="model.quantization",
                next=N_("Choose nf4 or 8bit, or the method lora."),
            )
        )
    if spec.method.name == "full" and spec.model.quantization != "none":
        found.append(
            InputError(
                N_("Quantized weights cannot be trained in full."),
                where="model.quantization",
                next=N_("Choose quantization none, or the method qlora."),
            )
        )
    return found
