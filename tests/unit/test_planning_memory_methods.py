"""What the plan says of frozen layers, heads for labels and preferences against what real trainers hold."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import task_runs as tasks
import torch
import training_runs as runs
from saved_tensors import counted

from lab.models import facts_of
from lab.planning.footprint import Load, footprint, load_of
from lab.planning.memory import GIB
from lab.runs.events import EventWriter
from lab.spec import RunSpec
from lab.training import attention
from lab.training import machine as machines
from lab.training.measure import Pace
from lab.training.methods.methods import Methods
from lab.training.steps import course
from lab.training.tasks import plan_for
from lab.training.tensorboard import Board

LENGTH, BATCH = 96, 8


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Four blocks of width 128 each, as in the tests of other methods, so that what is kept is not lost in the rest."""
    return {name: build(tmp_path_factory.mktemp(name), name) for name in ("bert", "gpt2", "llama")}


def build(folder: Path, name: str) -> Path:
    from transformers import BertConfig, BertForMaskedLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    tokenizers = {"bert": tasks.build_tiny_bert}
    tokenizers.get(name, tasks.build_tiny_gpt2)(folder)
    shape: dict[str, Any] = {"vocab_size": 512, "bos_token_id": 0, "eos_token_id": 0}
    model: Any
    if name == "bert":
        model = BertForMaskedLM(
            BertConfig(hidden_size=128, num_hidden_layers=4, num_attention_heads=4, intermediate_size=512,
                       hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, vocab_size=512)
        )  # fmt: skip
    elif name == "gpt2":
        model = GPT2LMHeadModel(
            GPT2Config(n_embd=128, n_layer=4, n_head=4, n_positions=128, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0,
                       **shape)
        )  # fmt: skip
    else:
        model = LlamaForCausalLM(
            LlamaConfig(hidden_size=128, intermediate_size=352, num_hidden_layers=4, num_attention_heads=8,
                        num_key_value_heads=4, tie_word_embeddings=True, max_position_embeddings=128, **shape)
        )  # fmt: skip
    model.save_pretrained(folder)
    return folder


def rows_of(task: str) -> tuple[list[dict[str, Any]], str]:
    """Rows of which every one is longer than the maximum, so that each fills its place in the batch."""
    long = "the film was very lovely and " * 30
    if task == "classification":
        return [{"text": f"{long}{i}", "label": "good" if i % 2 else "bad"} for i in range(40)], task
    if task == "token-classification":
        words = long.split()
        return [{"tokens": [*words, str(i)], "tags": ["B-a", *["O"] * len(words)]} for i in range(40)], task
    if task == "preference":
        # Prompts are long, answers short: a pair whose ends are cut would be two equal ones.
        near = "a b c d e f g h " * 5
        return [{"prompt": near[:76], "chosen": f" one{i:02}", "rejected": f" two{i:02}"} for i in range(40)], task
    return [{"text": f"{long}{i}"} for i in range(40)], "text"


def trainer_of(model: Path, folder: Path, **changes: Any) -> tuple[Any, RunSpec]:
    """The real trainer of a run, ready for its first step, as the session of a worker makes it."""
    rows, kind = rows_of(changes.get("task", "causal-lm"))
    settings: dict[str, Any] = {
        "schedule__per_device_batch": BATCH, "schedule__accumulation": 1, "data__max_length": LENGTH,
        "data__too_long": "cut", "speed__padding_free": "off", "speed__fused_lora": False,
        "speed__activation_swap": False, "tasks__stride": 8,
    }  # fmt: skip
    spec = runs.make_spec(model, Path(tasks.prepared(rows, kind, 8)), **settings | changes)
    run = runs.make_run(folder / "run", spec)
    run.attempt_path(1).mkdir(parents=True)
    events = EventWriter(run, 1)
    plan = plan_for(spec, run.path, events, machines.choose(spec.resources))
    plan.load_tokenizer()
    loaded = plan.load_model()
    plan.encode(spec)
    stop = runs.StopFlag()
    plan.evaluator(Board(run.tensorboard_path), stop)
    methods = Methods(spec, plan, events, stop)
    methods.before(loaded)
    thawed = methods.callbacks(1)
    trainer = plan.trainer(loaded, course(spec, len(plan.train), None), Pace(), run.checkpoints_path, thawed)
    methods.attach(trainer, None)
    for callback in thawed:  # the last phase, which is the largest
        if hasattr(callback, "starts"):
            callback._take(trainer.model, spec.schedule.max_steps or 1)
    return trainer, spec


