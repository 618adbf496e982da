"""What the data page does without drawing: rows as the editor left them, versions in words, values of a row."""

import json

import pytest

from lab.data.encodings import ENCODINGS
from lab.data.said import TEXT_FORMATS, UNITS, Said
from lab.errors import InputErrors
from lab.spec import setting_at
from lab.ui import data_edit, data_example, data_file, data_mapping, data_rows, data_steps, data_versions

ROWS = [
    {"question": "What is red?", "answer": "A colour.", "split": "train"},
    {"question": "What is blue?", "answer": "A colour.", "split": "validation"},
    {"question": "What is a cat?", "answer": "An animal.", "split": "train"},
]
TAGGED = [{"tokens": ["Ann", "sings"], "tags": ["B-PER", "O"], "split": "train"}]


def test_edits_additions_and_deletions_are_applied_and_the_parts_stay():
    changed = {
        "edited_rows": {0: {"answer": "A warm colour."}},
        "added_rows": [{"question": "What is a dog?", "answer": "An animal, too."}],
        "deleted_rows": [2],
    }
    rows = data_edit.applied(ROWS, changed, "question-answer")
    assert rows == [
        {"question": "What is red?", "answer": "A warm colour.", "split": "train"},
        ROWS[1],
        {"question": "What is a dog?", "answer": "An animal, too.", "split": "train"},
    ]
    assert ROWS[0]["answer"] == "A colour."


def test_a_list_in_a_cell_becomes_a_list_again():
    changed = {"edited_rows": {"0": {"tags": '["B-ORG", "O"]'}}}
    assert data_edit.applied(TAGGED, changed, "token-classification")[0]["tags"] == ["B-ORG", "O"]


@pytest.mark.parametrize("text", ["B-ORG, O", '{"a": 1}', "", '["B-ORG"'])
def test_a_cell_that_is_no_list_is_refused_with_its_row_and_column(text):
    with pytest.raises(InputErrors) as caught:
        data_edit.applied(TAGGED, {"edited_rows": {0: {"tags": text}}}, "token-classification", first=20)
    assert caught.value.problems[0].values == {"row": 21, "column": "tags"}


def test_an_emptied_answer_is_refused_and_all_problems_come_at_once():
    changed = {"edited_rows": {0: {"answer": " "}}, "added_rows": [{"question": "Only a question?"}]}
    with pytest.raises(InputErrors) as caught:
        data_edit.applied(ROWS, changed, "question-answer")
    assert [problem.message for problem in caught.value.problems] == [
        "Row 1: answer is empty.",
        "Row 4: answer is empty.",
    ]


def test_only_the_shown_rows_of_a_file_are_replaced(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"question": str(at), "answer": "a"}) + "\n" for at in range(50)))
    shown = data_rows.read(path, 20, 20)
    assert [row["question"] for row in shown] == [str(at) for at in range(20, 40)]
    new = [shown[0] | {"answer": "b"}]
    lines = b"".join(data_edit._parts(path, 20, len(shown), new)).decode().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["question"] for row in rows] == [*map(str, range(21)), *map(str, range(40, 50))]
    assert rows[20]["answer"] == "b"


def test_what_is_in_the_rows_already_is_not_done_again():
    preparation = {"steps": ["missing"], "augment": "words", "replay_source": "x", "balance": "oversample"}
    record = {"kind": "text", "template": "plain", "options": {"preparation": preparation, "max_length": 64}}
    kept = data_edit._settings(record)
    assert kept["preparation"]["steps"] == ["missing"]
    assert (kept["preparation"]["augment"], kept["preparation"]["replay_source"]) == ("none", "")
    assert kept["preparation"]["balance"] == "none"
    assert kept["max_length"] == 64


def version(**changed):
    options = {"max_length": 512, "seed": 42, "preparation": {"steps": ["missing"], "max_characters": None}}
    return {"fingerprint": "a", "options": options, "rows": {"kept": 100}} | changed


def test_what_changed_between_two_versions_is_said_in_words():
    options = {"max_length": 256, "seed": 42, "preparation": {"steps": ["missing", "language"], "max_characters": 1024}}
    told = data_versions.changes(version(fingerprint="b", options=options, rows={"kept": 90}), version())
    assert "Maximum length: 512 → 256" in told
    assert "Cleaning steps: Missing values → Missing values, Language" in told
    assert "Longest text: none → 1024" in told
    assert "Rows: 100 → 90" in told


