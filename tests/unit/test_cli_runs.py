"""The commands that run something, as another program would call them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hub_server import Account, serve

REPOSITORY = Path(__file__).parents[2]
TOKEN = "hf_" + "canary" * 6


def lab(*words: str) -> tuple[int, dict[str, Any]]:
    """Run `python -m lab ... --json` as a program does: the exit code and the one object that it printed."""
    command = [sys.executable, "-m", "lab", *words, "--json"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.count("\n") == 1, (done.stdout, done.stderr)
    record: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, record


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    file = tmp_path / "questions.jsonl"
    rows = [{"question": f"What is {n} plus 1?", "answer": f"It is {n + 1}."} for n in range(30)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.mark.slow
def test_a_training_from_a_file_to_its_answers_and_to_the_hub(
    questions: Path, tiny_llama: Path, tmp_path: Path, lab_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {
        "model.source": tiny_llama,
        "data.source": questions,
        "data.max_length": 64,
        "schedule.max_steps": 5,
        "evaluation.samples": 1,
        "evaluation.review_prompts": 2,
        "evaluation.max_new_tokens": 4,
        "resources.device": "cpu",
    }
    chosen = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    code, trained = lab("train", *chosen, "--wait")
    assert (code, trained["state"]) == (0, "succeeded"), trained
    assert {"train_loss", "eval_loss"} <= set(trained["final"])
    assert {"tokens_per_s", "samples_per_s"} <= set(trained["throughput"])
    assert trained["peak_memory_gib"] > 0
    assert (Path(trained["directory"]) / "final").is_dir()

    run = trained["run"]
    code, shown = lab("runs", "show", run)
    assert (code, shown["state"], shown["step"], shown["steps"], shown["progress"]) == (
        0,
        "succeeded",
        5,
        5,
        1.0,
    )
    assert shown["spec"]["schedule"]["max_steps"] == 5
    assert shown["result"]["ended"] == "finished"
    assert {"phase", "eta_s"} <= set(shown)
    assert [one["run"] for one in lab("runs", "list")[1]["runs"]] == [run]
    assert lab("runs", "logs", run)[1]["run"] == run
    assert lab("runs", "compare", run, run)[1]["settings"] == {}

    code, asked = lab("generate", run, "--prompt", "What is 3 plus 1?", "--max-new-tokens", "4")
    assert code == 0
    assert [(one["prompt"], one["model"]) for one in asked["outputs"]] == [
        ("What is 3 plus 1?", "base"),
        ("What is 3 plus 1?", "tuned"),
    ]
    assert {"text", "stopped"} <= set(asked["outputs"][0])
    with serve(tmp_path / "hub", {TOKEN: Account("alice")}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.base)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        code, published = lab("publish", run, "--repository", "alice/sums")
    assert (code, published.get("repository"), published.get("private")) == (0, "alice/sums", True), published
    assert {"url", "commit"} <= set(published)
    monkeypatch.delenv("HF_TOKEN")
    code, refused = lab("publish", run, "--repository", "alice/sums")
    assert (code, refused["error"]["where"]) == (2, "--token-stdin")
    files = [path for path in lab_home.rglob("*") if path.is_file()]
    assert [path for path in files if TOKEN.encode() in path.read_bytes()] == []

    assert lab("runs", "delete", run) == (0, {"run": run, "deleted": True})
    assert lab("runs", "show", run)[0] == 3


def test_a_file_becomes_a_data_set_that_can_be_planned_with(questions: Path, tiny_llama: Path) -> None:
    code, made = lab("data", "prepare", str(questions), "--set", f"model.source={tiny_llama}", "--name", "sums")
    assert code == 0, made
    assert made["rows"]["read"] == made["rows"]["kept"] == 30
    assert made["rows"]["train"] + made["rows"]["validation"] == 30
    assert {"fingerprint", "dropped", "tokens"} <= set(made)
    code, plan = lab("plan", "--set", f"data.source={made['dataset']}", "--set", f"model.source={tiny_llama}")
    assert (code, plan["examples"]) == (0, made["rows"]["train"])
    assert lab("runs", "list")[1]["runs"] == []
    kinds = [one["kind"] for one in lab("runs", "list", "--all")[1]["runs"]]
    assert kinds == ["prepare"]


@pytest.fixture
def own_names(tmp_path: Path) -> Path:
    """A file of a Windows program whose columns' names tell nothing."""
    file = tmp_path / "own.csv"
    rows = [f"Où est la pièce {n} ?;Elle est là, au café {n}." for n in range(30)]
    file.write_bytes("\n".join(["colA;colB", *rows, ""]).encode("cp1252"))
    return file


