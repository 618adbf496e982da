"""Reading a person's file in a throw-away process, with how far it is; what was read once is not read again."""

from __future__ import annotations

import copy
import json
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import streamlit as st

from lab.runs.child import ask
from lab.runs.patience import cpu_seconds, wall_seconds
from lab.ui import data_upload, uploads
from lab.ui.format import duration, gib, share
from lab.ui.language import _

PATIENCE_S = 0.4  # a file that is read sooner needs no bar
REPORTS = 16  # that are kept, of all visitors


class _Reports:
    """The reports of the files that were read last, by path, time, size and what was said of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def find(self, key: str) -> dict[str, Any] | None:
        with self._lock:
            report = self._known.get(key)
            if report is not None:
                self._known.move_to_end(key)
            return copy.deepcopy(report)

    def keep(self, key: str, report: dict[str, Any]) -> None:
        with self._lock:
            self._known[key] = copy.deepcopy(report)
            while len(self._known) > REPORTS:
                self._known.popitem(last=False)


_reports = _Reports()


def inspect(path: Path, *, upload: str = "", **said: Any) -> dict[str, Any]:
    """What a throw-away process found in the file: format, kind, columns, mapping, problems, first rows.

    `said` may name kind, mapping, and what `data_file.reading_of` names. While it lasts, the page says how far it is;
    with `upload` there is a button that stops it and forgets the file. Raises InputError when the file cannot be used.
    """
    stat = path.stat()
    said = {name: value for name, value in said.items() if value}
    key = json.dumps([str(path), stat.st_mtime_ns, stat.st_size, said], sort_keys=True, ensure_ascii=True)
    report = _reports.find(key)
    if report is None:
        report = _read(path, stat.st_size, said, upload)
        _reports.keep(key, report)
    return report


def _read(path: Path, size: int, said: dict[str, Any], upload: str) -> dict[str, Any]:
    started, place = time.monotonic(), st.empty()
    bars: list[Any] = []

    def tell(done: float | None) -> None:
        elapsed = time.monotonic() - started
        if elapsed < PATIENCE_S:
            return
        if not bars:
            bars.append(_card(place, upload))
        bars[0].progress(done or 0.0, text=_how_far(done, size, elapsed))

    try:
        return ask(
            "lab.data.child",
            {"do": "inspect", "path": str(path), "lenient": True} | said,
            timeout_s=wall_seconds(path),
            limits={"cpu_s": cpu_seconds(path)},
            how_far=tell,
        )
    finally:
        place.empty()


def _card(place: Any, upload: str) -> Any:
    """The bar, and the way to stop; pressing it ends this run of the page, and with it the process."""
    with place.container(border=True):
        bar = st.progress(0.0)
        if upload:
            st.button(
                _("Stop reading"), icon=":material/stop_circle:", key="data-stop-reading",
                on_click=_stop, args=(upload,),
            )  # fmt: skip
    return bar


def _how_far(done: float | None, size: int, elapsed: float) -> str:
    parts = [_("Reading the file in a process of its own"), gib(size / 2**30), duration(elapsed)]
    if done is not None:
        parts[1] = _("{share} of {size}", share=share(done), size=gib(size / 2**30))
    if done and 0.02 < done < 1:
        parts.append(_("{time} left", time=duration(elapsed * (1 - done) / done)))
    return " · ".join(parts)


def _stop(upload: str) -> None:
    uploads.forget(upload)
    data_upload.begin_again()
    st.query_params.pop("upload", None)
