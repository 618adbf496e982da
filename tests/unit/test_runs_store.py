"""lab.db: one winner for each change of state, and ends that stay."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.errors import LabError, NotFoundError
from lab.runs.home import new_id
from lab.runs.states import ENDED, FROZEN, LANE_OF, MOVES
from lab.runs.store import Busy, RunRow, Store


def run_in(state: str, store: Store) -> RunRow:
    """A new run, taken to `state` by allowed moves."""
    run_id = store.insert(new_id(), "train")
    for next_state in {"queued": [], "starting": ["starting"], "running": ["starting", "running"]}.get(
        state, ["starting", "running", state]
    ):
        assert store.move(store.run(run_id), next_state)
    return store.run(run_id)


def test_of_many_that_change_a_state_at_once_exactly_one_wins() -> None:
    store = Store()
    row = run_in("queued", store)
    with ThreadPoolExecutor(8) as pool:
        wins = list(pool.map(lambda attempt: store.move(row, "starting", attempt=attempt), range(1, 17)))
    assert wins.count(True) == 1
    assert store.run(row.id).attempt == wins.index(True) + 1
    assert [after for _, after, _ in store.history(row.id)] == ["queued", "starting"]


@pytest.mark.parametrize("state", FROZEN)
def test_a_run_that_has_ended_never_changes_not_even_by_hand(state: str) -> None:
    store = Store()
    row = run_in(state, store)
    assert all(state not in targets or source != state for source, targets in MOVES.items())
    with sqlite3.connect(store.path) as db, pytest.raises(sqlite3.IntegrityError, match="never changes"):
        db.execute("update run set state = 'queued' where id = ?", (row.id,))
    with pytest.raises(ValueError, match="never goes"):
        store.move(row, "queued")
    assert store.run(row.id).state == state


def test_the_history_of_states_is_only_added_to() -> None:
    store = Store()
    run_in("running", store)
    for statement in ("update event set after = 'x'", "delete from event"):
        with sqlite3.connect(store.path) as db, pytest.raises(sqlite3.IntegrityError, match="only added"):
            db.execute(statement)


def test_a_key_makes_one_run_however_often_and_from_wherever_it_is_used() -> None:
    store = Store()
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: Store().insert(new_id(), "train", key="press"), range(20)))
    assert len(set(made)) == 1
    assert [row.id for row in store.runs()] == [made[0]]


def test_whoever_finds_the_data_base_in_use_waits_until_it_is_free() -> None:
    store = Store()
    run_in("queued", store)
    holder = sqlite3.connect(store.path, isolation_level=None, check_same_thread=False)
    holder.execute("begin exclusive")
    with ThreadPoolExecutor(2) as pool:
        written = pool.submit(store.expect, {"threads": 1})
        read = pool.submit(store.queued)
        time.sleep(0.3)
        assert not written.done() and not read.done()
        holder.execute("commit")
        holder.close()
        assert written.result() is None and len(read.result()) == 1
    assert store.expected() is not None


def test_a_data_base_that_stays_in_use_is_a_sentence_and_not_an_error_of_sqlite(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lab.runs.store.PATIENCE_S", 0.05)
    store = Store()
    row = run_in("queued", store)
    holder = sqlite3.connect(store.path, isolation_level=None)
    holder.execute("begin exclusive")
    for attempted in (store.queued, lambda: store.expect({}), lambda: store.move(row, "starting")):
        with pytest.raises(Busy) as caught:
            attempted()
        assert "in use by another program" in caught.value.message and caught.value.next
    holder.execute("commit")
    holder.close()
    assert store.run(row.id).state == "queued"


def test_many_that_open_a_new_data_base_at_once_all_succeed(tmp_path: Path) -> None:
    for number in range(20):
        path = tmp_path / f"{number}.db"
        with ThreadPoolExecutor(6) as pool:
            made = list(pool.map(lambda i, path=path: Store(path).insert(new_id(), "train", name=str(i)), range(6)))
        assert {row.id for row in Store(path).runs()} == set(made)


def test_a_wish_to_discard_is_not_weakened_to_stopping() -> None:
    store = Store()
    row = run_in("running", store)
    for wish, kept in (("stop", "stop"), ("discard", "discard"), ("stop", "discard")):
        store.wish(row.id, wish)
        assert store.run(row.id).wish == kept
    assert store.move(row, "stopping")  # read before the wish was made
    assert store.run(row.id).wish == "discard"


def test_resuming_forgets_the_wish_and_the_end() -> None:
    store = Store()
    row = run_in("running", store)
    store.wish(row.id, "stop")
    store.move(store.run(row.id), "interrupted", reason={"template": "why", "values": {}})
    store.move(store.run(row.id), "queued")
    again = store.run(row.id)
    assert (again.wish, again.ended, again.reason, again.state) == (None, None, None, "queued")


@pytest.mark.parametrize("state", ["queued", "starting", "running", "stopping"])
def test_a_run_that_has_not_ended_is_not_deleted(state: str) -> None:
    store = Store()
    row = run_in(state, store)
    assert not store.delete(row.id)
    assert store.run(row.id) == row


@pytest.mark.parametrize("state", ENDED)
def test_a_run_that_has_ended_is_deleted_with_its_intents(state: str) -> None:
    store = Store()
    row = run_in(state, store)
    store.ask(row.id, "resume")
    assert store.delete(row.id)
    assert store.intents() == []
    with pytest.raises(NotFoundError):
        store.run(row.id)


def test_lists_show_the_kinds_that_were_asked_for_newest_first() -> None:
    store = Store()
    made = [store.insert(new_id(), kind) for kind in ("train", "prepare", "train", "publish")]
    assert [row.id for row in store.runs()] == [made[2], made[0]]
    assert [row.id for row in store.runs(kinds=tuple(LANE_OF), limit=3)] == made[:0:-1]


def test_a_data_base_of_a_later_version_is_refused_and_left_alone() -> None:
    store = Store()
    store.insert(new_id(), "train")
    with sqlite3.connect(store.path) as db:
        db.execute("pragma user_version = 99")
    before = store.path.read_bytes()
    with pytest.raises(LabError, match="newer version"):
        store.runs()
    assert store.path.read_bytes() == before


def test_a_data_base_of_the_version_before_takes_word_of_a_likely_run(lab_home: Path) -> None:
    lab_home.mkdir()
    store = Store()
    store.insert("01ARZ3NDEKTSV4RRFFQ69G5FAV", "train")
    with sqlite3.connect(store.path) as db:  # as the version before left it
        db.execute("drop table likely")
        db.execute("pragma user_version = 1")
    store.expect({"threads": 1})
    store.expect({"threads": 2})
    assert store.is_busy()
    told = store.expected()
    assert told is not None
    assert told[0] == {"threads": 2}
    assert store.expected() is None
    assert [row.id for row in store.runs()] == ["01ARZ3NDEKTSV4RRFFQ69G5FAV"]
