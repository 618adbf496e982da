"""`python -m lab.data.rehearsal`: a run's rows read, split and encoded as its worker will, for what it would refuse.

A JSON request {"spec", "seconds"} on its input, {"problems": [error, ...], "whole": whether time was enough, "windows":
{data source: windows of its training rows}} on its output. Nothing stays of the work; torch and the weights of the
model are never loaded.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.data.build import build, encoder_of
from lab.data.example import IGNORED
from lab.data.features import checks, classification, tokens
from lab.data.features.checks import nothing_left, other_labels, unknown_classes
from lab.data.features.item import Encoded, Row
from lab.data.features.labels import classes_of, tags_of
from lab.data.features.preference import PreferenceEncoder, Preferences
from lab.data.features.questions import Windows
from lab.data.features.rows import TaskRows, open_rows
from lab.data.measuring import Job
from lab.data.opening import dataset_source
from lab.data.options import Options
from lab.data.progress import NotesOnly, Stopped
from lab.data.reading import read
from lab.data.shaping import shape
from lab.data.source import Source, demo_source
from lab.data.split import TRAIN, VALIDATION
from lab.data.steps import run_steps
from lab.data.templates import choose
from lab.data.texts import GENERATION, text_of
from lab.data.tokenizer import Tokenizer, frame_of, load_tokenizer
from lab.data.without_torch import keep_torch_out
from lab.errors import InputError, LabError
from lab.models import facts_of
from lab.runs import beforehand
from lab.runs.home import is_id, lab_home
from lab.runs.network import is_data_on_hub
from lab.spec import RunSpec, with_overrides
from lab.spec import build as spec_of
from lab.spec.rules.task import LABELLED
from lab.text import N_

AT_ONCE = 256  # rows that are encoded before anybody looks whether one of them is left
COUNTED = (
    1024  # rows at most whose windows are counted, spread over the whole set; the others are taken to be like them
)


@dataclass
class Rehearsal:
    """The run of one spec without its model; `problems` collects what a worker would refuse."""

    spec: RunSpec
    folder: Path
    end: float
    problems: list[LabError] = field(default_factory=list)
    whole: bool = True
    windows: dict[str, int] = field(default_factory=dict)
    tokenizer: Tokenizer = field(init=False)

    def run(self) -> None:
        """Take every data set of the run in turn."""
        self.spec = fitted(self.spec)
        with self._heard():
            self.tokenizer = loaded(self.spec)
        if self.problems:
            return
        for spec, where in self._parts():
            if not is_data_on_hub(spec.data.source):  # which the worker fetches
                with self._heard(where):
                    _USES[spec.task](self, spec)

    def _parts(self) -> Iterator[tuple[RunSpec, str]]:
        """The run's data, that of each task, and what it is not to forget, each with where its errors belong."""
        spec, kept = self.spec, self.spec.regularisation
        if spec.task != "multi-task":
            yield spec, ""
        for name, source in spec.tasks.sources.items() if spec.task == "multi-task" else ():
            yield with_overrides(spec, {"task": spec.tasks.kinds[name], "data.source": source}), source
        if kept.ewc_lambda > 0 and kept.ewc_data.strip():
            other = {"data.source": kept.ewc_data, "data.columns": {}}
            yield with_overrides(spec, other), "regularisation.ewc_data"

    def enough(self) -> bool:
        """Whether the time is used up."""
        return time.monotonic() > self.end

    @contextmanager
    def _heard(self, where: str = "") -> Iterator[None]:
        """Keep what is refused inside; `where` is told in place of data.source."""
        try:
            yield
        except Stopped:
            self.whole = False
        except LabError as error:
            if where and not error.where.startswith(("data.max_length", "tasks.", "regularisation.")):
                error.where = where
            self.problems.append(error)

    # --- what each task asks of its rows ---

    def _held_out(self, spec: RunSpec, count: int) -> None:
        if not count and (problem := beforehand.nothing_to_judge_by(spec)):
            self.problems.append(problem)

    def causal(self, spec: RunSpec) -> None:
        """Rows of text: cleaned, split, and a few of them encoded; all of them where none of these is left."""
        options, prepared = Options.of_spec(spec), is_id(spec.data.source)
        source = dataset_source(spec.data.source) if prepared else self._source(spec, options)
        if source.kind not in GENERATION:
            raise beforehand.wrong_kind(spec.task, source.kind, spec.data.source)
        template = choose(options.template, source.kind, self.tokenizer)
        rows = source.rows if prepared else self._cleaned(source, options, template)
        kept = [(row, row["split"]) for row in rows] if prepared else self._shaped(rows, source.kind, options)
        self._held_out(spec, sum(part == VALIDATION for _, part in kept))
        train = [row for row, part in kept if part == TRAIN]
        block = Job(train, source.kind, template, encoder_of(self.tokenizer, options)).chunk(0).block
        if block is not None and block.trained.any():
            return self._fits_vocabulary([int(block.ids.max())])
        built = build(source, options, self.tokenizer, NotesOnly(), self.enough, clean=not prepared)
        if not any(any(label != IGNORED for label in row.labels[1:]) for row in built.examples[TRAIN]):
            raise nothing_left(source.name, built.dropped)

    def _cleaned(self, source: Source, options: Options, template: str) -> list[Row]:
        text = text_of(source.kind, template, self.tokenizer)
        return run_steps(source.rows, source.kind, options.preparation, text_of=text, stop=self.enough)[0]

    def _shaped(self, rows: list[Row], kind: str, options: Options) -> list[tuple[Row, str]]:
        def go_on() -> None:
            if self.enough():
                raise Stopped

        return shape(rows, kind, options, go_on, look_for_leaks=False).rows

    def labelled(self, spec: RunSpec) -> None:
        """Rows with labels: the labels first, then whether any row is short enough."""
        rows = open_rows(spec, self.folder, spec.task)
        labels: list[str] = []
        if spec.task != "extractive-qa":
            labels = (tags_of if spec.task == "token-classification" else classes_of)(rows.train, rows.validation)
            self.problems += [*unknown_classes(spec, labels), *other_labels(spec, labels)]
        self._first(rows, lambda part: encoded(spec, part, labels, self.tokenizer))
        if spec.task == "extractive-qa":
            self._count_windows(spec, rows.train)

    def _count_windows(self, spec: RunSpec, rows: Sequence[Row]) -> None:
        looked = rows[:: -(-len(rows) // COUNTED)]
        found = 0
        for start in range(0, len(looked), AT_ONCE):
            if self.enough():
                raise Stopped
            found += len(encoded(spec, looked[start : start + AT_ONCE], [], self.tokenizer).items)
        self.windows[spec.data.source] = round(found * len(rows) / len(looked))

    def preference(self, spec: RunSpec) -> None:
        """Pairs, or single answers of both sorts."""
        rows, method = open_rows(spec, self.folder, "preference"), spec.preference.method
        checks.check_form([*rows.train, *rows.validation] if method != "kto" else rows.train, method)
        encoder = PreferenceEncoder(spec, self.tokenizer)
        self._first(rows, encoder.singles if method == "kto" else encoder.pairs)

    def _source(self, spec: RunSpec, options: Options) -> Any:
        if spec.data.source == "demo":
            return demo_source()
        return read(Path(spec.data.source).expanduser(), options, self.folder).source

    def _first(self, rows: TaskRows, encode: Callable[[Sequence[Row]], Encoded | Preferences]) -> None:
        """Encode training rows until some are left; refuse them where none is."""
        self._held_out(self.spec, len(rows.validation))
        dropped: Counter[str] = Counter()
        for start in range(0, len(rows.train), AT_ONCE):
            if self.enough():
                raise Stopped
            found = encode(rows.train[start : start + AT_ONCE])
            if found.items:
                return self._fits_vocabulary([token for one in found.items for token in one.input_ids])
            dropped.update(found.dropped)
        raise nothing_left(rows.name, dropped)

    def _fits_vocabulary(self, ids: Sequence[int]) -> None:
        """Refuse a tokenizer that knows more tokens than the model has embeddings for, where such a token comes up."""
        tokenizer, room = self.tokenizer, facts_of(self.spec.model.source).vocabulary
        top = max([*ids, tokenizer.pad_token_id or 0, tokenizer.eos_token_id or 0])
        if room is not None and top >= room:
            raise InputError(
                N_("The tokenizer gives the token {token}, and the model has embeddings for {room} tokens, from 0 on."),
                where="model.source",
                allowed=N_("A tokenizer whose tokens are all below {room}."),
                next=N_("Put the tokenizer in the folder that the model was trained with."),
                token=top,
                room=room,
            )


_USES: dict[str, Callable[[Rehearsal, RunSpec], None]] = {
    "causal-lm": Rehearsal.causal,
    "classification": Rehearsal.labelled,
    "token-classification": Rehearsal.labelled,
    "extractive-qa": Rehearsal.labelled,
    "preference": Rehearsal.preference,
}


def encoded(spec: RunSpec, rows: Sequence[Row], labels: Sequence[str], tokenizer: Tokenizer) -> Encoded:
    """Rows with labels as the training reads them."""
    data = spec.data
    if spec.task == "extractive-qa":
        ends = [token for token in (tokenizer.eos_token_id, tokenizer.pad_token_id) if token is not None]
        closing = ends[0] if tokenizer.cls_token_id is None else None  # as in lab.training.tasks.questions
        return Windows(data.max_length, spec.tasks.stride, closing).encode(rows, tokenizer, to_train=True)
    encode = tokens.encode if spec.task == "token-classification" else classification.encode
    return encode(rows, labels, tokenizer, max_length=data.max_length, too_long=data.too_long)


def loaded(spec: RunSpec) -> Tokenizer:
    """The tokenizer with something that serves as padding. Raises InputError for one that does not suit the task."""
    tokenizer = load_tokenizer(spec.model.source, spec.model.revision)
    if spec.task not in LABELLED:
        frame_of(tokenizer)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token or tokenizer.bos_token
    asked = spec.tasks.kinds.values() if spec.task == "multi-task" else [spec.task]
    if not tokenizer.is_fast and any(task in ("token-classification", "extractive-qa") for task in asked):
        raise checks.no_places()
    return tokenizer


def fitted(spec: RunSpec) -> RunSpec:
    """The spec with the maximum length that the model has positions for, as the worker cuts it."""
    room = facts_of(spec.model.source).positions
    if room is not None and spec.method.name == "prompt-tuning":
        room -= spec.method.virtual_tokens
    return spec if room is None or spec.data.max_length <= room else with_overrides(spec, {"data.max_length": room})


def main() -> None:
    """Answer the request on standard input; an error is answered as {"error": ...}."""
    keep_torch_out()
    request = json.load(sys.stdin)
    with tempfile.TemporaryDirectory(dir=lab_home(), prefix=".rehearsal-") as folder:
        rehearsal = Rehearsal(spec_of(request["spec"]), Path(folder), time.monotonic() + request["seconds"])
        rehearsal.run()
    answer = {"problems": [problem.as_dict() for problem in rehearsal.problems], "whole": rehearsal.whole}
    answer |= {"windows": rehearsal.windows}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
