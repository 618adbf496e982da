"""Which evaluation was the best so far, and whether the training should end for want of a better one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lab.spec import RunSpec


@dataclass
class Best:
    """The best evaluation of a run.

    `name` is loss or score; `value` and `step` are the best one's, `since` the evaluations after it without
    improvement; `over` says that the training has ended for it. `patience` 0 never ends it.
    """

    name: str = "loss"
    keeps: bool = False
    patience: int = 0
    least: float = 0.0
    value: float | None = None
    step: int | None = None
    since: int = 0
    over: bool = False

    @classmethod
    def of_spec(cls, spec: RunSpec, score: str, sealed: Mapping[str, Any]) -> Best:
        """As the spec asks, going on from what a checkpoint (`sealed`, its context) remembers.

        `score` names the task's own figure, "" for none.
        """
        asked = spec.evaluation
        name = "score" if score and asked.best_by != "loss" else "loss"
        patience = asked.patience or 0
        found = cls(name, asked.keep_best or patience > 0, patience, asked.min_improvement)
        for key, value in (sealed.get("best") or {}).items():
            if key in ("value", "step", "since", "over"):
                setattr(found, key, value)
        return found

    def see(self, figures: Mapping[str, Any], step: int) -> bool:
        """Take an evaluation in; true when it is the best so far. One that is not a number is no improvement."""
        value = figures.get(self.name)
        if not self.keeps or value is None or self.step == step:
            return False
        if self.value is None or self._better(float(value)):
            self.value, self.step, self.since = float(value), step, 0
            return True
        self.since += 1
        self.over = bool(self.patience) and self.since >= self.patience
        return False

    def as_dict(self) -> dict[str, Any]:
        """What a checkpoint and result.json remember."""
        return asdict(self)

    def _better(self, value: float) -> bool:
        gain = value - float(self.value or 0) if self.name == "score" else float(self.value or 0) - value
        return gain > self.least
