"""The settings of `schedule`: how long, how fast and in what batches."""

from __future__ import annotations

from typing import Literal

from lab.spec.declare import setting
from lab.spec.parts.part import Part
from lab.text import N_

# Names of the optimizers -> `TrainingArguments.optim` of transformers. All but the plain ones are bitsandbytes'.
OPTIMIZERS = {
    "adamw": "adamw_torch_fused",
    "adamw-8bit": "adamw_bnb_8bit",
    "paged-adamw-32bit": "paged_adamw_32bit",
    "paged-adamw-8bit": "paged_adamw_8bit",
    "adafactor": "adafactor",
    "sgd": "sgd",
    "adagrad": "adagrad",
    "rmsprop": "rmsprop",
    "lion": "lion_32bit",
    "lion-8bit": "lion_8bit",
    "paged-lion-8bit": "paged_lion_8bit",
    "ademamix": "ademamix",
    "ademamix-8bit": "ademamix_8bit",
}
PLAIN_OPTIMIZERS = ("adamw", "adafactor", "sgd", "adagrad", "rmsprop")


class ScheduleSpec(Part):
    """How long, how fast and in what batches."""

    epochs: float = setting(
        3.0,
        N_("Epochs"),
        N_("How often every example is seen; ignored when a number of steps is given."),
        level="basic",
        above=0.0,
        maximum=1000.0,
        source="Stanford Alpaca, README",
    )
    max_steps: int | None = setting(
        None,
        N_("Optimizer steps"),
        N_("Number of optimizer steps instead of epochs; empty to go by epochs."),
        unit=N_("steps"),
        minimum=1,
        maximum=100_000_000,
    )
    short_steps: int = setting(
        30,
        N_("Steps of a short run"),
        N_("A short run is the full run stopped after this many steps."),
        unit=N_("steps"),
        minimum=1,
        maximum=100_000,
    )
    per_device_batch: int = setting(
        4,
        N_("Batch per device"),
        N_("Examples that one device takes through the model at once."),
        unit=N_("examples"),
        level="basic",
        minimum=1,
        maximum=65_536,
    )
    accumulation: int = setting(
        4,
        N_("Gradient accumulation"),
        N_("Batches whose gradients are added up before one optimizer step."),
        unit=N_("batches"),
        minimum=1,
        maximum=65_536,
        source="Hugging Face documentation",
    )
    learning_rate: float = setting(
        2e-4,
        N_("Learning rate"),
        N_("Size of the optimizer's steps at the peak of the schedule."),
        level="basic",
        above=0.0,
        maximum=1.0,
        source="QLoRA, arXiv:2305.14314",
    )
    scheduler: Literal["linear", "cosine", "cosine-with-floor", "constant", "wsd", "inverse-sqrt", "polynomial"] = (
        setting(
            "cosine",
            N_("Scheduler"),
            N_("How the learning rate falls after the warmup; wsd holds the peak and falls at the end."),
            source="Stanford Alpaca, README",
        )
    )
    floor: float = setting(
        0.1,
        N_("Floor of the learning rate"),
        N_("Lowest rate as a share of the peak; for the schedulers cosine-with-floor, wsd and polynomial."),
        unit=N_("share"),
        minimum=0.0,
        maximum=0.9,
        source="SmolLM3, alignment-handbook: cosine to 10 %",
    )
    decay: float = setting(
        0.1,
        N_("Decay of wsd"),
        N_("Share of the steps, at the end, in which the scheduler wsd lets the rate fall."),
        unit=N_("share"),
        minimum=0.0,
        maximum=1.0,
        source="MiniCPM, arXiv:2404.06395",
    )
    warmup: float = setting(
        0.03,
        N_("Warmup"),
        N_("Rise of the learning rate at the start: a share of the steps below 1, else a number of steps."),
        unit=N_("share or steps"),
        minimum=0.0,
        maximum=1_000_000.0,
        source="Stanford Alpaca, README",
    )
    weight_decay: float = setting(
        0.0,
        N_("Weight decay"),
        N_("Pull of the weights towards zero at each step; biases and norms are spared."),
        minimum=0.0,
        maximum=10.0,
        source="Stanford Alpaca, README",
    )
    max_grad_norm: float = setting(
        1.0,
        N_("Gradient clipping"),
        N_("Largest norm of the gradient; a larger one is scaled down. 0 switches it off."),
        minimum=0.0,
        maximum=1000.0,
        source="TRL default",
    )
    optimizer: Literal[
        "adamw", "adamw-8bit", "paged-adamw-32bit", "paged-adamw-8bit", "adafactor", "sgd", "adagrad", "rmsprop",
        "lion", "lion-8bit", "paged-lion-8bit", "ademamix", "ademamix-8bit",
    ] = setting(
        "adamw",
        N_("Optimizer"),
        N_("The rule that turns gradients into steps; 8-bit ones need less memory, paged ones lend the machine's."),
        source="transformers 5.23, OptimizerNames",
    )  # fmt: skip
    layer_decay: float = setting(
        1.0,
        N_("Layer-wise decay of the rate"),
        N_("The rate of each block as a share of the one above it; the head has the full rate, 1 treats all alike."),
        unit=N_("share"),
        above=0.0,
        maximum=1.0,
        source="ULMFiT, arXiv:1801.06146: 1 / 2.6; ELECTRA: 0.8 to 0.9",
    )