def measured(trainer: Any) -> tuple[int, int, int]:
    """Tokens of a batch with its padding, bytes kept for the backward pass, and bytes of the gradients."""
    batch = trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))
    trainer.model.train()
    with counted(trainer.model) as found:
        loss = trainer.compute_loss(trainer.model, batch)
    kept = sum(found.values())
    loss.backward()
    gradients = sum(weight.grad.nbytes for weight in trainer.model.parameters() if weight.grad is not None)
    return batch["input_ids"].numel(), kept, gradients


def planned(model: Path, spec: RunSpec) -> tuple[Any, Load]:
    load = load_of(spec, length=LENGTH, device="cpu", bf16=spec.resources.precision != "fp32")
    return footprint(facts_of(str(model)), load), load


FROZEN: list[tuple[str, dict[str, Any]]] = [
    ("one block", {"method__name": "frozen", "method__trainable_layers": 1}),
    ("three blocks", {"method__name": "frozen", "method__trainable_layers": 3}),
    ("head only", {"method__name": "frozen", "method__trainable_layers": 0}),
    ("thawed to two", {"method__name": "progressive", "method__phases": {"0": 1.0, "2": 1.0}}),
    ("thawed to all", {"method__name": "progressive"}),
    ("all", {"method__name": "full"}),
    ("adapter", {"method__name": "lora"}),
]


@pytest.mark.parametrize("name", ["bert", "gpt2", "llama"])
@pytest.mark.parametrize(("how", "changes"), FROZEN, ids=[how for how, _ in FROZEN])
def test_only_what_lies_above_the_lowest_trained_block_is_kept(
    models: dict[str, Path], tmp_path: Path, name: str, how: str, changes: dict[str, Any]
) -> None:
    trainer, spec = trainer_of(models[name], tmp_path, task="classification", **changes)
    tokens, kept, gradients = measured(trainer)
    plan, load = planned(models[name], spec)
    assert tokens == load.tokens
    small = 16 * tokens  # ids, mask and positions
    assert (plan.activations_gib + plan.logits_gib) * GIB == pytest.approx(kept, rel=0.2, abs=small), how
    new = 4 * (128 * 128 + 4 * 128)  # the head and, with BERT, a pooler that the file of the model does not have
    assert plan.gradients_gib * GIB == pytest.approx(gradients, rel=0.01, abs=new)


@pytest.mark.parametrize("name", ["bert", "gpt2", "llama"])
@pytest.mark.parametrize("how", ["full", "lora"])
def test_passes_of_like_lengths_keep_scores_and_what_fused_layers_need(
    models: dict[str, Path], tmp_path: Path, name: str, how: str
) -> None:
    fast = {"speed__padding_free": "auto", "speed__fused_lora": True, "speed__activation_swap": True}
    trainer, spec = trainer_of(models[name], tmp_path, task="classification", method__name=how, **fast)
    (part,) = trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))["passes"]
    trainer.model.train()
    with attention.using(trainer.body, trainer.attention_name), counted(trainer.model) as found:
        trainer.compute_loss(trainer.model, part)
    plan, load = planned(models[name], spec)
    assert part["input_ids"].numel() == load.tokens
    assert (plan.activations_gib + plan.logits_gib) * GIB == pytest.approx(sum(found.values()), rel=0.2)


