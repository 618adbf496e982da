"""Build the embedded demo: pre-train a small Llama on the standard library's documentation, on a CPU.

`python -m lab.training.pretrain_demo --minutes 60 --out presets/demo` rebuilds everything that is
computed in that folder; five minutes give a weaker model of the same kind.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path

# Before torch loads: idle threads must sleep, not spin, or two programs on two cores stop each other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from lab.training.demo_corpus import SEED, Entry, build_entries, fingerprint, question_rows
from lab.training.demo_pages import ROW_TOKENS, VOCABULARY, Manual, train_tokenizer

ROWS = 32
PEAK_LR = 4e-3
WARM_UP_STEPS = 60
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

    Muon (Jordan et al. 2024) remembers a page after about half as many readings as AdamW. The masters
    are needed because a late update is smaller than bfloat16 can add to a weight.
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


def pretrain(model: LlamaForCausalLM, manual: Manual, minutes: float, checkpoint) -> dict[str, float]:
    """Read the manual again and again for so many minutes; returns the figures of the run."""
    optimizer = MasterOptimizer(model)
    started = saved = time.monotonic()
    tokens, recent = 0, []
    for step, (reading, batch) in enumerate(manual.readings(ROWS)):
        elapsed = time.monotonic() - started
        if elapsed >= minutes * 60:
            break
        loss = weighted_loss(model, batch.ids, batch.weights)
        loss.backward()
        optimizer.step(learning_rate(step, elapsed / (minutes * 60)))
        tokens += batch.tokens
        recent = [*recent[-49:], loss.item()]
        if step % 50 == 0:
            print(f"step {step}  reading {reading}  loss {sum(recent) / len(recent):.3f}  {tokens / (elapsed + 1e-9):,.0f} tokens/s  {elapsed / 60:.1f} min", flush=True)
        if time.monotonic() - saved > CHECKPOINT_SECONDS:
            saved = time.monotonic()
            checkpoint()
    return {"steps": step, "tokens": tokens, "readings": reading, "minutes": round(elapsed / 60, 1), "final_loss": round(sum(recent) / len(recent), 3)}


def save_model(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write the weights in bfloat16 safetensors, the tokenizer and the generation settings."""
    model.generation_config = GenerationConfig(
        do_sample=False,
        max_new_tokens=60,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    specials = {f"{n}_token": getattr(tokenizer, f"{n}_token") for n in ("bos", "eos", "pad")}
    (folder / "special_tokens_map.json").write_text(json.dumps(specials, indent=2) + "\n")


def save_questions(entries: list[Entry], path: Path) -> None:
    """Write the question-answer set, one JSON object a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in question_rows(entries)))


def build(minutes: float, out: Path, threads: int, without_held_out: bool = False) -> None:
    """Pre-train and write `model/`, `questions.jsonl` and `facts.json` under `out`."""
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("medium")
    transformers_logging.disable_progress_bar()
    entries = build_entries()
    tokenizer = train_tokenizer(entries)
    model = build_model(tokenizer)
    read = [e for e in entries if not (without_held_out and e.held_out)]
    out.mkdir(parents=True, exist_ok=True)
    save_questions(entries, out / "questions.jsonl")
    figures = pretrain(model, Manual(read, tokenizer, SEED), minutes, lambda: save_model(model, tokenizer, out / "model"))
    save_model(model, tokenizer, out / "model")
    facts = {"corpus": corpus_facts(entries, read), "pretraining": {**figures, "seed": SEED, "threads": threads, "batch": [ROWS, ROW_TOKENS], "peak_lr": PEAK_LR}}
    (out / "facts.json").write_text(json.dumps(facts, indent=2) + "\n")
    print(json.dumps(facts, indent=2))


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
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=60, help="wall-clock minutes of pre-training")
    parser.add_argument("--out", type=Path, default=Path("presets/demo"), help="the folder to write")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--without-held-out", action="store_true", help="the control: never read the held-out modules")
    arguments = parser.parse_args()
    build(arguments.minutes, arguments.out, arguments.threads, arguments.without_held_out)


if __name__ == "__main__":
    main()
