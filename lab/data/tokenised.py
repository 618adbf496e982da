"""Tokenised examples as memory-mapped arrays: written once by the preparation, read by every training.

A folder `tokens/<key>/` of a data set (key: the first 16 characters of `tokens_key`) holds:

    input_ids.npy  int32 [tokens]     the ids of all examples, one after the other
    trained.npy    bool  [tokens]     whether a token is in the loss; the label is its id, else IGNORED (-100)
    offsets.npy    int64 [examples+1] example i has the tokens from offsets[i] up to offsets[i + 1]
    index.npy      int32 [examples, 4] row in rows.jsonl; n_prompt; segment; length before it was cut (tokens)
    lines.npy      int64 [rows+1]     where each line of rows.jsonl begins, in bytes
    tokens.json    {"key", "format", "parts": {part: [first, end]}, "report"}; written last

The examples of a part stand together, train first, in the order of the rows: examples `first` to `end` (not
included) are the part's. All arrays open with `numpy.load(path, mmap_mode="r")`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from lab.data.example import IGNORED, Example
from lab.data.split import TEST, TRAIN, VALIDATION
from lab.json_io import read_json, write_json

FORMAT = 1
BLOCK = 4096  # examples that are moved at once
PARTS = (TRAIN, VALIDATION, TEST)
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Block:
    """Some examples after each other: ids and mask [tokens], their lengths [examples] and index [examples, 3]."""

    ids: Array
    trained: Array
    lengths: Array
    index: Array  # n_prompt, segment, length before it was cut


@dataclass
class Pile:
    """Examples in the order in which they were encoded, in memory; numbered from 0."""

    blocks: list[Block] = field(default_factory=list)
    count: int = 0

    def add(self, block: Block) -> None:
        """Put a block behind the others."""
        self.blocks.append(block)
        self.count += len(block.lengths)

    def arranged(self, order: Sequence[int]) -> Iterator[Block]:
        """The examples with these numbers in this order, in blocks of at most `BLOCK`; one may come twice."""
        wanted = np.asarray(order, dtype=np.int64)
        first = np.cumsum([0, *(len(block.lengths) for block in self.blocks)])
        starts = [np.cumsum([0, *block.lengths]) for block in self.blocks]
        for begin in range(0, len(wanted), BLOCK):
            numbers = wanted[begin : begin + BLOCK]
            homes = np.searchsorted(first, numbers, side="right") - 1
            places = [(self.blocks[h], starts[h], n - first[h]) for h, n in zip(homes, numbers, strict=True)]
            slices = [(block, int(at[n]), int(at[n + 1])) for block, at, n in places]
            yield Block(
                np.concatenate([block.ids[low:high] for block, low, high in slices]),
                np.concatenate([block.trained[low:high] for block, low, high in slices]),
                np.array([high - low for _, low, high in slices], dtype=np.int64),
                np.stack([block.index[n] for block, _, n in places]),
            )


@dataclass(frozen=True)
class Tokens:
    """The arrays of the examples of one data set for one tokenizer; shapes as in the module's text."""

    input_ids: Array
    trained: Array
    offsets: Array
    index: Array
    parts: dict[str, tuple[int, int]]

    def ids(self, example: int) -> Array:
        """The ids of an example, int32 [tokens]; a view, nothing is copied."""
        return self.input_ids[self.offsets[example] : self.offsets[example + 1]]

    def labels(self, example: int) -> Array:
        """The labels of an example, int32 [tokens]: the id where it is trained, else IGNORED."""
        mask = self.trained[self.offsets[example] : self.offsets[example + 1]]
        return np.where(mask, self.ids(example), np.int32(IGNORED))

    def lengths(self, part: str = "") -> Array:
        """The number of tokens of each example [examples], of one part or of all."""
        first, end = self.parts[part] if part else (0, len(self.offsets) - 1)
        return np.diff(self.offsets[first : end + 1])

    def pieces(self, numbers: Array) -> Iterator[bytes]:
        """Of each of these examples its length, ids and labels as int64, for a sum over them."""
        for number in numbers:
            ids, labels = self.ids(number), self.labels(number)
            yield np.concatenate([[len(ids)], ids, labels], dtype=np.int64).tobytes()

    def taught(self, first: int, end: int) -> Array:
        """The numbers of the examples from `first` up to `end` with a trained token after their first, int64."""
        found = [np.zeros(0, np.int64)]
        for low in range(first, end, BLOCK):
            bounds = np.asarray(self.offsets[low : min(low + BLOCK, end) + 1])
            counts = np.concatenate([[0], np.cumsum(self.trained[bounds[0] : bounds[-1]], dtype=np.int64)])
            begins, ends = bounds[:-1] - bounds[0], bounds[1:] - bounds[0]
            after = counts[ends] - counts[np.minimum(begins + 1, ends)]
            found.append(low + np.flatnonzero(after))
        return np.concatenate(found)


