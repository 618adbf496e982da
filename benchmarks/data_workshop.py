"""The data workshop beside the plain pandas and datasets way of document 001, on the same file.

    python benchmarks/data_workshop.py [--rows FILE.jsonl] [--model FOLDER] [--repeat N] [--near]

makes a CSV of 136,108 questions and answers (about 200 MB) from the rows of a JSONL file with `question` and `answer`
(default: the demo's), and prepares it with the lab and plainly, in turn, each in a process of its own: with the
document's filter of 1,024 characters, and with all rows tokenised and a filter of 1,024 tokens. Prints seconds, the
peak memory of the whole process tree, and whether both gave the same rows, split sizes and tokens.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
COUNT = 136_108  # rows of the document's file (document 001 L229)
LIMIT = 1024  # characters there (L297), tokens in the other half
SEED = 42
WITHOUT_ANSWER = 0.004
LOOK_S = 0.2


def main() -> None:
    """Make the file, run both ways, print the table."""
    arguments = parsed()
    if arguments.child:
        run = {"lab": lab_way, "plain": plain_way}[arguments.child]
        print(json.dumps(run(Path(arguments.work), arguments.model, arguments.filter, near=arguments.near)))
        return
    work = Path(arguments.work or tempfile.mkdtemp(prefix="data-workshop-"))
    file = work / "questions.csv"
    if not file.exists():
        make(file, Path(arguments.rows))
    print(f"{file}: {file.stat().st_size / 1e6:.0f} MB; load of the machine {os.getloadavg()[0]:.2f}")
    for kind in arguments.only or ("characters", "tokens"):
        compare(kind, work, arguments)
    if arguments.near:
        told = measured("lab", "tokens", work, arguments.model, "--near")
        print(f"with near duplicates: {told['seconds']:.1f} s {told['peak_mib']:.0f} MiB {told['rows']}")


def compare(kind: str, work: Path, arguments: argparse.Namespace) -> None:
    """Run both ways in turn, as often as wished, and print every run and the medians of the figures and ratios."""
    runs: dict[str, list[dict[str, Any]]] = {"lab": [], "plain": []}
    for _ in range(arguments.repeat):
        for way, done in runs.items():
            done.append(told := measured(way, kind, work, arguments.model))
            load = f"load {os.getloadavg()[0]:.1f}"
            print(f"{kind:10} {way:5} {shown(told)} {told['rows']} {told['tokens']} tokens; {load}", flush=True)
    names = ("seconds", "cpu", "peak_mib")
    for way, done in runs.items():
        print(f"{kind:10} {way:5} {shown({name: median(run[name] for run in done) for name in names})} (median)")
    pairs = list(zip(runs["lab"], runs["plain"], strict=True))
    same = all(lab[name] == plain[name] for lab, plain in pairs for name in ("rows", "tokens"))
    ratios = [median(plain[name] / lab[name] for lab, plain in pairs) for name in names]
    figures = "{:.2f} times as fast, {:.2f} times in seconds of processors, {:.2f} times in memory".format(*ratios)
    print(f"{kind:10} {figures} (medians of pairs); the same rows and tokens: {same}", flush=True)


def shown(told: dict[str, Any]) -> str:
    """Seconds, seconds of processors and memory in columns."""
    return f"{told['seconds']:6.1f} s {told['cpu']:6.1f} s of processors {told['peak_mib']:6.0f} MiB"


def parsed() -> argparse.Namespace:
    """The command line; `--child` and `--filter` are for the processes that it starts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=str(ROOT / "presets" / "demo" / "questions.jsonl"))
    parser.add_argument("--model", default="demo", help="whose tokenizer counts: `demo` or a folder")
    parser.add_argument("--work", default="", help="a folder for the file and the results")
    parser.add_argument("--only", action="append", choices=("characters", "tokens"), help="one of the two halves")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each way, in turn; medians are printed")
    parser.add_argument("--near", action="store_true", help="measure the step near-duplicates, too")
    parser.add_argument("--child", choices=("lab", "plain"), help=argparse.SUPPRESS)
    parser.add_argument("--filter", choices=("characters", "tokens"), default="tokens", help=argparse.SUPPRESS)
    return parser.parse_args()


