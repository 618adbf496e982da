"""Which methods go with which models, tasks and other settings."""

from __future__ import annotations

from collections.abc import Iterator

from lab.errors import InputError
from lab.spec.parts.method import ALL_BLOCKS
from lab.spec.rules.task import LABELLED
from lab.spec.run import RunSpec
from lab.text import N_

CLASSES = ("classification", "token-classification", "multi-task")  # tasks whose labels are classes


def conflicts(spec: RunSpec) -> list[InputError]:
    """The contradictions, each with the way out."""
    areas = (_quantized, _adapter, _starts, _phases, _prompt, _classes, _remembers)
    return [problem for area in areas for problem in area(spec)]


def _quantized(spec: RunSpec) -> Iterator[InputError]:
    bits, method = spec.model.quantization, spec.method
    if method.name == "qlora" and bits == "none":
        yield InputError(
            N_("QLoRA needs a quantized base model."),
            where="model.quantization",
            next=N_("Choose nf4 or 8bit, or the method lora."),
        )
    if method.whole and bits != "none":
        yield InputError(
            N_("Quantized weights cannot be trained themselves, as the method {method} does."),
            where="model.quantization",
            next=N_("Choose quantization none, or the method qlora."),
            method=method.name,
        )


def _adapter(spec: RunSpec) -> Iterator[InputError]:
    method = spec.method
    if not method.adapts:
        for name, on in (("rslora", method.rslora), ("dora", method.dora), ("init", method.init != "default")):
            if on:
                yield InputError(
                    N_("{setting} belongs to LoRA; the method {method} adds no matrices."),
                    where=f"method.{name}",
                    next=N_("Choose the method lora or qlora, or leave it out."),
                    setting=name,
                    method=method.name,
                )
    if method.adapter and method.whole:
        yield InputError(
            N_("The method {method} does not go on with an adapter."),
            where="method.adapter",
            next=N_("Choose the method lora, or name the run in model.source: its merged model is trained then."),
            method=method.name,
        )
    if method.adapter and spec.task == "multi-task":
        yield InputError(
            N_("A run of several tasks leaves whole models, so there is no adapter that it could go on with."),
            where="method.adapter",
            next=N_("Leave it out."),
        )


def _starts(spec: RunSpec) -> Iterator[InputError]:
    method = spec.method
    if method.init != "default" and method.adapter:
        yield InputError(
            N_("An adapter that goes on has its start already; init={init} is for a new one."),
            where="method.init",
            next=N_("Choose init=default."),
            init=method.init,
        )
    if method.init.startswith("pissa") and spec.model.quantization != "none":
        yield InputError(
            N_("PiSSA changes the base weights at its start, which quantized ones cannot."),
            where="method.init",
            next=N_("Choose loftq, which is made for a quantized base, or quantization none."),
        )
    if method.init == "loftq" and (spec.model.quantization != "nf4" or spec.task != "causal-lm"):
        yield InputError(
            N_("LoftQ makes up for the rounding of a language model in NF4."),
            where="method.init",
            next=N_("Choose quantization nf4 and the method qlora, or init=default."),
        )
    if method.init != "default" and method.dora and method.init != "gaussian":
        yield InputError(
            N_("DoRA with the start {init} is not defined: both say what the first weights are."),
            where="method.init",
            next=N_("Choose init=default, or switch dora off."),
            init=method.init,
        )


def _phases(spec: RunSpec) -> Iterator[InputError]:
    if spec.method.name != "progressive":
        return
    phases = spec.method.phases
    wrong = [name for name in phases if name != ALL_BLOCKS and not name.isdecimal()]
    if wrong:
        yield InputError(
            N_("A phase is named by its number of blocks, or {all}; {names} is neither."),
            where="method.phases",
            next=N_("Write --set 'method.phases=0: 2, 2: 2, all: 1'."),
            all=ALL_BLOCKS,
            names=", ".join(wrong),
        )
    if not phases or any(not part > 0 for part in phases.values()):
        yield InputError(
            N_("Each phase needs a part of the run above 0, and there must be one at least."),
            where="method.phases",
            next=N_("Write --set 'method.phases=0: 2, 2: 2, all: 1'."),
        )


