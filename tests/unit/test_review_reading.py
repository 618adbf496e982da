"""The comparison that the Review page shows, from files as a training worker writes them."""

import json
from pathlib import Path

import pytest

from lab.errors import InputError, NotFoundError
from lab.json_io import write_json
from lab.review import Comparison, arrange, as_csv, as_jsonl, as_markdown, read_comparison, wilson

QUESTIONS = ["What does os.path.join do?", "What does str.strip do?", "What does math.gcd do?"]
REFERENCES = [
    "Join two or more pathname components.",
    "Return a copy without whitespace.",
    "Return the divisor.",
]


def record(index: int, text: str, rouge: float | None, stopped: bool = True) -> dict:
    return {
        "index": index,
        "prompt": QUESTIONS[index],
        "reference": REFERENCES[index],
        "text": text,
        "stopped": stopped,
        "loss": 1.0 - 0.1 * index,
        "rouge_l": rouge,
        "form": stopped,
    }


BASE = [
    record(0, "os.path.join\n\nJoin", 0.2, False),
    record(1, "Return a copy.", 0.6),
    record(2, "gcd gcd gcd", 0.0, False),
]
TUNED = [record(0, REFERENCES[0], 1.0), record(1, "Strip it.", 0.1), record(2, "Return a divisor.", 0.67)]


