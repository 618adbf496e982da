"""Formats besides CSV and JSON: what a row is in them, and the form in which it is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from broken_files import parquet, zipped

from lab.data.survey import Survey, survey
from lab.data.tags import scheme_of, to_iob2
from lab.errors import InputError


def rows(folder: Path, name: str, content: str | bytes, **said: Any) -> tuple[Survey, list[dict[str, Any]]]:
    path, written = folder / name, list[dict[str, Any]]()
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return survey(path, write=written.append, **said), written


@pytest.mark.parametrize(
    ("tags", "scheme", "expected"),
    [
        ("I-P I-P O I-P B-P", "IOB1", "B-P I-P O B-P B-P"),
        ("B-P I-P O B-L B-L", "IOB2", "B-P I-P O B-L B-L"),
        ("B-P E-P S-L O S-P", "BIOES", "B-P I-P B-L O B-P"),
        ("P P O L", "IO", "B-P I-P O B-L"),
        ("NOUN VERB NOUN", "", "NOUN VERB NOUN"),
    ],
)
def test_tags_of_every_scheme_become_iob2(tags: str, scheme: str, expected: str):
    assert scheme_of([tags.split()]) == scheme
    assert to_iob2(tags.split(), scheme) == expected.split()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("two.conll", "Ada\tI-P\nruns\tO\n\nOslo\tI-L\n"),
        ("three.conllu", "# text = x\n0\tAda\tI-P\n1\truns\tO\n\n0\tOslo\tI-L\n"),
        ("four.txt", "-DOCSTART- -X- O O\n\nAda NNP - I-P\nruns VB - O\n\nOslo NNP - I-L\n"),
    ],
)
def test_conll_of_two_three_and_four_columns_is_read(tmp_path: Path, name: str, content: str):
    found, written = rows(tmp_path, name, content)
    assert written == [{"tokens": ["Ada", "runs"], "tags": ["B-P", "O"]}, {"tokens": ["Oslo"], "tags": ["B-L"]}]
    assert found.labels == {"B-P": 1, "O": 1, "B-L": 1}


def test_folders_of_a_zip_are_labels_and_parts(tmp_path: Path):
    members = {f"set/{part}/{label}/1.txt": f"{part} {label}" for part in ("train", "test") for label in ("a", "b")}
    found, written = rows(tmp_path, "a.zip", zipped(members))
    assert written[0] == {"text": "train a", "label": "a", "split": "train"}
    assert (found.labels, found.has_split) == ({"a": 2, "b": 2}, True)
    mixed = zipped({"a/1.txt": "é".encode(), "b/1.txt": "é".encode("cp1252")})
    assert [row["text"] for row in rows(tmp_path, "b.zip", mixed, encoding="cp1252")[1]] == ["é", "é"]


@pytest.mark.parametrize(
    ("said", "unit", "texts"),
    [
        ({}, "paragraph", ["a\nb", "c"]),
        ({"text_unit": "line"}, "line", ["a", "b", "c"]),
        ({"text_unit": "file"}, "file", ["a\nb\n\nc"]),
    ],
)
def test_a_row_of_a_plain_text_is_found_and_changeable(tmp_path: Path, said: Any, unit: str, texts: list[str]):
    found, written = rows(tmp_path, "a.md", "a\r\nb\r\n\r\nc\r\n", **said)
    assert (found.table.text_unit, [row["text"] for row in written]) == (unit, texts)


def test_parquet_gives_nested_messages_and_leaves_out_what_is_no_text(tmp_path: Path):
    turns = [{"role": "utilisateur", "content": "q"}, {"role": "assistant", "content": "a"}]
    found, written = rows(tmp_path, "a.parquet", parquet(pa.table({"messages": [turns], "raw": [b"x"]})))
    assert written == [{"messages": [{"role": "user", "content": "q"}, turns[1]]}]
    assert found.table.columns == ["messages"]


def test_squad_answers_are_checked_against_the_context(tmp_path: Path):
    asked = [
        {"id": "1", "question": "q", "answers": [{"text": "ici", "answer_start": 6}], "is_impossible": False},
        {"id": "2", "question": "r", "answers": [{"text": "ici", "answer_start": 5}], "is_impossible": False},
        {"id": "3", "question": "s", "answers": [], "is_impossible": True},
        {"id": "4", "question": "t", "answers": [], "is_impossible": False},
    ]
    article = {"title": "T", "paragraphs": [{"context": "C'est ici.", "qas": asked}]}
    found, written = rows(tmp_path, "a.json", json.dumps({"data": [article]}))
    assert [(row["id"], row["answers"]) for row in written] == [("1", [{"text": "ici", "start": 6}]), ("3", [])]
    assert sum(found.dropped.values()) == 2


def test_preferences_become_pairs_or_single_judgements(tmp_path: Path):
    asked = [{"from": "human", "value": "q"}]
    pair = {"conversations": asked, "chosen": {"from": "gpt", "value": "a"}, "rejected": {"from": "gpt", "value": "b"}}
    prompt = [{"role": "user", "content": "q"}]
    assert rows(tmp_path, "a.json", json.dumps([pair]))[1] == [{"prompt": prompt, "chosen": "a", "rejected": "b"}]
    single = {"messages": [*prompt, {"role": "assistant", "content": "a"}], "label": False}
    assert rows(tmp_path, "b.json", json.dumps([single]))[1] == [
        {"prompt": prompt, "completion": "a", "desired": False}
    ]


def test_delimiter_quote_and_encoding_can_be_said(tmp_path: Path):
    said = {"delimiter": "^", "quote": "'", "encoding": "cp1252"}
    found, written = rows(tmp_path, "a.csv", "question^answer\n'a^b'^é\n".encode("cp1252"), **said)
    assert written == [{"question": "a^b", "answer": "é"}]
    assert (found.table.delimiter, found.table.quote) == ("^", "'")
    with pytest.raises(InputError, match="not UTF-8"):
        survey(tmp_path / "a.csv")
    with pytest.raises(InputError, match="cannot be the delimiter"):
        survey(tmp_path / "a.csv", delimiter="ab")
