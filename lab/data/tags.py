"""Tags of words (O, B-PER, I-PER, ...) in one scheme, IOB2, whatever scheme they came in.

IOB1 begins an entity with B- only behind another one of the same type; IOB2 always does; BIOES (also written BILOU
or BMEWO) marks the last word and single words too; IO has no prefixes at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

OUTSIDE = "O"
_TAG = re.compile(r"([BIESLUMWS])-(.+)", re.DOTALL)
_BEGINS = frozenset("BSUW")
_PREFIXES = {"single": frozenset("ESLUMW")}


def is_tag(word: str) -> bool:
    """Whether a word is a tag with a prefix, or O."""
    return word == OUTSIDE or bool(_TAG.fullmatch(word))


def to_iob2(tags: Sequence[str], scheme: str = "") -> list[str]:
    """The tags of one sentence in IOB2: O, B-X, I-X.

    With the scheme IO a tag without prefix is the type of an entity; otherwise such a tag (a part of speech) stays.
    """
    found: list[str] = []
    open_type = ""  # of the entity that the word before belongs to
    for tag in tags:
        match = _TAG.fullmatch(tag)
        if tag == OUTSIDE or (match is None and scheme != "IO"):
            open_type = ""
            found.append(tag)
            continue
        prefix, kind = match.groups() if match else ("I", tag)
        begins = prefix in _BEGINS or kind != open_type
        found.append(f"{'B' if begins else 'I'}-{kind}")
        open_type = "" if prefix in "ELSUW" else kind
    return found


def scheme_of(sentences: Iterable[Sequence[str]]) -> str:
    """The scheme of many sentences: IOB1, IOB2, mixed (of these two), BIOES, IO; empty for tags of no entities."""
    prefixes: set[str] = set()
    plain, outside, bare_begin, marked_begin = False, False, False, False
    for tags in sentences:
        before = ""
        for tag in tags:
            match = _TAG.fullmatch(tag)
            if match is None:
                plain, outside, before = plain or tag != OUTSIDE, outside or tag == OUTSIDE, ""
                continue
            prefix, kind = match.groups()
            prefixes.add(prefix)
            bare_begin = bare_begin or (prefix == "I" and before != kind)
            marked_begin = marked_begin or (prefix == "B" and before != kind)
            before = kind
    if prefixes & _PREFIXES["single"]:
        return "BIOES"
    if prefixes:
        return ("mixed" if marked_begin else "IOB1") if bare_begin else "IOB2"
    return "IO" if plain and outside else ""
