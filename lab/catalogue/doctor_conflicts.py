"""Settings that contradict each other, the machine, or the length of the run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from lab.catalogue.doctor_parts import Case, Finding, Said, Suggestion, finding
from lab.errors import InputError
from lab.planning.suggestions import USUAL_WARMUP
from lab.spec import conflicts
from lab.text import N_

EVALUATIONS = 10
MANY_CHECKPOINTS = 100
NEEDS_A_GPU = ("adamw-8bit", "paged-adamw-32bit")


def spec_conflicts(case: Case) -> Iterator[Finding]:
    """What the spec itself refuses, each with the change that ends it."""
    for problem in conflicts(case.spec):
        change, reason = _way_out(case, problem)
        yield Finding(
            f"conflict:{problem.where}",
            problem.where,
            "error",
            Said(problem.template, "", dict(problem.values)),
            Suggestion(change, reason) if change else None,
            1 if problem.where == "schedule.learning_rate" else None,
        )


def _way_out(case: Case, problem: InputError) -> tuple[dict[str, Any], Said]:
    usual = case.plan.learning_rate_range
    if problem.where == "schedule.learning_rate":
        rate = usual.default if usual else 2e-4
        return {problem.where: rate}, Said(
            N_("The usual rate for this method and size."), usual.source if usual else ""
        )
    if problem.where == "schedule.warmup":
        return {problem.where: USUAL_WARMUP}, Said(N_("3 % of the steps, as Alpaca, Vicuna and QLoRA have it."))
    if case.spec.method.name == "qlora":
        return {problem.where: "nf4"}, Said(N_("QLoRA's own format."), "arXiv:2305.14314")
    return {problem.where: "none"}, Said(N_("Weights that are trained stay in full precision."))


def device(case: Case) -> Iterator[Finding]:
    """What a CPU cannot do."""
    spec = case.spec
    if spec.resources.device != "cpu":
        return
    if spec.schedule.optimizer in NEEDS_A_GPU:
        yield finding(
            "optimizer-needs-gpu", "schedule.optimizer", "error",
            N_("The optimizer {optimizer} runs on a GPU only, and the device is the CPU."), "bitsandbytes",
            {"optimizer": spec.schedule.optimizer}, change={"schedule.optimizer": "adamw"},
            reason=N_("The same rule with its statistics in fp32."),
        )  # fmt: skip
    if spec.model.quantization != "none" and spec.method.name != "full":
        change = {"model.quantization": "none"}
        if spec.method.name == "qlora":
            change["method.name"] = "lora"
        yield finding(
            "quantization-needs-gpu", "model.quantization", "error",
            N_("Quantized weights need a GPU, and the device is the CPU."), "bitsandbytes",
            change=change, reason=N_("LoRA on the weights as they are."),
        )  # fmt: skip
    if spec.resources.precision == "fp16":
        yield finding(
            "fp16-on-cpu", "resources.precision", "error",
            N_("fp16 is not trained on a CPU."), "PyTorch, automatic mixed precision",
            change={"resources.precision": "auto"}, reason=N_("bf16 where the hardware has it, else fp32."),
        )  # fmt: skip


def precision(case: Case) -> Iterator[Finding]:
    """fp16 where bf16 would do."""
    if case.spec.resources.precision == "fp16" and case.spec.resources.device != "cpu":
        yield finding(
            "fp16", "resources.precision", "info",
            N_("fp16 overflows above 65,504 and needs loss scaling; bf16 has the range of fp32."),
            "TRL's default and QLoRA: bf16; GPUs before Ampere have fp16 only",
            change={"resources.precision": "auto"}, reason=N_("bf16 where the hardware has it, else fp32."),
        )  # fmt: skip


def data_and_batch(case: Case) -> Iterator[Finding]:
    """A step that holds more than all the data."""
    examples, together = case.plan.inputs.items, case.plan.effective_batch  # packs of them, where they are packed
    if examples is None or together <= examples:
        return
    schedule = case.spec.schedule
    batch = min(schedule.per_device_batch, examples)
    fitting = max(1, examples // max(1, batch * case.spec.resources.devices))
    yield finding(
        "batch-larger-than-data", "schedule.accumulation", "error",
        N_("One step takes {batch} examples and there are {examples}: an epoch is less than one full step."),
        "arithmetic", {"batch": together, "examples": examples},
        change={"schedule.accumulation": fitting, "schedule.per_device_batch": batch},
        reason=N_("A step then fits into the data."),
    )  # fmt: skip


def intervals(case: Case) -> Iterator[Finding]:
    """Evaluation and checkpoints that never come, or all the time."""
    steps = case.steps
    if steps is None:
        return
    tenth = max(1, math.ceil(steps / EVALUATIONS))
    reason, values = N_("About ten times over the run."), {"steps": steps}
    evaluate, save = case.spec.evaluation.every_steps, case.spec.checkpoints.every_steps
    if evaluate is not None and evaluate > steps:
        yield finding(
            "evaluation-never", "evaluation.every_steps", "warning",
            N_("The run has {steps} steps and would be evaluated every {every}: only at its end."), "arithmetic",
            {**values, "every": evaluate}, change={"evaluation.every_steps": tenth}, reason=reason,
        )  # fmt: skip
    if case.signs.get("saves") is False:
        sentence = N_("The file switches checkpoints off: a run that stops is lost.")
        yield finding("checkpoint-off", "checkpoints.every_steps", "warning", sentence, "save_strategy: no")
    elif save is not None and save > steps:
        yield finding(
            "checkpoint-never", "checkpoints.every_steps", "info",
            N_("The run has {steps} steps and would be saved every {every}: a run that stops is lost."), "arithmetic",
            {**values, "every": save}, change={"checkpoints.every_steps": tenth}, reason=reason,
        )  # fmt: skip
    elif save is not None and steps / save > MANY_CHECKPOINTS:
        yield finding(
            "checkpoints-all-the-time", "checkpoints.every_steps", "warning",
            N_("The run would be saved {count} times, every {every} steps: that costs time and gains nothing."),
            "document 001 L574-577: 12,450 steps saved every 20, so 622 times", {"count": steps // save, "every": save},
            change={"checkpoints.every_steps": tenth}, reason=reason,
        )  # fmt: skip


def length_twice(case: Case) -> Iterator[Finding]:
    """A file that names steps and epochs: the steps win."""
    if case.states("schedule.max_steps") and case.states("schedule.epochs") and case.plan.epochs is not None:
        yield finding(
            "steps-and-epochs", "schedule.epochs", "info",
            N_("The file names {asked:g} epochs and {steps} steps; the steps win, which is {epochs:.3g} epochs."),
            "transformers, TrainingArguments.max_steps",
            {"asked": case.spec.schedule.epochs, "steps": case.spec.schedule.max_steps, "epochs": case.plan.epochs},
        )  # fmt: skip


def foreign_code(case: Case) -> Iterator[Finding]:
    """Code that a model brings along."""
    if case.signs.get("trust_remote_code"):
        yield finding(
            "remote-code", "model.source", "warning",
            N_("The file lets the model's repository run code on your machine; the lab never does."),
            "transformers, trust_remote_code; document 001 L475 has it for Llama, which does not need it",
        )  # fmt: skip


RULES = (spec_conflicts, device, precision, data_and_batch, intervals, length_twice, foreign_code)
