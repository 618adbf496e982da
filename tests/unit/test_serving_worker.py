"""Answers of base and tuned model: the worker on tiny real models, once, and in a session of the lab."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from publishing_runs import finished_run

from lab.errors import InputError, NotFoundError
from lab.json_io import read_json, write_json
from lab.review import session
from lab.runs import client
from lab.runs.directory import RunDirectory
from lab.runs.events import EventWriter, tail_events
from lab.runs.home import new_id, runs_folder
from lab.runs.stopping import StopFlag
from lab.runs.view import read_run
from lab.serving.request import Request
from lab.serving.worker import run
from lab.spec import build

QUESTIONS = ["What does os.path.join do?", "What does str.strip do?", "How many?"]


def job(run_id: str, **parameters: Any) -> RunDirectory:
    """A run directory of kind generate."""
    directory = RunDirectory(runs_folder() / new_id())
    directory.attempt_path(1).mkdir(parents=True)
    write_json(directory.path / "request.json", {"kind": "generate", "parameters": {"run": run_id, **parameters}})
    return directory


def answers(run_id: str, **parameters: Any) -> list[dict[str, Any]]:
    directory = job(run_id, **parameters)
    return run(directory, EventWriter(directory), StopFlag(), 1)["outputs"]


def texts(outputs: list[dict[str, Any]]) -> list[str]:
    return [output["text"] for output in outputs]


def direct(folder: Path, prompt: str, new_tokens: int, adapter: Path | None = None) -> str:
    """What plain transformers and peft answer, greedily, to a question in the template of the training."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, adapter)
    # This tokenizer joins a blank and the word after it: the blank after "Answer:" is the model's to write.
    ids = tokenizer(f"### Question: {prompt}\n### Answer:", return_tensors="pt").input_ids
    with torch.no_grad():
        output = model.eval().generate(input_ids=ids, max_new_tokens=new_tokens, do_sample=False, pad_token_id=0)
    return tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True).strip()


def test_both_models_answer_as_plain_libraries_do_with_one_copy_of_the_base(tiny_llama: Path) -> None:
    run_id = finished_run(tiny_llama, data={"source": "demo"})
    directory = job(run_id, prompts=QUESTIONS, max_new_tokens=12)
    result = run(directory, EventWriter(directory), StopFlag(), 1)
    outputs = result["outputs"]
    assert [(o["prompt"], o["model"]) for o in outputs] == [(q, m) for q in QUESTIONS for m in ("base", "tuned")]
    final = RunDirectory.of(run_id).final_path
    assert texts(outputs[::2]) == [direct(tiny_llama, question, 12) for question in QUESTIONS]
    assert texts(outputs[1::2]) == [direct(tiny_llama, question, 12, final) for question in QUESTIONS]
    assert texts(outputs[::2]) != texts(outputs[1::2])
    assert all(isinstance(o["stopped"], bool) and o["seconds"] >= 0 for o in outputs)

    events = tail_events(directory.events_path)[0]
    ended = [event["phase"] for event in events if event["kind"] == "phase" and event["status"] == "end"]
    assert ended == ["load", "generate"]
    assert [event["done"] for event in events if event["kind"] == "progress"] == [0.5, 1.0]


def test_a_full_fine_tune_is_compared_with_its_base(tiny_llama: Path) -> None:
    run_id = finished_run(tiny_llama, adapter=False, data={"source": "demo"})
    outputs = answers(run_id, prompts=QUESTIONS[:1], max_new_tokens=12)
    final = RunDirectory.of(run_id).final_path
    assert texts(outputs) == [direct(tiny_llama, QUESTIONS[0], 12), direct(final, QUESTIONS[0], 12)]


def test_the_same_seed_gives_the_same_answers_whatever_else_is_asked(tiny_llama: Path) -> None:
    run_id = finished_run(tiny_llama, data={"source": "demo"})
    asked = {"max_new_tokens": 12, "temperature": 1.0, "seed": 7}
    together = answers(run_id, prompts=QUESTIONS, **asked)
    alone = answers(run_id, prompts=QUESTIONS[2:], **asked)
    other = answers(run_id, prompts=QUESTIONS[2:], **{**asked, "seed": 8})
    assert texts(together[-2:]) == texts(alone) != texts(other)


def test_a_run_without_a_finished_model_is_told_so(tiny_llama: Path) -> None:
    import shutil

    run_id = finished_run(tiny_llama, data={"source": "demo"})
    shutil.rmtree(RunDirectory.of(run_id).final_path)
    with pytest.raises(NotFoundError, match="no finished model"):
        answers(run_id, prompts=["x"])
    with pytest.raises(NotFoundError, match="There is no run"):
        answers("01ARZ3NDEKTSV4RRFFQ69G5FAV", prompts=["x"])


