"""What result.json and the page tell about the data of a task with labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lab.data.features.item import Encoded
from lab.data.features.rows import TaskRows


def report(rows: TaskRows, train: Encoded, held_out: Encoded, labels: Sequence[str]) -> dict[str, Any]:
    """Rows, what was left out and why, labels, and lengths in tokens of the items."""
    lengths = sorted(len(item.input_ids) for item in (*train.items, *held_out.items))
    middle = lengths[len(lengths) // 2] if lengths else 0
    dropped = dict(rows.dropped)
    for reason, count in (*train.dropped.items(), *held_out.dropped.items()):
        dropped[reason] = dropped.get(reason, 0) + count
    counts = {"train": len(rows.train), "validation": len(rows.validation), "test": len(rows.test)}
    return {
        "kind": rows.kind,
        **rows.named,
        "fingerprint": rows.fingerprint,
        "rows": {"read": rows.read, "kept": sum(counts.values())} | counts,
        "dropped": dropped,
        "tokens": {
            "median": middle,
            "p95": lengths[int(0.95 * (len(lengths) - 1))] if lengths else 0,
            "max": lengths[-1] if lengths else 0,
            "mean": sum(lengths) / max(1, len(lengths)),
            "total": sum(lengths),
        },
        "labels": list(labels),
        "mapping": rows.mapping,
    }
