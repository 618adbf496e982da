"""What a foreign file says in several keys together, or in a way that no setting of the lab holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def method_of(tool: str, document: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The method, which every tool says in its own way."""
    if tool == "trl":
        adapter = bool(document.get("use_peft"))
    elif tool == "llamafactory":
        kind = document.get("finetuning_type", "lora")
        if kind == "freeze":
            return {"method.name": "frozen"}
        adapter = kind in ("lora", "oft")
    else:
        adapter = bool(document.get("adapter"))
    found: dict[str, Any] = {"method.name": "full"}
    if adapter:
        found["method.name"] = "qlora" if values.get("model.quantization", "none") != "none" else "lora"
    if tool == "llamafactory" and document.get("stage", "sft") in ("dpo", "kto", "rm", "ppo"):
        found["task"] = "preference"
    return found


def signs_of(tool: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """Facts about an imported setup: whether it evaluates, saves, and whether padding is the end token."""
    held_out = document.get("val_set_size") or document.get("val_size") or document.get("test_split_size")
    held_out = held_out or document.get("eval_dataset") or document.get("test_datasets")
    strategy = str(document.get("eval_strategy") or ("no" if tool != "axolotl" else "")).lower()
    evaluates = strategy not in ("no", "false") or (tool == "llamafactory" and bool(document.get("do_eval")))
    if tool == "axolotl":
        evaluates = bool(held_out) and strategy not in ("no", "false")
    tokens = document.get("special_tokens")
    tokens = tokens if isinstance(tokens, dict) else {}
    pad = document.get("pad_token") or tokens.get("pad_token")
    end = document.get("eos_token") or tokens.get("eos_token")
    return {
        "evaluates": evaluates,
        "holds_out": bool(held_out) or (tool == "trl" and evaluates),
        "saves": str(document.get("save_strategy", "steps")).lower() not in ("no", "false"),
        "pad_is_end": bool(pad) and (pad == end or str(pad) in ("</s>", "<|endoftext|>", "<|end_of_text|>")),
        "trust_remote_code": bool(document.get("trust_remote_code")),
    }
