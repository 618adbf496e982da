"""Both models of a run in memory: one copy of the base with the adapter switched, or two full ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.training import libraries  # noqa: F401  (before torch)

import torch  # isort: skip
from peft import PeftModel
from transformers import PreTrainedModel

from lab.data.templates import free_prompt
from lab.data.tokens import Encoder
from lab.runs.directory import RunDirectory
from lab.runs.events import EventWriter
from lab.serving.form import form_of
from lab.serving.request import Request
from lab.text import N_
from lab.training import build, machine
from lab.training.generate import Generated, generate


class Models:
    """Answers as the base or the tuned model of a finished run; `work` is a folder for scratch."""

    def __init__(self, source: RunDirectory, events: EventWriter, work: Path) -> None:
        self.spec = source.spec
        self.machine = machine.choose(self.spec.resources)
        try:
            self._load(source)
        except torch.OutOfMemoryError:  # a training may have the GPU; answers can wait, it cannot
            self.machine = machine.choose(self.spec.resources.model_copy(update={"device": "cpu"}))
            events.note(N_("The GPU is full: the models answer on the CPU, more slowly."), level="warning")
            self._load(source)
        self.machine = machine.with_threads(self.machine, self.spec.resources, self.tuned.num_parameters())
        self.template, self.kind = form_of(source, self.tokenizer, work)
        self.encoder = Encoder(self.tokenizer, max_length=self.spec.data.max_length)

    def answers(
        self,
        request: Request,
        interrupted: Callable[[], bool],
        on_answer: Callable[[int], None] = lambda done: None,
    ) -> list[dict[str, Any]]:
        """{"prompt", "model", "text", "stopped", "seconds"} of each prompt and model, prompts in order.

        The prompts go into the template of the training. `seconds` is the answer's share of its batch's time.
        `on_answer` hears how many answers there are. Raises Interrupted.
        """
        ids = [self._ids(prompt) for prompt in request.prompts]
        found: dict[str, list[tuple[Generated, float]]] = {name: [] for name in request.which}
        for name in request.which:
            with self._as(name) as model, self.machine.inference():
                for batch in _batches(ids, request.temperature):
                    found[name] += self._generated(model, batch, request, interrupted)
                    on_answer(sum(map(len, found.values())))
        return [
            _output(prompt, name, *found[name][i]) for i, prompt in enumerate(request.prompts) for name in request.which
        ]

    def _load(self, source: RunDirectory) -> None:
        device, bf16 = self.machine.device, self.machine.precision == "bf16"
        dtype = torch.bfloat16 if device == "cuda" and bf16 else torch.float32
        self.tuned, self.tokenizer = build.load_tuned(source.path, device=device, dtype=dtype)
        self.base: PreTrainedModel | None = None
        if not isinstance(self.tuned, PeftModel):
            model = self.spec.model
            self.base = build.load_base(model.source, revision=model.revision, device=device, dtype=dtype)

    @contextmanager
    def _as(self, which: str) -> Iterator[PreTrainedModel]:
        if which == "tuned":
            yield self.tuned
        elif self.base is not None:
            yield self.base
        else:
            with self.tuned.disable_adapter():
                yield self.tuned

    def _ids(self, prompt: str) -> list[int]:
        rendered = free_prompt(prompt, template=self.template, kind=self.kind, tokenizer=self.tokenizer)
        return self.encoder.prompt_ids(rendered)

    def _generated(
        self, model: PreTrainedModel, ids: list[list[int]], request: Request, interrupted: Callable[[], bool]
    ) -> list[tuple[Generated, float]]:
        started = time.monotonic()
        answers = generate(
            model,
            self.tokenizer,
            ids,
            max_new_tokens=request.max_new_tokens,
            temperature=request.temperature,
            seed=request.seed,
            interrupted=interrupted,
        )
        seconds = (time.monotonic() - started) / len(answers)
        return [(answer, seconds) for answer in answers]


def _batches(ids: Sequence[list[int]], temperature: float) -> Iterator[list[list[int]]]:
    """Greedy answers many at once; sampled ones one by one: each then depends on the seed alone."""
    size = 1 if temperature > 0 else 32
    for start in range(0, len(ids), size):
        yield list(ids[start : start + size])


def _output(prompt: str, model: str, answer: Generated, seconds: float) -> dict[str, Any]:
    text = answer.text.strip()
    return {
        "prompt": prompt,
        "model": model,
        "text": text,
        "stopped": answer.stopped,
        "seconds": round(seconds, 3),
    }