def test_versions_that_do_not_differ_are_said_so():
    assert "the fingerprint is the same" in data_versions.changes(version(), version())[0]
    assert data_versions.changes(version(fingerprint="b"), version()) == ["the same settings, other rows"]


def test_the_page_offers_what_the_reader_takes():
    assert data_file.ENCODINGS == ENCODINGS
    assert data_file.FORMATS == TEXT_FORMATS
    assert data_file.UNITS == UNITS
    for delimiter in data_file.DELIMITERS:
        assert Said.of({"delimiter": delimiter}).delimiter == delimiter
    for quote in data_file.QUOTES:
        assert Said.of({"quote": quote}).quote == quote


def test_every_step_of_the_spec_has_a_sentence_and_its_settings_exist():
    assert set(data_steps.STEPS) == set(setting_at(data_steps.PATH).choices)
    for _title, sentence, paths in data_steps.STEPS.values():
        assert sentence.endswith(".")
        for path in paths:
            setting_at(path)


def test_every_kind_that_the_reader_knows_has_its_roles_on_the_page():
    from lab.data.roles import KINDS

    assert {kind.name for kind in KINDS} <= set(data_mapping.ROLES)
    assert {role for kind in KINDS for role in kind.role_names} <= set(data_mapping.ROLE_WORDS)


def test_turns_are_found_whatever_their_keys_are_called():
    turns = [{"from": "human", "value": "Hi"}, {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]}]
    assert data_example.turns_of(turns) == [("human", "Hi"), ("assistant", "Hello")]
    assert data_example.turns_of(json.dumps(turns)) == [("human", "Hi"), ("assistant", "Hello")]
    assert data_example.turns_of("no turns") == []


def test_answers_are_found_in_all_their_shapes():
    assert data_example.answers_of([{"text": "red", "start": 3}]) == [("red", 3)]
    assert data_example.answers_of({"text": ["red"], "answer_start": [3]}) == [("red", 3)]
    assert data_example.answers_of({"text": [], "answer_start": []}) == []
    assert data_example.answers_of(None) == []


def test_a_nested_column_is_followed():
    row = {"data": {"question": "Why?"}, "a.b": "plain", "text": '{"c": 1}'}
    assert data_example.value_of(row, "data.question") == "Why?"
    assert data_example.value_of(row, "a.b") == "plain"
    assert data_example.value_of(row, "text.c") == 1
    assert data_example.value_of(row, "data.nothing") is None


CANONICAL = {
    "instruction": {"instruction": "Say red", "input": "", "output": "red"},
    "question-answer": {"question": "Why?", "context": "", "answer": "So."},
    "prompt-completion": {"prompt": "One, two", "completion": ", three"},
    "messages": {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]},
    "text": {"text": "A sentence."},
    "classification": {"text": "Fine", "label": "good"},
    "token-classification": {"tokens": ["Ann", "sings"], "tags": ["B-PER", "O"]},
    "extractive-qa": {
        "id": "1",
        "context": "The Nile is in Africa.",
        "question": "Where?",
        "answers": [{"text": "Africa", "start": 15}],
    },
    "preference": {"prompt": "Say hello", "chosen": "Hello!", "rejected": "No."},
}


@pytest.mark.parametrize("kind", CANONICAL)
def test_the_rows_that_the_editor_writes_are_read_as_the_same_rows(kind, tmp_path):
    from lab.data.survey import survey

    rows = [CANONICAL[kind] | {"split": part} for part in ("train", "train", "validation")]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    read = []
    found = survey(path, kind=kind, write=read.append)
    assert found.found is not None and found.found.kind == kind
    assert found.has_split
    assert [{name: value for name, value in row.items() if value != ""} for row in read] == [
        {name: value for name, value in row.items() if value != ""} for row in rows
    ]


def test_what_one_version_was_told_and_the_other_found_is_no_change():
    found = {"kind": "question-answer", "mapping": {"question": "Q", "answer": "A"}, "encoding": "cp1252"}
    options = version()["options"] | {"kind": "question-answer", "columns": {"question": "Q", "answer": "A"}}
    told = data_versions.changes(version(fingerprint="b", **found), version(options=options, **found))
    assert told == ["the same settings, other rows"]
