"""Quality on real data: a task trained by the lab's worker on the CPU, beside a baseline trained on the same rows.

    python benchmarks/quality/anchors.py sst2 --data TRAIN DEV --model MODEL [--set schedule.epochs=3]
    python benchmarks/quality/anchors.py spam --data FILE --model MODEL
    python benchmarks/quality/anchors.py wnut --data TRAIN DEV --model MODEL
    python benchmarks/quality/anchors.py squad --data FILE --model MODEL

MODEL is `demo` or a folder, such as the one that pretrain_encoder.py writes. Prints one JSON object: held-out
scores before and after with 95 % intervals, the baseline's, and the seconds of the training.
Baselines: TF-IDF of words and pairs of words with logistic regression for texts, the most frequent tag of each word
for entities, the sentence that shares most words with the question for answers.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

Row = dict[str, Any]
Split = tuple[list[Row], list[Row]]

KINDS = {"sst2": "classification", "spam": "classification", "wnut": "token-classification", "squad": "extractive-qa"}
SETTINGS: dict[str, dict[str, Any]] = {
    "sst2": {"schedule.epochs": 3, "data.max_length": 96, "data.too_long": "cut", "evaluation.max_examples": 2000},
    "spam": {"schedule.epochs": 4, "data.max_length": 128, "data.too_long": "cut", "evaluation.max_examples": 2000},
    "wnut": {"schedule.epochs": 4, "data.max_length": 128, "data.too_long": "cut", "evaluation.max_examples": 2000},
    "squad": {"schedule.epochs": 2, "data.max_length": 256, "tasks.stride": 64, "evaluation.max_examples": 500},
}
COMMON = {
    "schedule.per_device_batch": 32, "schedule.accumulation": 1, "schedule.scheduler": "linear",
    "schedule.warmup": 0.1, "schedule.weight_decay": 0.01, "method.name": "full", "schedule.learning_rate": 3e-4,
    "resources.device": "cpu", "evaluation.samples": 0, "evaluation.keep_best": False,
}  # fmt: skip


def labelled(path: Path, text: int, label: int) -> list[Row]:
    """Rows of a TSV file without header."""
    lines = path.read_text(encoding="utf-8").splitlines()
    cells = [line.split("\t") for line in lines if line.count("\t") == 1]
    return [{"text": row[text].strip(), "label": row[label].strip()} for row in cells]


def halves(rows: list[Row], share: float = 0.2) -> Split:
    """Training and held-out rows, each text once."""
    rows = list({row["text"]: row for row in reversed(rows)}.values())  # the lab leaves repeated rows out, too
    texts = sorted(row["text"] for row in rows)
    random.Random(0).shuffle(texts)
    held = set(texts[: round(share * len(texts))])
    return [row for row in rows if row["text"] not in held], [row for row in rows if row["text"] in held]


def conll(path: Path) -> list[Row]:
    """Sentences of words and tags."""
    rows: list[Row] = []
    for block in re.split(r"\n\s*\n", path.read_text(encoding="utf-8")):
        pairs = [line.split("\t") for line in block.splitlines() if line.count("\t") == 1]
        if pairs:
            rows.append({"tokens": [word for word, _ in pairs], "tags": [tag.strip() for _, tag in pairs]})
    return rows


def squad(path: Path) -> Split:
    """Questions of SQuAD, articles of one side never on the other; the last fifth of them is held out."""
    articles = json.loads(path.read_text(encoding="utf-8"))["data"]
    sides: Split = ([], [])
    for number, article in enumerate(articles):
        for part in article["paragraphs"]:
            for asked in part["qas"]:
                answers = [{"text": a["text"], "start": a["answer_start"]} for a in asked["answers"]]
                row = {"id": asked["id"], "context": part["context"], "question": asked["question"]}
                sides[number >= 0.8 * len(articles)].append(row | {"answers": answers})
    return sides


def read(name: str, files: Sequence[Path]) -> Split:
    """Training and held-out rows of a data set."""
    if name == "sst2":
        return labelled(files[0], 0, 1), labelled(files[1], 0, 1)
    if name == "spam":
        return halves(labelled(files[0], 1, 0))
    if name == "wnut":
        return conll(files[0]), conll(files[1])
    return squad(files[0])


# --- baselines ---


def baseline(name: str, train: list[Row], held_out: list[Row], seed: int) -> dict[str, Any]:
    """The scores of a simple model on the same rows."""
    if KINDS[name] == "classification":
        return tfidf(train, held_out)
    if name == "wnut":
        return frequent_tags(train, held_out)
    return shared_words(held_out)


def tfidf(train: list[Row], held_out: list[Row]) -> dict[str, Any]:
    """TF-IDF with logistic regression (scikit-learn), as it comes and with balanced class weights."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

    vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    before, after = (
        vectors.fit_transform([row["text"] for row in train]),
        vectors.transform([row["text"] for row in held_out]),
    )
    truth, found = [row["label"] for row in held_out], {}
    for weights in (None, "balanced"):
        model = LogisticRegression(C=10, max_iter=1000, class_weight=weights).fit(
            before, [row["label"] for row in train]
        )
        said = model.predict(after)
        found["tfidf-logistic" + ("-balanced" if weights else "")] = {
            "accuracy": accuracy_score(truth, said),
            "macro_f1": f1_score(truth, said, average="macro"),
            "f1": {
                str(label): score
                for label, score in zip(model.classes_, f1_score(truth, said, average=None), strict=True)
            },
            "matthews": matthews_corrcoef(truth, said),
        }
    return found


