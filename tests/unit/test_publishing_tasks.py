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

from lab.cli import main
from lab.publishing.base import Base
from lab.publishing.head import Head, head_of
from lab.publishing.usage import Prompt, usage
from lab.runs import publishable
from lab.runs.directory import RunDirectory
from lab.runs.home import new_id, runs_folder
from lab.spec import RunSpec, with_overrides

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


def several(bert: Path, method: str, folder: Path) -> RunDirectory:
    """A run of two tasks, one of them from a file."""
    mood = folder / "mood.jsonl"
    mood.write_text("".join(json.dumps(row) + "\n" for row in ROWS["classification"](40)))
    sources = {"mood": str(mood), "names": tasks.prepared(ROWS["token-classification"](40), "token-classification", 8)}
    kinds = {"mood": "classification", "names": "token-classification"}
    spec = runs.make_spec(bert, Path("demo"), **QUICK | {"task": "multi-task", "method__name": method})
    return trained(with_overrides(spec, {"tasks.sources": sources, "tasks.kinds": kinds}))


def test_a_run_of_several_tasks_publishes_the_one_that_is_named(
    hub: Hub, bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_base(hub, bert, tmp_path)
    run = several(bert, "lora", tmp_path)
    assert publishable.tasks_of(run.id) == ["mood", "names"]
    (problem,) = publishable.problems({"run": run.id})
    assert problem.where == "task" and "mood, names" in problem.as_dict()["allowed"]
    assert "mood, names" in refusal(publish(run.id)) and "alice/manual" not in hub.repos

    job = publish(run.id, task="mood", base_model=BASE)
    assert job.error(1) is None, job.log_text()
    repo = hub.repos["alice/manual"]
    assert json.loads(repo.files["task.json"].data) == {"task": "classification", "labels": ["bad", "good"]}
    assert json.loads((run.final_path / "mood" / "task.json").read_text())["name"] == "mood"  # the run's own stays
    card = repo.files["README.md"].data.decode()
    about = yaml.safe_load(card.split("---\n")[1])
    assert about["pipeline_tag"] == "text-classification" and about["base_model_relation"] == "merge"
    assert "Learned together with others on one body: mood, names." in card and "| accuracy | " in card
    assert yaml.safe_load(repo.files["spec.yaml"].data)["tasks"]["sources"]["mood"] == "mood.jsonl"

    monkeypatch.setenv("HF_TOKEN", ALICE)
    final = str(run.final_path / "mood")
    told = in_fresh_process(
        tmp_path, AS_THE_CARD_SAYS, "alice/manual", str(bert), final, "SequenceClassification", "{}"
    ).splitlines()
    assert json.loads(told[-1])["difference"] < 1e-5 and told[0].split()[0] in ("bad", "good")


def test_the_command_refuses_before_it_asks_for_a_token(
    tiny_llama: Path, bert: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(tiny_llama, "extractive-qa", "lora")
    assert publishable.ways(run.id) == ["merged"]
    assert main(["runs", "reindex"]) == 0
    capsys.readouterr()
    assert main(["publish", run.id, "--repository", "manual", "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["where"] == "what" and "merged" in error["allowed"]
    assert publishable.problems({"run": run.id, "what": "merged"}) == []
    other = run_of(bert, "extractive-qa", "lora")
    assert publishable.ways(other.id) == ["adapter", "merged"]
    (problem,) = publishable.problems({"run": other.id, "task": "mood"})
    assert problem.where == "task"


def test_a_learned_prompt_has_no_merged_model_to_publish(tiny_llama: Path, tmp_path: Path) -> None:
    data = runs.write_questions(tmp_path / "questions.jsonl")
    spec = runs.make_spec(tiny_llama, data, method__name="prompt-tuning", schedule__max_steps=1)
    run = trained(spec)
    assert publishable.ways(run.id) == ["adapter"]
    (problem,) = publishable.problems({"run": run.id, "what": "merged"})
    assert problem.where == "what" and "adapter" in problem.as_dict()["allowed"]


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
