"""The preparing steps: applied in order, each telling what it did."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from lab.data.progress import Stopped
from lab.data.steps import StepReport, run_steps
from lab.errors import InputError
from lab.spec.parts import PreparationSpec

ROWS = [
    {
        "question": "Comment déclarer mes impôts ?",
        "answer": "En ligne, sur impots.gouv.fr, avant fin mai.",
    },
    {"question": "How do I list files?", "answer": "Use the command ls, or ls -l for the long form with sizes."},
    {"question": "How do I list files?", "answer": "Use the command ls, or ls -l for the long form with sizes."},
    {"question": "Qui a écrit Les Misérables ?", "answer": "  "},
    {"question": "", "answer": "Because the sky scatters blue light more than red light."},
]

ASKED = {"role": "user", "content": " "}


def text_of(row: dict[str, Any]) -> str:
    return f"### Question:\n{row['question']}\n\n### Answer:\n{row['answer']}"


def run(rows: list[dict[str, Any]], *steps: str, kind: str = "question-answer", **settings: Any):
    preparation = PreparationSpec(steps=list(steps), **settings)
    template = text_of if kind == "question-answer" else lambda row: json.dumps(row, ensure_ascii=False)
    return run_steps(rows, kind, preparation, text_of=template)


def one(rows: list[dict[str, Any]], step: str, **settings: Any) -> tuple[list[dict[str, Any]], StepReport]:
    kept, (report,) = run(rows, step, **settings)
    assert report.rows_in == len(rows)
    assert report.rows_out == len(kept) == len(rows) - sum(report.dropped.values())
    assert json.loads(json.dumps(report.as_dict()))["step"] == step
    return kept, report


def test_each_step_reports_rows_reasons_and_examples_with_the_place_in_the_first_list():
    kept, (missing, duplicates) = run(ROWS, "missing", "exact-duplicates")
    assert kept == ROWS[:2]
    assert (missing.rows_in, missing.rows_out, dict(missing.dropped)) == (
        5,
        3,
        {"empty answer": 1, "empty question": 1},
    )
    assert [(example["row"], example["why"]) for example in missing.examples] == [
        (3, "empty answer"),
        (4, "empty question"),
    ]
    assert (duplicates.rows_in, duplicates.rows_out, dict(duplicates.dropped)) == (3, 2, {"duplicate": 1})
    assert duplicates.examples[0]["row"] == 2 and "ls -l" in duplicates.examples[0]["before"]


def test_no_step_and_no_row_are_fine():
    assert run(ROWS) == (ROWS, [])
    every = ["repair-text", "strip-html", "missing", "characters", "language", "personal-data", "exact-duplicates"]
    kept, reports = run([], *every, "near-duplicates")
    assert kept == [] and [report.rows_out for report in reports] == [0] * 8


@pytest.mark.parametrize("step", ["missing", "characters", "language", "personal-data"])
def test_a_step_that_drops_every_row_is_an_error_that_names_it(step: str):
    row = {
        "question": "Où habites-tu exactement, dans quelle ville ?",
        "answer": "Écris-moi à jean@exemple.fr !",
    }
    rows = [row | {"answer": ""}] if step == "missing" else [row, row]
    with pytest.raises(InputError, match=f"step {step} dropped all of its {len(rows)} rows") as refusal:
        run(rows, "repair-text", step, min_characters=5000, languages=["de"], personal_data="drop")
    assert refusal.value.where == "preparation.steps"


def test_examples_are_five_at_most():
    _, report = one([{"question": f"{n}?", "answer": ""} for n in range(20)] + ROWS[:1], "missing")
    assert len(report.examples) == 5 and report.dropped["empty answer"] == 20


def test_the_given_rows_stay_as_they_were():
    rows = [{"question": "Ã‰tÃ© ?", "answer": "<p>jean@exemple.fr</p>"}]
    before = json.dumps(rows)
    kept, _ = run(rows, "repair-text", "strip-html", "personal-data", personal_data="mask")
    assert kept == [{"question": "Été ?", "answer": "[EMAIL]"}]
    assert json.dumps(rows) == before


def test_stop_is_asked_within_a_step_and_progress_reaches_the_end():
    rows = [{"question": f"Question {n}?", "answer": f"{n}"} for n in range(2000)]
    heard: list[tuple[int, int]] = []
    preparation = PreparationSpec(steps=["missing", "near-duplicates"])
    run_steps(rows, "question-answer", preparation, text_of=text_of, progress=lambda done, of: heard.append((done, of)))
    assert heard[-1] == (4000, 4000) and heard[0] == (0, 4000) and len(heard) > 6
    answers = itertools.chain([False, False], itertools.repeat(True))
    with pytest.raises(Stopped):
        run_steps(rows, "question-answer", preparation, text_of=text_of, stop=lambda: next(answers))


def test_an_order_that_matters_is_told_and_not_forbidden():
    _, reports = run(ROWS[:2], "near-duplicates", "missing", "strip-html")
    assert [[note["values"] for note in report.notes] for report in reports] == [
        [{"step": "near-duplicates", "later": "strip-html"}],
        [{"step": "missing", "later": "strip-html"}],
        [],
    ]
    _, reports = run(ROWS[:2], "repair-text", "strip-html", "missing", "exact-duplicates", "near-duplicates")
    assert not any(report.notes for report in reports)


def test_masking_changes_rows_and_flagging_does_not():
    steps = ("exact-duplicates", "personal-data")
    assert run(ROWS, *steps, personal_data="mask")[1][0].notes
    assert not run(ROWS, *steps, personal_data="flag")[1][0].notes


@pytest.mark.parametrize(
    ("kind", "row", "reason"),
    [
        ("instruction", {"instruction": "Traduis", "input": "", "output": " "}, "empty answer"),
        ("instruction", {"instruction": "Écris un poème.", "input": "", "output": "Le vent"}, None),
        ("prompt-completion", {"prompt": "", "completion": "x"}, "empty question"),
        ("text", {"text": "\n"}, "empty text"),
        ("classification", {"text": "", "label": "positif"}, "empty text"),
        ("classification", {"text": "Très bon film", "label": ""}, "empty label"),
        ("token-classification", {"tokens": [], "tags": []}, "empty text"),
        ("token-classification", {"tokens": ["Paris"], "tags": ["B-LOC"]}, None),
        ("extractive-qa", {"id": "1", "context": "Il pleut.", "question": "", "answers": []}, "empty question"),
        ("extractive-qa", {"id": "1", "context": "", "question": "Quand ?", "answers": []}, "empty text"),
        ("extractive-qa", {"id": "1", "context": "Il pleut.", "question": "Quand ?", "answers": []}, None),
        ("preference", {"prompt": "Bonjour", "chosen": "Salut !", "rejected": ""}, "empty answer"),
        (
            "preference",
            {"prompt": [ASKED], "chosen": "a", "rejected": "b"},
            "empty question",
        ),
        ("preference", {"prompt": "Bonjour", "completion": "", "desired": False}, "empty answer"),
        ("preference", {"prompt": "Bonjour", "completion": "Salut !", "desired": False}, None),
        (
            "messages",
            {"messages": [ASKED, {"role": "assistant", "content": "a"}]},
            "empty question",
        ),
    ],
)
def test_what_is_missing_depends_on_the_kind(kind: str, row: dict[str, Any], reason: str | None):
    other = {"split": "train"} | row
    fine = {"messages": [{"role": "user", "content": "Ça va ?"}, {"role": "assistant", "content": "Oui."}]}
    from lab.data.clean import missing

    assert missing(other, kind) == reason
    if kind == "messages":
        assert missing(fine, kind) is None


def test_characters_count_the_template_and_the_maximum_is_the_first_length_that_goes():
    length, short = len(text_of(ROWS[0])), {"question": "a", "answer": "b"}
    kept, report = one([ROWS[0], short], "characters", max_characters=length)
    assert kept == [short] and report.dropped == {"too many characters": 1}
    kept, _ = one(ROWS[:1], "characters", max_characters=length + 1, min_characters=length)
    assert kept == ROWS[:1]
    kept, report = one([ROWS[0], short], "characters", min_characters=60)
    assert kept == ROWS[:1] and report.dropped == {"too few characters": 1}