def frequent_tags(train: list[Row], held_out: list[Row]) -> dict[str, Any]:
    """The most frequent tag of each word in training; a word never seen is outside."""
    from lab.training.scores import entities

    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for row in train:
        for word, tag in zip(row["tokens"], row["tags"], strict=True):
            seen[word][tag] += 1
    rows = [
        entities.counts(
            row["tags"], [seen[word].most_common(1)[0][0] if word in seen else "O" for word in row["tokens"]]
        )
        for row in held_out
    ]
    table = [sum(n for (_, w), n in row.items() if w == what) for what in ("right", "said", "true") for row in rows]
    third = len(rows)
    return {"frequent-tag": entities.scores(sum(table[:third]), sum(table[third : 2 * third]), sum(table[2 * third :]))}


def shared_words(held_out: list[Row]) -> dict[str, Any]:
    """The sentence of the passage that shares most words with the question, as the answer."""
    from lab.training.scores import answers

    marks = []
    for row in held_out:
        asked = set(answers.normal(row["question"]).split())
        sentences = re.split(r"(?<=[.!?])\s+", row["context"])
        best = max(sentences, key=lambda text: len(asked & set(answers.normal(text).split())))
        marks.append(answers.best(best, [answer["text"] for answer in row["answers"]]))
    return {
        "closest-sentence": {
            "exact_match": sum(m[0] for m in marks) / len(marks),
            "f1": sum(m[1] for m in marks) / len(marks),
        }
    }


# --- the lab's own run ---


def train(name: str, model: str, split: Split, changes: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Train as the worker does; scores before and after, and what the run took."""
    os.environ["LAB_HOME"] = str(folder / "home")
    from lab.runs.directory import RunDirectory
    from lab.runs.events import EventWriter
    from lab.runs.home import datasets_folder, new_id
    from lab.runs.stopping import StopFlag
    from lab.spec import RunSpec, check, dump, with_overrides
    from lab.training.worker import run as work

    data = datasets_folder() / new_id()
    data.mkdir(parents=True)
    parts = [row | {"split": part} for part, rows in zip(("train", "validation"), split, strict=True) for row in rows]
    (data / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in parts), encoding="utf-8")
    counts = {"read": len(parts), "kept": len(parts), "train": len(split[0]), "validation": len(split[1]), "test": 0}
    record = {"id": data.name, "name": name, "kind": KINDS[name], "mapping": {}, "rows": counts, "cleaned": {},
              "dropped": {}, "options": {}}  # fmt: skip
    (data / "dataset.json").write_text(json.dumps(record), encoding="utf-8")
    sources = {"task": KINDS[name], "data.source": data.name, "model.source": model}
    spec = with_overrides(RunSpec(), COMMON | SETTINGS[name] | sources | changes)
    check(spec)
    run = folder / "run"
    run.mkdir()
    (run / "spec.yaml").write_text(dump(spec))
    (run / "request.json").write_text(json.dumps({"kind": "train", "until_step": None}))
    directory = RunDirectory(run)
    directory.attempt_path(1).mkdir(parents=True)
    result = work(directory, EventWriter(directory, 1), StopFlag(), 1)
    held_out = json.loads((run / "review" / "summary.json").read_text())["held_out"]
    kept = ("scores", "classes", "matthews", "majority", "word_accuracy", "loss")
    return {
        "before": {name: held_out["base"]["scores"][name]["value"] for name in held_out["base"]["scores"]},
        "after": {name: held_out["tuned"][name] for name in kept if name in held_out["tuned"]},
        "step": result["step"], "seconds": result["seconds"], "trained": result["trainable"]["parameters"],
        "samples_per_s": result["throughput"]["samples_per_s"], "best": result.get("best"),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("name", choices=sorted(KINDS))
    parser.add_argument("--data", nargs="+", type=Path, required=True)
    parser.add_argument("--model", default="demo")
    parser.add_argument("--rows", type=int, default=None, help="most training rows")
    parser.add_argument("--set", nargs="*", default=[], help="settings of the run, such as schedule.epochs=2")
    given = parser.parse_args()

    from lab.spec import read_overrides

    rows, held_out = read(given.name, given.data)
    rows = rows if given.rows is None else random.Random(0).sample(rows, min(given.rows, len(rows)))
    changes = read_overrides(given.set)
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        own = train(given.name, given.model, (rows, held_out), changes, Path(folder))
        own["total_s"] = round(time.monotonic() - started, 1)
    told = {"task": given.name, "model": given.model, "rows": [len(rows), len(held_out)], "set": given.set, "lab": own}
    print(json.dumps(told | {"baseline": baseline(given.name, rows, held_out, 0)}))


if __name__ == "__main__":
    main()
