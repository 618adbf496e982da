"""TRL's SFTTrainer, fed with finished ids and labels, and with what a run of the lab adds to it."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback, TrainerState
from trl import SFTConfig, SFTTrainer

from lab.data.example import IGNORED, Example
from lab.planning.schedule import course_of, transformers_scheduler
from lab.spec import RunSpec
from lab.training import attention
from lab.training.collate import FlatCollator, PaddedCollator, real_tokens
from lab.training.machine import Machine
from lab.training.measure import Pace
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
        optim="adamw_torch_fused",
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
    )
    if config.n_gpu > 1:
        config._n_gpu = 1  # one device a run; otherwise the Trainer would spread batches over all it sees
    return config


def dataset(examples: Sequence[Example]) -> Dataset:
    """Ids and labels as the Trainer takes them; examples without a trained token are left out."""
    kept = [example for example in examples if any(label != IGNORED for label in example.labels[1:])]
    return Dataset.from_dict(
        {"input_ids": [example.input_ids for example in kept], "labels": [example.labels for example in kept]}
    )


class LabTrainer(SFTTrainer):
    """SFTTrainer without padding where the model allows it, and with a cheaper loss on a CPU."""

    def __init__(
        self,
        model: PreTrainedModel,
        args: SFTConfig,
        train_dataset: Dataset,
        tokenizer: PreTrainedTokenizerBase,
        machine: Machine,
        pace: Pace,
        *,
        peft_config: LoraConfig | None = None,
        callbacks: list[TrainerCallback] | None = None,
        max_length: int = 1024,
    ) -> None:
        self.machine, self.pace = machine, pace
        self.flat = attention.fits(model, max_length)
        self.tokens = self.examples = 0
        self._keeps_logits = "logits_to_keep" in inspect.signature(model.forward).parameters
        super().__init__(
            model=model,
            args=args,
            train_dataset=train_dataset,
            processing_class=tokenizer,
            peft_config=peft_config,
            callbacks=callbacks,
            data_collator=FlatCollator() if self.flat else PaddedCollator(tokenizer.pad_token_id),
        )

    @property
    def attention_name(self) -> str:
        """What the training attends with: lab_varlen, or the model's own on padded batches."""
        return attention.NAME if self.flat else str(self.model.config._attn_implementation)

    def take_up(self, checkpoint: Path) -> None:
        """Put the weights and the record of a checkpoint in place without training on."""
        self._load_from_checkpoint(str(checkpoint))
        self.state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        self.tokens += real_tokens(inputs)
        self.examples += len(inputs["cu_seq_lens_q"]) - 1 if self.flat else len(inputs["input_ids"])
        # For the backward pass too: gradient checkpointing runs the forward pass again there.
        with attention.using(self.model, attention.NAME) if self.flat else nullcontext():
            return super().training_step(model, inputs, num_items_in_batch)

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        with self.machine.autocast():
            # TRL's loss head is written for GPUs; on a CPU it scores prompts too and takes 40 % of a step.
            if self.machine.device == "cuda" or return_outputs or self.aux_loss_enabled:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            return self._label_loss(model, dict(inputs), num_items_in_batch)

    def _label_loss(self, model: Any, inputs: dict[str, Any], items: Any) -> torch.Tensor:
        """The same loss as TRL's from the logits of label tokens alone."""
        labels = inputs.pop("labels")[:, 1:]
        wanted = labels != IGNORED
        if self.flat and self._keeps_logits:
            inputs["logits_to_keep"] = wanted[0].nonzero().flatten()
            logits = model(**inputs, use_cache=False).logits[0]
        else:
            logits = model(**inputs, use_cache=False).logits[:, :-1][wanted]
        total = cross_entropy(logits.float(), labels[wanted], reduction="sum")
        return total / (wanted.sum() if items is None else items).clamp(min=1)

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
