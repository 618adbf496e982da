"""What is told of a prepared data set: versions, fingerprint, figures, remarks, the documents' own pipeline."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import toy_tokenizers

from lab.catalogue.preparations import preparation, preparations
from lab.data.build import build
from lab.data.opening import open_data
from lab.data.options import Options
from lab.data.prepare import prepare, prepare_dataset
from lab.data.progress import NotesOnly
from lab.data.source import Source
from lab.data.tokenizer import fingerprint_of
from lab.errors import InputError, NotFoundError
from lab.review.data_report import as_html, read_data
from lab.runs import registry
from lab.runs.home import datasets_folder
from lab.runs.prepare import new_run
from lab.spec import PreparationSpec
from lab.spec import build as spec_of

ROWS = [
    {"question": f"What is {i} plus {i}, and why is it so?", "answer": f"Number {i} twice gives {2 * i}."}
    for i in range(200)
]


def file_of(folder: Path, rows: list[dict[str, Any]], name: str = "sums.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def steps(*names: str, **settings: Any) -> Options:
    return Options(preparation=PreparationSpec.model_validate({"steps": list(names)} | settings))


def figures_of(path: Path, options: Options, out: Path) -> dict[str, Any]:
    prepare(path, options, out, NotesOnly())
    found: dict[str, Any] = json.loads((out / "figures.json").read_text())
    return found


def remarks(figures: dict[str, Any]) -> str:
    return "\n".join(one["template"].format(**one["values"]) for one in figures["findings"])


# --- versions ---


def test_the_same_name_again_is_the_next_version_and_the_earlier_one_stays(tmp_path: Path):
    path = file_of(tmp_path, ROWS)
    first, second = (prepare_dataset(path, Options(seed=seed), NotesOnly(), name="Sums") for seed in (1, 2))
    other = prepare_dataset(path, Options(), NotesOnly(), name="Other")
    assert [one["version"] for one in (first, second, other)] == [1, 2, 1]
    assert second["parent"] == first["dataset"]
    assert first["fingerprint"] != second["fingerprint"]
    assert [one["id"] for one in registry.versions("Sums")] == [second["dataset"], first["dataset"]]
    assert registry.find_dataset("Sums") == second["dataset"]
    assert registry.find_dataset("Sums@1") == first["dataset"]
    with pytest.raises(NotFoundError):
        registry.find_dataset("Sums@3")
    registry.delete_dataset(second["dataset"])
    assert prepare_dataset(path, Options(), NotesOnly(), name="Sums")["version"] == 2


def test_a_run_names_the_version_that_it_uses_in_its_plan_and_report(tmp_path: Path):
    told = prepare_dataset(file_of(tmp_path, ROWS), Options(), NotesOnly(), name="Sums")
    spec = spec_of({"data": {"source": told["dataset"]}})
    plan = json.loads((new_run({"kind": "train"}, spec=spec).path / "plan.json").read_text())
    named = {"dataset": told["dataset"], "name": "Sums", "version": 1, "fingerprint": told["fingerprint"]}
    assert plan["data"] == named
    report = open_data(spec, tmp_path).report
    assert {name: report[name] for name in named} == named
    again = open_data(spec.model_copy(update={"seed": 5}), tmp_path).report
    assert {name: again[name] for name in named} == named


def test_the_demo_and_a_file_that_was_not_prepared_have_a_name_and_no_version(tmp_path: Path):
    path = file_of(tmp_path, ROWS)
    for source, name in (("demo", "demo"), (str(path), path.name)):
        report = open_data(spec_of({"data": {"source": source}}), tmp_path / "work").report
        assert (report["dataset"], report["name"], report.get("version")) == (None, name, None)


# --- the fingerprint ---


def test_the_fingerprint_knows_the_tokenizer_and_not_where_it_lies(tmp_path: Path):
    import lab.presets

    model = tmp_path / "elsewhere"
    shutil.copytree(lab.presets.presets_dir() / "demo" / "model", model)
    path = file_of(tmp_path, ROWS)
    demo, copied = (prepare(path, Options(model=where), tmp_path, NotesOnly())[1] for where in ("demo", str(model)))
    assert demo["fingerprint"] == copied["fingerprint"]
    tokenizer = toy_tokenizers.gpt2_like()
    _, other = prepare(path, Options(), tmp_path, NotesOnly(), tokenizer=tokenizer)
    assert other["fingerprint"] != demo["fingerprint"]
    before = fingerprint_of(tokenizer)
    tokenizer(["a", "b c d"], truncation=True, max_length=2)
    assert fingerprint_of(tokenizer) == before, "what the last call asked for does not count"


def test_the_fingerprint_of_the_demo_is_the_same_on_every_machine(tmp_path: Path):
    rows = ROWS[:20]
    _, told = prepare(file_of(tmp_path, rows), Options(), tmp_path, NotesOnly(), tokenizer=toy_tokenizers.demo())
    again = [dict(reversed(row.items())) for row in rows]
    _, other = prepare(file_of(tmp_path, again, "b.jsonl"), Options(), tmp_path, NotesOnly())
    assert told["fingerprint"] == other["fingerprint"], "the order of columns is not content"


def test_batch_and_packing_shape_no_example_and_change_no_fingerprint(tmp_path: Path):
    path = file_of(tmp_path, ROWS)
    told = [
        prepare(path, options, tmp_path, NotesOnly())[1] for options in (Options(), Options(batch=16, packing=True))
    ]
    assert told[0]["fingerprint"] == told[1]["fingerprint"]


# --- figures ---


def test_tokens_add_up_and_packing_leaves_less_padding(tmp_path: Path):
    rows = [row | {"answer": row["answer"] + " more" * (i % 40)} for i, row in enumerate(ROWS)]
    tokens = figures_of(file_of(tmp_path, rows), Options(max_length=128, batch=8), tmp_path)["tokens"]
    assert tokens["total"] == tokens["trained"] + tokens["masked"]
    assert 0 < tokens["padded_packed"] < tokens["padded"]
    cut = figures_of(file_of(tmp_path, rows), Options(max_length=60, too_long="cut"), tmp_path)
    assert cut["tokens"]["cut"] > 0
    assert "cut at 60 tokens" in remarks(cut)


def test_the_first_words_and_the_sufficiency_are_told(tmp_path: Path):
    rows = [*ROWS, {"question": "Why not?", "answer": "Because."}]
    figures = figures_of(file_of(tmp_path, rows), Options(), tmp_path)
    assert figures["first_words"] == [["what", 200], ["why", 1]]
    enough = figures["sufficiency"]
    assert (enough["task"], enough["verdict"], enough["minimum"]) == ("causal-lm", "below", 500)
    assert enough["rows"] == 180


def test_rows_of_a_classifier_stay_as_they_are_and_their_labels_are_counted():
    rows = [{"text": f"A text about number {i}", "label": "good" if i % 4 else "bad"} for i in range(100)]
    options = Options(preparation=PreparationSpec(split_by="stratified", balance="oversample"), validation_share=0.2)
    built = build(Source("x", "classification", rows, {}, 100), options, toy_tokenizers.demo(), NotesOnly())
    counted = Counter((row["label"], row["split"]) for row in built.rows)
    assert counted == {
        ("good", "train"): 60,
        ("bad", "train"): 60,
        ("good", "validation"): 15,
        ("bad", "validation"): 5,
    }
    assert built.tokens is None
    assert built.added == {"repeated to balance the classes": 40}
    assert len(built.lengths) == 100


# --- the training part ---


def test_varied_and_general_rows_are_tokenised_and_only_trained_on(tmp_path: Path):
    general = prepare_dataset(
        file_of(tmp_path, [{"question": f"Name {i}?", "answer": f"Item {i}."} for i in range(90)], "general.jsonl"),
        Options(),
        NotesOnly(),
    )
    settings = {
        "augment": "characters",
        "augment_share": 0.25,
        "replay_source": general["dataset"],
        "replay_share": 0.2,
    }
    told = prepare_dataset(file_of(tmp_path, ROWS), steps("missing", **settings), NotesOnly())
    assert told["added"] == {"varied copies": 45, "general data": 56}
    assert told["rows"] == {"read": 200, "kept": 301, "train": 281, "validation": 20, "test": 0}
    assert told["rows"]["read"] + sum(told["added"].values()) == told["rows"]["kept"] + sum(told["dropped"].values())
    rows = [json.loads(line) for line in (datasets_folder() / told["dataset"] / "rows.jsonl").open()]
    assert {row["split"] for row in rows if row.get("augmented") or row.get("replay")} == {"train"}
    opened = open_data(spec_of({"data": {"source": told["dataset"]}}), tmp_path)
    assert sum(example.question.startswith("Name ") for example in opened.train) == 56


def test_leaks_are_told_and_dropped_when_asked(tmp_path: Path):
    same = "a long answer of many words that stays the same in each of these rows but for its number"
    rows = [{"question": f"Please tell me number {i}", "answer": f"{same} {i % 5}"} for i in range(100)]
    path = file_of(tmp_path, rows)
    figures = figures_of(path, steps("missing", near_threshold=0.7), tmp_path)
    assert figures["leakage_count"] > 50
    assert "resemble a held-out row" in remarks(figures)
    assert set(figures["leakage"][0]) == {"train", "held_out", "similarity", "text"}
    mixed = file_of(tmp_path, [*rows, *ROWS], "mixed.jsonl")
    _, told = prepare(mixed, steps("missing", near_threshold=0.7, leakage="drop"), tmp_path, NotesOnly())
    assert told["dropped"]["resembles a held-out row"] > 50


# --- the documents' own pipeline ---


def test_every_way_of_preparing_data_sets_what_the_spec_allows():
    for preset in preparations():
        for phase in range(len(preset.phases)):
            assert preset.spec(phase, made={"general": "demo"}).preparation.steps
        assert preset.wrong


def test_the_documents_pipeline_gives_its_split_and_is_told_what_is_wrong_with_it(tmp_path: Path):
    """Its 24,899 short rows, and of the long ones fewer than there were."""
    draw = random.Random(1)
    words = ["print", "the", "value", "of", "a", "list", "loop", "over", "it", "and", "return", "what", "was", "found"]
    form = len("### Question: \n### Answer: ")

    def row(number: int, size: int) -> dict[str, str]:
        question = f"Question {number}?"
        text = " ".join(draw.choices(words, k=size // 4))
        return {"question": question, "answer": (text + "." * size)[: size - form - len(question)]}

    rows = [row(i, draw.randint(60, 140)) for i in range(24_899)]
    rows += [row(100_000 + i, draw.randint(1024, 1400)) for i in range(1_500)]
    rows += [{"question": f"Empty {i}?", "answer": ""} for i in range(100)]
    draw.shuffle(rows)
    path = tmp_path / "train.csv"
    path.write_text("question,answer\n" + "".join(f'"{r["question"]}","{r["answer"]}"\n' for r in rows))
    options = Options.of_spec(preparation("document-001").spec())
    built, told = prepare(path, options, tmp_path, NotesOnly())
    assert told["rows"] == {"read": 26_499, "kept": 24_899, "train": 19_919, "validation": 4_980, "test": 0}
    assert sum(told["dropped"].values()) == 1_600
    figures = json.loads((tmp_path / "figures.json").read_text())
    effect = figures["character_filter"]
    assert effect["limit"] == 1024
    assert effect["longer_in_characters"] > 0.05 > effect["longer_in_tokens"] == 0.0
    said = remarks(figures)
    for part in ("counts characters, not tokens", "The question is trained, too", "no test rows"):
        assert part in said
    assert built.template == "question-answer"


# --- the report ---


def test_the_report_is_one_page_that_runs_nothing_of_the_data(tmp_path: Path):
    rows = [*ROWS, {"question": "<script>alert(1)</script>", "answer": "<img src=x onerror=alert(1)> & more"}]
    told = prepare_dataset(file_of(tmp_path, rows), Options(), NotesOnly(), name="<b>Sums")
    page = as_html(read_data(datasets_folder() / told["dataset"]))
    assert "&lt;b&gt;Sums, version 1" in page
    assert "<script" not in page and "<img" not in page and "http" not in page.replace("http-equiv", "")
    for part in ("Length in tokens", "Length in characters", "Masked", "First words", "<mark>", told["fingerprint"]):
        assert part in page


def test_a_step_that_drops_everything_is_an_error_that_names_it(tmp_path: Path):
    with pytest.raises(InputError, match="characters"):
        prepare(file_of(tmp_path, ROWS), steps("characters", max_characters=3), tmp_path, NotesOnly())
