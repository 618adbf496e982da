"""The throw-away process that parses a file: what it answers, and that what kills it hurts nobody else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lab.data.options import Options
from lab.data.reading import inspect, read
from lab.errors import InputError
from lab.runs.child import ask
from lab.runs.patience import cpu_seconds, wall_seconds

REPOSITORY = Path(__file__).parents[2]
HEAVY = ("torch", "transformers", "datasets", "pandas", "pyarrow", "pydantic", "streamlit")


def test_the_answer_has_the_keys_that_other_programs_rely_on(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("question;answer\n" + "".join(f"q{i};a{i}\n" for i in range(25)) + "q26;\n")
    answer = inspect(path)
    assert {key: answer[key] for key in ("format", "encoding", "kind", "rows", "delimiter", "trainable")} == {
        "format": "csv",
        "encoding": "utf-8",
        "kind": "question-answer",
        "rows": 26,
        "delimiter": ";",
        "trainable": True,
    }
    assert answer["columns"] == ["question", "answer"]
    assert answer["mapping"] == {"question": "question", "answer": "answer"}
    assert answer["examples"] == [{"question": f"q{i}", "answer": f"a{i}"} for i in range(20)]
    assert [(problem["line"], problem["what"]) for problem in answer["problems"]] == [
        (27, "1 row has nothing in the column answer; it is left out.")
    ]


def test_a_broken_file_comes_back_as_the_error_with_its_line(tmp_path: Path):
    (tmp_path / "a.jsonl").write_text('{"question": "q", "answer": "a"}\n{"question": \n')
    with pytest.raises(InputError) as refusal:
        inspect(tmp_path / "a.jsonl")
    assert refusal.value.where == "a.jsonl:2"
    assert refusal.value.exit_code == 2


def test_a_file_with_unknown_columns_is_described_to_a_form_that_can_ask(tmp_path: Path):
    (tmp_path / "a.csv").write_text("foo,bar\nq,a\n")
    with pytest.raises(InputError, match="foo, bar"):
        inspect(tmp_path / "a.csv")
    answer = inspect(tmp_path / "a.csv", lenient=True)
    assert (answer["kind"], answer["columns"], answer["trainable"]) == (None, ["foo", "bar"], False)
    said = inspect(tmp_path / "a.csv", mapping={"prompt": "foo", "completion": "bar"})
    assert (said["kind"], said["trainable"]) == ("prompt-completion", True)


@pytest.mark.parametrize(
    ("row", "kind", "written"),
    [
        (
            {"prompt": "p", "chosen": "c", "rejected": "r"},
            "preference",
            {"prompt": "p", "chosen": "c", "rejected": "r"},
        ),
        ({"text": "t", "label": 1}, "classification", {"text": "t", "label": "1"}),
        ({"tokens": ["t"], "tags": ["S-X"]}, "token-classification", {"tokens": ["t"], "tags": ["B-X"]}),
        (
            {"id": 7, "context": "a c", "question": "q", "answers": {"text": ["c"], "answer_start": [2]}},
            "extractive-qa",
            {"id": "7", "context": "a c", "question": "q", "answers": [{"text": "c", "start": 2}]},
        ),
    ],
)
def test_every_kind_is_written_in_its_own_form(tmp_path: Path, row: dict[str, Any], kind: str, written: dict[str, Any]):
    (tmp_path / "a.json").write_text(json.dumps([row]))
    assert (inspect(tmp_path / "a.json")["kind"], inspect(tmp_path / "a.json")["trainable"]) == (kind, True)
    reading = read(tmp_path / "a.json", Options(), tmp_path)
    assert (reading.source.kind, reading.source.rows) == (kind, [written])
    assert [path.name for path in tmp_path.iterdir() if path.suffix] == ["a.json"]


def test_the_rows_come_back_in_the_labs_own_form(tmp_path: Path):
    rows = [
        {"Consigne": "c", "Sortie": "s", "split": "train"},
        {"Consigne": "d", "Sortie": 1, "split": "dev"},
    ]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    reading = read(tmp_path / "a.json", Options(), tmp_path, name="Ma source")
    assert reading.source.rows == [
        {"instruction": "c", "output": "s", "split": "train"},
        {"instruction": "d", "output": "1", "split": "validation"},
    ]
    assert (reading.source.name, reading.source.kind, reading.source.read) == ("Ma source", "instruction", 2)


def test_a_memory_bomb_ends_in_a_sentence(tmp_path: Path):
    (tmp_path / "bomb.json").write_text('[{"question": [' + "[],\n" * 4_000_000 + "[]]}]")  # x 20 when decoded
    limits = {"memory": 200 * 2**20}
    started = time.monotonic()
    with pytest.raises(InputError, match=r"bomb\.json takes more than"):
        ask("lab.data.child", {"do": "inspect", "path": str(tmp_path / "bomb.json")}, limits=limits)
    assert time.monotonic() - started < 10


def test_a_reader_that_never_ends_is_ended_by_its_share_of_the_processor(tmp_path: Path):
    path = tmp_path / "long.jsonl"
    path.write_text('{"question": "q", "answer": "a"}\n' * 1_500_000)
    request = {"do": "inspect", "path": str(path)}
    with pytest.raises(InputError, match="takes more than 1 s of processor time"):
        ask("lab.data.child", request, limits={"cpu_s": 1})


def test_a_larger_file_may_take_longer_but_not_for_ever(tmp_path: Path):
    small, large = tmp_path / "small.csv", tmp_path / "large.csv"
    small.touch()
    with large.open("wb") as file:
        file.truncate(2**30)  # a hole: nothing is written
    assert cpu_seconds(small) == cpu_seconds(tmp_path / "none.csv") == 60
    assert 200 < cpu_seconds(large) < 600
    packed = large.rename(tmp_path / "large.zip")
    assert cpu_seconds(packed) == 540
    assert wall_seconds(packed) < 2 * 600


def test_the_child_limits_itself_even_if_nobody_else_does(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("question,answer\nq,a\n")
    script = (
        "import io, json, resource, sys\n"
        f"sys.stdin = io.StringIO(json.dumps({{'do': 'inspect', 'path': {str(path)!r}}}))\n"
        "from lab.data import child\n"
        "child.main()\n"
        "kinds = resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE\n"
        "print('\\n', json.dumps([resource.getrlimit(kind)[0] for kind in kinds]))\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    _, limits, loaded = done.stdout.strip().split("\n")
    assert json.loads(limits) == [3 * 2**30, 60, 0]
    assert json.loads(loaded) == [], "a reader has no use for these, and they would read files of their own"
