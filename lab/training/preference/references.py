"""What the model before the training thinks of every training pair: asked once, and kept for a resumed run."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset

from lab.json_io import read_json, write_json
from lab.training.interrupts import Interrupted
from lab.training.preference.passes import pair_length
from lab.training.tasks.speed import like_lengths

FILE = "references.json"  # in the run directory
COLUMNS = ("ref_chosen_logps", "ref_rejected_logps")  # as TRL calls them
Array = np.ndarray[Any, Any]


class References:
    """Log-probabilities of chosen and rejected answers, in nats; the pairs are asked in passes of like lengths.

    The values are those of the same passes in every attempt: a resumed run ends with the weights of an undivided one.
    """

    def __init__(self, folder: Path, budget: int, pass_cost: int, stopped: Callable[[], bool]) -> None:
        self.file, self.budget, self.pass_cost, self.stopped = folder / FILE, budget, pass_cost, stopped

    def added_to(self, pairs: Dataset, ask: Callable[[list[dict[str, Any]]], Array]) -> Dataset:
        """The pairs with what the reference says; `ask` answers for some of them, shape (pairs, 2).

        Raises Interrupted.
        """
        key = _digest(pairs)
        found = self._kept(key, len(pairs))
        if found is None:
            found = self._asked(pairs, ask)
            write_json(self.file, {"pairs": key, "sum": _sum(found), "log_probabilities": found.tolist()})
        for name, column in zip(COLUMNS, found.T.tolist(), strict=True):
            pairs = pairs.add_column(name, column)
        return pairs

    def _asked(self, pairs: Dataset, ask: Callable[[list[dict[str, Any]]], Array]) -> Array:
        rows = list(pairs)
        found = np.zeros((len(rows), 2), dtype=np.float32)
        for group in like_lengths([pair_length(row) for row in rows], self.budget, self.pass_cost):
            if self.stopped():
                raise Interrupted
            found[group] = ask([rows[i] for i in group])
        return found

    def _kept(self, key: str, count: int) -> Array | None:
        try:
            kept = read_json(self.file) or {}
        except ValueError:
            return None  # damaged: it is asked again
        found = np.array(kept.get("log_probabilities", []), dtype=np.float32)
        same = kept.get("pairs") == key and found.shape == (count, 2) and kept.get("sum") == _sum(found)
        return found if same else None


def _digest(pairs: Dataset) -> str:
    digest = hashlib.sha256()
    for row in pairs:
        for name in ("prompt_ids", "chosen_ids", "rejected_ids"):
            digest.update(array("q", [len(row[name]), *row[name]]).tobytes())
    return digest.hexdigest()


def _sum(values: Array) -> str:
    return hashlib.sha256(values.tobytes()).hexdigest()
