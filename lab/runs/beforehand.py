"""What is wrong with a run that its model's facts and its prepared data sets show before it is queued."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lab.errors import InputError
from lab.json_io import read_json
from lab.models import ModelFacts
from lab.runs import chain, early_checks, early_layers, registry
from lab.runs.home import datasets_folder, is_id
from lab.runs.network import is_data_on_hub
from lab.spec import RunSpec, with_overrides
from lab.spec.rules.task import KINDS
from lab.text import N_


def problems(spec: RunSpec, facts: ModelFacts) -> list[InputError]:
    """Everything that is wrong, each with the way out; nothing of what is not known. Raises NotFoundError.

    It takes milliseconds; what only the rows themselves tell is found by `lab.runs.rehearsal`.
    """
    with suppress(InputError):  # a run that left no model is told by whoever looks the model up
        spec = chain.resolved(spec)[0]
    return [*early_layers.problems(spec, facts), *_data(spec), *_beside(spec), *early_checks.problems(spec, facts)]


def wrong_kind(task: str, kind: str, source: str) -> InputError:
    """The error for data that a task cannot learn from; it names the task that could."""
    fitting = [name for name, kinds in KINDS.items() if kind in kinds]
    return InputError(
        N_("The task {task} cannot learn from rows of the kind {kind}."),
        where=source,
        allowed=N_("Allowed: {kinds}."),
        next=N_("Set task={fitting}, or choose other data.") if fitting else N_("Choose other data."),
        task=task,
        kind=kind,
        kinds=", ".join(KINDS[task]),
        fitting=fitting[0] if fitting else "",
    )


def unseen_labels(unseen: Sequence[str], known: Sequence[str]) -> InputError:
    """The error for held-out rows with labels that no training row has."""
    return InputError(
        N_("Held-out rows have labels that no training row has: {labels}."),
        where="data.source",
        allowed=N_("The training rows have {known}."),
        next=N_("Add training rows with these labels, take these rows out, or split anew by label."),
        labels=", ".join(unseen[:10]),
        known=", ".join(known[:20]),
    )


def nothing_to_judge_by(spec: RunSpec) -> InputError | None:
    """The error for a run that is to keep its best evaluation and holds no row out; None where none is to be kept."""
    asked = spec.evaluation
    if asked.patience is None and not asked.keep_best:
        return None
    return InputError(
        N_("Without held-out rows no evaluation can be the best one."),
        where="evaluation.patience" if asked.patience is not None else "evaluation.keep_best",
        allowed=N_("Allowed without held-out rows: patience empty, keep_best off."),
        next=N_("Raise data.validation_share, or leave it out."),
    )


def _beside(spec: RunSpec) -> list[InputError]:
    """What stands beside the data of a run, to be mixed in or not to be forgotten, and is not there."""
    asked = {
        "preparation.replay_source": spec.preparation.replay_source,
        "regularisation.ewc_data": spec.regularisation.ewc_data if spec.regularisation.ewc_lambda > 0 else "",
    }
    found = []
    for where, source in asked.items():
        is_hub = where == "regularisation.ewc_data" and is_data_on_hub(source)
        if not source.strip() or source == "demo" or is_hub or Path(source).expanduser().is_file():
            continue
        if is_id(source) and (datasets_folder() / source / "dataset.json").is_file():
            continue
        found.append(
            InputError(
                N_("There is no file and no data set {path}."),
                where=where,
                allowed=N_("A file, or the id of a prepared data set."),
                next=N_("Check the path, or leave it out."),
                path=source,
            )
        )
    return found


def _data(spec: RunSpec) -> list[InputError]:
    if spec.task == "multi-task":
        found = []
        for name, source in spec.tasks.sources.items():
            kind = spec.tasks.kinds.get(name)
            if kind in KINDS:
                found += _data(with_overrides(spec, {"task": kind, "data.source": source}))
        return found
    if not is_id(spec.data.source):
        return []
    record = registry.dataset(spec.data.source)
    if record["kind"] not in KINDS[spec.task]:
        return [wrong_kind(spec.task, record["kind"], spec.data.source)]
    figures = read_json(registry.dataset_path(spec.data.source) / "figures.json") or {}
    classes = figures.get("classes") or {}
    known = [label for label, counts in classes.items() if counts.get("train")]
    unseen = [label for label, counts in classes.items() if counts.get("validation") and not counts.get("train")]
    found = [unseen_labels(unseen, known)] if unseen else []
    alone = None if record["rows"].get("validation") else nothing_to_judge_by(spec)
    return [*found, *([alone] if alone else [])]
