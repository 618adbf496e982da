"""Scores of extracted answers, as the official scripts of SQuAD v1.1 and v2.0 compute them.

Source: Rajpurkar et al., SQuAD, arXiv:1606.05250 and arXiv:1806.03822; evaluate-v1.1.py, evaluate-v2.0.py.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normal(text: str) -> str:
    """A text in small letters without punctuation, English articles and surplus blanks."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact(said: str, answer: str) -> float:
    """1 when both are the same after `normal`, else 0."""
    return float(normal(said) == normal(answer))


def f1(said: str, answer: str) -> float:
    """F1 of the words that both share; where one of them is empty, 1 when both are."""
    words, right = normal(said).split(), normal(answer).split()
    if not words or not right:
        return float(words == right)
    same = sum((Counter(words) & Counter(right)).values())
    return 2 * same / (len(words) + len(right)) if same else 0.0


def best(said: str, answers: Sequence[str]) -> tuple[float, float]:
    """Exact match and F1 with the answer that fits best; without any answer, "" is right (v2.0)."""
    known = [answer for answer in answers if normal(answer)] or [""]
    return max(exact(said, answer) for answer in known), max(f1(said, answer) for answer in known)
