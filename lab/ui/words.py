"""Words for states, phases, methods and kinds: stored as codes, drawn in the visitor's language."""

from __future__ import annotations

from lab.text import N_
from lab.ui.language import _

STATES = {
    "queued": N_("queued"),
    "starting": N_("starting"),
    "running": N_("running"),
    "stopping": N_("stopping"),
    "succeeded": N_("finished"),
    "failed": N_("failed"),
    "cancelled": N_("discarded"),
    "interrupted": N_("stopped"),
}
STATE_ICONS = {
    "queued": ":gray[:material/schedule:]",
    "starting": ":blue[:material/hourglass_top:]",
    "running": ":green[:material/radio_button_checked:]",
    "stopping": ":orange[:material/stop_circle:]",
    "succeeded": ":green[:material/check_circle:]",
    "failed": ":red[:material/error:]",
    "cancelled": ":gray[:material/delete:]",
    "interrupted": ":orange[:material/pause_circle:]",
}
PHASES = {
    "load": N_("Load"),
    "tokenise": N_("Tokenise"),
    "train": N_("Train"),
    "evaluate": N_("Evaluate"),
    "save": N_("Save"),
    "read": N_("Read"),
    "clean": N_("Clean"),
    "format": N_("Format"),
    "measure": N_("Measure"),
    "split": N_("Split"),
    "write": N_("Write"),
    "check": N_("Check"),
    "card": N_("Model card"),
    "upload": N_("Upload"),
    "verify": N_("Verify"),
    "generate": N_("Generate"),
}
TRAIN_PHASES = ("load", "tokenise", "train", "evaluate", "save")
PUBLISH_PHASES = ("check", "card", "upload", "verify")
METHODS = {
    "full": N_("full"),
    "lora": "LoRA",
    "qlora": "QLoRA",
    "frozen": N_("frozen"),
    "progressive": N_("progressive"),
    "prompt-tuning": N_("prompt tuning"),
}


def state(code: str) -> str:
    """The state of a run in words."""
    return _(STATES.get(code, code))


def phase(code: str) -> str:
    """The name of a phase in words."""
    return _(PHASES.get(code, code))


def method(name: str, rank: int | None = None) -> str:
    """The method in words, with the rank of an adapter."""
    word = _(METHODS.get(name, name))
    return f"{word} r{rank}" if rank and name in ("lora", "qlora") else word


TASKS = {
    "causal-lm": N_("text generation"),
    "classification": N_("text classification"),
    "token-classification": N_("word labels"),
    "extractive-qa": N_("answers from a text"),
    "multi-task": N_("several tasks"),
    "preference": N_("preferences"),
}

# Values of settings that read better in words; the others are the field's own names and stay as they are.
CHOICES = {
    **METHODS,
    **TASKS,
    "auto": N_("automatic"),
    "none": N_("none"),
    "drop": N_("drop it"),
    "cut": N_("cut its end"),
    "dpo": "DPO",
    "kto": "KTO",
    "orpo": "ORPO",
    "reward": N_("reward model"),
    "on": N_("always"),
    "off": N_("never"),
    "proportional": N_("by their number of rows"),
    "temperature": N_("evened out"),
    "balanced": N_("balanced"),
    "square-root": N_("by the square root"),
    "given": N_("as given"),
    "loss": N_("loss"),
    "score": N_("score"),
}


def choice(code: str) -> str:
    """A value of a setting with fixed choices, in words."""
    return _(CHOICES.get(code, code))


def task(code: str) -> str:
    """A task in words."""
    return _(TASKS.get(code, code))
