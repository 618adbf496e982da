"""TRL's SFTTrainer, fed with finished ids and labels, and with what a run of the lab adds to it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback, TrainerState
from trl import SFTConfig, SFTTrainer

from lab.data.example import IGNORED, Example
from lab.data.examples import Examples
from lab.data.tokenised import of_examples
from lab.planning.schedule import course_of, transformers_scheduler
from lab.spec import RunSpec
from lab.training import attention, probe, side_by_side
from lab.training.batches import Rows, UpdateCollator
from lab.training.choices import Choices, fit_arguments
from lab.training.collate import PaddedCollator, real_tokens
from lab.training.fused import compile_blocks, fuse_kernels, fuse_lora, swap_activation
from lab.training.machine import Machine
from lab.training.measure import Pace
from lab.training.methods import optimizers, quantised
from lab.training.methods.adapters import prompt_tokens
from lab.training.methods.losses import total_loss
from lab.training.methods.trainer import MethodTrainer
from lab.training.side_by_side import SIDES, Sides
from lab.training.steps import Course


def arguments(spec: RunSpec, course: Course, machine: Machine, checkpoints: Path) -> SFTConfig:
    """The Trainer's arguments for a run.

    The number format is left to `LabTrainer` (bf16=False), saving and evaluating to the callbacks. The seed
    of the data order is named, so that it does not depend on what drew numbers before.
    """
    schedule = spec.schedule
    curve = course_of(schedule, course.steps)
    scheduler, options = transformers_scheduler(curve, schedule.learning_rate)
    config = SFTConfig(
        output_dir=str(checkpoints),
        max_steps=course.steps,
        per_device_train_batch_size=schedule.per_device_batch,
        gradient_accumulation_steps=schedule.accumulation,
        learning_rate=schedule.learning_rate,
        lr_scheduler_type=scheduler,
        lr_scheduler_kwargs=options,
        warmup_steps=curve.warmup,
        weight_decay=schedule.weight_decay,
        max_grad_norm=schedule.max_grad_norm,
        optim=optimizers.known_to_transformers(schedule.optimizer),
        label_smoothing_factor=0.0,  # the lab's own, in `_label_loss`
        seed=spec.seed,
        data_seed=spec.seed,
        logging_steps=1,
        logging_nan_inf_filter=False,  # the default shows a loss of 0.0 when it is not a number
        report_to=[],
        save_strategy="no",
        eval_strategy="no",
        use_cpu=machine.device == "cpu",
        bf16=False,
        fp16=False,
        gradient_checkpointing=spec.resources.gradient_checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False},
        dataloader_pin_memory=machine.device == "cuda",
        disable_tqdm=True,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
    )
    if config.n_gpu > 1:
        config._n_gpu = 1  # one device a run; otherwise the Trainer would spread batches over all it sees
    return config


def dataset(examples: Sequence[Example], packs: Sequence[Sequence[int]] | None = None) -> Rows:
    """Ids and labels as the Trainer takes them; examples without a trained token are left out.

    `packs` hold places among the examples that are left.
    """
    if isinstance(examples, Examples):
        return Rows(examples.tokens, examples.taught().numbers, packs)
    tokens = of_examples(examples)
    return Rows(tokens, tokens.taught(0, len(examples)), packs)


def prepare_model(model: PreTrainedModel, choices: Choices, dtype: torch.dtype) -> None:
    """Change the layers of a model as the choices say, before an adapter is put around them.

    `dtype` is the format of weights that are not trained.
    """
    if choices.dequantise:
        count = quantised.dequantise(model, dtype, model.device)
        choices.why["dequantise"] = f"{count} layers: {choices.why.get('dequantise', '')}".rstrip(": ")
    if choices.activation_swap and not swap_activation(model):
        choices.why["activation_swap"] = "no gelu_new in this model"
    if choices.fused_kernels:
        choices.why["fused_kernels"] = fuse_kernels(model)


class LabTrainer(MethodTrainer, SFTTrainer):
    """SFTTrainer without padding where the model allows it, and with the optimisations of `choices`.

    Without padding the Trainer sees an update as one batch, which holds the passes through the model: the order of
    the examples, the schedule and the gradient are those of `accumulation` batches.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        args: SFTConfig,
        train_dataset: Rows,
        tokenizer: PreTrainedTokenizerBase,
        machine: Machine,
        pace: Pace,
        *,
        adapt: Callable[[PreTrainedModel], PeftModel] | None = None,
        callbacks: list[TrainerCallback] | None = None,
        max_length: int = 1024,
        choices: Choices | None = None,
    ) -> None:
        self.machine, self.pace = machine, pace
        self.choices = choices or Choices()
        prepare_model(model, self.choices, machine.frozen_dtype)
        self.flat = probe.decide(model, max_length, self.choices)  # of the layers that will be trained
        self.tokens = self.examples = 0
        self._keeps_logits = "logits_to_keep" in inspect.signature(model.forward).parameters
        model = model if adapt is None else adapt(model)
        self.flat = self.flat and not prompt_tokens(model)
        fit_arguments(args, self.choices, machine, grouped=self.flat)
        budget = self.choices.budget or args.per_device_train_batch_size * max_length
        with quantised.trained_weights_kept(model):
            super().__init__(
                model=model,
                args=args,
                train_dataset=train_dataset.table(1),  # TRL looks at a table; the training reads the rows
                processing_class=tokenizer,
                callbacks=callbacks,
                data_collator=UpdateCollator(budget) if self.flat else PaddedCollator(tokenizer.pad_token_id),
            )
        self.train_dataset = train_dataset
        if self.choices.fused_lora:
            self.choices.why["fused_lora"] = f"{fuse_lora(self.model)} layers"
        self.sides = self._sides(budget)
        if self.choices.compile:
            self.choices.why["compile"] = f"{compile_blocks(self.model)} blocks"

    def _sides(self, budget: int) -> Sides | None:
        """What computes two passes at a time, where that was chosen and the model allows it."""
        if not self.choices.side_by_side:
            return None
        why = side_by_side.hindrance(self.model) if self.flat and self._scores_labels else "not for this model"
        if why:
            self.choices.side_by_side, self.choices.why["side_by_side"] = False, why
            return None
        self.data_collator = UpdateCollator(budget, SIDES)
        return Sides(self.machine.threads)

    @property
    def attention_name(self) -> str:
        """What the training attends with: lab_varlen, or the model's own on padded batches."""
        return attention.NAME if self.flat else str(self.model.config._attn_implementation)

    def take_up(self, checkpoint: Path) -> None:
        """Put the weights and the record of a checkpoint in place without training on."""
        self._load_from_checkpoint(str(checkpoint))
        self.state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        if not self.flat:
            self.tokens += real_tokens(inputs)
            self.examples += len(inputs["input_ids"])
            return super().training_step(model, inputs, num_items_in_batch)
        self.tokens += sum(part["input_ids"].numel() for part in inputs["passes"])
        self.examples += sum(len(part["cu_seq_lens_q"]) - 1 for part in inputs["passes"])
        # For the backward pass too: gradient checkpointing runs the forward pass again there.
        with attention.using(self.model, attention.NAME):
            if self.sides is not None and len(inputs["passes"]) > 1:
                return self._step_beside(self.sides, model, inputs["passes"], num_items_in_batch)
            return sum(
                super(LabTrainer, self).training_step(model, part, num_items_in_batch) for part in inputs["passes"]
            )

    def _step_beside(self, sides: Sides, model: Any, passes: list[dict[str, Any]], items: Any) -> torch.Tensor:
        model.train()
        prepared = [self._prepare_inputs(part) for part in passes]
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        return sides.backward(prepared, lambda part: self.compute_loss(model, part, num_items_in_batch=items), weights)

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        with self.machine.autocast():
            if self._scores_labels and not return_outputs:
                return self._label_loss(model, dict(inputs), num_items_in_batch)
            wanted = {name: value for name, value in inputs.items() if name not in ("predicts", "targets")}
            return super().compute_loss(model, wanted, return_outputs, num_items_in_batch)

    @property
    def _scores_labels(self) -> bool:
        # TRL's loss head is written for GPUs; on a CPU it scores prompts too and takes 40 % of a step.
        if self.smoothing or self.prompt_tokens:
            return True
        return self.choices.label_loss and self.machine.device == "cpu" and not self.aux_loss_enabled

    @property
    def smoothing(self) -> float:
        """The share of label smoothing."""
        return self.methods.spec.regularisation.label_smoothing if self.methods else 0.0

    @property
    def prompt_tokens(self) -> int:
        """Learned tokens before every example, which have logits of their own and no labels."""
        return prompt_tokens(self.model)

    def _label_loss(self, model: Any, inputs: dict[str, Any], items: Any) -> torch.Tensor:
        """The same loss as TRL's from the logits of label tokens alone."""
        labels = inputs.pop("labels")
        if self.flat:
            predicts, targets = inputs.pop("predicts"), inputs.pop("targets")
            kept = {"logits_to_keep": predicts} if self._keeps_logits else {}
            logits = model(**inputs, **kept, use_cache=False).logits[0]
            logits = logits if kept else logits[predicts]
        else:
            wanted = labels[:, 1:] != IGNORED
            targets = labels[:, 1:][wanted]
            logits = model(**inputs, use_cache=False).logits[:, self.prompt_tokens : -1][wanted]
        total = total_loss(logits.float(), targets, self.smoothing)
        return total / (torch.tensor(len(targets)) if items is None else items).clamp(min=1)

    def take_counts(self) -> tuple[int, int]:
        """Real tokens and examples trained on since the last call."""
        counts, self.tokens, self.examples = (self.tokens, self.examples), 0, 0
        return counts

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        with self.pace.paused():
            super()._save_checkpoint(model, trial)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Weights and tokenizer, without the pickled arguments that the Trainer adds."""
        folder = output_dir or self.args.output_dir
        # "auto" would look on the Hub for the base model's vocabulary size at each save.
        options = {"save_embedding_layers": False} if isinstance(self.model, PeftModel) else {}
        self.model.save_pretrained(folder, **options)
        self.processing_class.save_pretrained(folder)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Checkpoints carry no card; the lab writes its own when a model is published."""

    def _send_telemetry(self) -> None:
        """Nothing is reported to anybody."""
