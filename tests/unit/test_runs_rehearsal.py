"""What only the rows of a run tell is found before it is queued: the same refusals that its worker would give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import task_runs as tasks
import training_runs as runs

from lab.cli.checks import check_run
from lab.errors import InputError, LabError
from lab.runs import rehearsal
from lab.runs.home import datasets_folder, lab_home


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tasks.build_tiny_bert(tmp_path_factory.mktemp("bert"))


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def parted(rows: list[dict[str, Any]], *held_out: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows to train on and rows to hold out, as a file with its own split."""
    return [row | {"split": "train"} for row in rows] + [row | {"split": "validation"} for row in held_out]


def found(spec: Any) -> dict[str, LabError]:
    """What is refused before the queue, by the place that it names; nothing of the check stays behind."""
    before = set(lab_home().iterdir())
    with pytest.raises(LabError) as caught:
        check_run(spec)
    assert {path.name for path in set(lab_home().iterdir()) - before} <= {"datasets", "runs"}
    told = getattr(caught.value, "problems", [caught.value])
    for problem in told:
        assert problem.next, problem
    return {problem.where: problem for problem in told}


def refused_by_worker(folder: Path, spec: Any) -> str:
    """The sentence with which a real worker ends."""
    with pytest.raises(InputError) as caught:
        runs.train(runs.make_run(folder, spec))
    return caught.value.message


def answers(*desired: bool) -> list[dict[str, Any]]:
    return [{"prompt": f"p{i}", "completion": f"c{i}", "label": desired[i % len(desired)]} for i in range(30)]


PAIRS = [{"prompt": f"p{i}", "chosen": "one", "rejected": "two"} for i in range(30)]
LONG = [{"text": f"{'the film was ' * 40}{i}", "label": "good" if i % 2 else "bad"} for i in range(30)]
ODD = {"text": "a", "label": "odd"}

# Name -> task, rows, other settings, the place that is named, and a word of the sentence.
CLASSES: dict[str, tuple[str, list[dict[str, Any]], dict[str, Any], str, str]] = {
    "an unseen label": ("classification", parted(tasks.classification_rows(30), ODD), {}, "data.source", "odd"),
    "one label": ("classification", [ODD | {"text": f"a {i}"} for i in range(30)], {}, "data.source", "same label"),
    "only long rows": ("classification", LONG, {}, "data.max_length", "too long: 27"),
    "a weight for no class": (
        "classification",
        tasks.classification_rows(30),
        {"regularisation__class_weights": "given", "regularisation__class_values": {"spam": 2.0}},
        "regularisation.class_values",
        "spam",
    ),
    "an unseen entity": (
        "token-classification",
        parted(tasks.entity_rows(30), {"tokens": ["x"], "tags": ["B-odd"]}),
        {},
        "data.source",
        "odd",
    ),
    "no entity": (
        "token-classification",
        [{"tokens": ["a", str(i)], "tags": ["O", "O"]} for i in range(30)],
        {},
        "data.source",
        "all tags are O",
    ),
    "answers elsewhere": (
        "extractive-qa",
        [row | {"answers": [{"text": "Paris", "start": 900}]} for row in tasks.question_rows(30)],
        {"tasks__stride": 8},
        "data.source",
        "answer not at its place",
    ),
    "questions without room": (
        "extractive-qa",
        [row | {"question": "which city ? " * 20} for row in tasks.question_rows(30)],
        {"tasks__stride": 8},
        "data.max_length",
        "question too long",
    ),
}


@pytest.mark.parametrize("name", CLASSES)
def test_rows_with_labels_that_a_worker_would_refuse_are_refused_first(bert: Path, tmp_path: Path, name: str) -> None:
    task, rows, changes, where, word = CLASSES[name]
    spec = runs.make_spec(bert, write(tmp_path / "rows.jsonl", rows), task=task, **changes)
    told = found(spec)
    assert list(told) == [where] and word in str(told[where])


