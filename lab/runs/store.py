"""lab.db: who is in the queue and in which state, changed by compare-and-swap.

Only the supervisor moves a run from state to state; clients insert runs and intents. Journal mode DELETE,
because SQLite before 3.51.3 can corrupt a WAL data base; FULL, because a run that was accepted must survive a
power loss.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.runs.home import lab_home, no_such_run
from lab.runs.rows import Intent, RunRow, row_of
from lab.runs.schema import SCHEMA, VERSION
from lab.runs.states import ENDED, LANE_OF, MOVES
from lab.text import N_

__all__ = ["Busy", "Intent", "RunRow", "Store"]

PATIENCE_S = 60.0  # a commit waits for the disk, and a disk that takes a checkpoint of gigabytes answers late


class Busy(LabError):
    """Somebody else has had the data base for longer than anybody waits."""


class Store:
    """The data base of one LAB_HOME; each operation has its own connection, so that any thread may use it."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or lab_home() / "lab.db"

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self.path, timeout=PATIENCE_S, isolation_level=None)
        connection.row_factory = sqlite3.Row
        try:
            connection.execute("pragma synchronous = full")
            version = connection.execute("pragma user_version").fetchone()[0]
            if version < VERSION:
                connection.executescript(f"begin immediate; {SCHEMA} commit;")  # one wait for the disk, not twelve
            elif version > VERSION:
                raise LabError(
                    N_("{path} was written by a newer version of the lab."),
                    next=N_("Update the lab."),
                    path=self.path,
                )
            yield connection
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            raise Busy(
                N_("The lab's list of runs is in use by another program, or the disk is very slow."),
                where=str(self.path),
                next=N_("Try again in a moment. If it stays so, end other programs that open the file."),
            ) from error
        finally:
            connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._open() as connection:
            connection.execute("begin immediate")
            try:
                yield connection
            except BaseException:
                connection.execute("rollback")
                raise
            connection.execute("commit")

    def insert(
        self,
        run_id: str,
        kind: str,
        *,
        name: str = "",
        short: bool = False,
        parent: str | None = None,
        attempt: int = 0,
        key: str | None = None,
        created: float | None = None,
        state: str = "queued",
        reason: dict[str, Any] | None = None,
        ended: float | None = None,
    ) -> str:
        """Add a run and return its id; with a `key` that was used before, the id of the run that it made."""
        now = time.time()
        values = {
            "id": run_id,
            "kind": kind,
            "lane": LANE_OF[kind],
            "name": name,
            "short": short,
            "parent": parent,
            "attempt": attempt,
            "key": key,
            "created": created or now,
            "queued": now,
            "state": state,
            "reason": _text(reason),
            "ended": ended,
        }
        with self._transaction() as db:
            known = db.execute("select id from run where key = ? or id = ?", (key, run_id)).fetchone()
            if known:
                return str(known["id"])
            db.execute(
                "insert into run (id, kind, lane, name, short, parent, attempt, key, created, queued, state,"
                " reason, ended) values (:id, :kind, :lane, :name, :short, :parent, :attempt, :key, :created,"
                " :queued, :state, :reason, :ended)",
                values,
            )
            _log(db, run_id, None, state, attempt, "client")
        return run_id

    def run(self, run_id: str) -> RunRow:
        """The row of a run. Raises NotFoundError."""
        row = self.find(run_id)
        if row is None:
            raise no_such_run(run_id)
        return row

    def find(self, run_id: str) -> RunRow | None:
        """The row of a run; None when there is no such run."""
        rows = self._rows("select * from run where id = ?", run_id)
        return rows[0] if rows else None

    def runs(self, *, kinds: Sequence[str] = ("train",), limit: int = 1000) -> list[RunRow]:
        """The runs of these kinds, newest first."""
        query = "select * from run where kind in (select value from json_each(?)) order by id desc limit ?"
        return self._rows(query, json.dumps(list(kinds)), limit)

    def active(self) -> list[RunRow]:
        """The runs of which an attempt may be alive."""
        return self._rows("select * from active_run order by queued, id")

    def queued(self) -> list[RunRow]:
        """The runs that wait, first come first."""
        return self._rows("select * from run where state = 'queued' order by queued, id")

    def _rows(self, query: str, *values: object) -> list[RunRow]:
        with self._open() as db:
            return [row_of(found) for found in db.execute(query, values)]

    def ask(self, run_id: str, kind: str) -> None:
        """Leave an intent for the supervisor."""
        with self._transaction() as db:
            db.execute("insert into intent (run, kind, created) values (?, ?, ?)", (run_id, kind, time.time()))

    def intents(self) -> list[Intent]:
        """What the supervisor has not dealt with yet, in order."""
        with self._open() as db:
            return [Intent(**row) for row in db.execute("select id, run, kind from intent order by id")]

    def settle(self, intent: Intent) -> None:
        """Forget an intent that was dealt with."""
        with self._transaction() as db:
            db.execute("delete from intent where id = ?", (intent.id,))

    def expect(self, request: dict[str, Any]) -> None:
        """Leave word for the supervisor that a run with such a request is likely; the last word counts."""
        with self._transaction() as db:
            db.execute("insert or replace into likely values (1, ?, ?)", (json.dumps(request), time.time()))

    def expected(self) -> tuple[dict[str, Any], float] | None:
        """The request that is likely, and the unix seconds at which somebody said so; forgotten with this call."""
        with self._open() as db:
            found = db.execute("select request, t from likely").fetchone()
            if found is None:
                return None
            db.execute("delete from likely where t = ?", (found["t"],))
        return json.loads(found["request"]), float(found["t"])

    def wish(self, run_id: str, wish: str) -> None:
        """Note that a person wants an active run stopped; discard is never weakened to stop."""
        with self._transaction() as db:
            db.execute(
                "update run set wish = ? where id in (select id from active_run) and id = ? and wish is not 'discard'",
                (wish, run_id),
            )

    def move(
        self,
        row: RunRow,
        state: str,
        *,
        actor: str = "supervisor",
        attempt: int | None = None,
        reason: dict[str, Any] | None = None,
    ) -> bool:
        """Change the state of the run, if nobody has changed it since `row` was read; tells if it did."""
        if state not in MOVES[row.state]:
            raise ValueError(f"a run never goes from {row.state} to {state}")
        now = time.time()
        values = {
            "id": row.id,
            "before": row.state,
            "version": row.version,
            "state": state,
            "attempt": row.attempt if attempt is None else attempt,
            "reason": _text(reason),
            "queued": now if state == "queued" else row.queued,
            "started": now if state == "starting" else row.started,
            "ended": now if state in ENDED else None,
        }
        with self._transaction() as db:
            changed = db.execute(
                "update run set state = :state, version = version + 1, attempt = :attempt, reason = :reason,"
                " wish = case when :state = 'queued' then null else wish end,"
                " queued = :queued, started = :started, ended = :ended"
                " where id = :id and state = :before and version = :version",
                values,
            ).rowcount
            if changed:
                _log(db, row.id, row.state, state, int(str(values["attempt"])), actor)
        return bool(changed)

    def delete(self, run_id: str) -> bool:
        """Forget a run that has ended, with its intents; tells whether it was there and had ended."""
        with self._transaction() as db:
            gone = db.execute("delete from run where id in (select id from ended_run) and id = ?", (run_id,)).rowcount
            if gone:
                db.execute("delete from intent where run = ?", (run_id,))
        return bool(gone)

    def history(self, run_id: str) -> list[tuple[str | None, str, int]]:
        """Every change of state of a run: (before, after, attempt)."""
        with self._open() as db:
            found = db.execute("select before, after, attempt from event where run = ? order by id", (run_id,))
            return [(row["before"], row["after"], row["attempt"]) for row in found]

    def is_busy(self) -> bool:
        """Whether the supervisor has anything to do: an intent, a run that waits or may be alive."""
        with self._open() as db:
            found = db.execute(
                "select exists (select 1 from intent) or exists (select 1 from likely) or exists"
                " (select 1 from run where id not in (select id from ended_run))"
            )
            return bool(found.fetchone()[0])

    def has_intent(self, run_id: str) -> bool:
        """Whether the supervisor still has to deal with an intent for this run."""
        with self._open() as db:
            return db.execute("select 1 from intent where run = ?", (run_id,)).fetchone() is not None


def _log(db: sqlite3.Connection, run: str, before: str | None, after: str, attempt: int, actor: str) -> None:
    db.execute(
        "insert into event (run, before, after, attempt, t, actor) values (?, ?, ?, ?, ?, ?)",
        (run, before, after, attempt, time.time(), actor),
    )


def _text(reason: dict[str, Any] | None) -> str | None:
    return json.dumps(reason, ensure_ascii=False) if reason else None
