"""One finding about a plan."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from lab.text import fill

Status = Literal["ok", "info", "low", "high", "warning", "error"]


@dataclass(frozen=True)
class Verdict:
    """One finding: the setting, a status, a sentence with its values apart (for translation), and its
    source.
    """

    field: str
    status: Status
    template: str
    source: str
    values: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def why(self) -> str:
        """The English sentence."""
        return fill(self.template, self.values)

    def as_dict(self) -> dict[str, Any]:
        """The verdict as `--json` prints it: field, status, why, source, and the sentence before its
        values.
        """
        return {
            "field": self.field,
            "status": self.status,
            "why": self.why,
            "source": self.source,
            "template": self.template,
            "values": self.values,
        }
