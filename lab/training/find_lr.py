"""The learning-rate range test: train with a rate that grows at each step, then put everything back as it was.

The sweep goes through the Trainer's own loop, so that batches, accumulation, clipping and loss are those of the run.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments, set_seed

from lab.training.find_lr_curve import Curve, has_diverged, smoothed
from lab.training.interrupts import Interrupted
from lab.training.machine import random_state_kept

Told = Callable[[int, float, float], None]  # (update from 1, loss, rate)


def sweep(
    trainer: Trainer,
    rates: Sequence[float],
    seed: int,
    *,
    interrupted: Callable[[], bool] = lambda: False,
    tell: Told | None = None,
) -> Curve:
    """Train once through `rates`, from the weights and with an optimizer as fresh as at the start of a run.

    The Trainer's `max_steps` must be at least one more than the rates. Weights, gradients, optimizer, record and
    random state are afterwards what they were, bit for bit. Raises Interrupted.
    """
    ramp = _Ramp(trainer, rates, interrupted, tell)
    with as_it_was(trainer):
        set_seed(seed)
        trainer.args.seed = trainer.args.data_seed = trainer.accelerator.dataloader_config.data_seed = seed
        trainer.add_callback(ramp)
        try:
            trainer.train()
        finally:
            trainer.remove_callback(ramp)
    if ramp.stopped:
        raise Interrupted
    return Curve(seed, list(rates[: len(ramp.losses) - 1]), ramp.losses[1:])


@contextmanager
def as_it_was(trainer: Trainer) -> Iterator[None]:
    """Give the Trainer no optimizer, and afterwards its own again with a deep copy of all that training changes."""
    model, before = trainer.model, (trainer.optimizer, trainer.lr_scheduler)
    learned = {name: value.detach().clone() for name, value in _changing(model)}
    gradients = {name: None if p.grad is None else p.grad.clone() for name, p in model.named_parameters()}
    moments = [copy.deepcopy(part.state_dict()) if part is not None else None for part in before]
    args, state, mode = copy.copy(trainer.args), copy.deepcopy(trainer.state), model.training
    seeds = trainer.accelerator.dataloader_config.data_seed
    trainer.optimizer = trainer.lr_scheduler = None
    try:
        with random_state_kept():
            yield
    finally:
        with torch.no_grad():
            for name, value in _changing(model):
                value.copy_(learned[name])
        for name, parameter in model.named_parameters():
            parameter.grad = gradients[name]
        trainer.optimizer, trainer.lr_scheduler = before
        for part, kept in zip(before, moments, strict=True):
            if part is not None:
                part.load_state_dict(kept)
        trainer.args.seed, trainer.args.data_seed = args.seed, args.data_seed
        trainer.accelerator.dataloader_config.data_seed = seeds
        trainer.state = trainer.callback_handler.state = state
        trainer.control = TrainerControl()
        model.train(mode)


def _changing(model: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """What training changes: the trained weights, and buffers such as running means."""
    yield from ((name, weight) for name, weight in model.named_parameters() if weight.requires_grad)
    yield from model.named_buffers()


class _Ramp(TrainerCallback):
    """Sets the rate before each step, keeps the losses, and ends the sweep when they diverge."""

    def __init__(
        self, trainer: Trainer, rates: Sequence[float], interrupted: Callable[[], bool], tell: Told | None
    ) -> None:
        self.trainer, self.rates, self.interrupted, self.tell = trainer, rates, interrupted, tell
        self.losses: list[float] = []
        self.stopped = False

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        # The scheduler writes its own rate after each step; here is the last moment before the next one.
        rate = self.rates[min(state.global_step, len(self.rates) - 1)]
        for group in self.trainer.optimizer.param_groups:
            group["lr"] = rate * group.get("initial_lr", args.learning_rate) / args.learning_rate

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self.stopped = self.interrupted()
        control.should_training_stop = self.stopped or state.global_step > len(self.rates)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        loss = (kwargs.get("logs") or {}).get("loss")
        if loss is None:
            return
        self.losses.append(float(loss))
        number = len(self.losses)
        if self.tell is not None:
            self.tell(number, float(loss), self.rates[min(number, len(self.rates)) - 1])
        if number > 1:  # the first loss is that of the weights before any step
            control.should_training_stop |= has_diverged(smoothed(self.losses[1:]))
