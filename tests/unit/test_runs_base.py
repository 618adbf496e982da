"""A base model that changed since the training is noticed wherever the run is used again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import training_runs as runs

from lab.errors import LabError
from lab.json_io import read_json, write_json
from lab.runs import base, client
from lab.runs.directory import RunDirectory
from lab.runs.events import EventWriter
from lab.runs.home import new_id, runs_folder
from lab.runs.stopping import StopFlag
from lab.runs.store import Store

OTHER = "not the one that this run was trained on"


@pytest.fixture
def model(tiny_llama: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model that a test may change."""
    return Path(shutil.copytree(tiny_llama, tmp_path / "base"))


@pytest.fixture
def finished(model: Path, tmp_path: Path) -> RunDirectory:
    data = runs.write_questions(tmp_path / "questions.jsonl")
    run = runs.make_run(runs_folder() / new_id(), runs.make_spec(model, data, schedule__max_steps=2))
    runs.train(run)
    return run


def change_a_weight(model: Path) -> None:
    content = bytearray((model / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (model / "model.safetensors").write_bytes(content)


def change_the_tokenizer(model: Path) -> None:
    with (model / "tokenizer.json").open("a") as file:
        file.write("\n")


def job(kind: str, **parameters: Any) -> RunDirectory:
    directory = RunDirectory(runs_folder() / new_id())
    directory.attempt_path(1).mkdir(parents=True)
    write_json(directory.path / "request.json", {"kind": kind, "parameters": parameters})
    return directory


def work(kind: str, body: Any, **parameters: Any) -> Any:
    directory = job(kind, **parameters)
    return body(directory, EventWriter(directory), StopFlag(), 1)


def test_a_run_keeps_the_sums_of_its_base_and_uses_it_as_long_as_they_hold(finished: RunDirectory, model: Path) -> None:
    from lab.serving.worker import run as generate

    told = (finished.result or {})["base"]
    assert set(told["files"]) == {"model.safetensors", "tokenizer.json"}
    assert told == base.kept_base(finished)
    assert len(work("generate", generate, run=finished.id, prompts=["x"], max_new_tokens=2)["outputs"]) == 2


@pytest.mark.parametrize("change", [change_a_weight, change_the_tokenizer])
def test_asking_evaluating_and_publishing_refuse_another_base(
    finished: RunDirectory, model: Path, change: Any
) -> None:
    from lab.evaluation.worker import run as evaluate
    from lab.publishing.worker import Request, _check_unchanged
    from lab.serving.worker import run as generate

    change(model)
    with pytest.raises(LabError, match=OTHER) as caught:
        work("generate", generate, run=finished.id, prompts=["x"], max_new_tokens=2)
    assert caught.value.exit_code == 1 and "train again" in caught.value.next
    with pytest.raises(LabError, match=OTHER):
        work("evaluate", evaluate, run=finished.id, prompts=2)
    with pytest.raises(LabError, match=OTHER):
        _check_unchanged(finished, Request(finished.id, "alice/sums"))
    _check_unchanged(finished, Request(finished.id, "alice/sums", what="merged"))  # needs no base
    shutil.rmtree(model)
    _check_unchanged(finished, Request(finished.id, "alice/sums"))  # nothing is here to compare with


@pytest.mark.parametrize("change", [change_a_weight, change_the_tokenizer])
def test_another_attempt_names_the_base_and_not_the_data_and_a_resume_is_refused_before_it_can_fail(
    model: Path, tmp_path: Path, change: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ensure_supervisor", lambda: None)
    data = runs.write_questions(tmp_path / "questions.jsonl")
    run = RunDirectory.of(client.submit(runs.make_spec(model, data)))
    assert runs.train(run, runs.StopAt(run, 2))["ended"] == "stopped"
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    for state in ("starting", "running", "stopping", "interrupted"):
        assert Store().move(Store().run(run.id), state, attempt=1)
    change(model)
    with pytest.raises(LabError, match=OTHER):
        client.resume(run.id)
    assert Store().run(run.id).state == "interrupted" and not Store().has_intent(run.id)
    with pytest.raises(LabError, match=OTHER):
        runs.train(run, attempt=2)

    for name, content in before.items():  # put back, it goes on
        (model / name).write_bytes(content)
    client.resume(run.id)
    assert runs.train(run, attempt=2)["ended"] == "finished"


def test_the_full_run_of_a_short_one_is_refused_on_another_base_and_keeps_its_record_on_the_same(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ensure_supervisor", lambda: None)
    data = runs.write_questions(tmp_path / "questions.jsonl")
    short = RunDirectory.of(client.submit(runs.make_spec(model, data, schedule__short_steps=2), short=True))
    runs.train(short)
    for state in ("starting", "running", "succeeded"):
        assert Store().move(Store().run(short.id), state, attempt=1)
    longer = RunDirectory.of(client.continue_full(short.id))
    assert base.kept_base(longer) == base.kept_base(short) != {}
    change_a_weight(model)
    with pytest.raises(LabError, match=OTHER):
        client.continue_full(short.id)


def test_of_a_large_file_the_size_the_header_and_samples_are_summed(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "WHOLE_UP_TO", 1024)
    monkeypatch.setattr(base, "SAMPLE_BYTES", 16)
    first = base.base_record(str(model))
    assert first["model.safetensors"].startswith("sampled:")
    assert base.base_record(str(model)) == first
    file = model / "model.safetensors"
    content = bytearray(file.read_bytes())
    for place in (10, 8 + int.from_bytes(content[:8], "little") + 3):  # the header, the first tensor
        changed = content.copy()
        changed[place] ^= 1
        file.write_bytes(changed)
        assert base.base_record(str(model)) != first
    file.write_bytes(content + b"x")
    assert base.base_record(str(model)) != first


def test_a_run_of_an_earlier_version_has_no_record_and_is_used_as_it_is(finished: RunDirectory, model: Path) -> None:
    (finished.path / "base.json").unlink()
    change_a_weight(model)
    base.check_base(finished)
    assert read_json(finished.path / "base.json") is None
