"""Windows: a passage that is longer than the maximum is read in parts that overlap, each an example of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lab.planning.registry import formula

MARKS = 3  # tokens that an encoder puts around question and passage


@formula(
    "1 + ceil((tokens - maximum length) / (maximum length - question - overlap)), at least 1",
    unit="windows",
    source="google-research/bert, run_squad.py: doc_stride; the overlap is what two windows share",
)
def windows_of_row(tokens: float, question: float, max_length: int, overlap: int) -> int:
    """Windows of a row of so many tokens, of which the question with its marks has `question` in every window.

    A row of 1,000 tokens with a question of 12, in 384 with an overlap of 128: 1 + ceil(616 / 244) = 4.
    """
    step = max(1.0, max_length - question - overlap)  # a question without room is left out by the run
    return 1 + math.ceil(max(0.0, tokens - max_length) / step)


def windows_of_lengths(measured: Mapping[str, Any], max_length: int, overlap: int) -> int:
    """About how many windows rows are read in, each taken as long as the middle of its bar of the histogram.

    `measured` is lengths.json of a prepared data set with `share`, the part of its rows that are trained on.
    """
    total, edges = 0, measured["edges"]
    for low, high, count in zip(edges, edges[1:], measured["counts"], strict=False):
        tokens = min((low + high - 1) / 2, measured["max"]) + MARKS
        total += count * windows_of_row(tokens, measured["question"] + MARKS, max_length, overlap)
    return round(total * measured["share"])
