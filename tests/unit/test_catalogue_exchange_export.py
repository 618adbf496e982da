"""Setups in the form of other tools: every key is one that the tool knows, and nothing is dropped in silence."""

from __future__ import annotations

import ast
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.catalogue import recipes, run_spec
from lab.catalogue.exchange import FORMATS, Export, export, foreign
from lab.cli import main
from lab.errors import InputError
from lab.planning import plan
from lab.spec import RunSpec, loads, setting_at, settings, value_at, with_overrides

YAML_TOOLS = {"trl-yaml": "trl", "axolotl": "axolotl", "llamafactory": "llamafactory"}
RUNNABLE = [entry for entry in recipes() if entry.run]

# Everything that can be switched on, so that every branch of an export writes its keys.
FULL_OF_SETTINGS = {
    "name": "every setting",
    "model.source": "HuggingFaceTB/SmolLM2-135M",
    "model.revision": "main",
    "model.quantization": "nf4",
    "method.name": "qlora",
    "method.target_modules": ["q_proj", "v_proj"],
    "data.source": "tatsu-lab/alpaca",
    "data.examples": 1000,
    "data.columns": {"instruction": "instruction", "input": "input", "output": "output"},
    "data.packing": True,
    "data.encoding": "cp1252",
    "data.completion_only": False,
    "schedule.warmup": 25,
    "schedule.optimizer": "paged-adamw-32bit",
    "regularisation.label_smoothing": 0.1,
    "regularisation.neftune_alpha": 5.0,
    "resources.devices": 2,
    "resources.threads": 3,
    "resources.precision": "fp16",
}


def names_in(values: Any, prefix: str = "") -> set[str]:
    """Every name of a setup; below `datasets` the dotted ones. A scheduler's own arguments are transformers' names."""
    found: set[str] = set()
    for name, value in values.items():
        found.add(f"{prefix}{name}")
        below = value if isinstance(value, list) else [value]
        if name not in ("lr_scheduler_kwargs", "special_tokens"):
            found |= {
                inner for entry in below if isinstance(entry, dict) for inner in names_in(entry, f"{prefix}{name}.")
            }
    return found


def exported(changes: dict[str, Any], format: str) -> Export:
    spec = with_overrides(RunSpec(), changes)
    return export(spec, format, plan(spec))


@pytest.mark.parametrize("format", YAML_TOOLS)
@pytest.mark.parametrize("entry", RUNNABLE, ids=lambda entry: entry.id)
def test_every_key_of_every_recipe_is_a_field_of_the_released_package(entry: Any, format: str) -> None:
    spec = run_spec(entry)
    written = yaml.safe_load(export(spec, format, plan(spec)).text)
    assert names_in(written) <= foreign(YAML_TOOLS[format]).fields


@pytest.mark.parametrize("format", YAML_TOOLS)
def test_every_key_of_a_setup_with_everything_switched_on_is_a_field(format: str) -> None:
    written = yaml.safe_load(exported(FULL_OF_SETTINGS, format).text)
    assert names_in(written) <= foreign(YAML_TOOLS[format]).fields
    assert len(written) > 30


def test_the_lists_of_fields_name_their_release_and_refuse_what_is_not_there() -> None:
    releases = {"trl": "trl 1.16.0", "axolotl": "axolotl 0.19.0", "llamafactory": "llamafactory 0.9.5"}
    for tool, version in releases.items():
        assert foreign(tool).release.startswith(version)
        assert "learning_rate" in foreign(tool).fields
        assert "learning_rat" not in foreign(tool).fields
    assert "warmup_ratio" not in foreign("trl").fields  # gone in transformers 5


def test_the_arguments_of_the_trl_command_are_fields_too() -> None:
    text = exported(FULL_OF_SETTINGS, "trl-command").text
    words = shlex.split(text.partition("\ntrl sft")[2].replace("\\\n", " "))
    names = {word.removeprefix("--") for word in words if word.startswith("--")}
    assert names <= foreign("trl").fields
    assert {"learning_rate", "lora_r", "load_in_4bit"} <= names


@pytest.mark.parametrize("format", FORMATS)
def test_each_export_can_be_read_by_what_it_is_for(format: str) -> None:
    made = exported(FULL_OF_SETTINGS, format)
    if format == "spec":
        spec = loads(made.text)
        assert all(value_at(spec, path) == value for path, value in FULL_OF_SETTINGS.items())
    elif format == "script":
        ast.parse(made.text)
    elif format == "notebook":
        assert json.loads(made.text)["nbformat"] == 4
    elif format != "trl-command":
        assert isinstance(yaml.safe_load(made.text), dict)


@pytest.mark.parametrize("format", [format for format in FORMATS if format != "spec"])
def test_what_has_no_place_is_named_in_the_text_and_in_the_list(format: str) -> None:
    made = exported(FULL_OF_SETTINGS, format)
    paths = {entry.path for entry in made.left_out}
    assert "resources.devices" in paths
    assert paths <= {setting.path for setting in settings()}
    for entry in made.left_out:
        assert f"{entry.path}: " in made.text, entry
        assert not re.search(r"\{(tool|name|devices|command|file|precision|task|method)\}", entry.why)


