"""Where the five documents contradict each other or the literature: both sides, and what the lab shows.

Nothing is chosen in silence. Lines are those of documents 000 to 004.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lab.catalogue.doctor_parts import Case, Disagreement, Said
from lab.planning.rates import rate_ratio
from lab.text import N_

_LR = "schedule.learning_rate"


def disagreements(case: Case) -> list[Disagreement]:
    """The disagreements that concern the settings of this case."""
    return [entry for rule in _RULES for entry in rule(case)]


def _one(field: str, topic: str, *sides: Said, shown: Said) -> Disagreement:
    return Disagreement(field, topic, list(sides), shown)


def _rate(case: Case) -> Iterator[Disagreement]:
    usual = case.plan.learning_rate_range
    if usual is None or case.spec.task == "preference":  # the documents speak of first fine-tunings
        return
    here = Said(N_("The lab shows {low:.0e} to {high:.0e} for this method and size, and starts from {default:.0e}."),
                usual.source, {"low": usual.low, "high": usual.high, "default": usual.default})  # fmt: skip
    if case.adapter:
        yield _one(
            _LR, N_("Learning rate of LoRA"),
            Said(N_("1e-4 is too high and ruins the model (error 1)."), "document 000 L514-521"),
            Said(N_("1e-4 is the rate for LoRA."), "document 000 L267, L422"),
            Said(N_("3e-4; above 5e-4 unstable, below 1e-4 slow."), "document 001 L387-390, L412-414"),
            Said(N_("2e-4 up to 13B, 1e-4 from 33B; about ten times the rate of a full fine-tune."),
                 "QLoRA, arXiv:2305.14314; thinkingmachines.ai/blog/lora"),
            shown=here,
        )  # fmt: skip
    elif case.facts.family == "bert":
        yield _one(
            _LR, N_("Learning rate of an encoder"),
            Said(N_("5e-5 in one exercise, 2e-5 in another; half or a tenth of the pre-training rate."),
                 "document 002 L283, L937-939, L1085, L1367"),
            Said(N_("5e-5, 3e-5 or 2e-5, to be tried."), "BERT, arXiv:1810.04805"),
            shown=here,
        )  # fmt: skip
    else:
        yield _one(
            _LR, N_("Learning rate of a full fine-tune"),
            Said(N_("Below 500M parameters 5e-6 to 2e-5, from 13B 5e-7 to 2e-6; smaller is better."),
                 "document 000 L305-310, L464"),
            Said(N_("1e-5 to 5e-5."), "document 002 L534-535; document 004 L110"),
            Said(N_("135M and 360M: 1e-3; 1.7B: 3e-4; 7B: 2e-5; 8B: 5e-6; 70B: 2e-6. Too low learns too little."),
                 "SmolLM2, Alpaca, Zephyr, Tulu 3"),
            shown=here,
        )  # fmt: skip


def _ratio(case: Case) -> Iterator[Disagreement]:
    pretraining = case.facts.pretraining_learning_rate
    if pretraining is None:
        return
    here = rate_ratio(pretraining, case.plan.learning_rate)
    yield _one(
        _LR, N_("Ratio to the rate of the pre-training"),
        Said(N_("10 to 60 times lower, best 30 to 60."), "document 000 L303, L468, L648-649"),
        Said(N_("5 to 10 times lower."), "document 000 L32"),
        Said(N_("2 times lower in the question, 10 times in the summary."), "document 002 L937-939, L1367"),
        Said(N_("2 to 75 times lower in published runs: 15 for Alpaca, Vicuna and Llama 2, 60 for Tulu 3 8B."),
             N_("published runs of the catalogue")),
        shown=Said(N_("Here it is {ratio:.3g} times lower. The number is shown and not judged: it is no rule."), "",
                   {"ratio": here}),
    )  # fmt: skip


def _warmup(case: Case) -> Iterator[Disagreement]:
    yield _one(
        "schedule.warmup", N_("Warmup"),
        Said(N_("No warmup is an error; 1,000 of 25,000 steps is \"a bit long\" and \"perfect\"."),
             "document 000 L172, L346, L507, L523-530"),
        Said(N_("10 % of the steps."), "document 002 L284, L547, L608"),
        Said(N_("3 % (Alpaca, Vicuna, QLoRA), 10 % (BERT, Zephyr, SmolLM2), none (default of H2O LLM Studio)."),
             N_("published runs of the catalogue")),
        shown=Said(N_("The lab shows 0 to 10 % and starts from 3 %.")),
    )  # fmt: skip


def _batch(case: Case) -> Iterator[Disagreement]:
    yield _one(
        "schedule.accumulation", N_("Effective batch"),
        Said(N_("16 is far too small, 192 is perfect (error 3); below 1B parameters the table says 64 to 128."),
             "document 000 L326-333, L482, L532-539"),
        Said(N_("16 to 32 for LoRA."), "document 000, Setup 4"),
        Said(N_("128 for Alpaca, Vicuna, Tulu 3; 64 for Llama 2; 16 for QLoRA at every size; 16 or 32 for BERT."),
             N_("published runs of the catalogue")),
        shown=Said(N_("The lab shows 8 to 32 for LoRA, 16 to 32 for encoders, 32 to 128 for full fine-tuning.")),
    )  # fmt: skip


def _clipping(case: Case) -> Iterator[Disagreement]:
    yield _one(
        "schedule.max_grad_norm", N_("Gradient clipping"),
        Said(N_("1.0; none is an error (error 4)."), "document 000 L22, L541-548"),
        Said(N_("0.3."), "document 001 L582"),
        Said(N_("1.0 (TRL), 0.3 (QLoRA), 0.2 (SmolLM3), none (default of H2O LLM Studio)."),
             N_("published runs of the catalogue")),
        shown=Said(N_("The lab shows 0.2 to 1.0 and starts from 1.0.")),
    )  # fmt: skip


def _epochs(case: Case) -> Iterator[Disagreement]:
    yield _one(
        "schedule.epochs", N_("Length of the run"),
        Said(N_("10,000 to 25,000 steps for 100,000 rows, which is 13 to 48 epochs at batches of 128 to 192; "
                "25,000 steps are called 220 epochs and are 42.1."), "document 000 L488-495, L641"),
        Said(N_("10 to 20 epochs below 1,000 rows, 3 to 5 below 10,000, 2 to 3 below 100,000, then 1 to 2."),
             "document 002 L567-572"),
        Said(N_("Alpaca 3 epochs on 52,000 rows, Dolly 2 on 15,000, Tulu 3 2 on 900,000, LIMA 15 on 1,000."),
             N_("published runs of the catalogue")),
        shown=Said(N_("The lab always shows the epochs that the steps imply; above 5 amber, above 10 red.")),
    )  # fmt: skip


def _overfitting(case: Case) -> Iterator[Disagreement]:
    yield _one(
        "data.validation_share", N_("What is held out"),
        Said(N_("Stop when the held-out loss rises; more weight decay, data, dropout (error 5)."),
             "document 000 L550-560; document 002 L670-698"),
        Said(N_("Falling training loss is taken as proof; nothing was held out."), "document 001 L686-696"),
        Said(N_("Shares of 72/8/20, 70/15/15, 80/20 and 95/5; one exercise selects on the test set."),
             "document 000; document 002 L1117-1119, L1376-1380; document 001"),
        shown=Said(N_("The lab measures the loss of held-out rows before, during and after; no test is tuned on.")),
    )  # fmt: skip


def _scheduler(case: Case) -> Iterator[Disagreement]:
    yield _one(
        "schedule.scheduler", N_("Scheduler"),
        Said(N_("Cosine is better than linear; its figure shows a constant rate."), "document 001 L392-394, L415-416"),
        Said(N_("Linear."), "document 002 L546-547"),
        Said(N_("Cosine (Alpaca, Vicuna), constant \"a bit better than cosine\" (QLoRA), linear (Tulu 3)."),
             N_("published runs of the catalogue")),
        shown=Said(N_("The lab starts from cosine; the difference is small.")),
    )  # fmt: skip


def _decay(case: Case) -> Iterator[Disagreement]:
    yield _one(
        "schedule.weight_decay", N_("Weight decay"),
        Said(N_("0.1 for Llama 2; 0 \"preserves the model\"."), "document 000 L23, L79, L89"),
        Said(N_("0.001; 0.01 to 0.1."), "document 001 L398-400; document 002 L590-601"),
        Said(N_("0 (Alpaca, Vicuna, QLoRA), 0.01 (BERT), 0.1 (Llama 2); little effect in a short run."),
             N_("published runs of the catalogue")),
        shown=Said(N_("The lab shows 0 to 0.1 and starts from 0.")),
    )  # fmt: skip


def _targets(case: Case) -> Iterator[Disagreement]:
    if not case.adapter:
        return
    yield _one(
        "method.target_modules", N_("Layers with an adapter"),
        Said(N_("The attention layers, or c_attn and c_fc of GPT-2."), "document 001 L452-455"),
        Said(N_("All linear layers; attention only learns less with as many parameters."),
             "thinkingmachines.ai/blog/lora; QLoRA, arXiv:2305.14314"),
        shown=Said(N_("The lab starts from all linear layers.")),
    )  # fmt: skip
    yield _one(
        "method.name", N_("LoRA against full fine-tuning"),
        Said(N_("LoRA is slightly worse, and limited for a radical change."), "document 000 L437-438"),
        Said(N_("Equal on small and medium data sets; worse on code, mathematics and continued pre-training."),
             "thinkingmachines.ai/blog/lora; arXiv:2405.09673"),
        shown=Said(N_("The lab takes LoRA by default and computes the trained share from the layers.")),
    )  # fmt: skip


_RULES: tuple[Callable[[Case], Iterator[Disagreement]], ...] = (
    _rate, _ratio, _batch, _warmup, _epochs, _overfitting, _clipping, _decay, _scheduler, _targets,
)  # fmt: skip
