"""Setups of other tools: recognised by their keys, read with the tools' own defaults, and what is not understood."""

from __future__ import annotations

from typing import Any

import pytest

from lab.catalogue.exchange import Imported, export, read_setup
from lab.catalogue.exchange.tables import TABLES
from lab.errors import InputError
from lab.planning import plan
from lab.spec import RunSpec, difference, settings, value_at, with_overrides

TRL = """
model_name_or_path: Qwen/Qwen2.5-0.5B
dataset_name: trl-lib/Capybara
learning_rate: 2.0e-4
num_train_epochs: 1
packing: true
per_device_train_batch_size: 2
gradient_accumulation_steps: 8
eval_strategy: steps
eval_steps: 100
use_peft: true
lora_r: 32
lora_alpha: 16
output_dir: Qwen2-0.5B-SFT
"""

# As LLaMA-Factory's own examples are written (examples/train_lora/qwen3_lora_sft.yaml).
FACTORY = """
### model
model_name_or_path: Qwen/Qwen3-4B-Instruct-2507
trust_remote_code: true
### method
stage: sft
do_train: true
finetuning_type: lora
lora_rank: 8
lora_target: all
### dataset
dataset: identity,alpaca_en_demo
template: qwen3_nothink
cutoff_len: 2048
max_samples: 1000
preprocessing_num_workers: 16
### output
output_dir: saves/qwen3-4b/lora/sft
logging_steps: 10
save_steps: 500
### train
per_device_train_batch_size: 1
gradient_accumulation_steps: 8
learning_rate: 1.0e-4
num_train_epochs: 3.0
lr_scheduler_type: cosine
warmup_ratio: 0.1
bf16: true
"""

AXOLOTL = """
base_model: NousResearch/Llama-3.2-1B
datasets:
  - path: teknium/GPT4-LLM-Cleaned
    type: alpaca
val_set_size: 0.1
output_dir: ./outputs/lora-out
adapter: lora
sequence_len: 2048
sample_packing: true
lora_r: 16
lora_alpha: 32
lora_dropout: 0.05
lora_target_modules: [gate_proj, down_proj]
gradient_accumulation_steps: 2
micro_batch_size: 2
num_epochs: 1
optimizer: adamw_8bit
lr_scheduler: cosine
learning_rate: 0.0002
bf16: auto
gradient_checkpointing: true
warmup_ratio: 0.1
evals_per_epoch: 4
special_tokens:
  pad_token: "<|end_of_text|>"
"""


def changed(imported: Imported, *paths: str) -> dict[str, Any]:
    return {path: imported.values[path] for path in paths}


def test_a_trl_file_is_read_with_trl_s_own_defaults() -> None:
    read = read_setup(TRL)
    assert read.format == "trl"
    assert (read.spec.method.name, read.spec.method.rank, read.spec.method.alpha) == ("lora", 32, 16)
    assert (read.spec.schedule.learning_rate, read.spec.schedule.accumulation) == (2e-4, 8)
    assert read.spec.evaluation.every_steps == 100
    # Not in the file: TRL schedules linearly without a warmup, cuts at 1,024 tokens and checkpoints gradients.
    assert (read.spec.schedule.scheduler, read.spec.schedule.warmup, read.spec.data.max_length) == ("linear", 0, 1024)
    assert read.assumed["resources.gradient_checkpointing"] is True
    assert not read.notes


def test_a_file_of_llamafactory_is_told_from_one_of_trl() -> None:
    read = read_setup(FACTORY)
    assert read.format == "llamafactory"
    assert (read.spec.method.name, read.spec.method.rank, read.spec.method.alpha) == ("lora", 8, 16)
    assert read.spec.data.source == "identity"
    assert read.spec.data.max_length == 2048
    levels = {note.key: note.level for note in read.notes}
    assert levels == {"dataset": "no place", "template": "no place", "max_samples": "no place"}
    assert read.signs["trust_remote_code"] and not read.signs["evaluates"]


