"""What a tuned model must have learned: to answer and then to stop. How answers are made and judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import training_runs as runs

from lab.runs.directory import RunDirectory
from lab.training import build
from lab.training.answers import in_taught_form, rouge_l
from lab.training.comparison import Questions, measure
from lab.training.generate import generate
from lab.training.held_out import held_out_loss
from lab.training.interrupts import Interrupted


@pytest.fixture(scope="module")
def taught(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """The tokenizer has no padding token, so the end token pads: the trap in which none learns to stop."""
    folder = tmp_path_factory.mktemp("taught")
    data = runs.write_questions(folder / "questions.jsonl", rows=60)
    changes = {"method__name": "full", "schedule__max_steps": 120, "schedule__per_device_batch": 8}
    changes |= {"schedule__accumulation": 1, "schedule__learning_rate": 2e-2, "evaluation__every_steps": 120}
    changes |= {"evaluation__max_new_tokens": 60, "evaluation__review_prompts": 6}
    run = runs.make_run(folder / "run", runs.make_spec(tiny_llama, data, **changes))
    runs.train(run)
    return run


def test_the_tuned_model_stops_where_the_base_model_never_does(
    taught: RunDirectory, tiny_llama: Path
) -> None:
    tokenizer = build.load_tokenizer(str(tiny_llama))
    assert tokenizer.pad_token_id == tokenizer.eos_token_id
    summary = json.loads((taught.review_path / "summary.json").read_text())["held_out"]
    assert summary["base"]["stop_rate"] == 0
    assert summary["tuned"]["stop_rate"] == 1
    texts = [sample["text"] for sample in runs.events(taught, "sample") if sample["step"] == 120]
    assert texts and all(text.startswith("It says") and text.endswith(".") for text in texts)


def test_the_saved_model_stops_by_its_own_settings(taught: RunDirectory) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(taught.final_path)
    tokenizer = AutoTokenizer.from_pretrained(taught.final_path)
    row = prepared(taught)[0]
    written = model.generate(torch.tensor([row.prompt_ids]), max_new_tokens=60)[0, len(row.prompt_ids) :]
    assert written[-1] == tokenizer.eos_token_id and len(written) < 60


def prepared(run: RunDirectory) -> list[Any]:
    from lab.data.opening import open_data

    return open_data(run.spec, run.path).validation


# --- generation ---


@pytest.fixture(scope="module")
def model(taught: RunDirectory) -> Any:
    return build.load_tuned(taught.path)


def test_answers_in_one_batch_are_those_of_each_prompt_alone(model: Any) -> None:
    prompts = ["What does f1 do?", "Hi", "What is the answer to a longer question than the others?"]
    together = generate(*model, prompts, max_new_tokens=12)
    alone = [generate(*model, [prompt], max_new_tokens=12)[0] for prompt in prompts]
    assert together == alone


def test_sampling_repeats_with_its_seed_and_leaves_torchs_random_state(model: Any) -> None:
    state = torch.get_rng_state()
    options = {"max_new_tokens": 12, "temperature": 1.5}
    first, again = (generate(*model, ["What"] * 4, seed=3, **options) for _ in range(2))
    assert first == again != generate(*model, ["What"] * 4, seed=4, **options)
    assert torch.equal(torch.get_rng_state(), state)


def test_generation_ends_soon_after_it_is_asked_to(model: Any) -> None:
    asked = []

    def interrupted() -> bool:
        asked.append(1)
        return len(asked) > 3

    with pytest.raises(Interrupted):
        generate(*model, ["What"], max_new_tokens=200, interrupted=interrupted)
    assert len(asked) == 4


def test_a_prompt_longer_than_the_model_keeps_its_end(model: Any) -> None:
    answer = generate(*model, [[5] * 400], max_new_tokens=10)[0]
    assert answer.tokens <= 10


def test_the_held_out_loss_is_the_models_own_mean_over_label_tokens(model: Any, taught: RunDirectory) -> None:
    rows = prepared(taught)
    losses = held_out_loss(model[0], rows, pad_id=0)
    with torch.no_grad():
        for i, row in enumerate(rows):
            inputs = {"input_ids": torch.tensor([row.input_ids]), "labels": torch.tensor([row.labels])}
            assert losses.of(i) == pytest.approx(float(model[0](**inputs).loss), rel=1e-4)


def test_a_comparison_without_held_out_rows_has_no_figures(model: Any) -> None:
    figures, records = measure(*model, Questions([], 0, 0, 8, 0))
    assert records == [] and figures["loss"] is None and figures["stop_rate"] is None


# --- judging ---


@pytest.mark.parametrize(
    ("text", "stopped", "expected"),
    [
        ("Join two or more pathname components.", True, True),
        ("  Return a copy, e.g. The default one.  ", True, True),
        ("Join two or more pathname components.", False, False),
        ("Too short"[:7], True, False),
        ("Eight ch", True, True),
        ("x" * 200, True, True),
        ("x" * 201, True, False),
        ("Join two\nor more.", True, False),
        ("Join two. Return them.", True, False),
        ("## os.path.join", True, False),
        ("", True, False),
    ],
)
def test_the_taught_form_is_one_sentence_on_one_line_that_ends(
    text: str, stopped: bool, expected: bool
) -> None:
    assert in_taught_form(text, stopped) is expected


def test_most_references_of_the_demo_have_the_taught_form() -> None:
    from lab.presets import presets_dir

    rows = [json.loads(line) for line in (presets_dir() / "demo" / "questions.jsonl").open(encoding="utf-8")]
    assert sum(in_taught_form(row["answer"], True) for row in rows) / len(rows) > 0.97


@pytest.mark.parametrize(
    ("reference", "text", "expected"),
    [
        ("the cat sat", "the cat sat", 1.0),
        ("joins paths", "join path", 1.0),  # stemmed
        ("the cat sat on the mat", "the cat", 0.5),  # precision 1, recall 2/6
        ("the cat", "", 0.0),
        ("", "the cat", None),
    ],
)
def test_rouge_l_is_an_f1_over_stems(reference: str, text: str, expected: float | None) -> None:
    assert rouge_l(reference, text) == expected
