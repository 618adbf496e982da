"""The settings of `speed`: what makes a run faster without changing what it learns; all off is the plain path."""

from __future__ import annotations

from typing import Any, Literal

from lab.spec.declare import setting
from lab.spec.parts.part import Part
from lab.text import N_


class SpeedSpec(Part):
    """What makes a run faster without changing what it learns. Switched off, each gives way to the plain path."""

    padding_free: Literal["auto", "on", "off"] = setting(
        "auto",
        N_("Without padding"),
        N_("Examples stand one after the other in a row; where the model does not allow it, auto pads and on refuses."),
        source="measured: benchmarks/README.md",
    )
    tokens_per_pass: int | None = setting(
        None,
        N_("Tokens per pass"),
        N_(
            "Real tokens that go through the model at once when nothing is padded; empty lets the memory plan decide. "
            "The examples of an update stay the same."
        ),
        unit=N_("tokens"),
        minimum=16,
        maximum=1_048_576,
    )
    label_loss: bool = setting(
        True, N_("Loss on label tokens"), N_("The head scores only tokens that are trained, where TRL scores all.")
    )
    fused_lora: bool = setting(
        True, N_("Fused LoRA"), N_("Layer and adapter in one step with a backward pass of its own.")
    )
    side_by_side: bool = setting(
        True,
        N_("Passes side by side"),
        N_("On a CPU two passes of an update at a time, each on half of the cores; for adapters."),
        source="measured: benchmarks/README.md",
    )
    auto_checkpointing: bool = setting(
        True,
        N_("Checkpointing when needed"),
        N_("Recompute activations when the memory plan says that the run would not fit otherwise."),
    )
    dequantise: bool = setting(
        True,
        N_("NF4 as plain weights"),
        N_(
            "Where the memory plan has room, an NF4 base is rounded once and kept as plain weights with the rounded "
            "values: the values of QLoRA without unpacking them in every step."
        ),
        source="QLoRA, arXiv:2305.14314: its weights are unpacked before each product",
    )
    activation_swap: bool = setting(
        True,
        N_("Fused GELU"),
        N_("The same activation of GPT-2 as one kernel in place of eight; the results differ by 2e-7."),
    )
    fused_kernels: bool = setting(
        True, N_("Fused kernels"), N_("Norm, rope and SwiGLU of liger-kernel, on a GPU where it is installed.")
    )
    async_input: bool = setting(
        True, N_("Input beside the training"), N_("Batches are made by another process while the GPU computes.")
    )
    standby: bool = setting(
        True,
        N_("Warm standby"),
        N_(
            "A worker with the libraries loaded waits for some minutes after a page said that a run is likely, so that "
            "it trains within two seconds; it holds about half a gigabyte."
        ),
    )
    reference_once: bool = setting(
        True,
        N_("Reference asked once"),
        N_("For dpo: the model before the training judges all pairs at the start, not its pairs again in each step."),
        source="TRL 1.16: precompute_ref_log_probs of DPOConfig",
    )
    compile: bool = setting(
        False,
        N_("Compile the blocks"),
        N_("torch.compile for the blocks of the model; minutes at the start, so only for long runs on a GPU."),
    )


# Every switch off: padded batches, TRL's loss, PEFT's layers. What the faster paths are held against.
PLAIN: dict[str, Any] = {
    "speed.padding_free": "off",
    "speed.tokens_per_pass": None,
    **{f"speed.{name}": False for name, field in SpeedSpec.model_fields.items() if field.annotation is bool},
}
