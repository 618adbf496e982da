"""The way in for a training: a spec's `data.source`, whatever it names, as examples."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from lab.data.build import Built, build
from lab.data.example import Prepared
from lab.data.hub import hub_source
from lab.data.options import Options
from lab.data.prepare import prepare
from lab.data.progress import NotesOnly
from lab.data.report import report
from lab.data.source import Source, demo_source, read_jsonl
from lab.data.split import TEST, TRAIN, VALIDATION
from lab.data.tokenizer import Tokenizer, load_tokenizer
from lab.runs import registry
from lab.runs.home import is_id
from lab.runs.network import is_data_on_hub
from lab.spec import RunSpec


def open_data(
    spec: RunSpec, directory: Path, events: Any = None, *, tokenizer: Tokenizer | None = None
) -> Prepared:
    """The examples of a run: `data.source` is `demo`, the id of a prepared data set, a file, or a Hub id.

    A file is read and prepared on the spot, with its report in `directory`/data. `events` hears notes only.
    `tokenizer` saves loading the model's own a second time. Raises InputError for a source that cannot be
    used and NotFoundError for a data set that does not exist.
    """
    options, listener, name = Options.of_spec(spec), NotesOnly(events), spec.data.source
    tokenizer = tokenizer or load_tokenizer(options.model, options.revision)
    if name == "demo":
        return _prepared(build(demo_source(), options, tokenizer, listener))
    if is_id(name):
        return _prepared(build(dataset_source(name), options, tokenizer, listener), name)
    if is_data_on_hub(name):
        return _prepared(build(hub_source(name, options), options, tokenizer, listener))
    out = directory / "data"
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    built, _ = prepare(Path(name).expanduser(), options, out, listener, tokenizer=tokenizer)
    return _prepared(built)


def dataset_source(identifier: str) -> Source:
    """The clean rows of a prepared data set, each with its part. Raises NotFoundError."""
    record = registry.dataset(identifier)
    rows = list(read_jsonl(registry.dataset_path(identifier) / "rows.jsonl"))
    read, earlier = record["rows"]["read"], Counter(record["cleaned"])
    return Source(record["name"], record["kind"], rows, record["mapping"], read, earlier)


def _prepared(built: Built, dataset: str | None = None) -> Prepared:
    examples = built.examples
    return Prepared(examples[TRAIN], examples[VALIDATION], report(built, dataset), examples[TEST])
