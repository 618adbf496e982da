"""The nested form of SQuAD v1 and v2: articles with paragraphs with questions, one row for each question."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lab.data.files import File
from lab.errors import InputError
from lab.text import N_

COLUMNS = ("title", "context", "id", "question", "answers", "is_impossible")


def unfolded(file: File, rows: Iterator[tuple[int, dict[str, Any]]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows as they are, but an article ("paragraphs") as one row for each of its questions.

    Raises InputError for an article whose paragraphs do not have the form of SQuAD.
    """
    for line, row in rows:
        if not isinstance(row.get("paragraphs"), list):
            yield line, row
            continue
        for paragraph in row["paragraphs"]:
            yield from ((line, question) for question in _questions(file, line, row, paragraph))


def _questions(file: File, line: int, article: dict[str, Any], paragraph: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(paragraph, dict) or not isinstance(paragraph.get("context"), str):
        raise _misshapen(file, line, "paragraph", "context")
    asked = paragraph.get("qas")
    if not isinstance(asked, list):
        raise _misshapen(file, line, "paragraph", "qas")
    shared = {"title": article.get("title"), "context": paragraph["context"]}
    for question in asked:
        if not isinstance(question, dict) or not isinstance(question.get("question"), str):
            raise _misshapen(file, line, "question", "question")
        yield shared | {name: question[name] for name in COLUMNS if name in question}


def _misshapen(file: File, line: int, what: str, name: str) -> InputError:
    return file.refusal(
        N_("In the article that begins on line {line}, a {what} has no {key}."),
        line,
        allowed=N_(
            'Expected: {{"title": ..., "paragraphs": [{{"context": "...", "qas": [{{"question": "...", '
            '"answers": [...]}}]}}]}}'
        ),
        next=N_("Complete it, or leave it out."),
        what=what,
        key=name,
    )
