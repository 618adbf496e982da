"""Small twins of the benchmark's shapes, and one update of them with the lab and with padded plain TRL."""

from __future__ import annotations

import importlib
import importlib.util
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.training import libraries  # isort: skip  # before torch

import torch
from meter import on_gpu
from peft import LoraConfig, get_peft_model
from shapes import SHAPES, build, rows
from transformers import BitsAndBytesConfig
from trl import SFTConfig, SFTTrainer

from lab.data.example import IGNORED, Example
from lab.spec import RunSpec, with_overrides
from lab.training import attention
from lab.training import build as models
from lab.training.choices import Choices
from lab.training.machine import Machine
from lab.training.measure import Pace
from lab.training.steps import course
from lab.training.trainer import LabTrainer, arguments, dataset

libraries.quiet()
LENGTHS = (5, 9, 17, 30, 12, 7, 25, 14)
_FOLDER: dict[str, Path] = {}


def device() -> str:
    """Where the gates run."""
    return "cuda" if on_gpu() else "cpu"


def folder(kind: str) -> Path:
    """The twin of a shape on disk, in fp32."""
    if kind not in _FOLDER:
        import atexit
        import shutil
        import tempfile

        scratch = tempfile.mkdtemp(prefix="lab-gpu-twin-")
        atexit.register(shutil.rmtree, scratch, ignore_errors=True)
        _FOLDER[kind] = build(f"tiny-{kind}", Path(scratch), "float32")
    return _FOLDER[kind]


def base(kind: str, *, nf4: bool = False, dtype: torch.dtype = torch.float32) -> Any:
    """The twin, always with the same weights."""
    from transformers import AutoModelForCausalLM

    options: dict[str, Any] = {}
    if nf4:
        libraries.reveal()
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
        )
    return AutoModelForCausalLM.from_pretrained(folder(kind), dtype=dtype, device_map={"": device()}, **options)


def adapted(model: Any) -> Any:
    """The model with an adapter away from zero, in fp32."""
    torch.manual_seed(1)
    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    tuned = get_peft_model(model, config)
    for weight in tuned.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
    return tuned.train()