def test_a_file_of_axolotl_is_read() -> None:
    read = read_setup(AXOLOTL)
    assert read.format == "axolotl"
    assert read.spec.method.target_modules == ["gate_proj", "down_proj"]
    assert (read.spec.data.template, read.spec.schedule.optimizer) == ("alpaca", "adamw-8bit")
    assert read.spec.schedule.per_device_batch * read.spec.schedule.accumulation == 4
    assert read.signs["pad_is_end"] and read.signs["evaluates"]
    assert not [note for note in read.notes if note.level != "no place"]


@pytest.mark.parametrize("tool", TABLES)
def test_every_key_that_is_understood_is_a_field_of_the_tool_and_every_default_a_setting(tool: str) -> None:
    from lab.catalogue.exchange import foreign

    # Kept although the newest release has dropped it: the files are still there.
    old = {"warmup_ratio", "overwrite_output_dir"}
    assert set(TABLES[tool].keys) - foreign(tool).fields <= old
    assert set(TABLES[tool].defaults) <= {setting.path for setting in settings()}


@pytest.mark.parametrize("format", ["trl-yaml", "axolotl", "llamafactory", "spec"])
def test_what_is_exported_comes_back(format: str) -> None:
    changes = {
        "model.source": "HuggingFaceTB/SmolLM2-135M", "data.source": "tatsu-lab/alpaca", "data.template": "chat",
        "data.validation_share": 0.05, "data.too_long": "cut", "data.max_length": 768, "method.rank": 24,
        "method.alpha": 48, "method.dropout": 0.02, "method.target_modules": ["q_proj", "v_proj"],
        "schedule.max_steps": 300, "schedule.per_device_batch": 2, "schedule.accumulation": 6,
        "schedule.learning_rate": 3e-4, "schedule.scheduler": "linear", "schedule.warmup": 20,
        "schedule.weight_decay": 0.01, "schedule.max_grad_norm": 0.3, "evaluation.every_steps": 30,
        "checkpoints.every_steps": 60, "checkpoints.keep": 3, "resources.precision": "bf16", "seed": 7,
        "resources.gradient_checkpointing": True, "data.completion_only": True,
    }  # fmt: skip
    spec = with_overrides(RunSpec(), changes)
    read = read_setup(export(spec, format, plan(spec, examples=1000)).text)
    lost = set(difference(spec, read.spec))
    # LLaMA-Factory names a data set in its own list; the others have no word for a template.
    allowed = {"spec": set(), "llamafactory": {"data.source", "data.template"}, "trl-yaml": {"data.template"}}
    assert lost <= allowed.get(format, {"schedule.epochs"})


def test_an_unknown_key_is_a_sentence_at_its_line_with_the_nearest_name_and_the_rest_is_read() -> None:
    read = read_setup(AXOLOTL + "lora_alhpa: 3\nlearning_rat: 9\nzzz: 1\n")
    unknown = {note.key: note for note in read.notes if note.level == "unknown"}
    assert unknown["lora_alhpa"].near == "lora_alpha"
    assert unknown["learning_rat"].near == "learning_rate"
    assert unknown["zzz"].near == ""
    assert "axolotl 0.19.0" in unknown["lora_alhpa"].sentence
    assert (AXOLOTL + "lora_alhpa").splitlines()[unknown["lora_alhpa"].line - 1].startswith("lora_alhpa")
    assert read.spec.schedule.learning_rate == 2e-4


