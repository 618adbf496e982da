"""Labelled texts and pairs of texts as items."""

from __future__ import annotations

from collections.abc import Sequence

from lab.data.features.item import Encoded, Item, Row
from lab.data.rendered import TOO_LONG
from lab.data.tokenizer import Tokenizer

BATCH = 512


def encode(
    rows: Sequence[Row], labels: Sequence[str], tokenizer: Tokenizer, *, max_length: int, too_long: str = "drop"
) -> Encoded:
    """One item for each row, with what the tokenizer puts around a text, or around and between two.

    A row longer than `max_length` tokens is dropped, or with `too_long` "cut" loses the end of its longer text.
    """
    number = {label: index for index, label in enumerate(labels)}
    found = Encoded()
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        whole = _ids(part, tokenizer)
        long = [i for i, ids in enumerate(whole["input_ids"]) if len(ids) > max_length]
        short = _ids([part[i] for i in long], tokenizer, max_length) if long and too_long == "cut" else None
        for i, row in enumerate(part):
            source, at = whole, i
            if i in long:
                if short is None:
                    found.drop(TOO_LONG)
                    continue
                source, at = short, long.index(i)
                found.cut += 1
            kinds = source.get("token_type_ids")
            label = [number[str(row["label"])]]
            found.items.append(Item(source["input_ids"][at], label, start + i, kinds[at] if kinds else []))
    return found


def _ids(rows: Sequence[Row], tokenizer: Tokenizer, max_length: int | None = None) -> dict[str, list[list[int]]]:
    pairs = any(row.get("text_pair") for row in rows)
    return dict(
        tokenizer(
            [row["text"] for row in rows],
            [row.get("text_pair") or "" for row in rows] if pairs else None,
            truncation=max_length is not None,
            max_length=max_length,
            split_special_tokens=True,  # "[SEP]" in somebody's text is five characters
            return_attention_mask=False,
            verbose=False,
        )
    )
