"""Dropping the rows that teach nothing: without question or answer, or exactly like an earlier one."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from lab.data.rendered import DUPLICATE, EMPTY_ANSWER, EMPTY_LABEL, EMPTY_QUESTION, EMPTY_TEXT

# The part of a row, its group, and the marks of the rows that a preparation adds.
_NO_CONTENT = frozenset(("split", "group", "augmented", "repeated", "replay"))
# What has to be there, and the reason when it is not; `input` and `context` may be empty.
_NEEDED = {
    "instruction": (("instruction", EMPTY_QUESTION), ("output", EMPTY_ANSWER)),
    "question-answer": (("question", EMPTY_QUESTION), ("answer", EMPTY_ANSWER)),
    "prompt-completion": (("prompt", EMPTY_QUESTION), ("completion", EMPTY_ANSWER)),
    "text": (("text", EMPTY_TEXT),),
    "classification": (("text", EMPTY_TEXT), ("label", EMPTY_LABEL)),
    "token-classification": (("tokens", EMPTY_TEXT),),
    "extractive-qa": (("question", EMPTY_QUESTION), ("context", EMPTY_TEXT)),
    "preference": (("prompt", EMPTY_QUESTION), ("chosen", EMPTY_ANSWER), ("rejected", EMPTY_ANSWER)),
    "unpaired": (("prompt", EMPTY_QUESTION), ("completion", EMPTY_ANSWER)),
}


def clean(rows: Iterable[Mapping[str, Any]], kind: str) -> tuple[list[dict[str, Any]], Counter[str]]:
    """The rows that stay, in their order, and how many were dropped for which reason.

    The text of a row is not changed. Of several equal rows the first stays; a row in the train and in the
    validation part counts as equal.
    """
    kept: list[dict[str, Any]] = []
    dropped: Counter[str] = Counter()
    seen: set[Hashable] = set()
    for row in rows:
        reason = missing(row, kind)
        key = content(row)
        if reason is None and key in seen:
            reason = DUPLICATE
        if reason is None:
            seen.add(key)
            kept.append(dict(row))
        else:
            dropped[reason] += 1
    return kept, dropped


def digest(row: Mapping[str, Any]) -> bytes:
    """16 bytes that are equal for rows of equal content; the part that a row belongs to, or how it came, is none."""
    content = {name: value for name, value in row.items() if name not in _NO_CONTENT}
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()[:16]


def content(row: Mapping[str, Any]) -> Hashable:
    """What is equal for rows of equal content, as `digest` is: quicker for rows of texts, and as exact."""
    names = _content_names(tuple(row))
    values = tuple(map(row.__getitem__, names))
    return (names, values) if all(type(value) is str for value in values) else digest(row)


@lru_cache(maxsize=64)
def _content_names(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(name for name in names if name not in _NO_CONTENT))


def missing(row: Mapping[str, Any], kind: str) -> str | None:
    """Why a row of `kind` teaches nothing, or None."""
    if kind == "messages":
        turns = row["messages"]
        if _is_empty([turn for turn in turns if turn["role"] == "user"]):
            return EMPTY_QUESTION
        return None if turns[-1]["content"].strip() or turns[-1].get("tool_calls") else EMPTY_ANSWER
    needed = _NEEDED["unpaired" if kind == "preference" and "completion" in row else kind]
    for name, reason in needed:
        if _is_empty(row.get(name)):
            return reason
    return None


def _is_empty(value: Any) -> bool:
    """No text, no tokens, or no turns; of a conversation, a question without words."""
    if isinstance(value, str):
        return not value or value.isspace()
    if isinstance(value, list):
        asked = [turn for turn in value if isinstance(turn, dict) and turn["role"] == "user"]
        return not value or any(not turn["content"].strip() for turn in asked)
    return not str(value or "").strip()
