"""What can be seen to be wrong in a setup beside the planner's verdicts: the method, the data, the measuring."""

from __future__ import annotations

from collections.abc import Iterator

from lab.catalogue.doctor_parts import Case, Finding, finding
from lab.planning.rates import range_of
from lab.planning.suggestions import USUAL_EPOCHS
from lab.text import N_

SHORT_RUN = 500  # steps; a shorter run does well without a warmup
LARGE_DROPOUT = 0.1
SMALL_VALIDATION = 100  # rows
USUAL_SHARE = 0.1
A_FULL_RATE_BELOW = 8  # times lower than the usual rate of LoRA, which is about ten times a full rate
CHARACTERS_PER_TOKEN = (3.0, 6.0)

_LR = "schedule.learning_rate"


def rate_of_the_other_method(case: Case) -> Iterator[Finding]:
    """LoRA at the rate of a full fine-tune, and the other way round."""
    usual, value = case.plan.learning_rate_range, case.plan.learning_rate
    if usual is None or usual.low <= value <= usual.high:
        return
    reason = N_("{value:.0e} is the usual rate for this method and size.")
    values = {"value": value, "usual": usual.default}
    change = {_LR: usual.default}
    if case.adapter and value * A_FULL_RATE_BELOW <= usual.default:
        yield finding(
            "lora-at-full-rate", _LR, "warning",
            N_("{value:.0e} is a rate for full fine-tuning; LoRA needs about ten times as much and learns too slowly."),
            "thinkingmachines.ai/blog/lora: 10 times, 15 times for runs under 100 steps", values,
            change=change, reason=reason, reason_source=usual.source, reason_values={"value": usual.default},
        )  # fmt: skip
    lora = range_of(case.spec, case.facts, "lora")
    if case.spec.method.name == "full" and lora and usual.high < value <= lora.high:
        yield finding(
            "full-at-lora-rate", _LR, "error",
            N_("{value:.0e} is a rate for LoRA; with all weights trained the model forgets what it knew or diverges."),
            usual.source, values,
            change=change, reason=reason, reason_source=usual.source, reason_values={"value": usual.default},
            error_number=1,
        )  # fmt: skip


def warmup(case: Case) -> Iterator[Finding]:
    """No warmup at all (error 2), or one that never ends."""
    rise, steps = case.plan.warmup_steps, case.steps
    change = {"schedule.warmup": 0.03}
    reason = N_("3 % of the steps, as Alpaca, Vicuna and QLoRA have it.")
    if case.spec.schedule.warmup == 0:
        harmless = case.adapter or (steps is not None and steps < SHORT_RUN)
        sentence = N_("There is no warmup. Document 000 calls that an error; LoRA and short runs do without one.")
        if not harmless:
            sentence = N_(
                "There is no warmup; the first steps are taken before the optimizer's statistics have settled."
            )
        yield finding(
            "no-warmup", "schedule.warmup", "info" if harmless else "warning", sentence,
            "document 000 L523-530; H2O LLM Studio's default: 0; Alpaca, Vicuna: 3 %",
            change=change, reason=reason, reason_source="Alpaca, Vicuna, QLoRA", error_number=2,
        )  # fmt: skip
    elif rise is not None and steps is not None and rise >= steps:
        yield finding(
            "warmup-longer-than-run", "schedule.warmup", "error",
            N_("The warmup of {warmup} steps does not end within the run of {steps}: the full rate is never reached."),
            "arithmetic", {"warmup": rise, "steps": steps}, change=change, reason=reason,
            reason_source="Alpaca, Vicuna, QLoRA",
        )  # fmt: skip


def adapter(case: Case) -> Iterator[Finding]:
    """The scale and the dropout of an adapter, and adapter settings without an adapter."""
    method = case.spec.method
    if not case.adapter:
        if case.stated is not None and any(case.states(f"method.{name}") for name in ("rank", "alpha", "dropout")):
            yield finding(
                "adapter-settings-without-adapter", "method.name", "error",
                N_("The file names a LoRA rank or alpha, but no adapter is switched on: all weights are trained."),
                "TRL: use_peft; Axolotl: adapter; LLaMA-Factory: finetuning_type",
                change={"method.name": "lora"}, reason=N_("Then the settings of the adapter count."),
            )  # fmt: skip
        return
    scale = method.alpha / method.rank
    if not 0.25 <= scale <= 4:
        yield finding(
            "adapter-scale", "method.alpha", "warning",
            N_("The adapter is scaled by alpha / rank = {scale:.3g}; published runs have 0.25 to 2."),
            "QLoRA: 16 / 64; Alpaca-LoRA: 16 / 8; Axolotl: 16 / 32", {"scale": scale},
            change={"method.alpha": min(2 * method.rank, 4096)}, reason=N_("Twice the rank is the usual alpha."),
            reason_source="arXiv:2305.14314; documents 000 and 001",
        )  # fmt: skip
    if method.dropout > LARGE_DROPOUT:
        yield finding(
            "adapter-dropout", "method.dropout", "info",
            N_("An adapter dropout of {value:g} is high; 0 to 0.1 is usual. Document 001 has 0.2."),
            "QLoRA: 0.1 up to 13B, 0.05 above; document 001 L448", {"value": method.dropout},
            change={"method.dropout": 0.05}, reason=N_("0.05 is QLoRA's value for larger models."),
        )  # fmt: skip


