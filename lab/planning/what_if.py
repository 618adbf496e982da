"""What a change would do: two plans of the same model and data side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lab.planning.costs import Costs, costs
from lab.planning.plan import Plan, plan
from lab.planning.registry import formula
from lab.spec import with_overrides

# What is compared, in the order in which it is shown, with units as in `Plan`, `MemoryPlan` and `Costs`.
COMPARED = (
    "effective_batch", "steps", "epochs", "warmup_steps", "tokens", "learning_rate", "trained_parameters",
    "memory_gib", "time_s", "gpu_hours", "cost", "energy_kwh",
)  # fmt: skip


@formula("(steps before - steps after) x seconds per step / 3600", unit="hours", source="document 000 L582-587")
def hours_saved(steps_before: float, steps_after: float, seconds_per_step: float) -> float:
    """Time that fewer steps save. 15,000 instead of 25,000 steps of 6.2 s: 17.2 h."""
    return (steps_before - steps_after) * seconds_per_step / 3600


@dataclass(frozen=True)
class Difference:
    """One number before and after a change; `by` is after minus before. None where it is not known."""

    name: str
    before: float | None
    after: float | None

    @property
    def by(self) -> float | None:
        """What the change adds; negative for what it saves."""
        return None if self.before is None or self.after is None else self.after - self.before


@dataclass(frozen=True)
class WhatIf:
    """A changed plan beside the one it came from, with their costs."""

    before: Plan
    after: Plan
    costs_before: Costs
    costs_after: Costs

    def differences(self) -> list[Difference]:
        """The numbers that the change moves."""
        before, after = _numbers(self.before, self.costs_before), _numbers(self.after, self.costs_after)
        every = [Difference(*row) for row in zip(COMPARED, before, after, strict=True)]
        return [row for row in every if row.before != row.after]


def what_if(made: Plan, changes: dict[str, Any], **options: Any) -> WhatIf:
    """The plan with some settings, named by their dotted paths, changed.

    `options` are those of `costs.costs`: device, used_share, seconds_per_step, price_per_hour. A measured
    throughput holds for the same model and method only. Raises InputErrors for values that are not allowed.
    """
    after = replanned(made, changes)
    return WhatIf(made, after, costs(made, **options), costs(after, **options))


def replanned(made: Plan, changes: dict[str, Any]) -> Plan:
    """The plan of the changed spec on the same data and device."""
    given = made.inputs
    spec = with_overrides(given.spec, changes)
    same_model = spec.model.source == given.spec.model.source
    same_work = same_model and spec.method.name == given.spec.method.name
    known_length = "tokens_per_example" not in given.assumptions
    same_length = spec.data.max_length == given.spec.data.max_length and "data.examples" not in changes
    return plan(
        spec,
        facts=given.facts if same_model else None,
        examples=spec.data.examples if "data.examples" in changes else given.rows,
        mean_tokens=given.mean_tokens if known_length else None,
        longest_tokens=given.longest_tokens if known_length else None,
        device=given.hardware or given.device,
        tokens_per_s=given.tokens_per_s if same_work else None,
        packs=given.counted_packs if same_length and same_model else None,
        windows=given.windows if same_length and same_model and spec.tasks.stride == given.spec.tasks.stride else None,
    )


def _numbers(made: Plan, spent: Costs) -> list[float | None]:
    return [
        made.effective_batch,
        made.steps,
        made.epochs,
        made.warmup_steps,
        made.tokens,
        made.learning_rate,
        made.trained_parameters,
        made.memory.total_gib,
        spent.time_s,
        spent.gpu_hours,
        spent.cost,
        spent.energy_kwh,
    ]
