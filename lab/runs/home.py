"""Where everything lives: LAB_HOME and the ids of what is in it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import platformdirs
from ulid import ULID

from lab.errors import NotFoundError
from lab.text import N_

# Crockford's base 32, as in the ULID specification; the first character keeps the value within 128 bits.
_ID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


def lab_home() -> Path:
    """The folder that holds runs, data sets and models; made on first use, readable by its owner only."""
    given = os.environ.get("LAB_HOME")
    home = Path(given).expanduser().absolute() if given else platformdirs.user_data_path("fine-tuning-lab")
    return _folder(home)


def runs_folder() -> Path:
    """LAB_HOME/runs, made on first use."""
    return _folder(lab_home() / "runs")


def datasets_folder() -> Path:
    """LAB_HOME/datasets, made on first use."""
    return _folder(lab_home() / "datasets")


def models_folder() -> Path:
    """LAB_HOME/models, made on first use."""
    return _folder(lab_home() / "models")


def locks_folder() -> Path:
    """LAB_HOME/locks, made on first use."""
    return _folder(lab_home() / "locks")


def new_id() -> str:
    """A new ULID: 26 characters that sort by the time they were made."""
    return str(ULID())


def is_id(text: str) -> bool:
    """Whether `text` has the form of an id; only such a text ever becomes a part of a path."""
    return bool(_ID.fullmatch(text))


def created_at(identifier: str) -> float:
    """Unix seconds at which a ULID was made."""
    return ULID.from_str(identifier).timestamp


def run_path(run_id: str) -> Path:
    """The directory of a run. Raises NotFoundError when `run_id` is no id or there is no such run."""
    path = runs_folder() / run_id if is_id(run_id) else None
    if path is None or not path.is_dir():
        raise no_such_run(run_id)
    return path


def no_such_run(run_id: str) -> NotFoundError:
    """The error for a run that does not exist."""
    return NotFoundError(
        N_("There is no run {run}."),
        where="run",
        next=N_("List the runs with: python -m lab runs list"),
        run=run_id[:40],
    )


def _folder(path: Path) -> Path:
    if not path.is_dir():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path
