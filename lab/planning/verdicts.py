"""What there is to say about a plan: each value against the range seen in published runs, with the source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

from lab.planning import lora, verdicts_lengths
from lab.planning.suggestions import memory_change
from lab.planning.verdict import Status, Verdict
from lab.spec import RunSpec
from lab.text import N_

if TYPE_CHECKING:
    from lab.planning.plan import Plan

AMBER_EPOCHS, RED_EPOCHS, FEW_ROWS_EPOCHS = 5, 10, 15
FEW_ROWS = 1000
LONG_DAYS = 7
BANDS = {
    "full": (32, 128, "Alpaca, Vicuna, Tulu 3: 128; Llama 2: 64"),
    "lora": (8, 32, N_("QLoRA: 16; below 32 advised for LoRA in TRL's LoRA Without Regret")),
    "encoder": (16, 32, "BERT, arXiv:1810.04805"),
}


def judge(plan: Plan, spec: RunSpec) -> list[Verdict]:
    """Every verdict on a plan, in the order of the settings."""
    rules: tuple[Callable[[Plan, RunSpec], Iterator[Verdict]], ...] = (
        _model,
        _targets,
        verdicts_lengths.length,
        verdicts_lengths.packs,
        verdicts_lengths.windows,
        _epochs,
        _batch,
        _rate,
        _warmup,
        _decay,
        _clipping,
        _memory,
    )
    return [verdict for rule in rules for verdict in rule(plan, spec)]


def _model(plan: Plan, spec: RunSpec) -> Iterator[Verdict]:
    if plan.inputs.facts.parameters is None:
        yield Verdict(
            "model.source",
            "warning",
            N_("The size of {model} is not known here, so memory and time are not known either."),
            "",
            {"model": spec.model.source},
        )


def _targets(plan: Plan, spec: RunSpec) -> Iterator[Verdict]:
    if spec.method.name not in ("lora", "qlora"):
        return
    missing = lora.unknown_targets(plan.inputs.facts, spec.method.target_modules)
    if missing:
        names = ", ".join(plan.inputs.facts.linear_modules)
        yield Verdict(
            "method.target_modules",
            "error",
            N_("The model has no layer called {missing}; its layers are {names}."),
            "config.json of the model",
            {"missing": ", ".join(missing), "names": names},
        )
    elif spec.method.target_modules != "all-linear":
        yield Verdict(
            "method.target_modules",
            "warning",
            N_("LoRA on some layers only learns less than on all linear layers with as many parameters."),
            "thinkingmachines.ai/blog/lora; arXiv:2305.14314",
        )


def _epochs(plan: Plan, spec: RunSpec) -> Iterator[Verdict]:
    where = "schedule.max_steps" if spec.schedule.max_steps is not None else "schedule.epochs"
    source = N_("Alpaca, Tulu 3: 3 and 2 epochs; LIMA: 15 on 1,000 rows; document 000 L495")
    if plan.epochs is None:
        return
    values = {"epochs": plan.epochs}
    alarm = epoch_alarm(plan.epochs, plan.inputs.examples)
    if alarm == "red":
        sentence = N_("Every example is seen {epochs:.1f} times, so it is learned by heart; usual are 1 to 5.")
        yield Verdict(where, "error", sentence, source, values)
    elif alarm == "amber":
        sentence = N_("Every example is seen {epochs:.1f} times; usual are 1 to 3. Watch the held-out loss.")
        yield Verdict(where, "high", sentence, source, values)
    else:
        yield Verdict(where, "ok", N_("Every example is seen {epochs:.2g} times."), source, values)


def epoch_alarm(epochs: float, examples: int | None) -> Literal["ok", "amber", "red"]:
    """Amber above 5 epochs, red above 10; with less than 1,000 rows amber above 15 and never red."""
    if examples is not None and examples < FEW_ROWS:
        return "amber" if epochs > FEW_ROWS_EPOCHS else "ok"
    return "red" if epochs > RED_EPOCHS else "amber" if epochs > AMBER_EPOCHS else "ok"


def _batch(plan: Plan, spec: RunSpec) -> Iterator[Verdict]:
    encoder = plan.inputs.facts.family == "bert"
    kind = "lora" if spec.method.name in ("lora", "qlora") else "encoder" if encoder else "full"
    low, high, source = BANDS[kind]
    value = round(plan.effective_batch * plan.inputs.examples_per_item)
    status: Status = "low" if value < low else "high" if value > high else "ok"
    if plan.inputs.packs is not None:
        together = N_("{packs} packs together hold about {value} examples; usual are {low} to {high}.")
        values = {"packs": plan.effective_batch, "value": value, "low": low, "high": high}
        yield Verdict("schedule.accumulation", status, together, source, values)
        return
    sentence = {
        "low": N_("An effective batch of {value} is below the usual {low} to {high}: the steps are noisier."),
        "high": N_("An effective batch of {value} is above the usual {low} to {high}: fewer steps on the same data."),
        "ok": N_("An effective batch of {value} is within the usual {low} to {high}."),
    }[status]
    yield Verdict("schedule.accumulation", status, sentence, source, {"value": value, "low": low, "high": high})


def _rate(plan: Plan, spec: RunSpec) -> Iterator[Verdict]:
    usual, value = plan.learning_rate_range, plan.learning_rate
    if usual is None:
        return
    status: Status = "low" if value < usual.low else "high" if value > usual.high else "ok"
    if status == "low" and usual.published_low is not None and value >= usual.published_low:
        status = "info"
    sentence = {
        "info": N_("{value:.0e} is usual for LoRA; a model this small learns faster at {low:.0e} to {high:.0e}."),
        "low": N_("{value:.0e} is below the {low:.0e} to {high:.0e} of comparable published runs: it learns slowly."),
        "high": N_("{value:.0e} is above the {low:.0e} to {high:.0e} of comparable published runs: it may diverge."),
        "ok": N_("{value:.0e} is within the {low:.0e} to {high:.0e} of comparable published runs."),
    }[status]
    if spec.task == "preference" and status == "high":
        sentence = N_(
            "{value:.0e} is above the {low:.0e} to {high:.0e} of published runs on preferences: the pairs are learned "
            "by heart, and the held-out loss rises."
        )
    values = {"value": value, "low": usual.low, "high": usual.high}
    yield Verdict("schedule.learning_rate", status, sentence, usual.source, values)


def _warmup(plan: Plan, spec: RunSpec) -> Iterator[Verdict]:
    if not plan.steps or plan.warmup_steps is None:
        return
    values = {"share": plan.warmup_steps / plan.steps, "steps": plan.warmup_steps}
    source = "Alpaca, Vicuna, QLoRA: 3 %; BERT, Zephyr, SmolLM2: 10 %"
    if values["share"] > 0.101 and plan.warmup_steps > 10:
        yield Verdict(
            "schedule.warmup",
            "high",
            N_("The warmup takes {share:.0%} of the run; usual are 0 to 10 %."),
            source,
            values,
        )
    else:
        yield Verdict(
            "schedule.warmup",
            "ok",
            N_("The learning rate rises for {steps} steps, {share:.1%} of the run."),
            source,
            values,
        )


def _decay(plan: Plan, spec: RunSpec) -> Iterator[Verdict]:
    if spec.schedule.weight_decay > 0.1:
        yield Verdict(
            "schedule.weight_decay",
            "high",
            N_("A weight decay of {value:g} is above the 0 to 0.1 of published runs."),
            "Alpaca, Vicuna, QLoRA: 0; Llama 2: 0.1",
            {"value": spec.schedule.weight_decay},
        )


def _clipping(plan: Plan, spec: RunSpec) -> Iterator[Verdict]:
    if spec.schedule.max_grad_norm == 0:
        yield Verdict(
            "schedule.max_grad_norm",
            "warning",
            N_("Without gradient clipping one bad batch can undo the run."),
            "TRL default: 1.0; QLoRA: 0.3",
        )


def _memory(plan: Plan, spec: RunSpec) -> Iterator[Verdict]:
    device = plan.inputs.hardware
    if device is not None and device.memory_gib is not None:
        yield from too_large(plan, device.memory_gib, device.name)


def too_large(plan: Plan, there: float, device: str) -> Iterator[Verdict]:
    """The finding that a run does not fit into the `there` GiB of a device; it says so where no change helps."""
    total = plan.memory.total_gib
    if total is None or total <= there:
        return
    sentence = N_("The run needs about {total:.0f} GiB and {device} has {there:.0f}.")
    if not memory_change(plan, there):
        sentence = N_(
            "The run needs about {total:.0f} GiB and {device} has {there:.0f}. Neither a smaller batch nor "
            "checkpointing nor LoRA makes it fit: choose a smaller model or a device with more memory."
        )
    values = {"total": total, "device": device, "there": there}
    yield Verdict("resources.device", "error", sentence, N_("memory terms of this plan"), values)


def too_long(plan: Plan) -> Iterator[Verdict]:
    """The finding that a run takes more than a week, for a device that is not just assumed."""
    days = (plan.time_s or 0) / 86400
    if days > LONG_DAYS:
        yield Verdict(
            "model.source",
            "warning",
            N_("It would take about {days:.0f} days: choose a smaller model, fewer examples or a faster device."),
            N_("steps and speed of this plan"),
            {"days": days},
        )
