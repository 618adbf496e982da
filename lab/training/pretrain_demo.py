"""Build the embedded demo: pre-train a small Llama on the standard library's documentation, on a CPU.

`python -m lab.training.pretrain_demo --minutes 22 --out presets/demo` writes the model and the questions;
five minutes give a weaker model of the same kind. `lab.training.demo_evaluate` then measures it.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from lab.training.demo_corpus import SEED, Entry, build_entries, fingerprint, question_rows
from lab.training.demo_pages import ROW_TOKENS, STYLES, VOCABULARY, Manual, train_tokenizer

# Few rows a step: in three minutes 16 rows came to a loss of 0.9 where 32 came to 2.4.
ROWS = 16
PEAK_LR = 4e-3
WARM_UP_STEPS = 60
LOGGED_STEPS = 50
CHECKPOINT_SECONDS = 600


def build_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A Llama of 5.8 million parameters with random weights."""
    torch.manual_seed(SEED)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=256,
        intermediate_size=688,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


class MasterOptimizer:
    """Muon for the hidden matrices and AdamW for the rest, on float32 masters of bfloat16 weights.

    Muon: Jordan et al. 2024, with the step size of Liu et al. 2025 (arXiv 2502.16982). The masters are
    needed because a late update is smaller than what bfloat16 can add to a weight.
    """

    def __init__(self, model: LlamaForCausalLM) -> None:
        self.live = list(model.parameters())
        self.masters = [p.detach().clone().float().requires_grad_() for p in self.live]
        model.to(torch.bfloat16)
        named = dict(zip((n for n, _ in model.named_parameters()), self.masters, strict=True))
        hidden = [p for n, p in named.items() if p.ndim == 2 and "embed" not in n]
        others = [p for n, p in named.items() if p.ndim != 2 or "embed" in n]
        self.optimizers = [
            torch.optim.Muon(hidden, lr=PEAK_LR, weight_decay=0.02, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=PEAK_LR, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
        ]

    def step(self, lr: float) -> None:
        """Apply the live weights' gradients at this learning rate and clear them."""
        for master, live in zip(self.masters, self.live, strict=True):
            master.grad, live.grad = live.grad.float(), None
        torch.nn.utils.clip_grad_norm_(self.masters, 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = lr
            optimizer.step()
        with torch.no_grad():
            torch._foreach_copy_(self.live, self.masters)


def learning_rate(step: int, fraction: float) -> float:
    """A linear warm-up, then linearly down to 2 % of the peak as the wall-clock budget is used up."""
    return PEAK_LR * min(1.0, (step + 1) / WARM_UP_STEPS) * max(0.02, 1.0 - fraction)


def weighted_loss(model: LlamaForCausalLM, ids: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The mean cross-entropy of the next token in nats, by weight; padding weighs nothing."""
    hidden = model.model(ids).last_hidden_state[:, :-1]
    # The head is a sixth of the work: only what counts goes through it.
    counted = weights[:, 1:] > 0
    logits = model.lm_head(hidden[counted]).float()
    losses = torch.nn.functional.cross_entropy(logits, ids[:, 1:][counted], reduction="none")
    weights = weights[:, 1:][counted]
    return (losses * weights).sum() / weights.sum()


class Progress:
    """What the run has done so far: steps, tokens without padding, readings, and the loss of late."""

    def __init__(self, minutes: float) -> None:
        self.budget = minutes * 60
        self.started = self.saved = time.monotonic()
        self.steps = self.tokens = self.reading = 0
        self.recent: list[float] = []

    @property
    def seconds(self) -> float:
        """Wall-clock seconds since the start."""
        return time.monotonic() - self.started

    def add(self, reading: int, tokens: int, loss: float) -> None:
        """Count a step, and print a line now and then."""
        self.reading, self.tokens, self.recent = reading, self.tokens + tokens, [*self.recent[-49:], loss]
        if self.steps % LOGGED_STEPS == 0:
            speed, loss = self.tokens / self.seconds, self.facts()["final_loss"]
            print(f"step {self.steps}  reading {reading}  loss {loss}  {speed:,.0f} tokens/s", flush=True)
        self.steps += 1

    def checkpoint_due(self) -> bool:
        """Whether ten minutes have passed since this was last true."""
        due = time.monotonic() - self.saved > CHECKPOINT_SECONDS
        self.saved = time.monotonic() if due else self.saved
        return due

    def facts(self) -> dict[str, float]:
        """The figures of the run."""
        return {
            "steps": self.steps,
            "tokens": self.tokens,
            "readings": self.reading,
            "minutes": round(self.seconds / 60, 1),
            "final_loss": round(sum(self.recent) / len(self.recent), 3),
        }


def pretrain(model: LlamaForCausalLM, manual: Manual, minutes: float, save: Callable[[], None]) -> Progress:
    """Read the manual again and again for so many minutes of wall-clock time."""
    optimizer = MasterOptimizer(model)
    progress = Progress(minutes)
    for reading, batch in manual.readings(ROWS):
        fraction = progress.seconds / progress.budget
        if fraction >= 1 and progress.steps:
            break
        loss = weighted_loss(model, batch.ids, batch.weights)
        loss.backward()
        optimizer.step(learning_rate(progress.steps, fraction))
        progress.add(reading, batch.tokens, loss.item())
        if progress.checkpoint_due():
            save()
    return progress


def save_model(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write the weights in bfloat16 safetensors, the tokenizer and the generation settings."""
    special = {f"{n}_token_id": getattr(tokenizer, f"{n}_token_id") for n in ("bos", "eos", "pad")}
    model.generation_config = GenerationConfig(do_sample=False, max_new_tokens=60, **special)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    special_tokens = {f"{n}_token": getattr(tokenizer, f"{n}_token") for n in ("bos", "eos", "pad")}
    (folder / "special_tokens_map.json").write_text(json.dumps(special_tokens, indent=2) + "\n")
    # The class by its name of before transformers 5, which reads both: older programs load the folder too.
    settings = folder / "tokenizer_config.json"
    renamed = {**json.loads(settings.read_text()), "tokenizer_class": "PreTrainedTokenizerFast"}
    settings.write_text(json.dumps(renamed, indent=2) + "\n")
    (folder / "model.safetensors").chmod(0o644)


def build(minutes: float, out: Path, threads: int, compiled: bool, without_held_out: bool) -> None:
    """Pre-train and write `model/`, `questions.jsonl` and `facts.json` under `out`."""
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("medium")
    transformers_logging.disable_progress_bar()
    entries = build_entries()
    # The control's tokenizer is the same one: only what is read differs.
    tokenizer = train_tokenizer(entries)
    model = build_model(tokenizer)
    if compiled:
        model.model.compile()
    read = [e for e in entries if not (without_held_out and e.held_out)]
    out.mkdir(parents=True, exist_ok=True)
    (out / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in question_rows(entries)))
    progress = pretrain(
        model, Manual(read, tokenizer, SEED), minutes, lambda: save_model(model, tokenizer, out / "model")
    )
    save_model(model, tokenizer, out / "model")
    pretraining = {
        **progress.facts(),
        "seed": SEED,
        "threads": threads,
        "batch": [ROWS, ROW_TOKENS],
        "peak_lr": PEAK_LR,
        "styles": len(STYLES) + 1,
    }
    facts = {"corpus": corpus_facts(entries, read), "pretraining": pretraining}
    (out / "facts.json").write_text(json.dumps(facts, indent=2) + "\n")


def corpus_facts(entries: list[Entry], read: list[Entry]) -> dict[str, object]:
    """What the corpus is, in numbers."""
    return {
        "python": platform.python_version(),
        "sha256": fingerprint(entries),
        "seed": SEED,
        "entries": len(entries),
        "entries_read": len(read),
        "train_questions": sum(not e.held_out for e in entries),
        "held_out_questions": sum(e.held_out for e in entries),
        "held_out_modules": sorted({e.module for e in entries if e.held_out}),
    }


def main() -> None:
    """Read the command line and build."""
    parser = argparse.ArgumentParser(description="Build the embedded demo's model and questions on a CPU.")
    parser.add_argument("--minutes", type=float, default=22, help="wall-clock minutes of pre-training")
    parser.add_argument("--out", type=Path, default=Path("presets/demo"), help="the folder to write")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="a tenth faster, needs a C++ compiler")
    parser.add_argument("--without-held-out", action="store_true", help="never read the held-out modules")
    given = parser.parse_args()
    build(given.minutes, given.out, given.threads, given.compile, given.without_held_out)


if __name__ == "__main__":
    main()
