"""Varied copies of training rows, so that a model minds small mistakes less; offline, by seed.

What is asked or classified is varied; answers, labels, code and numbers never are. There are no synonyms: they
need a dictionary, and they can turn a label round.
"""

from __future__ import annotations

import hashlib
import random
import re
from dataclasses import dataclass, field
from typing import Any

from lab.data.clean import digest
from lab.data.steps.base import Row
from lab.data.vary import varied_characters, varied_words
from lab.text import N_

LEFT_ALONE = N_("Rows of the kind {kind} are not varied: a change would move the answer, or would itself be learnt.")
_VARIED = {
    "instruction": ("instruction",),
    "question-answer": ("question",),
    "prompt-completion": ("prompt",),
    "classification": ("text", "text_pair"),
    "preference": ("prompt",),
}
# Code between backticks is one piece, and stays; so do the spaces and line ends between words.
_PIECES = re.compile(r"(```.*?(?:```|\Z)|`[^`\n]+`|\s+)", re.DOTALL)


@dataclass
class Augmented:
    """The varied copies, each marked with `augmented`, and what a person should know."""

    rows: list[Row] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)


def augment(rows: list[Row], kind: str, how: str, share: float, seed: int) -> Augmented:
    """Up to `share` x rows varied copies of training rows; `how` is none, characters or words.

    Which rows, and how, depends on the seed and on their text only. Rows in which nothing can be varied give none.
    """
    result = Augmented()
    if how == "none" or not rows or share <= 0:
        return result
    if kind not in (*_VARIED, "messages", "token-classification"):
        result.notes.append({"template": LEFT_ALONE, "values": {"kind": kind}})
        return result
    wanted = round(len(rows) * share)
    keys = [hashlib.sha256(str(seed).encode() + digest(row)).hexdigest() for row in rows]
    order = sorted(range(len(rows)), key=lambda index: (keys[index], index))
    for number in range(2 * len(rows) + wanted):  # rows in which nothing varies are passed over
        turn, place = divmod(number, len(rows))
        if len(result.rows) == wanted:
            break
        row = rows[order[place]]
        copy = _varied(row, kind, how, random.Random(f"{keys[order[place]]} {turn}"))
        if digest(copy) != digest(row):
            result.rows.append(copy | {"augmented": True})
    return result


def _varied(row: Row, kind: str, how: str, chance: random.Random) -> Row:
    if kind == "token-classification":
        return row | _varied_tokens(row, how, chance)
    if kind == "messages":
        return row | {"messages": _varied_turns(row["messages"], how, chance)}
    new: Row = {}
    for name in _VARIED[kind]:
        value = row.get(name)
        if isinstance(value, list):
            new[name] = _varied_turns(value, how, chance)
        elif isinstance(value, str):
            new[name] = _varied_text(value, how, chance)
    return row | new


def _varied_turns(turns: list[dict[str, Any]], how: str, chance: random.Random) -> list[dict[str, Any]]:
    return [
        turn | {"content": _varied_text(turn["content"], how, chance)} if turn["role"] == "user" else turn
        for turn in turns
    ]


def _varied_text(text: str, how: str, chance: random.Random) -> str:
    pieces = _PIECES.split(text)
    words = pieces[::2]  # between them the spaces and the code
    if how == "characters":
        pieces[::2] = varied_characters(words, chance)
        return "".join(pieces)
    spaces = [*pieces[1::2], ""]
    order = varied_words(words, chance)
    return "".join(
        words[place] + (spaces[place] or " " if at + 1 < len(order) else "") for at, place in enumerate(order)
    )


def _varied_tokens(row: Row, how: str, chance: random.Random) -> Row:
    """Tokens with their tags; words that name something keep their places."""
    tokens, tags = row["tokens"], row["tags"]
    if how == "characters":
        return {"tokens": varied_characters(tokens, chance)}
    order = varied_words(tokens, chance, [tag == "O" for tag in tags])
    return {"tokens": [tokens[place] for place in order], "tags": [tags[place] for place in order]}
