"""The probe before a run without padding: does the model give packed examples the logits that each has alone?

A model that ignores position ids, attends within a window or changes the scores (soft capping, sinks) mixes
neighbours without a word. Two short examples show it: three passes over 28 tokens in all, far less than a second on
every model that a run could train in the same place. How long it took is kept with what it found.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from lab.errors import InputError
from lab.text import N_
from lab.training import attention
from lab.training.choices import Choices

TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 5e-2, torch.float16: 1e-2}  # relative; rounding of the format
LENGTHS = (5, 9)  # tokens


@dataclass(frozen=True)
class Finding:
    """What the probe found: the relative difference of the logits, None where the model took no flat row."""

    difference: float | None
    fits: bool
    why: str
    seconds: float = 0.0


def decide(model: PreTrainedModel, max_length: int, choices: Choices) -> bool:
    """Whether a run goes without padding; the finding is kept in the choices.

    Raises InputError where padding-free or packed training was asked for and the logits differ.
    """
    if choices.padding_free == "off":
        if choices.packed:
            raise _refusal("speed.padding_free is off", "data.packing")
        return False
    found = probe(model, max_length)
    choices.why["padding_free"] = f"{found.why}; asked in {found.seconds:.2f} s"
    if not found.fits and (choices.padding_free == "on" or choices.packed):
        raise _refusal(found.why, "data.packing" if choices.packed else "speed.padding_free")
    return found.fits


def fits(model: PreTrainedModel, max_length: int) -> bool:
    """Whether examples of up to `max_length` tokens can share a row."""
    return probe(model, max_length).fits


@torch.no_grad()
def probe(model: PreTrainedModel, max_length: int) -> Finding:
    """Compare two examples in one row with each alone."""
    window = getattr(model.config, "sliding_window", None)
    if window is not None and getattr(model.config, "use_sliding_window", True) and window < max_length:
        return Finding(None, False, f"attends within a window of {window} tokens")
    vocabulary = model.get_input_embeddings().num_embeddings
    rows = [[(7 * i + 3) % vocabulary for i in range(length)] for length in LENGTHS]
    was_training, began = model.training, time.monotonic()
    model.eval()
    try:
        alone = [model(input_ids=torch.tensor([row], device=model.device), use_cache=False).logits[0] for row in rows]
        with attention.using(model, attention.NAME):
            together = model(**attention.flat_row(rows, model.device), use_cache=False).logits[0]
    except (TypeError, ValueError, RuntimeError, KeyError) as error:
        # It does not take these inputs, or takes no attention from outside.
        return Finding(None, False, f"takes no flat rows ({type(error).__name__})")
    finally:
        model.train(was_training)
    expected = torch.cat(alone).float()
    difference = float((together.float() - expected).norm() / expected.norm().clamp(min=1e-30))
    fits_ = difference <= TOLERANCE.get(model.dtype, 1e-3)
    told = f"packed and separate logits differ by {difference:.1e}"
    return Finding(difference, fits_, told, time.monotonic() - began)


def _refusal(why: str, where: str) -> InputError:
    return InputError(
        N_("Examples of this model cannot share a row: {why}."),
        where=where,
        next=N_("Choose speed.padding_free=auto and data.packing=false: the batches are padded then."),
        why=why,
    )
