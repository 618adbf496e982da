"""What only a run's rows tell, found before it is queued: a process without torch reads them as the worker will."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.errors import InputError, LabError, from_dict
from lab.models.facts import tokenizer_is_here
from lab.runs import chain, registry
from lab.runs.child import ask
from lab.runs.early_checks import MEASURED, shortest, sources
from lab.runs.home import is_id, lab_home
from lab.runs.network import is_data_on_hub
from lab.runs.patience import cpu_seconds, wall_seconds
from lab.spec import RunSpec

CHILD = "lab.data.rehearsal"
LARGEST = 64 * 2**20  # bytes of a file; reading more twice takes longer than anybody waits for a click
SECONDS = 8.0  # for the work behind the reading; what takes longer is left to the worker
MARGIN = 8  # tokens that a task puts around a row which its preparation did not count
REMEMBERED = 64  # answers
WRITTEN = 4 * 2**30  # bytes that the rows of a file may take on their way


def problems(spec: RunSpec) -> list[LabError]:
    """What the worker would refuse about rows, labels and tokenizer; nothing where the data cannot be read here.

    For a spec whose model and data are known to be there. It takes a second or two, or nothing at all where the
    preparation of the data has seen it already. Raises NotFoundError for a run or a data set that is gone.
    """
    spec = chain.resolved(spec)[0]
    if not tokenizer_is_here(spec.model.source):
        return []
    named = _named(spec)
    if all(known(spec, source) for source in named):
        return []
    if any(_size(source) > LARGEST for source in named):
        return []
    key = _key(spec, named)
    if key not in _SEEN:
        if len(_SEEN) >= REMEMBERED:
            _SEEN.clear()
        _SEEN[key] = _asked(spec, named)
    return [from_dict(problem) for problem in _SEEN[key]["problems"]]


def windows(spec: RunSpec) -> int | None:
    """The windows that the passages of this run were found to need when it was rehearsed here; None before that.

    Raises NotFoundError for a run that is gone.
    """
    spec = chain.resolved(spec)[0]
    named = _named(spec)
    counted = _SEEN.get(_key(spec, named), {}).get("windows", {})
    return counted.get(spec.data.source)


_SEEN: dict[str, dict[str, Any]] = {}  # what was found in this process, so that nobody waits for it twice


def _named(spec: RunSpec) -> list[str]:
    """The data that a run reads."""
    kept = spec.regularisation
    return [*sources(spec), *([kept.ewc_data] if kept.ewc_lambda > 0 and kept.ewc_data.strip() else [])]


def _asked(spec: RunSpec, named: Sequence[str]) -> dict[str, Any]:
    request = {"spec": spec.model_dump(mode="json"), "seconds": SECONDS}
    seconds = sum(wall_seconds(source) for source in named) + SECONDS
    most = {"file": WRITTEN, "cpu_s": int(sum(map(cpu_seconds, named)) + SECONDS)}
    answer: dict[str, Any] = ask(CHILD, request, timeout_s=seconds, limits=most)
    return answer


def _key(spec: RunSpec, named: Sequence[str]) -> str:
    """What decides over the answer: the settings, and of each file when it was changed and how large it is."""
    told = spec.model_dump(mode="json", exclude={"name", "recipe", "schedule", "checkpoints", "resources", "speed"})
    places = [
        Path(place).expanduser() for place in (*named, spec.model.source, spec.preparation.replay_source) if place
    ]
    files = [inside for place in places for inside in ([place] if place.is_file() else sorted(place.glob("*.json*")))]
    stats = [(str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in files]
    return json.dumps([str(lab_home()), told, stats], sort_keys=True)


def known(spec: RunSpec, source: str) -> bool:
    """Whether a preparation has shown already that the rows suit: same tokenizer and template, some short enough."""
    if source == "demo" or is_data_on_hub(source):
        return True
    if not is_id(source) or spec.task not in MEASURED or spec.method.adapter:
        return False
    prepared = registry.dataset(source).get("options") or {}
    same = prepared.get("template", "auto") == spec.data.template and prepared.get("model") == spec.model.source
    weighed = spec.regularisation.class_weights == "given"
    return same and not weighed and shortest(spec, source)[1] + MARGIN <= spec.data.max_length


def merged(found: list[InputError], more: list[LabError]) -> list[InputError]:
    """What was found with what came later, one for each place; the first one there is the cause."""
    told = {problem.where for problem in found} - {"data.source"}
    return [*found, *(one if isinstance(one, InputError) else _as_input(one) for one in more if one.where not in told)]


def about_data(problem: LabError, spec: RunSpec) -> bool:
    """Whether a problem is one of model or data themselves, so that rows cannot be read for more."""
    places = ("model.", "tasks.", "preparation.", "preference.method")
    where = problem.where
    if where in (*sources(spec), "method.adapter"):
        return True
    return where.startswith(places) or (where.startswith("data.") and where != "data.max_length")


def _as_input(error: LabError) -> InputError:
    return InputError(error.template, where=error.where, allowed=error.allowed, next=error.next, **error.values)


def _size(source: str) -> int:
    file = Path(source).expanduser()
    return file.stat().st_size if not is_id(source) and file.is_file() else 0
