"""What result.json and the page tell about preferences."""

from __future__ import annotations

from typing import Any

from lab.data.features.preference import PreferenceEncoder, Preferences
from lab.data.features.rows import TaskRows


def report(rows: TaskRows, train: Preferences, held_out: Preferences, encoder: PreferenceEncoder) -> dict[str, Any]:
    """Rows, what was left out and why, and lengths in tokens of prompt and answer."""
    lengths = sorted(len(item.input_ids) for item in (*train.items, *held_out.items))
    dropped = rows.dropped + train.dropped + held_out.dropped
    counts = {"train": len(rows.train), "validation": len(rows.validation), "test": len(rows.test)}
    first = next(iter((*rows.train, *rows.validation)), None)
    return {
        "kind": rows.kind,
        "template": encoder.template(first) if first else "",
        **rows.named,
        "fingerprint": rows.fingerprint,
        "rows": {"read": rows.read, "kept": sum(counts.values())} | counts,
        "dropped": dict(dropped),
        "tokens": {
            "median": lengths[len(lengths) // 2] if lengths else 0,
            "p95": lengths[int(0.95 * (len(lengths) - 1))] if lengths else 0,
            "max": lengths[-1] if lengths else 0,
            "mean": sum(lengths) / max(1, len(lengths)),
            "total": sum(lengths),
        },
        "mapping": rows.mapping,
    }
