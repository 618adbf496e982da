"""Canonical rows on their way from the process that reads a file: large files have hundreds of megabytes of them.

Batch after batch: a line of JSON, {"bytes", "names", "sizes"}, and so many bytes of UTF-8. Rows of text under the same
`names` lie there without anything between them, each text as long as its size (characters) says; other rows, with no
names, as JSON lines. Taking a batch apart costs a tenth of parsing JSON, and no more trust than JSON asks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, BinaryIO

_BATCH = 512  # rows
Row = dict[str, Any]


class RowsOut:
    """Takes rows one by one and writes them in batches; `close` writes the last one."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._rows: list[Row] = []

    def add(self, row: Row) -> None:
        """Write a row, now or soon."""
        self._rows.append(row)
        if len(self._rows) == _BATCH:
            self.close()

    def close(self) -> None:
        """Write what is left."""
        rows, self._rows = self._rows, []
        if not rows:
            return
        names, texts = list(rows[0]), [value for row in rows for value in row.values()]
        if all(type(text) is str for text in texts) and all(list(row) == names for row in rows):
            data, head = "".join(texts).encode(), {"names": names, "sizes": list(map(len, texts))}
        else:
            data, head = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode(), {}
        self._file.write(json.dumps(head | {"bytes": len(data)}).encode() + b"\n" + data)


def rows_in(path: Path) -> Iterator[Row]:
    """The rows of a file that `RowsOut` has written."""
    with open(path, "rb") as file:
        while line := file.readline():
            head = json.loads(line)
            data = file.read(head["bytes"]).decode()
            if "names" not in head:
                yield from map(json.loads, data.removesuffix("\n").split("\n"))
                continue
            names = head["names"]
            texts = [data[low:high] for low, high in pairwise(accumulate(head["sizes"], initial=0))]
            for values in zip(*[iter(texts)] * len(names), strict=True):
                yield dict(zip(names, values, strict=True))
