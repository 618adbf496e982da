"""The texts in a row of any kind, to be read or to be replaced one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lab.data.steps.base import Row

Replace = Callable[[str], str]
_TEXTS = {
    "instruction": ("instruction", "input", "output"),
    "question-answer": ("question", "context", "answer"),
    "prompt-completion": ("prompt", "completion"),
    "text": ("text",),
    "classification": ("text", "text_pair"),
    "preference": ("prompt", "chosen", "rejected", "completion"),
}


def texts(row: Row, kind: str) -> Iterator[str]:
    """What people wrote in a row, without template, labels and roles; the tokens of a sentence as one text."""
    if kind == "token-classification":
        yield " ".join(row["tokens"])
    elif kind == "extractive-qa":
        yield from (row["question"], row["context"])
    elif kind == "messages":
        yield from _spoken(row["messages"])
    else:
        for name in _TEXTS[kind]:
            value = row.get(name)
            yield from _spoken(value) if isinstance(value, list) else [value] if isinstance(value, str) else []


def whole(row: Row, kind: str) -> str:
    """The texts of a row, one below the other."""
    return "\n".join(text for text in texts(row, kind) if text)


_PASSAGES = {"instruction": "input", "question-answer": "context", "extractive-qa": "context"}


def without_passage(row: Row, kind: str) -> str:
    """The texts of a row without the passage that it is about."""
    passage = _PASSAGES.get(kind)
    return whole(row | {passage: ""} if passage else row, kind)


def replaced(row: Row, kind: str, replace: Replace, *, labels: bool = False) -> Row:
    """A copy of the row in which `replace` was applied to every text, and with `labels` to class names too.

    The tokens of a sentence keep their number: one that would vanish or break in two stays as it is. An answer
    keeps its place in its context; if it cannot, the whole row stays as it is. Returns the row itself when
    nothing changes.
    """
    if kind == "token-classification":
        new: dict[str, Any] = {"tokens": [_token(token, replace) for token in row["tokens"]]}
    elif kind == "extractive-qa":
        new = _passage(row, replace)
    elif kind == "messages":
        new = {"messages": _turns(row["messages"], replace)}
    else:
        names = (*_TEXTS[kind], "label") if labels and kind == "classification" else _TEXTS[kind]
        new = {}
        for name in names:
            value = row.get(name)
            if isinstance(value, list):
                new[name] = _turns(value, replace)
            elif isinstance(value, str):
                new[name] = replace(value)
    return row | new if any(row[name] != value for name, value in new.items()) else row


def _spoken(turns: list[dict[str, Any]]) -> Iterator[str]:
    return (turn["content"] for turn in turns if turn.get("content"))


def _turns(turns: list[dict[str, Any]], replace: Replace) -> list[dict[str, Any]]:
    return [turn | {"content": replace(turn["content"])} if turn.get("content") else turn for turn in turns]


def _token(token: str, replace: Replace) -> str:
    new = replace(token).strip()
    return token if not new or any(character.isspace() for character in new) else new


def _passage(row: Row, replace: Replace) -> dict[str, Any]:
    context = replace(row["context"])
    answers = []
    for answer in row["answers"]:
        text, start = replace(answer["text"]), len(replace(row["context"][: answer["start"]]))
        if context[start : start + len(text)] != text:
            start = _nearest(context, text, start)
        if start < 0 or not text:
            return {}
        answers.append(answer | {"text": text, "start": start})
    return {"question": replace(row["question"]), "context": context, "answers": answers}


def _nearest(context: str, text: str, start: int) -> int:
    """Where `text` stands nearest to `start`; -1 if nowhere."""
    before, after = context.rfind(text, 0, start + len(text)), context.find(text, start)
    found = [place for place in (before, after) if place >= 0]
    return min(found, key=lambda place: abs(place - start)) if found else -1
