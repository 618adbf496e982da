"""How an answer is judged: does it end, has it the taught form, and is it close to the reference."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

SHORTEST, LONGEST = 8, 200  # characters of an answer in the taught form
RIGHT = 0.5  # an answer is right from this ROUGE-L F1 on

# A sentence ends where a capital follows; "e.g. The", "vs. Ada", "J. Smith" and "..." do not end one.
_NEXT_SENTENCE = re.compile(r"(?<!\be\.g)(?<!\bi\.e)(?<!\bvs)(?<!\betc)(?<!\b[A-Z])(?<!\.)[.!?]\s+[A-Z]")


def rouge_l(reference: str, text: str) -> float | None:
    """ROUGE-L F1 between two texts with Porter stemming, 0 to 1; None without a reference (Lin, 2004)."""
    if not reference.strip():
        return None
    return round(_scorer().score(reference, text)["rougeL"].fmeasure, 4)


def in_taught_form(text: str, stopped: bool) -> bool:
    """Whether an answer is one sentence of 8 to 200 characters on one line and then ends by itself."""
    text = text.strip()
    if not stopped or not SHORTEST <= len(text) <= LONGEST or "\n" in text or not text[0].isalnum():
        return False
    return _NEXT_SENTENCE.search(text) is None


@cache
def _scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer  # a third of a second that a resumed run need not pay

    return RougeScorer(["rougeL"], use_stemmer=True)
