"""What a model's folder and this machine show to be impossible before a run is queued: each a sentence at its field."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from lab.errors import InputError, LabError
from lab.json_io import read_json
from lab.models import ModelFacts
from lab.models.location import locate
from lab.runs import registry
from lab.runs.home import is_id
from lab.spec import RunSpec, setting_at
from lab.spec.rules.task import speaks
from lab.text import N_

GPU_SIGNS = ("/proc/driver/nvidia", "/dev/nvidia0", "/dev/dxg")  # the driver's own, and Windows' in WSL
# Tokenizer classes that bring no special tokens of their own: what the files do not name is not there.
BARE_CLASSES = ("", "PreTrainedTokenizerFast", "TokenizersBackend")
SPECIAL = ("pad_token", "unk_token", "eos_token", "bos_token")


def problems(spec: RunSpec, facts: ModelFacts) -> list[InputError]:
    """Everything that is wrong, each with the way out; nothing of what is not known."""
    return [*_positions(spec, facts), *_device(spec), *_tokenizer(spec), *_documents(spec)]


def _positions(spec: RunSpec, facts: ModelFacts) -> list[InputError]:
    """A maximum length that somebody chose; the default is cut to what the model has, with a note."""
    room, asked = facts.positions, spec.data.max_length
    if room is None or asked <= room or asked == setting_at("data.max_length").default:
        return []
    return [
        InputError(
            N_("A maximum length of {asked} tokens is above the {room} positions of the model."),
            where="data.max_length",
            allowed=N_("Allowed for this model: up to {room}."),
            next=N_("Set data.max_length={room}, or choose a model with a longer context."),
            asked=asked,
            room=room,
        )
    ]


def _device(spec: RunSpec) -> list[InputError]:
    found = []
    if spec.model.quantization != "none" and importlib.util.find_spec("bitsandbytes") is None:
        found.append(
            InputError(
                N_("Weights in {bits} need bitsandbytes, which is not installed here."),
                where="model.quantization",
                allowed=N_("Allowed here: none."),
                next=N_("Install the requirements again, or choose quantization none and the method lora."),
                bits=spec.model.quantization,
            )
        )
    if spec.resources.device == "cuda" and not any(Path(sign).exists() for sign in GPU_SIGNS):
        found.append(
            InputError(
                N_("This machine has no GPU that the run could use."),
                where="resources.device",
                allowed=N_("Allowed here: auto, cpu."),
                next=N_("Choose auto."),
            )
        )
    return found


def _tokenizer(spec: RunSpec) -> list[InputError]:
    """A tokenizer that cannot end an answer, or has nothing that could serve as padding."""
    folder = _folder(spec.model.source)
    if folder is None or not (folder / "tokenizer.json").is_file():
        return []
    named = _special_tokens(folder)
    if named is None:
        return []
    if speaks(spec) and "eos_token" not in named:
        return [
            InputError(
                N_("The tokenizer names no end token, so the model could never learn to stop."),
                where="model.source",
                allowed=N_("A tokenizer with an eos_token."),
                next=N_("Add an eos_token to the model's tokenizer_config.json."),
            )
        ]
    if not named:
        return [
            InputError(
                N_("The tokenizer has no token that could serve as padding."),
                where="model.source",
                allowed=N_("A tokenizer with a pad_token, or with an unknown, end or start token in its place."),
                next=N_("Add a pad_token to the model's tokenizer_config.json."),
            )
        ]
    return []


def _folder(source: str) -> Path | None:
    try:
        place = locate(source)
    except LabError:
        return None  # told by whoever checks the model itself
    return place.path


def _special_tokens(folder: Path) -> set[str] | None:
    """Which special tokens the files name; None where the tokenizer's class may bring its own."""
    try:
        settings = read_json(folder / "tokenizer_config.json") or {}
        more = read_json(folder / "special_tokens_map.json") or {}
    except ValueError:
        return None  # the check of the folder tells it
    if str(settings.get("tokenizer_class") or "") not in BARE_CLASSES:
        return None
    return {name for name in SPECIAL if settings.get(name) or more.get(name)}


def _documents(spec: RunSpec) -> list[InputError]:
    """A prepared data set of which every row is longer than the maximum, measured with the same tokenizer."""
    if not is_id(spec.data.source) or spec.data.too_long != "drop":
        return []
    lengths = read_json(registry.dataset_path(spec.data.source) / "lengths.json") or {}
    shortest = min(lengths.get("edges") or [0])
    if lengths.get("model") != spec.model.source or shortest <= spec.data.max_length:
        return []
    return [
        InputError(
            N_("Every row of the data set has {shortest} tokens or more, and {limit} are allowed: none would be left."),
            where="data.max_length",
            allowed=N_("From {shortest} on, or rows that are cut."),
            next=N_("Raise data.max_length, or set data.too_long to cut."),
            shortest=int(shortest),
            limit=spec.data.max_length,
        )
    ]
