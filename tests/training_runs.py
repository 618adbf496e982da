"""Real training runs on a tiny model, for tests: a run directory, its worker, what it reported."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

from lab.runs.directory import RunDirectory
from lab.runs.events import EventWriter, tail_events
from lab.runs.stopping import StopFlag
from lab.spec import RunSpec, dump, with_overrides

QUICK = {
    "schedule.max_steps": 6,
    "schedule.per_device_batch": 2,
    "schedule.accumulation": 2,
    "schedule.learning_rate": 1e-3,
    "evaluation.every_steps": 3,
    "evaluation.max_examples": 4,
    "evaluation.samples": 2,
    "evaluation.review_prompts": 3,
    "evaluation.max_new_tokens": 8,
    "method.rank": 4,
    "data.max_length": 64,
    "resources.precision": "fp32",
    "resources.device": "cpu",
    "resources.threads": 1,
}


def write_questions(path: Path, rows: int = 40) -> Path:
    """A JSONL file of questions and answers of different lengths."""
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    draw = random.Random(0)
    with open(path, "w", encoding="utf-8") as file:
        for i in range(rows):
            answer = " ".join(draw.choices(words, k=draw.randint(1, 6)))
            file.write(json.dumps({"question": f"What does f{i} do?", "answer": f"It says {answer}."}) + "\n")
    return path


def make_spec(model: Path, data: Path, **changes: Any) -> RunSpec:
    """A quick run's spec; `changes` name settings with two underscores for the dot."""
    given = {name.replace("__", "."): value for name, value in changes.items()}
    sources = {"model.source": str(model), "data.source": str(data)}
    return with_overrides(RunSpec(), QUICK | sources | given)


def make_run(folder: Path, spec: RunSpec, **request: Any) -> RunDirectory:
    """A run directory as the client makes it."""
    folder.mkdir(parents=True)
    (folder / "spec.yaml").write_text(dump(spec))
    (folder / "request.json").write_text(json.dumps({"kind": "train", "until_step": None} | request))
    return RunDirectory(folder)


class StopAt(StopFlag):
    """Asks to stop as soon as events.jsonl holds a training loss of this step."""

    def __init__(self, run: RunDirectory, step: int) -> None:
        super().__init__()
        self.run, self.step = run, step

    @property
    def requested(self) -> bool:
        return self.step in series(self.run, "train_loss")


def train(run: RunDirectory, stop: StopFlag | None = None, attempt: int = 1) -> dict[str, Any]:
    """Run the worker in this process and leave its result where a worker would."""
    from lab.training.worker import run as work

    run.attempt_path(attempt).mkdir(parents=True, exist_ok=True)
    writer = EventWriter(run, attempt)
    try:
        result = work(run, writer, stop or StopFlag(), attempt)
    finally:
        writer.close()
    (run.path / "result.json").write_text(json.dumps(result))
    return result


def events(run: RunDirectory, kind: str = "") -> list[dict[str, Any]]:
    """What the run reported, of one kind or all."""
    return [event for event in tail_events(run.events_path)[0] if not kind or event["kind"] == kind]


def series(run: RunDirectory, name: str) -> dict[int, float]:
    """The values of a metric by optimizer step."""
    metrics = events(run, "metric")
    return {event["step"]: event["values"][name] for event in metrics if name in event["values"]}


def weights_sha(folder: Path) -> str:
    """One sum over every tensor file of a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.safetensors")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
