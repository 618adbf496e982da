"""The GPU benchmark runs from end to end on a CPU at a small size; what it measures there is not asserted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "benchmarks" / "gpu"
sys.path.append(str(FOLDER))

import parts  # noqa: E402
import shapes  # noqa: E402
import table  # noqa: E402

PARTS = list(parts.PARTS)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def run(models: Path, results: Path, *arguments: str) -> list[dict[str, Any]]:
    """The lines that a call of the benchmark appends."""
    common = ["--tiny", "--repeats", "1", "--updates", "2", "--results", str(results), "--models", str(models)]
    done = subprocess.run(
        [sys.executable, str(FOLDER / "run.py"), *arguments, *common], capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr
    return table.read(results)


# A few arms of each part: every kind of arm, of settings and of data.
SELECTED = [
    ("recipe001", "document 001 in bf16, 4", "llama-1b", 1),
    ("llamafactory", "", "llama-1b", 3),
    ("unsloth", "defaults", "llama-1b", 1),
    ("trl", "TRL packed", "llama-1b", 1),
    ("ours", "the lab + input", "llama-1b", 1),
    ("full", "", "gpt2-large", 2),
    ("memory", "lora 2", "llama-1b", 2),
]


@pytest.mark.slow
@pytest.mark.parametrize(("part", "select", "shape", "count"), SELECTED)
def test_each_part_runs_at_small_size(
    models: Path, tmp_path: Path, part: str, select: str, shape: str, count: int
) -> None:
    found = run(models, tmp_path / "gpu.jsonl", part, "--shape", shape, "--select", select)
    arms = [line for line in found if line["part"] == part]
    assert len(arms) == count
    assert [line["part"] for line in found if line not in arms] == ["ceilings"]
    for line in arms:
        if line["arm"] in ("unsloth", "llamafactory"):
            assert line["error"] == f"{line['arm']} is not installed"
            continue
        assert "error" not in line, line["error"]
        assert line["updates"] == 2 and line["tokens_per_s"] > line["label_tokens_per_s"] > 0
        assert line["peak_gib"] > 0 and line["startup_s"] > 0 and 0 <= line["pad_share"] < 1
        assert line["mfu"] is None and line["mfu_of_measured"] > 0  # a CPU has no datasheet here
        assert (line.get("plan_error") is not None) is (line["arm"] == "ours")
    assert arms[0]["name"] in table.document(found)


@pytest.mark.slow
def test_the_gates_of_equal_work_hold_on_this_machine(models: Path, tmp_path: Path) -> None:
    """Compiled blocks have a test of their own; liger-kernel is not among the requirements of the tests."""
    gates = "packing,kernel,stages,nf4,inputs,losses,liger"
    (line,) = run(models, tmp_path / "gpu.jsonl", "check", "--gates", gates)
    verdicts = {gate["name"]: gate["verdict"] for gate in line["gates"]}
    assert verdicts.pop("varlen kernel and one by one, bf16") == "needs a GPU"
    assert verdicts.pop("liger's kernels on and off") in ("liger-kernel is not installed", "same")
    assert len(verdicts) == 10 and set(verdicts.values()) == {"same"}


@pytest.mark.slow
def test_a_call_that_was_cut_off_goes_on_under_its_name(models: Path, tmp_path: Path) -> None:
    results = tmp_path / "gpu.jsonl"
    given = ("memory", "--select", "lora 2 checkpointed", "--session", "monday")
    first = run(models, results, *given)
    again = run(models, results, *given)
    assert [line["part"] for line in first] == ["ceilings", "memory"]
    assert [line["part"] for line in again] == ["ceilings", "memory", "ceilings"]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("shape", list(parts.TINY_SHAPES))
def test_every_arm_has_settings_that_its_trainer_takes(part: str, shape: str, tmp_path: Path) -> None:
    from trl import SFTConfig

    from lab.spec import RunSpec, with_overrides

    for job in parts.jobs_of(part, shape, tiny=False, updates=25):
        assert job["updates"] > job["warm"] and job["longest"] <= shapes.SHAPES[shape].get("n_positions", 8192)
        if job["arm"] == "ours":
            with_overrides(RunSpec(), job.get("set", {}))
            continue
        config = job["config"]
        if job["arm"] == "trl":  # fp16 and bf16 are refused where no GPU is
            SFTConfig(output_dir=str(tmp_path), use_cpu=True, **config | {"fp16": False, "bf16": False})
        size = config["per_device_train_batch_size"] * config.get("gradient_accumulation_steps", 1)
        assert config.get("packing") or size == job["batch"], job["name"]


def test_ratios_are_between_arms_of_the_same_examples_an_update_and_rank() -> None:
    for part in PARTS:
        jobs = parts.jobs_of(part, "llama-1b", tiny=False, updates=25)
        for group in {job["group"] for job in jobs}:
            mine = [job for job in jobs if job["group"] == group]
            assert len({(job["batch"], job["rank"], job["data"]) for job in mine}) == 1 or part == "memory"
            assert sum(bool(job.get("reference")) for job in mine) == (part != "memory"), (part, group)


def test_lengths_follow_the_list_that_they_are_drawn_from() -> None:
    found = sorted(shapes.lengths("alpaca", 4096, 2048))
    assert sum(found) / len(found) == pytest.approx(202, rel=0.03)
    assert found[0] >= 29 and found[-1] <= 707
    assert found[len(found) // 2] == pytest.approx(152, rel=0.06) and found[int(0.95 * len(found))] == pytest.approx(
        483, rel=0.03
    )
    rows = shapes.rows("alpaca", 20, 256, 64)
    assert all(row["input_ids"][-1] == 1 and row["labels"][-1] == 1 for row in rows)
    assert rows == shapes.rows("alpaca", 20, 256, 64)


def line_of(name: str, number: int, speed: float, **more: Any) -> dict[str, Any]:
    return {"name": name, "group": "64", "round": number, "tokens_per_s": speed, "reference": name == "the lab"} | more


def test_a_ratio_is_taken_inside_rounds_and_a_gap_below_the_spread_is_none() -> None:
    lab = [line_of("the lab", i, speed) for i, speed in enumerate((100, 200, 110))]
    slow = [line_of("slow", i, speed) for i, speed in enumerate((50, 80, 55))]
    near = [line_of("near", i, speed) for i, speed in enumerate((95, 190, 120))]
    assert table.ratio(lab, slow) == "2.00 (2.00 to 2.50)"
    assert table.ratio(lab, near) == "1.05 (0.92 to 1.05); none"
    assert table.ratio(lab, slow[:1]) == "2.00 (2.00 to 2.00); one round, no spread"
    assert table.ratio(lab, lab) == ""


def test_the_memory_table_says_how_many_points_are_within_the_aim() -> None:
    lines = [
        {"name": "a", "planned_allocated_gib": 10.3, "peak_gib": 10.0, "plan_error": 0.03},
        {"name": "b", "planned_allocated_gib": 9.0, "peak_gib": 10.0, "plan_error": -0.1},
        {"name": "c", "error": "OutOfMemoryError: CUDA out of memory."},
    ]
    told = table.memory_table("memory", "llama-1b", lines)
    assert "1 of 2 points within 5%" in told and "worst -10.0%" in told and "CUDA out of memory" in told


def test_model_flops_are_those_of_the_roofline(tmp_path: Path) -> None:
    """Llama 3.2 1B, LoRA 16 on all linear layers: 5.40 GFLOP a token, full 7.82, at 1,024 tokens counted as if not
    causal and every token trained (counted with torch's FlopCounterMode).
    """
    sys.path.append(str(REPOSITORY))
    import figures

    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"} | {
        name: value for name, value in shapes.SHAPES["llama-1b"].items() if name != "kind"
    }))  # fmt: skip
    found = {"label_tokens": 1, "tokens": 1}
    job = {"model": str(tmp_path / "config.json"), "rank": 16}
    # `lengths` of 2,048: a query sees 1,024 tokens on average.
    lora = figures.flops_per_token(job, found, [2048])
    full = figures.flops_per_token(job | {"full": True}, found, [2048])
    assert lora == pytest.approx(5.40e9, rel=0.01) and full == pytest.approx(7.82e9, rel=0.01)
