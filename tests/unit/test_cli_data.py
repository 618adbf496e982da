"""`data list|show|report|delete` on real data sets, presets, and what is refused."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from lab.catalogue.preparations import preparation as preset_of
from lab.cli import main
from lab.cli.data import preparation
from lab.data.options import Options
from lab.data.prepare import prepare_dataset
from lab.data.progress import NotesOnly
from lab.runs.home import datasets_folder


def lab(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    code = main([*words, "--json"])
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, answer


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sums.jsonl"
    rows = [{"question": f"What is {i} and {i}?", "answer": f"{2 * i}, as everybody knows."} for i in range(50)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_data_sets_are_listed_shown_reported_and_deleted_by_name_and_version(
    capsys: pytest.CaptureFixture[str], file: Path, tmp_path: Path
):
    made = [prepare_dataset(file, Options(seed=seed), NotesOnly(), name="Sums") for seed in (1, 2)]
    code, listed = lab(capsys, "data", "list", "--name", "Sums")
    assert (code, [one["version"] for one in listed["datasets"]]) == (0, [2, 1])
    _, shown = lab(capsys, "data", "show", "Sums@1")
    assert shown["record"]["id"] == made[0]["dataset"]
    assert [one["step"] for one in shown["steps"]] == ["missing", "exact-duplicates"]
    assert shown["figures"]["tokens"]["total"] > 0 and shown["lengths"]["characters"]["median"] > 0
    page = tmp_path / "report.html"
    assert lab(capsys, "data", "report", "Sums", "--out", str(page))[0] == 0
    assert "Sums, version 2" in page.read_text()
    assert lab(capsys, "data", "delete", "Sums") == (0, {"deleted": made[1]["dataset"]})
    assert [path.name for path in datasets_folder().iterdir()] == [made[0]["dataset"]]
    code, error = lab(capsys, "data", "show", "Sums@2")
    assert (code, error["error"]["kind"]) == (3, "not-found")


def test_a_person_reads_tables_and_remarks(capsys: pytest.CaptureFixture[str], file: Path):
    assert main(["data", "list"]) == 0
    assert "There are no data sets yet" in capsys.readouterr().out
    prepare_dataset(file, Options(), NotesOnly(), name="Sums")
    assert main(["data", "show", "Sums"]) == 0
    printed = capsys.readouterr().out
    for part in ("missing: 50 rows in, 50 out", "tokens trained", "info: There are no test rows"):
        assert part in printed


@pytest.mark.parametrize(
    ("content", "words", "found"),
    [
        ("question|answer\nWhat?|'A|B'\n", ("--delimiter", "pipe", "--quote", "'"), {"delimiter": "|", "quote": "'"}),
        ("question,answer\nWhat?,Caf\xe9\n", ("--encoding", "latin-1"), {"encoding": "latin-1"}),
        ("One.\nTwo.\n\nThree.\n", ("--format", "txt", "--text-unit", "line"), {"text_unit": "line", "rows": 3}),
        ("One.\nTwo.\n\nThree.\n", ("--format", "txt"), {"text_unit": "paragraph", "rows": 2}),
    ],
)
def test_a_person_says_how_a_file_is_read(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str, words: tuple[str, ...], found: dict[str, Any]
):
    path = tmp_path / "rows.csv"
    path.write_bytes(content.encode("latin-1"))
    code, told = lab(capsys, "data", "inspect", str(path), *words)
    assert code == 0
    assert {name: told[name] for name in found} == found


def test_what_cannot_be_said_of_a_file_is_refused(capsys: pytest.CaptureFixture[str], file: Path):
    code, error = lab(capsys, "data", "inspect", str(file), "--delimiter", "abc")
    assert (code, "delimiter" in error["error"]["message"]) == (2, True)


def test_set_changes_what_a_preset_says_and_all_of_it_reaches_the_worker(file: Path):
    unsaid = dict.fromkeys(("kind", "encoding", "delimiter", "quote", "text_unit", "format", "name"), "")
    said = argparse.Namespace(set=["preparation.max_characters=500", "seed=7"], **unsaid)
    settings = preset_of("document-001").settings()
    options = Options.of_request(preparation(said, str(file), settings))
    assert (options.preparation.steps, options.preparation.max_characters) == (["missing", "characters"], 500)
    assert (options.validation_share, options.completion_only, options.seed) == (0.2, False, 7)


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (["--preset", "objective-d"], 2, "2 files"),
        (["--then", "b.jsonl"], 2, "1 files"),
        (["--preset", "nothing"], 3, "nothing"),
        (["--set", "preparation.steps=[magic]"], 2, "magic"),
    ],
)
def test_a_preparation_that_cannot_be_is_refused_before_anything_is_queued(
    capsys: pytest.CaptureFixture[str], file: Path, lab_home: Path, words: list[str], code: int, part: str
):
    got, answer = lab(capsys, "data", "prepare", str(file), *words)
    assert got == code
    assert part in answer["error"]["message"]
    assert not (lab_home / "lab.db").exists()
