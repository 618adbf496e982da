"""What is wrong with a run that its model's facts and its prepared data sets show before it is queued."""

from __future__ import annotations

from collections.abc import Sequence

from lab.errors import InputError
from lab.json_io import read_json
from lab.models import ModelFacts
from lab.models.architectures import Linear
from lab.runs import early_checks, registry
from lab.runs.home import is_id
from lab.spec import RunSpec, with_overrides
from lab.spec.rules.task import KINDS
from lab.text import N_

ADAPTERS = ("lora", "qlora")


def problems(spec: RunSpec, facts: ModelFacts) -> list[InputError]:
    """Everything that is wrong, each with the way out; nothing of what is not known. Raises NotFoundError."""
    return [*_adapter(spec, facts), *_blocks(spec, facts), *_data(spec), *early_checks.problems(spec, facts)]


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


def _adapter(spec: RunSpec, facts: ModelFacts) -> list[InputError]:
    if spec.method.name not in ADAPTERS or not facts.linear_modules:
        return []
    found, layers = [], facts.linear_modules
    wanted = spec.method.target_modules
    named = list(layers) if isinstance(wanted, str) else wanted
    missing = [name for name in named if not _layers(name, layers)]
    if missing:
        found.append(
            InputError(
                N_("The model has no layer called {missing}."),
                where="method.target_modules",
                allowed=N_("It has {layers}."),
                next=N_("Write all-linear for all of them."),
                missing=", ".join(missing),
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


def _blocks(spec: RunSpec, facts: ModelFacts) -> list[InputError]:
    """More blocks to train than the model has."""
    method, asked = spec.method, 0
    if method.name == "frozen":
        asked = method.trainable_layers or 0
    elif method.name == "progressive":
        asked = max((int(name) for name in method.phases if name.isdecimal()), default=0)
    if not facts.layers or asked <= facts.layers:
        return []
    return [
        InputError(
            N_("The model has {layers} blocks, not {asked}."),
            where="method.trainable_layers" if method.name == "frozen" else "method.phases",
            allowed=N_("Up to {layers}."),
            next=N_("Ask for fewer."),
            layers=facts.layers,
            asked=asked,
        )
    ]


def _layers(name: str, layers: dict[str, Linear]) -> dict[str, Linear]:
    """The kinds of layers that a name of PEFT's means: it matches the end of a layer's whole name."""
    return {key: one for key, one in layers.items() if f".{key}".endswith(f".{name}") or f".{name}".endswith(f".{key}")}


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
    return [unseen_labels(unseen, known)] if unseen else []
