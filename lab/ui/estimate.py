"""What is known about the draft's model, data and machine, and the plan that follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from lab.errors import InputError, LabError
from lab.json_io import read_json
from lab.models import ModelFacts, facts_of
from lab.planning import Plan, formula_named, plan, schedule_curve
from lab.planning.verdicts import Verdict, too_large, too_long
from lab.runs import chain, client, registry
from lab.runs.directory import RunDirectory
from lab.runs.home import is_id
from lab.runs.packs import packs_of
from lab.runs.windows import windows_of
from lab.spec import RunSpec
from lab.text import N_
from lab.ui import own_gpu
from lab.ui.machine import GIB, memory_limit, planning_device

HERE = "here"  # the machine that the lab runs on, as opposed to a device of the presets


@dataclass(frozen=True)
class Estimate:
    """The plan of a spec, what it stands on, and what is wrong with model or data.

    `ratio` is the pre-training rate over the fine-tuning rate, None where the former is not known. `limit` is
    the memory of the device in GiB with its name.
    """

    spec: RunSpec
    made: Plan
    plan: dict[str, Any]
    ratio: float | None = None
    limit: tuple[float | None, str] = (None, "")
    curve: list[tuple[int, float]] = field(default_factory=list)
    model_error: LabError | None = None
    data_error: LabError | None = None


def of(spec: RunSpec, *, device: str = HERE) -> Estimate:
    """The estimate for a spec on this machine, on a device of the hardware presets, or on a GPU of one's own."""
    facts, model_error = _facts(spec.model.source)
    known, data_error = _known_of_tasks(spec) if spec.task == "multi-task" else _known_data(spec.data.source)
    if data_error is None and spec.data.packing:
        known |= {"packs": packs_of(spec)}
    if data_error is None:
        known |= {"windows": _windows(spec)}
    if device == own_gpu.CODE:
        made = plan(spec, facts=facts, device=own_gpu.described() or "cuda", **known)
        limit: tuple[float | None, str] = (own_gpu.memory_gb() * 1e9 / GIB, own_gpu.name())
    else:
        where = planning_device(spec.resources.device) if device == HERE else device
        speed = measured_speed(_place(spec.model.source), spec.method.name, where) if device == HERE else None
        made = plan(spec, facts=facts, device=where, tokens_per_s=speed, **known)
        limit = memory_limit(where)
    made.verdicts.extend([*_too_large(made, limit), *too_long(made)])
    described = made.as_dict()
    ratio = _ratio(facts, spec, described)
    return Estimate(
        spec,
        made,
        described,
        ratio,
        limit,
        schedule_curve(spec, made.steps) if made.steps else [],
        model_error,
        data_error,
    )


def _place(source: str) -> str:
    """What runs have in model.source: the folder that a run's id stands for."""
    try:
        return chain.place_of(source)
    except LabError:
        return source  # told beside the model


def _facts(source: str) -> tuple[ModelFacts, LabError | None]:
    try:
        return facts_of(chain.place_of(source)), None
    except LabError as error:
        return ModelFacts(name=source), error


def _known_data(source: str) -> tuple[dict[str, Any], LabError | None]:
    """Training rows and lengths of a prepared data set; nothing for what is read only when the run starts."""
    if not is_id(source):
        return {}, None if source.strip() else InputError(N_("No data set is chosen."), where="data.source")
    try:
        record = registry.dataset(source)
        lengths = read_json(registry.dataset_path(source) / "lengths.json") or {}
    except LabError as error:
        return {}, error
    known = {
        "examples": record["rows"]["train"],
        "mean_tokens": (record.get("tokens") or {}).get("mean") or lengths.get("median"),
        "longest_tokens": (record.get("tokens") or {}).get("max") or lengths.get("max"),
    }
    return {name: value for name, value in known.items() if value}, None


def _windows(spec: RunSpec) -> int | dict[str, Any] | None:
    try:
        return windows_of(spec)
    except LabError:
        return None  # told beside the model


def _known_of_tasks(spec: RunSpec) -> tuple[dict[str, Any], LabError | None]:
    """The training rows of all tasks together and their lengths, where every one has a prepared data set."""
    found = [_known_data(source) for source in spec.tasks.sources.values()]
    error = next((problem for _known, problem in found if problem), None)
    parts = [known for known, _problem in found]
    if not parts or not all(known.get("examples") for known in parts):
        return {}, error
    together: dict[str, Any] = {"examples": sum(known["examples"] for known in parts)}
    if all(known.get("mean_tokens") for known in parts):
        tokens = sum(known["examples"] * known["mean_tokens"] for known in parts)
        together |= {"mean_tokens": tokens / together["examples"]}
        together |= {"longest_tokens": max(known.get("longest_tokens") or 0 for known in parts) or None}
    return together, error


def _too_large(made: Plan, limit: tuple[float | None, str]) -> list[Verdict]:
    """The finding that the run does not fit, where the plan knows no limit of the device but this machine does."""
    there, device = limit
    judged = any(verdict.field == "resources.device" for verdict in made.verdicts)
    return [] if judged or there is None else list(too_large(made, there, device))


def _ratio(facts: ModelFacts, spec: RunSpec, described: dict[str, Any]) -> float | None:
    if not facts.pretraining_learning_rate:
        return None
    found = formula_named("rate_ratio")
    inputs = {"pretraining": facts.pretraining_learning_rate, "fine_tuning": spec.schedule.learning_rate}
    described["formulas"]["learning_rate_ratio"] = {
        "formula": found.expression,
        "inputs": inputs,
        "source": found.source,
        "unit": found.unit,
    }
    return float(found(inputs))


@st.cache_data(ttl=20, max_entries=16, show_spinner=False)
def measured_speed(model: str, method: str, device: str) -> float | None:
    """Tokens per second of the newest run here with this model and method; None without one."""
    for row in client.list_runs(limit=30):
        if row.state != "succeeded":
            continue
        try:
            directory = RunDirectory.of(row.id)
            result = directory.result or {}
            speed = (result.get("throughput") or {}).get("tokens_per_s")
            if not speed or not _same_device(str(result.get("device", "")), device):
                continue
            spec = directory.spec
        except LabError:
            continue  # deleted a moment ago, or with settings of another version
        if (spec.model.source, spec.method.name) == (model, method):
            return float(speed)
    return None


def _same_device(ran_on: str, device: str) -> bool:
    return ran_on.startswith("cpu") == device.startswith("cpu")
