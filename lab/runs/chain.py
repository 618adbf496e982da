"""One run after another: a run whose model is the result of an earlier one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import InputError
from lab.runs.directory import RunDirectory
from lab.runs.home import is_id
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
