"""One row of a person's table as a row in the lab's own form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from lab.data import preferences
from lab.data.conversations import tools_text, trained_turns
from lab.data.kinds import Found
from lab.data.nested import pick
from lab.data.rendered import NO_ANSWER, NOT_IN_CONTEXT, NOT_WORDS, TAGS_DIFFER, Unrenderable
from lab.data.strict_json import decode_cell
from lab.data.tags import to_iob2

PARTS = {
    **dict.fromkeys(("train", "training", "entrainement", "entraînement", "apprentissage"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "eval", "held_out", "held-out"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}


class WrongValue(Exception):
    """A column holds something that is no text in this row; `what` says what."""

    def __init__(self, column: str, what: str) -> None:
        super().__init__(column)
        self.column, self.what = column, what


def canonical(row: Mapping[str, Any], found: Found) -> dict[str, Any]:
    """The row in the form of its kind:

    instruction {"instruction", "input", "output"}; question-answer {"question", "context", "answer"};
    prompt-completion {"prompt", "completion"}; text {"text"}; classification {"text", "text_pair", "label"};
    messages {"messages": [{"role", "content"}], "tools": text}; token-classification {"tokens", "tags"} (IOB2);
    extractive-qa {"id", "context", "question", "answers": [{"text", "start"}]} (none: impossible);
    preference {"prompt", "chosen", "rejected"} or {"prompt", "completion", "desired"}.

    What is optional and has no column is left out; a missing text is "". With a split column, `split` is train,
    validation or test, or the unknown word itself. Raises WrongValue for a list or an object where text is
    expected, and Unrenderable for a row that cannot be learnt from.
    """
    form = _FORMS.get(found.kind)
    if form:
        values = form(row, found)
    else:
        values = {}
        for role, column in found.mapping.items():
            value = row.get(column)
            values[role] = value if type(value) is str else as_text(pick(row, column), column)
    if found.split and (part := pick(row, found.split)) not in (None, ""):
        word = str(part).strip()
        values["split"] = PARTS.get(word.lower(), word)
    return values


def as_text(value: Any, column: str) -> str:
    """A value as text: numbers as JSON writes them, null as nothing. Raises WrongValue."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, list | dict):
        raise WrongValue(column, "a list" if isinstance(value, list) else "an object")
    return json.dumps(value)


def _messages(row: Mapping[str, Any], found: Found) -> dict[str, Any]:
    mapping = found.mapping
    system = as_text(pick(row, mapping["system"]), mapping["system"]) if "system" in mapping else ""
    values: dict[str, Any] = {"messages": trained_turns(pick(row, mapping["messages"]), system)}
    if "tools" in mapping and (tools := tools_text(pick(row, mapping["tools"]))):
        values["tools"] = tools
    return values


def _classification(row: Mapping[str, Any], found: Found) -> dict[str, Any]:
    values = {role: as_text(pick(row, column), column) for role, column in found.mapping.items()}
    return values | {"label": values["label"].strip()}


def _words(row: Mapping[str, Any], found: Found) -> dict[str, Any]:
    tokens, tags = (_list(pick(row, found.mapping[role])) for role in ("tokens", "tags"))
    if len(tokens) != len(tags):
        raise Unrenderable(TAGS_DIFFER)
    return {"tokens": tokens, "tags": to_iob2(tags, found.scheme)}


def _list(value: Any) -> list[str]:
    if isinstance(value, str):
        value = decode_cell(value)
    if not isinstance(value, list) or not value or any(isinstance(item, list | dict | None) for item in value):
        raise Unrenderable(NOT_WORDS)
    return [item if isinstance(item, str) else json.dumps(item) for item in value]


def _extractive(row: Mapping[str, Any], found: Found) -> dict[str, Any]:
    mapping = found.mapping
    texts = {
        role: as_text(pick(row, mapping[role]), mapping[role]) if role in mapping else ""
        for role in ("id", "context", "question")
    }
    if not texts["id"]:
        key = f"{texts['context']}\0{texts['question']}"
        texts["id"] = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()[:16]
    impossible = pick(row, mapping["impossible"]) if "impossible" in mapping else None
    if str(impossible).lower() in ("true", "1"):
        return texts | {"answers": []}
    given = _answers(pick(row, mapping["answers"]))
    if not given and impossible is not None:
        raise Unrenderable(NO_ANSWER)
    answers = [answer for answer in given if _is_there(texts["context"], answer)]
    if given and not answers:
        raise Unrenderable(NOT_IN_CONTEXT)
    return texts | {"answers": answers}


def _answers(value: Any) -> list[dict[str, Any]]:
    """Answers as SQuAD has them (a list of objects) or as Parquet does (one object of lists)."""
    if isinstance(value, str):
        value = decode_cell(value)
    if isinstance(value, dict):
        texts, starts = value.get("text"), value.get("answer_start", value.get("start"))
        texts, starts = (given if isinstance(given, list) else [given] for given in (texts, starts))
        pairs = list(zip(texts, starts, strict=False))
    elif isinstance(value, list):
        objects = [answer for answer in value if isinstance(answer, dict)]
        pairs = [(answer.get("text"), answer.get("answer_start", answer.get("start"))) for answer in objects]
    else:
        pairs = []
    return [{"text": text, "start": start} for text, start in pairs if text is not None]


def _is_there(context: str, answer: Mapping[str, Any]) -> bool:
    text, start = answer["text"], answer["start"]
    whole = isinstance(text, str) and text != "" and isinstance(start, int) and not isinstance(start, bool)
    return whole and start >= 0 and context.startswith(text, start)


def _preference(row: Mapping[str, Any], found: Found) -> dict[str, Any]:
    values = {role: pick(row, column) for role, column in found.mapping.items()}

    def text(value: Any, role: str) -> str:
        return as_text(value, found.mapping.get(role, role))

    return preferences.pair(values, text) if "chosen" in found.mapping else preferences.unpaired(values, text)


_FORMS = {
    "messages": _messages,
    "classification": _classification,
    "token-classification": _words,
    "extractive-qa": _extractive,
    "preference": _preference,
}
