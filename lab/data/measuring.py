"""Rows rendered, encoded and counted in chunks, on every processor, in memory that does not grow with lists of ids."""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from lab.data.quick import Packed, packed_rows
from lab.data.rendered import TOO_LONG, Rendered, Unrenderable
from lab.data.templates import render
from lab.data.texts import GENERATION, Row, plain_text
from lab.data.tokenised import Block
from lab.data.tokens import Dropped, Encoder

CHUNK = 512  # rows that one thread takes at once


@dataclass
class Chunk:
    """What became of some rows after each other: a reason for each ("" for kept), lengths, and the examples.

    `tokens` is the length before it was cut, 0 where it was not measured; `characters` counts the template in.
    `block` has the kept examples only; it is None for a kind of data whose rows stay as they are.
    """

    reasons: list[str] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    characters: list[int] = field(default_factory=list)
    block: Block | None = None
    cut: int = 0


def measure(
    rows: Sequence[Row], kind: str, template: str, encoder: Encoder, tell: Callable[[int], None]
) -> Iterator[Chunk]:
    """Measure all rows; chunks come in the order of the rows, and `tell` hears the number of rows done after each."""
    job = Job(rows, kind, template, encoder)
    workers, done = min(processors(), 8), 0
    for chunk in _chunks(job, workers, forks=_worth_forks(job, workers)):
        done += len(chunk.reasons)
        tell(done)
        yield chunk


def _chunks(job: Job, workers: int, *, forks: bool) -> Iterator[Chunk]:
    starts = iter(range(0, len(job.rows), CHUNK))
    if forks:  # the words that are met before the fork are known to all forks
        yield from map(job.chunk, islice(starts, _BEFORE_FORK))
    waiting: deque[Future[Chunk]] = deque()
    with _pool(job, workers, forks=forks) as pool:
        try:
            for start in starts:
                waiting.append(pool(start))
                if len(waiting) == 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


@dataclass(frozen=True)
class Job:
    """What all chunks share."""

    rows: Sequence[Row]
    kind: str
    template: str
    encoder: Encoder

    def chunk(self, start: int) -> Chunk:
        """Measure the rows from `start`."""
        return _chunk(self.rows[start : start + CHUNK], self.kind, self.template, self.encoder)


def _worth_forks(job: Job, workers: int) -> bool:
    return len(job.rows) >= WORTH_FORKS and workers > 1 and not job.encoder.texts.threads_help and _CAN_FORK


@contextmanager
def _pool(job: Job, workers: int, *, forks: bool) -> Iterator[Callable[[int], Future[Chunk]]]:
    """What submits a chunk: to threads while the tokenizer's library works, to processes while Python does.

    The processes are forks: they have the rows without a copy of them. A few rows are not worth a fork.
    """
    global _shared
    if not forks:
        with ThreadPoolExecutor(workers if job.encoder.texts.threads_help else 1) as threads:
            yield lambda start: threads.submit(job.chunk, start)
        return
    _shared = job
    gc.freeze()  # a collection in a fork would write to, and so copy, every page
    try:
        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork")) as processes:
            try:
                yield lambda start: processes.submit(_shared_chunk, start)
            finally:
                processes.shutdown(cancel_futures=True)
    finally:
        gc.unfreeze()
        _shared = None


_shared: Job | None = None  # what a fork finds
_CAN_FORK = sys.platform == "linux"
WORTH_FORKS = 10_000  # rows
_BEFORE_FORK = 8  # chunks


def _shared_chunk(start: int) -> Chunk:
    if _shared is None:
        raise RuntimeError("this process was not forked for a job")
    return _shared.chunk(start)


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _chunk(rows: Sequence[Row], kind: str, template: str, encoder: Encoder) -> Chunk:
    if kind not in GENERATION:
        return _counted(rows, kind, encoder)
    rendered = [_rendered(row, kind, template, encoder) for row in rows]
    results = iter(packed_rows(encoder, [one for one in rendered if isinstance(one, Rendered)]))
    chunk, kept = Chunk(), []
    for one in rendered:
        result = next(results) if isinstance(one, Rendered) else Dropped(one)
        chunk.reasons.append(result.reason if isinstance(result, Dropped) else "")
        chunk.tokens.append(result.length)
        size = sum(len(segment.text) for segment in one.segments) if isinstance(one, Rendered) else 0
        chunk.characters.append(size)
        if isinstance(result, Packed):
            kept.append(result)
            chunk.cut += result.cut
    chunk.block = _block(kept)
    return chunk


def _rendered(row: Row, kind: str, template: str, encoder: Encoder) -> Rendered | str:
    try:
        return render(row, kind, template, encoder.tokenizer)
    except Unrenderable as refusal:
        return refusal.reason


def _block(kept: Sequence[Packed]) -> Block:
    ids = np.frombuffer(b"".join(one.ids for one in kept), np.int32)
    trained = np.frombuffer(b"".join(one.trained for one in kept), np.bool_)
    lengths = np.array([len(one.trained) for one in kept], dtype=np.int64)
    index = np.array([(one.n_prompt, one.segment, one.length) for one in kept], dtype=np.int32).reshape(-1, 3)
    return Block(ids, trained, lengths, index)


def _counted(rows: Sequence[Row], kind: str, encoder: Encoder) -> Chunk:
    """Lengths of rows that stay canonical; whatever trains on them cuts at the maximum, or drops here."""
    texts = [plain_text(row, kind) for row in rows]
    tokens = [len(ids) for ids in encoder.texts.ids(texts, split_specials=True)]
    drops = encoder.too_long == "drop" and kind != "extractive-qa"  # a long context is read in windows
    reasons = [TOO_LONG if drops and count > encoder.max_length else "" for count in tokens]
    cut = 0 if drops else sum(count > encoder.max_length for count in tokens)
    return Chunk(reasons, tokens, [len(text) for text in texts], None, cut)
