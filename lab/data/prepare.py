"""Preparing a data set: read, clean, format, measure, and write what a training and the page need."""

from __future__ import annotations

import gc
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.data.build import Built, build
from lab.data.figures import classes, figures
from lab.data.files import FORMATS
from lab.data.hub import read_hub
from lab.data.lengths import lengths
from lab.data.names import display_name
from lab.data.options import Options
from lab.data.progress import Listener, Stopped
from lab.data.reading import Reading, read
from lab.data.report import preview, report
from lab.data.source import demo_source
from lab.data.tokenised import seal
from lab.data.tokenizer import Tokenizer, load_tokenizer
from lab.errors import InputError
from lab.json_io import write_json
from lab.runs import registry
from lab.runs.home import datasets_folder, new_id


@contextmanager
def _no_collections() -> Iterator[None]:
    """Rows are in no cycles: to go through all of them again and again for that takes a tenth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@_no_collections()
def prepare(
    path: Path | None,
    options: Options,
    out: Path,
    events: Listener,
    *,
    name: str = "",
    hub: str = "",
    dataset: str | None = None,
    named: dict[str, Any] | None = None,
    tokenizer: Tokenizer | None = None,
    stop: Callable[[], bool] | None = None,
) -> tuple[Built, dict[str, Any]]:
    """Prepare the file at `path`, else the Hub's data set `hub`, else the demo, into `out`; returns the result and
    its report.

    `out` gets rows.jsonl, dataset.json, preview.json, lengths.json, steps.json, figures.json and the arrays of
    `lab.data.tokenised`. `named` stands in the report. Raises InputError for a file or options that cannot be
    used, and Stopped.
    """
    name = display_name(name or (path.name if path else hub or "demo"))
    with events.phase("read"):
        if path:
            reading, tokenizer = _read(path, options, out, name, tokenizer, stop)
        else:
            reading = read_hub(hub, options, out, events, stop) if hub else Reading(demo_source())
            tokenizer = tokenizer or load_tokenizer(options.model, options.revision)
    built = build(reading.source, options, tokenizer, events, stop, folder=out)
    told = report(built, dataset, name=name, **(named or {}))
    _write(out, built, told, reading, tokenizer)
    return built, told


def prepare_dataset(
    path: Path | None,
    options: Options,
    events: Listener,
    *,
    name: str = "",
    hub: str = "",
    stop: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Prepare a data set in LAB_HOME/datasets and return its report; nothing is left of one that fails or
    stops.

    A name that is taken makes the next version of that data set; the earlier ones stay.
    """
    identifier = new_id()
    name = display_name(name or (path.name if path else hub or "demo"))
    unfinished = datasets_folder() / f".{identifier}.partial"
    unfinished.mkdir(mode=0o700)
    try:
        latest = registry.latest_version(name)
        named = {"version": latest["version"] + 1 if latest else 1, "parent": latest["id"] if latest else None}
        _, told = prepare(
            path, options, unfinished, events, name=name, hub=hub, dataset=identifier, named=named, stop=stop
        )
        if path:
            # A copy, under a name of our own: what a person's file is called never becomes a path.
            form = FORMATS.get(path.suffix.lower(), options.format)
            shutil.copyfile(path, unfinished / f"source.{form}")
        unfinished.rename(datasets_folder() / identifier)
    except BaseException:
        shutil.rmtree(unfinished)
        raise
    return told


def _read(
    path: Path, options: Options, out: Path, name: str, tokenizer: Tokenizer | None, stop: Callable[[], bool] | None
) -> tuple[Reading, Tokenizer]:
    """The file's rows, and the tokenizer, which takes seconds to load while another process reads the file."""

    def go_on() -> None:
        if stop is not None and stop():
            raise Stopped

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read, path, options, out, name=name, go_on=go_on)
        try:
            tokenizer = tokenizer or load_tokenizer(options.model, options.revision)
        except InputError:
            reading.result()  # what is wrong with the file comes first
            raise
        return reading.result(), tokenizer


def _write(out: Path, built: Built, told: dict[str, Any], reading: Reading, tokenizer: Tokenizer) -> None:
    if built.tokens is not None and built.lines is not None:
        seal(out, built.key, built.tokens, told, built.lines)
    write_json(out / "lengths.json", lengths(built))
    write_json(out / "preview.json", preview(built, tokenizer))
    write_json(out / "steps.json", built.steps.reports)
    write_json(out / "figures.json", figures(built))
    kind = built.source.kind
    record = {
        "id": told["dataset"],
        "source_name": told["name"],
        "created": round(time.time(), 3),
        "options": built.options.as_dict(),
        "labels": list(classes(built.rows, kind) or ()) or None,
        "weights": built.shaped.weights,
        "rows_sum": built.rows_sum,
        "problems": reading.facts.get("problems", []),
        "format": reading.facts.get("format", "jsonl"),
        "encoding": reading.facts.get("encoding", "utf-8"),
        "hub": reading.facts.get("hub"),
    }
    write_json(out / "dataset.json", told | record)
