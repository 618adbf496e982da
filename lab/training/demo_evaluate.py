"""Measure the demo: tune its model on the train questions, and ask the held-out ones before and after.

A plain loop, so that the figures on the model card do not depend on the product's trainer.
`python -m lab.training.demo_evaluate --demo presets/demo` prints them and adds them to `facts.json`.
"""

import argparse
import json
import os
import random
import time
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # see pretrain_demo

import torch
from peft import LoraConfig, get_peft_model
from rouge_score import rouge_scorer
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from lab.training.demo_corpus import PROMPT, SEED, in_taught_form

ASKED = 200
RIGHT_ROUGE_L = 0.5
NEW_TOKENS = 60
BATCH = 50
Row = dict[str, str]


@dataclass
class Tuning:
    """The settings of the demo's tuning."""

    steps: int = 120
    rows_per_step: int = 16
    lr: float = 2e-3
    rank: int = 16
    alpha: int = 32
    warm_up_steps: int = 10


@dataclass
class Scores:
    """What the held-out questions show; rates are fractions of 1, the loss is nats a token of the answer."""

    loss: float
    perplexity: float
    stop_rate: float
    format_rate: float
    answer_rate: float
    word_for_word_rate: float


class Pupil:
    """A model and its tokenizer with the few things that measuring needs."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self.model, self.tokenizer = model, tokenizer

    def batch(self, rows: list[Row]) -> dict[str, torch.Tensor]:
        """Padded `input_ids`, `attention_mask` and `labels` of shape (rows, longest); only answers are labelled."""
        pairs = [self._pair(row) for row in rows]
        width = max(len(p) + len(a) for p, a in pairs)
        ids = torch.full((len(rows), width), self.tokenizer.pad_token_id)
        mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
        for i, (prompt, answer) in enumerate(pairs):
            n, m = len(prompt), len(prompt) + len(answer)
            ids[i, :m] = torch.tensor(prompt + answer)
            labels[i, n:m] = torch.tensor(answer)
            mask[i, :m] = 1
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}

    def _pair(self, row: Row) -> tuple[list[int], list[int]]:
        prompt = self.tokenizer(PROMPT.format(question=row["question"]))["input_ids"]
        answer = self.tokenizer(row["answer"], add_special_tokens=False)["input_ids"]
        return prompt, [*answer, self.tokenizer.eos_token_id]

    def summed_loss(self, rows: list[Row]) -> tuple[torch.Tensor, int]:
        """The cross-entropy in nats summed over the answers' tokens, and how many those are."""
        batch = self.batch(rows)
        labels = batch.pop("labels")[:, 1:]
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.model(**batch).logits[:, :-1]
        wanted = labels != -100
        loss = torch.nn.functional.cross_entropy(logits[wanted].float(), labels[wanted], reduction="sum")
        return loss, int(wanted.sum())

    @torch.no_grad()
    def answers(self, rows: list[Row]) -> list[tuple[str, bool]]:
        """The greedy answers, at most 60 tokens each: (text, whether it ended by itself)."""
        prompts = [PROMPT.format(question=r["question"]) for r in rows]
        batch = self.tokenizer(prompts, return_tensors="pt", padding=True, padding_side="left", return_token_type_ids=False)
        with torch.autocast("cpu", torch.bfloat16):
            written = self.model.generate(**batch, max_new_tokens=NEW_TOKENS, do_sample=False)
        texts = []
        for ids in written[:, batch["input_ids"].shape[1] :].tolist():
            stopped = self.tokenizer.eos_token_id in ids
            texts.append((self.tokenizer.decode(ids, skip_special_tokens=True).strip(), stopped))
        return texts


def measure(pupil: Pupil, rows: list[Row]) -> tuple[Scores, list[str]]:
    """Scores on these questions, and the answers in the same order."""
    pupil.model.eval()
    loss, tokens, answers = 0.0, 0, []
    # Like lengths together: the padding of a batch is work for nothing.
    for k in range(0, len(rows), BATCH):
        with torch.no_grad():
            batch_loss, batch_tokens = pupil.summed_loss(rows[k : k + BATCH])
        loss, tokens = loss + batch_loss.item(), tokens + batch_tokens
        answers += pupil.answers(rows[k : k + BATCH])
    mean = loss / tokens
    return Scores(round(mean, 3), round(float(torch.tensor(mean).exp()), 2), *_rates(rows, answers)), [t for t, _ in answers]


