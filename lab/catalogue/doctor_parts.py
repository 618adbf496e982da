"""What the doctor says: rows of a table, findings with one suggestion each, disagreements, and neighbours."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from lab.models import ModelFacts
from lab.planning import Plan
from lab.spec import RunSpec
from lab.text import fill

Level = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class Said:
    """A sentence with its values apart, for translation, and where it comes from."""

    template: str
    source: str = ""
    values: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def text(self) -> str:
        """The English sentence."""
        return fill(self.template, self.values)

    def as_dict(self) -> dict[str, Any]:
        """The sentence as `--json` prints it."""
        return {"text": self.text, "template": self.template, "values": self.values, "source": self.source}


@dataclass(frozen=True)
class Row:
    """One parameter against its range: value, recommended low and high, the default, the place between them.

    `position` goes from 0 (at `low`) to 1 (at `high`), on a logarithmic axis where `log` is set; values outside the
    range stand at its ends. None where there is no value or no range.
    """

    field: str
    label: str
    value: Any
    low: float | None
    high: float | None
    default: float | None
    position: float | None
    status: str
    why: Said
    log: bool = False
    unit: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The row as `--json` prints it."""
        return {**{name: getattr(self, name) for name in (
            "field", "label", "value", "low", "high", "default", "position", "status", "log", "unit"
        )}, "why": self.why.as_dict()}  # fmt: skip


@dataclass(frozen=True)
class Suggestion:
    """The settings (dotted name -> value) that answer a finding, and why these."""

    change: dict[str, Any]
    reason: Said

    def as_dict(self) -> dict[str, Any]:
        """The suggestion as `--json` prints it."""
        return {"change": self.change, "reason": self.reason.as_dict()}


@dataclass(frozen=True)
class Finding:
    """Something about the setup: a code, the setting, how bad it is, a sentence, and at most one suggestion.

    `error_number` is the number of the error in document 000 (1 to 5), where it is one of them.
    """

    code: str
    field: str
    level: Level
    what: Said
    suggestion: Suggestion | None = None
    error_number: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """The finding as `--json` prints it."""
        return {
            "code": self.code,
            "field": self.field,
            "level": self.level,
            "what": self.what.as_dict(),
            "suggestion": self.suggestion.as_dict() if self.suggestion else None,
            "error_number": self.error_number,
        }


@dataclass(frozen=True)
class Disagreement:
    """Where the documents contradict each other or the literature: what each side says, and what is shown here."""

    field: str
    topic: str
    sides: list[Said]
    shown: Said

    def as_dict(self) -> dict[str, Any]:
        """The disagreement as `--json` prints it."""
        return {
            "field": self.field,
            "topic": self.topic,
            "sides": [side.as_dict() for side in self.sides],
            "shown": self.shown.as_dict(),
        }


@dataclass(frozen=True)
class Case:
    """What is examined: the spec, its plan, the facts of its model, and what only an imported file can say."""

    spec: RunSpec
    plan: Plan
    facts: ModelFacts
    signs: dict[str, Any] = dataclasses.field(default_factory=dict)
    stated: frozenset[str] | None = None

    @property
    def adapter(self) -> bool:
        """Whether an adapter is trained."""
        return self.spec.method.name in ("lora", "qlora")

    @property
    def steps(self) -> int | None:
        """Optimizer steps of the run, as far as they are known."""
        return self.plan.steps

    def states(self, path: str) -> bool:
        """Whether an imported file names this setting itself."""
        return self.stated is not None and path in self.stated


def finding(
    code: str, field: str, level: Level, template: str, source: str, values: dict[str, Any] | None = None, *,
    change: dict[str, Any] | None = None, reason: str = "", reason_source: str = "",
    reason_values: dict[str, Any] | None = None, error_number: int | None = None,
) -> Finding:  # fmt: skip
    """A finding, with a suggestion where `change` is given."""
    suggestion = None
    if change:
        suggestion = Suggestion(change, Said(reason, reason_source or source, reason_values or {}))
    return Finding(code, field, level, Said(template, source, values or {}), suggestion, error_number)
