"""DPO and KTO: the plan of a language model, with preferences in place of answers to copy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, PreTrainedModel, TrainerCallback
from trl import DPOConfig, KTOConfig
from trl.trainer.dpo_trainer import DataCollatorForPreference

from lab.data.features.checks import check_form
from lab.data.features.preference import Pair, PreferenceEncoder, Preferences, Single
from lab.data.features.rows import TaskRows, open_rows
from lab.runs.stopping import StopFlag
from lab.spec import RunSpec
from lab.text import N_
from lab.training.choices import Choices
from lab.training.measure import Pace
from lab.training.methods import quantised
from lab.training.preference import inputs, trainers
from lab.training.preference.evaluator import PreferenceEvaluator
from lab.training.preference.passes import without_dropout
from lab.training.preference.references import References
from lab.training.preference.report import report
from lab.training.preference.trainers import LAYERS
from lab.training.steps import Course
from lab.training.tasks.causal import CausalPlan
from lab.training.tasks.labelled import chosen
from lab.training.tasks.speed import NOT_HERE, PASS, attention_for
from lab.training.tensorboard import Board
from lab.training.trainer import prepare_model

TOGETHER = "KTO's loss depends on which answers are drawn together"
BALANCED = (1.0, 4 / 3)  # good answers' weight times number over the bad ones': KTO, arXiv:2402.01306, equation 8


class PairPlan(CausalPlan):
    """The preference method `dpo`: pairs of a better and a worse answer."""

    score = "reward_accuracy"
    paired = True
    used: tuple[str, ...] = (*LAYERS, "padding_free", "label_loss")
    base_first = True
    held_out_items: Sequence[Any] = ()
    board: Board
    stop: StopFlag
    choices: Choices

    def encode(self, spec: RunSpec) -> None:
        self.spec = spec
        rows = open_rows(spec, self.directory, "preference")
        self.check_form(rows)
        encoder = PreferenceEncoder(spec, self.tokenizer)
        train = self.encoded(encoder, rows.train)
        held_out = self.encoded(encoder, chosen(rows.validation, spec.evaluation.max_examples, spec.seed))
        self.train, self.held_out_items = train.items, held_out.items
        self.report = report(rows, train, held_out, encoder)
        if cut := train.cut + held_out.cut:
            template = N_("{count} answers are longer than {length} tokens with their prompt and were cut.")
            self.events.note(template, count=cut, length=spec.data.max_length)

    def check_form(self, rows: TaskRows) -> None:
        """Raise InputError for rows that hold no pairs."""
        check_form([*rows.train, *rows.validation], self.spec.preference.method)

    def encoded(self, encoder: PreferenceEncoder, rows: Sequence[Any]) -> Preferences:
        """Rows as the items of this method."""
        return encoder.pairs(rows)

    @property
    def has_held_out(self) -> bool:
        return bool(self.held_out_items)

    def evaluator(self, board: Board, stop: StopFlag) -> PreferenceEvaluator:
        self.board, self.stop = board, stop
        return PreferenceEvaluator(self, board, stop)

    def trainer(
        self, model: PreTrainedModel, course: Course, pace: Pace, checkpoints: Path, callbacks: list[TrainerCallback]
    ) -> Any:
        whole, goes_on = self.spec.method.whole, isinstance(model, PeftModel)
        self.choices = trainers.choices_of(self.spec, self.machine, self.used)
        prepare_model(model.get_base_model() if goes_on else model, self.choices, self.machine.frozen_dtype)
        tuned = model if whole or goes_on else self.adapted(model)
        trainers.tell_dropout(without_dropout(tuned), self.spec, self.choices, self.events)
        once = self.asks_once(course)
        with quantised.trained_weights_kept(tuned):
            trainer = self.built(
                course,
                pace,
                checkpoints,
                model=tuned,
                ref_model=trainers.frozen_copy(model) if whole and not once else None,
                processing_class=self.tokenizer,
                callbacks=[trainers.Rewards(self.events, self.board), *callbacks],
            )
        self._settle_reference(trainer.model, goes_on)
        if once and not whole:  # of a whole model TRL has asked already
            trainer.ask_reference()
        return trainer

    def asks_once(self, course: Course) -> bool:
        """Whether the reference judges all pairs before the training: where the full run sees each of them."""
        speed, schedule = self.spec.speed, self.spec.schedule
        if not speed.reference_once:
            return False
        seen = course.steps * schedule.per_device_batch * schedule.accumulation
        once = seen >= len(self.train)
        told = "asked once, before the training" if once else "asked in each step: the run does not see every pair"
        self.choices.why["reference"] = told
        return once

    def known(self, pace: Pace, model: Any, **more: Any) -> dict[str, Any]:
        """What a trainer knows before TRL's own beginning; `more` of its own."""
        name = attention_for(model, self.choices, self.machine.device)
        shared = {"machine": self.machine, "pace": pace, "choices": self.choices, "attention_name": name}
        return shared | more

    def built(self, course: Course, pace: Pace, checkpoints: Path, **given: Any) -> Any:
        """TRL's trainer of this method."""
        asked, choices = self.spec.preference, self.choices
        own = {"beta": asked.beta, "loss_type": [asked.loss]}
        if self.spec.method.whole and given["ref_model"] is None:
            own["precompute_ref_log_probs"] = True
        config = trainers.configured(DPOConfig, self.spec, course, self.machine, checkpoints, choices, **own)
        collate = DataCollatorForPreference(pad_token_id=self.tokenizer.pad_token_id)
        budget = choices.budget or self.spec.schedule.per_device_batch * self.spec.data.max_length
        references = References(self.directory, budget, PASS[self.machine.device], lambda: self.stop.requested)
        given |= {
            "args": config,
            "train_dataset": inputs.pair_rows([one for one in self.train if isinstance(one, Pair)]),
            "data_collator": trainers.grouped(config, collate, choices, self.machine),
        }
        return trainers.build(
            trainers.PairTrainer, given, **self.known(pace, given["model"], collate=collate, references=references)
        )

    def _settle_reference(self, model: Any, goes_on: bool) -> None:
        """TRL copies every adapter for reference; a new one needs none, because without it the model is the base."""
        if not isinstance(model, PeftModel) or trainers.REFERENCE not in model.peft_config:
            return
        if not goes_on:
            model.delete_adapter(trainers.REFERENCE)
            return
        for name, weight in model.named_parameters():
            if f".{trainers.REFERENCE}." in name:
                weight.requires_grad_(False)

    def load_final(self, model: Any, final: Path) -> Any:
        if self.spec.method.whole:
            options = {"dtype": torch.float32, "use_safetensors": True, "local_files_only": True}
            return AutoModelForCausalLM.from_pretrained(final, **options).to(self.machine.device).eval()
        whole = model.unload() if isinstance(model, PeftModel) else model
        return PeftModel.from_pretrained(whole, str(final), local_files_only=True).eval()

    def save(self, model: PreTrainedModel, final: Path) -> None:
        if isinstance(model, PeftModel) and trainers.REFERENCE in model.peft_config:
            model.delete_adapter(trainers.REFERENCE)
        super().save(model, final)


