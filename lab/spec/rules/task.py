"""Which settings go with which task."""

from __future__ import annotations

from lab.errors import InputError
from lab.spec.run import RunSpec
from lab.text import N_

# The kinds of rows that each task learns from.
KINDS: dict[str, tuple[str, ...]] = {
    "causal-lm": ("instruction", "question-answer", "prompt-completion", "messages", "text"),
    "classification": ("classification",),
    "token-classification": ("token-classification",),
    "extractive-qa": ("extractive-qa",),
    "multi-task": (),
    "preference": ("preference",),
}
# Tasks whose model has a head of its own in place of the words of the vocabulary.
LABELLED = ("classification", "token-classification", "extractive-qa", "multi-task")


def speaks(spec: RunSpec) -> bool:
    """Whether the model of a run generates text: a language model, not one with a head for labels or rewards."""
    return spec.task not in LABELLED and not (spec.task == "preference" and spec.preference.method == "reward")


def conflicts(spec: RunSpec) -> list[InputError]:
    """The contradictions, each with the way out."""
    found: list[InputError] = []
    if spec.task in LABELLED[:3] and spec.data.source == "demo":
        found.append(
            InputError(
                N_("The demo data hold questions and answers, no labels for the task {task}."),
                where="data.source",
                next=N_("Name a file or a prepared data set of the kind {task}."),
                task=spec.task,
            )
        )
    if spec.task in ("extractive-qa", "multi-task") and spec.tasks.stride >= spec.data.max_length - 8:
        found.append(
            InputError(
                N_("Windows of {length} tokens that share {stride} leave no room for a question."),
                where="tasks.stride",
                next=N_("Take a stride of a third of data.max_length, such as {third}."),
                length=spec.data.max_length,
                stride=spec.tasks.stride,
                third=spec.data.max_length // 3,
            )
        )
    found += _several(spec)
    if spec.data.packing and spec.task in LABELLED:
        found.append(
            InputError(
                N_("Packing is for language models; the task {task} reads each row on its own."),
                where="data.packing",
                next=N_("Switch data.packing off."),
                task=spec.task,
            )
        )
    return found


def _several(spec: RunSpec) -> list[InputError]:
    if spec.task != "multi-task":
        return []
    if len(spec.tasks.sources) < 2:
        return [
            InputError(
                N_("The task multi-task needs a data set for each of at least two tasks."),
                where="tasks.sources",
                next=N_("Name them: --set 'tasks.sources=sentiment: FILE, entities: FILE'."),
            )
        ]
    wrong = {name: kind for name, kind in spec.tasks.kinds.items() if kind not in LABELLED[:3]}
    missing = [name for name in spec.tasks.sources if name not in spec.tasks.kinds]
    unusable = [name for name in spec.tasks.sources if not name.isidentifier()]
    found = []
    if wrong or missing:
        found.append(
            InputError(
                N_("Each task of a multi-task run needs its kind; {names} have none that runs."),
                where="tasks.kinds",
                allowed=N_("Allowed: {kinds}."),
                next=N_("Name them: --set 'tasks.kinds=sentiment: classification, entities: token-classification'."),
                names=", ".join([*missing, *wrong]),
                kinds=", ".join(LABELLED[:3]),
            )
        )
    if unusable:
        found.append(
            InputError(
                N_("The names of tasks become names of folders: {names} cannot be used."),
                where="tasks.sources",
                next=N_("Use letters, digits and underscores."),
                names=", ".join(unusable),
            )
        )
    return found
