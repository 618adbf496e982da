"""Learning from preferences: DPO and KTO on a language model, and models that score answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.spec import RunSpec

if TYPE_CHECKING:
    from lab.training.tasks.plan import TaskPlan


def plan_class(spec: RunSpec) -> type[TaskPlan]:
    """The plan of the spec's preference method."""
    from lab.training.preference.plan import KtoPlan, PairPlan
    from lab.training.preference.reward import RewardPlan

    plans: dict[str, type[TaskPlan]] = {"dpo": PairPlan, "kto": KtoPlan, "reward": RewardPlan}
    return plans[spec.preference.method]