class KtoPlan(PairPlan):
    """The preference method `kto`: single answers that somebody called good or bad; pairs give two of them."""

    paired = False
    used = (*LAYERS, "label_loss")

    def check_form(self, rows: TaskRows) -> None:
        """Raise InputError when all answers are called the same; every form of row will do."""
        check_form(rows.train, "kto")

    def encoded(self, encoder: PreferenceEncoder, rows: Sequence[Any]) -> Preferences:
        return encoder.singles(rows)

    def built(self, course: Course, pace: Pace, checkpoints: Path, **given: Any) -> Any:
        asked = self.spec.preference
        singles = [one for one in self.train if isinstance(one, Single)]
        self._note_balance(singles)
        own = {name: getattr(asked, name) for name in ("beta", "desirable_weight", "undesirable_weight")}
        own["train_sampling_strategy"] = "sequential"
        given |= {
            "args": trainers.configured(KTOConfig, self.spec, course, self.machine, checkpoints, self.choices, **own),
            "train_dataset": inputs.single_rows(singles),
            "data_collator": inputs.SwappedAnswers(pad_token_id=self.tokenizer.pad_token_id),
        }
        return trainers.build(trainers.SingleTrainer, given, **self.known(pace, given["model"]))

    def asks_once(self, course: Course) -> bool:
        """Never: what the reference is asked about is another in each epoch."""
        on = {"padding_free": self.choices.padding_free != "off", "reference": self.spec.speed.reference_once}
        self.choices.why |= {name: f"{NOT_HERE}: {TOGETHER}" for name, wanted in on.items() if wanted}
        return False

    def _note_balance(self, singles: Sequence[Single]) -> None:
        asked, good = self.spec.preference, sum(one.desired for one in singles)
        bad = len(singles) - good
        share = asked.desirable_weight * good / max(1e-9, asked.undesirable_weight * bad)
        if bad and good and not BALANCED[0] * 0.75 <= share <= BALANCED[1]:
            self.events.note(
                N_("{good} good and {bad} bad answers do not balance: KTO advises desirable_weight={weight:.2g}."),
                level="warning",
                good=good,
                bad=bad,
                weight=asked.undesirable_weight * bad / good,
            )
