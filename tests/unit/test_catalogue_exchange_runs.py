"""The exported script and the exported TRL YAML, really run for two steps; and the script against the lab's tokens."""

from __future__ import annotations

import json
import os
import runpy
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.catalogue import Recipe, recipes, run_spec
from lab.catalogue.exchange import export
from lab.planning import plan
from lab.spec import RunSpec, setting_at, with_overrides

ROWS = [{"prompt": f"Question {n}: what is {n} + {n}?\nAnswer:", "completion": f" {2 * n}."} for n in range(40)]
SPEC = {
    "method.rank": 4,
    "data.max_length": 64,
    "data.validation_share": 0.2,
    "schedule.max_steps": 2,
    "schedule.accumulation": 1,
    "evaluation.samples": 2,
    "evaluation.max_new_tokens": 8,
    "resources.device": "cpu",
    "resources.precision": "fp32",
    "checkpoints.every_steps": 2,
}


@pytest.fixture
def spec(tiny_llama: Path, tmp_path: Path) -> RunSpec:
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    places = {"model.source": str(tiny_llama), "data.source": str(data)}
    columns = {"data.columns": {"prompt": "prompt", "completion": "completion"}, "data.template": "plain"}
    return with_overrides(RunSpec(), SPEC | places | columns)


def ran(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "hf"), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "",
        "TRL_EXPERIMENTAL_SILENCE": "1", "PYTHONPATH": "",
    }  # fmt: skip
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done


def trained(folder: Path) -> bool:
    """Whether the adapter learned: the matrices that start at zero are no longer zero."""
    from safetensors.torch import load_file

    weights = load_file(folder / "adapter_model.safetensors")
    return any(float(value.abs().max()) > 0 for name, value in weights.items() if "lora_B" in name)


@pytest.mark.slow
def test_the_script_trains_two_steps_without_the_lab(spec: RunSpec, tmp_path: Path) -> None:
    made = export(spec, "script", plan(spec))
    (tmp_path / made.filename).write_text(made.text)
    done = ran([sys.executable, "-I", made.filename], tmp_path)
    assert "32 rows, 0 left out" in done.stdout and "8 rows, 0 left out" in done.stdout
    assert "before: " in done.stdout and "after: " in done.stdout
    assert trained(tmp_path / "fine-tuned" / "final")
    state = json.loads((tmp_path / "fine-tuned" / "checkpoint-2" / "trainer_state.json").read_text())
    assert state["global_step"] == 2


@pytest.mark.slow
def test_trl_trains_two_steps_from_the_exported_yaml(spec: RunSpec, tmp_path: Path) -> None:
    made = export(spec, "trl-yaml", plan(spec))
    (tmp_path / made.filename).write_text(made.text)
    ran([sys.executable, "-m", "trl.scripts.sft", "--config", made.filename], tmp_path)
    assert trained(tmp_path / "trl-sft")
    state = json.loads((tmp_path / "trl-sft" / "checkpoint-2" / "trainer_state.json").read_text())
    assert state["global_step"] == 2
    assert any("eval_loss" in entry for entry in state["log_history"])


@pytest.mark.slow
@pytest.mark.parametrize("entry", [entry for entry in recipes() if entry.run], ids=lambda entry: entry.id)
def test_trl_s_own_parser_takes_every_recipe_as_yaml_and_as_arguments(entry: Recipe, tmp_path: Path) -> None:
    from trl import DatasetMixtureConfig, ModelConfig, ScriptArguments, SFTConfig, TrlParser

    spec = with_overrides(run_spec(entry), {"resources.device": "cpu", "resources.precision": "fp32"})
    file = tmp_path / "trl.yaml"
    file.write_text(export(spec, "trl-yaml", plan(spec)).text)
    command = export(spec, "trl-command", plan(spec)).text.partition("\ntrl sft")[2]
    for words in (["--config", str(file)], shlex.split(command.replace("\\\n", " "))):
        parser = TrlParser((ScriptArguments, SFTConfig, ModelConfig, DatasetMixtureConfig))
        _, training, model, _ = parser.parse_args_and_config(words, fail_with_unknown_args=True)
        assert training.learning_rate == pytest.approx(spec.schedule.learning_rate)
        assert (training.warmup_steps, training.seed) == (spec.schedule.warmup, spec.seed)
        assert model.use_peft == (spec.method.name in ("lora", "qlora"))


def script_of(spec: RunSpec, folder: Path, **known: Any) -> dict[str, Any]:
    file = folder / "fine_tune.py"
    file.write_text(export(spec, "script", **known).text)
    return runpy.run_path(str(file))


