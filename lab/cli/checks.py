"""Everything that can be known to be wrong before a run is queued."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from lab import spec as specs
from lab.cli import machine
from lab.errors import InputError, InputErrors
from lab.models.facts import ModelFacts, facts_of
from lab.models.location import locate
from lab.models.safety import check_folder
from lab.planning import Plan, plan
from lab.planning.arithmetic import held_out_rows
from lab.planning.verdicts import Verdict, too_large, too_long
from lab.runs import beforehand, chain, registry, rehearsal
from lab.runs.child import ask
from lab.runs.home import is_id
from lab.runs.network import is_data_on_hub
from lab.runs.packs import packs_of
from lab.runs.windows import windows_of
from lab.spec import RunSpec
from lab.spec.rules.task import KINDS
from lab.text import N_

# What an error says of a data file, by the values that it carries -> what to type.
_WAYS_OUT = (
    (
        {"prompt", "completion"},
        N_("Say which column is which: --set 'data.columns=prompt: {prompt}, completion: {completion}'."),
    ),
    ({"byte", "column"}, N_("Save the file as UTF-8, or name its encoding: --set data.encoding=cp1252.")),
)


@dataclass(frozen=True)
class Checked:
    """A spec that can run, the facts of its model, and its plan as `plan --json` prints it."""

    spec: RunSpec
    facts: ModelFacts
    plan: dict[str, Any]


@dataclass(frozen=True)
class DataFacts:
    """Training rows, their mean and longest length in tokens, and their packs, as far as they are known already."""

    examples: int | None = None
    mean_tokens: float | None = None
    longest_tokens: int | None = None
    packs: int | None = None


def check_run(spec: RunSpec) -> Checked:
    """Check settings, model folder and data, and plan the run. Raises InputError; nothing is changed."""
    found: list[InputError] = []
    facts, data = ModelFacts(name=spec.model.source), DataFacts()
    with _collected(found):
        specs.check(spec)
    with _collected(found):
        facts = check_model(chain.resolved(spec)[0].model.source)
    with _collected(found):
        data = data_facts(spec)
    found += [problem for problem in beforehand.problems(spec, facts) if str(problem) not in map(str, found)]
    if not any(rehearsal.about_data(problem, spec) for problem in found):
        found = rehearsal.merged(found, rehearsal.problems(spec))
    if found:
        raise found[0] if len(found) == 1 else InputErrors(found)
    return Checked(spec, facts, planned(spec, facts, data))


@contextmanager
def _collected(found: list[InputError]) -> Iterator[None]:
    """Keep the errors of one look, so that the next look adds its own."""
    try:
        yield
    except InputErrors as errors:
        found += errors.problems
    except InputError as error:
        found.append(error)


def planned(spec: RunSpec, facts: ModelFacts, data: DataFacts) -> dict[str, Any]:
    """The plan of a spec on this machine."""
    device = None if spec.resources.device == "cpu" else machine.gpu_name() or None
    made = plan(
        spec,
        facts=facts,
        device=device,
        examples=data.examples,
        mean_tokens=data.mean_tokens,
        longest_tokens=data.longest_tokens,
        packs=data.packs,
        windows=windows_of(spec),
    )
    made.verdicts.extend([*_too_large_here(made), *too_long(made)])
    return made.as_dict()


def _too_large_here(made: Plan) -> Iterator[Verdict]:
    """The finding that the run does not fit this machine, where the plan itself knows no limit of the device."""
    if any(verdict.field == "resources.device" for verdict in made.verdicts):
        return
    if made.inputs.device == "cpu":
        yield from too_large(made, psutil.virtual_memory().total / machine.GIB, "this machine")
    elif machine.gpus():
        name, size = machine.gpus()[0]
        yield from too_large(made, size, name)


def check_model(source: str) -> ModelFacts:
    """The architecture facts of a model whose folder, if it is one, is safe to load. Raises InputError."""
    location = locate(source)
    if location.kind == "folder" and location.path is not None:
        check_folder(location.path)
    return facts_of(source)


def data_facts(spec: RunSpec) -> DataFacts:
    """What is known about the data: nothing when it is on the Hub, or `demo`, which the planner knows.

    Raises InputError for a file that cannot be used, NotFoundError for a data set that does not exist.
    """
    if spec.task == "multi-task":
        wrong: list[InputError] = []
        parts = []
        for one in _each_task(spec):
            with _collected(wrong):
                parts.append(data_facts(one))
        if wrong:
            raise InputErrors(wrong)
        known = [part.examples for part in parts if part.examples is not None]
        return DataFacts(sum(known) if len(known) == len(parts) else None)
    source = spec.data.source
    if source == "demo" or is_data_on_hub(source):
        return DataFacts()
    if is_id(source):
        record = registry.dataset(source)
        tokens = record.get("tokens") or {}
        return DataFacts(record["rows"]["train"], tokens.get("mean"), tokens.get("max"), packs_of(spec))
    report = inspect(source, mapping=spec.data.columns, encoding=spec.data.encoding)
    kind = report.get("kind")
    if kind not in KINDS[spec.task]:
        raise beforehand.wrong_kind(spec.task, str(kind), source)
    rows = int(report["rows"])
    return DataFacts(max(1, rows - held_out_rows(rows, spec.data.validation_share)))


def _each_task(spec: RunSpec) -> list[RunSpec]:
    kinds = spec.tasks.kinds
    return [
        specs.with_overrides(spec, {"task": kinds[name], "data.source": source})
        for name, source in spec.tasks.sources.items()
        if kinds.get(name) in KINDS
    ]


def inspect(
    path: str, *, mapping: Mapping[str, str] | None = None, kind: str = "", encoding: str = "", **reading: str
) -> dict[str, Any]:
    """What a throw-away process finds in a data file, told which column is which, its kind and its encoding.

    `reading` may say delimiter, quote, text_unit and format. Raises InputError for a file that cannot be used.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise InputError(
            N_("There is no file {path}."),
            where="data.source",
            next=N_("Write a file (CSV, JSON, JSONL), a prepared data set's id, a Hub id, or `demo`."),
            path=path,
        )
    said = {"mapping": dict(mapping or {}), "kind": kind, "encoding": encoding} | reading
    try:
        return ask("lab.data.child", {"do": "inspect", "path": str(file.absolute())} | said)
    except InputError as error:
        raise _as_typed(error) from None


def _as_typed(error: InputError) -> InputError:
    """The error with the way out as it is typed, where the page has a form."""
    ways = [way for values, way in _WAYS_OUT if values <= error.values.keys()]
    if not ways:
        return error
    return InputError(error.template, where=error.where, allowed=error.allowed, next=ways[0], **error.values)
