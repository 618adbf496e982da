"""What is asked of the models, checked before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.errors import InputError
from lab.spec import RunSpec
from lab.text import N_

MODELS = ("base", "tuned")
MOST_PROMPTS, LONGEST_PROMPT = 1000, 100_000  # prompts, characters
LONGEST_ANSWER, HOTTEST = 4096, 5.0  # tokens, temperature


@dataclass(frozen=True)
class Request:
    """Prompts (a person's questions, without template) for some of the models of a run, and how to decode."""

    prompts: tuple[str, ...]
    which: tuple[str, ...]
    max_new_tokens: int
    temperature: float
    seed: int

    @classmethod
    def of(cls, asked: Mapping[str, Any], spec: RunSpec) -> Request:
        """Read `prompts` (or `prompt`), `which`, `max_new_tokens`, `temperature` and `seed`.

        What is missing is as in the run's own comparison: both models, greedy. Raises InputError.
        """
        prompts = asked.get("prompts") or ([asked["prompt"]] if asked.get("prompt") else [])
        which = _or(asked.get("which"), list(MODELS))
        length = _or(asked.get("max_new_tokens"), spec.evaluation.max_new_tokens)
        temperature, seed = _or(asked.get("temperature"), 0.0), _or(asked.get("seed"), spec.seed)
        _check(_are_prompts(prompts), "prompts", N_("1 to 1,000 texts of at most 100,000 characters, none empty"))
        _check(_are_models(which), "which", N_("base, tuned, or both"))
        _check(_is_whole(length, 1, LONGEST_ANSWER), "max_new_tokens", N_("a whole number from 1 to 4,096"))
        _check(_is_number(temperature) and 0 <= temperature <= HOTTEST, "temperature", N_("a number from 0 to 5"))
        _check(_is_whole(seed, 0, 2**32 - 1), "seed", N_("a whole number from 0 to 4,294,967,295"))
        return cls(tuple(prompts), tuple(name for name in MODELS if name in which), length, float(temperature), seed)


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _are_prompts(value: Any) -> bool:
    if not isinstance(value, list | tuple) or not 0 < len(value) <= MOST_PROMPTS:
        return False
    return all(isinstance(text, str) and text.strip() and len(text) <= LONGEST_PROMPT for text in value)


def _are_models(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(name in MODELS for name in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any, lowest: int, highest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest


def _check(good: bool, where: str, allowed: str) -> None:
    if not good:
        raise InputError(
            N_("This cannot be asked: {name} is missing or wrong."),
            where=where,
            allowed=N_("Allowed: {choices}."),
            name=where,
            choices=allowed,
        )
