"""`runs ...`: what has run, what runs, and what to do with it."""

from __future__ import annotations

import argparse
import time
from typing import Any

from lab.cli.arguments import Commands, add_run_argument, add_waiting_arguments, command, group
from lab.cli.output import Output, facts, table
from lab.cli.train import follow, summary
from lab.cli.waiting import wait_for
from lab.cli.words import duration, metric, number, percent


def add(commands: Commands) -> None:
    """Add the group of commands."""
    runs = group(commands, "runs", "what has run and what runs")
    listed = command(runs, "list", "runs, newest first", list_runs)
    listed.add_argument("--all", action="store_true", help="also preparations, evaluations, generations, uploads")
    listed.add_argument("--limit", type=int, default=50, metavar="N", help="at most N runs (default 50)")
    add_run_argument(command(runs, "show", "one run", show))
    logs = command(runs, "logs", "what the worker of a run printed", logs_of)
    add_run_argument(logs)
    logs.add_argument("--tail", type=int, metavar="N", help="only the last N lines")
    stop = command(runs, "stop", "stop a run at its next step and keep a checkpoint", stop_run)
    add_run_argument(stop)
    stop.add_argument("--discard", action="store_true", help="end it for good")
    stop.add_argument("--wait", action="store_true", help="wait until it has stopped")
    resume = command(runs, "resume", "let an interrupted run go on from its newest checkpoint", resume_run)
    longer = command(runs, "continue", "let a short run go on as the full run", continue_run)
    for added in (resume, longer):
        add_run_argument(added)
        add_waiting_arguments(added)
    add_run_argument(command(runs, "delete", "remove a run with everything that it made", delete_run))
    compare = command(runs, "compare", "settings and results of two runs side by side", compare_runs)
    compare.add_argument("first", metavar="ID", help="a run's id, or `last`")
    compare.add_argument("second", metavar="ID", help="the other's")
    command(runs, "reindex", "make lab.db again from the run directories", reindex_runs)


def list_runs(arguments: argparse.Namespace, output: Output) -> int:
    """Print the runs in a table."""
    from lab.runs import client
    from lab.runs.states import LANE_OF

    kinds = tuple(LANE_OF) if arguments.all else ("train",)
    found = [client.show(row.id) for row in client.list_runs(kinds, limit=arguments.limit)]
    keys = ("run", "kind", "name", "state", "step", "steps", "progress", "eta_s", "created", "parent")
    records = [{key: run[key] for key in keys} for run in found]
    rows = [
        [
            run["run"],
            run["kind"],
            run["name"],
            run["state"],
            percent(run["progress"]),
            _loss(run),
            _ago(run["created"]),
        ]
        for run in found
    ]
    heads = ["Run", "Kind", "Name", "State", "Done", "Held-out loss", "Age"]
    output.answer({"runs": records}, table(rows, heads) if rows else "There are no runs yet: python -m lab demo")
    return 0


def show(arguments: argparse.Namespace, output: Output) -> int:
    """Print one run."""
    from lab.runs import client

    run = client.show(resolve(arguments.id))
    final = _flat((run["result"] or {}).get("final") or {})
    step = f"{run['step'] or 0} of {run['steps']}" if run["steps"] else ""
    output.answer(
        run,
        facts(
            [
                ("run", run["run"]),
                ("name", run["name"]),
                ("kind", run["kind"]),
                ("state", run["state"]),
                ("phase", run["phase"]),
                ("step", step),
                ("done", percent(run["progress"])),
                ("time left", duration(run["eta_s"])),
                *((name, metric(name, value)) for name, value in run["metrics"].items()),
                *((f"final {name}", metric(name, value)) for name, value in final.items()),
                ("why", _why(run)),
                ("directory", run["directory"]),
            ]
        ),
    )
    return 0


