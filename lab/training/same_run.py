"""What must be the same for a checkpoint to go on to the same end: the data, the steps, the libraries."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Sequence
from typing import Any

from lab.data.examples import Examples
from lab.errors import InputError
from lab.runs.events import EventWriter
from lab.text import N_
from lab.training import libraries


def context_of(examples: Sequence[Any], packs: Sequence[Sequence[int]] | None, steps: int) -> dict[str, Any]:
    """What a sealed checkpoint keeps: the sum of the examples as they are trained, the steps and the versions."""
    digest = hashlib.sha256()
    for piece in pieces(examples):
        digest.update(piece)
    for members in packs or ():
        digest.update(array("q", [len(members), *members]).tobytes())
    return {"data": digest.hexdigest(), "steps": steps, "versions": libraries.versions()}


def check_same(sealed: dict[str, Any], now: dict[str, Any], events: EventWriter) -> None:
    """Raises InputError where the data are others; other libraries are a note of the run."""
    if (sealed.get("data"), sealed.get("steps")) != (now["data"], now["steps"]):
        raise InputError(
            N_("The data set is not the one that this run began with."),
            where="data.source",
            next=N_("Start a new run, or put the data set back as it was."),
        )
    if sealed.get("versions") != now["versions"]:
        template = N_("Libraries have changed since the checkpoint: the run may end with slightly other weights.")
        events.note(template, level="warning")


def pieces(examples: Sequence[Any]) -> Iterator[bytes]:
    """Of each example its length, ids and labels as 64-bit integers."""
    if isinstance(examples, Examples):
        yield from examples.tokens.pieces(examples.numbers)
        return
    for example in examples:
        yield array("q", [len(example.input_ids), *example.input_ids, *example.labels]).tobytes()
