"""The settings of `tasks`: what only the tasks with a head of their own need."""

from __future__ import annotations

from typing import Literal

from lab.spec.declare import setting
from lab.spec.parts.part import Part
from lab.text import N_


class TasksSpec(Part):
    """How long passages are read, which answers count, and how several tasks share one model."""

    stride: int = setting(
        128,
        N_("Overlap of windows"),
        N_("Tokens that two windows of a passage share, when it is longer than the maximum (extractive-qa)."),
        unit=N_("tokens"),
        minimum=0,
        maximum=1_048_576,
        source="google-research/bert, run_squad.py: doc_stride",
    )
    max_answer: int = setting(
        30,
        N_("Longest answer"),
        N_("Longest span that may be an answer (extractive-qa)."),
        unit=N_("tokens"),
        minimum=1,
        maximum=4096,
        source="google-research/bert, run_squad.py: max_answer_length",
    )
    null_threshold: float = setting(
        0.0,
        N_("Threshold of no answer"),
        N_("No answer is given when its score exceeds the best answer's by more than this (extractive-qa)."),
        minimum=-100.0,
        maximum=100.0,
        source="google-research/bert, run_squad.py: null_score_diff_threshold",
    )
    sources: dict[str, str] = setting(
        dict,
        N_("Data of each task"),
        N_("The data set of each task of a multi-task run, such as sentiment: reviews.csv, entities: news.conll."),
    )
    kinds: dict[str, str] = setting(
        dict,
        N_("Kind of each task"),
        N_("What each task of a multi-task run does: classification, token-classification or extractive-qa."),
    )
    sampling: Literal["proportional", "temperature"] = setting(
        "proportional",
        N_("Sampling of tasks"),
        N_("How often a batch is of which task: as often as it has rows, or evened out by the temperature."),
        source="T5, arXiv:1910.10683, section 3.5.2",
    )
    temperature: float = setting(
        2.0,
        N_("Temperature of sampling"),
        N_("A task is drawn in proportion to its rows to the power of 1 / temperature; 1 is proportional."),
        minimum=1.0,
        maximum=100.0,
        source="T5, arXiv:1910.10683, section 3.5.2",
    )
