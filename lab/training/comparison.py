"""Base against tuned on the same held-out prompts, decoded in the same way: `review/` of a run directory."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from lab.data.example import Example
from lab.json_io import read_json, write_json, write_text
from lab.runs.events import plain
from lab.training import answers
from lab.training.generate import generate
from lab.training.held_out import Loss, held_out_loss, perplexity

Record = dict[str, Any]


@dataclass(frozen=True)
class Questions:
    """What both models are asked: the loss of the first `loss_rows`, answers to the first `prompts`."""

    examples: Sequence[Example]
    loss_rows: int
    prompts: int
    max_new_tokens: int
    seed: int


def measure(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    questions: Questions,
    interrupted: Callable[[], bool] | None = None,
) -> tuple[Record, list[Record]]:
    """One model's figures (an entry of `held_out` in summary.json) and its records, prompt by prompt."""
    asked = questions.examples[: max(questions.loss_rows, questions.prompts)]
    loss = held_out_loss(model, asked, pad_id=tokenizer.pad_token_id, interrupted=interrupted)
    produced = generate(
        model,
        tokenizer,
        [example.prompt_ids for example in asked[: questions.prompts]],
        max_new_tokens=questions.max_new_tokens,
        seed=questions.seed,
        interrupted=interrupted,
    )
    records = [
        _record(i, asked[i], answer.text.strip(), answer.stopped, loss.of(i)) for i, answer in enumerate(produced)
    ]
    return _figures(loss, questions.loss_rows, records), records


def write(review: Path, which: str, figures: Record, records: list[Record], questions: Questions) -> None:
    """Write the records of `which` model, base or tuned, and put its figures into the summary."""
    review.mkdir(exist_ok=True)
    lines = "".join(json.dumps(plain(record), ensure_ascii=False) + "\n" for record in records)
    write_text(review / f"{which}.jsonl", lines)
    summary = read_json(review / "summary.json") or {}
    held_out = dict(sorted({**summary.get("held_out", {}), which: plain(figures)}.items()))  # base before tuned
    settings = {"seed": questions.seed, "decoding": "greedy", "max_new_tokens": questions.max_new_tokens}
    write_json(review / "summary.json", {**summary, "held_out": held_out, **settings})


def figures_of(review: Path, which: str) -> Record | None:
    """The figures that an earlier attempt wrote; None if it did not come so far."""
    if not (review / f"{which}.jsonl").is_file():
        return None
    summary = read_json(review / "summary.json") or {}
    return summary.get("held_out", {}).get(which)


def _record(index: int, example: Example, text: str, stopped: bool, loss: float | None) -> Record:
    return {
        "index": index,
        "prompt": example.question,
        "reference": example.reference,
        "text": text,
        "stopped": stopped,
        "loss": loss,
        "rouge_l": answers.rouge_l(example.reference, text),
        "form": answers.in_taught_form(text, stopped),
    }


def _figures(loss: Loss, loss_rows: int, records: list[Record]) -> Record:
    mean = loss.mean(loss_rows)
    scored = [record["rouge_l"] for record in records if record["rouge_l"] is not None]
    return {
        "loss": mean,
        "perplexity": perplexity(mean),
        "loss_count": len(loss.sums[:loss_rows]),
        "stop_rate": _share([record["stopped"] for record in records]),
        "format_rate": _share([record["form"] for record in records]),
        "answer_rate": _share([score >= answers.RIGHT for score in scored]),
        "count": len(records),
    }


def _share(marks: list[bool]) -> float | None:
    return sum(marks) / len(marks) if marks else None
