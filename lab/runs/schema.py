"""The tables of lab.db: an index and a queue. The truth about a run is its directory."""

from __future__ import annotations

from lab.runs.states import ACTIVE, ENDED, FROZEN

VERSION = 2  # 2: the table `likely`; every statement leaves alone what is there


def _listed(states: tuple[str, ...]) -> str:
    return ", ".join(f"'{state}'" for state in states)


SCHEMA = f"""
create table if not exists run (
    id text primary key,
    kind text not null,
    lane text not null,
    name text not null default '',
    state text not null default 'queued' check (state in (
        'queued', 'starting', 'running', 'stopping', 'succeeded', 'failed', 'cancelled', 'interrupted')),
    version integer not null default 0,
    attempt integer not null default 0,
    short integer not null default 0,
    parent text,
    wish text check (wish in ('stop', 'discard')),
    reason text,
    key text unique,
    created real not null,
    queued real not null,
    started real,
    ended real
);
create index if not exists run_by_state on run (state, lane, queued);
create view if not exists active_run as select * from run where state in ({_listed(ACTIVE)});
create view if not exists ended_run as select * from run where state in ({_listed(ENDED)});
create table if not exists intent (
    id integer primary key autoincrement,
    run text not null,
    kind text not null check (kind in ('stop', 'discard', 'resume')),
    created real not null
);
create table if not exists likely (
    id integer primary key check (id = 1),
    request text not null,
    t real not null
);
create table if not exists event (
    id integer primary key autoincrement,
    run text not null,
    before text,
    after text not null,
    attempt integer not null,
    t real not null,
    actor text not null
);
create trigger if not exists frozen before update on run
when old.state in ({_listed(FROZEN)}) and (new.state is not old.state or new.version is not old.version)
begin select raise(abort, 'a run that has ended never changes'); end;
create trigger if not exists event_kept before update on event
begin select raise(abort, 'events are only added'); end;
create trigger if not exists event_never_deleted before delete on event
begin select raise(abort, 'events are only added'); end;
pragma user_version = {VERSION};
"""  # noqa: S608  # made of constants of this package