def write_review(directory: Path, base: list[dict], tuned: list[dict]) -> None:
    review = directory / "review"
    review.mkdir(parents=True)
    for name, records in (("base", base), ("tuned", tuned)):
        if records:
            (review / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    figures = {"stop_rate": 0.0, "format_rate": None, "answer_rate": 0.0, "count": 3}
    held_out = {
        "base": {"loss": 3.08, "perplexity": 21.8, **figures},
        "tuned": {"loss": 0.44, "perplexity": None, **figures},
    }
    summary = {"held_out": held_out, "seed": 42, "decoding": "greedy", "max_new_tokens": 60}
    write_json(review / "summary.json", summary)


@pytest.fixture
def comparison(tmp_path: Path) -> Comparison:
    write_review(tmp_path, BASE, TUNED)
    return read_comparison(tmp_path)


@pytest.mark.parametrize(
    ("successes", "count", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (0, 0, 0.0, 1.0)],
)
def test_wilson_interval_of_a_few_answers(successes: int, count: int, low: float, high: float) -> None:
    assert wilson(successes, count) == pytest.approx((low, high), abs=1e-4)


def test_wilson_bounds_are_the_shares_from_which_the_count_is_1_96_standard_errors_away() -> None:
    for bound in wilson(64, 200):
        assert abs(64 / 200 - bound) / (bound * (1 - bound) / 200) ** 0.5 == pytest.approx(1.96, abs=1e-3)


def test_wilson_refuses_more_successes_than_answers() -> None:
    with pytest.raises(ValueError):
        wilson(4, 3)


def test_pairs_hold_both_answers_and_the_rates_are_counted_from_them(comparison: Comparison) -> None:
    assert [pair.prompt for pair in comparison.pairs] == QUESTIONS
    assert comparison.pairs[0].base.text.startswith("os.path.join") and comparison.pairs[0].tuned.right
    assert comparison.base.rates["stop_rate"].share == pytest.approx(1 / 3)
    rate = comparison.tuned.rates["answer_rate"]
    assert (rate.successes, rate.count) == (2, 3)
    assert rate.interval[0] < rate.share < rate.interval[1]


def test_loss_before_and_after_with_its_relative_fall(comparison: Comparison) -> None:
    assert (comparison.base.loss, comparison.tuned.loss) == (3.08, 0.44)
    assert comparison.loss_fall == pytest.approx(6 / 7, abs=1e-3)
    assert comparison.tuned.perplexity == pytest.approx(1.5527, abs=1e-4)  # e to the loss


def test_while_the_run_goes_on_there_are_pairs_without_a_tuned_answer(tmp_path: Path) -> None:
    write_review(tmp_path, BASE, [])
    half = read_comparison(tmp_path)
    assert not half.complete and half.pairs[1].tuned is None and half.pairs[1].gain is None
    assert arrange(half.pairs, order="most-improved") == half.pairs


def test_a_torn_last_line_and_a_score_that_is_not_finite_are_left_out(tmp_path: Path) -> None:
    write_review(tmp_path, BASE, [])
    with open(tmp_path / "review" / "tuned.jsonl", "w") as file:
        file.write(json.dumps(record(0, "x", float("nan"))) + "\n" + '{"index": 1, "prom')
    pairs = read_comparison(tmp_path).pairs
    assert pairs[0].tuned.rouge_l is None and pairs[1].tuned is None


def test_a_run_without_answers_says_when_they_come(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no comparison yet"):
        read_comparison(tmp_path)


@pytest.mark.parametrize(
    ("order", "show", "search", "expected"),
    [
        ("asked", "all", "", [0, 1, 2]),
        ("most-improved", "all", "", [0, 2, 1]),
        ("least-improved", "all", "", [1, 2, 0]),
        ("best", "right", "", [0, 2]),
        ("worst", "all", "", [1, 2, 0]),
        ("asked", "wrong", "", [1]),
        ("asked", "gained", "", [0, 2]),
        ("asked", "lost", "", [1]),
        ("asked", "unstopped", "", []),
        ("asked", "all", "PATH join", [0]),
        ("asked", "all", ".*", []),  # words, never a pattern
    ],
)
def test_arranging_the_pairs(comparison: Comparison, order: str, show: str, search: str, expected: list[int]) -> None:
    shown = arrange(comparison.pairs, order=order, show=show, search=search)
    assert [pair.index for pair in shown] == expected


def test_an_order_that_does_not_exist_names_those_that_do(comparison: Comparison) -> None:
    with pytest.raises(InputError, match="most-improved"):
        arrange(comparison.pairs, order="best-first")


def test_csv_defuses_formulas_and_jsonl_changes_nothing(tmp_path: Path) -> None:
    import csv
    import io

    hostile = ["=cmd|'/C calc'!A0", "@SUM(1)", "+1-2", "\t=1", "-3.5", "- a list"]
    tuned = [{**record(i % 3, text, None), "index": i} for i, text in enumerate(hostile)]
    write_review(tmp_path, [], tuned)
    comparison = read_comparison(tmp_path)
    rows = list(csv.DictReader(io.StringIO(as_csv(comparison), newline="")))
    assert [row["tuned"] for row in rows] == [
        "'=cmd|'/C calc'!A0",
        "'@SUM(1)",
        "'+1-2",
        "'\t=1",
        "-3.5",
        "'- a list",
    ]
    assert [json.loads(line)["tuned"] for line in as_jsonl(comparison).splitlines()] == hostile


def test_markdown_keeps_model_text_inside_its_fences(tmp_path: Path) -> None:
    hostile = "```\n# Not a heading\n![x](http://evil.example/a.png)\n````\n<script>"
    write_review(tmp_path, [], [record(0, hostile, 0.5)])
    text = as_markdown(read_comparison(tmp_path), "My run\n# again <b>")
    fence = "`" * 5
    assert f"{fence}text\n{hostile}\n{fence}\n" in text
    assert text.startswith("# My run again b\n")
    assert "| held-out loss | 3.08 | 0.44 |" in text


def test_labels_know_their_confidence_and_the_surest_mistakes_come_first(tmp_path: Path) -> None:
    told = [(True, 0.9), (False, 0.6), (False, 0.8)]
    tuned = [
        {**record(i, "bad", None), "right": right, "confidence": sure, "task": "mood"}
        for i, (right, sure) in enumerate(told)
    ]
    write_review(tmp_path, [], tuned)
    comparison = read_comparison(tmp_path)
    assert comparison.of_labels
    shown = arrange(comparison.pairs, order="sure-mistakes")
    assert [pair.index for pair in shown] == [2, 1, 0]
    assert arrange(comparison.pairs, task="spam") == []
    assert "not right" in as_markdown(comparison) and "ends by itself" not in as_markdown(comparison)
    row = json.loads(as_jsonl(comparison).splitlines()[2])
    assert (row["tuned_right"], row["tuned_confidence"], row["task"]) == (False, 0.8, "mood")