def _prompt(spec: RunSpec) -> Iterator[InputError]:
    if spec.method.name != "prompt-tuning":
        return
    if spec.task != "causal-lm":
        yield InputError(
            N_("Prompt tuning is for language models here, not for the task {task}."),
            where="method.name",
            next=N_("Choose lora or frozen."),
            task=spec.task,
        )
    against = {
        "data.packing": (spec.data.packing, N_("examples in one row cannot each have their own prompt")),
        "speed.padding_free": (
            spec.speed.padding_free == "on", N_("examples in one row cannot each have their own prompt"),
        ),
        "regularisation.neftune_alpha": (
            spec.regularisation.neftune_alpha > 0, N_("the noise would fall on the prompt that is learned"),
        ),
        "schedule.layer_decay": (spec.schedule.layer_decay != 1, N_("no block is trained")),
    }  # fmt: skip
    for where, (on, why) in against.items():
        if on:
            yield InputError(
                N_("{setting} does not go with prompt tuning: {why}."),
                where=where,
                next=N_("Leave it out."),
                setting=where,
                why=why,
            )


def _classes(spec: RunSpec) -> Iterator[InputError]:
    asked = spec.regularisation
    if spec.task not in CLASSES:
        on = {
            "class_weights": asked.class_weights != "none",
            "focal_gamma": asked.focal_gamma > 0,
            "sampler": asked.sampler != "none",
        }
        for name in [name for name, chosen in on.items() if chosen]:
            yield InputError(
                N_("{setting} weighs classes; the task {task} has none."),
                where=f"regularisation.{name}",
                next=N_("Leave it out."),
                setting=name,
                task=spec.task,
            )
    if (asked.class_weights == "given") != bool(asked.class_values):
        yield InputError(
            N_("Weights of the classes and class_weights=given go together."),
            where="regularisation.class_weights",
            next=N_(
                "Write --set regularisation.class_weights=given --set 'regularisation.class_values=spam: 5, ham: 1'."
            ),
        )
    if any(not weight > 0 for weight in asked.class_values.values()):
        yield InputError(
            N_("The weight of a class is a number above 0."),
            where="regularisation.class_values",
        )
    if asked.sampler != "none" and spec.task in ("token-classification", "multi-task"):
        yield InputError(
            N_("A row of the task {task} has no one class that it could be drawn by."),
            where="regularisation.sampler",
            next=N_("Choose class_weights=balanced, or tasks.sampling=temperature for several tasks."),
            task=spec.task,
        )
    if asked.sampler == "balanced" and asked.class_weights == "balanced":
        yield InputError(
            N_("Classes that are drawn equally often need no weights: both together count the rare ones twice."),
            where="regularisation.class_weights",
            next=N_("Choose one of the two."),
        )


def _remembers(spec: RunSpec) -> Iterator[InputError]:
    asked = spec.regularisation
    if (asked.ewc_lambda > 0) != bool(asked.ewc_data.strip()):
        yield InputError(
            N_("Weight consolidation needs both its strength and the data to remember."),
            where="regularisation.ewc_lambda" if asked.ewc_data.strip() else "regularisation.ewc_data",
            next=N_("Write --set regularisation.ewc_lambda=1000 --set regularisation.ewc_data=FILE."),
        )
    if asked.ewc_lambda > 0 and (spec.task == "multi-task" or spec.method.name == "prompt-tuning"):
        yield InputError(
            N_("Weight consolidation is for one task and for weights that the model had before."),
            where="regularisation.ewc_lambda",
            next=N_("Choose a strength of 0."),
        )
    if asked.ewc_lambda > 0 and spec.task not in (*LABELLED, "causal-lm"):
        yield InputError(
            N_("Weight consolidation does not run with the task {task}."),
            where="regularisation.ewc_lambda",
            next=N_("Choose a strength of 0."),
            task=spec.task,
        )
