"""What a model's folder and this machine show to be impossible before a run is queued: each a sentence at its field."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

from lab.errors import InputError, LabError
from lab.json_io import read_json
from lab.models import ModelFacts
from lab.models.architectures import FAMILIES
from lab.models.location import locate
from lab.runs import registry
from lab.runs.home import is_id
from lab.spec import RunSpec, setting_at
from lab.spec.parts.schedule import PLAIN_OPTIMIZERS
from lab.spec.rules.task import LABELLED, speaks
from lab.text import N_

GPU_SIGNS = ("/proc/driver/nvidia", "/dev/nvidia0", "/dev/dxg")  # the driver's own, and Windows' in WSL
# Tokenizer classes that bring no special tokens of their own: what the files do not name is not there.
BARE_CLASSES = ("", "PreTrainedTokenizerFast", "TokenizersBackend")
SPECIAL = ("pad_token", "unk_token", "eos_token", "bos_token")
# Tasks whose rows are measured by their preparation as the training reads them.
MEASURED = ("causal-lm", "classification", "token-classification")
# Families without a class of transformers 5.23 for a task; a test compares this with transformers.
WITHOUT_CLASS = {
    "token-classification": ("olmo2",),
    "extractive-qa": ("gemma", "gemma2", "olmo2", "phi3"),
}


def problems(spec: RunSpec, facts: ModelFacts) -> list[InputError]:
    """Everything that is wrong, each with the way out; nothing of what is not known."""
    found = [*_class(spec, facts), *_positions(spec, facts), *_device(spec), *_tokenizer(spec)]
    for source in sources(spec):
        found += documents(spec, source)
    return found


def sources(spec: RunSpec) -> list[str]:
    """The data sets of a run: one, or one for each task."""
    return list(spec.tasks.sources.values()) if spec.task == "multi-task" else [spec.data.source]


def _class(spec: RunSpec, facts: ModelFacts) -> list[InputError]:
    """A model that cannot do the task: an encoder that is to write, a family without such a head."""
    if speaks(spec) and _reads_both_ways(spec, facts):
        return [
            InputError(
                N_("{model} reads a text in both directions, so it cannot write, as the task {task} asks."),
                where="model.source",
                allowed=N_("Allowed with this model: {tasks}."),
                next=N_("Choose a language model such as Llama or GPT-2, or another task."),
                model=facts.name,
                task=spec.task,
                tasks=", ".join(LABELLED),
            )
        ]
    asked = list(spec.tasks.kinds.values()) if spec.task == "multi-task" else [spec.task]
    lacking = [task for task in asked if facts.model_type in WITHOUT_CLASS.get(task, ())]
    if not lacking:
        return []
    return [
        InputError(
            N_("transformers has no model of the kind {kind} for the task {task}."),
            where="model.source",
            allowed=N_("Allowed for this task: {families}."),
            next=N_("Choose a model of another family."),
            kind=facts.model_type,
            task=", ".join(lacking),
            families=", ".join(sorted(set(FAMILIES) - {name for task in lacking for name in WITHOUT_CLASS[task]})),
        )
    ]


def _reads_both_ways(spec: RunSpec, facts: ModelFacts) -> bool:
    """Whether a model is an encoder, or an encoder with a decoder, by its family or its config.json."""
    folder = _folder(spec.model.source)
    try:
        config = read_json(folder / "config.json") if folder else None
    except ValueError:
        config = None  # the check of the folder tells it
    if not isinstance(config, dict):
        return facts.family == "bert"
    if config.get("is_decoder"):
        return False
    named = " ".join(map(str, config.get("architectures") or ()))
    return facts.family == "bert" or bool(config.get("is_encoder_decoder")) or "ForMaskedLM" in named


def _positions(spec: RunSpec, facts: ModelFacts) -> list[InputError]:
    """A maximum length that somebody chose; the default is cut to what the model has, with a note."""
    room, asked = facts.positions, spec.data.max_length
    if room is None or asked == setting_at("data.max_length").default:
        return []
    if spec.method.name == "prompt-tuning" and room - spec.method.virtual_tokens < asked <= room:
        return _prompted(spec, room)
    if asked <= room:
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


def _prompted(spec: RunSpec, room: int) -> list[InputError]:
    """Learned tokens stand before every example, and take positions as its own tokens do."""
    tokens, asked = spec.method.virtual_tokens, spec.data.max_length
    return [
        InputError(
            N_("{asked} tokens behind {tokens} learned ones are more than the {room} positions of the model."),
            where="data.max_length",
            allowed=N_("Allowed with this prompt: up to {left}."),
            next=N_("Set data.max_length={left}, or learn a shorter prompt."),
            asked=asked,
            tokens=tokens,
            room=room,
            left=room - tokens,
        )
    ]


def _device(spec: RunSpec) -> list[InputError]:
    found = []
    if spec.schedule.optimizer not in PLAIN_OPTIMIZERS and importlib.util.find_spec("bitsandbytes") is None:
        found.append(
            InputError(
                N_("The optimizer {name} needs bitsandbytes, which is not installed here."),
                where="schedule.optimizer",
                allowed=N_("Allowed here: {plain}."),
                next=N_("Install the requirements again, or choose adamw."),
                name=spec.schedule.optimizer,
                plain=", ".join(PLAIN_OPTIMIZERS),
            )
        )
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
    if (speaks(spec) or spec.task == "preference") and "eos_token" not in named:
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


def documents(spec: RunSpec, source: str) -> list[InputError]:
    """A prepared data set of which every row is longer than the maximum, measured with the same tokenizer."""
    low, _high = shortest(spec, source)
    if spec.data.too_long != "drop" or spec.task not in MEASURED or low <= spec.data.max_length:
        return []
    return [nothing_fits(low, spec.data.max_length)]


def nothing_fits(shortest: int, limit: int) -> InputError:
    """The error for data of which every row is longer than the maximum."""
    return InputError(
        N_("Every row of the data set has {shortest} tokens or more, and {limit} are allowed: none would be left."),
        where="data.max_length",
        allowed=N_("From {shortest} on, or rows that are cut."),
        next=N_("Raise data.max_length, or set data.too_long to cut."),
        shortest=shortest,
        limit=limit,
    )


def shortest(spec: RunSpec, source: str) -> tuple[int, float]:
    """Between how many tokens the shortest row of a prepared data set has; 0 and infinity where it is not known."""
    unknown = (0, math.inf)
    if not is_id(source):
        return unknown
    lengths = read_json(registry.dataset_path(source) / "lengths.json") or {}
    bars = [i for i, count in enumerate(lengths.get("counts") or []) if count]
    if lengths.get("model") != spec.model.source or not bars:
        return unknown
    low, high = lengths["edges"][bars[0]], lengths["edges"][bars[0] + 1] - 1
    return int(low), float(high)
