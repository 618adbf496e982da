"""The figures about a prepared data set: report, fingerprint, histogram of lengths, preview."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from lab.data.build import Built
from lab.data.example import IGNORED, Example
from lab.data.split import TEST, TRAIN, VALIDATION
from lab.data.tokenizer import Tokenizer, frame_of

PREVIEWED = 50
BARS = 30


def report(built: Built, dataset: str | None = None) -> dict[str, Any]:
    """The object of `data prepare --json`; token figures are of the examples that are kept.

    `read` = `kept` + the sum of `dropped`, and `kept` = `train` + `validation` + `test`.
    """
    lengths = [len(example.input_ids) for part in built.examples.values() for example in part]
    counts = {part: len(built.examples[part]) for part in (TRAIN, VALIDATION, TEST)}
    return {
        "dataset": dataset,
        "fingerprint": fingerprint(built),
        "rows": {"read": built.source.read, "kept": len(lengths)} | counts,
        "dropped": dict(built.dropped.most_common()),
        "tokens": summary(lengths) | {"mean": sum(lengths) / max(1, len(lengths)), "total": sum(lengths)},
        "cut": built.cut,
        "kind": built.source.kind,
        "mapping": built.source.mapping,
        "template": built.template,
        "model": built.options.model,
    }


def fingerprint(built: Built) -> str:
    """sha256 of the clean rows with their parts, and of the options that shape examples.

    The same file and options give the same fingerprint on every machine: no path and no time goes into it.
    """
    outside = ("model", "revision", "columns", "encoding", "kind")  # their effect is in the rows
    options = {name: value for name, value in built.options.as_dict().items() if name not in outside}
    digest = hashlib.sha256(_canonical(options | {"template": built.template, "kind": built.source.kind}))
    for row in built.rows:
        digest.update(b"\n" + _canonical(row))
    return digest.hexdigest()


def summary(lengths: Sequence[int]) -> dict[str, int]:
    """Median, 95th percentile (nearest rank) and maximum; zeros for no lengths."""
    ordered = sorted(lengths)
    return {"median": _rank(ordered, 0.5), "p95": _rank(ordered, 0.95), "max": ordered[-1] if ordered else 0}


def lengths(built: Built) -> dict[str, Any]:
    """The histogram of all measured rows, in tokens: `counts[i]` rows from `edges[i]` up to below `edges[i +
    1]`.
    """
    measured = built.lengths
    width = max(1, -(-(max(measured, default=0) + 1) // BARS))
    bars = max(measured, default=0) // width + 1
    counts = [0] * bars
    for length in measured:
        counts[length // width] += 1
    long = sum(length > built.options.max_length for length in measured)
    return {
        "model": built.options.model,
        "edges": [bar * width for bar in range(bars + 1)],
        "counts": counts,
        **summary(measured),
        "max_length": built.options.max_length,
        "cut": built.cut,
        "dropped": long - built.cut,
    }


def preview(built: Built, tokenizer: Tokenizer) -> list[dict[str, Any]]:
    """The first examples as the model sees them: {"split", "segments": [[text, trained], ...], "text",
    "tokens"}, one segment for each token.

    The segments are read back from the ids and labels of the example, so that they show what is trained, not
    what was meant to be.
    """
    shown = []
    for part in (TRAIN, VALIDATION):
        shown += [(part, example) for example in built.examples[part]]
    return [
        {
            "split": part,
            "segments": segments(example, tokenizer),
            "text": example.prompt + example.completion,
            "tokens": len(example.input_ids),
        }
        for part, example in shown[:PREVIEWED]
    ]


def segments(example: Example, tokenizer: Tokenizer) -> list[list[Any]]:
    """The tokens of an example as [text, trained], in their order; their texts joined are the whole text.

    A token that holds only a part of a character has an empty text, and the token that completes the
    character has all of it.
    """
    frame = frame_of(tokenizer)
    ids, trained = example.input_ids, [label != IGNORED for label in example.labels]
    start = len(frame.before) if tuple(ids[: len(frame.before)]) == frame.before else 0
    end = len(ids) - (ids[-1] == frame.end)
    # BOS and EOS on their own: next to them some tokenizers decode the first blank of the text differently.
    texts = [str(tokenizer.decode([token])) for token in ids[:start]]
    texts += _texts(ids[start:end], tokenizer)
    texts += [str(tokenizer.decode([token])) for token in ids[end:]]
    return [[text, flag] for text, flag in zip(texts, trained, strict=True)]


def _texts(ids: list[int], tokenizer: Tokenizer) -> list[str]:
    """The text that each token adds, found by decoding a window of the tokens before it and with it."""
    texts: list[str] = []
    window, read = 0, 0  # tokens [window:read] are decoded already; they give the next ones their blanks
    for upto in range(1, len(ids) + 1):
        before = str(tokenizer.decode(ids[window:read], clean_up_tokenization_spaces=False))
        now = str(tokenizer.decode(ids[window:upto], clean_up_tokenization_spaces=False))
        unfinished = now.endswith("\ufffd") and upto < len(ids)
        if unfinished or len(now) < len(before):
            texts.append("")
            continue
        texts.append(now[len(before) :])
        window, read = read, upto
    return texts


def _rank(ordered: Sequence[int], share: float) -> int:
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))] if ordered else 0


def _canonical(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
