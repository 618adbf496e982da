"""What is told about a prepared data set: its report, and rows as the model sees them, token by token."""

from __future__ import annotations

from typing import Any

from lab.data.build import Built
from lab.data.example import IGNORED, Example
from lab.data.fingerprint import fingerprint
from lab.data.lengths import summary
from lab.data.split import TRAIN, VALIDATION
from lab.data.tokenizer import Tokenizer, frame_of

PREVIEWED = 50


def report(built: Built, dataset: str | None = None, **named: Any) -> dict[str, Any]:
    """The object of `data prepare --json`; token figures are of the examples that are kept. `named` is added.

    `read` + the sum of `added` = `kept` + the sum of `dropped`, and `kept` = `train` + `validation` + `test`.
    """
    options, kind = built.options, built.source.kind
    lengths = built.tokens.lengths().tolist() if built.tokens else built.lengths
    told = {
        "dataset": dataset,
        "fingerprint": fingerprint(options, kind, built.template, built.rows_sum, built.tokenizer_sum),
        "rows": {"read": built.source.read, "kept": sum(built.counts.values())} | built.counts,
        "dropped": dict(built.dropped.most_common()),
        "added": dict(built.added.most_common()),
        "tokens": summary(lengths) | {"mean": sum(lengths) / max(1, len(lengths)), "total": sum(lengths)},
        "cut": built.cut,
        "kind": kind,
        "mapping": built.source.mapping,
        "template": built.template,
        "model": options.model,
    }
    return told | named


def preview(built: Built, tokenizer: Tokenizer) -> list[dict[str, Any]]:
    """The first examples as the model sees them: {"split", "segments": [[text, trained], ...], "text",
    "tokens"}, one segment for each token.

    The segments are read back from the ids and labels of the example, so that they show what is trained, not
    what was meant to be.
    """
    shown = [(part, example) for part in (TRAIN, VALIDATION) for example in built.examples.get(part, [])[:PREVIEWED]]
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