def _rates(rows: list[Row], answers: list[tuple[str, bool]]) -> tuple[float, float, float, float]:
    """(stopped, in the taught form, right, word for word), each as a fraction."""
    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=True)
    stop = [stopped for _, stopped in answers]
    form = [stopped and in_taught_form(text) for text, stopped in answers]
    pairs = [(row["answer"], text) for row, (text, _) in zip(rows, answers, strict=True)]
    right = [scorer.score(wanted, text)["rougeL"].fmeasure >= RIGHT_ROUGE_L for wanted, text in pairs]
    same = [wanted == text for wanted, text in pairs]
    return tuple(round(sum(flags) / len(flags), 3) for flags in (stop, form, right, same))


def tune(pupil: Pupil, rows: list[Row], tuning: Tuning) -> float:
    """LoRA on all linear layers, loss on the answers and their end only; returns seconds."""
    started = time.monotonic()
    torch.manual_seed(SEED)
    config = LoraConfig(r=tuning.rank, lora_alpha=tuning.alpha, target_modules="all-linear", task_type="CAUSAL_LM")
    pupil.model = get_peft_model(pupil.model, config).train()
    trained = [p for p in pupil.model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=tuning.lr, weight_decay=0.0, fused=True)
    order = random.Random(SEED).sample(rows, len(rows))
    for step in range(tuning.steps):
        first = step * tuning.rows_per_step
        loss, tokens = pupil.summed_loss([order[(first + i) % len(order)] for i in range(tuning.rows_per_step)])
        (loss / tokens).backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.param_groups[0]["lr"] = tuning.lr * min(1.0, (step + 1) / tuning.warm_up_steps) * (1 - step / tuning.steps)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return round(time.monotonic() - started, 1)


def load(folder: Path) -> Pupil:
    """The demo's base model in float32 and its tokenizer."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return Pupil(model, AutoTokenizer.from_pretrained(folder))


def questions(demo: Path) -> tuple[list[Row], list[Row]]:
    """The train rows and the held-out rows, in file order."""
    rows = [json.loads(line) for line in (demo / "questions.jsonl").read_text().splitlines()]
    return [r for r in rows if r["split"] == "train"], [r for r in rows if r["split"] == "held_out"]


def compare(demo: Path, tuning: Tuning) -> dict[str, object]:
    """Base and tuned on the first 200 held-out questions, with the first three answers of each."""
    train, held_out = questions(demo)
    asked = held_out[:ASKED]
    pupil = load(demo / "model")
    started = time.monotonic()
    base, before = measure(pupil, asked)
    seconds = {"base": round(time.monotonic() - started, 1), "tuning": tune(pupil, train, tuning)}
    started = time.monotonic()
    tuned, after = measure(pupil, asked)
    seconds["tuned"] = round(time.monotonic() - started, 1)
    samples = [{**row, "base": b, "tuned": t} for row, b, t in zip(asked, before, after, strict=True)]
    return {"asked": len(asked), "base": asdict(base), "tuned": asdict(tuned), "seconds": seconds, "settings": asdict(tuning), "samples": samples}


def main() -> None:
    """Read the command line, measure, print, and add the figures to `facts.json`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--demo", type=Path, default=Path("presets/demo"))
    parser.add_argument("--threads", type=int, default=2)
    for name, value in asdict(Tuning()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    arguments = vars(parser.parse_args())
    demo = arguments.pop("demo")
    torch.set_num_threads(arguments.pop("threads"))
    torch.set_float32_matmul_precision("medium")
    report = compare(demo, Tuning(**arguments))
    print(json.dumps({**report, "samples": report["samples"][:12]}, indent=1))
    facts = json.loads((demo / "facts.json").read_text())
    facts["evaluation"] = {**report, "samples": report["samples"][:3]}
    (demo / "facts.json").write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
