"""Conversations of any make as messages of one form: {"role": system|user|assistant|tool, "content": text}."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lab.data.rendered import NO_ASSISTANT, NOT_MESSAGES, UNKNOWN_ROLE, Unrenderable
from lab.data.roles import folded
from lab.data.strict_json import decode_cell

Turn = dict[str, str]

# OpenAI's, ShareGPT's and other names of who speaks, English and French, without case and accents.
ROLES = {
    **dict.fromkeys(("user", "human", "prompter", "utilisateur", "utilisatrice", "humain", "client"), "user"),
    **dict.fromkeys(
        ("assistant", "assistante", "gpt", "bot", "model", "modele", "chatgpt", "agent", "functioncall", "toolcall"),
        "assistant",
    ),
    **dict.fromkeys(("system", "systeme", "developer"), "system"),
    **dict.fromkeys(
        ("tool", "outil", "function", "fonction", "observation", "functionresponse", "toolresponse"), "tool"
    ),
}


def turns_of(value: Any) -> list[Turn]:
    """The messages in a value: a list of turns, JSON text of one, or a single turn. Raises Unrenderable."""
    if isinstance(value, str):
        value = decode_cell(value)
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise Unrenderable(NOT_MESSAGES)
    return [_turn(turn) for turn in value]


def trained_turns(value: Any, system: str = "") -> list[Turn]:
    """The messages up to the last answer; what is asked behind it teaches nothing. Raises Unrenderable."""
    turns = with_system(turns_of(value), system)
    while turns and turns[-1]["role"] != "assistant":
        turns.pop()
    if not turns:
        raise Unrenderable(NO_ASSISTANT)
    return turns


def with_system(turns: list[Turn], system: str) -> list[Turn]:
    """The messages, begun by what a column of its own says to the model, unless they say it themselves."""
    if system.strip() and not any(turn["role"] == "system" for turn in turns):
        return [{"role": "system", "content": system}, *turns]
    return turns


def tools_text(value: Any) -> str:
    """The tools that a conversation may call, as JSON text; empty for none."""
    if isinstance(value, str):
        return "" if value.strip() in ("", "[]", "{}", "null") else value
    return json.dumps(value, ensure_ascii=False) if value else ""


def _turn(turn: Any) -> Turn:
    if not isinstance(turn, Mapping):
        raise Unrenderable(NOT_MESSAGES)
    said = str(turn.get("role", turn.get("from", "")))
    role = ROLES.get(said) or ROLES.get(folded(said))
    if role is None:
        raise Unrenderable(UNKNOWN_ROLE)
    content = turn.get("content", turn.get("value"))
    if isinstance(content, list):
        content = "".join(_part(part) for part in content)
    if not isinstance(content, str | None):
        raise Unrenderable(NOT_MESSAGES)
    calls = turn.get("tool_calls") or turn.get("function_call")
    if calls:
        content = "\n".join(filter(None, (content, json.dumps(calls, ensure_ascii=False))))
    return {"role": role, "content": content or ""}


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and part.get("type") == "text":
        text = part.get("text", part.get("value"))
        if isinstance(text, str):
            return text
    raise Unrenderable(NOT_MESSAGES)  # an image or a sound
