"""Reading what a run said before and after: pairs, rates with intervals, order, export, free questions."""

from lab.review.export import as_csv, as_jsonl, as_markdown
from lab.review.intervals import wilson
from lab.review.ordering import FILTERS, ORDERS, arrange
from lab.review.reading import Answer, Comparison, Pair, Rate, Scores, read_comparison

__all__ = [
    "FILTERS",
    "ORDERS",
    "Answer",
    "Comparison",
    "Pair",
    "Rate",
    "Scores",
    "arrange",
    "as_csv",
    "as_jsonl",
    "as_markdown",
    "read_comparison",
    "wilson",
]
