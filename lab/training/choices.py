"""What of the spec's `speed` a run really uses on its machine, with the reason where it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import psutil
import torch
from transformers import TrainingArguments

from lab.errors import LabError
from lab.models import ModelFacts, facts_of
from lab.planning.footprint import footprint, load_of
from lab.spec import RunSpec
from lab.training.fused import has_liger
from lab.training.machine import Machine

# Tokens of a pass beyond which a larger one is no faster. GPU: launches bind a model of 1B parameters below 8,192.
# CPU: a pass of a small model costs 20 to 30 ms whatever it holds (benchmarks/README.md).
FILLED = {"cuda": 16_384, "cpu": 8_192}
SHARE = 1 / 8  # of a machine's memory that a pass on a CPU may be enlarged into; others work there too
RESERVE = 0.9  # of the free memory; the allocator keeps the rest


@dataclass
class Choices:
    """The optimisations of one run: which are on, and `why` for what was decided or could not be had.

    `budget`: real tokens of a pass without padding; 0 keeps the batches of the spec. `packed`: examples of the whole
    set share passes, so that an update holds other examples. The defaults are those of a bare trainer: no padding,
    everything else plain.
    """

    padding_free: str = "auto"
    budget: int = 0
    packed: bool = False
    label_loss: bool = True
    fused_lora: bool = False
    side_by_side: bool = False
    checkpointing: bool = False
    dequantise: bool = False
    activation_swap: bool = False
    fused_kernels: bool = False
    async_input: bool = False
    compile: bool = False
    why: dict[str, str] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """The choices as result.json keeps them."""
        return asdict(self)


def choose(spec: RunSpec, machine: Machine) -> Choices:
    """Decide what a run uses; memory is compared with what is free on its device now."""
    speed, cuda = spec.speed, machine.device == "cuda"
    free = free_gib(machine.device)
    facts = _facts(spec)
    checkpointing = spec.resources.gradient_checkpointing
    why: dict[str, str] = {}
    if speed.auto_checkpointing and not checkpointing and facts is not None:
        needed = needed_gib(spec, facts, machine)
        checkpointing = needed is not None and needed > RESERVE * free
        why["checkpointing"] = _compared(needed, free)
    if speed.fused_kernels and not cuda:
        why["fused_kernels"] = "needs a GPU"
    if speed.async_input and not cuda:
        why["async_input"] = "needs a GPU"
    side_by_side = speed.side_by_side and speed.padding_free != "off" and _beside(spec, machine, checkpointing, why)
    dequantise = _dequantise(spec, facts, machine, free, checkpointing, why)
    fits = partial(_fits, spec, facts, machine, free, checkpointing=checkpointing, dequantised=dequantise)
    return Choices(
        padding_free=speed.padding_free,
        budget=0 if speed.padding_free == "off" else _budget(spec, machine, fits),
        packed=spec.data.packing,
        label_loss=speed.label_loss,
        fused_lora=speed.fused_lora,
        side_by_side=side_by_side,
        checkpointing=checkpointing,
        dequantise=dequantise,
        activation_swap=speed.activation_swap,
        fused_kernels=speed.fused_kernels and cuda,
        async_input=speed.async_input and cuda,
        compile=speed.compile,
        why=why,
    )


def fit_arguments(args: TrainingArguments, choices: Choices, machine: Machine, *, grouped: bool) -> None:
    """The Trainer's arguments that follow from the choices; a grouped update is one batch of passes."""
    if choices.checkpointing:  # transformers 5.23 trains by the second name, TRL still asks for the first
        args.gradient_checkpointing = args.activation_checkpointing = True
    if grouped:
        args.per_device_train_batch_size *= args.gradient_accumulation_steps
        args.gradient_accumulation_steps = 1
    if choices.async_input and machine.device == "cuda":
        args.dataloader_num_workers, args.dataloader_persistent_workers = 1, True
        args.dataloader_prefetch_factor = 4
        args.accelerator_config.non_blocking = True


def planned_gib(spec: RunSpec, machine: Machine, choices: Choices) -> float | None:
    """The plan's peak memory of a run with these choices, in GiB; None when not known."""
    facts = _facts(spec)
    if facts is None:
        return None
    options = {"checkpointing": choices.checkpointing, "dequantised": choices.dequantise}
    return needed_gib(spec, facts, machine, choices.budget, **options)


