"""What every Trainer of the lab has for the methods of a spec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import Trainer

from lab.training.methods import optimizers

if TYPE_CHECKING:
    from lab.training.methods.methods import Methods


class MethodTrainer(Trainer):
    """A Trainer whose optimizer spares biases and norms and may have a rate for each layer, and whose gradients a
    penalty may join before they are clipped. `methods` is None for a plain one.
    """

    methods: Methods | None = None
    optimizer: Any

    def get_decay_parameter_names(self, model: torch.nn.Module) -> list[str]:
        """Names of the weights that weight decay pulls at."""
        return optimizers.decaying(model)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """The optimizer with a group for each depth where the spec asks for rates by layer."""
        layer_decay = self.methods.spec.schedule.layer_decay if self.methods else 1.0
        if layer_decay == 1.0 or self.optimizer is not None:
            return super().create_optimizer(model)
        target = self.model if model is None else model
        groups = optimizers.layered_groups(target, self.args.learning_rate, self.args.weight_decay, layer_decay)
        kind, options = self.get_optimizer_cls_and_kwargs(self.args, target)
        self.optimizer = kind(groups, **options)
        return self.optimizer

    def _clip_grad_norm(self, model: Any) -> Any:
        self._pull()
        return super()._clip_grad_norm(model)

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        if grad_norm is None:  # nothing is clipped, so nobody has pulled yet
            self._pull()
        return super()._get_grad_norm(model, grad_norm)

    def _pull(self) -> None:
        """Once in each update, when its gradient is complete."""
        if self.methods is not None and self.methods.consolidation is not None:
            self.methods.consolidation.pull()
