"""The way in for a training: a spec's `data.source`, whatever it names, as examples."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from lab.data.build import Built, build, encoder_of
from lab.data.example import Prepared
from lab.data.examples import Examples, RowsFile
from lab.data.fingerprint import tokens_key
from lab.data.options import Options
from lab.data.prepare import prepare
from lab.data.progress import Listener, NotesOnly
from lab.data.rendered import TOO_LONG
from lab.data.report import report
from lab.data.source import Source, demo_source, read_jsonl
from lab.data.split import TEST, TRAIN, VALIDATION
from lab.data.templates import choose
from lab.data.tokenised import Array, Tokens, load, seal
from lab.data.tokenizer import Tokenizer, fingerprint_of, load_tokenizer
from lab.runs import registry
from lab.runs.home import is_id
from lab.runs.network import is_data_on_hub
from lab.spec import RunSpec
from lab.text import N_


def open_data(spec: RunSpec, directory: Path, events: Any = None, *, tokenizer: Tokenizer | None = None) -> Prepared:
    """The examples of a run: `data.source` is `demo`, the id of a prepared data set, a file, or a Hub id.

    What is not prepared yet is read and prepared on the spot, with its report in `directory`/data. `events` hears
    notes only. `tokenizer` saves loading the model's own a second time. Raises InputError for a source that cannot
    be used and NotFoundError for a data set that does not exist.
    """
    options, listener, name = Options.of_spec(spec), NotesOnly(events), spec.data.source
    tokenizer = tokenizer or load_tokenizer(options.model, options.revision)
    if name == "demo":
        return _prepared(build(demo_source(), options, tokenizer, listener))
    if is_id(name):
        return open_dataset(name, options, tokenizer, listener)
    out = directory / "data"
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    hub = name if is_data_on_hub(name) else ""
    path = None if hub else Path(name).expanduser()
    built, _ = prepare(path, options, out, listener, hub=hub, tokenizer=tokenizer)
    kind, template, key = built.source.kind, built.template, built.key
    found = load(out, key)
    if found is None:  # rows that stay rows
        return _prepared(built)
    del built  # its rows, which are in a file by now
    return _mapped(found, out, kind, template, options, tokenizer)


def open_dataset(identifier: str, options: Options, tokenizer: Tokenizer, listener: Listener) -> Prepared:
    """The examples of a prepared data set, from its arrays where they were made for this tokenizer and template.

    Otherwise the rows are tokenised, and the arrays are kept for the next run. Raises NotFoundError.
    """
    folder, record = registry.dataset_path(identifier), registry.dataset(identifier)
    kind = str(record["kind"])
    template = choose(options.template, kind, tokenizer)
    key = tokens_key(options, kind, template, str(record.get("rows_sum")), fingerprint_of(tokenizer))
    found = load(folder, key)
    named = {"name": record["name"], "version": registry.version_of(record), "parent": record.get("parent")}
    if found is not None:
        tokens, told, lines = found
        told = told | {"dataset": identifier} | named
        return _mapped((tokens, told, lines), folder, kind, template, options, tokenizer)
    _tell_what_was_left_out(record, options, listener)
    built = build(dataset_source(identifier), options, tokenizer, listener, clean=False, folder=folder)
    told = report(built, identifier, **named)
    if built.tokens is not None and built.lines is not None:
        seal(folder, built.key, built.tokens, told, built.lines)
    return _prepared(built, told)


def dataset_source(identifier: str) -> Source:
    """The rows of a prepared data set, each with its part. Raises NotFoundError."""
    record = registry.dataset(identifier)
    rows = list(read_jsonl(registry.dataset_path(identifier) / "rows.jsonl"))
    read, earlier = record["rows"]["read"], Counter(record.get("dropped", {}))
    return Source(record["name"], record["kind"], rows, record["mapping"], read, earlier)


def _tell_what_was_left_out(record: dict[str, Any], options: Options, listener: Listener) -> None:
    prepared = record.get("options", {})
    shorter = prepared.get("max_length", 0) < options.max_length
    if shorter and prepared.get("too_long") == "drop" and record["dropped"].get(TOO_LONG):
        listener.note(
            N_("The data set was prepared with at most {limit} tokens; the longer rows are not in it."),
            limit=prepared["max_length"],
        )


def _mapped(
    found: tuple[Tokens, dict[str, Any], Array],
    folder: Path,
    kind: str,
    template: str,
    options: Options,
    tokenizer: Tokenizer,
) -> Prepared:
    """The examples of arrays that are mapped from files, with their rows in the folder's rows.jsonl."""
    tokens, told, lines = found
    rows, encoder = RowsFile(folder / "rows.jsonl", lines), encoder_of(tokenizer, options)
    how: Any = {"kind": kind, "template": template, "encoder": encoder}
    parts = {part: Examples(tokens, part, rows, **how) for part in tokens.parts}
    return Prepared(parts[TRAIN], parts[VALIDATION], told, parts[TEST])


def _prepared(built: Built, told: dict[str, Any] | None = None) -> Prepared:
    examples = built.examples
    parts = [examples[part] if examples else [] for part in (TRAIN, VALIDATION, TEST)]
    return Prepared(parts[0], parts[1], told or report(built, name=built.source.name), parts[2])
