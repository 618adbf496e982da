"""Whole runs with the methods: what moves when, resumed equals uninterrupted, what is left loads with plain tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import task_runs as tasks
import training_runs as runs

from lab.errors import InputError
from lab.runs import chain
from lab.runs.directory import RunDirectory
from lab.runs.home import new_id, runs_folder
from lab.spec import RunSpec

STEPS: dict[str, Any] = {
    "schedule__max_steps": 6,
    "schedule__per_device_batch": 4,
    "schedule__accumulation": 1,
    "evaluation__every_steps": 100,
    "evaluation__samples": 0,
    "evaluation__review_prompts": 1,
    "checkpoints__every_steps": 2,
    "checkpoints__keep": 9,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.write_questions(tmp_path_factory.mktemp("data") / "questions.jsonl")


def trained(folder: Path, spec: RunSpec) -> tuple[RunDirectory, dict[str, Any]]:
    run = runs.make_run(folder, spec)
    result = runs.train(run)
    assert result["ended"] == "finished"
    return run, result


def weights_at(run: RunDirectory, step: int) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(run.checkpoints_path / f"checkpoint-{step}" / "model.safetensors")


def moved(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {name for name in before if not before[name].equal(after[name])}


# --- resuming ---

RESUMED: dict[str, dict[str, Any]] = {
    "progressive": {"method__name": "progressive", "method__phases": {"0": 1, "1": 1, "all": 1}},
    "ewc": {"method__name": "full", "regularisation__ewc_lambda": 1000.0},
    "neftune-dropout": {"regularisation__neftune_alpha": 5.0, "model__dropout": 0.1, "method__dropout": 0.1},
    "pissa": {"method__init": "pissa"},
    "dora-nf4": {"method__name": "qlora", "model__quantization": "nf4", "method__dora": True},
    "8bit-optimizer": {"method__name": "full", "schedule__optimizer": "adamw-8bit", "schedule__layer_decay": 0.5},
    "prompt": {"method__name": "prompt-tuning", "schedule__learning_rate": 0.3},
}


@pytest.mark.parametrize("values", RESUMED.values(), ids=RESUMED.keys())
def test_a_stopped_run_ends_with_the_weights_of_an_undivided_one(
    tiny_llama: Path, data: Path, tmp_path: Path, values: dict[str, Any]
) -> None:
    given = STEPS | {"checkpoints__keep": 1} | values
    if "regularisation__ewc_lambda" in values:
        given |= {"regularisation__ewc_data": str(data), "regularisation__ewc_rows": 5}
    spec = runs.make_spec(tiny_llama, data, **given)
    whole, _ = trained(tmp_path / "whole", spec)
    divided = runs.make_run(tmp_path / "divided", spec)
    assert runs.train(divided, runs.StopAt(divided, 3))["ended"] == "stopped"
    sealed = json.loads((divided.sealed_checkpoints()[-1].path / "COMPLETE.json").read_text())
    assert ("fisher.safetensors" in sealed["files"]) is ("regularisation__ewc_lambda" in values)
    runs.train(divided, attempt=2)
    assert runs.weights_sha(divided.final_path) == runs.weights_sha(whole.final_path)
    assert runs.series(divided, "train_loss") == runs.series(whole, "train_loss")


# --- what moves when ---


def test_progressive_unfreezing_moves_the_head_first_then_blocks_then_everything(tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    bert = tasks.build_tiny_bert(tmp_path / "bert")
    data = tasks.prepared(tasks.classification_rows(40), "classification", validation=8)
    phases = {"0": 1, "1": 1, "all": 1}
    spec = runs.make_spec(
        bert, Path(data), **STEPS, task="classification", method__name="progressive", method__phases=phases,
        schedule__weight_decay=0.1, schedule__warmup=0,
    )  # fmt: skip
    run, result = trained(tmp_path / "run", spec)
    first, second, third = (weights_at(run, step) for step in (2, 4, 6))
    start = AutoModelForSequenceClassification.from_pretrained(bert, num_labels=2).state_dict()
    body = {name for name in start if name.startswith("bert.embeddings") or name.startswith("bert.encoder")}
    # Frozen weights neither move nor decay.
    assert not moved({name: start[name] for name in body if name in first}, first)
    later = moved(first, second)
    assert {name for name in later if name in body} == {name for name in body if "layer.1." in name}
    assert any("layer.0." in name for name in moved(second, third))
    assert any("embeddings" in name for name in moved(second, third))
    assert result["adapter"] is False and result["trainable"]["share"] == 1.0
    notes = [event["template"] for event in runs.events(run, "note")]
    assert sum(note.startswith("Phase") for note in notes) == 3


@pytest.mark.parametrize("which", ["llama", "gpt2", "bert"])
def test_a_frozen_body_stays_as_it_was(which: str, tiny_llama: Path, data: Path, tmp_path: Path) -> None:
    from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification

    if which == "bert":
        model = tasks.build_tiny_bert(tmp_path / "bert")
        source = Path(tasks.prepared(tasks.classification_rows(40), "classification", validation=8))
        values: dict[str, Any] = {"task": "classification"}
    else:
        model = tiny_llama if which == "llama" else tasks.build_tiny_gpt2(tmp_path / "gpt2")
        source, values = data, {"method__trainable_layers": 1}
    spec = runs.make_spec(model, source, **STEPS, method__name="frozen", **values)
    run, result = trained(tmp_path / "run", spec)
    kind = AutoModelForSequenceClassification if which == "bert" else AutoModelForCausalLM
    before = AutoModel.from_pretrained(model).state_dict()
    after = kind.from_pretrained(run.final_path).base_model.state_dict()  # loads with plain transformers
    changed = moved({name: weight for name, weight in before.items() if "pooler" not in name}, after)
    last = {"llama": ("layers.1.", "norm."), "gpt2": ("h.1.", "ln_f."), "bert": ()}[which]
    assert all(name.startswith(last) for name in changed) if last else not changed
    assert bool(changed) is (which != "bert")
    assert result["final"]["train_loss"] > 0 and result["trainable"]["share"] < 0.5


def dtypes(state: Any) -> set[Any]:
    """The formats of all tensors in what an optimizer keeps."""
    if isinstance(state, dict):
        return set().union(*(dtypes(value) for value in state.values())) if state else set()
    return {state.dtype} if hasattr(state, "dtype") else set()


@pytest.mark.parametrize("name", ["adafactor", "sgd", "lion-8bit", "ademamix-8bit", "paged-adamw-8bit"])
def test_an_optimizer_moves_the_weights_and_8_bits_are_8_bits(name: str, data: Path, tmp_path: Path) -> None:
    import torch

    model = tasks.build_tiny_gpt2(
        tmp_path / "gpt2"
    )  # its matrices have the 4,096 values from which bitsandbytes rounds
    spec = runs.make_spec(
        model, data, **STEPS | {"schedule__max_steps": 2}, method__name="full", schedule__optimizer=name,
        schedule__learning_rate=0.01,
    )  # fmt: skip
    run, result = trained(tmp_path / "run", spec)
    kept = torch.load(run.sealed_checkpoints()[-1].path / "optimizer.pt", weights_only=True)
    assert (torch.uint8 in dtypes(kept["state"])) is name.endswith("8bit")
    assert result["final"]["eval_loss"] < result["final"]["eval_loss_before"]


# --- one run after another ---


def test_a_run_starts_from_the_result_of_another(tiny_llama: Path, data: Path) -> None:
    first, _ = trained(runs_folder() / new_id(), runs.make_spec(tiny_llama, data, **STEPS))
    spec, parent = chain.resolved(runs.make_spec(Path(first.id), data, **STEPS, method__name="full"))
    assert parent == first.id and spec.model.source == str(first.final_path / "merged")
    second, result = trained(runs_folder() / new_id(), spec)
    assert result["final"]["eval_loss_before"] == pytest.approx(
        json.loads((first.path / "result.json").read_text())["final"]["eval_loss"], abs=1e-4
    )
    third, parent = chain.resolved(runs.make_spec(Path(second.id), data, **STEPS))
    assert (third.model.source, parent) == (str(second.final_path), second.id)


def test_a_prompt_is_nothing_that_another_run_could_start_from(tiny_llama: Path, data: Path) -> None:
    spec = runs.make_spec(
        tiny_llama, data, **STEPS, method__name="prompt-tuning", method__prompt="What does it do?",
        schedule__learning_rate=0.3,
    )  # fmt: skip
    run, result = trained(runs_folder() / new_id(), spec)
    assert result["trainable"]["parameters"] == 20 * 32
    assert {path.name for path in run.final_path.iterdir()} >= {"adapter_config.json", "adapter_model.safetensors"}
    with pytest.raises(InputError, match="left no whole model"):
        chain.resolved(runs.make_spec(Path(run.id), data))

    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from lab.training.build import load_tuned

    ids = torch.tensor([[3, 4, 5]])
    plain = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_llama), str(run.final_path)).eval()
    ours, _ = load_tuned(run.path)
    assert torch.equal(plain(input_ids=ids).logits, ours(input_ids=ids).logits)


def test_an_adapter_goes_on_from_an_earlier_run(tiny_llama: Path, data: Path) -> None:
    first, _ = trained(runs_folder() / new_id(), runs.make_spec(tiny_llama, data, **STEPS, method__init="pissa"))
    spec = runs.make_spec(tiny_llama, data, **STEPS, method__adapter=first.id)
    _, result = trained(runs_folder() / new_id(), spec)
    before = json.loads((first.path / "result.json").read_text())["final"]["eval_loss"]
    assert result["final"]["eval_loss_before"] == pytest.approx(before, abs=1e-4)
    assert result["final"]["eval_loss"] < before


@pytest.mark.parametrize(("which", "bits"), [("bert", "nf4"), ("llama", "8bit")])
def test_a_task_with_labels_is_learned_on_a_quantized_body_with_a_whole_head(
    which: str, bits: str, tiny_llama: Path, tmp_path: Path
) -> None:
    from transformers import AutoModelForSequenceClassification

    model = tasks.build_tiny_bert(tmp_path / "bert") if which == "bert" else tiny_llama
    source = Path(tasks.prepared(tasks.classification_rows(40), "classification", validation=8))
    spec = runs.make_spec(
        model, source, **STEPS, task="classification", method__name="qlora", model__quantization=bits
    )  # fmt: skip
    run, result = trained(tmp_path / "run", spec)
    assert result["adapter"] and result["trainable"]["total"] > result["trainable"]["parameters"]
    merged = AutoModelForSequenceClassification.from_pretrained(run.final_path / "merged")
    assert not hasattr(merged.config, "quantization_config")
