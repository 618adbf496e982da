"""Runs of other tasks, published to a Hub on this machine: what the card's code loads says what the run says."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import task_runs as tasks
import training_runs as runs
import yaml
from hub_server import Hub
from publishing_hub import ALICE, BASE, accounts_hub, in_fresh_process, publish, refusal, upload_base

from lab.errors import InputError
from lab.publishing.base import Base
from lab.publishing.head import Head, check_adapter, head_of
from lab.publishing.usage import Prompt, usage
from lab.runs.directory import RunDirectory
from lab.runs.home import new_id, runs_folder
from lab.spec import RunSpec, build, with_overrides

QUICK: dict[str, Any] = {
    "schedule__max_steps": 4,
    "schedule__per_device_batch": 8,
    "schedule__accumulation": 1,
    "schedule__learning_rate": 1e-2,
    "evaluation__every_steps": 4,
    "tasks__stride": 8,
}

# Runs the code of the card as it stands, then compares what it loaded with the folder of the run.
AS_THE_CARD_SAYS = """
import json, sys
import torch, transformers
from huggingface_hub import hf_hub_download
repository, base, final, suffix, settings = sys.argv[1:6]
card = open(hf_hub_download(repository, "README.md")).read()
exec(card.split("```python\\n")[1].split("```")[0])
if suffix != "none":
    auto = getattr(transformers, "AutoModelFor" + suffix)
    import os
    if os.path.exists(final + "/adapter_config.json"):
        from peft import PeftModel
        expected = PeftModel.from_pretrained(auto.from_pretrained(base, **json.loads(settings)), final)
    else:
        expected = auto.from_pretrained(final)
inputs = tokenizer("the film was lovely", "Paris is a place", return_tensors="pt")
with torch.no_grad():
    pairs = zip(model.eval()(**inputs).to_tuple(), expected.eval()(**inputs).to_tuple(), strict=True)
print(json.dumps({"difference": max(float((a - b).abs().max()) for a, b in pairs if torch.is_tensor(a))}))
"""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A Hub which every child of this test talks to."""
    with accounts_hub(tmp_path / "hub") as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.base)
        yield hub


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tasks.build_tiny_bert(tmp_path_factory.mktemp("bert"))


def preferences(count: int = 40) -> list[dict[str, Any]]:
    draw = random.Random(5)
    words = ["great", "lovely", "fine"]
    return [
        {"prompt": f"the film {i}", "chosen": draw.choice(words), "rejected": "awful " + draw.choice(words)}
        for i in range(count)
    ]


ROWS = {
    "classification": tasks.classification_rows,
    "token-classification": tasks.entity_rows,
    "extractive-qa": tasks.question_rows,
    "preference": preferences,
}


def trained(spec: RunSpec) -> RunDirectory:
    """A finished run in LAB_HOME, trained for real."""
    run = runs.make_run(runs_folder() / new_id(), spec)
    assert runs.train(run)["ended"] == "finished"
    return run


def run_of(model: Path, task: str, method: str, **more: Any) -> RunDirectory:
    data = tasks.prepared(ROWS[task](40), task, validation=8)
    changes = QUICK | {"task": task, "method__name": method} | more
    return trained(runs.make_spec(model, Path(data), **changes))


