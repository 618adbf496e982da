"""The arrays of a prepared data set: what they hold, and which runs they serve."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy_tokenizers

from lab.data import measuring, opening, tokenised
from lab.data.example import IGNORED
from lab.data.examples import Examples
from lab.data.opening import open_data
from lab.data.options import Options
from lab.data.padding import padded, padded_packed
from lab.data.prepare import prepare_dataset
from lab.data.progress import NotesOnly, Stopped
from lab.data.tokenised import Block, Pile, arrange
from lab.data.tokens import Encoder
from lab.runs.home import datasets_folder
from lab.spec import build as spec_of

ROWS = [{"question": f"What is {i} plus {i}?", "answer": f"It is {2 * i}, " + "so " * (i % 7)} for i in range(80)]


def prepared(folder: Path, **options: Any) -> dict[str, Any]:
    path = folder / "sums.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return prepare_dataset(path, Options(**options), NotesOnly())


def test_the_arrays_on_disk_are_the_examples(tmp_path: Path):
    told = prepared(tmp_path)
    folder = next((datasets_folder() / told["dataset"] / "tokens").iterdir())
    ids, trained, offsets, index = (
        np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("input_ids", "trained", "offsets", "index")
    )
    assert (ids.dtype, trained.dtype, offsets.dtype, index.shape) == (np.int32, np.bool_, np.int64, (80, 4))
    parts = json.loads((folder / "tokens.json").read_text())["parts"]
    assert [parts["train"], parts["validation"], parts["test"]] == [[0, 72], [72, 80], [80, 80]]
    opened = open_data(spec_of({"data": {"source": told["dataset"]}}), tmp_path)
    rows = [json.loads(line) for line in (datasets_folder() / told["dataset"] / "rows.jsonl").open()]
    for number, example in enumerate([*opened.train, *opened.validation]):
        piece = slice(offsets[number], offsets[number + 1])
        assert ids[piece].tolist() == example.input_ids
        assert np.where(trained[piece], ids[piece], IGNORED).tolist() == example.labels
        assert index[number, 1] == example.n_prompt
        row = rows[index[number, 0]]
        assert (row["question"], row["answer"]) == (example.question, example.reference)
    assert told["tokens"]["total"] == offsets[-1] == len(ids)


def test_a_run_with_the_same_model_maps_the_arrays_and_tokenises_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    told = prepared(tmp_path)

    def never(*args: Any, **options: Any) -> None:
        raise AssertionError("the rows were tokenised again")

    monkeypatch.setattr(opening, "build", never)
    opened = open_data(spec_of({"data": {"source": told["dataset"]}}), tmp_path)
    assert isinstance(opened.train, Examples)
    assert isinstance(opened.train.tokens.input_ids, np.memmap)
    assert opened.report == told


def test_a_run_with_another_length_gets_arrays_of_its_own_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    told = prepared(tmp_path)
    spec = spec_of({"data": {"source": told["dataset"], "max_length": told["tokens"]["median"]}})
    first = open_data(spec, tmp_path)
    assert 0 < len(first.train) < 72, "the longer rows are left out"
    assert len(list((datasets_folder() / told["dataset"] / "tokens").iterdir())) == 2
    monkeypatch.delattr(opening, "build")
    again = open_data(spec, tmp_path)
    assert list(again.train) == list(first.train)
    assert again.report == first.report
    assert (first.report["name"], first.report["version"]) == ("sums.jsonl", 1)


def test_changed_rows_are_not_read_through_old_arrays(tmp_path: Path):
    told = prepared(tmp_path)
    path = datasets_folder() / told["dataset"] / "rows.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[1:]))
    assert len(open_data(spec_of({"data": {"source": told["dataset"]}}), tmp_path).train) == 71


def test_a_longer_maximum_than_the_preparation_s_is_told(tmp_path: Path):
    told = prepared(tmp_path, max_length=prepared(tmp_path)["tokens"]["median"])
    heard: list[str] = []

    class Listener(NotesOnly):
        def note(self, template: str, /, *, level: str = "info", **values: Any) -> None:
            heard.append(template.format(**values))

    open_data(spec_of({"data": {"source": told["dataset"], "max_length": 512}}), tmp_path, Listener())
    assert any("at most " in note and "the longer rows" in note for note in heard)


def test_blocks_are_put_in_any_order_and_may_come_twice(tmp_path: Path):
    pile = Pile()
    for start, lengths in ((0, [2, 3]), (5, [1])):
        ids = np.arange(start, start + sum(lengths), dtype=np.int32)
        pile.add(Block(ids, ids % 2 == 1, np.array(lengths), np.full((len(lengths), 3), start, dtype=np.int32)))
    order = {"train": [(2, 0), (0, 1), (2, 2)], "validation": [(1, 3)]}
    for made in (arrange(pile, order), arrange(pile, order, tokenised.unfinished(tmp_path, "key"))):
        assert made.input_ids.tolist() == [5, 0, 1, 5, 2, 3, 4]
        assert made.labels(1).tolist() == [IGNORED, 1]
        assert made.offsets.tolist() == [0, 1, 3, 4, 7]
        assert made.index[:, 0].tolist() == [0, 1, 2, 3]
        assert made.parts == {"train": (0, 3), "validation": (3, 4), "test": (4, 4)}
        assert made.lengths("validation").tolist() == [3]


@pytest.mark.parametrize(
    ("lengths", "batch", "expected"), [([2, 4, 3], 3, 3), ([5, 5, 5], 2, 0), ([], 4, 0), ([7], 4, 0)]
)
def test_padding_fills_each_row_of_a_batch_to_its_longest(lengths: list[int], batch: int, expected: int):
    assert padded(np.array(lengths, dtype=np.int64), batch, seed=1) == expected


@pytest.mark.parametrize(
    ("lengths", "expected"), [([6, 5, 4, 3], 2), ([10, 10], 0), ([6, 6], 8), ([3, 3, 3, 1], 0), ([], 0), ([12], 0)]
)
def test_packing_fills_the_fullest_sequence_that_has_room(lengths: list[int], expected: int):
    assert padded_packed(np.array(lengths, dtype=np.int64), 10) == expected


def test_forks_measure_as_threads_do_and_stop_when_asked(monkeypatch: pytest.MonkeyPatch):
    encoder = Encoder(toy_tokenizers.gpt2_like(), max_length=64)
    rows = ROWS * 40

    def measured() -> list[tuple[list[str], list[int], list[int]]]:
        chunks = measuring.measure(rows, "question-answer", "question-answer", encoder, lambda done: None)
        return [(one.reasons, one.tokens, one.block.ids.tolist() if one.block else []) for one in chunks]

    alone = measured()
    monkeypatch.setattr(measuring, "processors", lambda: 2)
    monkeypatch.setattr(measuring, "WORTH_FORKS", 1)
    assert measured() == alone
    assert sum(len(reasons) for reasons, _, _ in alone) == len(rows)

    def stop(done: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        list(measuring.measure(rows, "question-answer", "question-answer", encoder, stop))
    assert not multiprocessing.active_children()
