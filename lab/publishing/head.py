"""What a published model gives that does not write: labels, tags, spans or a score, and the class that loads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import InputError
from lab.json_io import read_json
from lab.runs.publishable import TASK_FILE
from lab.text import N_

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


def head_of(folder: Path) -> Head | None:
    """The head of the model in a folder: a run's final one, or that of one of its tasks; None for a model that writes.

    Raises InputError for the folder that holds those of several tasks.
    """
    told = read_json(folder / TASK_FILE)
    if told is None:
        return None
    if name := told.get("name"):
        return Head(told["kinds"][name], tuple(told["labels"][name] or ()))
    if told.get("task") not in _CLASSES:
        raise InputError(
            N_("A run of several tasks left one whole model for each, and a repository holds one."),
            where="task",
            allowed=N_("Allowed: {tasks}."),
            next=N_("Say which one."),
            tasks=", ".join(told.get("kinds") or {}),
        )
    return Head(told["task"], tuple(told.get("labels") or ()))
