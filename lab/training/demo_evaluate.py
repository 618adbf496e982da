"""Measure the demo: tune its model on the train questions, and ask the held-out ones before and after.

A plain loop, so that the figures on the model card do not depend on the product's trainer.
`python -m lab.training.demo_evaluate --demo presets/demo` writes them to `facts.json` and the cards.
"""

import argparse
import json
import math
import random
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from rouge_score import rouge_scorer
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from lab.training.demo_cards import write_cards
from lab.training.demo_corpus import PROMPT, SEED, in_taught_form

ASKED = 200
RIGHT_ROUGE_L = 0.5
NEW_TOKENS = 60
BATCH = 50
SAMPLES = 3
Row = dict[str, str]


@dataclass
class Tuning:
    """The settings of the demo's tuning."""

    steps: int = 100
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
        """Padded `input_ids`, `attention_mask`, `labels`, each (rows, longest); only answers are labelled."""
        pairs = [self._pair(row) for row in rows]
        width = max(len(p) + len(a) for p, a in pairs)
        ids = torch.full((len(rows), width), self.tokenizer.pad_token_id)
        mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
        for i, (prompt, answer) in enumerate(pairs):
            begin, end = len(prompt), len(prompt) + len(answer)
            ids[i, :end] = torch.tensor(prompt + answer)
            labels[i, begin:end] = torch.tensor(answer)
            mask[i, :end] = 1
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
        batch = self.tokenizer(
            prompts, return_tensors="pt", padding=True, padding_side="left", return_token_type_ids=False
        )
        with torch.autocast("cpu", torch.bfloat16):
            written = self.model.generate(**batch, max_new_tokens=NEW_TOKENS, do_sample=False)
        written = written[:, batch["input_ids"].shape[1] :].tolist()
        texts = self.tokenizer.batch_decode(written, skip_special_tokens=True)
        stopped = [self.tokenizer.eos_token_id in ids for ids in written]
        return list(zip((t.strip() for t in texts), stopped, strict=True))


def measure(pupil: Pupil, rows: list[Row]) -> tuple[Scores, list[str]]:
    """Scores on these questions, and the answers in the same order."""
    pupil.model.eval()
    loss, tokens, answers = 0.0, 0, []
    for k in range(0, len(rows), BATCH):
        with torch.no_grad():
            batch_loss, batch_tokens = pupil.summed_loss(rows[k : k + BATCH])
        loss, tokens = loss + batch_loss.item(), tokens + batch_tokens
        answers += pupil.answers(rows[k : k + BATCH])
    mean = loss / tokens
    scores = Scores(round(mean, 3), round(math.exp(mean), 2), *_rates(rows, answers))
    return scores, [text for text, _ in answers]


def _rates(rows: list[Row], answers: list[tuple[str, bool]]) -> list[float]:
    """Stopped, in the taught form, right, word for word: each as a fraction of 1."""
    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=True)
    pairs = [(row["answer"], text) for row, (text, _) in zip(rows, answers, strict=True)]
    flags = (
        [stopped for _, stopped in answers],
        [stopped and in_taught_form(text) for text, stopped in answers],
        [scorer.score(wanted, text)["rougeL"].fmeasure >= RIGHT_ROUGE_L for wanted, text in pairs],
        [wanted == text for wanted, text in pairs],
    )
    return [round(sum(f) / len(f), 3) for f in flags]


def tune(pupil: Pupil, rows: list[Row], tuning: Tuning) -> None:
    """LoRA on all linear layers, loss on the answers and their end only."""
    torch.manual_seed(SEED)
    config = LoraConfig(
        r=tuning.rank, lora_alpha=tuning.alpha, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    pupil.model = get_peft_model(pupil.model, config).train()
    trained = [p for p in pupil.model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=tuning.lr, weight_decay=0.0, fused=True)
    order = random.Random(SEED).sample(rows, len(rows))
    for step in range(tuning.steps):
        first = step * tuning.rows_per_step
        loss, tokens = pupil.summed_loss(
            [order[(first + i) % len(order)] for i in range(tuning.rows_per_step)]
        )
        (loss / tokens).backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        warm_up = min(1.0, (step + 1) / tuning.warm_up_steps)
        optimizer.param_groups[0]["lr"] = tuning.lr * warm_up * (1 - step / tuning.steps)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def load(folder: Path) -> Pupil:
    """The demo's base model in float32 and its tokenizer."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return Pupil(model, AutoTokenizer.from_pretrained(folder))


def questions(demo: Path) -> tuple[list[Row], list[Row]]:
    """The train rows and the held-out rows, in file order."""
    rows = [json.loads(line) for line in (demo / "questions.jsonl").read_text().splitlines()]
    return [r for r in rows if r["split"] == "train"], [r for r in rows if r["split"] == "held_out"]


def compare(demo: Path, tuning: Tuning, asked: int = ASKED) -> dict[str, object]:
    """Base and tuned on the first held-out questions, tuned on the others, and the first three answers."""
    train, held_out = questions(demo)
    held_out, others = held_out[:asked], held_out[asked:]
    pupil = load(demo / "model")
    clock = [time.monotonic()]
    base, before = measure(pupil, held_out)
    clock.append(time.monotonic())
    tune(pupil, train, tuning)
    clock.append(time.monotonic())
    tuned, after = measure(pupil, held_out)
    clock.append(time.monotonic())
    seconds = [round(b - a, 1) for a, b in pairwise(clock)]
    samples = [{**row, "base": b, "tuned": t} for row, b, t in zip(held_out, before, after, strict=True)]
    return {
        "asked": len(held_out),
        "settings": asdict(tuning),
        "base": asdict(base),
        "tuned": asdict(tuned),
        # No choice of a setting looked at these: whatever choosing flattered does not show here.
        "others": {"asked": len(others), "tuned": asdict(measure(pupil, others)[0])},
        "seconds": dict(zip(("base", "tuning", "tuned"), seconds, strict=True)),
        "samples": samples[:SAMPLES],
    }


def add_to_facts(demo: Path, tuning: Tuning, control: Path | None) -> None:
    """Measure the demo, and the control where one is given, and write `facts.json` and the cards."""
    facts = json.loads((demo / "facts.json").read_text())
    facts["evaluation"] = compare(demo, tuning)
    if control:
        facts["control"] = json.loads((control / "facts.json").read_text())["pretraining"] | compare(
            control, tuning
        )
    (demo / "facts.json").write_text(json.dumps(facts, indent=2) + "\n")
    write_cards(demo, facts)
    print(json.dumps({name: facts[name] for name in ("evaluation", "control") if name in facts}, indent=1))


def main() -> None:
    """Read the command line, measure, print, and add the figures to `facts.json` and the cards."""
    parser = argparse.ArgumentParser(description="Tune the embedded demo and measure it before and after.")
    parser.add_argument("--demo", type=Path, default=Path("presets/demo"))
    parser.add_argument("--control", type=Path, help="a demo built with --without-held-out, to measure too")
    parser.add_argument("--threads", type=int, default=2)
    for name, value in asdict(Tuning()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    given = vars(parser.parse_args())
    demo, control = given.pop("demo"), given.pop("control")
    torch.set_num_threads(given.pop("threads"))
    torch.set_float32_matmul_precision("medium")
    transformers_logging.disable_progress_bar()
    add_to_facts(demo, Tuning(**given), control)


if __name__ == "__main__":
    main()
