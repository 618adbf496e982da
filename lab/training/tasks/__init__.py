"""One plan for each task: the model's class, features, collator, loss, scores, and the held-out records."""

from __future__ import annotations

from pathlib import Path

from lab.runs.events import EventWriter
from lab.spec import RunSpec
from lab.training.machine import Machine
from lab.training.tasks.plan import TaskPlan


def plan_for(spec: RunSpec, directory: Path, events: EventWriter, machine: Machine) -> TaskPlan:
    """The plan of a run's task; `directory` is the run's."""
    from lab.training.tasks.causal import CausalPlan
    from lab.training.tasks.classification import ClassificationPlan
    from lab.training.tasks.multi import MultiTaskPlan
    from lab.training.tasks.questions import QuestionPlan
    from lab.training.tasks.tokens import TokenPlan

    if spec.task == "preference":
        from lab.training.preference import plan_class

        return plan_class(spec)(spec, directory, events, machine)
    plans: dict[str, type[TaskPlan]] = {
        "causal-lm": CausalPlan,
        "classification": ClassificationPlan,
        "token-classification": TokenPlan,
        "extractive-qa": QuestionPlan,
        "multi-task": MultiTaskPlan,
    }
    return plans[spec.task](spec, directory, events, machine)