@pytest.mark.parametrize(
    ("task", "method", "what", "pipeline", "score"),
    [
        ("classification", "lora", "adapter", "text-classification", "accuracy"),
        ("classification", "lora", "merged", "text-classification", "macro f1"),
        ("token-classification", "full", "adapter", "token-classification", "entity f1"),
        ("extractive-qa", "lora", "adapter", "question-answering", "exact match"),
        ("preference", "lora", "adapter", "text-classification", "preference accuracy"),
    ],
)
def test_a_model_with_a_head_is_published_and_the_code_of_its_card_loads_it(
    hub: Hub, bert: Path, tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    task: str, method: str, what: str, pipeline: str, score: str,
) -> None:  # fmt: skip
    base = tiny_llama if task == "preference" else bert
    upload_base(hub, base, tmp_path)
    run = run_of(base, task, method, **({"preference__method": "reward"} if task == "preference" else {}))
    head = head_of(run.final_path)
    assert head is not None
    if what == "merged":
        shutil.rmtree(run.final_path / "merged")  # as where the disk had no room
    job = publish(run.id, what=what, base_model=BASE)
    assert job.error(1) is None, job.log_text()

    repo = hub.repos["alice/manual"]
    assert json.loads(repo.files["task.json"].data)["labels"] == list(head.labels)
    assert ("adapter_config.json" in repo.files) == (method == "lora" and what == "adapter")
    card = repo.files["README.md"].data.decode()
    about = yaml.safe_load(card.split("---\n")[1])
    assert about["pipeline_tag"] == pipeline and head.task in about["tags"] and "sft" not in about["tags"]
    assert f"| {score} | " in card and "answer only" not in card
    if task == "classification":
        assert "Labels: bad, good." in card

    monkeypatch.setenv("HF_TOKEN", ALICE)  # a private repository; the card's code names none
    settings = json.dumps(head.settings())
    told = in_fresh_process(
        tmp_path, AS_THE_CARD_SAYS, "alice/manual", str(base), str(run.final_path), head.suffix, settings
    ).splitlines()
    assert json.loads(told[-1])["difference"] < 1e-5
    said = [line.split() for line in told[:-1]]
    if task == "classification":
        assert said[0][0] in head.labels and 0.5 <= float(said[0][1]) <= 1
    elif task == "token-classification":
        assert len(said) == 5 and all(line[-1] in head.labels for line in said)
    elif task == "preference":
        float(said[0][0])


def test_several_tasks_are_refused_with_the_folders_that_hold_their_models(hub: Hub, bert: Path) -> None:
    sources = {kind: tasks.prepared(ROWS[kind](40), kind, 8) for kind in ("classification", "token-classification")}
    sources = {"mood": sources["classification"], "names": sources["token-classification"]}
    kinds = {"mood": "classification", "names": "token-classification"}
    spec = runs.make_spec(bert, Path("demo"), **QUICK | {"task": "multi-task", "method__name": "full"})
    run = trained(with_overrides(spec, {"tasks.sources": sources, "tasks.kinds": kinds}))
    assert "final/mood, final/names" in refusal(publish(run.id))
    assert "alice/manual" not in hub.repos


def test_an_adapter_for_questions_on_a_base_that_transformers_would_not_load_is_refused(tiny_llama: Path) -> None:
    spec = build({"task": "extractive-qa", "model": {"source": str(tiny_llama)}, "data": {"source": "rows.jsonl"}})
    with pytest.raises(InputError, match="does not load the body"):
        check_adapter(Head("extractive-qa", ()), spec)
    check_adapter(Head("classification", ("a", "b")), spec)
    check_adapter(None, spec)


@pytest.mark.parametrize("adapter", [True, False])
@pytest.mark.parametrize("base", [Base("hub", "o/m", "o/m"), Base("folder", "mine", None)], ids=["hub", "folder"])
@pytest.mark.parametrize("task", ["classification", "token-classification", "extractive-qa", "reward"])
@pytest.mark.parametrize("prompt", [Prompt("chat"), Prompt("plain", "{question} ")], ids=["chat", "plain"])
def test_the_code_of_every_card_is_python_and_a_label_cannot_end_it(
    task: str, base: Base, adapter: bool, prompt: Prompt
) -> None:
    head = Head(task, ('it\'s "so"', "```"))
    text = usage("alice/manual", base, prompt, adapter=adapter, head=head)
    assert text.count("```") == 2
    compile(text.split("```python\n")[1].split("```")[0], "card", "exec")
    assert f"ModelFor{head.suffix}" in text and "CausalLM" not in text
