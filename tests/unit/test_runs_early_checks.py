"""Bad input is found before the queue, all at once, at its field, with what is allowed and the way out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import task_runs as tasks
import training_runs as runs

from lab.cli import main
from lab.cli.checks import check_run
from lab.errors import InputError, InputErrors
from lab.models import facts_of
from lab.runs import early_checks
from lab.runs.home import datasets_folder


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return runs.write_questions(tmp_path / "questions.jsonl")


def found(spec: Any) -> dict[str, InputError]:
    with pytest.raises(InputError) as caught:
        check_run(spec)
    told = getattr(caught.value, "problems", [caught.value])
    for problem in told:
        assert problem.allowed and problem.next, problem
    return {problem.where: problem for problem in told}


def test_everything_that_is_wrong_is_told_at_once(tiny_llama: Path, questions: Path) -> None:
    changes: dict[str, Any] = {
        "method__target_modules": ["q_proj", "query"],
        "method__rank": 1000,
        "data__max_length": 300,
    }
    told = found(runs.make_spec(tiny_llama, questions, **changes))
    assert set(told) == {"method.target_modules", "method.rank", "data.max_length"}
    assert "query" in str(told["method.target_modules"]) and "down_proj" in str(told["method.target_modules"])
    assert "256" in str(told["data.max_length"]) and "300" in str(told["data.max_length"])


def test_the_command_line_ends_with_2_and_names_every_field(
    tiny_llama: Path, questions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {"method.target_modules": "query", "data.max_length": "4096", "method.rank": "1000"}
    sets = [f"--set={name}={value}" for name, value in wrong.items()]
    sources = [f"--set=model.source={tiny_llama}", f"--set=data.source={questions}"]
    assert main(["train", *sources, *sets, "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert {problem["where"] for problem in error["problems"]} == set(wrong)


def test_a_length_that_nobody_chose_is_no_error(tiny_llama: Path, questions: Path) -> None:
    spec = runs.make_spec(tiny_llama, questions, data__max_length=512)  # the default; the model has 256
    assert early_checks.problems(spec, facts_of(str(tiny_llama))) == []


def test_the_positions_of_roberta_begin_behind_padding(tmp_path: Path) -> None:
    folder = tasks.build_tiny_roberta(tmp_path / "roberta")
    facts = facts_of(str(folder))
    changes = {"task": "classification", "data__max_length": 129}
    problems = early_checks.problems(runs.make_spec(folder, Path("x.csv"), **changes), facts)
    assert [problem.where for problem in problems] == ["data.max_length"]


def bare(source: Path, folder: Path, **kept: str) -> Path:
    """The model with a tokenizer that names only these special tokens."""
    shutil.copytree(source, folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings = {name: value for name, value in settings.items() if not name.endswith("_token")} | kept
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "special_tokens_map.json").unlink(missing_ok=True)
    return folder


def test_a_tokenizer_without_an_end_or_a_padding_token_is_refused_at_the_model(
    tiny_llama: Path, questions: Path, tmp_path: Path
) -> None:
    from lab.training.build import load_tokenizer
    from lab.training.tasks.tokenizers import task_tokenizer

    empty = bare(tiny_llama, tmp_path / "empty")
    assert "end token" in str(found(runs.make_spec(empty, questions))["model.source"])
    classes = runs.make_spec(empty, questions, task="classification")
    assert "padding" in str(early_checks.problems(classes, facts_of(str(empty)))[0])
    for load in (load_tokenizer, task_tokenizer):  # what the worker would have said, after the queue
        with pytest.raises(InputError):
            load(str(empty))
    # One with an end token gets it as padding: nothing is wrong.
    fine = bare(tiny_llama, tmp_path / "fine", eos_token="</s>")
    assert early_checks.problems(runs.make_spec(fine, questions), facts_of(str(fine))) == []
    assert load_tokenizer(str(fine)).pad_token_id is not None


def test_four_bits_without_their_library_are_refused(
    tiny_llama: Path, questions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(early_checks.importlib.util, "find_spec", lambda name: None)
    spec = runs.make_spec(tiny_llama, questions, model__quantization="nf4", method__name="qlora")
    (problem,) = early_checks.problems(spec, facts_of(str(tiny_llama)))
    assert problem.where == "model.quantization" and "nf4" in str(problem)


def test_a_gpu_that_is_not_there_is_refused(tiny_llama: Path, questions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early_checks, "GPU_SIGNS", ("/no/such/driver",))
    spec = runs.make_spec(tiny_llama, questions, resources__device="cuda")
    assert [one.where for one in early_checks.problems(spec, facts_of(str(tiny_llama)))] == ["resources.device"]


def test_documents_that_are_all_too_long_are_refused_unless_they_are_cut(tiny_llama: Path) -> None:
    data = tasks.prepared([{"text": "a"}] * 30, "text")
    lengths = {"model": str(tiny_llama), "edges": [90, 120, 150], "counts": [20, 10]}
    (datasets_folder() / data / "lengths.json").write_text(json.dumps(lengths))
    told = found(runs.make_spec(tiny_llama, Path(data), data__max_length=64))
    assert "90" in str(told["data.max_length"])
    for change in ({"data__max_length": 90}, {"data__too_long": "cut"}):
        spec = runs.make_spec(tiny_llama, Path(data), **{"data__max_length": 64} | change)
        assert early_checks.problems(spec, facts_of(str(tiny_llama))) == []


def test_labels_that_no_training_row_has_are_refused(tiny_llama: Path) -> None:
    rows = [*tasks.classification_rows(40), {"text": "a", "label": "odd"}]
    data = tasks.prepared(rows, "classification", validation=5)
    counts = {label: {"train": 18, "validation": 2} for label in ("good", "bad")}
    figures = {"classes": counts | {"odd": {"train": 0, "validation": 1}}}
    (datasets_folder() / data / "figures.json").write_text(json.dumps(figures))
    told = found(runs.make_spec(tiny_llama, Path(data), task="classification"))
    assert "odd" in str(told["data.source"]) and "good" in str(told["data.source"])


def test_several_problems_are_one_error_with_all_of_them(tiny_llama: Path, questions: Path) -> None:
    spec = runs.make_spec(tiny_llama, questions, method__rank=1000, data__max_length=300)
    with pytest.raises(InputErrors) as caught:
        check_run(spec)
    assert len(caught.value.problems) == 2 and str(caught.value).count("\n") == 1