def arrange(pile: Pile, order: dict[str, list[tuple[int, int]]], folder: Path | None = None) -> Tokens:
    """The examples of each part in their final order; `order` maps a part to (number in the pile, row).

    With a `folder` the arrays are files in it and the result maps them; `seal` makes them count.
    """
    pairs = [pair for part in PARTS for pair in order.get(part, [])]
    parts, first = {}, 0
    for part in PARTS:
        end = first + len(order.get(part, []))
        parts[part], first = (first, end), end
    blocks = pile.arranged([number for number, _ in pairs])
    ids, trained, lengths, index = _collected(blocks, folder) if folder else _joined(list(blocks))
    rows = np.array([row for _, row in pairs], dtype=np.int32).reshape(-1, 1)
    index = np.concatenate([rows, index.reshape(-1, 3)], axis=1).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    if folder:
        np.save(folder / "offsets.npy", offsets)
        np.save(folder / "index.npy", index)
    return Tokens(ids, trained, offsets, index, parts)


def of_examples(examples: Sequence[Example]) -> Tokens:
    """Arrays of examples that are lists, all of them in the training part; a label is its id or IGNORED."""
    blocks = [_block(one) for one in examples]
    return arrange(Pile(blocks, len(blocks)), {TRAIN: [(number, number) for number in range(len(blocks))]})


def _block(one: Example) -> Block:
    ids, labels = np.array(one.input_ids, np.int32), np.array(one.labels, np.int32)
    trained = labels != IGNORED
    if not np.array_equal(labels[trained], ids[trained]):
        raise ValueError("a label is neither the id at its place nor IGNORED")
    return Block(ids, trained, np.array([len(ids)]), np.array([[one.n_prompt, 0, len(ids)]], np.int32))


def unfinished(dataset: Path, key: str) -> Path:
    """A new folder for the arrays with this key, which nobody reads yet; one that a killed process left goes."""
    path = dataset / "tokens" / f".{key[:16]}.partial"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(mode=0o700, parents=True)
    return path


def seal(dataset: Path, key: str, tokens: Tokens, report: dict[str, Any], lines: Array) -> None:
    """Finish the arrays with this key: from now on `load` finds them, with the report of their data."""
    folder = dataset / "tokens" / f".{key[:16]}.partial"
    np.save(folder / "lines.npy", lines)
    parts = {part: list(bounds) for part, bounds in tokens.parts.items()}
    write_json(folder / "tokens.json", {"format": FORMAT, "key": key, "parts": parts, "report": report})
    final = dataset / "tokens" / key[:16]
    shutil.rmtree(final, ignore_errors=True)
    folder.rename(final)


def load(dataset: Path, key: str) -> tuple[Tokens, dict[str, Any], Array] | None:
    """The arrays with this key, mapped, the report of their data, and the lines of rows.jsonl; None without them."""
    folder = dataset / "tokens" / key[:16]
    told = read_json(folder / "tokens.json")
    if not told or (told["format"], told["key"]) != (FORMAT, key):
        return None
    lines: Array = np.load(folder / "lines.npy")
    if (dataset / "rows.jsonl").stat().st_size != lines[-1]:
        return None  # somebody has changed the rows
    names = ("input_ids", "trained", "offsets", "index")
    ids, trained, offsets, index = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in names)
    parts = {part: (low, high) for part, (low, high) in told["parts"].items()}
    return Tokens(ids, trained, offsets, index, parts), told["report"], lines


def _joined(blocks: list[Block]) -> tuple[Array, Array, Array, Array]:
    none = np.zeros(0, np.int32)
    blocks = [Block(none, none.astype(np.bool_), none.astype(np.int64), none.reshape(0, 3)), *blocks]
    names = ("ids", "trained", "lengths", "index")
    ids, trained, lengths, index = (np.concatenate([getattr(b, name) for b in blocks]) for name in names)
    return ids, trained, lengths, index


def _collected(blocks: Iterator[Block], folder: Path) -> tuple[Array, Array, Array, Array]:
    small: list[Block] = []
    with open(folder / "input_ids.npy", "wb") as ids, open(folder / "trained.npy", "wb") as trained:
        for file in (ids, trained):
            file.write(b"\0" * _HEADER)
        for block in blocks:
            ids.write(block.ids.astype(np.int32, copy=False).tobytes())
            trained.write(block.trained.astype(np.bool_, copy=False).tobytes())
            small.append(Block(ids=block.ids[:0], trained=block.trained[:0], lengths=block.lengths, index=block.index))
        _, _, lengths, index = _joined(small)
        total = int(lengths.sum())
        _put_header(ids, np.dtype(np.int32), total)
        _put_header(trained, np.dtype(np.bool_), total)
    mapped = [np.load(folder / f"{name}.npy", mmap_mode="r" if total else None) for name in ("input_ids", "trained")]
    return mapped[0], mapped[1], lengths, index


_HEADER = 128  # bytes; numpy pads its header to a multiple of 64 and leaves room for a growing shape


def _put_header(file: BinaryIO, dtype: np.dtype[Any], count: int) -> None:
    """Write the header of a one-dimensional array in front of its values."""
    file.seek(0)
    npy.write_array_header_1_0(file, {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": (count,)})
    if file.tell() != _HEADER:
        raise AssertionError(f"numpy wrote a header of {file.tell()} bytes")
