"""One row of a person's table as a row in the lab's own form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lab.data.kinds import Found
from lab.data.rendered import NO_ASSISTANT, NOT_MESSAGES, UNKNOWN_ROLE, Unrenderable
from lab.data.strict_json import decode_cell

# ShareGPT and its relatives: who speaks, and whether what they say is learnt (only `assistant` is).
ROLES = {
    **dict.fromkeys(("user", "human", "prompter", "utilisateur"), "user"),
    **dict.fromkeys(("assistant", "gpt", "bot", "model", "chatgpt", "function_call"), "assistant"),
    **dict.fromkeys(("system", "systeme"), "system"),
    **dict.fromkeys(("tool", "function", "observation", "function_response"), "tool"),
}
PARTS = {
    **dict.fromkeys(("train", "training", "entrainement", "entraînement"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "eval", "held_out", "held-out"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}


class WrongValue(Exception):
    """A column holds something that is no text in this row; `what` says what."""

    def __init__(self, column: str, what: str) -> None:
        super().__init__(column)
        self.column, self.what = column, what


def canonical(row: Mapping[str, Any], found: Found) -> dict[str, Any]:
    """The row with one value for each role of its kind: text, or for messages a list of {"role", "content"}.

    A missing text becomes "". With a split column, `split` is train, validation or test, or the unknown word
    itself. Raises WrongValue for a list or an object where text is expected, and Unrenderable for a
    conversation that cannot be learnt from.
    """
    if found.kind == "messages":
        values: dict[str, Any] = {"messages": _messages(row, found.mapping)}
    else:
        values = {role: as_text(row.get(column), column) for role, column in found.mapping.items()}
    if found.split and row.get(found.split) not in (None, ""):
        word = str(row[found.split]).strip()
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


def _messages(row: Mapping[str, Any], mapping: Mapping[str, str]) -> list[dict[str, str]]:
    column = mapping["messages"]
    value = row.get(column)
    if isinstance(value, str):
        value = decode_cell(value)
    if not isinstance(value, list):
        raise Unrenderable(NOT_MESSAGES)
    turns = [_turn(turn) for turn in value]
    system = as_text(row.get(mapping["system"]), mapping["system"]) if "system" in mapping else ""
    if system and not any(turn["role"] == "system" for turn in turns):
        turns.insert(0, {"role": "system", "content": system})
    while turns and turns[-1]["role"] != "assistant":
        turns.pop()  # a question without answer at the end teaches nothing
    if not turns:
        raise Unrenderable(NO_ASSISTANT)
    return turns


def _turn(turn: Any) -> dict[str, str]:
    if not isinstance(turn, dict):
        raise Unrenderable(NOT_MESSAGES)
    role = ROLES.get(str(turn.get("role", turn.get("from", ""))).lower())
    if role is None:
        raise Unrenderable(UNKNOWN_ROLE)
    content = turn.get("content", turn.get("value"))
    if isinstance(content, list):
        content = "".join(_part(part) for part in content)
    if not isinstance(content, str | None):
        raise Unrenderable(NOT_MESSAGES)
    return {"role": role, "content": content or ""}


def _part(part: Any) -> str:
    if isinstance(part, dict) and part.get("type") == "text":
        text = part.get("text", part.get("value"))
        if isinstance(text, str):
            return text
    raise Unrenderable(NOT_MESSAGES)  # an image or a sound
