"""Which settings go with the task and the method of a draft: which stand in the short form, which are not shown."""

from __future__ import annotations

import streamlit as st

from lab.errors import LabError
from lab.json_io import read_json
from lab.runs import registry
from lab.runs.home import is_id
from lab.spec import RunSpec
from lab.spec.rules.method import CLASSES
from lab.spec.rules.task import KINDS, speaks
from lab.ui import draft, forms, words
from lab.ui.language import _

_LABELS_SHOWN = 8
_ADAPTER = ("rank", "alpha", "dropout", "target_modules", "rslora", "dora", "init", "adapter")


def of_method(spec: RunSpec) -> list[str]:
    """The one or two settings that a method is about."""
    return {
        "lora": ["method.rank"],
        "qlora": ["model.quantization", "method.rank"],
        "frozen": ["method.trainable_layers"],
        "progressive": ["method.phases"],
        "prompt-tuning": ["method.virtual_tokens", "method.prompt"],
    }.get(spec.method.name, [])


def of_task(spec: RunSpec) -> list[str]:
    """The settings that a task is about, besides its data."""
    if spec.task == "preference":
        return ["preference.method", *_of_preference(spec.preference.method)]
    return {
        "classification": ["regularisation.class_weights", "regularisation.sampler"],
        "token-classification": ["regularisation.class_weights"],
        "extractive-qa": ["tasks.stride", "tasks.max_answer"],
        "multi-task": ["tasks.sampling", "regularisation.class_weights"],
    }.get(spec.task, [])


def _of_preference(method: str) -> list[str]:
    return {
        "dpo": ["preference.beta", "preference.loss"],
        "kto": ["preference.beta", "preference.desirable_weight", "preference.undesirable_weight"],
    }.get(method, [])


def applies(path: str, spec: RunSpec) -> bool:
    """Whether a setting can change anything with this task and this method."""
    part, _dot, name = path.rpartition(".")
    if part == "method" and name != "name":
        return {
            **dict.fromkeys(_ADAPTER, spec.method.adapts),
            "trainable_layers": spec.method.name == "frozen",
            "phases": spec.method.name == "progressive",
            "virtual_tokens": spec.method.name == "prompt-tuning",
            "prompt": spec.method.name == "prompt-tuning",
        }.get(name, True)
    if part == "preference":
        return spec.task == "preference" and (name == "method" or path in _of_preference(spec.preference.method))
    if part == "tasks":
        asks = ("stride", "max_answer", "null_threshold")
        return spec.task == "multi-task" or (spec.task == "extractive-qa" and name in asks)
    return _applies_elsewhere(path, spec)


def _applies_elsewhere(path: str, spec: RunSpec) -> bool:
    if path in ("data.template", "data.completion_only", "data.packing"):
        return spec.task in ("causal-lm", "preference")
    if path in ("evaluation.samples", "evaluation.review_prompts", "evaluation.max_new_tokens"):
        return speaks(spec)
    if path == "regularisation.sampler":
        return spec.task == "classification"
    if path in ("regularisation.class_weights", "regularisation.class_values", "regularisation.focal_gamma"):
        return spec.task in CLASSES
    if path.startswith("regularisation.ewc_"):
        return spec.task not in ("multi-task", "preference")
    if path == "model.double_quantization":
        return spec.model.quantization == "nf4"
    return path != "data.source" or spec.task != "multi-task"


def misfit(spec: RunSpec) -> str:
    """The task that could learn from the chosen data set when the chosen task cannot; else empty."""
    kind = "" if spec.task == "multi-task" else kind_of(spec.data.source)
    if not kind or kind in KINDS[spec.task]:
        return ""
    return next((task for task, kinds in KINDS.items() if kind in kinds), "")


def data_note(spec: RunSpec) -> None:
    """The labels of the chosen data set, or, where it is of another kind, the task that could learn from it."""
    if fitting := misfit(spec):
        said = _("The task {task} cannot learn from these rows.", task=words.task(spec.task))
        st.markdown(":red[:material/error:] " + said)
        st.button(
            _("Take the task that fits these data: {task}", task=words.task(fitting)),
            key="take-task",
            icon=":material/check:",
            wrap=True,
            on_click=draft.put,
            args=("task", fitting),
        )
    elif spec.task != "multi-task":
        labels_note(spec.data.source)


def labels_note(source: str) -> None:
    """The labels of a data set, where it has some."""
    if labels := labels_of(source):
        shown = ", ".join(labels[:_LABELS_SHOWN])
        more = _(" and {count} more", count=len(labels) - _LABELS_SHOWN) if len(labels) > _LABELS_SHOWN else ""
        st.caption(_("{count} labels: {labels}", count=len(labels), labels=forms.plain(shown)) + more)


def kind_of(source: str) -> str:
    """The kind of a prepared data set or of the demo's; empty for what is read only when the run starts."""
    if source == "demo":
        return "question-answer"
    if not is_id(source):
        return ""
    try:
        return str(registry.dataset(source).get("kind") or "")
    except LabError:
        return ""  # said at the field


def labels_of(source: str) -> list[str]:
    """The labels of a prepared data set; empty where there are none."""
    if not is_id(source) or not kind_of(source):
        return []
    figures = read_json(registry.dataset_path(source) / "figures.json") or {}
    return [str(label) for label in figures.get("classes") or {}]