KINDS: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("question-answer", "auto", [{"question": f"What is {n}?", "answer": f"It is {n}."} for n in range(9)]),
    ("question-answer", "question-answer",
     [{"question": "Why?", "context": "a text", "answer": "So."}, {"question": "How?", "context": "", "answer": "A."}]),
    ("instruction", "alpaca",
     [{"instruction": "Add.", "input": "1 2", "output": "3"}, {"instruction": "Say", "input": "", "output": "No."}]),
    ("prompt-completion", "plain", [{"prompt": "One, two,", "completion": " three </s> four"}] * 2),
    ("messages", "question-answer",
     [{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"},
                    {"role": "user", "content": "And?"}, {"role": "assistant", "content": "So"}]}] * 2),
    ("text", "plain", [{"text": "A whole text."}, {"text": "Another one."}]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "template", "rows"), KINDS, ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("model", ["tiny_llama", "demo_model"])
def test_the_script_makes_the_same_ids_and_labels_as_the_lab(
    kind: str, template: str, rows: list[dict[str, Any]], model: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    from lab.data.templates import choose, render
    from lab.data.tokens import Dropped, encode

    folder = request.getfixturevalue(model)
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    changes = {"model.source": str(folder), "data.source": str(data), "data.template": template}
    spec = with_overrides(RunSpec(), changes)
    script = script_of(spec, tmp_path, kind=kind, columns={name: name for name in rows[0]})
    tokenizer = script["load_tokenizer"]()
    found, with_roles = script["with_roles"](script["read_rows"]())
    assert found == kind
    chosen = choose(template, kind, tokenizer)
    assert script["template_of"](kind, tokenizer) == chosen
    for row, ours in zip(with_roles, rows, strict=True):
        parts = script["settled"](script["segments"](row, kind, chosen, tokenizer), tokenizer, chosen)
        made = script["encode"](parts, tokenizer, chosen)
        wanted = encode(render(ours, kind, chosen, tokenizer), tokenizer, max_length=512)
        assert not isinstance(wanted, Dropped)
        assert made == {"input_ids": wanted.input_ids, "labels": wanted.labels}
        assert made["labels"][-1] == tokenizer.eos_token_id


def test_the_script_holds_out_the_same_rows_as_the_lab(tiny_llama: Path, tmp_path: Path) -> None:
    from lab.data.split import assign

    rows = [{"question": f"What is {n % 30}?", "answer": f"It is {n}."} for n in range(60)]
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = with_overrides(RunSpec(), {"model.source": str(tiny_llama), "data.source": str(data), "seed": 3})
    script = script_of(spec, tmp_path, kind="question-answer", columns={"question": "question", "answer": "answer"})
    kind, with_roles = script["with_roles"](script["read_rows"]())
    train, held_out = script["hold_out"](with_roles, kind)
    parts = assign(rows, kind, share=0.1, seed=3)
    assert [row["answer"] for row in held_out] == [
        row["answer"] for row, part in zip(rows, parts, strict=True) if part == "validation"
    ]
    assert len(train) + len(held_out) == len(rows)


@pytest.mark.parametrize("scheduler", setting_at("schedule.scheduler").choices)
def test_the_script_schedules_as_the_lab_does(scheduler: str, tiny_llama: Path, tmp_path: Path) -> None:
    from lab.planning.schedule import course_of, transformers_scheduler

    changes = {"model.source": str(tiny_llama), "schedule.scheduler": scheduler, "resources.device": "cpu"}
    spec = with_overrides(RunSpec(), changes | {"resources.precision": "fp32"})
    told = script_of(spec, tmp_path)["arguments"](200, True)
    name, options = transformers_scheduler(course_of(spec.schedule, 200), spec.schedule.learning_rate)
    assert (told.lr_scheduler_type, told.lr_scheduler_kwargs or {}) == (name, options)
    assert (told.eval_steps, told.save_steps, told.data_seed) == (20, 20, spec.seed)


def test_the_script_reads_the_encoding_that_the_setup_names(tiny_llama: Path, tmp_path: Path) -> None:
    data = tmp_path / "rows.csv"
    data.write_bytes(b"question,answer\n" + "Été ?,Août.\n".encode("cp1252"))
    changes = {"model.source": str(tiny_llama), "data.source": str(data), "data.encoding": "cp1252"}
    script = script_of(with_overrides(RunSpec(), changes), tmp_path)
    assert script["read_rows"]() == [{"question": "Été ?", "answer": "Août."}]


def test_padding_is_masked_by_length_and_the_end_token_is_not(tiny_llama: Path, tmp_path: Path) -> None:
    spec = with_overrides(RunSpec(), {"model.source": str(tiny_llama)})
    collate: Callable[..., Any] = script_of(spec, tmp_path)["collator"](2)
    batch = collate([{"input_ids": [5, 6, 2], "labels": [-100, 6, 2]}, {"input_ids": [7, 2], "labels": [7, 2]}])
    assert batch["labels"].tolist() == [[-100, 6, 2], [7, 2, -100]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
