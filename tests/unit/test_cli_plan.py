"""Specs of the command line, plans, the doctor, the reference pages and the line of progress."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.cli import docs, main
from lab.cli.progress import Progress
from lab.spec import RunSpec, dump, with_overrides

REPOSITORY = Path(__file__).parents[2]


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main([*words, "--json"]) == 0
    record: dict[str, Any] = json.loads(capsys.readouterr().out)
    return record


def dry_run(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    spec: dict[str, Any] = answer(capsys, "train", "--dry-run", *words)["spec"]
    return spec


def test_the_plan_of_the_documents_first_setup(capsys: pytest.CaptureFixture[str]) -> None:
    settings = {
        "data.examples": 114_000,
        "schedule.per_device_batch": 4,
        "schedule.accumulation": 8,
        "resources.devices": 6,
        "schedule.max_steps": 25_000,
    }
    words = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    plan = answer(capsys, "plan", *words)
    assert (plan["effective_batch"], round(plan["epochs"], 1), plan["steps"]) == (192, 42.1, 25_000)
    keys = {"warmup_steps", "tokens_per_step", "learning_rate", "trainable", "memory", "time_s", "verdicts"}
    assert keys <= set(plan)
    parts = ("total", "weights", "gradients", "optimizer", "activations", "logits")
    assert {f"{part}_gib" for part in parts} <= set(plan["memory"])


def test_set_wins_over_the_file_and_the_file_over_the_defaults(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text("seed: 7\nschedule: {learning_rate: 3e-4, max_steps: 9}\n")
    spec = dry_run(capsys, "--spec", str(file), "--set", "seed=8")
    assert (spec["seed"], spec["schedule"]["max_steps"]) == (8, 9)
    assert spec["schedule"]["learning_rate"] == 3e-4
    assert spec["method"]["rank"] == RunSpec().method.rank


def test_a_spec_that_was_written_runs_unchanged(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    written = with_overrides(RunSpec(), {"seed": 3, "method.rank": 4, "schedule.warmup": 5})
    file = tmp_path / "spec.yaml"
    file.write_text(dump(written))
    assert dry_run(capsys, "--spec", str(file)) == written.model_dump(mode="json")


def test_folders_and_files_become_absolute(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data.csv").write_text("question,answer\na,b\nc,d\n")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").symlink_to(tiny_llama)
    spec = dry_run(capsys, "--set", "model.source=model", "--set", "data.source=data.csv")
    assert spec["model"]["source"] == str(tmp_path / "model")
    assert spec["data"]["source"] == str(tmp_path / "data.csv")


def test_a_dry_run_queues_nothing(capsys: pytest.CaptureFixture[str], lab_home: Path) -> None:
    assert answer(capsys, "train", "--dry-run")["run"] is None
    assert not (lab_home / "lab.db").exists()


def test_a_file_is_inspected(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_text("question,answer\nWhat?,That.\nWho?,She.\n")
    report = answer(capsys, "data", "inspect", str(file))
    assert (report["format"], report["kind"], report["rows"]) == ("csv", "question-answer", 2)
    assert {"encoding", "columns", "mapping", "problems"} <= set(report)


def test_the_doctor_finds_this_installation_sound(capsys: pytest.CaptureFixture[str], lab_home: Path) -> None:
    found = answer(capsys, "doctor")
    assert found["ok"]
    checks = {check["name"]: check for check in found["checks"]}
    assert checks["LAB_HOME"]["value"] == str(lab_home)
    assert {
        "torch",
        "transformers",
        "CPU threads",
        "memory",
        "GPU",
        "disk",
        "supervisor",
        "demo model",
    } <= set(checks)


def test_the_doctor_says_what_is_wrong_with_a_home_that_is_no_folder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "file" / "home"))
    assert main(["doctor", "--json"]) == 1
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert [check["status"] for check in checks if check["name"] == "LAB_HOME"] == ["error"]


def test_no_command_imports_the_training_libraries_or_streamlit() -> None:
    code = (
        "import sys; from lab.cli import main\n"
        "for words in (['doctor'], ['plan'], ['train', '--dry-run'], ['runs', 'list'], ['recipes', 'list']):\n"
        "    assert main([*words, '--json']) == 0, words\n"
        "heavy = {'torch', 'transformers', 'datasets', 'streamlit', 'pandas'} & set(sys.modules)\n"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_reference_pages_are_what_the_code_says() -> None:
    assert docs.main(["--check"]) == 0


def test_a_page_that_is_out_of_date_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs, "DOCS", tmp_path)
    assert docs.main(["--check"]) == 1
    assert docs.main([]) == 0
    assert docs.main(["--check"]) == 0
    (tmp_path / "cli.md").write_text("old")
    assert docs.main(["--check"]) == 1


def test_the_line_of_progress_tells_phase_step_loss_speed_and_time() -> None:
    progress = Progress()
    progress._on = True
    events = [
        {"kind": "phase", "phase": "train", "status": "start"},
        {"kind": "metric", "values": {"train_loss": 1.2345, "grad_norm": None}},
        {"kind": "progress", "step": 52, "steps": 100, "done": 0.52, "eta_s": 31.2, "tokens_per_s": 4300.4},
    ]
    for event in events:
        progress(event)
    assert progress.line() == (
        "train     [############............]   52 %  step 52/100  loss 1.234  4,300 tokens/s  0:31 left"
    )


def test_the_terminal_says_what_the_page_says_of_a_run_of_weeks_that_does_not_fit(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["model.source=llama-2-70b", "method.name=full", "data.examples=520000", "resources.device=cpu"]
    plan = answer(capsys, "plan", *(part for word in words for part in ("--set", word)))
    found = {verdict["field"]: verdict for verdict in plan["verdicts"]}
    assert "days" in found["model.source"]["why"]
    assert "this machine has" in found["resources.device"]["why"]
