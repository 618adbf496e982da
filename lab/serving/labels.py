"""The classifier of a finished run in memory: what it calls a text, and how sure it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.training import libraries  # noqa: F401  (before torch)

import torch  # isort: skip
from transformers import AutoModelForSequenceClassification

from lab.runs import chain
from lab.runs.directory import RunDirectory
from lab.runs.events import EventWriter
from lab.serving.request import Request
from lab.training import build, machine
from lab.training.interrupts import Interrupted
from lab.training.tasks.tokenizers import task_tokenizer


class Labels:
    """Answers as the tuned model of a run of the task `classification`; its base has a head that is new."""

    def __init__(self, source: RunDirectory, events: EventWriter, work: Path) -> None:
        self.spec = source.spec
        # A text or two at a time: the GPU, if there is one, is left to trainings.
        resources = self.spec.resources.model_copy(update={"device": "cpu"})
        folder = str(chain.model_of(source.id))
        self.tokenizer = task_tokenizer(folder)
        options = {"use_safetensors": True, "local_files_only": True, "dtype": torch.float32}
        self.model = AutoModelForSequenceClassification.from_pretrained(folder, **options).eval()
        self.machine = machine.with_threads(machine.choose(resources), resources, self.model.num_parameters())
        self.length = min(self.spec.data.max_length, build.positions(self.model) or self.spec.data.max_length)

    def answers(
        self,
        request: Request,
        interrupted: Callable[[], bool],
        on_answer: Callable[[int], None] = lambda done: None,
    ) -> list[dict[str, Any]]:
        """{"prompt", "model", "text" (the label), "stopped", "scores": {label: share}, "seconds"} of each text.

        Only the tuned model answers, whatever is asked: the head of the base is new and answers by chance. A text that
        is too long loses its end. Raises Interrupted.
        """
        found: list[dict[str, Any]] = []
        for text in request.prompts:
            if interrupted():
                raise Interrupted
            found.append(self._answer(text))
            on_answer(len(found))
        return found

    def _answer(self, text: str) -> dict[str, Any]:
        started = time.monotonic()
        ids = self.tokenizer(
            text, truncation=True, max_length=self.length, split_special_tokens=True, return_tensors="pt"
        )
        with self.machine.inference():
            shares = self.model(**ids).logits[0].float().softmax(-1).tolist()
        names = self.model.config.id2label
        scores = {str(names[number]): round(share, 4) for number, share in enumerate(shares)}
        label = max(scores, key=scores.__getitem__)
        seconds = round(time.monotonic() - started, 3)
        return {"prompt": text, "model": "tuned", "text": label, "stopped": True, "scores": scores, "seconds": seconds}
