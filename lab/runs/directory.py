"""The run directory: the contract between worker, page, command line and other tools."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.json_io import read_json
from lab.json_io import write_json as atomic_write_json
from lab.runs.home import run_path

if TYPE_CHECKING:  # the supervisor reads run directories and stays light: no pydantic
    from lab.spec import RunSpec

__all__ = ["Checkpoint", "RunDirectory", "atomic_write_json"]


@dataclass(frozen=True)
class Checkpoint:
    """A sealed checkpoint: the optimizer step it was taken at, and its folder."""

    step: int
    path: Path


class RunDirectory:
    """One run on disk; every property reads the file as it is now, except the spec, which never changes."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @classmethod
    def of(cls, run_id: str) -> RunDirectory:
        """The directory of a run in LAB_HOME. Raises NotFoundError."""
        return cls(run_path(run_id))

    @property
    def id(self) -> str:
        """The run's ULID."""
        return self.path.name

    @cached_property
    def spec(self) -> RunSpec:
        """What was asked. Raises InputError when there is no spec.yaml (only runs of kind train have one)."""
        from lab.spec import load

        return load(self.path / "spec.yaml")

    @property
    def has_spec(self) -> bool:
        """Whether this run has a spec.yaml."""
        return (self.path / "spec.yaml").is_file()

    @property
    def plan(self) -> dict[str, Any]:
        """What was computed before the start; empty when nothing was."""
        return read_json(self.path / "plan.json") or {}

    @property
    def request(self) -> dict[str, Any]:
        """request.json: `kind`, `parameters`, `until_step`, `parent`, and what the worker's environment
        needs.
        """
        return read_json(self.path / "request.json") or {}

    @property
    def kind(self) -> str:
        """What kind of job this is: train, find-lr, prepare, evaluate, generate or publish."""
        return str(self.request.get("kind", "train"))

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of a request of another kind than train."""
        return dict(self.request.get("parameters") or {})

    @property
    def result(self) -> dict[str, Any] | None:
        """result.json, or None while there is none."""
        return read_json(self.path / "result.json")

    @property
    def events_path(self) -> Path:
        """The file events.jsonl."""
        return self.path / "events.jsonl"

    @property
    def checkpoints_path(self) -> Path:
        """The folder that holds checkpoint-N folders."""
        return self.path / "checkpoints"

    @property
    def final_path(self) -> Path:
        """The folder with the finished adapter or model."""
        return self.path / "final"

    @property
    def review_path(self) -> Path:
        """The folder with generations, scores and ratings."""
        return self.path / "review"

    @property
    def tensorboard_path(self) -> Path:
        """The folder with TensorBoard files."""
        return self.path / "tensorboard"

    def attempt_path(self, attempt: int) -> Path:
        """The folder of the attempt with this number (from 1)."""
        return self.path / "attempts" / str(attempt)

    def attempts(self) -> list[int]:
        """Numbers of the attempts that have a folder, in order."""
        folder = self.path / "attempts"
        return sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdigit()) if folder.is_dir() else []

    def error(self, attempt: int) -> dict[str, Any] | None:
        """The error that an attempt ended with, as `LabError.as_dict` wrote it."""
        return read_json(self.attempt_path(attempt) / "error.json")

    def sealed_checkpoints(self) -> list[Checkpoint]:
        """Checkpoints whose COMPLETE.json was written, oldest first; whether its sums hold is checked on
        resume.
        """
        folder = self.checkpoints_path
        if not folder.is_dir():
            return []
        found = []
        for entry in folder.iterdir():
            number = entry.name.removeprefix("checkpoint-")
            if number.isdigit() and entry.name != number and (entry / "COMPLETE.json").is_file():
                found.append(Checkpoint(int(number), entry))
        return sorted(found, key=lambda checkpoint: checkpoint.step)

    def log_text(self, tail: int | None = None) -> str:
        """What the worker printed in all attempts; with `tail`, its last lines."""
        text = "".join(self._log_of(attempt) for attempt in self.attempts())
        return text if tail is None else "\n".join(text.splitlines()[-tail:])

    def _log_of(self, attempt: int) -> str:
        path = self.attempt_path(attempt) / "log.txt"
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        return text if not text or text.endswith("\n") else text + "\n"
