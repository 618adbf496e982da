"""What is usual: epochs and rows for a task, the split, the learning rate's place among published ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from lab.planning import rates
from lab.planning.plan import Plan
from lab.planning.registry import formula
from lab.text import N_

FEW_ROWS, MANY_ROWS, VERY_MANY_ROWS = 1_000, 10_000, 100_000
HELD_OUT, FEWEST_HELD_OUT, MOST_HELD_OUT = 0.1, 100, 0.2

Place = Literal["below", "minimum", "recommended", "optimal"]


@formula(
    "below 1,000 rows 5 (a classifier 10), to 10,000 3, to 100,000 2, above 1",
    unit="epochs",
    source="document 002 L567-572; Alpaca: 3 on 52,002 rows, Dolly: 2 on 15,011, LIMA: 15 on 1,000",
)
def usual_epochs(examples: int, classifier: bool = False) -> int:
    """Epochs to start with for so many rows. 500 rows: 5, as a classifier 10; 52,002 rows: 2."""
    if examples < FEW_ROWS:
        return 10 if classifier else 5
    return 3 if examples <= MANY_ROWS else 2 if examples <= VERY_MANY_ROWS else 1


@dataclass(frozen=True)
class DataNeed:
    """How many rows a task wants: the least, enough, and what more rows stop improving; `unit` in words."""

    minimum: int
    recommended: int
    optimal: int
    unit: str
    note: str
    source: str

    def place(self, rows: int) -> Place:
        """Where so many rows stand."""
        if rows >= self.optimal:
            return "optimal"
        return "recommended" if rows >= self.recommended else "minimum" if rows >= self.minimum else "below"


_TABLE = N_("document 002 L177-183, a rule of thumb")
_GENERATION_SOURCE = N_("document 002 L177-183, a rule of thumb; OpenAI guide; arXiv:2305.11206")
_SENTENCES = N_("A row is an annotated sentence.")
_GENERATION = N_("For one narrow form fewer do: gains are seen at 50 to 100 good rows, and 1,000 chosen ones can do.")
_NEEDS = {
    "causal-lm": DataNeed(500, 5_000, 50_000, N_("examples"), _GENERATION, _GENERATION_SOURCE),
    "token-classification": DataNeed(1_000, 10_000, 100_000, N_("sentences"), _SENTENCES, _TABLE),
    "extractive-qa": DataNeed(1_000, 10_000, 100_000, N_("question-answer pairs"), "", _TABLE),
}


def data_needed(task: str, *, classes: int = 2) -> DataNeed | None:
    """Rows that a task wants; None for a task without a published rule. Classes: two together, more each."""
    if task != "classification":
        return _NEEDS.get(task)
    if classes <= 2:
        return DataNeed(100, 1_000, 10_000, N_("examples"), "", _TABLE)
    note = N_("The rule counts rows for each class.")
    return DataNeed(50 * classes, 500 * classes, 5_000 * classes, N_("examples"), note, _TABLE)


@formula(
    "10 % each for validation and test, at least 100 rows, at most 20 %",
    unit="rows",
    source="document 002 L1378 and usual practice; the documents give 72/8/20, 70/15/15, 80/20 and 95/5",
)
def split_rows(rows: int) -> dict[str, int]:
    """Rows for training, validation and test. 114,000: 91,200, 11,400, 11,400. Never tune on the test rows."""
    held = min(max(round(rows * HELD_OUT), FEWEST_HELD_OUT), int(rows * MOST_HELD_OUT))
    return {"train": rows - 2 * held, "validation": held, "test": held}


def beside_training(rows: int) -> dict[str, int]:
    """The rows to hold out beside so many training rows, so that together they are split as `split_rows` says.

    91,200 training rows: 11,400 to validate, 11,400 to test.
    """
    usual, most = (round(rows * share / (1 - 2 * share)) for share in (HELD_OUT, MOST_HELD_OUT))
    held = min(max(usual, FEWEST_HELD_OUT), most)
    return {"train": rows, "validation": held, "test": held}


@dataclass(frozen=True)
class RateAdvice:
    """A learning rate beside what is known: the usual range and the place in it, the ratio to the pre-training rate,
    the rule from full fine-tuning for LoRA with its factor, LLaMA-Factory's rule, the two nearest published runs.

    `position` is 0 at the low end of the range and 1 at the high end on a logarithmic scale, outside below 0 or
    above 1. None where a number does not apply or is not known.
    """

    value: float
    usual: rates.RateRange | None
    position: float | None
    ratio: float | None
    rule: float | None
    rule_factor: int | None
    by_tokens: float | None
    nearest: list[rates.PublishedRate]


def rate_advice(made: Plan) -> RateAdvice:
    """What there is to say about the learning rate of a plan."""
    facts, method, value = made.inputs.facts, made.inputs.spec.method.name, made.learning_rate
    usual, before = made.learning_rate_range, facts.pretraining_learning_rate
    spec = made.inputs.spec
    full = rates.range_of(spec, facts, "full")
    factor = rates.lora_factor(made.steps) if method in ("lora", "qlora") and full is not None else None
    return RateAdvice(
        value=value,
        usual=usual,
        position=None if usual is None else math.log(value / usual.low) / math.log(usual.high / usual.low),
        ratio=None if not before else rates.rate_ratio(before, value),
        rule=None if factor is None or full is None else full.default * factor,
        rule_factor=factor,
        by_tokens=rates.rate_by_tokens(made.tokens_per_step) if made.tokens_per_step else None,
        nearest=rates.published_beside(spec, facts, count=2),
    )
