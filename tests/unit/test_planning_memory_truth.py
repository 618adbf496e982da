"""The memory terms of the plan against what tiny real models hold: counted tensor by tensor on the CPU."""

from __future__ import annotations

import itertools
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
import training_runs as runs
from peft import LoraConfig, get_peft_model
from saved_tensors import counted
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from lab.models import ModelFacts, facts_of
from lab.planning import plan
from lab.planning.footprint import Load, footprint
from lab.planning.memory import GIB
from lab.training import attention

RANK, BATCH, WORDS = 8, 2, 512
LENGTHS = (16, 64, 192)
SHAPE = {"vocab_size": WORDS, "bos_token_id": 0, "eos_token_id": 1}


def tiny(family: str) -> Any:
    """A model of four blocks and width 128 with attention that keeps no scores, as far as the CPU has it."""
    torch.manual_seed(0)
    if family == "llama":
        config: Any = LlamaConfig(
            hidden_size=128, intermediate_size=352, num_hidden_layers=4, num_attention_heads=8,
            num_key_value_heads=4, tie_word_embeddings=True, **SHAPE,
        )  # fmt: skip
        model: Any = LlamaForCausalLM(config)
    else:
        config = GPT2Config(n_embd=128, n_layer=4, n_head=4, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, **SHAPE)
        model = GPT2LMHeadModel(config)
    model.set_attn_implementation("sdpa")
    return model.train()


def load(method: str, length: int, **changes: Any) -> Load:
    return Load(method, BATCH, length, rank=RANK, **{"device": "cpu", "scores": False, **changes})


def with_adapter(model: Any, dropout: float) -> Any:
    return get_peft_model(
        model, LoraConfig(r=RANK, lora_dropout=dropout, target_modules="all-linear", task_type="CAUSAL_LM")
    )


