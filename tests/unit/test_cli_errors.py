"""What the command line refuses: the exit code, the object, the sentence, and that nothing has changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.cli import main

NO_RUN = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, str]]:
    """The exit code and the error object of a command with --json; its sentence is on standard error too."""
    code = main([*words, "--json"])
    printed = capsys.readouterr()
    error = json.loads(printed.out)["error"]
    assert error["message"] in printed.err
    assert {"kind", "message", "where", "allowed", "next"} <= set(error)
    return code, error


@pytest.fixture
def broken_model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    return folder


@pytest.fixture
def broken_data(tmp_path: Path) -> Path:
    file = tmp_path / "data.jsonl"
    file.write_text('{"question": "a", "answer": "b"}\n{"question": \n')
    return file


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (["--set", "schedule.learning_rate=fast"], "schedule.learning_rate"),
        (["--set", "schedule.learning_rat=1e-4"], "schedule.learning_rat"),
        (["--set", "seed"], "--set"),
        (["--set", "method.name=qlora"], "model.quantization"),
        (["--set", "model.source=/no/such/folder"], "model.source"),
        (["--set", "data.source=/no/such/file.csv"], "data.source"),
        (["--spec", "/no/such/spec.yaml"], "/no/such/spec.yaml"),
        (["--short", "--no-such-option"], "python -m lab train"),
        (["--wait", "--detach"], "python -m lab train"),
    ],
)
def test_wrong_input_ends_with_2_names_its_place_and_changes_nothing(
    capsys: pytest.CaptureFixture[str], lab_home: Path, words: list[str], where: str
) -> None:
    code, error = refused(capsys, "train", *words)
    assert (code, error["kind"], error["where"]) == (2, "input", where)
    assert error["next"] or error["allowed"]
    assert not (lab_home / "lab.db").exists()
    assert not list(lab_home.glob("runs/*"))


def test_every_wrong_setting_is_named_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    _, error = refused(capsys, "train", "--set", "seed=x", "--set", "method.rank=0", "--set", "data.template=zulu")
    places = [problem["where"] for problem in error["problems"]]  # type: ignore[index]
    assert places == ["seed", "method.rank", "data.template"]


def test_a_model_or_a_file_that_cannot_be_used_is_refused_before_anything_is_queued(
    capsys: pytest.CaptureFixture[str], lab_home: Path, broken_model: Path, broken_data: Path
) -> None:
    code, error = refused(capsys, "train", "--set", f"model.source={broken_model}")
    assert (code, error["kind"]) == (2, "input")
    assert "safetensors" in error["message"] + error["next"] + error["allowed"]
    for command in (["train", "--set", f"data.source={broken_data}"], ["data", "inspect", str(broken_data)]):
        code, error = refused(capsys, *command)
        assert (code, error["kind"]) == (2, "input")
        assert "2" in error["where"] + error["message"]  # the line
    assert not (lab_home / "lab.db").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["runs", "show", NO_RUN],
        ["runs", "show", "last"],
        ["runs", "logs", "../../etc/passwd"],
        ["runs", "stop", NO_RUN],
        ["runs", "resume", NO_RUN],
        ["runs", "continue", NO_RUN],
        ["runs", "delete", NO_RUN],
        ["runs", "compare", NO_RUN, NO_RUN],
        ["generate", NO_RUN, "--prompt", "x"],
        ["evaluate", NO_RUN],
        ["recipes", "show", "no_such_recipe"],
        ["recipes", "check", "no_such_recipe"],
        ["plan", "--recipe", "no_such_recipe"],
        ["train", "--set", f"data.source={NO_RUN}"],
    ],
)
def test_what_does_not_exist_ends_with_3(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    code, error = refused(capsys, *words)
    assert (code, error["kind"]) == (3, "not-found")


def test_for_people_an_error_is_one_sentence_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "show", NO_RUN]) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("Error: ")
    assert "Traceback" not in printed.err


def test_a_command_without_a_name_is_wrong_input(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["runs"], ["nonsense"]):
        assert main(words) == 2
        assert capsys.readouterr().err.startswith("Error: ")


def test_an_unknown_word_points_to_the_help_of_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    for words, command in ((["generate", NO_RUN, "What?"], "generate"), (["runs", "show", NO_RUN, "x"], "runs show")):
        code, error = refused(capsys, *words)
        assert (code, error["where"]) == (2, f"python -m lab {command}")
        assert error["next"] == f"See: python -m lab {command} --help"
