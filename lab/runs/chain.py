"""One run after another: a run whose model is the result of an earlier one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import InputError
from lab.runs.directory import RunDirectory
from lab.runs.home import is_id, runs_folder
from lab.text import N_

if TYPE_CHECKING:
    from lab.spec import RunSpec


def resolved(spec: RunSpec) -> tuple[RunSpec, str | None]:
    """The spec with the folder of the model in place of a run's id, and that run; the spec as it is without one.

    Raises InputError for a run without a whole model, NotFoundError for no run.
    """
    from lab.spec import with_overrides

    source = spec.model.source.strip()
    if not is_id(source):
        return spec, None
    return with_overrides(spec, {"model.source": str(model_of(source)), "model.revision": ""}), source


def place_of(source: str) -> str:
    """Where a model really is: the folder that a run left for its id, anything else as it is. Raises as `resolved`."""
    return str(model_of(source.strip())) if is_id(source.strip()) else source


def run_of(source: str) -> str:
    """The run whose result a model is, named by its id or by the folder in it; empty for any other model."""
    if is_id(source):
        return source
    path = Path(source)
    if not path.is_absolute() or not path.is_relative_to(runs_folder()):
        return ""
    first = path.relative_to(runs_folder()).parts[:1]
    return first[0] if first and is_id(first[0]) else ""


def is_offered(run_id: str) -> bool:
    """Whether a finished run left a language model that the next run may start from."""
    if (RunDirectory.of(run_id).final_path / "task.json").is_file():  # one that gives labels
        return False
    try:
        model_of(run_id)
    except InputError:
        return False
    return True


def model_of(run_id: str) -> Path:
    """The folder of the whole model that a finished run left; an adapter's is the merged one. Raises as `resolved`."""
    final = RunDirectory.of(run_id).final_path
    folder = final / "merged" if (final / "adapter_config.json").is_file() else final
    if not (folder / "config.json").is_file():
        raise InputError(
            N_("Run {run} left no whole model that another run could start from."),
            where="model.source",
            allowed=N_("A run that has ended, with a whole or a merged model."),
            next=N_("Wait for its end; an adapter or a prompt without a merged model goes on with method.adapter."),
            run=run_id,
        )
    return folder
