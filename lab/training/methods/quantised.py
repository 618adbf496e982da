"""Base weights in 8 bits or NF4 through bitsandbytes, which has kernels for CUDA and for CPUs."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from peft import PeftConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from peft.utils.integrations import dequantize_bnb_weight
from peft.utils.loftq_utils import _SafetensorLoader
from safetensors import SafetensorError
from transformers import BitsAndBytesConfig
from transformers.pytorch_utils import Conv1D

from lab.errors import InputError, LabError
from lab.models.location import locate
from lab.spec import ModelSpec
from lab.text import N_
from lab.training import libraries

BITS = {"Linear4bit": 4, "Linear8bitLt": 8}


def config_of(model: ModelSpec, dtype: torch.dtype, *, heads: Sequence[str] = ()) -> BitsAndBytesConfig | None:
    """How the base is to be rounded as it is loaded, None for not at all; layers named in `heads` stay whole.

    `dtype` is the format that products are computed in. Raises InputError where bitsandbytes is not installed.
    """
    if model.quantization == "none":
        return None
    if not libraries.reveal():
        raise InputError(
            N_("Weights in {bits} need bitsandbytes, which is not installed here."),
            where="model.quantization",
            next=N_("Install the requirements again, or choose quantization none."),
            bits=model.quantization,
        )
    kept = list(heads) or None
    if model.quantization == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=kept)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=model.double_quantization,
        bnb_4bit_compute_dtype=dtype,
        llm_int8_skip_modules=kept,
    )


def is_quantised(model: torch.nn.Module) -> bool:
    """Whether any layer keeps its weights in 8 bits or fewer."""
    return any(type(layer).__name__ in BITS for layer in model.modules())


def settle(model: torch.nn.Module) -> None:
    """Keep NF4 weights as they are on a CPU: in evaluation bitsandbytes would pack them anew, with constants in bf16.

    That changes the values that the training goes on with, and fails on layers narrower than a block of 64.
    """
    for layer in model.modules():
        if type(layer).__name__ == "Linear4bit":
            layer.support_avx512bf16_for_cpu = False


@contextmanager
def trained_weights_kept(model: torch.nn.Module) -> Iterator[None]:
    """Put the adapter's weights back as they were: TRL rounds those of a quantized model to bf16, which loses steps.

    A step smaller than 1/256 of a weight would vanish in bf16.
    """
    if not is_quantised(model):
        yield
        return
    before = {name: weight.detach().clone() for name, weight in model.named_parameters() if weight.requires_grad}
    yield
    for name, weight in model.named_parameters():
        if name in before:
            weight.data = before[name]


@torch.no_grad()
def dequantise(model: torch.nn.Module, dtype: torch.dtype, device: torch.device | str) -> int:
    """Put plain layers with the same values in place of quantized ones; returns how many there were."""
    found = [(name, layer) for name, layer in model.named_modules() if type(layer).__name__ in BITS]
    for name, layer in found:
        above, _, last = name.rpartition(".")
        setattr(model.get_submodule(above), last, plain_layer(layer, dtype, device))
    for part in (model, getattr(model, "base_model", None)):
        _forget_quantisation(part)
    return len(found)


def on_plain_base(model: PeftModel, dtype: torch.dtype) -> PeftModel:
    """The adapter on the values that its quantized base stands for, on the CPU; the model is used up.

    So a merged model computes what was trained, and loads without bitsandbytes.
    """
    config, weights = model.peft_config["default"], get_peft_model_state_dict(model, save_embedding_layers=False)
    weights = {name: weight.detach().cpu() for name, weight in weights.items()}
    settings = model.generation_config if hasattr(model, "generation_config") else None
    base = model.unload()
    dequantise(base, dtype, "cpu")
    again = get_peft_model(base.to("cpu"), copy_of(config))
    set_peft_model_state_dict(again, weights)
    if settings is not None:
        again.base_model.model.generation_config = settings
    return again.eval()


def copy_of(config: PeftConfig) -> PeftConfig:
    """The same adapter without its start, whose weights are put in place afterwards."""
    made = copy.deepcopy(config)
    if hasattr(made, "init_lora_weights"):
        made.init_lora_weights = True
    return made


def plain_layer(layer: Any, dtype: torch.dtype, device: torch.device | str) -> torch.nn.Module:
    """A layer with the values that a quantized one stands for, of the kind that was quantized."""
    weight = values_of(layer).to(device=device, dtype=dtype)
    kind: Any = getattr(layer, "source_cls", torch.nn.Linear)
    made: Any
    if kind is Conv1D:  # GPT-2: inputs x outputs, always with a bias
        with torch.device("meta"):
            made = kind(*weight.shape)
        weight = weight.t()
    else:
        made = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=layer.bias is not None, device="meta")
    made.weight = torch.nn.Parameter(weight.contiguous(), requires_grad=False)
    if layer.bias is not None:
        made.bias = torch.nn.Parameter(layer.bias.detach().to(device=device, dtype=dtype), requires_grad=False)
    return made.train(layer.training)


def values_of(layer: Any) -> torch.Tensor:
    """The weights of a quantized layer as numbers, outputs x inputs, in fp32."""
    return dequantize_bnb_weight(layer.weight, state=getattr(layer, "state", None)).float()


@torch.no_grad()
def start_from_rounding(model: PeftModel, source: str, revision: str) -> None:
    """LoftQ: start an NF4 model's adapter from what the rounding took away, W - Q, as far as its rank reaches.

    One step of Li et al., arXiv:2310.08659, the one that leaves Q as it is; PEFT's own needs CUDA and leaves the scale
    out. Raises LabError where the weights before the rounding are not on this machine.
    """
    location = locate(source)
    folder = location.path or _downloaded(location.load_from, revision)
    try:
        before = _SafetensorLoader(model, str(folder))
        for name, layer in model.named_modules():
            if type(layer).__name__ == "Linear4bit" and hasattr(layer, "lora_A"):
                kept = before.get_tensor(f"{name.removeprefix('base_model.model.')}.weight").float()
                _take_rounding(layer, kept)
    except (FileNotFoundError, ValueError, KeyError, SafetensorError) as error:
        raise LabError(
            N_("LoftQ could not read the weights before they were rounded: {why}."),
            where="method.init",
            next=N_("Choose init=default."),
            why=str(error).split("\n")[0][:200].rstrip("."),
        ) from error


def _take_rounding(layer: Any, before: torch.Tensor) -> None:
    base = layer.get_base_layer()
    if getattr(base, "source_cls", None) is Conv1D:
        before = before.t()
    rounding = before.to(base.weight.device) - values_of(base)
    left, strengths, right = torch.linalg.svd(rounding, full_matrices=False)
    rank, roots = layer.r["default"], strengths.sqrt()
    layer.lora_A["default"].weight.data = (roots[:rank, None] * right[:rank]).contiguous()
    layer.lora_B["default"].weight.data = (left[:, :rank] * roots[:rank] / layer.scaling["default"]).contiguous()


def _downloaded(hub_id: str, revision: str) -> Path:
    return Path(snapshot_download(hub_id, revision=revision or None, local_files_only=True))


def _forget_quantisation(model: Any) -> None:
    config = getattr(model, "config", None)
    if config is not None and hasattr(config, "quantization_config"):
        del config.quantization_config
    for name in ("is_loaded_in_4bit", "is_loaded_in_8bit", "is_quantized", "quantization_method", "hf_quantizer"):
        if name in getattr(model, "__dict__", {}):
            delattr(model, name)
