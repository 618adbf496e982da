"""The text of a row: what steps compare and lengths count, for every kind of data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lab.data.rendered import Unrenderable
from lab.data.templates import whole_text
from lab.data.tokenizer import Tokenizer

Row = Mapping[str, Any]

# Kinds that become ids and labels here; rows of the other kinds stay canonical, and only their length is measured.
GENERATION = ("instruction", "question-answer", "prompt-completion", "messages", "text")


def text_of(kind: str, template: str, tokenizer: Tokenizer) -> Callable[[Row], str]:
    """The function that gives the whole text of a row, its template included."""
    if kind not in GENERATION:
        return lambda row: plain_text(row, kind)

    def rendered(row: Row) -> str:
        try:
            return whole_text(row, kind, template, tokenizer)
        except Unrenderable:  # it is counted where it is rendered to be trained on
            return plain_text(row, kind)

    return rendered


def plain_text(row: Row, kind: str) -> str:
    """The text of a row as a model for its task reads it, without template: the longer answer of a pair."""
    if kind == "token-classification":
        return " ".join(row["tokens"])
    if kind == "extractive-qa":
        return f"{row['question']}\n{row['context']}"
    if kind == "preference":
        answers = [str(row.get(name) or "") for name in ("chosen", "rejected", "completion")]
        return _spoken(row.get("prompt", "")) + max(answers, key=len)
    if kind == "messages":
        return _spoken(row["messages"])
    return "\n".join(value for name, value in row.items() if name not in _NO_TEXT and isinstance(value, str) and value)


_NO_TEXT = ("split", "label", "id", "group")


def _spoken(value: Any) -> str:
    return value if isinstance(value, str) else "\n".join(str(turn.get("content", "")) for turn in value)
