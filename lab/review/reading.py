"""The comparison of a run, from the files in its `review/` folder."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.errors import NotFoundError
from lab.json_io import read_json
from lab.review.intervals import wilson
from lab.text import N_

RIGHT = 0.5  # an answer counts as right from this ROUGE-L F1 with the reference on

RATES = {
    "stop_rate": N_("ends by itself"),
    "format_rate": N_("taught form"),
    "answer_rate": N_("right"),
}


@dataclass(frozen=True)
class Answer:
    """What one model said; `rouge_l` is the F1 with the reference, `loss` is the reference's, in nats.

    Of a model with labels, `exact` tells whether the label is the right one, `confidence` the share that it gave it; of
    one that scores answers, `margin` is how far it puts the better answer above the other.
    """

    text: str
    stopped: bool
    loss: float | None = None
    rouge_l: float | None = None
    form: bool | None = None
    exact: bool | None = None
    confidence: float | None = None
    margin: float | None = None

    @property
    def right(self) -> bool | None:
        """Whether the answer is close to the reference; None if there is no reference."""
        if self.exact is not None:
            return self.exact
        return None if self.rouge_l is None else self.rouge_l >= RIGHT


@dataclass(frozen=True)
class Pair:
    """One held-out prompt with its reference and both answers; None for a model that has not answered yet.

    `context` is the passage that a question is about, `task` the name of the row's task where a run has several.
    """

    index: int
    prompt: str
    reference: str
    base: Answer | None
    tuned: Answer | None
    context: str = ""
    task: str = ""

    @property
    def gain(self) -> float | None:
        """ROUGE-L of the tuned answer minus that of the base answer, from -1 to 1."""
        if self.base is None or self.tuned is None:
            return None
        if self.base.rouge_l is None or self.tuned.rouge_l is None:
            return None
        return self.tuned.rouge_l - self.base.rouge_l


@dataclass(frozen=True)
class Rate:
    """A share of `count` answers with its 95 % Wilson interval; all shares from 0 to 1."""

    name: str
    successes: int
    count: int

    @property
    def share(self) -> float:
        return self.successes / self.count if self.count else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.successes, self.count)


@dataclass(frozen=True)
class Scores:
    """The held-out figures of one model: mean loss in nats per token, perplexity, and rates by name."""

    loss: float | None = None
    perplexity: float | None = None
    count: int = 0
    rates: dict[str, Rate] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """Base and tuned model on the same prompts, decoded in the same way."""

    pairs: list[Pair]
    base: Scores
    tuned: Scores
    seed: int | None = None
    decoding: str = ""
    max_new_tokens: int | None = None

    @property
    def loss_fall(self) -> float | None:
        """How much of the loss before the tuning is gone, as a share: (before - after) / before."""
        before, after = self.base.loss, self.tuned.loss
        return None if before is None or after is None or before == 0 else (before - after) / before

    @property
    def of_labels(self) -> bool:
        """Whether the models gave labels or spans, which are right or wrong, and no text of their own."""
        return any(answer.exact is not None for pair in self.pairs for answer in (pair.base, pair.tuned) if answer)

    @property
    def complete(self) -> bool:
        """Whether the tuned model has answered."""
        return any(pair.tuned is not None for pair in self.pairs)


def read_comparison(directory: Path) -> Comparison:
    """The comparison in run directory `directory`; pairs without a tuned answer while the run goes on.

    Raises NotFoundError if the run has written no answers.
    """
    review = Path(directory) / "review"
    base, tuned = _records(review / "base.jsonl"), _records(review / "tuned.jsonl")
    if not base and not tuned:
        raise NotFoundError(
            N_("This run has no comparison yet."),
            where=str(review),
            next=N_("The base model answers at the start of the training, the tuned model at its end."),
        )
    summary = _summary(review / "summary.json")
    held_out = summary.get("held_out") or {}
    return Comparison(
        pairs=_pairs(base, tuned),
        base=_scores(held_out.get("base"), base),
        tuned=_scores(held_out.get("tuned"), tuned),
        seed=summary.get("seed"),
        decoding=str(summary.get("decoding") or ""),
        max_new_tokens=summary.get("max_new_tokens"),
    )


def _records(path: Path) -> dict[int, dict[str, Any]]:
    """The answers in a file by prompt number; a torn last line is left out, as in every file of a run."""
    if not path.is_file():
        return {}
    found = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
            found[int(record["index"])] = record
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _summary(path: Path) -> dict[str, Any]:
    value = read_json(path)
    return value if isinstance(value, dict) else {}


def _pairs(base: dict[int, dict[str, Any]], tuned: dict[int, dict[str, Any]]) -> list[Pair]:
    pairs = []
    for index in sorted(base.keys() | tuned.keys()):
        asked = base.get(index) or tuned[index]
        pairs.append(
            Pair(
                index,
                str(asked.get("prompt", "")),
                str(asked.get("reference") or ""),
                _answer(base.get(index)),
                _answer(tuned.get(index)),
                str(asked.get("context") or ""),
                str(asked.get("task") or ""),
            )
        )
    return pairs


def _answer(record: dict[str, Any] | None) -> Answer | None:
    if record is None:
        return None
    form = record.get("form")
    return Answer(
        text=str(record.get("text", "")),
        stopped=bool(record.get("stopped")),
        loss=_finite(record.get("loss")),
        rouge_l=_finite(record.get("rouge_l")),
        form=None if form is None else bool(form),
        exact=bool(record["right"]) if isinstance(record.get("right"), bool) else None,
        confidence=_finite(record.get("confidence")),
        margin=_margin(record),
    )


def _margin(record: dict[str, Any]) -> float | None:
    better, worse = _finite(record.get("reward_chosen")), _finite(record.get("reward_rejected"))
    return None if better is None or worse is None else better - worse


def _scores(summary: dict[str, Any] | None, records: dict[int, dict[str, Any]]) -> Scores:
    """The figures of one model: loss as the worker measured it, rates counted from the answers."""
    summary = summary or {}
    count = int(summary.get("count") or len(records))
    answers = [answer for answer in map(_answer, records.values()) if answer is not None]
    rates = _counted(answers)
    for name in RATES:  # the answers may have been deleted
        share = _finite(summary.get(name))
        if name not in rates and share is not None and count:
            rates[name] = Rate(name, round(share * count), count)
    loss = _finite(summary.get("loss"))
    perplexity = _finite(summary.get("perplexity"))
    if perplexity is None and loss is not None and loss < 700:  # exp overflows above
        perplexity = math.exp(loss)
    return Scores(loss, perplexity, count, rates)


def _counted(answers: list[Answer]) -> dict[str, Rate]:
    marks = {
        "stop_rate": [answer.stopped for answer in answers],
        "format_rate": [answer.form for answer in answers if answer.form is not None],
        "answer_rate": [answer.right for answer in answers if answer.right is not None],
    }
    return {name: Rate(name, sum(map(bool, values)), len(values)) for name, values in marks.items() if values}


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
