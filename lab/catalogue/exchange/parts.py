"""What an export is made of: a text, and the settings that have no place in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from lab.text import fill

WIDTH = 110


@dataclass(frozen=True)
class LeftOut:
    """A setting that the target cannot express as the lab means it: its dotted name and a sentence with its values."""

    path: str
    template: str
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def why(self) -> str:
        """The English sentence."""
        return fill(self.template, self.values)

    def as_dict(self) -> dict[str, Any]:
        """The entry as `--json` prints it."""
        return {"path": self.path, "why": self.why, "template": self.template, "values": self.values}


@dataclass(frozen=True)
class Export:
    """A setup in the form of one target: a file's name and text, and what is not in it."""

    format: str
    filename: str
    text: str
    left_out: list[LeftOut]

    def as_dict(self) -> dict[str, Any]:
        """The export as `--json` prints it."""
        return {
            "format": self.format,
            "filename": self.filename,
            "text": self.text,
            "left_out": [entry.as_dict() for entry in self.left_out],
        }


@dataclass(frozen=True)
class Group:
    """Keys of a YAML file that belong together, under one comment."""

    comment: str
    values: dict[str, Any]


def commented_yaml(head: Sequence[str], groups: Sequence[Group], left_out: Sequence[LeftOut]) -> str:
    """A YAML text with a head, what is left out, and groups of keys under their comments."""
    lines = [f"# {line}".rstrip() for line in head]
    lines += left_out_comment(left_out)
    for group in groups:
        if group.values:
            body = yaml.safe_dump(group.values, sort_keys=False, allow_unicode=True, width=1000)
            lines += ["", f"# {group.comment}", body.rstrip()]
    return "\n".join(lines) + "\n"


def left_out_comment(left_out: Sequence[LeftOut]) -> list[str]:
    """Comment lines that tell what the file does not say."""
    if not left_out:
        return []
    lines = ["#", "# Not in this file:"]
    for entry in left_out:
        first, *rest = wrapped(f"{entry.path}: {entry.why}")
        lines += [f"# - {first}", *(f"#   {line}" for line in rest)]
    return lines


def wrapped(text: str) -> list[str]:
    """A text in lines that fit a comment; its own line breaks are shown as \\n."""
    import textwrap

    return textwrap.wrap(text.replace("\n", "\\n"), WIDTH - 6, break_long_words=False, break_on_hyphens=False) or [""]


def merged(groups: Sequence[Group]) -> dict[str, Any]:
    """The keys of all groups."""
    return {name: value for group in groups for name, value in group.values.items()}