def body(model: Any) -> Any:
    """The model without its head, whose logits are a term of their own."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    return base.model if hasattr(base, "model") else base.transformer


def one_block(model: Any, ids: torch.Tensor, compute: Any) -> int:
    """Bytes that the last block keeps when it is computed again in the backward pass."""
    blocks = body(model).layers if hasattr(body(model), "layers") else body(model).h
    block, seen = blocks[-1], []
    block.register_forward_pre_hook(lambda module, args, kwargs: seen.append((args, kwargs)), with_kwargs=True)
    with compute(), torch.no_grad():
        body(model)(input_ids=ids, use_cache=False)
    (args, kwargs) = seen[0]
    args = tuple(
        a.detach().requires_grad_() if isinstance(a, torch.Tensor) and a.is_floating_point() else a for a in args
    )
    block.gradient_checkpointing = False
    with counted(model) as found, compute():
        block(*args, **kwargs)
    return sum(found.values())


def measured(run: Load, family: str) -> tuple[dict[str, float], ModelFacts]:
    """The bytes of each term of a real step."""
    model = tiny(family)
    facts = facts_of(model.config.to_dict())
    if run.half:
        model = model.to(torch.bfloat16)
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    if not run.full:
        model = with_adapter(model, run.dropout)
    if run.checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        if not run.full:
            model.enable_input_require_grads()

    def compute() -> Any:
        return torch.autocast("cpu", torch.bfloat16) if run.bf16 else nullcontext()

    ids = torch.randint(0, WORDS, (run.batch, run.length))
    with counted(model) as found, compute():
        hidden = body(model)(input_ids=ids, use_cache=False).last_hidden_state
    kept = sum(found.values()) + (one_block(model, ids, compute) if run.checkpointing else 0)
    hidden.float().square().mean().backward()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained)
    optimizer.step()
    states = sum(value.nbytes for state in optimizer.state.values() for value in state.values())
    adapter = 0 if run.full else sum(p.nbytes for p in trained)
    gradients = sum(p.grad.nbytes for p in trained if p.grad is not None)
    terms = {"weights": weights, "adapter": adapter, "gradients": gradients, "optimizer": states, "activations": kept}
    return {name: float(value) for name, value in terms.items()}, facts


def compare(run: Load, family: str, *, activations: float = 0.05) -> None:
    found, facts = measured(run, family)
    planned = footprint(facts, run)
    for name, value in found.items():
        tolerance = activations if name == "activations" else 0.01
        assert getattr(planned, f"{name}_gib") * GIB == pytest.approx(value, rel=tolerance), name


CONFIGURATIONS = list(itertools.product(("llama", "gpt2"), ("full", "lora"), (False, True), LENGTHS))


@pytest.mark.parametrize(("family", "method", "checkpointing", "length"), CONFIGURATIONS)
def test_every_term_of_a_step_in_fp32_is_what_the_plan_says(
    family: str, method: str, checkpointing: bool, length: int
) -> None:
    compare(load(method, length, checkpointing=checkpointing, bf16=False), family)


# With checkpointing, the copies of a full fine-tune are in autocast's cache, where no hook looks.
AUTOCAST = [
    (family, *rest) for family in ("llama", "gpt2") for rest in (("full", False), ("lora", False), ("lora", True))
]


@pytest.mark.parametrize(("family", "method", "checkpointing"), AUTOCAST)
def test_under_autocast_too_with_its_copies_of_the_weights(family: str, method: str, checkpointing: bool) -> None:
    compare(load(method, 192, checkpointing=checkpointing), family)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_frozen_weights_in_bf16_as_on_a_gpu_halve_what_is_kept_between_blocks(family: str, checkpointing: bool) -> None:
    # A GPU's autocast computes layer norms in fp32, as the plan counts them; the CPU's does not.
    tolerance = 0.05 if family == "llama" else 0.2
    compare(load("lora", 192, checkpointing=checkpointing, device="cuda"), family, activations=tolerance)


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_dropout_of_the_adapter_keeps_a_mask_and_a_copy_for_each_layer(family: str, bf16: bool) -> None:
    compare(load("lora", 192, dropout=0.05, bf16=bf16), family)


@pytest.mark.parametrize("length", [16, 64, 192])
def test_short_examples_keep_their_scores_on_a_cpu(length: int) -> None:
    """The lab's own attention, on a flat row of examples of one length."""
    model = tiny("llama")
    model.set_attn_implementation(attention.NAME)
    facts = facts_of(model.config.to_dict())
    bounds = torch.tensor([0, length, 2 * length], dtype=torch.int32)
    boundaries = {"cu_seq_lens_q": bounds, "cu_seq_lens_k": bounds, "max_length_q": length, "max_length_k": length}
    ids = torch.randint(0, WORDS, (1, BATCH * length))
    positions = torch.arange(length).repeat(BATCH)[None]
    with counted(model) as found:
        body(model)(input_ids=ids, position_ids=positions, use_cache=False, **boundaries)
    planned = footprint(facts, load("full", length, bf16=False, scores=True))
    assert planned.activations_gib * GIB == pytest.approx(sum(found.values()), rel=0.2)  # type: ignore[operator]


@pytest.mark.slow
@pytest.mark.parametrize("model", ["demo", "tiny"])
def test_the_plan_of_a_run_on_the_cpu_is_the_peak_of_its_process(model: str, tiny_llama: Path, tmp_path: Path) -> None:
    """A real worker on the embedded model and on one that weighs nothing: resident memory, all of it."""
    data = runs.write_questions(tmp_path / "questions.jsonl")
    source = tiny_llama if model == "tiny" else Path("demo")
    changes = {"schedule__max_steps": 20, "schedule__per_device_batch": 16, "resources__precision": "auto"}
    spec = runs.make_spec(source, data if model == "tiny" else Path("demo"), **changes, method__rank=16)
    run = runs.make_run(tmp_path / "run", spec)
    run.attempt_path(1).mkdir(parents=True)
    subprocess.run([sys.executable, "-m", "lab.jobs.worker", str(run.path)], check=True, timeout=240)
    report = run.result or {}
    rows = report["data"]["tokens"]
    made = plan(spec, examples=36, mean_tokens=rows["mean"], longest_tokens=rows["max"], device="cpu")
    assert made.memory.total_gib == pytest.approx(report["peak_memory_gib"], rel=0.2)
