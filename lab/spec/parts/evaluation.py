"""The settings of `evaluation`: what is measured and shown while the model learns, always on held-out rows."""

from __future__ import annotations

from typing import Literal

from lab.spec.declare import setting
from lab.spec.parts.part import Part
from lab.text import N_


class EvaluationSpec(Part):
    """What is measured and shown while the model learns, always on held-out rows."""

    every_steps: int | None = setting(
        None,
        N_("Evaluate every"),
        N_("Steps between two evaluations on the held-out rows; empty for about ten over the run."),
        unit=N_("steps"),
        minimum=1,
        maximum=1_000_000,
    )
    max_examples: int = setting(
        200,
        N_("Held-out rows"),
        N_("Largest number of held-out rows that an evaluation reads."),
        unit=N_("rows"),
        minimum=1,
        maximum=100_000,
    )
    samples: int = setting(
        4,
        N_("Sample prompts"),
        N_("Held-out prompts that are answered at step 0 and at each evaluation."),
        unit=N_("prompts"),
        minimum=0,
        maximum=64,
    )
    review_prompts: int = setting(
        24,
        N_("Prompts compared"),
        N_("Held-out prompts that base and tuned model answer for the comparison."),
        unit=N_("prompts"),
        minimum=0,
        maximum=2000,
    )
    max_new_tokens: int = setting(
        60,
        N_("Answer length"),
        N_("Longest answer that is generated."),
        unit=N_("tokens"),
        minimum=1,
        maximum=4096,
    )
    patience: int | None = setting(
        None,
        N_("Early stopping"),
        N_("Evaluations in a row without improvement after which the training ends; empty for never."),
        unit=N_("evaluations"),
        minimum=1,
        maximum=1000,
    )
    min_improvement: float = setting(
        0.0,
        N_("Least improvement"),
        N_("By how much an evaluation must be better than the best one to count as an improvement."),
        minimum=0.0,
        maximum=100.0,
    )
    best_by: Literal["auto", "loss", "score"] = setting(
        "auto",
        N_("Best by"),
        N_(
            "What makes an evaluation the best: the held-out loss, or the score of the task; auto: score if it has one."
        ),
    )
    keep_best: bool = setting(
        False,
        N_("Keep the best"),
        N_("End with the weights of the best evaluation in place of the last ones; early stopping always does."),
    )
