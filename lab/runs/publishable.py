"""What of a finished run can be published, known from its files before any token is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.errors import InputError, LabError, NotFoundError
from lab.json_io import read_json
from lab.models import facts_of
from lab.runs.directory import RunDirectory
from lab.text import N_

TASK_FILE = "task.json"  # in final/: task and labels of a model that does not write
WAYS = ("adapter", "merged")


def tasks_of(run_id: str) -> list[str]:
    """The tasks of a run that left a whole model for each; empty for a run with one model. Raises NotFoundError."""
    told = read_json(RunDirectory.of(run_id).final_path / TASK_FILE) or {}
    return sorted(told.get("kinds") or {})


def ways(run_id: str) -> list[str]:
    """What of a run others could load: its adapter, its merged model, the usual one first. Raises NotFoundError."""
    return [way for way in WAYS if _refusal(RunDirectory.of(run_id), way) is None]


def problems(parameters: dict[str, Any]) -> list[InputError]:
    """What is wrong with a publication, each with the way out: all that its files tell, without asking the Hub.

    Raises NotFoundError for a run that has no finished model.
    """
    run = finished(str(parameters["run"]))
    what, task = str(parameters.get("what") or "adapter"), str(parameters.get("task") or "")
    found = [] if what in WAYS else [_unknown(what)]
    found += _task(tasks_of(run.id), task)
    refused = _refusal(run, what)
    return [*found, *([refused] if refused else [])]


def finished(run_id: str) -> RunDirectory:
    """The directory of a run with a finished model. Raises NotFoundError."""
    source = RunDirectory.of(run_id)
    if (source.result or {}).get("ended") not in ("finished", "short") or not source.final_path.is_dir():
        raise NotFoundError(
            N_("Run {run} has no finished model."),
            where="run",
            next=N_("Wait for its end, or resume it."),
            run=run_id,
        )
    return source


def folder_of(run: RunDirectory, task: str = "") -> Path:
    """The folder of the run's model, or of that of one of its tasks."""
    return run.final_path / task if task else run.final_path


def _unknown(what: str) -> InputError:
    return InputError(
        N_("{what} cannot be published."),
        where="what",
        allowed=N_("Allowed: adapter, merged."),
        next=N_("Choose the adapter or the merged model."),
        what=what,
    )


def _task(tasks: list[str], task: str) -> list[InputError]:
    if task in tasks or (not tasks and not task):
        return []
    if not tasks:
        return [
            InputError(
                N_("The run has one model, no tasks to choose from."),
                where="task",
                allowed=N_("Allowed: empty."),
                next=N_("Leave it out."),
            )
        ]
    return [
        InputError(
            N_("A run of several tasks left one whole model for each, and a repository holds one."),
            where="task",
            allowed=N_("Allowed: {tasks}."),
            next=N_("Say which one: --task {first}."),
            tasks=", ".join(tasks),
            first=tasks[0],
        )
    ]


def _refusal(run: RunDirectory, what: str) -> InputError | None:
    """Why what was asked for could not be loaded by anybody, or None; a model that is whole goes as it is."""
    settings = read_json(run.final_path / "adapter_config.json")
    if settings is None:
        return None
    if what == "merged" and str(settings.get("peft_type")) == "PROMPT_TUNING":
        return InputError(
            N_("A learned prompt is no change of the weights, so there is no merged model."),
            where="what",
            allowed=N_("Allowed: adapter."),
            next=N_("Publish the adapter."),
        )
    told = read_json(run.final_path / TASK_FILE) or {}
    if what == "adapter" and told.get("task") == "extractive-qa" and _body_is_lost(run):
        return InputError(
            N_("transformers does not load the body of this base for questions, so others could not use the adapter."),
            where="what",
            allowed=N_("Allowed: merged."),
            next=N_("Publish the whole model."),
        )
    return None


def _body_is_lost(run: RunDirectory) -> bool:
    """LlamaForQuestionAnswering names its body otherwise than the files of the base do, and loads none of it."""
    try:
        return facts_of(run.spec.model.source).family == "llama"
    except LabError:
        return False  # the base has gone; whoever publishes the adapter names another place for it
