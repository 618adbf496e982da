"""Tagged words as items: the first token of each word carries its tag, the others are not trained.

The words are joined by blanks and tokenised as one text, so that the model sees what it will be given later; a
token belongs to the word that its characters lie in.
"""

from __future__ import annotations

from collections.abc import Sequence

from lab.data.example import IGNORED
from lab.data.features.item import Encoded, Item, Row
from lab.data.rendered import TOO_LONG
from lab.data.tokenizer import Tokenizer


def encode(
    rows: Sequence[Row], labels: Sequence[str], tokenizer: Tokenizer, *, max_length: int, too_long: str = "drop"
) -> Encoded:
    """One item for each row; `places[w]` is the index of the token that stands for word `w`, None without one.

    A word has none when it was cut off, when the tokenizer drops its characters, or when its first token is
    already another word's.
    """
    number = {label: index for index, label in enumerate(labels)}
    found = Encoded()
    for index, row in enumerate(rows):
        text, spans = joined(row["tokens"])
        coded = tokenizer(text, return_offsets_mapping=True, split_special_tokens=True, verbose=False)
        if len(coded["input_ids"]) > max_length:
            if too_long == "drop":
                found.drop(TOO_LONG)
                continue
            found.cut += 1
            coded = tokenizer(
                text,
                truncation=True,
                max_length=max_length,
                return_offsets_mapping=True,
                split_special_tokens=True,
                verbose=False,
            )
        ids, offsets = coded["input_ids"], coded["offset_mapping"]
        places = first_tokens(spans, offsets)
        targets = [IGNORED] * len(ids)
        for place, tag in zip(places, row["tags"], strict=True):
            if place is not None:
                targets[place] = number[tag]
        found.items.append(Item(ids, targets, index, coded.get("token_type_ids") or [], tuple(places)))
    return found


def joined(words: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """The words as a text, and from which to which character each of them reaches."""
    spans, at = [], 0
    for word in words:
        spans.append((at, at + len(word)))
        at += len(word) + 1
    return " ".join(words), spans


def first_tokens(spans: Sequence[tuple[int, int]], offsets: Sequence[tuple[int, int]]) -> list[int | None]:
    """For each word the first token that shares a character with it and stands for no earlier word."""
    places: list[int | None] = []
    token = 0
    for start, end in spans:
        while token < len(offsets) and offsets[token][1] <= start:  # special tokens are empty: (0, 0)
            token += 1
        if token < len(offsets) and offsets[token][0] < end and offsets[token][1] > offsets[token][0]:
            places.append(token)
            token += 1
        else:
            places.append(None)
    return places
