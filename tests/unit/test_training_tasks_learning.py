"""Every task with labels learns, with full and with LoRA, on encoders and on decoders, and loads with plain tools."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import task_runs as tasks
import training_runs as runs

from lab.runs.directory import RunDirectory
from lab.spec import RunSpec

MODELS: dict[str, Callable[[Path], Path]] = {
    "bert": tasks.build_tiny_bert,
    "roberta": tasks.build_tiny_roberta,
    "gpt2": tasks.build_tiny_gpt2,
}
KINDS = {
    "classification": tasks.classification_rows,
    "token-classification": tasks.entity_rows,
    "extractive-qa": tasks.question_rows,
}
QUICK = {
    "schedule__max_steps": 160,
    "schedule__per_device_batch": 16,
    "schedule__accumulation": 1,
    "schedule__warmup": 0.1,
    "evaluation__every_steps": 80,
    "evaluation__max_examples": 24,
    "evaluation__samples": 2,
    "method__rank": 8,
    "tasks__stride": 8,
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: build(tmp_path_factory.mktemp(name)) for name, build in MODELS.items()}


def spec_of(model: Path, task: str, method: str, **changes: Any) -> RunSpec:
    data = tasks.prepared(KINDS[task](), task)
    rate = 3e-3
    given = QUICK | {"method__name": method, "schedule__learning_rate": rate, "task": task} | changes
    return runs.make_spec(model, Path(data), **given)


def summary_of(run: RunDirectory) -> dict[str, Any]:
    return json.loads((run.review_path / "summary.json").read_text())["held_out"]


SCORE = {"classification": "accuracy", "token-classification": "entity_f1", "extractive-qa": "f1"}


CASES = [(model, method, task) for model in ("bert", "gpt2") for method in ("full", "lora") for task in KINDS]
CASES += [("roberta", "full", "classification"), ("roberta", "lora", "token-classification")]


@pytest.mark.parametrize(("model", "method", "task"), CASES)
def test_a_task_is_learned(models: dict[str, Path], model: str, method: str, task: str, tmp_path: Path) -> None:
    run = runs.make_run(tmp_path / "run", spec_of(models[model], task, method))
    result = runs.train(run)
    held_out = summary_of(run)
    before, after = (held_out[which]["scores"][SCORE[task]] for which in ("base", "tuned"))
    assert after["value"] >= (0.85 if method == "full" else 0.75) and after["value"] > before["value"] + 0.2
    assert after["low"] <= after["value"] <= after["high"]
    assert held_out["tuned"]["loss"] < held_out["base"]["loss"]
    assert result["final"]["scores"][SCORE[task]] == after["value"]
    assert sorted(runs.series(run, SCORE[task])) == [0, 80, 160]
    assert result["adapter"] == (method == "lora")


# --- what a run leaves loads with plain transformers and peft, and says the same ---

AUTO = {
    "classification": "AutoModelForSequenceClassification",
    "token-classification": "AutoModelForTokenClassification",
    "extractive-qa": "AutoModelForQuestionAnswering",
}


@pytest.mark.parametrize("task", list(KINDS))
@pytest.mark.parametrize("model", ["bert", "gpt2"])
def test_final_and_merged_load_with_plain_tools_and_agree(
    models: dict[str, Path], model: str, task: str, tmp_path: Path
) -> None:
    import torch
    import transformers

    run = runs.make_run(tmp_path / "run", spec_of(models[model], task, "lora", schedule__max_steps=20))
    runs.train(run)
    final, auto = run.final_path, getattr(transformers, AUTO[task])
    told = json.loads((final / "task.json").read_text())
    labels = {"num_labels": len(told["labels"])} if told["labels"] else {}
    adapter = auto.from_pretrained(final, **labels).eval()
    merged = auto.from_pretrained(final / "merged").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(final)
    batch = tokenizer("which city ?", "the film was Paris and fine", return_tensors="pt")
    with torch.no_grad():
        one, other = adapter(**batch), merged(**batch)
    for name in ("logits", "start_logits"):
        if name in one:
            assert torch.allclose(one[name], other[name], atol=1e-4)
    assert adapter.base_model.config.model_type == ("bert" if model == "bert" else "gpt2")
    if told["labels"]:
        assert [merged.config.id2label[i] for i in range(len(told["labels"]))] == told["labels"]
    base = auto.from_pretrained(models[model], **labels).eval()
    with torch.no_grad():
        plain = base(**batch)
    first = "logits" if "logits" in plain else "start_logits"
    assert not torch.allclose(plain[first], one[first], atol=1e-4)


def test_peft_alone_loads_the_adapter_with_its_head(models: dict[str, Path], tmp_path: Path) -> None:
    from peft import AutoPeftModelForSequenceClassification
    from safetensors import safe_open

    run = runs.make_run(tmp_path / "run", spec_of(models["bert"], "classification", "lora", schedule__max_steps=4))
    runs.train(run)
    model = AutoPeftModelForSequenceClassification.from_pretrained(run.final_path, num_labels=2)
    with safe_open(run.final_path / "adapter_model.safetensors", "pt") as file:
        names = list(file.keys())
        saved = {name: file.get_tensor(name) for name in names}
    # The model's file has no pooler: what was drawn at random has to be saved with the head.
    assert any("classifier" in name for name in names) and any("pooler" in name for name in names)
    head = next(
        weight
        for name, weight in model.named_parameters()
        if name.endswith("classifier.modules_to_save.default.weight")
    )
    assert head.equal(next(value for name, value in saved.items() if name.endswith("classifier.weight")))


@pytest.mark.parametrize("task", list(KINDS))
def test_the_body_of_a_llama_is_loaded_for_every_task(tiny_llama: Path, task: str, tmp_path: Path) -> None:
    """LlamaForQuestionAnswering calls its body otherwise than the file does, and alone would begin at random."""
    import torch
    import transformers
    from transformers import AutoModel

    from lab.training import build

    model, new = build.load_headed(getattr(transformers, AUTO[task]), str(tiny_llama))
    body, whole = getattr(model, model.base_model_prefix), AutoModel.from_pretrained(tiny_llama)
    assert all(torch.equal(a, b) for a, b in zip(body.parameters(), whole.parameters(), strict=True))
    assert new == {"qa_outputs" if task == "extractive-qa" else "score"}
    spec = spec_of(tiny_llama, task, "lora", schedule__max_steps=4, evaluation__every_steps=4)
    run = runs.make_run(tmp_path / "run", spec)
    runs.train(run)
    merged = getattr(transformers, AUTO[task]).from_pretrained(run.final_path / "merged")
    kept = dict(getattr(merged, merged.base_model_prefix).named_parameters())
    assert torch.equal(kept["norm.weight"], whole.norm.weight)
    assert not torch.equal(kept["layers.0.mlp.up_proj.weight"], whole.layers[0].mlp.up_proj.weight)


def test_an_adapter_goes_on_with_its_head(models: dict[str, Path], tmp_path: Path) -> None:
    spec = spec_of(models["bert"], "classification", "lora")
    first = runs.make_run(tmp_path / "first", spec)
    runs.train(first)
    adapter = tmp_path / "adapter"
    shutil.copytree(first.final_path, adapter)
    again = spec.model_copy(update={"method": spec.method.model_copy(update={"adapter": str(adapter)})})
    second = runs.make_run(tmp_path / "second", again)
    runs.train(second)
    ended, begun = summary_of(first)["tuned"], summary_of(second)["base"]
    assert begun["scores"]["accuracy"]["value"] == ended["scores"]["accuracy"]["value"]
    assert begun["loss"] == pytest.approx(ended["loss"], abs=1e-5)


def test_a_pair_of_texts_is_told_apart(models: dict[str, Path], tmp_path: Path) -> None:
    names = tasks.NAMES["person"]
    rows = [
        {
            "text": f"{names[i % 3]}",
            "text_pair": f"{names[i // 3 % 3]}",
            "label": "same" if i % 3 == i // 3 % 3 else "other",
        }
        for i in range(120)
    ]
    rows = [row | {"text": f"{row['text']} {i}"} for i, row in enumerate(rows)]
    data = tasks.prepared(rows, "classification")
    changes = QUICK | {"task": "classification", "method__name": "full", "schedule__learning_rate": 3e-3}
    run = runs.make_run(tmp_path / "run", runs.make_spec(models["bert"], Path(data), **changes))
    runs.train(run)
    assert summary_of(run)["tuned"]["scores"]["accuracy"]["value"] >= 0.9
