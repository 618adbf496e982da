"""The small vocabulary of things that go wrong, each as a sentence that a person can act on.

An error keeps its English sentence and the values for its placeholders apart, so that the page can translate the
sentence and the command line can print it. It is turned into text only at the edge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab.text import fill


class LabError(Exception):
    """Something failed: what happened, where, what is allowed, and what to do next."""

    kind = "failed"
    exit_code = 1

    def __init__(self, message: str, *, where: str = "", allowed: str = "", next: str = "", **values: object) -> None:
        super().__init__(fill(message, values))
        self.template = message
        self.values = values
        self.where = where
        self.allowed = allowed
        self.next = next

    @property
    def message(self) -> str:
        """The English sentence with its values in place."""
        return fill(self.template, self.values)

    def as_dict(self) -> dict[str, Any]:
        """The error as the object that `--json` prints and that a worker leaves in `result.json`."""
        return {
            "kind": self.kind,
            "message": self.message,
            "where": self.where,
            "allowed": fill(self.allowed, self.values) if self.allowed else "",
            "next": fill(self.next, self.values) if self.next else "",
            "template": self.template,
            "allowed_template": self.allowed,
            "next_template": self.next,
            "values": {key: _plain(value) for key, value in self.values.items()},
        }

    def __str__(self) -> str:
        lines = [self.message]
        if self.where:
            lines[0] = f"{self.where}: {self.message}"
        if self.allowed:
            lines.append(fill(self.allowed, self.values))
        if self.next:
            lines.append(fill(self.next, self.values))
        return " ".join(lines)


class InputError(LabError):
    """What was given cannot be used: a setting, a file, a model folder."""

    kind = "input"
    exit_code = 2


class NotFoundError(LabError):
    """A run, recipe, data set or model with this id does not exist."""

    kind = "not-found"
    exit_code = 3


class InputErrors(InputError):
    """Everything that is wrong with one request, found at once.

    `problems` holds one `InputError` for each; the sentence of this error joins them.
    """

    def __init__(self, problems: Sequence[InputError]) -> None:
        first = problems[0]
        super().__init__(first.template, where=first.where, allowed=first.allowed, next=first.next, **first.values)
        self.problems = list(problems)

    def as_dict(self) -> dict[str, Any]:
        return super().as_dict() | {"problems": [problem.as_dict() for problem in self.problems]}

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


def from_dict(record: Mapping[str, Any]) -> LabError:
    """Rebuild the error that `as_dict` described (for an error that crossed a process boundary)."""
    classes = {cls.kind: cls for cls in (LabError, InputError, NotFoundError)}
    cls = classes.get(str(record.get("kind")), LabError)
    return cls(
        str(record.get("template") or record.get("message", "")),
        where=str(record.get("where", "")),
        allowed=str(record.get("allowed_template", "")),
        next=str(record.get("next_template", "")),
        **dict(record.get("values") or {}),
    )


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | float | bool | None) else str(value)
