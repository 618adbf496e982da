"""The doctor: it sees the common errors, its suggestions end what they answer, and it names both sides of a dispute."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lab.catalogue import recipes, run_spec
from lab.catalogue.doctor import Report, apply, examine
from lab.catalogue.doctor_parts import Finding
from lab.catalogue.doctor_table import position
from lab.catalogue.exchange import read_setup
from lab.cli import main
from lab.models import ModelFacts, facts_of
from lab.planning import plan
from lab.spec import RunSpec, loads, settings, with_overrides

# A setup with nothing to say against: QLoRA's numbers on Alpaca's data.
GOOD = {
    "model.source": "TinyLlama/TinyLlama-1.1B-intermediate-step-1431k-3T",
    "data.source": "tatsu-lab/alpaca",
    "data.examples": 52_000,
    "schedule.epochs": 2.0,
    "checkpoints.every_steps": 500,
}
FULL = {"method.name": "full", "schedule.learning_rate": 2e-5, "schedule.accumulation": 16}


def setup(**changes: Any) -> RunSpec:
    named = {path.replace("__", "."): value for path, value in changes.items()}
    return with_overrides(RunSpec(), GOOD | named)


def report(spec: RunSpec, **more: Any) -> Report:
    return examine(spec, plan(spec), **more)


def codes(spec: RunSpec) -> set[str]:
    return {found.code for found in report(spec).findings}


def test_nothing_is_said_against_a_usual_setup() -> None:
    assert [found for found in report(setup()).findings if found.level != "info"] == []


# Each: what to change in the usual setup, and the finding that has to come of it.
SEEN: list[tuple[str, dict[str, Any]]] = [
    ("full-at-lora-rate", {**FULL, "model.source": "mistralai/Mistral-7B-v0.1", "schedule.learning_rate": 2e-4}),
    ("lora-at-full-rate", {"schedule.learning_rate": 1e-5}),
    ("verdict:schedule.learning_rate", {"schedule.learning_rate": 5e-3}),
    ("conflict:schedule.learning_rate", {"schedule.learning_rate": 0.5}),
    ("no-warmup", {**FULL, "schedule.warmup": 0.0}),
    ("conflict:schedule.warmup", {"schedule.warmup": 300, "schedule.max_steps": 200}),
    ("warmup-longer-than-run", {"schedule.warmup": 300, "schedule.epochs": 0.01}),
    ("verdict:schedule.accumulation", {"schedule.accumulation": 1, "schedule.per_device_batch": 2}),
    ("verdict:schedule.max_grad_norm", {"schedule.max_grad_norm": 0.0}),
    ("verdict:schedule.epochs", {"schedule.epochs": 42.0}),
    ("no-validation", {"data.validation_share": 0.0}),
    ("epochs-unwatched", {"data.validation_share": 0.0, "schedule.epochs": 8.0}),
    ("small-validation", {"data.examples": 300, "data.validation_share": 0.1}),
    ("trains-on-prompt", {"data.completion_only": False}),
    ("cut-loses-end", {"data.too_long": "cut"}),
    ("adapter-scale", {"method.rank": 8, "method.alpha": 256}),
    ("adapter-dropout", {"method.dropout": 0.2}),
    ("verdict:method.target_modules", {"method.target_modules": ["q_proj", "v_proj"]}),
    ("verdict:data.max_length", {"data.max_length": 100_000}),
    ("batch-larger-than-data", {"data.examples": 10}),
    ("evaluation-never", {"evaluation.every_steps": 900_000}),
    ("checkpoint-never", {"checkpoints.every_steps": 900_000}),
    ("checkpoints-all-the-time", {"checkpoints.every_steps": 2}),
    ("conflict:model.quantization", {"method.name": "qlora"}),
    ("optimizer-needs-gpu", {"resources.device": "cpu", "schedule.optimizer": "adamw-8bit"}),
    ("quantization-needs-gpu",
     {"resources.device": "cpu", "method.name": "qlora", "model.quantization": "nf4"}),
    ("fp16-on-cpu", {"resources.device": "cpu", "resources.precision": "fp16"}),
    ("fp16", {"resources.precision": "fp16"}),
    ("verdict:schedule.weight_decay", {"schedule.weight_decay": 0.5}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "changes"), SEEN, ids=[code for code, _ in SEEN])
def test_a_mistake_is_seen_and_its_suggestion_ends_it(code: str, changes: dict[str, Any]) -> None:
    spec = with_overrides(setup(), changes)
    assert code not in codes(setup())
    found = next(found for found in report(spec).findings if found.code == code)
    assert found.suggestion is not None and found.suggestion.reason.text
    after = apply(spec, found)
    assert code not in codes(after)
    assert after != spec


def test_every_suggestion_is_one_change_of_real_settings_and_no_two_are_the_same() -> None:
    known = {setting.path for setting in settings()}
    for _, changes in SEEN:
        found = report(with_overrides(setup(), changes)).findings
        made = [one.suggestion.change for one in found if one.suggestion]
        assert all(set(change) <= known for change in made)
        assert all(made.count(change) == 1 for change in made)


def test_applying_everything_in_turn_comes_to_rest() -> None:
    worst = {
        **FULL, "schedule.learning_rate": 0.5, "schedule.warmup": 5000, "schedule.max_steps": 1000,
        "schedule.max_grad_norm": 0.0, "data.validation_share": 0.0, "checkpoints.every_steps": 1,
        "evaluation.every_steps": 99_999, "schedule.per_device_batch": 1, "schedule.accumulation": 1,
        "data.completion_only": False, "data.too_long": "cut", "schedule.weight_decay": 1.0, "data.examples": 5_000,
    }  # fmt: skip
    spec = with_overrides(setup(), worst)
    for _ in range(30):
        left = [found for found in report(spec).findings if found.suggestion]
        if not left:
            break
        spec = apply(spec, left[0])
    assert [found.code for found in report(spec).findings if found.level == "error"] == []
    assert not left


@pytest.mark.parametrize(
    ("number", "changes"),
    [
        (1, {"schedule.learning_rate": 5e-3}),
        (2, {**FULL, "schedule.warmup": 0.0}),
        (3, {"schedule.accumulation": 1, "schedule.per_device_batch": 2}),
        (4, {"schedule.max_grad_norm": 0.0}),
        (5, {"schedule.epochs": 42.0}),
    ],
)
def test_the_five_common_errors_carry_their_number(number: int, changes: dict[str, Any]) -> None:
    found = report(with_overrides(setup(), changes)).findings
    assert number in {one.error_number for one in found}
    assert {one.error_number for one in report(setup()).findings} <= {None}


def test_the_documents_errors_are_corrected_by_the_literature() -> None:
    # 1e-4 is error 1 in document 000, and a usual rate for LoRA everywhere else.
    assert not codes(setup(schedule__learning_rate=1e-4)) & {"verdict:schedule.learning_rate", "lora-at-full-rate"}
    # A batch of 16 is error 3 there, and QLoRA's at every size.
    assert "verdict:schedule.accumulation" not in codes(setup(schedule__per_device_batch=4, schedule__accumulation=4))
    # No warmup is error 2 there, and harmless for LoRA.
    none = next(one for one in report(setup(schedule__warmup=0.0)).findings if one.code == "no-warmup")
    assert none.level == "info"


def test_both_sides_of_a_dispute_are_named() -> None:
    said = {entry.field: entry for entry in report(setup()).disagreements}
    rate = said["schedule.learning_rate"]
    assert any("document 000 L514" in side.source for side in rate.sides)
    assert any("document 001" in side.source for side in rate.sides)
    assert any("QLoRA" in side.source for side in rate.sides)
    assert "1e-04 to 3e-04" in rate.shown.text
    for entry in report(with_overrides(setup(), FULL)).disagreements:
        assert len(entry.sides) >= 2 and entry.shown.text and all(side.source for side in entry.sides)


def test_the_ratio_to_the_pretraining_rate_is_shown_and_not_judged() -> None:
    spec = with_overrides(setup(), {**FULL, "model.source": "huggyllama/llama-7b"})
    entry = next(one for one in report(spec).disagreements if "pre-training" in one.topic)
    assert "15 times lower" in entry.shown.text


def test_the_table_places_each_value_in_its_range() -> None:
    rows = {row.label: row for row in report(setup(schedule__learning_rate=3e-4, method__rank=8)).rows}
    assert (rows["Learning rate"].position, rows["Learning rate"].status) == (1.0, "ok")
    assert (rows["LoRA rank"].low, rows["LoRA rank"].high, rows["LoRA rank"].position) == (8, 64, 0.0)
    assert rows["Effective batch"].value == 16 and rows["Effective batch"].position == pytest.approx(0.5)
    assert 0 < rows["Maximum length"].position < 1
    for row in rows.values():
        assert row.why.text and row.position is not None and 0 <= row.position <= 1


@pytest.mark.parametrize(
    ("value", "low", "high", "log", "place"),
    [(5, 0, 10, False, 0.5), (1e-4, 1e-5, 1e-3, True, 0.5), (-3, 0, 1, False, 0.0), (9, 0, 1, False, 1.0),
     (1, 1, 1, True, 0.5), (0, 1, 2, True, 0.0)],
)  # fmt: skip
def test_the_place_in_a_range(value: float, low: float, high: float, log: bool, place: float) -> None:
    assert position(value, low, high, log=log) == pytest.approx(place)


def test_the_nearest_runs_are_of_the_same_method_task_and_size() -> None:
    seven = with_overrides(setup(), {**FULL, "model.source": "huggyllama/llama-7b"})
    near = report(seven).nearest
    assert {"alpaca", "zephyr_7b_full"} & {one.id for one in near[:4]}
    assert all(one.method == "full" and one.size_ratio is not None and 0.5 < one.size_ratio < 2 for one in near[:2])
    assert near == sorted(near, key=lambda one: (one.distance, one.id))
    tuned = report(setup()).nearest
    assert all(one.method in ("lora", "qlora", "any") for one in tuned[:3])


def test_what_only_a_foreign_file_can_say_is_judged_too() -> None:
    text = (
        "model_name_or_path: Qwen/Qwen2.5-0.5B\nlora_r: 8\nnum_train_epochs: 3\nmax_steps: 100\n"
        "completion_only_loss: false\npad_token: <|endoftext|>\ntrust_remote_code: true\nsave_strategy: 'no'\n"
    )
    imported = read_setup(text)
    spec = with_overrides(imported.spec, {"data.examples": 1000})
    found = {one.code for one in examine(spec, plan(spec), imported=imported).findings}
    assert {
        "adapter-settings-without-adapter", "trains-on-prompt", "padding-is-end", "remote-code", "checkpoint-off",
        "no-validation", "steps-and-epochs",
    } <= found  # fmt: skip


def test_a_chat_model_trained_in_another_form_is_noticed(tiny_llama: Path) -> None:
    chat = ModelFacts(**{**facts_of(tiny_llama).__dict__, "has_chat_template": True})
    spec = setup(data__template="alpaca")
    assert "other-template-than-chat" in {one.code for one in report(spec, facts=chat).findings}
    without = with_overrides(setup(), {"model.source": str(tiny_llama), "data.template": "chat"})
    assert "no-chat-template" in codes(without)


def test_a_length_in_characters_is_noticed_when_the_lengths_are_known() -> None:
    spec = setup(data__max_length=1024)
    known = plan(spec, examples=5000, mean_tokens=150.0, longest_tokens=260)
    found = next(one for one in examine(spec, known).findings if one.code == "characters-for-tokens")
    assert found.suggestion is not None and found.suggestion.change == {"data.max_length": 320}
    assert "characters-for-tokens" not in codes(spec)


@pytest.mark.parametrize("entry", [entry for entry in recipes() if entry.run], ids=lambda entry: entry.id)
def test_every_recipe_can_be_examined(entry: Any) -> None:
    spec = run_spec(entry)
    made = report(spec)
    assert made.rows or spec.method.name not in ("full", "lora", "qlora")
    json.dumps(made.as_dict())
    for found in made.findings:
        assert found.what.text and isinstance(found, Finding)
        apply(spec, found)


def test_an_unknown_model_leaves_the_rest_of_the_report() -> None:
    spec = with_overrides(setup(), {"model.source": "nobody/nothing-known"})
    made = report(spec)
    assert {row.label for row in made.rows} >= {"Effective batch", "Epochs", "Warmup"}


def test_an_examination_is_quick() -> None:
    spec = setup()
    report(spec)
    start = time.perf_counter()
    report(spec)
    assert time.perf_counter() - start < 0.1


def test_the_command_line_judges_a_foreign_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "axolotl.yaml"
    file.write_text(
        "base_model: mistralai/Mistral-7B-v0.1\ndatasets: [{path: tatsu-lab/alpaca, type: alpaca}]\n"
        "micro_batch_size: 1\nlearning_rate: 2e-4\nnum_epoch: 3\n"
    )
    assert main(["check", str(file), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["import"]["format"] == "axolotl"
    assert [note["near"] for note in answer["import"]["notes"]] == ["num_epochs"]
    assert "full-at-lora-rate" in {found["code"] for found in answer["report"]["findings"]}
    assert main(["check", str(file), "--set", "schedule.learning_rate=1e-5"]) == 0
    shown = capsys.readouterr()
    assert "--set" in shown.out and "num_epochs" in shown.err
    assert main(["check", str(tmp_path / "missing.yaml")]) == 2


def test_a_corrected_setup_can_be_written_and_read_again(tmp_path: Path) -> None:
    from lab.catalogue.exchange import export

    spec = setup(schedule__max_grad_norm=0.0)
    found = next(one for one in report(spec).findings if one.field == "schedule.max_grad_norm")
    assert loads(export(apply(spec, found), "spec").text).schedule.max_grad_norm == 1.0


def test_exporting_and_examining_import_no_training_library() -> None:
    code = (
        "import sys; from lab.catalogue.doctor import examine; from lab.catalogue.exchange import FORMATS, export\n"
        "from lab.planning import plan; from lab.spec import RunSpec\n"
        "spec = RunSpec(); examine(spec, plan(spec)); [export(spec, name, plan(spec)) for name in FORMATS]\n"
        "print([name for name in ('torch', 'transformers', 'trl', 'peft', 'datasets') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
