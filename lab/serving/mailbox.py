"""Questions and answers of a session as files: `inbox/NAME.json` is answered by `outbox/NAME.json`.

Each file appears in one piece. A question is removed when its answer is there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.errors import InputError, LabError
from lab.json_io import read_json, write_json
from lab.text import N_

LARGEST = 2**20  # bytes of a question


class Mailbox:
    """The mailbox in a run directory."""

    def __init__(self, directory: Path) -> None:
        self.inbox, self.outbox = directory / "inbox", directory / "outbox"
        for folder in (self.inbox, self.outbox):
            folder.mkdir(mode=0o700, exist_ok=True)

    def waiting(self) -> list[Path]:
        """The questions that wait, by name."""
        return sorted(path for path in self.inbox.glob("*.json") if not path.name.startswith("."))

    def answer(self, question: Path, ask: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Answer a question; what is wrong with it becomes {"error": ...}; other trouble leaves it there."""
        try:
            answer = ask(_read(question))
        except LabError as error:
            answer = {"error": error.as_dict()}
        write_json(self.outbox / question.name, answer)
        question.unlink(missing_ok=True)  # who asked may have given up


def _read(question: Path) -> dict[str, Any]:
    try:
        if question.stat().st_size > LARGEST:
            raise ValueError
        asked = read_json(question)
    except (OSError, ValueError):
        asked = None
    if not isinstance(asked, dict):
        raise InputError(N_("The question is no JSON object of at most 1 MiB."), where=question.name)
    return asked
