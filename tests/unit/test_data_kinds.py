"""Which kind of data a table holds and which column plays which role: by whole names, and changeable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab.data.canonical import canonical
from lab.data.kinds import find
from lab.data.rendered import Unrenderable
from lab.data.survey import survey
from lab.errors import InputError

TURNS = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
SHAREGPT = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]


def guess(row: dict[str, Any], **said: Any) -> tuple[str, dict[str, str]] | None:
    found = find(list(row), [row], said.pop("mapping", {}), **said)
    return None if found is None else (found.kind, found.mapping)


def same(*roles: str) -> dict[str, str]:
    return {role: role for role in roles}


@pytest.mark.parametrize(
    ("row", "kind", "mapping"),
    [
        (same("instruction", "input", "output"), "instruction", same("instruction", "input", "output")),
        (same("output", "instruction"), "instruction", same("instruction", "output")),
        (
            same("instruction", "context", "response", "category"),
            "instruction",
            {"instruction": "instruction", "input": "context", "output": "response"},
        ),
        (
            same("Consigne", "Entrée", "Sortie"),
            "instruction",
            {"instruction": "Consigne", "input": "Entrée", "output": "Sortie"},
        ),
        (same("instruction", "response", "output"), "instruction", same("instruction", "output")),
        (same("question", "answer", "id"), "question-answer", same("question", "answer")),
        (same("QUESTION", "Réponse"), "question-answer", {"question": "QUESTION", "answer": "Réponse"}),
        (same("question", "context", "answer"), "question-answer", same("question", "context", "answer")),
        (
            same("QuestionId", "QuestionTitle", "QuestionBody", "AnswerBody"),
            "question-answer",
            {"question": "QuestionBody", "answer": "AnswerBody"},
        ),
        (same("prompt", "completion"), "prompt-completion", same("prompt", "completion")),
        (
            same("intent", "rewritten_intent", "snippet"),
            "prompt-completion",
            {"prompt": "intent", "completion": "snippet"},
        ),
        (same("input", "output"), "prompt-completion", {"prompt": "input", "completion": "output"}),
        ({"id": 1, "messages": TURNS}, "messages", {"messages": "messages"}),
        ({"conversations": SHAREGPT, "tools": "[]"}, "messages", {"messages": "conversations", "tools": "tools"}),
        ({"messages": TURNS, "system": "s"}, "messages", {"messages": "messages", "system": "system"}),
        ({"text": "t"}, "text", {"text": "text"}),
        ({"texte": "t", "url": "u"}, "text", {"text": "texte"}),
        ({"text": "t", "label": 1}, "classification", same("text", "label")),
        (
            same("text", "airline_sentiment", "name"),
            "classification",
            {"text": "text", "label": "airline_sentiment"},
        ),
        (
            {"tokens": ["a"], "ner_tags": [0]},
            "token-classification",
            {"tokens": "tokens", "tags": "ner_tags"},
        ),
        (
            {"context": "c", "question": "q", "answers": {"text": ["c"], "answer_start": [0]}},
            "extractive-qa",
            same("context", "question", "answers"),
        ),
        ({"prompt": "p", "chosen": "c", "rejected": "r"}, "preference", same("chosen", "rejected", "prompt")),
        ({"messages": TURNS, "label": True}, "preference", same("messages", "label")),
    ],
)
def test_kind_and_columns_are_guessed(row: dict[str, Any], kind: str, mapping: dict[str, str]):
    assert guess(row) == (kind, mapping)


@pytest.mark.parametrize("columns", [("context", "label"), ("contextual", "prompted"), ("texture",), ("unanswered",)])
def test_a_name_within_another_name_is_no_match(columns: tuple[str, ...]):
    assert guess(same(*columns)) is None


@pytest.mark.parametrize("kind", ["", "classification"])
def test_labels_without_a_heading_are_found_also_when_the_task_is_known(kind: str):
    rows = [{"column_1": f"text {i}", "column_2": str(i % 2)} for i in range(30)]
    found = find(("column_1", "column_2"), rows, {}, kind)
    assert found is not None and found.mapping == {"text": "column_1", "label": "column_2"}


def test_a_mapping_that_is_said_is_kept_and_completed():
    row = same("question", "answer", "title")
    assert guess(row, mapping={"question": "title"}) == (
        "question-answer",
        {"question": "title", "answer": "answer"},
    )
    assert guess(row, mapping={"prompt": "question", "completion": "answer"}) == (
        "prompt-completion",
        {"prompt": "question", "completion": "answer"},
    )
    assert guess(row, mapping={"text": "answer"}) == ("text", {"text": "answer"})
    assert guess(same("a", "b"), mapping={"instruction": "a", "output": "b"}) == (
        "instruction",
        {"instruction": "a", "output": "b"},
    )
    assert guess(row, kind="text", mapping={"text": "title"}) == ("text", {"text": "title"})


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"mapping": {"question": "titel"}}, "no column called titel.*title"),
        ({"mapping": {"question": "title", "chosen": "answer"}}, "roles question, chosen together"),
        ({"kind": "poems"}, "no kind of data called poems.*instruction"),
    ],
)
def test_a_mapping_that_cannot_be_is_refused_with_what_can(said: dict[str, Any], sentence: str):
    with pytest.raises(InputError) as refusal:
        guess(same("question", "answer", "title"), **said)
    import re

    assert re.search(sentence, str(refusal.value))


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (SHAREGPT, TURNS),
        (
            [{"from": "system", "value": "s"}, *SHAREGPT, {"from": "human", "value": "unanswered"}],
            [{"role": "system", "content": "s"}, *TURNS],
        ),
        ([{"role": "user", "content": [{"type": "text", "text": "q"}]}, TURNS[1]], TURNS),
        (json.dumps(TURNS), TURNS),
        (
            [
                SHAREGPT[0],
                {"from": "function_call", "value": "f"},
                {"from": "observation", "value": "o"},
                SHAREGPT[1],
            ],
            [TURNS[0], {"role": "assistant", "content": "f"}, {"role": "tool", "content": "o"}, TURNS[1]],
        ),
    ],
)
def test_conversations_get_one_form(messages: Any, expected: list[dict[str, str]]):
    row = {"messages": messages}
    found = find(["messages"], [row], {})
    assert found is not None
    assert canonical(row, found) == {"messages": expected}


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([TURNS[0]], "no assistant turn"),
        ([{"role": "narrator", "content": "x"}, *TURNS], "unknown role"),
        ([{"role": "user", "content": [{"type": "image", "url": "x"}]}, TURNS[1]], "not a list of messages"),
        ("hello", "not a list of messages"),
    ],
)
def test_a_conversation_that_cannot_be_learnt_from_is_left_out_with_its_reason(messages: Any, reason: str):
    found = find(["messages"], [{"messages": TURNS}], {})
    assert found is not None
    with pytest.raises(Unrenderable, match=reason):
        canonical({"messages": messages}, found)


def test_numbers_become_text_as_json_writes_them_and_null_becomes_nothing(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"question": 1, "answer": 2.50}\n{"question": "b", "answer": null}\n')
    written: list[dict[str, Any]] = []
    found = survey(path, write=written.append)
    assert written == [{"question": "1", "answer": "2.5"}, {"question": "b", "answer": ""}]
    assert found.empty == {"answer": 1}


def test_a_split_column_counts_only_if_every_word_names_a_part(tmp_path: Path):
    for words, counts in (
        (("train", "held_out"), True),
        (("train", "Validation"), True),
        (("left", "train"), False),
    ):
        lines = [json.dumps({"question": f"{i}", "answer": "a", "split": words[i % 2]}) for i in range(4)]
        (tmp_path / "a.jsonl").write_text("\n".join(lines))
        assert survey(tmp_path / "a.jsonl").has_split is counts
