"""The memory of a run put together: which terms a method, a number format and a device bring."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lab.models import ModelFacts
from lab.planning import activations, memory
from lab.planning.lora import adapter_parameters
from lab.planning.trained import trained_about, trained_blocks
from lab.spec import RunSpec

# On a CPU the lab attends to examples up to this length with kernels that keep the scores.
SCORES_KEPT = 512
NF4 = {True: "nf4", False: "nf4-plain"}  # with double quantisation, and without


@dataclass(frozen=True)
class Load:
    """What decides the memory of one device.

    `batch` examples of `length` tokens at once; `method` as in the `spec`, which says how many weights are
    trained (None: those of a LoRA adapter of `rank`, or all); `quantization` none, 8bit, nf4 or
    nf4-plain; `bf16` the computation's format (else fp32); `device` cpu or cuda; `scores`: attend as the lab does on
    a CPU, where short examples keep their attention scores. `answers` of an example go through the model together: two
    of a preference pair. `reference`: a frozen copy of the model lies beside it. `forms`: as in `activations.Numbers`.
    `blocks`: how many from the end are trained, None for all. `head`: words (a language model), tiles (TRL's fused head
    for preferences, on any device) or labels (a handful of outputs). `virtual`: learned tokens before every example.
    """

    method: str = "lora"
    batch: int = 1
    length: int = 512
    quantization: str = "none"
    rank: int = 16
    targets: list[str] | str = "all-linear"
    dropout: float = 0.0
    optimizer: str = "adamw"
    spec: RunSpec | None = None
    checkpointing: bool = False
    bf16: bool = True
    device: str = "cuda"
    scores: bool = True
    answers: int = 1
    reference: bool = False
    forms: frozenset[str] = frozenset()
    blocks: int | None = None
    head: str = "words"
    virtual: int = 0

    @property
    def full(self) -> bool:
        """Whether weights of the model itself are trained, so that all are kept in fp32."""
        return self.method in ("full", "frozen", "progressive")

    @property
    def half(self) -> bool:
        """Whether frozen weights lie in bf16; a full fine-tune keeps fp32 weights under bf16 autocast."""
        return self.bf16 and not self.full and (self.device == "cuda" or self.quantization != "none")

    @property
    def tokens(self) -> int:
        """Tokens that are on the device at once, at most."""
        return self.batch * self.answers * (self.length + self.virtual)

    def with_method(self, method: str, *, checkpointing: bool) -> Load:
        """The same run with another method, in the form that it is used in: QLoRA on NF4, the others unquantized."""
        return replace(
            self,
            method=method,
            checkpointing=checkpointing,
            quantization="nf4" if method == "qlora" else "none",
            spec=None,
            blocks=None,
            virtual=0,
        )


def load_of(spec: RunSpec, *, length: int, device: str, bf16: bool) -> Load:
    """The load of a spec whose longest example has `length` tokens."""
    prefers = spec.task == "preference"
    return Load(
        answers=2 if prefers and spec.preference.method != "kto" else 1,
        reference=prefers and _keeps_reference(spec),
        method=spec.method.name,
        batch=spec.schedule.per_device_batch,
        length=length,
        quantization=plain if (plain := spec.model.quantization) != "nf4" else NF4[spec.model.double_quantization],
        spec=spec,
        rank=spec.method.rank,
        targets=spec.method.target_modules,
        dropout=spec.method.dropout,
        optimizer=spec.schedule.optimizer,
        checkpointing=spec.resources.gradient_checkpointing,
        bf16=bf16,
        device=device,
        forms=_forms(spec),
        blocks=trained_blocks(spec),
        head=_head(spec),
        virtual=spec.method.virtual_tokens if spec.method.name == "prompt-tuning" else 0,
        scores=_keeps_scores(spec),
    )


def _keeps_reference(spec: RunSpec) -> bool:
    """Whether a copy of the model before the training lies beside it.

    Without its adapter a model is its own reference, and a reward model has none. For dpo the reference may be asked
    before the training, where the run sees every pair.
    """
    if spec.preference.method == "reward" or not spec.method.whole:
        return False
    if spec.preference.method != "dpo" or not spec.speed.reference_once:
        return True
    schedule, examples = spec.schedule, spec.data.examples
    if schedule.max_steps is None:
        return schedule.epochs < 1
    seen = schedule.max_steps * schedule.per_device_batch * schedule.accumulation
    return examples is None or seen < examples


def _keeps_scores(spec: RunSpec) -> bool:
    """Whether short examples on a CPU are attended to by products of matrices, which are faster there."""
    return spec.speed.padding_free != "off" and spec.method.name != "prompt-tuning"


def _head(spec: RunSpec) -> str:
    if spec.task == "preference":
        return "labels" if spec.preference.method == "reward" else "tiles"
    return "words" if spec.task == "causal-lm" else "labels"


def _forms(spec: RunSpec) -> frozenset[str]:
    """The faster forms that the spec's `speed` gives the layers on any device."""
    fused = spec.speed.fused_lora and spec.model.quantization == "none" and not spec.method.dora
    names = (("lora", fused), ("gelu", spec.speed.activation_swap))
    return frozenset(name for name, on in names if on)


