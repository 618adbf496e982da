"""Adapters of models with a head: which layers get one, which are new and saved whole, and going on with one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from lab.errors import InputError
from lab.json_io import read_json
from lab.runs.directory import RunDirectory
from lab.runs.home import is_id
from lab.spec import MethodSpec
from lab.text import N_
from lab.training.build import base_name, check_names, is_linear
from lab.training.methods import pissa, quantised
from lab.training.methods.adapters import lora_config


def with_adapter(model: PreTrainedModel, method: MethodSpec, task_type: str | None, new: Iterable[str]) -> PeftModel:
    """The model with a new adapter; the layers in `new`, which no file has, are trained and saved whole.

    Raises InputError for target modules that the model does not have.
    """
    fresh = sorted(new)
    config = lora_config(method, model, targets(model, method, fresh), task_type=task_type, whole=fresh)
    tuned = trained_in_fp32(get_peft_model(model, config))
    pissa.remember(tuned)
    return tuned


def targets(model: PreTrainedModel, method: MethodSpec, new: Iterable[str]) -> list[str]:
    """The names of the layers that get an adapter: those of the body, never a new one."""
    fresh = set(new)
    found = {name for name, part in model.named_modules() if is_linear(part) and name not in fresh}
    if isinstance(method.target_modules, str):
        return sorted({name.rpartition(".")[2] for name in found})
    check_names(method.target_modules, found)
    return method.target_modules


def trained_in_fp32(model: PeftModel) -> PeftModel:
    """The model with what is trained in fp32, whatever its frozen weights are in."""
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
    return model


def adapter_folder(named: str) -> Path:
    """The folder of an adapter: a finished run's, or the one named. Raises InputError without an adapter there."""
    folder = RunDirectory.of(named).final_path if is_id(named) else Path(named).expanduser()
    if not (folder / "adapter_config.json").is_file():
        raise InputError(
            N_("{name} holds no adapter whose training could go on."),
            where="method.adapter",
            next=N_("Name a finished run that trained an adapter, or a folder with adapter_config.json."),
            name=named,
        )
    if not (folder / "adapter_model.safetensors").is_file():
        raise InputError(
            N_("The adapter in {name} has no adapter_model.safetensors; other formats are not read."),
            where="method.adapter",
            name=named,
        )
    return folder


def loaded_adapter(model: PreTrainedModel, named: str, source: str) -> PeftModel:
    """The model with an adapter that was trained before. Raises InputError for one of another base model."""
    folder = adapter_folder(named)
    trained_on = str((read_json(folder / "adapter_config.json") or {}).get("base_model_name_or_path") or "")
    if trained_on and trained_on != base_name(source):
        raise InputError(
            N_("The adapter {name} was trained on {base}, not on {source}."),
            where="method.adapter",
            next=N_("Set model.source to the model that it was trained on."),
            name=named,
            base=trained_on,
            source=base_name(source),
        )
    try:
        adapted = PeftModel.from_pretrained(model, str(folder), is_trainable=True, local_files_only=True)
    except (RuntimeError, ValueError, KeyError) as error:
        raise InputError(
            N_("The adapter {name} does not fit this model and task: {why}."),
            where="method.adapter",
            name=named,
            why=str(error).split("\n")[0][:200].rstrip("."),
        ) from error
    return trained_in_fp32(adapted)


def inject_adapter(whole: torch.nn.Module, body: torch.nn.Module, method: MethodSpec, new: Iterable[str]) -> None:
    """Put a new adapter into a body that several models share, in place; only it and the `new` layers are trained."""
    fresh = [whole.get_submodule(name) for name in new]
    for weight in whole.parameters():
        weight.requires_grad_(False)
    names = {name for name, part in body.named_modules() if is_linear(part) and all(part is not one for one in fresh)}
    if not isinstance(method.target_modules, str):
        check_names(method.target_modules, names)
        names = {name for name in names if any(f".{name}".endswith(f".{target}") for target in method.target_modules)}
    config = lora_config(method, body, sorted(names))
    for flag in ("is_loaded_in_4bit", "is_loaded_in_8bit"):  # which PEFT asks the model that it is put into
        setattr(body, flag, any(getattr(part, flag, False) for part in whole.modules() if part is not body))
    inject_adapter_in_model(config, body)
    for layer in fresh:
        layer.requires_grad_(True)
    for weight in whole.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()


def merged(body: torch.nn.Module) -> None:
    """Add what an injected adapter has learned to the weights of the body, in place, and take the adapter out.

    Quantized weights become the plain ones that they stand for first, so that the sum is not rounded to their bits.
    """
    found = [(name, part) for name, part in body.named_modules() if isinstance(part, LoraLayer)]
    for name, part in found:
        above, _, last = name.rpartition(".")
        setattr(body.get_submodule(above), last, _merged_layer(part))


def _merged_layer(part: LoraLayer) -> torch.nn.Module:
    base = part.get_base_layer()
    if type(base).__name__ not in quantised.BITS:
        part.merge()
        return base
    plain: Any = quantised.plain_layer(base, torch.float32, base.weight.device)
    flipped = isinstance(plain, Conv1D)  # which keeps inputs x outputs
    with torch.no_grad():
        weight = (plain.weight.t() if flipped else plain.weight) + part.get_delta_weight("default")
        if part.use_dora["default"]:
            lengths = part.lora_magnitude_vector["default"].weight
            weight = (lengths / weight.norm(dim=1))[:, None] * weight
        plain.weight.copy_(weight.t() if flipped else weight)
    return plain