def labels(case: Case) -> Iterator[Finding]:
    """What enters the loss: the prompt, the padding, an end that is missing."""
    data = case.spec.data
    if not data.completion_only:
        yield finding(
            "trains-on-prompt", "data.completion_only", "warning",
            N_("The prompt is part of the loss: the model learns to ask as well as to answer."),
            "Alpaca, Vicuna, Dolly, Llama 2 leave it out; Alpaca-LoRA trains on it",
            change={"data.completion_only": True}, reason=N_("Only the answer is learned."),
            reason_source="Stanford Alpaca, train.py",
        )  # fmt: skip
    if data.too_long == "cut" and not data.packing:
        yield finding(
            "cut-loses-end", "data.too_long", "info",
            N_("An example that is cut has no end token; the model learns not to stop there."),
            "transformers issue 23530", change={"data.too_long": "drop"},
            reason=N_("An example that is too long is left out, and counted."),
        )  # fmt: skip
    if case.signs.get("pad_is_end"):
        yield finding(
            "padding-is-end", "data.template", "warning",
            N_(
                "Padding and end token are the same. Where padding is masked by its id, every real end is masked too "
                "and the model never learns to stop; where it is not masked, the padding is learned."
            ),
            "transformers issue 23530; TRL issue 976. The lab masks by length, so its own runs are safe.",
        )  # fmt: skip


def template(case: Case) -> Iterator[Finding]:
    """A prompt template that does not fit the model."""
    chosen, has_chat = case.spec.data.template, case.facts.has_chat_template
    if chosen == "chat" and has_chat is False:
        yield finding(
            "no-chat-template", "data.template", "error",
            N_("The tokenizer of this model has no chat template."), "tokenizer_config.json of the model",
            change={"data.template": "auto"}, reason=N_("The form that fits the data is taken."),
        )  # fmt: skip
    elif has_chat and chosen not in ("chat", "auto"):
        yield finding(
            "other-template-than-chat", "data.template", "warning",
            N_("The model was made for its own chat template and is trained here in the form {template}."),
            "tokenizer_config.json of the model", {"template": chosen}, change={"data.template": "chat"},
            reason=N_("What the model has learned about turns is kept."),
        )  # fmt: skip


def lengths(case: Case) -> Iterator[Finding]:
    """A length that was meant in characters, and one that most examples exceed. Only where lengths are known."""
    inputs, limit = case.plan.inputs, case.spec.data.max_length
    if "tokens_per_example" in inputs.assumptions or inputs.examples is None or inputs.longest_tokens >= limit:
        return
    low, high = CHARACTERS_PER_TOKEN
    if low * inputs.longest_tokens <= limit <= high * inputs.longest_tokens:
        wanted = max(64, -(-inputs.longest_tokens // 64) * 64)
        yield finding(
            "characters-for-tokens", "data.max_length", "info",
            N_("The longest example has {tokens} tokens, the limit is {limit}: was it meant in characters?"),
            "document 001 L292-302 filters by len(text); one token has 3 to 6 characters of English",
            {"tokens": inputs.longest_tokens, "limit": limit},
            change={"data.max_length": wanted}, reason=N_("The longest example fits, and a mistake shows earlier."),
        )  # fmt: skip


def validation(case: Case) -> Iterator[Finding]:
    """Whether anything is held out, enough of it, and ever looked at."""
    share, examples = case.spec.data.validation_share, case.plan.inputs.examples
    own_split = case.spec.data.source == "demo"
    if share == 0 and not own_split and not case.signs.get("holds_out"):
        yield finding(
            "no-validation", "data.validation_share", "warning",
            N_("No rows are held out: overfitting (error 5 of document 000) cannot be seen."),
            N_("document 002 L483; document 001 trained without evaluation"),
            change={"data.validation_share": USUAL_SHARE}, reason=N_("A tenth of the rows is measured, not learned."),
            reason_source="usual practice", error_number=5,
        )  # fmt: skip
    elif share > 0 and examples is not None and not own_split:
        held_out = round(examples * share / (1 - share)) if share < 1 else 0
        better = round(min(0.2, SMALL_VALIDATION / (examples + held_out)), 3)
        if held_out < SMALL_VALIDATION and better > share:
            yield finding(
                "small-validation", "data.validation_share", "info",
                N_("About {rows} held-out rows make a noisy measure; 100 or more are better."), "rule of thumb",
                {"rows": held_out}, change={"data.validation_share": better},
                reason=N_("Nearer to 100 rows, but never more than a fifth."),
            )  # fmt: skip
    if case.signs.get("evaluates") is False and case.signs.get("holds_out"):
        yield finding(
            "never-evaluated", "evaluation.every_steps", "warning",
            N_("Rows are held out, but the setup never evaluates on them."), "document 002 L479-484 has the same gap",
        )  # fmt: skip


def overfitting(case: Case) -> Iterator[Finding]:
    """Many epochs without a measure (error 5)."""
    epochs, share = case.plan.epochs, case.spec.data.validation_share
    if epochs is None or epochs <= USUAL_EPOCHS or share > 0 or case.spec.data.source == "demo":
        return
    if case.signs.get("holds_out"):
        return
    yield finding(
        "epochs-unwatched", "data.validation_share", "error",
        N_("Every example is seen {epochs:.1f} times and nothing is held out: learning by heart looks like success."),
        "document 000 L550-560; document 002 L670-698", {"epochs": epochs},
        change={"data.validation_share": USUAL_SHARE}, reason=N_("Then the held-out loss shows when to stop."),
        error_number=5,
    )  # fmt: skip


RULES = (rate_of_the_other_method, warmup, adapter, labels, template, lengths, validation, overfitting)