@pytest.mark.parametrize(
    ("line", "path", "kept"),
    [
        ("learning_rate: fast", "schedule.learning_rate", 2e-5),
        ("learning_rate: -1", "schedule.learning_rate", 2e-5),
        ("num_train_epochs: 0", "schedule.epochs", 3.0),
        ("per_device_train_batch_size: 999999999", "schedule.per_device_batch", 8),
        ("seed: [1, 2]", "seed", 42),
        ("lora_target_modules: 7", "method.target_modules", "all-linear"),
    ],
)
def test_a_wrong_value_is_noted_and_the_rest_is_read(line: str, path: str, kept: object) -> None:
    key = line.partition(":")[0]
    body = "".join(f"{other}\n" for other in TRL.splitlines() if not other.startswith(f"{key}:"))
    read = read_setup(f"{body}{line}\n")
    assert read.spec.method.rank == 32
    assert [note.key for note in read.notes if note.level == "wrong value"] == [key]
    assert value_at(read.spec, path) == kept  # the tool's own default, not the lab's
    assert path not in read.values


@pytest.mark.parametrize("value", ["inf", ".inf", "0"])
def test_clipping_at_infinity_is_no_clipping(value: str) -> None:
    assert read_setup(f"{TRL}max_grad_norm: {value}\n").spec.schedule.max_grad_norm == 0


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("lr_scheduler_type: rex", "rex"),
        ("optim: lomo", "lomo"),
        ("eval_steps: 0.2", "share"),
        ("lr_scheduler_kwargs: {num_cycles: 3}", "num_cycles"),
    ],
)
def test_a_value_without_a_counterpart_is_named_not_dropped(line: str, word: str) -> None:
    body = "".join(f"{other}\n" for other in TRL.splitlines() if not other.startswith(line.partition(":")[0] + ":"))
    notes = [note for note in read_setup(f"{body}{line}\n").notes if note.level == "no place"]
    assert [word in note.sentence for note in notes] == [True]


def test_an_unknown_key_below_datasets_is_noted_too() -> None:
    body = AXOLOTL.replace("    type: alpaca\n", "    typ: alpaca\n    name: en\n    split: train\n")
    notes = {note.key: (note.level, note.near) for note in read_setup(body).notes}
    assert notes == {"datasets.typ": ("unknown", "type"), "datasets.name": ("no place", "")}


def test_a_spec_of_the_lab_with_a_typo_keeps_everything_else() -> None:
    read = read_setup("seed: 7\nschedule:\n  learning_rate: 3e-4\n  epoch: 2\n  warmup: many\nmethod: {rank: 4}\n")
    assert read.format == "lab"
    assert (read.spec.seed, read.spec.schedule.learning_rate, read.spec.method.rank) == (7, 3e-4, 4)
    assert {note.key: note.near for note in read.notes if note.level == "unknown"} == {
        "schedule.epoch": "schedule.epochs"
    }
    assert [note.level for note in read.notes if note.level != "unknown"] == ["wrong value"]
    assert "schedule.warmup" not in read.values


@pytest.mark.parametrize(
    "text",
    [
        "",
        "just words",
        "- a\n- b\n",
        "a: [1\n",
        "colour: blue\n",
        "x: !!python/object:os.system {}\n",
        "a: 1\n" * 300_000,
        "[" * 100_000,
        "a: " + "{b: " * 20_000,
        "<<: 3\nseed: 1\n",
        "? [a]\n: 1\n",
    ],
    ids=["empty", "words", "list", "broken", "nobody's", "object", "huge", "deep list", "deep", "merge", "key"],
)
def test_what_is_no_setup_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(InputError) as caught:
        read_setup(text)
    assert str(caught.value)


def test_a_file_that_names_no_model_says_so_and_is_not_taken_for_the_demo() -> None:
    read = read_setup("learning_rate: 2e-4\nnum_train_epochs: 2\nuse_peft: true\n")
    assert read.spec.model.source == "" and read.spec.data.source == ""
    assert any("names no model" in note.sentence for note in read.notes)


def test_quantization_and_an_adapter_make_qlora() -> None:
    assert read_setup(TRL + "load_in_4bit: true\n").spec.method.name == "qlora"
    assert read_setup(FACTORY + "quantization_bit: 8\n").spec.model.quantization == "8bit"
    assert read_setup(TRL.replace("use_peft: true\n", "")).spec.method.name == "full"
