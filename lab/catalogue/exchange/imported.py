"""What was read of a file: a spec, what the file stated, what was assumed, and what is to say about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from lab.spec import RunSpec
from lab.text import fill

Level = Literal["unknown", "no place", "wrong value"]


@dataclass(frozen=True)
class Note:
    """One thing to say about a file: its key and line, how bad it is, and a sentence; `near` is the nearest name."""

    key: str
    line: int
    level: Level
    template: str
    values: dict[str, Any] = field(default_factory=dict)
    near: str = ""

    @property
    def sentence(self) -> str:
        """The English sentence."""
        return fill(self.template, self.values)

    def as_dict(self) -> dict[str, Any]:
        """The note as `--json` prints it."""
        return {
            "key": self.key, "line": self.line, "level": self.level, "sentence": self.sentence,
            "template": self.template, "values": self.values, "near": self.near,
        }  # fmt: skip


@dataclass(frozen=True)
class Imported:
    """A setup that was read: its format, the values that the file states, the tool's defaults, and notes.

    `values` and `assumed` go from a setting's dotted name to its value; `signs` are facts that no setting holds,
    such as that the run is never evaluated.
    """

    format: str
    spec: RunSpec
    values: dict[str, Any]
    assumed: dict[str, Any]
    notes: list[Note]
    signs: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """The import as `--json` prints it."""
        return {
            "format": self.format,
            "spec": self.spec.model_dump(mode="json"),
            "values": self.values,
            "assumed": self.assumed,
            "notes": [note.as_dict() for note in self.notes],
            "signs": self.signs,
        }