def test_a_stop_ends_a_long_answer_soon(tiny_llama: Path) -> None:
    run_id = finished_run(tiny_llama, data={"source": "demo"})
    directory, stop = job(run_id, prompts=["x"] * 200, max_new_tokens=100), StopFlag()
    threading.Timer(0.3, stop.request).start()
    started = time.monotonic()
    assert run(directory, EventWriter(directory), stop, 1) == {"ended": "stopped"}
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ({}, "prompts"),
        ({"prompts": "one"}, "prompts"),
        ({"prompts": ["a", "  "]}, "prompts"),
        ({"prompts": ["x" * 100_001]}, "prompts"),
        ({"prompts": ["a"] * 1001}, "prompts"),
        ({"prompt": "a", "which": ["teacher"]}, "which"),
        ({"prompt": "a", "which": []}, "which"),
        ({"prompt": "a", "max_new_tokens": 0}, "max_new_tokens"),
        ({"prompt": "a", "max_new_tokens": True}, "max_new_tokens"),
        ({"prompt": "a", "temperature": -0.1}, "temperature"),
        ({"prompt": "a", "temperature": float("nan")}, "temperature"),
        ({"prompt": "a", "seed": 1.5}, "seed"),
    ],
)
def test_what_cannot_be_asked_names_the_field(asked: dict[str, Any], where: str) -> None:
    with pytest.raises(InputError) as caught:
        Request.of(asked, build({}))
    assert caught.value.where == where and "Allowed: " in str(caught.value)


def test_what_is_not_said_is_as_in_the_comparison_of_the_run() -> None:
    spec = build({"seed": 5, "evaluation": {"max_new_tokens": 33}})
    assert Request.of({"prompt": "a"}, spec) == Request(("a",), ("base", "tuned"), 33, 0.0, 5)


def test_a_session_answers_question_after_question_and_ends_when_nobody_asks(tiny_llama: Path) -> None:
    run_id = finished_run(tiny_llama, data={"source": "demo"})
    directory = job(run_id, session=True, idle_s=1.0)
    (directory.path / "inbox").mkdir()
    questions = {
        "a": {"prompt": QUESTIONS[0], "max_new_tokens": 8},
        "b": {"prompt": ""},
        "c": {"prompt": "x", "seed": "?"},
    }
    for name, question in questions.items():
        write_json(directory.path / "inbox" / f"{name}.json", question)
    (directory.path / "inbox" / "d.json").write_text("[1, 2")
    assert run(directory, EventWriter(directory), StopFlag(), 1) == {"ended": "finished", "answered": 4}
    outbox = {path.stem: read_json(path) for path in (directory.path / "outbox").iterdir()}
    assert [output["model"] for output in outbox["a"]["outputs"]] == ["base", "tuned"]
    assert [outbox[name]["error"]["where"] for name in "bcd"] == ["prompts", "seed", "d.json"]
    assert not list((directory.path / "inbox").iterdir())


def test_the_page_asks_both_models_through_a_session_that_stays(tiny_llama: Path) -> None:
    first, second = (finished_run(tiny_llama, seed=seed, data={"source": "demo"}) for seed in (1, 2))
    assert not session.is_ready(first)
    outputs = session.ask_models(first, QUESTIONS[0], max_new_tokens=12, timeout_s=90)
    assert [output["model"] for output in outputs] == ["base", "tuned"]
    assert outputs[0]["text"] == direct(tiny_llama, QUESTIONS[0], 12)
    assert session.is_ready(first)

    opened = client.list_runs(kinds=("generate",))
    started = time.monotonic()
    again = session.ask_models(first, QUESTIONS[0], max_new_tokens=12)
    assert time.monotonic() - started < 2 and texts(again) == texts(outputs)  # nothing was loaded again
    assert client.list_runs(kinds=("generate",))[0].id == opened[0].id
    with pytest.raises(InputError, match="max_new_tokens"):
        session.ask_models(first, QUESTIONS[0], max_new_tokens=10**6)

    # A session of another run takes its place; a third question finds its own session again.
    assert texts(session.ask_models(second, QUESTIONS[0], max_new_tokens=12, timeout_s=90))[0] == outputs[0]["text"]
    assert client.wait(opened[0].id, timeout=20).state == "cancelled"
    session.close_session(second)
    newest = client.list_runs(kinds=("generate",))[0].id
    assert client.wait(newest, timeout=20).state == "cancelled"
    folder = read_run(newest).directory.path
    assert not list((folder / "inbox").iterdir()) and not list((folder / "outbox").iterdir())


def test_models_that_cannot_be_loaded_are_told_to_who_asks(tiny_llama: Path, tmp_path: Path) -> None:
    import shutil

    base = tmp_path / "base"
    shutil.copytree(tiny_llama, base)
    run_id = finished_run(base, data={"source": "demo"})
    shutil.rmtree(base)
    with pytest.raises(InputError, match="There is no folder"):
        session.ask_models(run_id, "x", timeout_s=90)
    with pytest.raises(NotFoundError):
        session.ask_models("01ARZ3NDEKTSV4RRFFQ69G5FAV", "x")
    assert json.dumps(client.show(client.list_runs(kinds=("generate",))[0].id))
