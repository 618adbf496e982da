"""The settings of `data`: what the model learns from."""

from __future__ import annotations

from typing import Literal

from lab.spec.declare import setting
from lab.spec.parts.part import Part
from lab.text import N_


class DataSpec(Part):
    """What the model learns from."""

    source: str = setting(
        "demo",
        N_("Data set"),
        N_("A file (CSV, JSON, JSONL), a prepared data set, a Hub id, or `demo`."),
        level="basic",
    )
    examples: int | None = setting(
        None,
        N_("Examples"),
        N_("Number of training examples, for planning without data."),
        unit=N_("rows"),
        minimum=1,
        maximum=10_000_000_000,
    )
    columns: dict[str, str] = setting(
        dict,
        N_("Columns"),
        N_("Which column plays which role, such as prompt: question; empty lets the lab find it."),
    )
    encoding: str = setting(
        "",
        N_("Encoding"),
        N_("How the file stores its letters, such as cp1252; empty for UTF-8 and UTF-16, which the lab recognises."),
    )
    template: Literal["auto", "alpaca", "question-answer", "chat", "plain"] = setting(
        "auto",
        N_("Prompt template"),
        N_("The text around prompt and answer; auto takes the one that fits the data and the model."),
        level="basic",
    )
    max_length: int = setting(
        512,
        N_("Maximum length"),
        N_("Longest example in tokens of the chosen model; longer ones are cut or dropped."),
        unit=N_("tokens"),
        level="basic",
        minimum=8,
        maximum=1_048_576,
    )
    too_long: Literal["drop", "cut"] = setting(
        "drop",
        N_("Too long"),
        N_("Drop an example that is longer than the maximum, or cut its end (it then never learns to stop there)."),
    )
    completion_only: bool = setting(
        True,
        N_("Train on the answer only"),
        N_("Leave the prompt out of the loss, so that the model learns to answer, not to ask."),
        source="Stanford Alpaca, train.py",
    )
    validation_share: float = setting(
        0.1,
        N_("Validation share"),
        N_("Share of the rows that is held out and never trained on, unless the data set has its own split."),
        unit=N_("share"),
        minimum=0.0,
        maximum=0.9,
        source="usual practice",
    )
    packing: bool = setting(
        False,
        N_("Packing"),
        N_(
            "Put several examples into one sequence of the maximum length, with their boundaries kept; a batch then "
            "counts such sequences."
        ),
    )