def footprint(facts: ModelFacts, load: Load) -> memory.MemoryPlan:
    """Peak memory of one device, term by term, in GiB; None for what cannot be known."""
    trained = _trained(facts, load)
    gradients, states = memory.trained_bytes(trained, load.optimizer)
    weights = memory.weight_bytes(facts, quantization=load.quantization, bytes_each=2 if load.half else 4)
    terms = {
        "weights": None if weights is None else weights * (2 if load.reference else 1),
        "adapter": 0.0 if load.full else None if trained is None else 4.0 * trained,
        "gradients": gradients,
        "optimizer": states,
        "activations": _activations(facts, load, trained),
        "logits": _logits(facts, load),
        "overhead": memory.overhead_bytes(facts, load.device, words=load.head != "labels"),
    }
    return memory.MemoryPlan(**{f"{k}_gib": None if v is None else v / memory.GIB for k, v in terms.items()})


def _trained(facts: ModelFacts, load: Load) -> int | None:
    if load.spec is not None:
        return trained_about(load.spec, facts)
    return facts.parameters if load.full else adapter_parameters(facts, load.rank, load.targets)


def _activations(facts: ModelFacts, load: Load, trained: int | None) -> float | None:
    """What the blocks keep, and under autocast the bf16 copies of the weights."""
    on_cpu = load.device == "cpu"
    adapted = load.method in ("lora", "qlora")
    # The lab's kernels keep the scores of short examples; torch's own keep those of a model that drops some.
    keeps = load.length <= SCORES_KEPT if load.scores else facts.dropout
    kept = activations.activation_bytes(
        facts,
        load.tokens,
        lora_rank=0 if load.full else load.rank,
        bf16=load.bf16,
        half=load.half,
        checkpointing=load.checkpointing,
        targets=load.targets if adapted or load.full else [],
        dropout=load.dropout if adapted else 0.0,
        mask=4 if on_cpu else 1,
        scores=load.length if on_cpu and keeps else 0,
        forms=load.forms,
        blocks=load.blocks,
    )
    if kept is None or not load.bf16:
        return kept
    return kept + activations.cast_bytes(
        facts, trained, full=load.full, half=load.half, checkpointing=load.checkpointing, upper=load.blocks,
        words=load.head != "labels",
    )  # fmt: skip


def _logits(facts: ModelFacts, load: Load) -> float | None:
    if load.head == "labels":  # a handful of outputs; what they are computed from is kept
        return None if facts.hidden is None else 4.0 * facts.hidden * load.tokens
    if load.device == "cpu" and load.head == "tiles":
        return memory.tiled_head_bytes(facts, load.tokens, full=load.full, bf16=load.bf16)
    if load.device == "cuda":
        return memory.fused_head_bytes(facts, load.tokens, full=load.full)
    return memory.logit_bytes(facts, load.tokens, bf16=load.bf16)
