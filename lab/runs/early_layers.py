"""Layers, ranks, blocks and adapters that a model's facts and files show to be impossible before a run is queued."""

from __future__ import annotations

import re
from pathlib import Path

from lab.errors import InputError, LabError
from lab.json_io import read_json
from lab.models import ModelFacts
from lab.models.architectures import Linear
from lab.models.location import locate
from lab.models.safetensors import read_header
from lab.models.safety import weight_files
from lab.runs.directory import RunDirectory
from lab.runs.home import is_id
from lab.spec import RunSpec
from lab.text import N_

_BLOCK = re.compile(r"(?:^|\.)(?:layers?|h|blocks?)\.(\d+)\.")  # as lab.training.methods.depth counts them
_NO_LINEAR = re.compile(r"embed|wte|wpe|lm_head|norm|rotary|bias|classifier|score|qa_outputs", re.IGNORECASE)
# The type that PEFT writes into an adapter's config, for each task.
PEFT_TYPES = {
    "causal-lm": "CAUSAL_LM",
    "preference": "CAUSAL_LM",
    "reward": "SEQ_CLS",
    "classification": "SEQ_CLS",
    "token-classification": "TOKEN_CLS",
    "extractive-qa": "QUESTION_ANS",
}


def problems(spec: RunSpec, facts: ModelFacts) -> list[InputError]:
    """Everything that is wrong, each with the way out; nothing of what is not known. Raises NotFoundError."""
    tensors = {} if facts.linear_modules else _tensors(spec.model.source)
    layers = facts.linear_modules or _linear_of(tensors)
    return [*_targets(spec, layers), *_blocks(spec, facts.layers or _blocks_in(tensors)), *_goes_on(spec)]


def _targets(spec: RunSpec, layers: dict[str, Linear]) -> list[InputError]:
    if not spec.method.adapts or spec.method.adapter or not layers:
        return []
    found = []
    wanted = spec.method.target_modules
    named = list(layers) if isinstance(wanted, str) else wanted
    missing = [name for name in named if not _layers(name, layers)]
    if missing or not named:
        found.append(
            InputError(
                N_("The model has no layer called {missing}."),
                where="method.target_modules",
                allowed=N_("It has {layers}."),
                next=N_("Write all-linear for all of them."),
                missing=", ".join(missing) or '""',
                layers=", ".join(sorted(layers)),
            )
        )
    named = list(layers) if missing else named  # whatever is meant, no layer is wider than the widest
    widths = {key: min(layer.inputs, layer.outputs) for name in named for key, layer in _layers(name, layers).items()}
    narrow = min(widths, key=widths.__getitem__, default=None)
    if narrow is not None and spec.method.rank > widths[narrow]:
        found.append(
            InputError(
                N_("A rank of {rank} is above the {width} dimensions of the layer {layer}: it could not add more."),
                where="method.rank",
                allowed=N_("Up to {width} for these layers."),
                next=N_("Lower the rank; 8 to 64 is usual."),
                rank=spec.method.rank,
                width=widths[narrow],
                layer=narrow,
            )
        )
    return found


def _blocks(spec: RunSpec, blocks: int | None) -> list[InputError]:
    """More blocks to train than the model has; 0 blocks: their names do not tell them apart."""
    method, asked = spec.method, 0
    by_depth = method.name in ("frozen", "progressive") or spec.schedule.layer_decay < 1
    if blocks == 0 and by_depth:
        return [
            InputError(
                N_("The blocks of this model are not known, so its layers cannot be told apart."),
                where="method.name" if method.name in ("frozen", "progressive") else "schedule.layer_decay",
                allowed=N_("Allowed for this model: full and lora, with a layer_decay of 1."),
                next=N_("Choose full or lora, and a layer_decay of 1."),
            )
        ]
    if method.name == "frozen":
        asked = method.trainable_layers or 0
    elif method.name == "progressive":
        asked = max((int(name) for name in method.phases if name.isdecimal()), default=0)
    if not blocks or asked <= blocks:
        return []
    return [
        InputError(
            N_("The model has {layers} blocks, not {asked}."),
            where="method.trainable_layers" if method.name == "frozen" else "method.phases",
            allowed=N_("Up to {layers}."),
            next=N_("Ask for fewer."),
            layers=blocks,
            asked=asked,
        )
    ]


