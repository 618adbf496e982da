"""Faster forms of the same layers: LoRA in one step, GPT-2's activation, liger's kernels.

Nothing here changes what is computed beyond the rounding of the number format.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.lora.layer import Linear as LoraLinear
from torch.nn.functional import linear
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

FUSED_GELU = "gelu_pytorch_tanh"


class _Lora(torch.autograd.Function):
    """x W' + b + s (d A') B' with A (rank x inputs) and B (outputs x rank); W and b are frozen.

    d is x after the adapter's dropout, None without dropout. The product with B is added in place (`addmm`), and
    x is kept once, where autograd would keep the inner results of six operations. Hu et al., arXiv:2106.09685,
    equation 3.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        dropped: torch.Tensor | None,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        a: torch.Tensor,
        b: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        flat = x.reshape(-1, x.shape[-1])
        seen = flat if dropped is None else dropped.reshape(flat.shape)
        inner = seen @ a.t()
        out = linear(flat, weight, bias)
        out.addmm_(inner, b.t(), alpha=scale)
        ctx.save_for_backward(seen, weight, a, b, inner)
        ctx.scale, ctx.shape, ctx.apart = scale, x.shape, dropped is not None
        return out.view(*x.shape[:-1], out.shape[-1])

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        seen, weight, a, b, inner = ctx.saved_tensors
        gradient = gradient.reshape(-1, gradient.shape[-1])
        back = gradient @ b
        into_b = torch.mm(gradient.t(), inner).mul_(ctx.scale)
        into_a = torch.mm(back.t(), seen).mul_(ctx.scale)
        into_x = into_dropped = None
        if ctx.needs_input_grad[0]:
            into_x = torch.mm(gradient, weight)
            if not ctx.apart:
                into_x.addmm_(back, a, alpha=ctx.scale)
            into_x = into_x.view(ctx.shape)
        if ctx.apart and ctx.needs_input_grad[1]:
            into_dropped = torch.mm(back, a).mul_(ctx.scale).view(ctx.shape)
        return into_x, into_dropped, None, None, into_a, into_b, None


def _forward(layer: Any, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    """PEFT's forward pass of a LoRA layer while training; PEFT's own for everything else."""
    if args or kwargs or layer.disable_adapters or layer.merged or not layer.training:
        return type(layer).forward(layer, x, *args, **kwargs)
    name = layer.active_adapters[0]
    device = x.device.type
    if not torch.is_autocast_enabled(device):
        return _Lora.apply(x, _dropped(layer, name, x), *_weights(layer, name))
    dtype = torch.get_autocast_dtype(device)
    with torch.autocast(device, enabled=False):
        x = x.to(dtype)
        cast = [part.to(dtype) if isinstance(part, torch.Tensor) else part for part in _weights(layer, name)]
        return _Lora.apply(x, _dropped(layer, name, x), *cast)


_draws = threading.local()


@contextmanager
def drawing_from(generator: torch.Generator) -> Iterator[None]:
    """Let the adapters' dropout of this thread draw from a generator of its own."""
    _draws.generator = generator
    try:
        yield
    finally:
        _draws.generator = None


def _dropped(layer: Any, name: str, x: torch.Tensor) -> torch.Tensor | None:
    dropout = layer.lora_dropout[name]
    if isinstance(dropout, torch.nn.Identity) or dropout.p == 0:
        return None
    generator = getattr(_draws, "generator", None)
    if generator is None:
        return dropout(x)
    kept = torch.empty_like(x).bernoulli_(1 - dropout.p, generator=generator)
    return x * kept.div_(1 - dropout.p)


def _weights(layer: Any, name: str) -> tuple[Any, ...]:
    """Weight (outputs x inputs), bias, A, B and the scale of a layer."""
    base = layer.base_layer
    weight = base.weight if isinstance(base, torch.nn.Linear) else base.weight.t()
    return weight, base.bias, layer.lora_A[name].weight, layer.lora_B[name].weight, layer.scaling[name]


def fuse_lora(model: torch.nn.Module) -> int:
    """Give every plain LoRA layer the fused forward pass; returns how many have it.

    Layers with a variant (DoRA), a bias of the adapter or a quantized base keep PEFT's.
    """
    count = 0
    for layer in model.modules():
        if type(layer) is LoraLinear and _plain(layer):
            layer.forward = MethodType(_forward, layer)
            count += 1
    return count


def is_fused(layer: torch.nn.Module) -> bool:
    """Whether a layer has the fused forward pass."""
    return type(layer) is LoraLinear and "forward" in vars(layer)


def unfuse_lora(model: torch.nn.Module) -> None:
    """Take the fused forward passes away again, so that the model is PEFT's own."""
    for layer in model.modules():
        if is_fused(layer):
            del layer.forward


def _plain(layer: Any) -> bool:
    if len(layer.active_adapters) != 1 or layer.base_layer.weight.requires_grad:
        return False
    name = layer.active_adapters[0]
    known = type(layer.base_layer) in (torch.nn.Linear, Conv1D)
    return known and name not in layer.lora_variant and layer.lora_B[name].bias is None


def swap_activation(model: PreTrainedModel) -> bool:
    """Give GPT-2's `gelu_new` as torch's own kernel; tells whether there was one.

    The same function: the difference is 2.4e-7 in fp32. The configuration keeps its word, so that the saved model
    is the one that was loaded.
    """
    from transformers.activations import ACT2FN, NewGELUActivation

    found = False
    for module in model.modules():
        for name, child in list(module.named_children()):
            if isinstance(child, NewGELUActivation):
                setattr(module, name, ACT2FN[FUSED_GELU])
                found = True
    return found


def has_liger() -> bool:
    """Whether liger-kernel is installed; it is optional and of use on a GPU only."""
    return importlib.util.find_spec("liger_kernel") is not None


def fuse_kernels(model: PreTrainedModel) -> str:
    """Put liger's norm, rope and SwiGLU into a model on a GPU; returns what came of it.

    One of: fused, "not installed", "needs a GPU", "not for this model", or why this liger does not fit. liger
    replaces functions of the module that the model comes from, so this belongs into a process that trains one model.
    Under Triton's interpreter, which is for tests, a CPU will do.
    """
    if model.device.type != "cuda" and os.environ.get("TRITON_INTERPRET") != "1":
        return "needs a GPU"
    if not has_liger():
        return "not installed"
    try:
        liger: Any = importlib.import_module("liger_kernel.transformers.monkey_patch")
        if model.config.model_type not in liger.MODEL_TYPE_TO_APPLY_LIGER_FN:
            return "not for this model"
        liger._apply_liger_kernel_to_instance(model, fused_linear_cross_entropy=False, cross_entropy=False)
    except (ImportError, AttributeError) as error:  # made for another transformers, or Triton is not here
        return f"liger-kernel does not fit: {error}"
    return "fused"


def compile_blocks(model: PreTrainedModel) -> int:
    """Compile each block of the model for shapes that change; returns how many (regional compilation)."""
    core = model.get_base_model() if isinstance(model, PeftModel) else model
    count = 0
    for module in core.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == getattr(
            core.config.get_text_config(), "num_hidden_layers", None
        ):
            for block in module:
                block.compile(dynamic=True)
                count += 1
            break
    return count
