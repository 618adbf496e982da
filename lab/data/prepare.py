"""Preparing a data set: read, clean, format, measure, and write what a training and the page need."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lab.data import report as figures
from lab.data.build import Built, build
from lab.data.files import FORMATS
from lab.data.names import display_name
from lab.data.options import Options
from lab.data.progress import Listener
from lab.data.reading import Reading, read
from lab.data.source import demo_source
from lab.data.tokenizer import Tokenizer, load_tokenizer
from lab.json_io import write_json, write_text
from lab.runs.home import datasets_folder, new_id


def prepare(
    path: Path | None,
    options: Options,
    out: Path,
    events: Listener,
    *,
    name: str = "",
    dataset: str | None = None,
    tokenizer: Tokenizer | None = None,
    stop: Callable[[], bool] | None = None,
) -> tuple[Built, dict[str, Any]]:
    """Prepare the file at `path` (the demo if None) into the folder `out`; returns the result and its report.

    `out` gets rows.jsonl, dataset.json, preview.json and lengths.json. Raises InputError for a file or
    options that cannot be used, and Stopped.
    """
    name = display_name(name or (path.name if path else "demo"))
    with events.phase("read"):
        reading = read(path, options, out, name=name) if path else Reading(demo_source())
        tokenizer = tokenizer or load_tokenizer(options.model, options.revision)
    built = build(reading.source, options, tokenizer, events, stop)
    with events.phase("write"):
        told = figures.report(built, dataset)
        _write(out, built, told, reading, tokenizer, name)
    return built, told


def prepare_dataset(
    path: Path | None,
    options: Options,
    events: Listener,
    *,
    name: str = "",
    stop: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Prepare a data set in LAB_HOME/datasets and return its report; nothing is left of one that fails or
    stops.
    """
    identifier = new_id()
    unfinished = datasets_folder() / f".{identifier}.partial"
    unfinished.mkdir(mode=0o700)
    try:
        _, told = prepare(path, options, unfinished, events, name=name, dataset=identifier, stop=stop)
        if path:
            # A copy, under a name of our own: what a person's file is called never becomes a path.
            shutil.copyfile(path, unfinished / f"source.{FORMATS[path.suffix.lower()]}")
        unfinished.rename(datasets_folder() / identifier)
    except BaseException:
        shutil.rmtree(unfinished)
        raise
    return told


def _write(
    out: Path, built: Built, told: dict[str, Any], reading: Reading, tokenizer: Tokenizer, name: str
) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in built.rows)
    write_text(out / "rows.jsonl", "".join(lines))
    write_json(out / "lengths.json", figures.lengths(built))
    write_json(out / "preview.json", figures.preview(built, tokenizer))
    record = {
        "id": told["dataset"],
        "name": name,
        "source_name": name,
        "created": round(time.time(), 3),
        "options": asdict(built.options),
        "cleaned": dict(built.cleaned),
        "problems": reading.facts.get("problems", []),
        "format": reading.facts.get("format", "jsonl"),
        "encoding": reading.facts.get("encoding", "utf-8"),
    }
    write_json(out / "dataset.json", told | record)