def _goes_on(spec: RunSpec) -> list[InputError]:
    """An adapter to go on with that is not there, or belongs to another base or task. Raises NotFoundError."""
    named = spec.method.adapter
    if not named or spec.method.whole or spec.task == "multi-task":  # the rules of the spec tell the latter two
        return []
    folder = RunDirectory.of(named).final_path if is_id(named) else Path(named).expanduser()
    if not (folder / "adapter_config.json").is_file() or not (folder / "adapter_model.safetensors").is_file():
        return [
            InputError(
                N_("{name} holds no adapter whose training could go on."),
                where="method.adapter",
                allowed=N_("A folder with adapter_config.json and adapter_model.safetensors."),
                next=N_("Name a finished run that trained an adapter, or a folder with adapter_config.json."),
                name=named,
            )
        ]
    try:
        told = read_json(folder / "adapter_config.json") or {}
    except ValueError:
        told = {}  # said by whoever loads it, with the place in the file
    return [*_other_base(spec, named, str(told.get("base_model_name_or_path") or "")), *_other_task(spec, named, told)]


def _other_base(spec: RunSpec, named: str, base: str) -> list[InputError]:
    try:
        place = locate(spec.model.source)
    except LabError:
        return []  # told by whoever checks the model itself
    own = spec.model.source if place.kind == "folder" else place.load_from
    if not base or base == own:
        return []
    return [
        InputError(
            N_("The adapter {name} was trained on {base}, not on {source}."),
            where="method.adapter",
            allowed=N_("Allowed with this adapter: model.source={base}."),
            next=N_("Set model.source to the model that it was trained on."),
            name=named,
            base=base,
            source=own,
        )
    ]


def _other_task(spec: RunSpec, named: str, told: dict[str, object]) -> list[InputError]:
    task = "reward" if spec.task == "preference" and spec.preference.method == "reward" else spec.task
    kind = str(told.get("task_type") or "")
    fitting = [name for name, peft in PEFT_TYPES.items() if peft == kind]
    if not fitting or PEFT_TYPES.get(task) == kind:
        return []
    return [
        InputError(
            N_("The adapter {name} was trained for {tasks}, not for {task}."),
            where="method.adapter",
            allowed=N_("Allowed with this adapter: {tasks}."),
            next=N_("Name an adapter of the same task, or leave method.adapter out."),
            name=named,
            tasks=", ".join(fitting),
            task=task,
        )
    ]


def _layers(name: str, layers: dict[str, Linear]) -> dict[str, Linear]:
    """The kinds of layers that a name of PEFT's means: it matches the end of a layer's whole name."""
    return {key: one for key, one in layers.items() if f".{key}".endswith(f".{name}") or f".{name}".endswith(f".{key}")}


def _tensors(source: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the weights of a model in a folder; empty where they are not here."""
    try:
        folder = locate(source).path
        files = weight_files(folder) if folder else []
        return {name: shape for file in files for name, shape in read_header(file).items()}
    except LabError:
        return {}  # told by whoever checks the model itself


def _linear_of(tensors: dict[str, tuple[int, ...]]) -> dict[str, Linear]:
    """The matrices in the blocks of a model whose family is not known, by the end of their names."""
    found: dict[str, Linear] = {}
    for name, shape in tensors.items():
        layer = name.removesuffix(".weight")
        if len(shape) == 2 and layer != name and _BLOCK.search(name) and not _NO_LINEAR.search(layer):
            end = _BLOCK.split(layer)[-1]
            found[end] = Linear(shape[1], shape[0], found[end].count + 1 if end in found else 1)
    return found


def _blocks_in(tensors: dict[str, tuple[int, ...]]) -> int | None:
    """How many numbered blocks the names of the weights tell; None without names."""
    if not tensors:
        return None
    return len({found.group(1) for name in tensors if (found := _BLOCK.search(name))})
