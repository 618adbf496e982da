"""What a published model gives that does not write: labels, tags, spans or a score, and the class that loads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import InputError, LabError
from lab.json_io import read_json
from lab.models import facts_of
from lab.spec import RunSpec
from lab.text import N_

TASK_FILE = "task.json"
_CLASSES = {
    "classification": "SequenceClassification",
    "token-classification": "TokenClassification",
    "extractive-qa": "QuestionAnswering",
    "reward": "SequenceClassification",
}
PIPELINES = {
    "classification": "text-classification",
    "token-classification": "token-classification",
    "extractive-qa": "question-answering",
    "reward": "text-classification",
}


@dataclass(frozen=True)
class Head:
    """The task of final/task.json (`reward` for a model that scores answers) and its labels, in the head's order."""

    task: str
    labels: tuple[str, ...]

    @property
    def suffix(self) -> str:
        """What the classes of transformers and peft for this task are called after AutoModelFor."""
        return _CLASSES[self.task]

    @property
    def named(self) -> bool:
        """Whether the outputs of the head have names: classes or tags, not the ends of a span or a score."""
        return self.task in ("classification", "token-classification")

    def settings(self) -> dict[str, Any]:
        """What the config of the base must say before an adapter with this head fits on it."""
        if not self.named:
            return {"num_labels": 1} if self.task == "reward" else {}
        names = dict(enumerate(self.labels))
        return {
            "num_labels": len(names), "id2label": names, "label2id": {label: i for i, label in names.items()},
        }  # fmt: skip


def head_of(final: Path) -> Head | None:
    """The head of the model in a run's final folder; None for a model that writes.

    Raises InputError for several tasks, each of which has a model of its own.
    """
    told = read_json(final / TASK_FILE)
    if told is None:
        return None
    if told.get("task") not in _CLASSES:
        raise InputError(
            N_("A run of several tasks left one whole model for each, and a repository holds one."),
            where="run",
            next=N_("Upload the folder of the task that you want: {folder}."),
            folder=", ".join(f"final/{name}" for name in told.get("kinds") or {}),
        )
    return Head(told["task"], tuple(told.get("labels") or ()))


def check_adapter(head: Head | None, spec: RunSpec) -> None:
    """Refuse an adapter whose base transformers and peft would load with a body that was never trained."""
    if head is None or head.task != "extractive-qa":
        return
    try:
        family = facts_of(spec.model.source).family
    except LabError:
        return  # the base has gone; whoever publishes the adapter names another place for it
    if family == "llama":  # LlamaForQuestionAnswering names its body otherwise than the files of the base do
        raise InputError(
            N_("transformers does not load the body of this base for questions, so others could not use the adapter."),
            where="what",
            allowed=N_("Allowed: merged."),
            next=N_("Publish the whole model."),
        )
