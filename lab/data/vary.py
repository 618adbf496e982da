"""Small mistakes in a sentence: what people type (characters), and words that change places."""

from __future__ import annotations

import random

from lab.data.steps.language import language_of

_QWERTY = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_AZERTY = ("azertyuiop", "qsdfghjklm", "wxcvbn")
_SHARE = 0.1  # of the words of a text are varied, at least one
_LONG = 4  # letters: shorter words are left alone, for one letter makes them another word


def _neighbours(rows: tuple[str, ...]) -> dict[str, str]:
    """Key -> the keys beside it, in its row and in the next ones."""
    near: dict[str, str] = {}
    for place, row in enumerate(rows):
        for column, key in enumerate(row):
            around = [*row[max(0, column - 1) : column], *row[column + 1 : column + 2]]
            # The upper row is shifted to the left by half a key, the lower one to the right.
            if place > 0:
                around += rows[place - 1][column : column + 2]
            if place + 1 < len(rows):
                around += rows[place + 1][max(0, column - 1) : column + 1]
            near[key] = "".join(around)
    return near


KEYBOARDS = {"en": _neighbours(_QWERTY), "fr": _neighbours(_AZERTY)}


def varied_characters(words: list[str], chance: random.Random) -> list[str]:
    """The words with typing errors in some: a neighbouring key, two letters exchanged, one too many, one too few."""
    keys = KEYBOARDS["fr" if language_of(" ".join(words)) == "fr" else "en"]
    able = [place for place, word in enumerate(words) if len(word) >= _LONG and word.isalpha()]
    new = list(words)
    for place in chance.sample(able, min(len(able), _count(len(words)))):
        new[place] = _mistyped(words[place], keys, chance)
    return new


def _mistyped(word: str, keys: dict[str, str], chance: random.Random) -> str:
    """The word with one mistake behind its first letter; never the word itself."""
    place = chance.randrange(1, len(word))
    near = keys.get(word[place].lower(), "")
    how = chance.choice(("neighbour", "insert", "swap", "delete"))
    if how == "swap" and place + 1 < len(word) and word[place] != word[place + 1]:
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    if how in ("neighbour", "insert") and near:
        return word[:place] + chance.choice(near) + word[place + (how == "neighbour") :]
    return word[:place] + word[place + 1 :]


def varied_words(words: list[str], chance: random.Random, free: list[bool] | None = None) -> list[int]:
    """The places of the words in their new order: some exchanged with the next, dropped, or doubled.

    `free` says which words may be touched; a text of one or two words is only doubled.
    """
    may = free or [True] * len(words)
    order = list(range(len(words)))
    touched: set[int] = set()
    for _ in range(_count(len(words))):
        able = [n for n, place in enumerate(order) if may[place] and words[place].isalpha() and place not in touched]
        if not able:
            break
        at = chance.choice(able)
        touched.add(order[at])
        how = chance.choice(("swap", "drop", "double")) if len(words) > 2 else "double"
        if how == "swap" and at + 1 < len(order) and may[order[at + 1]] and words[order[at]] != words[order[at + 1]]:
            order[at], order[at + 1] = order[at + 1], order[at]
        elif how == "drop" and len(order) > 2:
            del order[at]
        else:
            order.insert(at, order[at])
    return order


def _count(words: int) -> int:
    return max(1, round(words * _SHARE))
