"""What the work on data hands on: examples ready for training, and the report of how they came about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

# The label of a token that is not trained (the default `ignore_index` of torch's cross entropy).
IGNORED = -100


@dataclass(frozen=True, slots=True)
class Example:
    """One example as the model sees it.

    `input_ids` and `labels` have the same length, in tokens; a label is `IGNORED` where nothing is trained.
    The first `n_prompt` ids are what the model is given when it answers; `prompt` is their text. `question`
    and `reference` are what a person reads: no template around them.
    """

    prompt: str
    completion: str
    question: str
    reference: str
    input_ids: list[int]
    labels: list[int]
    n_prompt: int

    @property
    def prompt_ids(self) -> list[int]:
        """The ids to generate from; always a prefix of `input_ids`."""
        return self.input_ids[: self.n_prompt]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Examples of one data set for one tokenizer; a `lab.data.examples.Examples` has their ids as arrays, too.

    `report` is the object of `data prepare --json`; it also names the `template` and `kind` that were found,
    which `lab.data.templates.free_prompt` needs to ask the tuned model in the form that it was taught.
    """

    train: Sequence[Example]
    validation: Sequence[Example]
    report: dict[str, Any] = field(default_factory=dict)
    test: Sequence[Example] = ()
