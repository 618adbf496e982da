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
METHODS = {"full": N_("full"), "lora": "LoRA", "qlora": "QLoRA", "frozen": N_("frozen"), "progressive": N_("progressive")}


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
