"""What every task must say of itself, so that one session trains all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer, TrainerCallback

from lab.runs.events import EventWriter
from lab.runs.stopping import StopFlag
from lab.spec import RunSpec
from lab.training.machine import Machine
from lab.training.measure import Pace
from lab.training.steps import Course
from lab.training.tensorboard import Board

if TYPE_CHECKING:
    from lab.training.evaluate import Evaluator
    from lab.training.tasks.evaluator import TaskEvaluator

Record = dict[str, Any]


class TaskPlan(ABC):
    """A task of one run. The session calls, in this order: tokenizer, model, encode, evaluator, trainer.

    `train` are the inputs of the training, each with `input_ids` and `labels`; `report` tells about the data.
    `score` names the figure that a person looks at first ("" for the loss alone), higher is better. `base_first`
    tells whether evaluations in the middle of the training are held against what the base model said. `packs` are
    places in `train` that go together; a batch then counts packs in place of examples. `filled` is the share of the
    packs' tokens that are real.
    """

    score: str = ""
    base_first = False
    train: Sequence[Any]
    packs: Sequence[Sequence[int]] | None = None
    filled: float | None = None
    report: dict[str, Any]

    def __init__(self, spec: RunSpec, directory: Path, events: EventWriter, machine: Machine) -> None:
        self.spec, self.directory, self.events, self.machine = spec, directory, events, machine
        self.train, self.report = [], {}

    @abstractmethod
    def load_tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer, with a padding token."""

    @abstractmethod
    def load_model(self) -> PreTrainedModel:
        """The model before the training; rows are read first where they decide its shape."""

    @abstractmethod
    def encode(self, spec: RunSpec) -> None:
        """Fill `train` and `report`; `spec` may have a maximum length that fits the model. Raises InputError."""

    @property
    def items(self) -> int:
        """How many of what a batch counts there are: examples, or packs of them."""
        return len(self.train if self.packs is None else self.packs)

    @property
    @abstractmethod
    def has_held_out(self) -> bool:
        """Whether any row is held out."""

    @abstractmethod
    def evaluator(self, board: Board, stop: StopFlag) -> Evaluator | TaskEvaluator:
        """What evaluates a model on the held-out rows."""

    @abstractmethod
    def trainer(
        self, model: PreTrainedModel, course: Course, pace: Pace, checkpoints: Path, callbacks: list[TrainerCallback]
    ) -> Trainer:
        """The Trainer; it offers machine, pace, take_counts, take_up and attention_name."""

    def load_final(self, model: Any, final: Path) -> Any:
        """The tuned model that `final` holds; `model` is the one before the training, and is used up."""
        raise NotImplementedError

    @abstractmethod
    def save(self, model: PreTrainedModel, final: Path) -> None:
        """Write the finished model to `final`."""