def needed_gib(
    spec: RunSpec,
    facts: ModelFacts,
    machine: Machine,
    tokens: int = 0,
    *,
    checkpointing: bool | None = None,
    dequantised: bool = False,
) -> float | None:
    """The plan's peak memory in GiB; `tokens` replaces batch times length of a pass. None when not known.

    `dequantised`: the base's weights lie there as if nothing had been rounded, in bf16 on a GPU.
    """
    bf16 = machine.precision == "bf16"
    load = load_of(spec, length=spec.data.max_length, device=machine.device, bf16=bf16)
    if tokens:
        load = replace(load, batch=max(1, -(-tokens // (load.length * load.answers))))
    if checkpointing is not None:
        load = replace(load, checkpointing=checkpointing)
    if dequantised:
        fused = {"lora"} if spec.speed.fused_lora and not spec.method.dora else set()
        load = replace(load, quantization="none", forms=load.forms | fused)
    if machine.device == "cuda" and spec.speed.fused_kernels and has_liger():
        load = replace(load, forms=load.forms | {"liger"})
    return footprint(facts, load).total_gib


def free_gib(device: str) -> float:
    """Memory in GiB that is free now: of the GPU, with what this process already holds of it, or of the machine."""
    if device == "cuda":
        free, _ = torch.cuda.mem_get_info()
        return float(free + torch.cuda.memory_reserved()) / 2**30
    return float(psutil.virtual_memory().available) / 2**30


def _budget(spec: RunSpec, machine: Machine, fits: Callable[[int], bool]) -> int:
    """Tokens of a pass: as the spec says, else what the plan counts on, or more of an update as long as that fits."""
    if spec.speed.tokens_per_pass is not None:
        return spec.speed.tokens_per_pass
    planned = spec.schedule.per_device_batch * spec.data.max_length
    filled = min(FILLED[machine.device], planned * spec.schedule.accumulation)
    return filled if planned < filled and fits(filled) else planned


def _beside(spec: RunSpec, machine: Machine, checkpointing: bool, why: dict[str, str]) -> bool:
    """Whether two passes at a time can pay; notes the reason where they cannot."""
    if machine.device == "cuda":
        why["side_by_side"] = "a GPU is full with one pass"
    elif machine.threads < 2:  # one for each side
        why["side_by_side"] = "needs two threads"
    elif spec.method.whole or checkpointing or spec.regularisation.neftune_alpha or not spec.speed.label_loss:
        why["side_by_side"] = "not with this method"
    return "side_by_side" not in why


def _dequantise(
    spec: RunSpec, facts: ModelFacts | None, machine: Machine, free: float, checkpointing: bool, why: dict[str, str]
) -> bool:
    """Whether an NF4 base is kept as plain weights; notes the reason for both answers."""
    if not spec.speed.dequantise:
        return False
    if spec.model.quantization != "nf4":
        why["dequantise"] = "the base is not in NF4"
        return False
    if spec.method.init == "loftq" or spec.method.adapter:
        why["dequantise"] = "the adapter was made on NF4 layers"
        return False
    if facts is None:
        why["dequantise"] = "memory not known"
        return False
    needed = needed_gib(spec, facts, machine, checkpointing=checkpointing, dequantised=True)
    why["dequantise"] = _compared(needed, free)
    return needed is not None and needed <= RESERVE * free


def _fits(spec: RunSpec, facts: ModelFacts | None, machine: Machine, free: float, tokens: int, **how: bool) -> bool:
    """Whether passes of so many tokens fit. On a CPU what happens to be free now has no say: a resumed run must make
    the passes that it made before, or its sums are rounded otherwise.
    """
    needed = None if facts is None else needed_gib(spec, facts, machine, tokens, **how)
    room = RESERVE * free if machine.device == "cuda" else SHARE * psutil.virtual_memory().total / 2**30
    return needed is not None and needed <= room


def _facts(spec: RunSpec) -> ModelFacts | None:
    try:
        return facts_of(spec.model.source)
    except LabError:
        return None  # a model of which nothing is known before it is loaded


def _compared(needed: float | None, free: float) -> str:
    return "memory not known" if needed is None else f"{needed:.2f} GiB planned, {free:.2f} GiB free"
