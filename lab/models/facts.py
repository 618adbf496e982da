"""What a plan needs to know about a model, from its config.json and the headers of its weights."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lab.errors import InputError
from lab.models.architectures import Linear, Shape, shape_of
from lab.models.location import locate
from lab.models.presets import find_preset
from lab.models.safetensors import parameters_in
from lab.models.safety import TOKENIZER_FILES, check_folder, read_config
from lab.text import N_

_LARGEST_CONFIG = 1 << 20


@dataclass(frozen=True)
class ModelFacts:
    """The facts of one model; None for what is not known.

    Widths in values; `positions` in tokens; `parameters` exact, counted from the config or from the weights
    (`counted`). `linear_modules`: the linear layers of the blocks by name, which LoRA can adapt. `dropout`: the model
    drops attention weights in training, as GPT-2 and BERT do by default.
    """

    name: str
    model_type: str = ""
    hidden: int | None = None
    layers: int | None = None
    heads: int | None = None
    kv_heads: int | None = None
    head_dim: int | None = None
    intermediate: int | None = None
    vocabulary: int | None = None
    positions: int | None = None
    tied: bool | None = None
    parameters: int | None = None
    linear_modules: dict[str, Linear] = field(default_factory=dict)
    family: str = ""
    activation: str = ""
    dropout: bool = False
    eos: str = ""
    has_pad: bool | None = None
    has_chat_template: bool | None = None
    counted: Literal["config", "weights", "not known"] = "not known"
    pretraining_learning_rate: float | None = None


def facts_of(source: str | Path | Mapping[str, Any]) -> ModelFacts:
    """The facts of a folder, Hub id, preset id, `demo`, of a config.json alone, or of a config given as a mapping.

    A folder is checked first (`check_folder`) and refused with InputError if it is not safe. A Hub id is
    looked up among the presets and in the local Hub cache; of any other Hub id every fact is None.
    """
    if isinstance(source, Mapping):
        return facts_of_config(source)
    if str(source).strip().endswith(".json"):
        return _facts_of_file(Path(str(source).strip()).expanduser())
    location = locate(source)
    if location.path is not None:
        return _facts_of_folder(location.path, name=location.preset or location.path.name)
    preset = find_preset(location.hub_id)
    if preset is not None:
        return facts_of_config(
            preset.config, name=preset.name, pretraining_learning_rate=preset.pretraining_learning_rate
        )
    cached = _cached_folder(location.hub_id)
    if cached is not None:
        return facts_of_config(read_config(cached), name=location.hub_id, **_tokenizer_facts(cached))
    return ModelFacts(name=location.hub_id)


def facts_of_config(config: Mapping[str, Any], *, name: str = "", **more: Any) -> ModelFacts:
    """The facts behind the values of a config.json; `more` overrides single facts."""
    kind = str(config.get("model_type", ""))
    shape = shape_of(config)
    values: dict[str, Any] = {"name": name or str(config.get("_name_or_path") or kind), "model_type": kind}
    if shape is not None:
        values |= _of_shape(shape, config)
    return ModelFacts(**{**values, **more})


def _of_shape(shape: Shape, config: Mapping[str, Any]) -> dict[str, Any]:
    names = (
        "hidden",
        "layers",
        "heads",
        "kv_heads",
        "head_dim",
        "intermediate",
        "vocabulary",
        "positions",
        "tied",
    )
    return {name: getattr(shape, name) for name in names} | {
        "parameters": shape.parameters,
        "linear_modules": shape.linear,
        "family": shape.family,
        "activation": str(config.get("activation_function") or config.get("hidden_act") or ""),
        "dropout": bool(_dropout(shape, config)),
        "counted": "config",
    }


def _dropout(shape: Shape, config: Mapping[str, Any]) -> float:
    """The dropout of the attention weights; transformers' default where the config does not say."""
    names = {"gpt2": ("attn_pdrop", 0.1), "bert": ("attention_probs_dropout_prob", 0.1)}
    name, default = names.get(shape.family, ("attention_dropout", 0.0))
    return float(config.get(name, default) or 0.0)


def _facts_of_folder(folder: Path, *, name: str) -> ModelFacts:
    weights = check_folder(folder)
    config = read_config(folder)
    more = _tokenizer_facts(folder)
    if shape_of(config) is None:
        more |= {"parameters": parameters_in(weights), "counted": "weights"}
    return facts_of_config(config, name=name, **more)


def _facts_of_file(file: Path) -> ModelFacts:
    """The facts behind a config.json without its weights: enough for a plan. Raises InputError."""
    try:
        config = json.loads(file.read_text(encoding="utf-8")) if file.stat().st_size < _LARGEST_CONFIG else None
    except (OSError, ValueError):
        config = None
    if not isinstance(config, dict):
        raise InputError(
            N_("{file} is not a readable config.json."),
            where="model.source",
            next=N_("Give the config.json of a model, its folder, or its Hub id."),
            file=file,
        )
    return facts_of_config(config, name=file.parent.name or file.stem)


def _tokenizer_facts(folder: Path) -> dict[str, Any]:
    file = folder / "tokenizer_config.json"
    settings: dict[str, Any] = {}
    if file.is_file():
        try:
            settings = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            settings = {}  # check_folder refuses such a folder; a cached one is its library's business
    return {
        "eos": _token(settings.get("eos_token")),
        "has_pad": bool(_token(settings.get("pad_token"))),
        "has_chat_template": bool(settings.get("chat_template")) or (folder / "chat_template.jinja").is_file(),
    }


def _token(value: Any) -> str:
    return str(value.get("content", "")) if isinstance(value, dict) else str(value or "")


def tokenizer_is_here(source: str) -> bool:
    """Whether the tokenizer of a model can be read on this machine, without the Hub. Raises InputError."""
    place = locate(source)
    folder = place.path or _cached_folder(place.hub_id)
    return folder is not None and any((folder / name).is_file() for name in TOKENIZER_FILES)


def _cached_folder(hub_id: str) -> Path | None:
    """The newest copy of a Hub model on this machine that has a config.json, or None."""
    home = os.environ.get("HF_HUB_CACHE") or os.path.join(
        os.environ.get("HF_HOME") or os.path.join(Path.home(), ".cache", "huggingface"), "hub"
    )
    snapshots = Path(home) / f"models--{hub_id.replace('/', '--')}" / "snapshots"
    found = [file.parent for file in snapshots.glob("*/config.json")]
    return max(found, key=lambda folder: folder.stat().st_mtime, default=None)