def make(file: Path, rows: Path) -> None:
    """Write the CSV: each row asks a drawn question; drawn rows are added to its answer up to a drawn length.

    Lengths are log-normal with a median near 1,350 characters, so that about one row of five has less than 1,024 with
    the prompt around it, as in the document (24,899 of 136,108).
    """
    with open(rows, encoding="utf-8") as lines:
        drawn = [(row["question"], row["answer"]) for row in map(json.loads, lines)]
    draw = random.Random(SEED)  # the same file again, no secret
    with open(file, "w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["question", "answer"])
        for _ in range(COUNT):
            (question, answer), size = draw.choice(drawn), draw.lognormvariate(7.1, 0.4)
            while len(question) + len(answer) < size:
                question_2, answer_2 = draw.choice(drawn)
                answer += f"\n\n{question_2}\n{answer_2}"
            writer.writerow([question, "" if draw.random() < WITHOUT_ANSWER else answer[: int(size)]])


def measured(way: str, kind: str, work: Path, model: str, *more: str) -> dict[str, Any]:
    """What a way answers (rows, tokens, seconds), and the peak of its processes' memory (MiB)."""
    command = [sys.executable, __file__, "--child", way, "--filter", kind, "--work", str(work), "--model", model, *more]
    environment = os.environ | {"LAB_HOME": tempfile.mkdtemp(dir=work), "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    if way == "lab":
        environment["TOKENIZERS_PARALLELISM"] = "false"  # as a worker has it: the lab brings its own threads
    pipe, silent = subprocess.PIPE, subprocess.DEVNULL
    process = subprocess.Popen(command, env=environment, stdout=pipe, stderr=silent)  # noqa: S603  # this script
    peak = [0]
    watcher = threading.Thread(target=watch, args=(process.pid, peak))
    watcher.start()
    answer, _ = process.communicate()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{way} ended with {process.returncode}")
    told: dict[str, Any] = json.loads(answer.splitlines()[-1])
    return told | {"peak_mib": peak[0] / 2**20}


def watch(pid: int, peak: list[int]) -> None:
    """Keep the largest memory of a process and its children together until it ends (PSS, as Linux counts it)."""
    try:
        parent = psutil.Process(pid)
        while parent.is_running() and parent.status() != psutil.STATUS_ZOMBIE:
            sizes = []
            for one in (parent, *parent.children(recursive=True)):
                try:
                    sizes.append(one.memory_full_info().pss)  # a page that forks share counts once
                except psutil.NoSuchProcess:
                    continue
            peak[0] = max(peak[0], sum(sizes))
            time.sleep(LOOK_S)
    except psutil.NoSuchProcess:
        return


def lab_way(work: Path, model: str, kind: str, *, near: bool = False) -> dict[str, Any]:
    """A prepared data set, as a worker makes it."""
    from lab.data.without_torch import keep_torch_out

    keep_torch_out()
    from lab.data.options import Options
    from lab.data.prepare import prepare_dataset
    from lab.data.progress import NotesOnly
    from lab.spec import PreparationSpec

    steps = ["missing", "exact-duplicates", *(["near-duplicates"] if near else [])]
    limit = None
    if kind == "characters":
        steps, limit = ["missing", "exact-duplicates", "characters"], LIMIT
    preparation = PreparationSpec.model_validate({"steps": steps, "max_characters": limit})
    options = Options(
        model=model,
        template="question-answer",
        max_length=LIMIT if kind == "tokens" else 4 * LIMIT,
        validation_share=0.2,
        seed=SEED,
        preparation=preparation,
    )
    told = prepare_dataset(work / "questions.csv", options, NotesOnly())
    seconds, rows = spent(), told["rows"]
    # The lab ends each answer with the end token; the plain way has none.
    parts = [rows["kept"], rows["train"], rows["validation"]]
    return {"rows": parts, "tokens": told["tokens"]["total"] - rows["kept"], **seconds}


def plain_way(work: Path, model: str, kind: str, *, near: bool = False) -> dict[str, Any]:
    """Document 001 L203-338 with today's libraries, and its repetitions dropped, which it forgets."""
    import datasets
    import pandas as pd
    from transformers import AutoTokenizer

    from lab.models.location import locate

    frame = pd.read_csv(work / "questions.csv", encoding="utf-8").dropna(axis=0).drop_duplicates()
    pairs = zip(frame["question"], frame["answer"], strict=True)
    texts = [f"### Question: {question}\n### Answer: {answer}" for question, answer in pairs]
    if kind == "characters":
        texts = [text for text in texts if len(text) < LIMIT]
    data = datasets.Dataset.from_pandas(pd.DataFrame(texts, columns=["text"]))
    tokenizer = AutoTokenizer.from_pretrained(locate(model).load_from)
    data = data.map(lambda batch: tokenizer(batch["text"], add_special_tokens=False), batched=True)
    if kind == "tokens":
        data = data.filter(lambda batch: [len(ids) < LIMIT for ids in batch["input_ids"]], batched=True)
    split = data.train_test_split(test_size=0.2, shuffle=True, seed=SEED)
    split.save_to_disk(str(work / f"plain-{kind}"))
    seconds = spent()
    tokens = sum(map(len, data["input_ids"]))  # only to compare; not timed
    return {"rows": [len(data), len(split["train"]), len(split["test"])], "tokens": tokens, **seconds}


def spent() -> dict[str, float]:
    """Seconds since this process was started, imports included, and of processors, children included."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(one.ru_utime + one.ru_stime for one in used)
    return {"seconds": time.time() - psutil.Process().create_time(), "cpu": cpu}


if __name__ == "__main__":
    main()
