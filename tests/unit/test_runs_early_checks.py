"""Bad input is found before the queue, all at once, at its field, with what is allowed and the way out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import task_runs as tasks
import training_runs as runs

from lab.cli import main
from lab.cli.checks import check_run
from lab.errors import InputError, InputErrors
from lab.models import facts_of
from lab.runs import early_checks, early_layers
from lab.runs.home import datasets_folder, new_id, runs_folder


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return runs.write_questions(tmp_path / "questions.jsonl")


def found(spec: Any) -> dict[str, InputError]:
    with pytest.raises(InputError) as caught:
        check_run(spec)
    told = getattr(caught.value, "problems", [caught.value])
    for problem in told:
        assert problem.allowed and problem.next, problem
    return {problem.where: problem for problem in told}


def test_everything_that_is_wrong_is_told_at_once(tiny_llama: Path, questions: Path) -> None:
    changes: dict[str, Any] = {
        "method__target_modules": ["q_proj", "query"],
        "method__rank": 1000,
        "data__max_length": 300,
    }
    told = found(runs.make_spec(tiny_llama, questions, **changes))
    assert set(told) == {"method.target_modules", "method.rank", "data.max_length"}
    assert "query" in str(told["method.target_modules"]) and "down_proj" in str(told["method.target_modules"])
    assert "256" in str(told["data.max_length"]) and "300" in str(told["data.max_length"])


def test_the_command_line_ends_with_2_and_names_every_field(
    tiny_llama: Path, questions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {"method.target_modules": "query", "data.max_length": "4096", "method.rank": "1000"}
    sets = [f"--set={name}={value}" for name, value in wrong.items()]
    sources = [f"--set=model.source={tiny_llama}", f"--set=data.source={questions}"]
    assert main(["train", *sources, *sets, "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert {problem["where"] for problem in error["problems"]} == set(wrong)


def test_a_length_that_nobody_chose_is_no_error(tiny_llama: Path, questions: Path) -> None:
    spec = runs.make_spec(tiny_llama, questions, data__max_length=512)  # the default; the model has 256
    assert early_checks.problems(spec, facts_of(str(tiny_llama))) == []


def test_the_positions_of_roberta_begin_behind_padding(tmp_path: Path) -> None:
    folder = tasks.build_tiny_roberta(tmp_path / "roberta")
    facts = facts_of(str(folder))
    changes = {"task": "classification", "data__max_length": 129}
    problems = early_checks.problems(runs.make_spec(folder, Path("x.csv"), **changes), facts)
    assert [problem.where for problem in problems] == ["data.max_length"]


def bare(source: Path, folder: Path, **kept: str) -> Path:
    """The model with a tokenizer that names only these special tokens."""
    shutil.copytree(source, folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings = {name: value for name, value in settings.items() if not name.endswith("_token")} | kept
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "special_tokens_map.json").unlink(missing_ok=True)
    return folder


def test_a_tokenizer_without_an_end_or_a_padding_token_is_refused_at_the_model(
    tiny_llama: Path, questions: Path, tmp_path: Path
) -> None:
    from lab.training.build import load_tokenizer
    from lab.training.tasks.tokenizers import task_tokenizer

    empty = bare(tiny_llama, tmp_path / "empty")
    assert "end token" in str(found(runs.make_spec(empty, questions))["model.source"])
    classes = runs.make_spec(empty, questions, task="classification")
    assert "padding" in str(early_checks.problems(classes, facts_of(str(empty)))[0])
    for load in (load_tokenizer, task_tokenizer):  # what the worker would have said, after the queue
        with pytest.raises(InputError):
            load(str(empty))
    # One with an end token gets it as padding: nothing is wrong.
    fine = bare(tiny_llama, tmp_path / "fine", eos_token="</s>")
    assert early_checks.problems(runs.make_spec(fine, questions), facts_of(str(fine))) == []
    assert load_tokenizer(str(fine)).pad_token_id is not None


def test_four_bits_without_their_library_are_refused(
    tiny_llama: Path, questions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(early_checks.importlib.util, "find_spec", lambda name: None)
    spec = runs.make_spec(tiny_llama, questions, model__quantization="nf4", method__name="qlora")
    (problem,) = early_checks.problems(spec, facts_of(str(tiny_llama)))
    assert problem.where == "model.quantization" and "nf4" in str(problem)


def test_a_gpu_that_is_not_there_is_refused(tiny_llama: Path, questions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early_checks, "GPU_SIGNS", ("/no/such/driver",))
    spec = runs.make_spec(tiny_llama, questions, resources__device="cuda")
    assert [one.where for one in early_checks.problems(spec, facts_of(str(tiny_llama)))] == ["resources.device"]


def test_documents_that_are_all_too_long_are_refused_unless_they_are_cut(tiny_llama: Path) -> None:
    data = tasks.prepared([{"text": "a"}] * 30, "text")
    lengths = {"model": str(tiny_llama), "edges": [0, 30, 60, 90, 120, 150], "counts": [0, 0, 0, 20, 10]}
    (datasets_folder() / data / "lengths.json").write_text(json.dumps(lengths))
    told = found(runs.make_spec(tiny_llama, Path(data), data__max_length=64))
    assert "90" in str(told["data.max_length"])
    for change in ({"data__max_length": 90}, {"data__too_long": "cut"}):
        spec = runs.make_spec(tiny_llama, Path(data), **{"data__max_length": 64} | change)
        assert early_checks.problems(spec, facts_of(str(tiny_llama))) == []


def test_labels_that_no_training_row_has_are_refused(tiny_llama: Path) -> None:
    rows = [*tasks.classification_rows(40), {"text": "a", "label": "odd"}]
    data = tasks.prepared(rows, "classification", validation=5)
    counts = {label: {"train": 18, "validation": 2} for label in ("good", "bad")}
    figures = {"classes": counts | {"odd": {"train": 0, "validation": 1}}}
    (datasets_folder() / data / "figures.json").write_text(json.dumps(figures))
    told = found(runs.make_spec(tiny_llama, Path(data), task="classification"))
    assert "odd" in str(told["data.source"]) and "good" in str(told["data.source"])


def test_several_problems_are_one_error_with_all_of_them(tiny_llama: Path, questions: Path) -> None:
    spec = runs.make_spec(tiny_llama, questions, method__rank=1000, data__max_length=300)
    with pytest.raises(InputErrors) as caught:
        check_run(spec)
    assert len(caught.value.problems) == 2 and str(caught.value).count("\n") == 1


def test_an_encoder_is_not_asked_to_write(questions: Path, tmp_path: Path) -> None:
    folder = tasks.build_tiny_bert(tmp_path / "bert")
    assert "both directions" in str(found(runs.make_spec(folder, questions))["model.source"])
    for task in ("classification", "token-classification"):
        spec = runs.make_spec(folder, questions, task=task)
        assert early_checks.problems(spec, facts_of(str(folder))) == []


def test_families_without_a_class_for_a_task_are_those_of_transformers() -> None:
    from transformers.models.auto import modeling_auto as auto

    from lab.models.architectures import FAMILIES

    classes = {
        "token-classification": auto.MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES,
        "extractive-qa": auto.MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES,
        "classification": auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
        "causal-lm": auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    }
    for task, known in classes.items():
        lacking = {name for name in FAMILIES if name not in known}
        assert lacking == set(early_checks.WITHOUT_CLASS.get(task, ())), task


def test_a_family_without_a_head_for_the_task_is_refused(questions: Path) -> None:
    facts = facts_of({"model_type": "gemma2", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
                      "intermediate_size": 64, "vocab_size": 100})  # fmt: skip
    (problem,) = early_checks.problems(runs.make_spec(Path("demo"), questions, task="extractive-qa"), facts)
    assert problem.where == "model.source" and "gemma2" in str(problem) and "llama" in problem.as_dict()["allowed"]


def test_a_learned_prompt_takes_positions_of_its_own(tmp_path: Path, questions: Path) -> None:
    folder = tasks.build_tiny_gpt2(tmp_path / "gpt2")  # 128 positions
    tuned: dict[str, Any] = {"method__name": "prompt-tuning", "method__virtual_tokens": 20}
    told = found(runs.make_spec(folder, questions, data__max_length=120, **tuned))
    assert "up to 108" in str(told["data.max_length"])
    long = [{"text": f"{i} one two three " * 30} for i in range(20)]  # every row fills what there is
    rows = tmp_path / "long.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in long))
    changes = tuned | {"data__max_length": 512, "data__too_long": "cut", "schedule__max_steps": 1}
    spec = runs.make_spec(folder, rows, **changes)
    assert runs.train(runs.make_run(tmp_path / "run", spec))["ended"] == "finished"


def unknown_family(folder: Path) -> Path:
    """A tiny OPT, whose shape the lab does not know."""
    from tokenizers import Tokenizer, models
    from transformers import OPTConfig, OPTForCausalLM, PreTrainedTokenizerFast

    config = OPTConfig(vocab_size=64, hidden_size=32, num_hidden_layers=3, ffn_dim=64, num_attention_heads=2,
                       max_position_embeddings=64, word_embed_proj_dim=32)  # fmt: skip
    OPTForCausalLM(config).save_pretrained(folder)
    backend = Tokenizer(models.WordLevel({"<unk>": 0, "</s>": 1}, unk_token="<unk>"))
    fast = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>", unk_token="<unk>")
    fast.save_pretrained(folder)
    return folder


def test_layers_and_blocks_of_an_unknown_family_are_read_from_its_weights(tmp_path: Path, questions: Path) -> None:
    folder = unknown_family(tmp_path / "opt")
    assert facts_of(str(folder)).linear_modules == {}
    told = found(runs.make_spec(folder, questions, method__target_modules=["query", "v_proj"], method__rank=40))
    assert set(told) == {"method.target_modules", "method.rank"}
    assert "self_attn.q_proj" in str(told["method.target_modules"]) and "32 dimensions" in str(told["method.rank"])
    changes: dict[str, Any] = {"method__name": "frozen", "method__trainable_layers": 4}
    assert "3 blocks" in str(found(runs.make_spec(folder, questions, **changes))["method.trainable_layers"])
    good = runs.make_spec(folder, questions, method__target_modules=["q_proj", "fc1"], data__max_length=64)
    assert early_layers.problems(good, facts_of(str(folder))) == []


def test_an_adapter_of_another_base_or_task_is_refused(tiny_llama: Path, questions: Path, tmp_path: Path) -> None:
    from publishing_runs import save_weights

    save_weights(tiny_llama, tmp_path / "adapter", adapter=True, seed=1)
    named: dict[str, Any] = {"method__adapter": str(tmp_path / "adapter")}
    facts = facts_of(str(tiny_llama))
    assert early_layers.problems(runs.make_spec(tiny_llama, questions, **named), facts) == []
    told = early_layers.problems(runs.make_spec(Path("demo"), questions, task="classification", **named), facts)
    assert len(told) == 2 and {problem.where for problem in told} == {"method.adapter"}
    assert str(tiny_llama) in str(told[0]) and "classification" in str(told[1])
    (gone,) = early_layers.problems(runs.make_spec(tiny_llama, questions, method__adapter="/nowhere"), facts)
    assert "no adapter" in str(gone)


def test_an_adapter_with_a_head_keeps_to_its_labels(tmp_path: Path) -> None:
    bert = tasks.build_tiny_bert(tmp_path / "bert")
    first = runs.make_spec(bert, Path(tasks.prepared(tasks.classification_rows(30), "classification", 4)),
                           task="classification", schedule__max_steps=1)  # fmt: skip
    run = runs.make_run(runs_folder() / new_id(), first)
    assert runs.train(run)["ended"] == "finished"
    plain = tasks.prepared(tasks.classification_rows(30, ("good", "bad", "plain")), "classification", 4)
    spec = runs.make_spec(bert, Path(plain), task="classification", method__adapter=run.id)
    assert "plain" in str(found(spec)["method.adapter"])
    with pytest.raises(InputError):
        runs.train(runs.make_run(tmp_path / "worker", spec))


def test_a_run_whose_model_is_another_run_is_checked_by_that_model(tiny_llama: Path, questions: Path) -> None:
    first = runs.make_run(runs_folder() / new_id(), runs.make_spec(tiny_llama, questions, schedule__max_steps=1))
    assert runs.train(first)["ended"] == "finished"
    spec = runs.make_spec(Path(first.id), questions, data__max_length=300, method__target_modules=["query"])
    assert set(found(spec)) == {"data.max_length", "method.target_modules"}
    assert check_run(runs.make_spec(Path(first.id), questions)).facts.parameters == facts_of(tiny_llama).parameters
    unfinished = runs.make_run(runs_folder() / new_id(), first.spec)
    assert "no whole model" in str(found(runs.make_spec(Path(unfinished.id), questions))["model.source"])
