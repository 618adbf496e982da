"""Preferences as TRL takes them, and its batches of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from datasets import Dataset
from trl.trainer.dpo_trainer import DataCollatorForPreference
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference

from lab.data.features.preference import Pair, Single


@dataclass
class SwappedAnswers(DataCollatorForUnpairedPreference):
    """A batch with each prompt beside the answer of its neighbour too, from which KTO estimates its KL term."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        answers = [example["completion_ids"] for example in examples]
        swapped = [answers[-1], *answers[:-1]]
        both = zip(examples, swapped, strict=True)
        batch: dict[str, Any] = super().torch_call([one | {"KL_completion_ids": other} for one, other in both])
        return batch


@dataclass
class Whole(DataCollatorForPreference):
    """Pairs as a reward model reads them: prompt and answer as one, with nothing masked."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super().torch_call([example | {"prompt_ids": []} for example in examples])
        del batch["completion_mask"]  # a model with a head knows no such input
        return batch


def pair_rows(pairs: Sequence[Pair], *, whole: bool = False) -> Dataset:
    """Pairs as TRL takes them; `whole` puts the prompt before both answers."""
    start = [0 if whole else pair.chosen.n_prompt for pair in pairs]
    return Dataset.from_dict(
        {
            "prompt_ids": [pair.chosen.input_ids[:n] for pair, n in zip(pairs, start, strict=True)],
            "chosen_ids": [pair.chosen.input_ids[n:] for pair, n in zip(pairs, start, strict=True)],
            "rejected_ids": [pair.rejected.input_ids[n:] for pair, n in zip(pairs, start, strict=True)],
        }
    )


def single_rows(singles: Sequence[Single]) -> Dataset:
    """Single answers as TRL takes them."""
    return Dataset.from_dict(
        {
            "prompt_ids": [one.answer.prompt_ids for one in singles],
            "completion_ids": [one.answer.input_ids[one.answer.n_prompt :] for one in singles],
            "label": [one.desired for one in singles],
        }
    )
