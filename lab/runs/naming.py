"""What a run is called when nobody named it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.models.location import DEMO
from lab.runs import chain, registry
from lab.runs.directory import RunDirectory
from lab.runs.home import run_path

if TYPE_CHECKING:
    from lab.spec import RunSpec

_METHODS = {"lora": "LoRA", "qlora": "QLoRA"}


def default_name(spec: RunSpec, taken: Collection[str] = ()) -> str:
    """Recipe, or model and method, and the data: `demo LoRA, codealpaca_4k`; numbered if it is taken."""
    method = _METHODS.get(spec.method.name, spec.method.name)
    first = spec.recipe or f"{model_name(spec.model.source)} {method}"
    data = registry.name_of(spec.data.source)
    name = first if first == data else f"{first}, {data}"
    number = 1
    while (name if number == 1 else f"{name} {number}") in taken:
        number += 1
    return name if number == 1 else f"{name} {number}"


def name_of_request(parameters: dict[str, Any], parent: str = "") -> str:
    """The name of a job of another kind: what it was called, the run that it is about, or its file."""
    path = parameters.get("path") or (DEMO if parameters.get("demo") else "")
    return str(parameters.get("name") or parent or (Path(str(path)).name if path else ""))


def model_name(source: str) -> str:
    """What a model is called in short: the run that left it, else the last part of its folder or Hub id."""
    run = chain.run_of(source)
    name = RunDirectory.of(run).request.get("name") if run and run_path(run).is_dir() else ""
    return str(name or source.rstrip("/").rpartition("/")[2] or source)
