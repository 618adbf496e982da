"""Training speed on a CPU, side by side: the lab, plain TRL and LLaMA-Factory in turn, on the same rows.

    python benchmarks/training_cpu.py --model FOLDER --data FILE.json [--peer-python /path/to/python] [--rows 2000]

Each arm is a process of its own with the same model, examples, updates and LoRA settings; rounds are interleaved (a, b,
c, a, b, c), so that what else the machine does meets all of them alike. Ratios are taken inside a round. The result
is appended to benchmarks/results/training_cpu.jsonl and printed as a table. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "training_cpu.jsonl"


def rows_of(path: str, model: str, count: int, length: int) -> list[dict[str, str]]:
    """The first `count` different rows that fit into `length` tokens whole, so that no arm cuts or drops any."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(model) / "tokenizer.json"))
    text = Path(path).read_text(encoding="utf-8")
    table = json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines()]
    kept: dict[str, dict[str, str]] = {}
    for row in table:
        prompt = row.get("instruction") or row.get("question") or row.get("prompt") or ""
        prompt += ("\n" + row["input"] if row.get("input") else "") + "\n\n"
        completion = (row.get("output") or row.get("answer") or row.get("completion") or "").strip()
        fits = len(tokenizer.encode(prompt + completion).ids) <= length - 8
        if completion and fits and len(kept) < count:
            kept.setdefault(prompt.lower(), {"prompt": prompt, "completion": completion})
    return list(kept.values())


def run(arm: str, python: str, arguments: list[str], limit_s: float, threads: int | None) -> dict[str, Any]:
    """One arm once; what it printed last, with the load of the machine and the CPU time of the process."""
    hidden = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "DISABLE_VERSION_CHECK": "1", "TQDM_DISABLE": "1"}
    before, load = os.times(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="lab-bench-") as scratch:
        environment = os.environ | hidden | {"HF_HOME": scratch + "/hf", "HF_DATASETS_CACHE": scratch + "/cache"}
        if arm != "lab":
            environment.pop("OMP_WAIT_POLICY", None)  # others get what they get when a person starts them
        if threads:
            environment["OMP_NUM_THREADS"] = str(threads)
        command = [python, str(HERE / "training_arms.py"), arm, *arguments, scratch]
        try:
            done = subprocess.run(  # noqa: S603  # this file's own arms
                command, capture_output=True, text=True, env=environment, timeout=limit_s
            )
        except subprocess.TimeoutExpired:
            return {"arm": arm, "error": f"not done after {limit_s:.0f} s"}
    after = os.times()
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"arm"')]
    if done.returncode or not lines:
        return {"arm": arm, "error": (done.stderr.strip().splitlines() or ["no words"])[-1][:300]}
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return json.loads(lines[-1]) | {"cpu_s": round(cpu, 1), "load": [round(load, 1), round(os.getloadavg()[0], 1)]}


def ratios(rounds: list[list[dict[str, Any]]], key: str = "tokens_per_s") -> dict[str, dict[str, float]]:
    """The lab's tokens/s over each other arm's: median, lowest and highest over the rounds."""
    found: dict[str, list[float]] = {}
    for entries in rounds:
        by_arm = {entry["arm"]: entry for entry in entries if "error" not in entry}
        for arm, entry in by_arm.items():
            if arm != "lab" and "lab" in by_arm:
                found.setdefault(arm, []).append(by_arm["lab"][key] / entry[key])
    return {
        arm: {"median": round(statistics.median(v), 2), "low": round(min(v), 2), "high": round(max(v), 2), "n": len(v)}
        for arm, v in found.items()
    }


def table(name: str, rounds: list[list[dict[str, Any]]]) -> str:
    """The rounds as a Markdown table."""
    arms = list(dict.fromkeys(entry["arm"] for entries in rounds for entry in entries))
    lines = [f"| {name} | real tokens/s (each round) | lab / this | examples, updates | threads | last loss |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    told = ratios(rounds)
    for arm in arms:
        good = [e for entries in rounds for e in entries if e["arm"] == arm and "error" not in e]
        if not good:
            error = next(e["error"] for entries in rounds for e in entries if e["arm"] == arm)
            lines.append(f"| {arm} | {error} | | | | |")
            continue
        speeds = ", ".join(f"{entry['tokens_per_s']:,.0f}" for entry in good)
        ratio = f"{told[arm]['median']} ({told[arm]['low']} to {told[arm]['high']})" if arm in told else ""
        one = good[0]
        lines.append(f"| {arm} | {speeds} | {ratio} | {one['examples']}, {one['updates']} | {one['threads']} "
                     f"| {one['last_loss'] or float('nan'):.3f} |")  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    """Run the rounds, append the result and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", required=True, help="folder of a causal language model")
    parser.add_argument("--data", required=True, help="JSON or JSONL of instruction/output, question/answer or prompts")
    parser.add_argument("--peer-python", help="the Python of an environment that has LLaMA-Factory")
    parser.add_argument("--arms", default="lab,trl,llamafactory")
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=16, help="examples of an update")
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, help="the same number of threads for every arm; else each its own")
    parser.add_argument("--limit-s", type=float, default=3600)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    rows = rows_of(options.data, options.model, options.rows, options.length)
    arms = [arm for arm in options.arms.split(",") if arm != "llamafactory" or options.peer_python]
    rounds: list[list[dict[str, Any]]] = []
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
        file.flush()
        given = [options.model, file.name, str(options.batch), str(options.length)]
        for number in range(options.rounds):
            rounds.append([])
            for arm in arms if number % 2 == 0 else arms[::-1]:
                python = options.peer_python if arm == "llamafactory" else sys.executable
                rounds[-1].append(run(arm, python, given, options.limit_s, options.threads))
                print(json.dumps(rounds[-1][-1]), file=sys.stderr, flush=True)
    name = Path(options.model).name
    record = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "model": name, "data": Path(options.data).name,
        "rows": len(rows), "batch": options.batch, "length": options.length, "threads": options.threads,
        "cpus": os.cpu_count(),
        "machine": platform.machine(), "rounds": rounds, "ratios": ratios(rounds),
    }  # fmt: skip
    options.results.parent.mkdir(exist_ok=True)
    with options.results.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
    print(table(name, rounds))


if __name__ == "__main__":
    main()
