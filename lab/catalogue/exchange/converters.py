"""Values of other tools as values of the lab; a value that has no counterpart raises NoCounterpart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab.catalogue.exchange.common import OPTIMIZERS
from lab.text import N_


class NoCounterpart(Exception):
    """The lab has nothing like this value; the sentence says what is done instead."""

    def __init__(self, template: str, **values: Any) -> None:
        super().__init__(template)
        self.template, self.values = template, values


Values = dict[str, Any]  # dotted name of a setting -> its value
Converter = Callable[[Any], Values]

_OPTIMIZERS = {name: ours for ours, name in OPTIMIZERS.items()} | {
    "adamw_torch": "adamw",
    "adamw_hf": "adamw",
    "adamw_8bit": "adamw-8bit",
    "paged_adamw_8bit": "adamw-8bit",
}
_SCHEDULERS = {
    "linear": "linear",
    "cosine": "cosine",
    "constant": "constant",
    "constant_with_warmup": "constant",
    "cosine_with_min_lr": "cosine-with-floor",
    "warmup_stable_decay": "wsd",
    "inverse_sqrt": "inverse-sqrt",
    "polynomial": "polynomial",
}


def to(path: str) -> Converter:
    """The value as it is."""
    return lambda value: {path: value}


def given(path: str) -> Converter:
    """The value as it is; nothing for an empty one."""
    return lambda value: {} if value in (None, "") else {path: value}


def opposite(path: str) -> Converter:
    """The opposite of a truth value."""
    return lambda value: {path: not value}


def steps(value: Any) -> Values:
    """A number of steps; -1 and 0 mean that epochs count."""
    return {} if value in (None, 0, -1) else {"schedule.max_steps": value}


def clipping(value: Any) -> Values:
    """The largest norm of the gradient; infinity and 0 both switch clipping off."""
    if value is None:
        return {}
    return {"schedule.max_grad_norm": 0.0 if float(value) == float("inf") else value}


def scheduler(value: Any) -> Values:
    """A schedule by its name in transformers."""
    if value in _SCHEDULERS:
        return {"schedule.scheduler": _SCHEDULERS[value]}
    raise NoCounterpart(
        N_("The lab has no scheduler called {value}; the tool's default stands in its place."), value=value
    )


def scheduler_options(value: Any) -> Values:
    """The scheduler's own arguments: only its floor has a place."""
    options = dict(value or {})
    floor = options.get("min_lr_rate", options.get("min_lr_ratio"))
    if floor is not None:
        return {"schedule.floor": floor}
    if options:
        raise NoCounterpart(N_("Of a scheduler's own arguments the lab takes the floor, not {names}."),
                            names=", ".join(map(str, options)))  # fmt: skip
    return {}


def cosine_floor(value: Any) -> Values:
    """Axolotl's floor of the cosine."""
    return {"schedule.scheduler": "cosine-with-floor", "schedule.floor": value} if value else {}


def optimizer(value: Any) -> Values:
    """An optimizer by its name in transformers."""
    if value in _OPTIMIZERS:
        return {"schedule.optimizer": _OPTIMIZERS[value]}
    raise NoCounterpart(N_("The lab has no optimizer called {value}; AdamW stands in its place."), value=value)


def targets(value: Any) -> Values:
    """Target modules: a list, names with commas between, or a word for all linear layers."""
    if value in (None, ""):
        return {}
    names = [part.strip() for part in value.split(",")] if isinstance(value, str) else list(value)
    if names in (["all"], ["all-linear"]):
        return {"method.target_modules": "all-linear"}
    return {"method.target_modules": names}


def all_linear(value: Any) -> Values:
    """Axolotl's switch for all linear layers."""
    return {"method.target_modules": "all-linear"} if value else {}


def number(path: str, meaning: str) -> Converter:
    """A whole number of steps. A share of the run or a ratio is `meaning` something else, and said so."""

    def convert(value: Any) -> Values:
        if isinstance(value, float) and 0 < value < 1:
            raise NoCounterpart(meaning, value=value)
        return {} if value in (None, 0) else {path: value}

    return convert


SHARE_OF_RUN = N_("{value} is a share of the run; the lab takes a number of steps, or decides by itself.")


def held_out(value: Any) -> Values:
    """A share of rows to hold out; a number of rows has no place."""
    if value is not None and float(value) >= 1:
        raise NoCounterpart(N_("{value} held-out rows are a number; the lab takes a share: choose one."), value=value)
    return {"data.validation_share": value or 0.0}


def precision(name: str) -> Converter:
    """bf16 or fp16 switched on."""
    return lambda value: {"resources.precision": name} if value is True or value == "true" else {}


def on_cpu(value: Any) -> Values:
    """Whether only the CPU is used."""
    return {"resources.device": "cpu"} if value else {}


def quantization(name: str) -> Converter:
    """Base weights in 8 or 4 bits."""
    return lambda value: {"model.quantization": name} if value else {}


def bits(value: Any) -> Values:
    """LLaMA-Factory's number of bits."""
    if value in (None, ""):
        return {}
    if value in (4, 8):
        return {"model.quantization": "nf4" if value == 4 else "8bit"}
    raise NoCounterpart(N_("The lab quantizes to 8 or 4 bits, not to {value}."), value=value)


def first_dataset(value: Any) -> Values:
    """The first of several data sets, as TRL and Axolotl list them."""
    entries = [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
    if not entries:
        return {}
    entry = entries[0]
    place = entry.get("data_files") or entry.get("path")
    if isinstance(place, list):
        place = place[0] if place else None
    if not place:
        return {}
    found: Values = {"data.source": str(place)} | _form(entry)
    return found


def _form(entry: dict[str, Any]) -> Values:
    kind = entry.get("type")
    if kind == "chat_template":
        return {"data.template": "chat"}
    if isinstance(kind, str) and kind.partition(":")[0] == "alpaca":
        return {"data.template": "alpaca"}
    if not isinstance(kind, dict):
        return {}
    names = {"prompt": kind.get("field_instruction"), "completion": kind.get("field_output")}
    return {"data.columns": {role: name for role, name in names.items() if name}}


def names(value: Any) -> Values:
    """Data sets by name, commas between: the first."""
    first = str(value).partition(",")[0].strip()
    return {"data.source": first} if first else {}


def lf_template(value: Any) -> Values:
    """LLaMA-Factory's template."""
    if value == "alpaca":
        return {"data.template": "alpaca"}
    raise NoCounterpart(
        N_("The template {value} of LLaMA-Factory has its own words; the lab takes the one that fits the data."),
        value=value,
    )


def too_long(value: Any) -> Values:
    """What happens to an example that is too long."""
    return {"data.too_long": "cut" if value == "truncate" else "drop"}
