"""Which of two answers is better (pairs), or whether one answer is good (unpaired, as for KTO)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lab.data.conversations import Turn, trained_turns, turns_of, with_system
from lab.data.rendered import NO_ASSISTANT, NOT_A_PAIR, SAME_ANSWERS, Unrenderable
from lab.data.strict_json import decode_cell

_ASSISTANT = "\n\nAssistant:"  # the form of Anthropic's hh-rlhf: whole dialogues as text
_GOOD = frozenset(("true", "1", "1.0", "good", "yes", "vrai", "oui", "bon"))

Values = Mapping[str, Any]


def pair(values: Values, as_text: Callable[[Any, str], str]) -> dict[str, Any]:
    """{"prompt": text or messages, "chosen", "rejected"} of a row; without a prompt, what both answers begin with.

    `values` maps roles to values. Raises Unrenderable for a row that holds no two different answers.
    """
    chosen, rejected = _answer(values.get("chosen"), as_text), _answer(values.get("rejected"), as_text)
    prompt = _asked(values.get("prompt"), as_text)
    if isinstance(chosen, list) and isinstance(rejected, list):
        told, chosen, rejected = _apart(chosen, rejected)
        prompt = prompt or told
    elif isinstance(chosen, list) or isinstance(rejected, list):
        raise Unrenderable(NOT_A_PAIR)
    elif not prompt:
        prompt, chosen, rejected = _texts_apart(chosen, rejected)
    if chosen == rejected:
        raise Unrenderable(SAME_ANSWERS)
    system = as_text(values.get("system"), "system")
    if system.strip():
        prompt = with_system(prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}], system)
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


def unpaired(values: Values, as_text: Callable[[Any, str], str]) -> dict[str, Any]:
    """{"prompt": text or messages, "completion", "desired"} of a row. Raises Unrenderable."""
    desired = str(values.get("label")).strip().lower() in _GOOD
    if "messages" not in values:
        completion = _answer(values.get("completion"), as_text)
        text = completion[-1]["content"] if isinstance(completion, list) else completion
        return {"prompt": _asked(values.get("prompt"), as_text), "completion": text, "desired": desired}
    turns = trained_turns(values["messages"], as_text(values.get("system"), "system"))
    return {"prompt": turns[:-1], "completion": turns[-1]["content"], "desired": desired}


def _answer(value: Any, as_text: Callable[[Any, str], str]) -> str | list[Turn]:
    """One answer: text, or the messages that end with it."""
    if isinstance(value, str) and value.lstrip().startswith(("[{", "{")):
        value = decode_cell(value) or value
    if not isinstance(value, list | dict):
        return as_text(value, "chosen")
    turns = turns_of(value)
    if not turns or turns[-1]["role"] != "assistant":
        raise Unrenderable(NO_ASSISTANT)
    return turns[0]["content"] if len(turns) == 1 else turns


def _asked(value: Any, as_text: Callable[[Any, str], str]) -> str | list[Turn]:
    if isinstance(value, str) and value.lstrip().startswith("[{"):
        value = decode_cell(value) or value
    return turns_of(value) if isinstance(value, list | dict) else as_text(value, "prompt")


def _apart(chosen: list[Turn], rejected: list[Turn]) -> tuple[list[Turn], str, str]:
    """What two conversations share, and how each ends. They may differ in the last message only."""
    if len(chosen) != len(rejected) or chosen[:-1] != rejected[:-1]:
        raise Unrenderable(NOT_A_PAIR)
    return chosen[:-1], chosen[-1]["content"], rejected[-1]["content"]


def _texts_apart(chosen: str, rejected: str) -> tuple[str, str, str]:
    """The dialogue up to the last "Assistant:" that both texts share; no prompt where they share none."""
    shared = 0
    for one, other in zip(chosen, rejected, strict=False):
        if one != other:
            break
        shared += 1
    at = chosen.rfind(_ASSISTANT, 0, shared)
    if at < 0:
        return "", chosen, rejected
    at += len(_ASSISTANT)
    return chosen[:at].strip(), chosen[at:].strip(), rejected[at:].strip()