def logs_of(arguments: argparse.Namespace, output: Output) -> int:
    """Print what the worker printed."""
    from lab.runs.directory import RunDirectory

    run = resolve(arguments.id)
    text = RunDirectory.of(run).log_text(tail=arguments.tail)
    output.answer({"run": run, "log": text}, text)
    return 0


def stop_run(arguments: argparse.Namespace, output: Output) -> int:
    """Ask a run to stop."""
    from lab.runs import client

    run = resolve(arguments.id)
    client.stop(run, discard=arguments.discard)
    state = wait_for(run).state if arguments.wait else client.show(run)["state"]
    output.answer({"run": run, "state": state}, f"{run}: {state if arguments.wait else 'asked to stop'}")
    return 0


def resume_run(arguments: argparse.Namespace, output: Output) -> int:
    """Let an interrupted run go on."""
    from lab.runs import client

    run = resolve(arguments.id)
    client.resume(run)
    return follow(run, output, wait=arguments.wait)


def continue_run(arguments: argparse.Namespace, output: Output) -> int:
    """Queue the full run that a short run was the beginning of."""
    from lab.runs import client

    return follow(client.continue_full(resolve(arguments.id)), output, wait=arguments.wait)


def delete_run(arguments: argparse.Namespace, output: Output) -> int:
    """Remove a run."""
    from lab.runs import client

    run = resolve(arguments.id)
    client.delete(run)
    output.answer({"run": run, "deleted": True}, f"{run} is deleted.")
    return 0


def compare_runs(arguments: argparse.Namespace, output: Output) -> int:
    """Print the settings in which two runs differ, and how each ended."""
    from lab import spec as specs
    from lab.runs.directory import RunDirectory
    from lab.runs.view import read_run

    ids = [resolve(arguments.first), resolve(arguments.second)]
    first, second = (RunDirectory.of(run).spec for run in ids)
    settings = specs.difference(first, second)
    results = [summary(read_run(run)) for run in ids]
    finals = [_flat(result["final"]) for result in results]
    names = list(dict.fromkeys(name for final in finals for name in final))
    rows: list[list[Any]] = [[path, *map(str, pair)] for path, pair in settings.items()]
    rows += [[name, *(number(final.get(name), 4) for final in finals)] for name in names]
    record = {"runs": results, "settings": {path: list(pair) for path, pair in settings.items()}}
    output.answer(record, table(rows, ["", *ids]))
    return 0


def _flat(final: dict[str, Any]) -> dict[str, Any]:
    """The final figures by name, each score of a model with labels and what it was before under its own."""
    parts = {"scores": "{}", "scores_before": "{} before"}
    flat = {name: value for name, value in final.items() if name not in parts}
    for part, form in parts.items():
        flat |= {form.format(name): value for name, value in (final.get(part) or {}).items()}
    return flat


def reindex_runs(arguments: argparse.Namespace, output: Output) -> int:
    """Make lab.db again."""
    from lab.runs.reindex import reindex
    from lab.runs.supervision import ensure_supervisor

    done = reindex()
    ensure_supervisor()  # what waits or still works is taken up again
    output.answer(
        {"added": done.added, "known": done.known},
        f"{done.added} runs added, {done.known} were known already.",
    )
    return 0


def resolve(identifier: str) -> str:
    """The run that a person named: an id, or `last`. Raises NotFoundError."""
    from lab.runs import client
    from lab.runs.home import no_such_run
    from lab.runs.store import Store

    if identifier == "last":
        newest = client.list_runs(limit=1)
        if not newest:
            raise no_such_run(identifier)
        return newest[0].id
    return Store().run(identifier.strip().upper()).id


def _loss(run: dict[str, Any]) -> str:
    return number(run["metrics"].get("eval_loss"))


def _ago(created: float) -> str:
    return duration(max(0.0, time.time() - created))


def _why(run: dict[str, Any]) -> str:
    from lab.text import fill

    if run["error"]:
        return str(run["error"]["message"])
    reason = run["reason"]
    return fill(reason["template"], reason["values"]) if reason else ""
