"""The CPU benchmark runs from end to end at a small size; what it measures is not asserted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def run(*arguments: str) -> None:
    done = subprocess.run([sys.executable, *arguments], cwd=REPOSITORY, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_cpu_benchmark_gives_every_arm_the_same_examples_and_updates(tiny_llama: Path, tmp_path: Path) -> None:
    data = tmp_path / "rows.jsonl"
    rows = [{"question": f"What is {i}?", "answer": f"It is {i * i}."} for i in range(24)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    results = tmp_path / "cpu.jsonl"
    run(
        "benchmarks/training_cpu.py", "--model", str(tiny_llama), "--data", str(data), "--arms", "lab,lab-plain,trl",
        "--batch", "4", "--length", "128", "--rounds", "1", "--rows", "24", "--results", str(results),
    )  # fmt: skip
    (record,) = lines(results)
    arms = {entry["arm"]: entry for entry in record["rounds"][0]}
    assert set(record["ratios"]) == {"lab-plain", "trl"}, arms
    assert {(entry["examples"], entry["updates"], entry["tokens"]) for entry in arms.values()} == {
        (24, 6, arms["lab"]["tokens"])
    }
