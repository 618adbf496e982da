"""Formulas for checks that are not arithmetic: a statement set beside what was found, measured or written
elsewhere.
"""

from __future__ import annotations

from typing import Any

from lab.planning.registry import formula


@formula("the other statement", source="comparison of two statements")
def stated(value: Any) -> Any:
    """What the other place says, to be set beside the claim."""
    return value


@formula("measured value", source="a test that was run; the check's note names it")
def measured(value: Any) -> Any:
    """What a test found, to be set beside the claim."""
    return value


@formula(
    "evaluates if eval_strategy is steps or epoch",
    source="transformers 5.23, TrainingArguments.eval_strategy",
)
def evaluations_run(strategy: str, every: int | None = None) -> str:
    """Whether a Trainer with these arguments evaluates: without eval_strategy it never does, whatever
    eval_steps is.
    """
    if strategy == "steps":
        return f"every {every} steps"
    return "each epoch" if strategy == "epoch" else "never"


@formula("largest data set whose last step comes before the first save", unit="rows", source="arithmetic")
def rows_without_a_save(save_steps: int, per_device: int, epochs: float) -> int:
    """Rows below which a run ends before its first checkpoint. 10,000 steps, batch 4, 3 epochs: 13,334."""
    return -int(-save_steps * per_device // epochs)
