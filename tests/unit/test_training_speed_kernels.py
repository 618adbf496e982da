"""Liger, compiled blocks, inputs from another process and the probe, as far as a machine without a GPU runs them."""

from __future__ import annotations

import copy
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import task_runs as tasks
import torch

import lab.training  # noqa: F401  (before torch)
from lab.data.example import IGNORED, Example
from lab.errors import InputError
from lab.spec import RunSpec, with_overrides
from lab.training import attention, build
from lab.training.choices import Choices, fit_arguments
from lab.training.fused import compile_blocks, fuse_kernels, fuse_lora
from lab.training.machine import Machine
from lab.training.measure import Pace
from lab.training.methods.adapters import adapt, lora_config
from lab.training.steps import course
from lab.training.trainer import LabTrainer, arguments, dataset

GPU = Machine("cuda", "bf16", 1)


@pytest.fixture(scope="module")
def folders(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {"llama": tiny_llama, "gpt2": tasks.build_tiny_gpt2(tmp_path_factory.mktemp("gpt2"))}


# --- liger, compiled blocks, inputs made beside the training ---


def stand_in(monkeypatch: pytest.MonkeyPatch, apply: Any) -> None:
    """A package with the names of liger-kernel 0.8.5; the real one needs Triton (benchmarks/gpu checks that)."""
    for name in ("liger_kernel", "liger_kernel.transformers", "liger_kernel.transformers.monkey_patch"):
        module = types.ModuleType(name)
        module.__spec__ = types.SimpleNamespace(name=name, loader=None)  # type: ignore[assignment]
        monkeypatch.setitem(sys.modules, name, module)
    patch: Any = sys.modules["liger_kernel.transformers.monkey_patch"]
    patch.MODEL_TYPE_TO_APPLY_LIGER_FN = {"llama": None}
    patch._apply_liger_kernel_to_instance = apply
    monkeypatch.setenv("TRITON_INTERPRET", "1")


def test_liger_is_asked_for_the_layers_and_not_for_the_loss(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    stand_in(monkeypatch, lambda model, **options: asked.append(options))
    assert fuse_kernels(build.load_base(str(folders["llama"]))) == "fused"
    assert asked == [{"fused_linear_cross_entropy": False, "cross_entropy": False}]
    assert fuse_kernels(build.load_base(str(folders["gpt2"]))) == "not for this model"
    monkeypatch.delenv("TRITON_INTERPRET")
    assert fuse_kernels(build.load_base(str(folders["llama"]))) == "needs a GPU"


def test_a_liger_that_does_not_fit_is_told_and_does_not_end_the_run(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(model: Any, **options: Any) -> None:
        raise ImportError("cannot import name 'LlamaRMSNorm'")

    stand_in(monkeypatch, broken)
    told = fuse_kernels(build.load_base(str(folders["llama"])))
    assert told == "liger-kernel does not fit: cannot import name 'LlamaRMSNorm'"


def rows_of(count: int) -> list[Example]:
    made = []
    for i in range(count):
        ids = [3 + (5 * i + j) % 90 for j in range(4 + 3 * i % 11)] + [1]
        made.append(Example("", "", "", "", ids, [IGNORED, IGNORED, *ids[2:]], 2))
    return made


def trainer_of(folder: Path, scratch: Path, choices: Choices, base: Any = None) -> LabTrainer:
    spec = with_overrides(RunSpec(), {
        "schedule.per_device_batch": 4, "schedule.accumulation": 1, "schedule.max_steps": 4, "method.rank": 4,
        "schedule.learning_rate": 1e-3, "method.dropout": 0.0,
    })  # fmt: skip
    machine, rows = Machine("cpu", "fp32", 1), rows_of(12)
    base = build.load_base(str(folder)) if base is None else base

    def wrap(plain: Any) -> Any:
        return adapt(plain, lora_config(spec.method, plain, "all-linear", task_type="CAUSAL_LM"), spec)

    return LabTrainer(
        base, arguments(spec, course(spec, len(rows)), machine, scratch), dataset(rows),
        build.load_tokenizer(str(folder)), machine, Pace(), adapt=wrap, max_length=64, choices=choices,
    )  # fmt: skip


def losses(trainer: LabTrainer) -> list[float]:
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def test_batches_made_by_another_process_are_the_same_in_the_same_order(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    beside = trainer_of(folders["llama"], tmp_path, Choices(budget=64))
    # What LabTrainer sets on CUDA (`fit_arguments`); pinned memory alone needs a GPU.
    beside.args.dataloader_num_workers, beside.args.dataloader_persistent_workers = 1, True
    beside.args.dataloader_prefetch_factor = 4
    found = losses(beside)
    assert len(found) == 4 and found == losses(trainer_of(folders["llama"], tmp_path, Choices(budget=64)))


def test_on_a_gpu_inputs_are_made_by_another_process_and_copied_without_waiting(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    trainer = trainer_of(folders["llama"], tmp_path, Choices(budget=64))
    args = copy.copy(trainer.args)
    fit_arguments(args, Choices(async_input=True, checkpointing=True), GPU, grouped=True)
    assert (args.dataloader_num_workers, args.dataloader_persistent_workers, args.dataloader_prefetch_factor) == (
        1, True, 4,
    )  # fmt: skip
    assert args.accelerator_config.non_blocking
    spec = RunSpec()
    assert arguments(spec, course(spec, 10), GPU, tmp_path).dataloader_pin_memory


@pytest.mark.slow
def test_compiled_blocks_compute_the_same_gradient(folders: dict[str, Path]) -> None:
    """For real, with the C++ compiler of this machine; a GPU's goes through Triton."""
    spec = with_overrides(RunSpec(), {"method.rank": 4, "method.dropout": 0.0})
    base = build.load_base(str(folders["llama"]))
    model = adapt(base, lora_config(spec.method, base, "all-linear", task_type="CAUSAL_LM"), spec).train()
    assert fuse_lora(model) == 14

    def gradient() -> torch.Tensor:
        model.zero_grad()
        with attention.using(base, attention.NAME):
            logits = model(**attention.flat_row([[3, 4, 5, 6, 7], [9, 8, 7]]), use_cache=False).logits
        logits.logsumexp(-1).sum().backward()
        return torch.cat([w.grad.flatten() for _, w in sorted(model.named_parameters()) if w.grad is not None])

    expected = gradient()
    assert compile_blocks(model) == 2
    assert (gradient() - expected).norm() < 1e-5 * expected.norm()


# --- a model that mixes neighbours ---


def mixing(model: Any) -> Any:
    """The model with a fault: in a row of several examples each sees those before it."""
    forward = model.model.forward

    def through(*args: Any, **kwargs: Any) -> Any:
        if kwargs.get("cu_seq_lens_q") is not None:
            whole = kwargs["cu_seq_lens_q"][[0, -1]]
            kwargs |= {"cu_seq_lens_q": whole, "cu_seq_lens_k": whole}
        return forward(*args, **kwargs)

    model.model.forward = through
    return model


def test_a_run_without_padding_refuses_a_model_that_mixes_neighbours_before_its_first_step(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    for choices in (Choices(padding_free="on"), Choices(packed=True)):
        with pytest.raises(InputError, match="cannot share a row: packed and separate logits differ"):
            trainer_of(folders["llama"], tmp_path, choices, mixing(build.load_base(str(folders["llama"]))))
    left = trainer_of(folders["llama"], tmp_path, Choices(), mixing(build.load_base(str(folders["llama"]))))
    assert not left.flat and left.attention_name == "sdpa"  # auto pads
    assert "differ by" in left.choices.why["padding_free"] and left.choices.why["padding_free"].endswith(" s")


def test_logits_that_are_no_numbers_do_not_pass_the_probe(folders: dict[str, Path], tmp_path: Path) -> None:
    model = build.load_base(str(folders["llama"]))
    model.lm_head.weight.data.fill_(float("nan"))
    with pytest.raises(InputError, match="cannot share a row"):
        trainer_of(folders["llama"], tmp_path, Choices(padding_free="on"), model)
