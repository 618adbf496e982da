"""The demo's model card and data card, written from the measured figures so that the two cannot disagree."""

# ruff: noqa: E501 - a row of a Markdown table cannot be broken

from pathlib import Path
from typing import Any

MODEL_CARD = """---
license: other
license_name: psf-2.0
license_link: ../LICENSE-PSF.txt
language: en
library_name: transformers
pipeline_tag: text-generation
tags: [llama, tiny, demonstration]
---
# The Fine-Tuning Lab's demo model

A Llama of 5.8 million parameters that has read short manual pages of Python's standard library, and nothing else.
It exists to be fine-tuned in half a minute on two CPU cores, so that a person can see what fine-tuning does.
**Pre-training gave it the knowledge; fine-tuning teaches it the form.** It has read about every module, but never
a question. The demo tunes it on questions about five modules in six and then asks about the sixth, whose pages it
has read but about which nobody ever asked.

It is no assistant: it knows its pages by heart and nothing besides, and asked about anything else it makes something
up in the same form and with the same confidence.

## What tuning changes

The first {asked} held-out questions in file order, greedy decoding, at most 60 new tokens.

| | base | tuned |
|---|---|---|
{table}

- Taught form: one sentence of 8 to 200 characters on one line, starting with a letter or a digit, then the end token.
- Right: ROUGE-L F1 of at least 0.5 (with stemming) with the documentation's own sentence. This counts words in
  common, not truth: "Return the first item" and "Return the last item" pass for each other.
- Tuning: LoRA of rank {rank} (alpha {alpha}) on all linear layers, {steps} steps of {rows} questions, learning rate
  {lr} falling to 0, loss on the answer and its end only; {tuning_seconds} s. Asking took {base_seconds} s before
  and {tuned_seconds} s after, on two CPU cores that other programs were using too.
- The way of pre-training and the settings of the tuning were chosen while looking at the right answers to these
  {asked} questions. On the {others_asked} other held-out questions, which no choice looked at, the tuned model is right
  {others_right} of the time and in the taught form {others_form} of the time (loss {others_loss}).

## Three answers, not chosen

The rule: the first three held-out questions of `questions.jsonl`, in file order.

{samples}

## How much of that is chance or guessing

{control}

## Training

| | |
|---|---|
| Text | {entries:,} manual entries, one documented name each, in {styles} styles of page ([data card](../DATA_CARD.md)) |
| Read | {tokens:,} tokens, {readings} times each entry, {minutes} minutes on two shared CPU cores ({threads} threads) |
| Steps | {train_steps:,} of {batch_rows} rows of {row_tokens} tokens; final loss {final_loss} nats |
| Optimizer | Muon for the hidden matrices, AdamW for the rest, peak learning rate {peak_lr}, linear to 0; bfloat16 weights with float32 masters |
| Architecture | Llama: 6 layers, width 256, 4 heads, tied embeddings, byte-level BPE vocabulary of 4,096, context 512 |
| Seed | {seed} |

There is no chat template. The prompt is `### Question: What does os.path.join do?`, a line break, `### Answer: `.
What leads to a sentence on a page (a name, a heading) weighed a tenth in the loss, so the base model writes
pages in the right style with invented names.

## Limits

- It knows the first sentence of {entries:,} docstrings of Python {python}, English only, and not reliably.
- It has read each entry {readings} times and learned it by heart; its loss on that text says nothing about other text.
- The figures are for one model and one tuning seed. Where nearly every answer is right there is no room above: to
  tell two ways of tuning apart, compare their losses or give both fewer steps.

## Rebuild

    python -m lab.training.pretrain_demo --minutes {minutes_asked} --out presets/demo && python -m lab.training.demo_evaluate

On a CPU; `--minutes 5` gives a weaker model of the same kind. This one was built with `--compile`, a tenth faster
where there is a C++ compiler. The schedule follows the clock, so a faster or busier
machine gives slightly different weights. The questions depend on the Python version (SHA-256 of the entries:
`{sha256}`).

## Licence

The text is Python's documentation, Copyright (c) 2001-2023 Python Software Foundation, under the PSF License
Version 2: see [LICENSE-PSF.txt](../LICENSE-PSF.txt). The weights are offered under the same terms.
"""

DATA_CARD = """# The demo's questions

`questions.jsonl`: {rows:,} questions about Python's standard library, one JSON object a line.

| field | what it holds |
|---|---|
| `question` | "What does os.path.join do?" for functions and methods, "What is ... for?" for classes and modules |
| `answer` | the first sentence of its documentation, 20 to 120 characters |
| `module` | the top-level module it belongs to |
| `split` | `train` ({train:,} questions) or `held_out` ({held_out:,} questions) |

## Where it comes from

From the docstrings of Python {python}, by `lab/training/demo_corpus.py`; nothing is downloaded and nobody wrote
or checked the questions by hand. A module, class, function or method is taken when its first sentence is plain
English prose. A full stop was added where the author left it out. Where several names share a sentence, as inherited
methods do, only the shortest name is kept. Tests, demonstrations, deprecated trees, tables of code pages and the
platform twins of `os` are left out.

The model in `model/` has read all of these sentences as manual pages; see its [card](model/README.md).

## The split

By module, one in six drawn with seed {seed}, so that no module is in both. Held out: {modules}.

The split tests whether the *form* carries over to modules never asked about, not whether the model can answer about
text that it never read: it has read the pages of the held-out modules. Sentences are unique, but near-repetitions
across modules exist; the control in the model's card says how far they help.

## Fit for, unfit for

Fit for showing fine-tuning on a small machine and for testing tools. Unfit for judging a large model, which has seen
Python's documentation; for teaching Python; and for anything about people: it says nothing about them.

## Checks

SHA-256 of the entries: `{sha256}`. `tests/unit/test_demo_corpus.py` checks the split, the form and the fingerprint.

## Licence

Copyright (c) 2001-2023 Python Software Foundation, PSF License Version 2: see [LICENSE-PSF.txt](LICENSE-PSF.txt),
which also says what was changed.
"""

