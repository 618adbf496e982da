"""Finished runs for tests of publishing and serving: a real adapter on a tiny model, in a run directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.json_io import write_json
from lab.runs.home import new_id, runs_folder
from lab.spec import build, dump


def finished_run(base: Path | str, *, adapter: bool = True, seed: int = 1, **settings: Any) -> str:
    """Make a run directory as a training worker leaves it and return its id; `base` is its model.source."""
    run_id = new_id()
    directory = runs_folder() / run_id
    directory.mkdir()
    spec = build({"name": "Manual", "model": {"source": str(base)}, "method": {"rank": 4}, **settings})
    (directory / "spec.yaml").write_text(dump(spec))
    write_json(directory / "request.json", {"kind": "train", "parameters": {}})
    write_json(directory / "plan.json", {"effective_batch": 16, "steps": 30})
    (directory / "review").mkdir()
    figures = {"perplexity": 2.0, "stop_rate": 1.0, "format_rate": 0.9, "answer_rate": 0.3, "count": 24}
    held_out = {"base": {"loss": 3.081, **figures, "stop_rate": 0.5}, "tuned": {"loss": 0.442, **figures}}
    summary = {"held_out": held_out, "seed": 42, "decoding": "greedy", "max_new_tokens": 60}
    write_json(directory / "review" / "summary.json", summary)
    save_weights(Path(base), directory / "final", adapter=adapter, seed=seed)
    trainable = {"parameters": 1234, "share": 0.0123, "total": 100_000}
    result = {
        "ended": "finished",
        "step": 30,
        "steps": 30,
        "trainable": trainable,
        "versions": {"torch": "2.13.0"},
    }
    data = {"template": "question-answer", "kind": "question-answer"}
    write_json(directory / "result.json", result | {"adapter": adapter, "data": data, "final": {"eval_loss": 0.442}})
    return run_id


def save_weights(base: Path, folder: Path, *, adapter: bool, seed: int) -> None:
    """Save a random adapter for the model in `base`, or that model moved a little, and the tokenizer."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(base)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if adapter:
            config = LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear", init_lora_weights=False)
            model = get_peft_model(model, config)
        else:
            with torch.no_grad():
                for weight in model.parameters():
                    weight += 0.05 * torch.randn_like(weight)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    torch.save({"hub_token": "never read"}, folder / "training_args.bin")  # what a trainer would leave
