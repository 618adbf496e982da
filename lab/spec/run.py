"""RunSpec: the one declaration of every setting of a run.

From it come the form on the page, `--set` and `--help` on the command line, the YAML with its comments,
`docs/settings.md`, the difference between two runs, and the errors that name a field. Adding a setting is one edit
here. Values that a part of the lab does not run yet have their place and are refused in `lab.spec.validate`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from lab.spec.declare import setting
from lab.text import N_

SCHEMA_VERSION: Literal[1] = 1


class Part(BaseModel):
    """A group of settings; unknown names are refused, values are checked on assignment."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, allow_inf_nan=False)


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


class DataSpec(Part):
    """What the model learns from."""

    source: str = setting(
        "demo",
        N_("Data set"),
        N_("A file (CSV, JSON, JSONL), a prepared data set, a Hub id, or `demo`."),
        level="basic",
    )
    examples: int | None = setting(
        None,
        N_("Examples"),
        N_("Number of training examples, for planning without data."),
        unit=N_("rows"),
        minimum=1,
        maximum=10_000_000_000,
    )
    columns: dict[str, str] = setting(
        dict,
        N_("Columns"),
        N_("Which column plays which role, such as prompt: question; empty lets the lab find it."),
    )
    encoding: str = setting(
        "",
        N_("Encoding"),
        N_("How the file stores its letters, such as cp1252; empty for UTF-8 and UTF-16, which the lab recognises."),
    )
    template: Literal["auto", "alpaca", "question-answer", "chat", "plain"] = setting(
        "auto",
        N_("Prompt template"),
        N_("The text around prompt and answer; auto takes the one that fits the data and the model."),
        level="basic",
    )
    max_length: int = setting(
        512,
        N_("Maximum length"),
        N_("Longest example in tokens of the chosen model; longer ones are cut or dropped."),
        unit=N_("tokens"),
        level="basic",
        minimum=8,
        maximum=1_048_576,
    )
    too_long: Literal["drop", "cut"] = setting(
        "drop",
        N_("Too long"),
        N_("Drop an example that is longer than the maximum, or cut its end (it then never learns to stop there)."),
    )
    completion_only: bool = setting(
        True,
        N_("Train on the answer only"),
        N_("Leave the prompt out of the loss, so that the model learns to answer, not to ask."),
        source="Stanford Alpaca, train.py",
    )
    validation_share: float = setting(
        0.1,
        N_("Validation share"),
        N_("Share of the rows that is held out and never trained on, unless the data set has its own split."),
        unit=N_("share"),
        minimum=0.0,
        maximum=0.9,
        source="usual practice",
    )
    packing: bool = setting(
        False, N_("Packing"), N_("Put several examples into one sequence, with their boundaries kept.")
    )


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
    optimizer: Literal["adamw", "adamw-8bit", "paged-adamw-32bit", "adafactor", "sgd"] = setting(
        "adamw", N_("Optimizer"), N_("The rule that turns gradients into steps.")
    )


class RegularisationSpec(Part):
    """What works against overfitting."""

    label_smoothing: float = setting(
        0.0,
        N_("Label smoothing"),
        N_("Share of the target probability that is spread over all tokens."),
        unit=N_("share"),
        minimum=0.0,
        maximum=0.9,
    )
    neftune_alpha: float = setting(
        0.0, N_("NEFTune"), N_("Size of the noise added to the embeddings; 0 for none."), minimum=0.0, maximum=100.0
    )


class EvaluationSpec(Part):
    """What is measured and shown while the model learns, always on held-out rows."""

    every_steps: int | None = setting(
        None,
        N_("Evaluate every"),
        N_("Steps between two evaluations on the held-out rows; empty for about ten over the run."),
        unit=N_("steps"),
        minimum=1,
        maximum=1_000_000,
    )
    max_examples: int = setting(
        200,
        N_("Held-out rows"),
        N_("Largest number of held-out rows that an evaluation reads."),
        unit=N_("rows"),
        minimum=1,
        maximum=100_000,
    )
    samples: int = setting(
        4,
        N_("Sample prompts"),
        N_("Held-out prompts that are answered at step 0 and at each evaluation."),
        unit=N_("prompts"),
        minimum=0,
        maximum=64,
    )
    review_prompts: int = setting(
        24,
        N_("Prompts compared"),
        N_("Held-out prompts that base and tuned model answer for the comparison."),
        unit=N_("prompts"),
        minimum=0,
        maximum=2000,
    )
    max_new_tokens: int = setting(
        60,
        N_("Answer length"),
        N_("Longest answer that is generated."),
        unit=N_("tokens"),
        minimum=1,
        maximum=4096,
    )


class CheckpointSpec(Part):
    """When the state of the run is sealed on disk."""

    every_steps: int | None = setting(
        None,
        N_("Checkpoint every"),
        N_("Steps between two checkpoints; empty for one at each evaluation."),
        unit=N_("steps"),
        minimum=1,
        maximum=1_000_000,
    )
    keep: int = setting(
        2, N_("Checkpoints kept"), N_("The newest ones are kept, older ones removed."), minimum=1, maximum=100
    )


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


class EngineSpec(Part):
    """What starts the worker."""

    name: Literal["local", "torchrun", "ray", "slurm"] = setting(
        "local", N_("Engine"), N_("local starts one process on this machine.")
    )


class RunSpec(Part):
    """Everything that a run needs to be repeated: the same spec on the same data gives the same run."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: str = setting("", N_("Name"), N_("Shown in lists; it need not be unique."), level="basic")
    recipe: str = setting("", N_("Recipe"), N_("The recipe of the catalogue that the run started from."))
    task: Literal[
        "causal-lm", "classification", "token-classification", "extractive-qa", "multi-task", "preference"
    ] = setting("causal-lm", N_("Task"), N_("What the model learns to do."))
    seed: int = setting(
        42,
        N_("Seed"),
        N_("Start of every random choice: split, order, adapter initialisation, dropout."),
        minimum=0,
        maximum=2**32 - 1,
        source="usual practice",
    )
    model: ModelSpec = setting(ModelSpec, N_("Model"), N_("Which model is tuned."))
    method: MethodSpec = setting(MethodSpec, N_("Method"), N_("How much of the model is trained."))
    data: DataSpec = setting(DataSpec, N_("Data"), N_("What the model learns from."))
    schedule: ScheduleSpec = setting(ScheduleSpec, N_("Schedule"), N_("How long, how fast and in what batches."))
    regularisation: RegularisationSpec = setting(
        RegularisationSpec, N_("Regularisation"), N_("What works against overfitting.")
    )
    evaluation: EvaluationSpec = setting(
        EvaluationSpec, N_("Evaluation"), N_("What is measured while the model learns.")
    )
    checkpoints: CheckpointSpec = setting(
        CheckpointSpec, N_("Checkpoints"), N_("When the state of the run is sealed on disk.")
    )
    resources: ResourceSpec = setting(ResourceSpec, N_("Resources"), N_("What the run may use."))
    engine: EngineSpec = setting(EngineSpec, N_("Engine"), N_("What starts the worker."))