def test_numbers_arrive_in_each_tool_as_they_are_meant() -> None:
    changes = {"data.source": "tatsu-lab/alpaca", "data.examples": 52_002, "schedule.learning_rate": 2e-5,
               "schedule.epochs": 3.0, "schedule.warmup": 0.03, "data.max_length": 512}  # fmt: skip
    trl, axolotl, factory = (yaml.safe_load(exported(changes, format).text) for format in YAML_TOOLS)
    assert trl["learning_rate"] == axolotl["learning_rate"] == factory["learning_rate"] == 2e-5
    assert (trl["warmup_steps"], axolotl["warmup_ratio"], factory["warmup_steps"]) == (0.03, 0.03, 293)
    assert (trl["max_length"], axolotl["sequence_len"], factory["cutoff_len"]) == (512, 512, 512)
    assert axolotl["micro_batch_size"] * axolotl["gradient_accumulation_steps"] == 16
    # About ten evaluations over the 9,753 steps of three epochs of 52,002 rows in batches of 16.
    assert trl["eval_steps"] == axolotl["eval_steps"] == factory["eval_steps"] == 976


@pytest.mark.parametrize("format", YAML_TOOLS)
@pytest.mark.parametrize("scheduler", setting_at("schedule.scheduler").choices)
def test_every_scheduler_arrives_under_the_name_and_with_the_numbers_of_transformers(
    scheduler: str, format: str
) -> None:
    from lab.planning.schedule import course_of, transformers_scheduler

    spec = with_overrides(RunSpec(), {"schedule.scheduler": scheduler, "schedule.max_steps": 200})
    written = yaml.safe_load(export(spec, format, plan(spec)).text)
    name, options = transformers_scheduler(course_of(spec.schedule, 200), spec.schedule.learning_rate)
    key = "lr_scheduler" if format == "axolotl" else "lr_scheduler_type"
    assert (written[key], written.get("lr_scheduler_kwargs", {})) == (name, options)


def test_axolotl_gets_the_template_in_its_own_words() -> None:
    written = yaml.safe_load(exported({"data.source": "demo"}, "axolotl").text)
    form = written["datasets"][0]["type"]
    assert form["no_input_format"].format(instruction="Why?") == "### Question: Why?\n### Answer: "
    assert (form["field_instruction"], form["field_output"]) == ("question", "answer")


def test_a_format_that_does_not_exist_is_refused_with_the_list() -> None:
    with pytest.raises(InputError) as caught:
        export(RunSpec(), "keras")
    assert "llamafactory" in str(caught.value)


def test_a_notebook_has_valid_cells_that_join_to_the_script() -> None:
    document = json.loads(exported({}, "notebook").text)
    cells = document["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)
    for cell in cells:
        wanted = {"cell_type", "id", "metadata", "source"}
        assert set(cell) == (wanted | {"execution_count", "outputs"} if cell["cell_type"] == "code" else wanted)
        assert "".join(cell["source"]).strip()
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    script = exported({}, "script").text
    assert ast.dump(ast.parse(code)) == ast.dump(ast.parse(script))


def test_a_name_cannot_break_out_of_the_comment(tmp_path: Path) -> None:
    changes = {"name": "harmless\nimport os\n# %%\nprint('run')"}
    for format in ("script", "trl-yaml", "trl-command", "axolotl", "llamafactory"):
        text = exported(changes, format).text
        assert not any(line.startswith(("import os", "print(")) for line in text.splitlines())


def test_the_command_line_writes_a_file_and_never_over_another(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "axolotl.yaml"
    assert main(["recipes", "export", "alpaca", "--format", "axolotl", "--out", str(file), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["format"] == "axolotl" and answer["left_out"]
    assert yaml.safe_load(file.read_text())["learning_rate"] == 2e-5
    assert main(["recipes", "export", "alpaca", "--format", "axolotl", "--out", str(file)]) == 2
    capsys.readouterr()
    assert main(["plan", "--set", "seed=7", "--export", "trl-yaml"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["seed"] == 7


def test_a_recipe_without_a_run_is_refused_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    empty = next((entry for entry in recipes() if not entry.run), None)
    if empty is None:
        pytest.fail("every recipe runs now: take this test out")
    assert main(["recipes", "export", empty.id, "--format", "spec", "--json"]) == 2
    assert "error" in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("format", [name for name in FORMATS if name != "spec"])
def test_what_a_tool_does_not_do_to_the_rows_is_named_unless_it_is_done_already(format: str) -> None:
    raw = {"data.source": "rows.jsonl", "data.examples": 100, "preparation.balance": "oversample"}
    paths = {entry.path for entry in exported(raw, format).left_out}
    assert {"preparation.steps", "preparation.balance"} <= paths
    done = {entry.path for entry in exported(raw | {"data.source": "demo"}, format).left_out}
    assert not {path for path in done if path.startswith("preparation.")}


def test_a_changed_setting_of_a_part_that_no_tool_knows_is_named() -> None:
    assert "speed.compile" in {entry.path for entry in exported({"speed.compile": True}, "axolotl").left_out}
