"""result.json of a training run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lab.runs.base import kept_base
from lab.runs.events import plain
from lab.runs.marks import start_of
from lab.training import libraries
from lab.training.machine import peak_memory_gib

if TYPE_CHECKING:
    from lab.training.session import Session

# What the report of the data tells to who asks or publishes the tuned model later.
DATA = ("labels", "tasks", "kind", "template", "dataset", "name", "version", "fingerprint", "rows", "dropped", "tokens")
LAST_STEPS = 10  # over which the final training loss is averaged


def result(session: Session, ended: str) -> dict[str, Any]:
    """How a run ended; `ended` is finished, short or stopped. Sizes in GiB, times in seconds."""
    report = {
        "ended": ended,
        "step": session.step,
        "final": _final(session),
        "throughput": session.pace.throughput(),
        "peak_memory_gib": peak_memory_gib(session.machine.device),
        "seconds": session.watch.as_dict(),
        "start": _start(session),
        "trainable": session.trainable,
        "versions": libraries.versions(),
        "precision": session.machine.precision,
        "device": session.machine.name,
        "threads": session.machine.threads,
        "adapter": not session.spec.method.whole,
        "base": {"source": session.spec.model.source, "revision": session.spec.model.revision}
        | kept_base(session.directory),
    }
    if session.ready:
        report |= {"steps": session.course.steps, "examples": len(session.examples)}
        report["data"] = {name: session.data.get(name) for name in DATA}
        if session.plan.packs is not None:
            report["packing"] = _packing(session)
    if session.trained:
        report["attention"] = session.attention
        if session.choices:
            report["speed"] = session.choices.record()
        if session.best.keeps:
            report["best"] = session.best.as_dict()
    if ended == "short":
        report["prediction"] = prediction(session)
    return plain(report)


def _packing(session: Session) -> dict[str, Any]:
    """The packs of `length` tokens beside what the plan thought, and the share of their tokens that are real."""
    planned = session.directory.plan.get("packs")
    length, filled = session.spec.data.max_length, session.plan.filled
    return {"packs": session.plan.items, "planned": planned, "length": length, "filled": filled}


def _start(session: Session) -> dict[str, Any]:
    """How this attempt was started, and the seconds from its submission to the end of its first optimizer step."""
    told = start_of(session.directory.attempt_path(session.events.attempt))
    first = session.pace.first
    seconds = round(first - told["asked"], 3) if first and told else None
    return {"start": told.get("start"), "why": told.get("why"), "first_step_s": seconds}


def prediction(session: Session) -> dict[str, float | None]:
    """The full run's time and memory, from what the short one measured, beside what was planned."""
    course, pace, seconds = session.course, session.pace, session.watch.seconds
    once = sum(value for name, value in seconds.items() if name != "train")
    step_s = pace.throughput()["step_s"]
    evaluations = (course.steps - 1) // course.evaluate_every
    time_s = None
    if step_s is not None:
        time_s = once + course.steps * step_s + evaluations * (pace.aside_s or session.base_s)
    plan = session.directory.plan
    return {
        "full_time_s": time_s,
        "full_memory_gib": peak_memory_gib(session.machine.device),
        "plan_time_s": plan.get("time_s"),
        "plan_memory_gib": (plan.get("memory") or {}).get("total_gib"),
    }


def scores_of(figures: dict[str, Any]) -> dict[str, float]:
    """The scores of a model by name; those of several tasks carry the task's name before a dot."""
    if "tasks" in figures:
        return {f"{name}.{score}": value for name, part in figures["tasks"].items()
                for score, value in scores_of(part).items()}  # fmt: skip
    return {name: score["value"] for name, score in (figures.get("scores") or {}).items()}


def _final(session: Session) -> dict[str, Any]:
    losses = [entry["loss"] for entry in session.history if math.isfinite(entry.get("loss", math.nan))]
    last = losses[-LAST_STEPS:]
    tuned, base = session.tuned or {}, session.base or {}
    causal = session.spec.task == "causal-lm"
    scores: dict[str, Any] = {} if causal else {"scores": scores_of(tuned), "scores_before": scores_of(base)}
    if "margin" in tuned:
        scores |= {"margin": tuned["margin"], "margin_before": base.get("margin")}
    return scores | {
        "train_loss": sum(last) / len(last) if last else None,
        "eval_loss": tuned.get("loss"),
        "perplexity": tuned.get("perplexity"),
        "eval_loss_before": base.get("loss"),
    }
