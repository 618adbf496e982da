"""What the strict readers take, what they refuse, and that every refusal names the line and a way out."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from lab.data import limits
from lab.data.names import display_name
from lab.data.survey import Survey, survey
from lab.errors import InputError

QA = '{"question": "q", "answer": "a"}\n'
HEAD = "question,answer\n"


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rows(path: Path, **said: object) -> tuple[Survey, list[dict[str, object]]]:
    found: list[dict[str, object]] = []
    return survey(path, write=found.append, **said), found  # type: ignore[arg-type]


REFUSED = [
    # name, content, line (None: the whole file), a part of the sentence
    ("empty.csv", "", None, "is empty"),
    ("blank.csv", "   \n\n  \n", None, "has no content"),
    ("header.csv", HEAD, None, "column names but no rows"),
    ("latin1.csv", HEAD.encode() + "q,caf\xe9\n".encode("latin-1"), 2, "byte 0xe9 at position 6"),
    ("long.csv", HEAD + "q,a\nq,a,b\n", 3, "3 cells, but there are 2 columns"),
    ("short.csv", HEAD + "q,a\nq\n", 3, "1 cells, but there are 2 columns"),
    ("after_newline.csv", HEAD + '"two\nlines",a\nq,a,b\n', 4, "3 cells"),
    ("unclosed.csv", HEAD + 'q,a\n"q,a\nq,a\n', 3, "quotation mark that is not closed"),
    ("inside.csv", HEAD + 'q,"a" b\n', 2, "quotation mark"),
    ("nul.csv", HEAD + "q,a\nq,\0\n", 3, "NUL"),
    ("twice.csv", "question,answer,answer\nq,a,b\n", 1, "Two columns are called answer"),
    ("nameless.csv", "question,,answer\nq,x,a\n", 1, "Column 2 has no name"),
    ("wide.csv", ",".join(f"c{i}" for i in range(501)) + "\n", 1, "501 columns"),
    ("cell.csv", HEAD + "q," + "x" * 1_000_001 + "\n", 2, "1,000,000 characters"),
    ("strange.csv", "foo,bar\nq,a\n", None, "do not tell which is the question"),
    ("broken.jsonl", QA + '{"question":\n' + QA, 2, "not JSON"),
    ("torn.jsonl", QA + QA + '{"question": "q", "ans', 3, "not JSON"),
    ("two.jsonl", QA.strip() + QA, 1, "Extra data"),
    ("nan.jsonl", QA + '{"question": "q", "answer": NaN}\n', 2, "holds NaN"),
    ("infinity.jsonl", '{"question": "q", "answer": -Infinity}\n', 1, "holds -Infinity"),
    ("huge.jsonl", '{"question": "q", "answer": 1e400}\n', 1, "holds 1e400"),
    ("digits.jsonl", '{"question": "q", "answer": ' + "9" * 5000 + "}\n", 1, "too many digits"),
    ("keys.jsonl", QA + '{"question": "q", "question": "p"}\n', 2, "the key question stands twice"),
    ("surrogate.jsonl", QA + '{"question": "\\ud800", "answer": "a"}\n', 2, "half of a character"),
    ("escaped_nul.jsonl", '{"question": "\\u0000", "answer": "a"}\n', 1, "NUL"),
    ("deep.jsonl", '{"question": ' + "[" * 65 + "]" * 65 + "}\n", 1, "deeper than 64"),
    ("bomb.jsonl", '{"question": ' + "[" * 100_000 + "]" * 100_000 + "}\n", 1, "deeper than 64"),
    ("value.jsonl", '{"question": "q", "answer": "' + "x" * 1_000_001 + '"}\n', 1, "1,000,000 characters"),
    ("scalar.jsonl", QA + "42\n", 2, "a number where an object is expected"),
    ("list_value.jsonl", QA + '{"question": "q", "answer": ["a"]}\n', 2, "answer holds a list where text"),
    ("latin1.jsonl", QA.encode() + '{"question": "\xe9"}\n'.encode("latin-1"), 2, "byte 0xe9"),
    ("keys.json", '{"question": ["q"], "answer": ["a"]}', None, "no list of objects"),
    ("scalar.json", "42", None, "no list of objects"),
    ("scalars.json", "[\n1]", 2, "a number where an object is expected"),
    ("none.json", "[]", None, "empty list"),
    ("comma.json", f"[{QA},\n]", 3, "not JSON"),
    ("pretty.json", f'[{QA},\n{{"question": "NaN",\n"answer":\nNaN}}]', 5, "holds NaN"),
    ("rest.json", f"[{QA}]\nmore", 3, "Extra data"),
    ("several.json", json.dumps({"a": [{"q": 1}], "b": [{"q": 1}]}), None, "several lists of objects: a, b"),
    ("notes.doc", "text", None, "no format that the lab reads"),
    ("old.csv", gzip.compress(b"question,answer\n"), None, "gzip archive"),
    ("table.csv", b"PAR1....PAR1", None, "Parquet file"),
    ("paper.json", b"%PDF-1.7", None, "PDF document"),
]


@pytest.mark.parametrize(("name", "content", "line", "sentence"), REFUSED, ids=[case[0] for case in REFUSED])
def test_a_file_that_cannot_be_used_is_refused_with_its_line_and_a_way_out(
    tmp_path: Path, name: str, content: str | bytes, line: int | None, sentence: str
):
    with pytest.raises(InputError) as refusal:
        survey(put(tmp_path, name, content))
    assert sentence in refusal.value.message
    assert refusal.value.where == (f"{name}:{line}" if line else name)
    assert refusal.value.next
    assert "{" not in str(refusal.value).replace('{"', ""), "a placeholder was not filled"


def test_archives_are_known_by_their_first_bytes_whatever_they_are_called(tmp_path: Path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../evil.csv", b"0" * 5_000_000)
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        archive.add(put(tmp_path, "inside.csv", HEAD))
    for content, what in ((packed.getvalue(), "zip"), (tar.getvalue(), "tar"), (b"7z\xbc\xaf\x27\x1c", "7z")):
        with pytest.raises(InputError, match=what):
            survey(put(tmp_path, "data.jsonl", content))
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"inside.csv", "data.jsonl"}


def test_what_is_no_file_is_refused_without_being_opened(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.csv")  # opening it would wait for ever
    for name, sentence in (
        ("pipe.csv", "is not a file"),
        (".", "is not a file"),
        ("gone.csv", "No such file"),
    ):
        with pytest.raises(InputError, match=sentence):
            survey(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("question,answer\né,数\n".encode(), "utf-8"),
        (b"\xef\xbb\xbf" + "question,answer\né,数\n".encode(), "utf-8-sig"),
        ("question,answer\né,数\n".encode("utf-16"), "utf-16"),
        ("question,answer\né,数\n".encode("utf-32"), "utf-32"),
    ],
)
def test_unicode_encodings_are_recognised(tmp_path: Path, content: bytes, encoding: str):
    found, written = rows(put(tmp_path, "a.csv", content))
    assert found.text.encoding == encoding
    assert written == [{"question": "é", "answer": "数"}]


def test_an_encoding_that_is_named_is_used_and_an_unknown_one_refused(tmp_path: Path):
    path = put(tmp_path, "a.csv", "question,answer\nd’été,€\n".encode("cp1252"))
    assert rows(path, encoding="cp1252")[1] == [{"question": "d’été", "answer": "€"}]
    with pytest.raises(InputError, match="does not know the encoding rot13"):
        survey(path, encoding="rot13")
    with pytest.raises(InputError, match="Line 2 is not shift_jis text"):
        survey(put(tmp_path, "b.csv", b"question,answer\nq,\xff\n"), encoding="shift_jis")
    with pytest.raises(InputError, match="Line 3 is not utf-16 text"):
        survey(put(tmp_path, "c.csv", "question,answer\nq,a\nq,".encode("utf-16") + b"\x00\xdc\x0a\x00"))


def test_json_in_utf_16_and_with_a_byte_order_mark_is_read(tmp_path: Path):
    for content in (f"[{QA}]".encode("utf-16"), b"\xef\xbb\xbf" + f"[{QA}]".encode()):
        assert rows(put(tmp_path, "a.json", content))[1] == [{"question": "q", "answer": "a"}]


def test_the_text_of_a_cell_is_not_interpreted(tmp_path: Path):
    cells = ["NA", "None", "null", "007", "1e400", "=1+1", " spaced ", "a\nb", 'say "hi"', "\u2028"]
    lines = "".join('q,"' + cell.replace('"', '""') + '"\n' for cell in cells)
    assert [row["answer"] for row in rows(put(tmp_path, "a.csv", HEAD + lines))[1]] == cells


@pytest.mark.parametrize(
    ("name", "content", "delimiter"),
    [
        ("a.csv", "question,answer\na;b,c\n", ","),
        ("a.csv", "question;answer\na,b;c\n", ";"),
        ("a.csv", "question\tanswer\na,b\tc\n", "\t"),
        ("a.csv", "question|answer\na,b|c\n", "|"),
        ("a.tsv", "question\tanswer\na,b,c\td\n", "\t"),
        ("a.csv", 'question,answer\n"a;b;c;d",e\n', ","),
        ("a.csv", "question,answer\r\nold,mac\rnew,dos\r\n", ","),
    ],
)
def test_the_delimiter_is_found(tmp_path: Path, name: str, content: str, delimiter: str):
    found, written = rows(put(tmp_path, name, content))
    assert found.table.delimiter == delimiter
    assert all(row["question"] and row["answer"] for row in written)


def test_quotation_marks_in_a_tsv_file_may_be_plain_text(tmp_path: Path):
    path = put(tmp_path, "a.tsv", 'question\tanswer\n"Hi" he said\tand "left\nq\ta\n')
    found, written = rows(path)
    assert written[0] == {"question": '"Hi" he said', "answer": 'and "left'}
    assert any("Quotation marks are part of the text" in told.template for told in found.table.problems)


def test_a_file_without_column_names_gets_numbered_ones(tmp_path: Path):
    texts = "".join(f"{'good' if i % 2 else 'bad'}\tthis is the review number {i}\n" for i in range(40))
    found = survey(put(tmp_path, "a.tsv", texts))
    assert found.table.columns == ["column_1", "column_2"]
    assert found.rows == 40
    assert found.found is not None and found.found.kind == "classification"
    assert found.found.mapping == {"text": "column_2", "label": "column_1"}


def test_json_is_read_whatever_its_suffix_and_its_list_is_found(tmp_path: Path):
    for name, content in (
        ("list.jsonl", f"[\n{QA},{QA}]"),
        ("lines.json", QA + QA),
        ("inside.json", f'{{"version": "1", "data": [{QA},{QA}], "tags": []}}'),
    ):
        found, written = rows(put(tmp_path, name, content))
        assert written == [{"question": "q", "answer": "a"}] * 2, name
        assert found.table.format == ("jsonl" if name == "lines.json" else "json")


def test_nested_questions_are_unfolded(tmp_path: Path):
    squad = {
        "data": [
            {
                "title": "T",
                "paragraphs": [
                    {
                        "context": "It is here.",
                        "qas": [
                            {
                                "question": "Where?",
                                "id": "1",
                                "answers": [{"text": "here", "answer_start": 6}],
                            },
                            {"question": "Who?", "id": "2", "answers": []},
                        ],
                    }
                ],
            }
        ]
    }
    found = survey(put(tmp_path, "squad.json", json.dumps(squad)))
    assert (found.rows, found.trainable, found.labels) == (2, True, {"answered": 1, "impossible": 1})
    assert found.found is not None and found.found.kind == "extractive-qa"


def test_problems_that_do_not_hinder_are_told_with_their_first_line(tmp_path: Path):
    path = put(tmp_path, "a.csv", HEAD + "q,=cmd|x\nq,\nr,NULL\n\nq,=cmd|x\n")
    told = {problem.template: (problem.line, problem.values.get("count")) for problem in survey(path).table.problems}
    by_words = {
        words: next(v for k, v in told.items() if words in k) for words in ("formula", "nothing", "NULL", "repeat")
    }
    assert by_words == {"formula": (2, 2), "nothing": (3, 1), "NULL": (4, 1), "repeat": (6, 1)}


def test_more_rows_than_the_limit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "ROWS", 3)
    assert survey(put(tmp_path, "a.jsonl", QA * 3)).rows == 3
    with pytest.raises(InputError, match="more than 3 rows"):
        survey(put(tmp_path, "b.jsonl", QA * 4))
    with pytest.raises(InputError, match="more than 3 rows"):
        survey(put(tmp_path, "b.csv", HEAD + "q,a\n" * 4))


def test_a_file_beyond_the_size_limit_is_refused_before_it_is_read(tmp_path: Path):
    path = tmp_path / "a.json"
    with open(path, "wb") as file:
        file.write(b"[")
        file.truncate(limits.JSON_BYTES + 1)  # sparse: it takes no room
    with pytest.raises(InputError, match=r"has 1\.0 GiB") as refusal:
        survey(path)
    assert "JSONL" in refusal.value.next


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd.csv", "passwd.csv"),
        ("C:\\Users\\a\\data.csv", "data.csv"),
        ("a\nb\x1b[31m.csv", "ab[31m.csv"),
        ("\u202egnp.csv", "gnp.csv"),
        ("x" * 4000, "x" * 120),
        ("\0", "data"),
        ("e\u0301te\u0301.csv", "été.csv"),
    ],
)
def test_the_name_of_a_file_is_made_harmless(given: str, shown: str):
    assert display_name(given) == shown


@pytest.mark.parametrize(
    ("name", "content", "line", "column"),
    [
        ("cut.jsonl", '{"question":"a","answer":"b"}\n{"question":"e","answer":\n', 2, 26),
        ("blank.jsonl", '{"question":"a","answer":"b"}\n{"question":"e","answer":   \n', 2, 26),
        ("middle.jsonl", '{"question":"a","answer":"b"}\n{"question":"e" "answer":"b"}\n', 2, 17),
        ("cut.json", '[{"question":"a",\n "answer":\n', 2, 11),
    ],
)
def test_a_fault_in_json_is_found_in_its_line_and_column(
    tmp_path: Path, name: str, content: str, line: int, column: int
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=rf"Line {line} is not JSON: .* \(column {column}\)"):
        survey(tmp_path / name)