def test_own_columns_and_encoding_are_named_as_the_errors_say(
    own_names: Path, tiny_llama: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from lab.cli import main

    model = ["--set", f"model.source={tiny_llama}", "--set", "data.max_length=256"]
    code, refused = lab("data", "prepare", str(own_names), *model)
    assert (code, "--set data.encoding=cp1252" in refused["error"]["next"]) == (2, True)
    encoding = ["--set", "data.encoding=cp1252"]
    code, refused = lab("data", "prepare", str(own_names), *model, *encoding)
    said = "'data.columns=prompt: colA, completion: colB'"
    assert (code, said in refused["error"]["next"]) == (2, True)

    named = [*encoding, "--set", "data.columns=prompt: colA, completion: colB"]
    code, made = lab("data", "prepare", str(own_names), *model, *named)
    assert (code, made["rows"]["kept"], made["mapping"]) == (0, 30, {"prompt": "colA", "completion": "colB"}), made
    code, found = lab("data", "inspect", str(own_names), "--encoding", "cp1252", *named[2:])
    assert (code, found["encoding"], found["kind"]) == (0, "cp1252", "prompt-completion")

    assert main(["train", "--set", f"data.source={own_names}", *model, *named, "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["plan"]["examples"] == 27
    assert main(["train", "--set", f"data.source={own_names}", *model, *encoding, "--dry-run", "--json"]) == 2


def test_the_training_reads_a_file_with_the_columns_and_the_encoding_of_the_spec(
    own_names: Path, tiny_llama: Path, tmp_path: Path
) -> None:
    from lab.data.opening import open_data
    from lab.spec import build

    data = {"source": str(own_names), "encoding": "cp1252", "columns": {"prompt": "colA", "completion": "colB"}}
    opened = open_data(build({"model": {"source": str(tiny_llama)}, "data": data | {"max_length": 256}}), tmp_path)
    assert opened.train[0].reference.startswith("Elle est là, au café")
    assert opened.train[0].question.startswith("Où est la pièce")


def test_the_largest_batch_is_found_by_trial_at_the_same_effective_batch(questions: Path, tiny_llama: Path) -> None:
    own = ("--set", f"model.source={tiny_llama}", "--set", f"data.source={questions}", "--set", "data.max_length=64")
    code, found = lab("find-batch", *own, "--limit-gib", "30")
    assert code == 0 and found["best"]["fits"] and 0 < found["best"]["measured_gib"] < 30
    assert found["change"] == {"schedule.per_device_batch": 16, "schedule.accumulation": 1}
    code, error = lab("find-batch", *own, "--limit-gib", "0.01")
    assert code == 1 and "0.01 GiB" in error["error"]["message"]


def test_without_a_terminal_waiting_prints_a_line_for_each_phase(questions: Path, tiny_llama: Path) -> None:
    words = ["data", "prepare", str(questions), "--set", f"model.source={tiny_llama}", "--json"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "lab", *words]
    done = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, timeout=120)
    printed = done.stderr.splitlines()
    assert printed[0].startswith("run 01") and printed[1:6] == ["read", "clean", "measure", "split", "write"]
    assert done.stdout.count("\n") == 1


def test_a_log_gets_progress_every_ten_seconds_and_nothing_of_an_earlier_attempt(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    from lab.cli import progress

    clock = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    shown, now = progress.Progress(), time.time()
    shown({"kind": "phase", "t": now - 60, "phase": "load", "status": "start"})
    shown({"kind": "phase", "t": now, "phase": "train", "status": "start"})
    few = {"kind": "note", "level": "warning", "template": "{left} rows are left out.", "values": {"left": 9}}
    shown(few | {"t": now - 60})
    shown(few | {"t": now})
    shown(few | {"t": now, "level": "info"})
    for step in range(1, 26):
        clock[0] += 1.0
        shown({"kind": "progress", "t": now, "step": step, "steps": 100, "done": step / 100, "eta_s": 75.0})
    shown.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "train",
        "Warning: 9 rows are left out.",
        *(f"train   {n} %  step {n}/100  1:15 left" for n in (10, 20)),
    ]


def test_a_learning_rate_is_shown_in_full() -> None:
    from lab.cli.words import metric

    shown = [metric("learning_rate", value) for value in (2.1e-5, 2e-4, 0.0, None)]
    assert shown == ["2.1e-5", "2.0e-4", "0", ""]
    assert metric("eval_loss", 1.23456) == "1.2346"


def test_runs_with_scores_are_shown_and_compared(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from lab.cli import main
    from lab.json_io import write_json
    from lab.runs import client
    from lab.runs.directory import RunDirectory
    from lab.spec import RunSpec

    monkeypatch.setattr(client, "ensure_supervisor", lambda: None)
    runs = [client.submit(RunSpec(), plan={"steps": 6}) for _ in range(2)]
    final = {"scores": {"accuracy": 0.75}, "scores_before": {"accuracy": 0.5}, "eval_loss": 0.6}
    for run in runs:
        write_json(RunDirectory.of(run).path / "result.json", {"ended": "finished", "final": final})
    assert main(["runs", "show", runs[0]]) == 0
    lines = dict(line.rsplit(None, 1) for line in capsys.readouterr().out.splitlines() if line.startswith("final"))
    assert (lines["final accuracy"], lines["final accuracy before"]) == ("0.7500", "0.5000")
    assert main(["runs", "compare", *runs]) == 0
    assert ["accuracy", "0.7500", "0.7500"] in [line.split() for line in capsys.readouterr().out.splitlines()]
