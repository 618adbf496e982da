"""Metrics as TensorBoard files beside the events, without the slow import of torch's writer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter


class Board:
    """Writes scalars into one file of a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._writer = EventFileWriter(str(folder))

    def scalars(self, step: int, values: Mapping[str, float | None]) -> None:
        """Write the values that there are at an optimizer step."""
        found = [Summary.Value(tag=name, simple_value=value) for name, value in values.items() if value is not None]
        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=found)))

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()
