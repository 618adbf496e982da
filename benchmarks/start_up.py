"""Seconds from the submission of a run to the end of its first optimizer step, with and without the standby.

    python benchmarks/start_up.py [--model FOLDER --data FILE.json] [--rows 100] [--rounds 3]

The demo, and with a model and a file also a run on its first rows, prepared before; cold and warm in turn, in a home
of their own. Times are those of the run's own events. The load of the machine stands beside each: on a busy one the
figures say little. The result is printed as a table. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
STEPS = 20  # of the other run; each is discarded after its first step


def prepared(folder: Path, data: str, model: str, count: int) -> str:
    """The first rows of a file as a prepared data set; its id."""
    text = Path(data).read_text(encoding="utf-8")
    rows = json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines()]
    part = folder / "rows.jsonl"
    part.write_text("".join(json.dumps(row) + "\n" for row in rows[:count]), encoding="utf-8")
    command = [sys.executable, "-m", "lab", "data", "prepare", str(part), "--set", f"model.source={model}", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=HERE.parent)  # noqa: S603
    return str(json.loads(done.stdout)["dataset"])


def waits() -> bool:
    """Whether the standby of this home has imported everything: it has used no processor for a second."""
    import psutil

    for process in psutil.process_iter():
        try:
            ours = process.environ().get("LAB_HOME") == os.environ["LAB_HOME"]
            if ours and "lab.jobs.standby_worker" in process.cmdline():
                before = process.cpu_times()
                time.sleep(1.0)
                return process.memory_info().rss > 300 * 2**20 and process.cpu_times() == before
        except (psutil.Error, OSError):
            continue  # gone meanwhile, or somebody else's
    return False


def first_step(spec: Any, plan: dict[str, Any], *, warm: bool) -> dict[str, Any]:
    """Start a run and discard it after its first step; the seconds until then, and of the phases before."""
    from lab.runs import client, likely
    from lab.runs.directory import RunDirectory
    from lab.runs.events import tail_events
    from lab.runs.store import Store
    from lab.runs.supervision import end_supervisor

    end_supervisor()
    client.ensure_supervisor()
    if warm:
        likely._said.clear()
        likely.expect(spec)
    while warm and not waits():
        time.sleep(0.2)
    time.sleep(1.0)
    load = os.getloadavg()[0]
    run = client.submit(spec, plan=plan)
    path, done = RunDirectory.of(run).events_path, None
    while done is None:
        time.sleep(0.05)
        events = tail_events(path)[0]
        done = next((event["t"] for event in events if event["kind"] == "metric" and event["step"] == 1), None)
    client.stop(run, discard=True)
    client.wait(run, 120)
    start = next(event for event in events if event["kind"] == "start")
    phases = {event["phase"]: event["seconds"] for event in events if event.get("status") == "end"}
    seconds = round(done - Store().run(run).created, 2)
    return {"start": start["start"], "why": start["why"], "first_step_s": seconds, "phases": phases, "load": load}


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model")
    parser.add_argument("--data")
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    sys.path.insert(0, str(HERE.parent))
    with tempfile.TemporaryDirectory(prefix="lab-start-") as folder:
        os.environ["LAB_HOME"] = folder + "/home"
        from lab.catalogue.recipes import recipe, run_spec
        from lab.cli.checks import check_run
        from lab.runs.supervision import end_supervisor
        from lab.spec import RunSpec, with_overrides

        specs = {"demo": run_spec(recipe("demo"))}
        if asked.model and asked.data:
            data = prepared(Path(folder), asked.data, asked.model, asked.rows)
            given = {"model.source": asked.model, "data.source": data, "schedule.max_steps": STEPS}
            specs[Path(asked.model).name] = with_overrides(RunSpec(), given)
        found: dict[tuple[str, str], list[float]] = {}
        for _ in range(asked.rounds):
            for name, spec in specs.items():
                checked = check_run(spec)
                for how in ("cold", "warm"):
                    told = first_step(checked.spec, checked.plan, warm=how == "warm")
                    print(name, json.dumps(told), flush=True)
                    found.setdefault((name, how), []).append(told["first_step_s"])
        end_supervisor()
    for (name, how), seconds in found.items():
        print(f"{name:<16}{how:<6}median {statistics.median(seconds):6.2f} s   {sorted(seconds)}")


if __name__ == "__main__":
    main()