def examples() -> list[Example]:
    """Examples of unlike lengths, their first third out of the loss."""
    draw, found = random.Random(3), []
    for length in LENGTHS:
        ids = [draw.randrange(3, 250) for _ in range(length - 1)] + [1]
        found.append(Example("", "", "", "", ids, [IGNORED] * (length // 3) + ids[length // 3 :], length // 3))
    return found


def far(found: torch.Tensor, expected: torch.Tensor) -> float:
    """The difference of two vectors, relative to the size of the second."""
    return float((found.float() - expected.float()).norm() / expected.float().norm())


def gradient_of(model: Any) -> torch.Tensor:
    """Every gradient of a model in one vector."""
    weights = sorted(model.named_parameters())
    return torch.cat([weight.grad.flatten() for _, weight in weights if weight.grad is not None])


def flat_gradient(model: Any) -> torch.Tensor:
    """The gradient of a loss over three examples in one row."""
    row = attention.flat_row([example.input_ids for example in examples()[:3]], device())
    model.zero_grad()
    core = model.get_base_model()
    with attention.using(core, attention.NAME):
        autocast = torch.autocast(device(), torch.bfloat16, enabled=core.dtype == torch.bfloat16)
        with autocast:
            logits = model(**row, use_cache=False).logits
        (logits.float().logsumexp(-1).mean()).backward()
    return gradient_of(model)


@dataclass(frozen=True)
class Step:
    """One update: its loss, its label tokens, its gradient."""

    loss: float
    labels: int
    gradient: torch.Tensor


def one_step(trainer: SFTTrainer) -> Step:
    """The first update of a trainer over all examples."""
    trainer.create_optimizer()
    model = trainer.model.train()
    if trainer.args.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
        model.enable_input_require_grads()
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(len(trainer.train_dataset))])
    batch = trainer._prepare_inputs(batch)
    items = trainer._get_num_items_in_batch([batch], torch.device(device()))
    trainer.current_gradient_accumulation_steps = 1
    loss = float(trainer.training_step(model, batch, items))
    return Step(loss, int(items), gradient_of(model))


def plain_trl(kind: str, scratch: str) -> SFTTrainer:
    """Padded plain TRL in fp32, without checkpointing."""
    config = SFTConfig(
        output_dir=scratch, per_device_train_batch_size=len(LENGTHS), max_length=None, bf16=False, report_to=[],
        use_cpu=not on_gpu(), gradient_checkpointing=False, disable_tqdm=True, save_strategy="no",
        dataset_kwargs={"skip_prepare_dataset": True},
    )  # fmt: skip
    tokenizer = models.load_tokenizer(str(folder(kind)))
    table = dataset(examples()).table()
    return SFTTrainer(adapted(base(kind)), config, train_dataset=table, processing_class=tokenizer)


def lab_trainer(kind: str, scratch: str, choices: Choices, **changes: Any) -> LabTrainer:
    """The lab in fp32 with these choices."""
    settings = {"schedule.per_device_batch": len(LENGTHS), "schedule.accumulation": 1, "schedule.max_steps": 1}
    spec = with_overrides(RunSpec(), settings | changes)
    machine = Machine(device(), "fp32", 1)
    config = arguments(spec, course(spec, len(LENGTHS)), machine, Path(scratch))
    tokenizer = models.load_tokenizer(str(folder(kind)))
    return LabTrainer(base(kind), config, dataset(examples()), tokenizer, machine, Pace(), adapt=adapted, max_length=64,
                      choices=choices)  # fmt: skip


def four_losses(kind: str, scratch: str, workers: int) -> list[float]:
    """The losses of four updates with so many processes that make batches."""
    changes = {"schedule.max_steps": 4, "schedule.per_device_batch": 2, "schedule.learning_rate": 1e-3}
    trainer = lab_trainer(kind, scratch, Choices(budget=64), **changes)
    if workers:
        trainer.args.dataloader_num_workers, trainer.args.dataloader_persistent_workers = workers, True
        trainer.args.dataloader_prefetch_factor, trainer.args.accelerator_config.non_blocking = 4, True
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def losses_of(job: dict[str, Any], scratch: str) -> tuple[list[float], list[float]]:
    """Twenty losses of the shape itself with the lab as it comes and with TRL in bf16, from the same adapter."""
    import lab_arm
    from transformers import AutoModelForCausalLM

    shape = SHAPES[job["shape"]]
    longest, size = (64, 4) if job["shape"].startswith("tiny") else (1024, 16)
    made = rows("alpaca", 20 * size, shape["vocab_size"], longest)
    given = {"model": str(build(job["shape"], Path(job["models"]))), "rank": 16, "updates": 20, "batch": size,
             "longest": longest}  # fmt: skip
    steady = {"schedule.scheduler": "constant", "schedule.warmup": 0, "resources.precision": "bf16"}
    trainer, _, _ = lab_arm.trainer_of(given | {"set": steady | {"seed": 0}}, made, [], scratch)
    start = {name: weight.detach().cpu().clone() for name, weight in trainer.model.named_parameters()
             if weight.requires_grad}  # fmt: skip
    trainer.train()
    ours = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    del trainer
    dtype = torch.bfloat16 if on_gpu() else torch.float32  # frozen weights, as in the lab
    model = AutoModelForCausalLM.from_pretrained(given["model"], dtype=dtype, device_map={"": device()})
    lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(model, lora)
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            weight.data = start[name].to(weight.device)
    config = SFTConfig(
        output_dir=scratch, max_steps=20, per_device_train_batch_size=size, learning_rate=2e-4, bf16=True,
        lr_scheduler_type="constant", max_length=None, report_to=[], save_strategy="no", disable_tqdm=True, seed=0,
        data_seed=0, logging_steps=1, gradient_checkpointing=False, use_cpu=not on_gpu(),
        weight_decay=RunSpec().schedule.weight_decay, max_grad_norm=RunSpec().schedule.max_grad_norm,
        dataset_kwargs={"skip_prepare_dataset": True},
    )  # fmt: skip
    table = dataset([Example("", "", "", "", row["input_ids"], row["labels"], 1) for row in made]).table()
    reference = SFTTrainer(model, config, train_dataset=table,
                           processing_class=models.load_tokenizer(given["model"]))  # fmt: skip
    reference.train()
    return ours, [entry["loss"] for entry in reference.state.log_history if "loss" in entry]


def interpret() -> None:
    """Let liger's kernels run under Triton's interpreter, which the environment asks for (TRITON_INTERPRET=1).

    Triton 3.9's interpreter hands numbers to a kernel as they are and knows no `libdevice`; both are put right here.
    """
    if importlib.util.find_spec("triton") is None:
        return
    import numpy
    import triton.language as tl
    from triton.runtime import interpreter

    convert = interpreter._implicit_cvt

    def converted(value: Any) -> Any:
        if type(value) is float:
            handle = interpreter.TensorHandle(numpy.array([value], dtype=numpy.float32), tl.float32)
            return tl.tensor(handle, tl.float32)
        return convert(value)

    interpreter._implicit_cvt = converted
    norm = importlib.import_module("liger_kernel.ops.rms_norm")
    norm.rsqrt = lambda value: 1.0 / tl.sqrt(value)