@pytest.mark.parametrize("name", ["bert", "gpt2"])
@pytest.mark.parametrize("how", ["full", "lora"])
def test_a_model_that_drops_values_keeps_scores_and_masks(
    models: dict[str, Path], tmp_path: Path, name: str, how: str
) -> None:
    folder = shutil.copytree(models[name], tmp_path / "dropping")
    config = json.loads((folder / "config.json").read_text())
    usual = {key: 0.1 for key in config if key.endswith(("dropout_prob", "_pdrop"))}
    (folder / "config.json").write_text(json.dumps(config | usual))
    trainer, spec = trainer_of(folder, tmp_path, task="classification", method__name=how)
    _tokens, kept, _ = measured(trainer)
    plan, _ = planned(folder, spec)
    assert (plan.activations_gib + plan.logits_gib) * GIB == pytest.approx(kept, rel=0.05)


STEPS = [("dpo", True), ("dpo", False), ("kto", True), ("reward", True)]


@pytest.mark.parametrize(("method", "once"), STEPS)
@pytest.mark.parametrize("how", ["lora", "full"])
def test_a_preference_step_keeps_what_the_plan_says_and_its_reference_nothing(
    models: dict[str, Path], tmp_path: Path, method: str, once: bool, how: str
) -> None:
    changes: dict[str, Any] = {
        "task": "preference",
        "preference__method": method,
        "method__name": how,
        "method__dropout": 0.0,
    }
    changes |= {"speed__reference_once": once, "schedule__max_steps": None, "schedule__epochs": 1.0}
    trainer, spec = trainer_of(models["llama"], tmp_path, **changes)
    tokens, kept, gradients = measured(trainer)
    length = tokens // (BATCH * (1 if method == "kto" else 2))
    load = load_of(spec, length=length, device="cpu", bf16=False)
    plan = footprint(facts_of(str(models["llama"])), load)
    assert load.tokens == tokens
    small = 4 * 128 * tokens  # the last hidden states as they go into the head
    assert plan.activations_gib * GIB == pytest.approx(kept - small, rel=0.2)
    assert plan.gradients_gib * GIB == pytest.approx(gradients, rel=0.05)
    reference = getattr(trainer, "ref_model", None)
    weights = [*trainer.model.parameters(), *(reference.parameters() if reference is not None else ())]
    frozen = sum(weight.nbytes for weight in weights) - (gradients if how == "lora" else 0)
    assert plan.weights_gib * GIB == pytest.approx(frozen, rel=0.02)


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("how", ["lora", "full"])
def test_the_peak_of_a_preference_step_is_activations_gradients_and_tiles(
    models: dict[str, Path], tmp_path: Path, how: str, bf16: bool
) -> None:
    """Every allocation of a real step, forwards and backwards, with the pass of the reference."""
    changes = {"task": "preference", "method__name": how, "method__dropout": 0.0}
    trainer, spec = trainer_of(models["llama"], tmp_path, resources__precision="bf16" if bf16 else "fp32", **changes)
    batch = trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))
    trainer.model.train()
    with torch.profiler.profile(profile_memory=True) as seen:
        trainer.compute_loss(trainer.model, batch).backward()
    now = peak = 0
    for event in seen.profiler.kineto_results.events():
        if event.name() == "[memory]":
            now += event.nbytes()
            peak = max(peak, now)
    load = load_of(spec, length=batch["input_ids"].shape[1], device="cpu", bf16=bf16)
    plan = footprint(facts_of(str(models["llama"])), load)
    terms = (plan.activations_gib, plan.logits_gib, plan.gradients_gib)
    # TRL makes the tile 32,768 columns wide and touches as many as there are tokens in the vocabulary.
    untouched = load.tokens * (32_768 - 512) * (2 if bf16 else 4)
    assert sum(term * GIB for term in terms) == pytest.approx(peak - untouched, rel=0.25), [t * GIB for t in terms]


def test_a_learned_prompt_adds_its_tokens_to_every_example(models: dict[str, Path], tmp_path: Path) -> None:
    changes = {"method__name": "prompt-tuning", "method__virtual_tokens": 20, "data__max_length": LENGTH}
    trainer, spec = trainer_of(models["llama"], tmp_path, **changes)
    tokens, kept, _ = measured(trainer)
    plan, load = planned(models["llama"], spec)
    assert load.tokens == tokens + 20 * BATCH
    logits = 2 * 4 * 512 * tokens  # as they come, and their log-softmax
    assert plan.activations_gib * GIB == pytest.approx(kept - logits, rel=0.2)
