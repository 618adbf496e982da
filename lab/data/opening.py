"""The way in for a training: a spec's `data.source`, whatever it names, as examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.data.build import Built, build
from lab.data.example import Prepared
from lab.data.options import Options
from lab.data.progress import NotesOnly
from lab.data.report import report
from lab.data.source import demo_source
from lab.data.split import TEST, TRAIN, VALIDATION
from lab.data.tokenizer import Tokenizer, load_tokenizer
from lab.spec import RunSpec


def open_data(
    spec: RunSpec, directory: Path, events: Any = None, *, tokenizer: Tokenizer | None = None
) -> Prepared:
    """The examples of a run: `data.source` is `demo`, the id of a prepared data set, a file, or a Hub id.

    A file is read and prepared on the spot, with its report in `directory`/data. `events` hears notes only.
    `tokenizer` saves loading the model's own a second time. Raises InputError for a source that cannot be used and
    NotFoundError for a data set that does not exist.
    """
    options = Options.of_spec(spec)
    tokenizer = tokenizer or load_tokenizer(options.model, options.revision)
    return prepared(build(demo_source(), options, tokenizer, NotesOnly(events)))


def prepared(built: Built, dataset: str | None = None) -> Prepared:
    """What a training takes of a built data set."""
    examples = built.examples
    return Prepared(examples[TRAIN], examples[VALIDATION], report(built, dataset), examples[TEST])
