"""Which pairs the page shows, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lab.errors import InputError
from lab.review.reading import Pair
from lab.text import N_

ORDERS = {
    "asked": N_("As asked"),
    "most-improved": N_("Most improved first"),
    "least-improved": N_("Least improved first"),
    "best": N_("Best answers first"),
    "worst": N_("Worst answers first"),
    "sure-mistakes": N_("Surest mistakes first"),
}
ORDERS_OF_ANSWERS = ("asked", "most-improved", "least-improved", "best", "worst")
ORDERS_OF_LABELS = ("asked", "sure-mistakes")

FILTERS = {
    "all": N_("All"),
    "right": N_("Right now"),
    "wrong": N_("Still wrong"),
    "gained": N_("Right only after"),
    "lost": N_("Right only before"),
    "unstopped": N_("Does not end"),
}
FILTERS_OF_LABELS = ("all", "right", "wrong", "gained", "lost")  # a label always ends

# A pair without a figure goes last in every order.
_KEYS: dict[str, Callable[[Pair], float]] = {
    "asked": lambda pair: pair.index,
    "most-improved": lambda pair: -pair.gain if pair.gain is not None else float("inf"),
    "least-improved": lambda pair: pair.gain if pair.gain is not None else float("inf"),
    "best": lambda pair: -score if (score := _rouge(pair)) is not None else float("inf"),
    "worst": lambda pair: score if (score := _rouge(pair)) is not None else float("inf"),
    "sure-mistakes": lambda pair: -sure if (sure := _sure_mistake(pair)) is not None else float("inf"),
}

_TESTS: dict[str, Callable[[Pair], bool]] = {
    "all": lambda pair: True,
    "right": lambda pair: pair.tuned is not None and pair.tuned.right is True,
    "wrong": lambda pair: pair.tuned is not None and pair.tuned.right is False,
    "gained": lambda pair: _rights(pair) == (False, True),
    "lost": lambda pair: _rights(pair) == (True, False),
    "unstopped": lambda pair: pair.tuned is not None and not pair.tuned.stopped,
}


def arrange(
    pairs: Iterable[Pair], *, order: str = "asked", show: str = "all", search: str = "", task: str = ""
) -> list[Pair]:
    """The pairs that pass filter `show` and contain the words of `search`, in `order`; ties stay as asked.

    With `task`, only the rows of that task of a run with several.

    Raises InputError for an order or a filter that does not exist.
    """
    for name, choices in ((order, ORDERS), (show, FILTERS)):
        if name not in choices:
            raise InputError(
                N_("{name} is not one of {choices}."), where="review", name=name, choices=", ".join(choices)
            )
    chosen = [pair for pair in pairs if _TESTS[show](pair) and _contains(pair, search) and task in ("", pair.task)]
    return sorted(chosen, key=lambda pair: (_KEYS[order](pair), pair.index))


def _contains(pair: Pair, search: str) -> bool:
    """Whether every word is somewhere in the pair; plain text, never a pattern."""
    answers = [answer.text for answer in (pair.base, pair.tuned) if answer is not None]
    text = "\n".join([pair.prompt, pair.reference, *answers]).casefold()
    return all(word in text for word in search.casefold().split())


def _rouge(pair: Pair) -> float | None:
    return pair.tuned.rouge_l if pair.tuned is not None else None


def _sure_mistake(pair: Pair) -> float | None:
    """How sure the tuned model was of a wrong label; None for a right one."""
    return pair.tuned.confidence if pair.tuned is not None and pair.tuned.right is False else None


def _rights(pair: Pair) -> tuple[bool | None, bool | None]:
    base, tuned = pair.base, pair.tuned
    return (base.right if base is not None else None, tuned.right if tuned is not None else None)
