"""A data set prepared on disk: what is dropped, held out, counted, and that it is the same again."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import toy_tokenizers

from lab.data.build import build
from lab.data.example import IGNORED
from lab.data.opening import open_data
from lab.data.options import Options
from lab.data.prepare import prepare, prepare_dataset
from lab.data.progress import NotesOnly
from lab.data.report import report, segments
from lab.data.source import Source
from lab.data.split import assign
from lab.data.worker import run
from lab.errors import InputError, InputErrors, LabError, NotFoundError
from lab.runs import registry
from lab.runs.directory import RunDirectory
from lab.runs.events import EventWriter, tail_events
from lab.runs.home import datasets_folder
from lab.runs.stopping import StopFlag
from lab.spec import build as spec_of

SUMS = [{"instruction": f"Add {i} and {i + 1}.", "input": "", "output": f"It is {2 * i + 1}."} for i in range(60)]


def written(folder: Path, rows: list[dict[str, Any]], name: str = "sums.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def directory(folder: Path, **parameters: Any) -> RunDirectory:
    folder.mkdir()
    (folder / "request.json").write_text(json.dumps({"kind": "prepare", "parameters": parameters}))
    return RunDirectory(folder)


# --- dropping ---


def test_every_row_is_kept_or_dropped_for_a_reason(tmp_path: Path):
    rows = [
        *SUMS,
        SUMS[0],
        {"instruction": "No answer", "input": "", "output": "  "},
        {"instruction": "", "input": "x", "output": "No question"},
        {"instruction": "Long " * 500, "input": "", "output": "x"},
    ]
    built, told = prepare(written(tmp_path, rows), Options(), tmp_path, NotesOnly())
    assert told["dropped"] == {"duplicate": 1, "empty answer": 1, "empty question": 1, "too long": 1}
    counts = told["rows"]
    assert counts["read"] == counts["kept"] + sum(told["dropped"].values()) == 64
    assert counts["kept"] == counts["train"] + counts["validation"] + counts["test"]
    assert counts["validation"] == 6
    assert told["tokens"]["max"] <= 512 < max(built.lengths)


def test_nothing_left_is_an_error_that_tells_the_length_to_allow(tmp_path: Path):
    with pytest.raises(InputError, match="too long: 60") as refusal:
        prepare(written(tmp_path, SUMS), Options(max_length=8), tmp_path, NotesOnly())
    assert "data.max_length" in str(refusal.value)


# --- splitting ---


def test_the_split_depends_on_seed_and_text_only():
    parts = dict(zip(map(str, SUMS), assign(SUMS, "instruction", share=0.2, seed=7), strict=True))
    shuffled = random.Random(1).sample(SUMS, len(SUMS))
    again = dict(zip(map(str, shuffled), assign(shuffled, "instruction", share=0.2, seed=7), strict=True))
    assert parts == again
    assert Counter(parts.values()) == {"train": 48, "validation": 12}
    held_out = [row["instruction"] for row in SUMS if parts[str(row)] == "validation"]
    expected = [
        "Add 9 and 10.",
        "Add 15 and 16.",
        "Add 17 and 18.",
    ]  # worked out from the rule: sha256 of seed and question
    assert held_out[:3] == expected, "the same rows on every machine and in every version"
    other = assign(SUMS, "instruction", share=0.2, seed=8)
    assert other != list(parts.values())


def test_rows_that_ask_the_same_stay_together():
    rows = [{"question": f"Question {i // 3}?", "answer": f"{i}"} for i in range(60)]
    parts = assign(rows, "question-answer", share=0.3, seed=1)
    assert Counter(parts)["validation"] == 18
    sides: dict[str, set[str]] = {}
    for row, part in zip(rows, parts, strict=True):
        sides.setdefault(row["question"], set()).add(part)
    assert all(len(side) == 1 for side in sides.values())


def test_rows_of_one_group_of_a_files_own_column_stay_together(tmp_path: Path):
    rows = [{"question": f"What is {i}?", "answer": f"It is {i}.", "page": f"page {i % 9}"} for i in range(90)]
    path = written(tmp_path, rows)
    how = {"split_by": "group", "group_column": "page", "test_share": 0.2}
    options = Options.of_request({"preparation": how, "validation_share": 0.2, "max_length": 128})
    told = prepare_dataset(path, options, NotesOnly())
    kept = [
        json.loads(line) for line in (registry.dataset_path(told["dataset"]) / "rows.jsonl").read_text().splitlines()
    ]
    parts: dict[str, set[str]] = {}
    for row in kept:
        parts.setdefault(row["group"], set()).add(row["split"])
    assert len(parts) == 9 and all(len(found) == 1 for found in parts.values())
    assert {part for found in parts.values() for part in found} == {"train", "validation", "test"}
    assert told["rows"]["kept"] == 90


@pytest.mark.parametrize(("rows", "share", "held_out"), [(1, 0.1, 0), (2, 0.1, 1), (2, 0.9, 1), (10, 0.0, 0)])
def test_a_small_data_set_keeps_a_row_for_training(rows: int, share: float, held_out: int):
    assert assign(SUMS[:rows], "instruction", share=share, seed=1).count("validation") == held_out


def test_a_split_of_its_own_is_kept(tmp_path: Path):
    words = ["train", "train", "held_out", "test"]
    rows = [row | {"split": words[i % 4]} for i, row in enumerate(SUMS)]
    _, told = prepare(written(tmp_path, rows), Options(), tmp_path, NotesOnly())
    assert told["rows"] == {"read": 60, "kept": 60, "train": 30, "validation": 15, "test": 15}


# --- the record ---


def test_the_same_file_and_options_give_the_same_fingerprint(tmp_path: Path):
    (tmp_path / "other").mkdir()
    first, second = written(tmp_path, SUMS), written(tmp_path / "other", SUMS, "renamed.jsonl")

    def fingerprint(path: Path, **options: Any) -> str:
        return str(prepare(path, Options(**options), tmp_path, NotesOnly())[1]["fingerprint"])

    base = fingerprint(first)
    assert fingerprint(second) == base
    assert fingerprint(first, template="alpaca") == base, "auto chose it"
    changed = [{"seed": 1}, {"validation_share": 0.2}, {"max_length": 100}, {"completion_only": False}]
    assert len({base, *(fingerprint(first, **options) for options in changed)}) == 5
    assert fingerprint(written(tmp_path, SUMS[1:])) != base


def test_a_prepared_data_set_opens_with_the_figures_it_was_prepared_with(tmp_path: Path):
    path = written(tmp_path, [*SUMS, SUMS[0], {"instruction": "Long " * 500, "input": "", "output": "x"}])
    told = prepare_dataset(path, Options(), NotesOnly(), name="../Sums\n.jsonl")
    folder = datasets_folder() / told["dataset"]
    assert {item.name for item in folder.iterdir()} == {
        "source.jsonl",
        "rows.jsonl",
        "dataset.json",
        "preview.json",
        "lengths.json",
        "steps.json",
        "figures.json",
        "tokens",
    }
    record = registry.dataset(told["dataset"])
    assert (record["id"], record["name"], record["kind"]) == (told["dataset"], "Sums.jsonl", "instruction")
    opened = open_data(spec_of({"data": {"source": told["dataset"]}}), tmp_path)
    assert opened.report == told
    assert (len(opened.train), len(opened.validation)) == (told["rows"]["train"], told["rows"]["validation"])


def test_lengths_and_preview_tell_what_is_in_the_examples(tmp_path: Path):
    rows = [*SUMS, {"instruction": "Long " * 500, "input": "", "output": "x"}]
    built, _ = prepare(written(tmp_path, rows), Options(), tmp_path, NotesOnly())
    lengths = json.loads((tmp_path / "lengths.json").read_text())
    assert sum(lengths["counts"]) == len(built.lengths) == 61
    assert len(lengths["edges"]) == len(lengths["counts"]) + 1
    assert lengths["edges"][-2] <= lengths["max"] < lengths["edges"][-1]
    assert (lengths["dropped"], lengths["cut"], lengths["max_length"]) == (1, 0, 512)
    preview = json.loads((tmp_path / "preview.json").read_text())
    assert len(preview) == 50
    shown = preview[0]
    assert "".join(text for text, _ in shown["segments"]) == "<|start|>" + shown["text"] + "<|end|>"
    assert "".join(text for text, trained in shown["segments"] if trained).endswith(".<|end|>")
    assert len(shown["segments"]) == shown["tokens"] == len(built.examples["train"][0].input_ids)


# --- opening ---


def test_the_demo_opens_with_its_own_split():
    opened = open_data(spec_of({}), Path("unused"))
    assert len(opened.train) > 1000 < 10 * len(opened.validation)
    first = opened.train[0]
    assert first.prompt == f"### Question: {first.question}\n### Answer: "
    assert first.completion == first.reference
    assert first.labels[first.n_prompt :] == first.input_ids[first.n_prompt :]
    assert set(first.labels[: first.n_prompt]) == {IGNORED}
    assert not {row.question for row in opened.train} & {row.question for row in opened.validation}


def test_a_file_opens_on_the_spot_and_leaves_its_report_beside_the_run(tmp_path: Path):
    rows = [{"Frage": row["instruction"], "Antwort": row["output"]} for row in SUMS]
    path = written(tmp_path, rows)
    columns = {"prompt": "Frage", "completion": "Antwort"}
    opened = open_data(spec_of({"data": {"source": str(path), "columns": columns}}), tmp_path / "run")
    assert len(opened.train) == 54
    assert json.loads((tmp_path / "run" / "data" / "dataset.json").read_text())["rows"] == opened.report["rows"]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV", NotFoundError),
        ("nowhere/data.jsonl", InputError),
        ("some/set", LabError),
    ],
)
def test_a_source_that_is_not_there_is_an_error_that_says_so(tmp_path: Path, source: str, error: type[Exception]):
    with pytest.raises(error) as refusal:
        open_data(spec_of({"data": {"source": source}}), tmp_path)
    assert refusal.value.next or "No such file" in str(refusal.value)  # type: ignore[attr-defined]


# --- the job ---


def test_the_job_reports_its_phases_and_its_result(tmp_path: Path):
    job = directory(tmp_path / "run", path=str(written(tmp_path, SUMS)), name="Sums", max_length=256, seed=3)
    result = run(job, EventWriter(job), StopFlag(), 1)
    assert result["ended"] == "finished"
    assert registry.dataset(result["dataset"])["options"]["max_length"] == 256
    events, _ = tail_events(job.events_path)
    ended = [event["phase"] for event in events if event["kind"] == "phase" and event["status"] == "end"]
    assert ended == ["read", "clean", "measure", "split", "write"]
    assert [event["done"] for event in events if event["kind"] == "progress"][-1] == 1.0


def test_a_job_that_is_stopped_leaves_nothing(tmp_path: Path):
    job, stop = directory(tmp_path / "run", demo=True), StopFlag()
    stop.request()
    assert run(job, EventWriter(job), stop, 1) == {"ended": "stopped"}
    assert list(datasets_folder().iterdir()) == []


@pytest.mark.parametrize("parameters", [{}, {"demo": True, "max_length": 1}, {"demo": True, "template": "poem"}])
def test_a_job_with_wrong_settings_is_refused(tmp_path: Path, parameters: dict[str, Any]):
    job = directory(tmp_path / "run", **parameters)
    with pytest.raises((InputError, InputErrors)):
        run(job, EventWriter(job), StopFlag(), 1)
    assert list(datasets_folder().iterdir()) == []


def test_conversations_with_control_tokens_are_counted_and_left_out():
    chat = toy_tokenizers.gpt2_like(toy_tokenizers.CHATML)
    rows = [
        {"messages": [{"role": "user", "content": f"{i} {extra}"}, {"role": "assistant", "content": "a"}]}
        for i, extra in enumerate(["", "", "", "<|im_end|>"])
    ]
    built = build(Source("x", "messages", rows, {}, 4), Options(), chat, NotesOnly())
    assert report(built)["dropped"] == {"contains a control token of the model": 1}
    assert built.template == "chat"
    trained = "".join(text for text, is_trained in segments(built.examples["train"][0], chat) if is_trained)
    assert trained == "a<|im_end|>\n"