CONTROL = """A control says how much can be guessed from a name: pre-trained in the same way but **without the pages of the
held-out modules**, tuned the same way, asked the same questions. Its budget of pre-training was {budget}: {minutes} minutes and
{steps:,} steps, {readings} readings and a final loss of {final_loss}, against {full_minutes} minutes and {full_steps:,} steps, {full_readings} readings
and {full_loss}.

It answers in the taught form {format_rate} of the time, but is right only {answer_rate} of the time ({others_right} on the
{others_asked} other questions) and word for word {word_for_word_rate} of the time; its loss is {loss}. Those right answers are ones that
a name gives away, or that resemble a sentence of another module. The rest comes from the pages."""
NO_CONTROL = """Not measured: no model was trained without the held-out modules' pages, so it is not known how many
of the right answers can be guessed from the names alone."""


def _percent(rate: float) -> str:
    return f"{rate:.1%}"


def _table(base: dict[str, float], tuned: dict[str, float]) -> str:
    """The rows of the before-and-after table."""
    lines = [
        f"| loss on the held-out answers (nats a token) | {base['loss']} | {tuned['loss']} |",
        f"| perplexity | {base['perplexity']} | {tuned['perplexity']} |",
    ]
    names = {
        "stop_rate": "ends by itself",
        "format_rate": "in the taught form",
        "answer_rate": "right",
        "word_for_word_rate": "word for word",
    }
    lines += [f"| {name} | {_percent(base[key])} | {_percent(tuned[key])} |" for key, name in names.items()]
    return "\n".join(lines)


def _sample(row: dict[str, str]) -> str:
    """One question with the documentation's sentence and both answers."""
    base = " / ".join(row["base"].splitlines())
    return (
        f"**{row['question']}**\n\n"
        f"- the documentation: {row['answer']}\n- base (` / ` is a line break): `{base}`\n- tuned: {row['tuned']}"
    )


def _control(facts: dict[str, Any]) -> str:
    """What the control shows, its smaller budget stated; or that there was none."""
    control = facts.get("control")
    if control is None:
        return NO_CONTROL
    full = facts["pretraining"]
    values = {f"full_{k}": full[k] for k in ("minutes", "steps", "readings")}
    return CONTROL.format(
        **values,
        **{k: control[k] for k in ("minutes", "steps", "readings", "final_loss")},
        **{k: _percent(control["tuned"][k]) for k in ("format_rate", "answer_rate", "word_for_word_rate")},
        budget="smaller" if control["steps"] < full["steps"] else "not smaller",
        full_loss=full["final_loss"],
        loss=control["tuned"]["loss"],
        others_asked=control["others"]["asked"],
        others_right=_percent(control["others"]["tuned"]["answer_rate"]),
    )


def write_cards(demo: Path, facts: dict[str, Any]) -> None:
    """Write `model/README.md` and `DATA_CARD.md` from the contents of `facts.json`."""
    corpus, training, measured = facts["corpus"], facts["pretraining"], facts["evaluation"]
    settings, seconds = measured["settings"], measured["seconds"]
    model_card = MODEL_CARD.format(
        **{k: corpus[k] for k in ("entries", "python", "sha256")},
        **{k: training[k] for k in ("tokens", "readings", "minutes", "threads", "final_loss", "peak_lr", "seed")},
        **{k: settings[k] for k in ("rank", "alpha", "steps", "lr")},
        **{f"{k}_seconds": v for k, v in seconds.items()},
        asked=measured["asked"],
        rows=settings["rows_per_step"],
        styles=training["styles"],
        train_steps=training["steps"],
        batch_rows=training["batch"][0],
        row_tokens=training["batch"][1],
        minutes_asked=round(training["minutes"]),
        table=_table(measured["base"], measured["tuned"]),
        samples="\n\n".join(_sample(row) for row in measured["samples"]),
        control=_control(facts),
        others_asked=measured["others"]["asked"],
        others_right=_percent(measured["others"]["tuned"]["answer_rate"]),
        others_form=_percent(measured["others"]["tuned"]["format_rate"]),
        others_loss=measured["others"]["tuned"]["loss"],
    )
    (demo / "model" / "README.md").write_text(model_card)
    questions = {"train": corpus["train_questions"], "held_out": corpus["held_out_questions"]}
    modules = ", ".join(f"`{m}`" for m in corpus["held_out_modules"])
    data_card = DATA_CARD.format(**{**corpus, **questions, "rows": corpus["entries"], "modules": modules})
    (demo / "DATA_CARD.md").write_text(data_card)