WORDS: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str, str]] = {
    "single answers for pairs": (answers(True, False), {"task": "preference"}, "preference.method", "kto"),
    "only good answers": (
        answers(True), {"task": "preference", "preference__method": "kto"}, "data.source", "called good",
    ),
    "equal answers": (
        [row | {"rejected": row["chosen"]} for row in PAIRS], {"task": "preference"}, "data.source", "the same: 30",
    ),
    "long answers": (
        [row | {"chosen": "x " * 99} for row in PAIRS], {"task": "preference"}, "data.max_length", "too long: 27",
    ),
    "long rows": ([{"question": "a " * 99, "answer": f"b{i}"} for i in range(30)], {}, "data.source", "too long: 30"),
    "no chat template": (
        [{"question": "a", "answer": f"b{i}"} for i in range(30)], {"data__template": "chat"}, "data.template", "chat",
    ),
    "no such group": (
        [{"question": "a", "answer": f"b{i}"} for i in range(30)],
        {"preparation__split_by": "group", "preparation__group_column": "nowhere"},
        "preparation.group_column", "nowhere",
    ),
    "nothing to judge by": (
        [{"question": "a", "answer": f"b{i}"} for i in range(30)],
        {"data__validation_share": 0.0, "evaluation__patience": 2}, "evaluation.patience", "held-out",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WORDS)
def test_rows_for_language_models_too(tiny_llama: Path, tmp_path: Path, name: str) -> None:
    rows, changes, where, word = WORDS[name]
    told = found(runs.make_spec(tiny_llama, write(tmp_path / "rows.jsonl", rows), **changes))
    assert list(told) == [where] and word in str(told[where])


def test_what_is_said_before_the_queue_is_what_the_worker_says(bert: Path, tiny_llama: Path, tmp_path: Path) -> None:
    rows = write(tmp_path / "unseen.jsonl", CLASSES["an unseen label"][1])
    spec = runs.make_spec(bert, rows, task="classification")
    assert found(spec)["data.source"].message == refused_by_worker(tmp_path / "one", spec)
    spec = runs.make_spec(tiny_llama, write(tmp_path / "long.jsonl", WORDS["long rows"][0]))
    assert found(spec)["data.source"].message == refused_by_worker(tmp_path / "two", spec)


def test_rows_settings_and_layers_are_told_at_once(bert: Path, tmp_path: Path) -> None:
    rows = write(tmp_path / "rows.jsonl", CLASSES["an unseen label"][1])
    changes: dict[str, Any] = {"schedule__warmup": 1.5, "method__rank": 500, "method__target_modules": ["q_proj"]}
    told = found(runs.make_spec(bert, rows, task="classification", data__max_length=4000, **changes))
    wrong = {"schedule.warmup", "method.rank", "method.target_modules", "data.max_length", "data.source"}
    assert set(told) == wrong and "query" in str(told["method.target_modules"])


def test_every_task_of_a_run_of_several_is_looked_at(bert: Path, tmp_path: Path) -> None:
    mood = write(tmp_path / "mood.jsonl", CLASSES["an unseen label"][1])
    names = write(tmp_path / "names.jsonl", CLASSES["no entity"][1])
    sources = {"mood": str(mood), "names": str(names), "gone": str(tmp_path / "gone.csv")}
    kinds = {"mood": "classification", "names": "token-classification", "gone": "classification"}
    several: dict[str, Any] = {"task": "multi-task", "tasks__stride": 8, "tasks__kinds": kinds}
    first = found(runs.make_spec(bert, Path("demo"), tasks__sources=sources, **several))
    assert "gone.csv" in str(first["data.source"])
    del sources["gone"], kinds["gone"]
    told = found(runs.make_spec(bert, Path("demo"), tasks__sources=sources, **several))
    assert set(told) == {str(mood), str(names)}


def test_a_prepared_set_is_read_again_only_where_its_preparation_left_it_open(bert: Path) -> None:
    data = tasks.prepared(tasks.classification_rows(40), "classification")
    spec = runs.make_spec(bert, Path(data), task="classification", data__max_length=64)
    assert not rehearsal.known(spec, data) and rehearsal.problems(spec) == []
    record = json.loads((datasets_folder() / data / "dataset.json").read_text())
    record["options"] = {"model": str(bert), "template": "auto"}
    (datasets_folder() / data / "dataset.json").write_text(json.dumps(record))
    lengths = {"model": str(bert), "edges": [0, 5, 10, 15], "counts": [0, 30, 10]}
    (datasets_folder() / data / "lengths.json").write_text(json.dumps(lengths))
    assert rehearsal.known(spec, data)
    assert not rehearsal.known(runs.make_spec(bert, Path(data), task="classification", data__max_length=16), data)


def test_a_prepared_set_with_another_tokenizer_is_rehearsed(tiny_llama: Path, tmp_path: Path) -> None:
    data = tasks.prepared([{"question": "a " * 99, "answer": "b"}] * 30, "question-answer")
    told = found(runs.make_spec(tiny_llama, Path(data)))
    assert "too long" in str(told["data.source"])


def test_data_to_remember_go_through_the_same_door(tiny_llama: Path, tmp_path: Path) -> None:
    data = runs.write_questions(tmp_path / "questions.jsonl")
    classes = write(tmp_path / "classes.jsonl", tasks.classification_rows(30))
    changes = {"regularisation__ewc_lambda": 10.0, "regularisation__ewc_data": str(classes)}
    told = found(runs.make_spec(tiny_llama, data, **changes))
    assert "classification" in str(told["regularisation.ewc_data"])
    gone = changes | {"regularisation__ewc_data": str(tmp_path / "gone.jsonl")}
    told = found(runs.make_spec(tiny_llama, data, **gone, preparation__replay_source=str(tmp_path / "general.csv")))
    assert set(told) == {"regularisation.ewc_data", "preparation.replay_source"}


def test_a_tokenizer_with_more_tokens_than_the_model_has_embeddings_is_refused(
    tiny_llama: Path, tmp_path: Path
) -> None:
    import shutil

    folder = shutil.copytree(tiny_llama, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": 40}))
    told = found(runs.make_spec(folder, runs.write_questions(tmp_path / "questions.jsonl")))
    assert "40" in str(told["model.source"]) and "embeddings" in str(told["model.source"])


def test_folders_and_files_of_every_setting_are_made_absolute_for_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lab.runs.prepare import rooted
    from lab.spec import RunSpec, with_overrides

    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("x")
    changes = {"tasks.sources": {"one": "a.csv", "two": "demo"}, "regularisation.ewc_data": "b.csv"}
    spec = rooted(with_overrides(RunSpec(), changes))
    assert spec.tasks.sources == {"one": str(tmp_path / "a.csv"), "two": "demo"}
    assert (spec.regularisation.ewc_data, spec.data.source) == (str(tmp_path / "b.csv"), "demo")


def test_the_same_rows_are_read_once_until_the_file_changes(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    ask = rehearsal.ask
    monkeypatch.setattr(
        rehearsal, "ask", lambda module, *given, **more: asked.append(module) or ask(module, *given, **more)
    )
    rows = write(tmp_path / "rows.jsonl", PAIRS)
    spec = runs.make_spec(tiny_llama, rows, task="preference")
    assert rehearsal.problems(spec) == rehearsal.problems(runs.make_spec(tiny_llama, rows, task="preference", seed=42,
                                                                         schedule__max_steps=9)) == []  # fmt: skip
    assert len(asked) == 1
    write(rows, [row | {"rejected": row["chosen"]} for row in PAIRS])
    assert [problem.where for problem in rehearsal.problems(spec)] == ["data.source"] and len(asked) == 2
