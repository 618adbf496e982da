"""What happens in a run now: its phases, the time left, and the numbers that matter."""

from __future__ import annotations

import html
import time

from lab.review.labelled import NAMES
from lab.runs.view import RunView, read_run, series
from lab.ui import charts, words
from lab.ui.format import duration, gib, learning_rate, loss, number, share
from lab.ui.labelled_view import score_name
from lab.ui.language import _, ngettext
from lab.ui.run_list import title_of

SMOOTHING = {"none": 0.0, "light": 0.6, "strong": 0.9}


def phase_line(view: RunView) -> str:
    """The phases of a training as one line of our own HTML: done, on, and to come."""
    known = {phase.name: phase for phase in view.phases}
    order = words.TRAIN_PHASES
    now = order.index(view.phase) if view.phase in order else len(order)
    trained = "train" in known and known["train"].status == "done"
    parts = []
    for place, name in enumerate(order):
        label = html.escape(words.phase(name))
        phase = known.get(name)
        # Where later evaluations are held against the base model, it is asked first: more of that phase is to come.
        if phase is None or (place > now and not trained):
            parts.append(f'<span class="todo">{label}</span>')
        elif name == view.phase:
            parts.append(f'<span class="now">● {label}</span>')
        elif phase.status == "stopped":
            parts.append(f'<span class="todo">■ {label}</span>')
        else:
            parts.append(f'<span class="done">✓ {label} {html.escape(duration(phase.seconds))}</span>')
    return f'<div class="lab-flow">{" <span class=todo>→</span> ".join(parts)}</div>'


def time_line(view: RunView) -> str:
    """How much longer it takes and when it is done; of an ended run its state and how long it took."""
    if view.ended:
        total = (view.result or {}).get("seconds", {}).get("total")
        text = f"{words.STATE_ICONS[view.state]} **{words.state(view.state)}**"
        return text + (f" :gray[· {duration(total)}]" if total else "")
    eta = view.progress.get("eta_s")
    if eta is None:
        return f"**{words.state(view.state)}**"
    finish = time.strftime("%H:%M", time.localtime(time.time() + eta))
    return f"**{_('{time} left', time=duration(eta))}** :gray[· {_('done at {time}', time=finish)}]"


def waiting(view: RunView) -> str:
    """What a run waits for, and how many others wait before it; names are a person's, so this is never Markdown."""
    holder, before = view.waits_for, view.queue_place
    text = _("waits for {run}", run=title_of(read_run(holder.id))) if holder else _("waits for the device")
    if before:
        text += " · " + ngettext("{count} run before it", "{count} runs before it", before)
    return text


def done(view: RunView) -> float:
    """How much of the run is done, from 0 to 1."""
    return 1.0 if view.state == "succeeded" else min(1.0, float(view.progress.get("done") or 0.0))


def numbers(view: RunView) -> list[tuple[str, str, str]]:
    """The six numbers that matter, each with what to compare it with."""
    progress, latest, plan, result = view.progress, view.latest, view.plan, view.result or {}
    step, steps = progress.get("step"), view.goal
    raw = series(view, "train_loss", 600)
    smoothed = [value for _step, value in charts.smooth(raw, SMOOTHING["light"]) if value is not None]
    best = min(((value, at) for at, value in view.series.get("eval_loss", []) if value is not None), default=None)
    scores = [(score_name(name), share(latest[name])) for name in score_names(view)][:1]
    memory = result.get("peak_memory_gib") or latest.get("memory_gib")
    planned = (plan.get("memory") or {}).get("total_gib")
    rate = learning_rate(latest["learning_rate"]) if "learning_rate" in latest else _unmeasured(view)
    return [
        (
            _("Step"),
            _("{step} of {steps}", step=number(step or 0), steps=number(steps)),
            _epoch(view),
        ),
        (
            _("Training loss"),
            loss(smoothed[-1]) if smoothed else _unmeasured(view),
            _("smoothed") if smoothed else "",
        ),
        (
            _("Validation loss"),
            loss(latest["eval_loss"]) if "eval_loss" in latest else _unmeasured(view),
            _("best {loss} at step {step}", loss=loss(best[0]), step=number(best[1])) if best else "",
        ),
        *((label, value, "") for label, value in scores),
        (_("Speed"), _speed_text(progress.get("tokens_per_s")) or _unmeasured(view), _planned_speed(view)),
        (
            _("Peak memory"),
            gib(memory) if memory else _unmeasured(view),
            _("plan {size}", size=gib(planned)) if planned else "",
        ),
        # Beside a score it would stand in a row of its own; it is drawn as a curve below.
        *([] if scores else [(_("Learning rate"), rate, _peak_rate(view))]),
    ]


def score_names(view: RunView) -> list[str]:
    """The scores of a run with labels among its metrics, in the order in which they were told."""
    return [name for name in view.latest if name.rpartition(".")[2] in NAMES]


def _epoch(view: RunView) -> str:
    """The epoch, of how many: as the run counts them, where a long passage is several windows, not as the plan does."""
    epoch, step = view.progress.get("epoch"), view.progress.get("step")
    if epoch is None or not view.plan.get("epochs"):
        return ""
    if view.directory.request.get("until_step") or not step or not view.goal:  # a short run never sees the last epoch
        return _("epoch {epoch}", epoch=number(epoch, 2))
    epochs = epoch * view.goal / step
    return _("epoch {epoch} of {epochs}", epoch=number(epoch, 2), epochs=number(epochs, 1 if epochs >= 1 else 2))


def _speed_text(tokens_per_s: float | None) -> str:
    return _("{count} tok/s", count=number(tokens_per_s)) if tokens_per_s else ""


def _unmeasured(view: RunView) -> str:
    """What stands in the place of a number that is still to come, or never came."""
    return _("not measured") if view.ended else _("not yet")


def _planned_speed(view: RunView) -> str:
    planned = view.plan.get("tokens_per_s")
    return _("plan {count}", count=number(planned)) if planned else ""


def _peak_rate(view: RunView) -> str:
    spec = view.spec
    if spec is None:
        return ""
    return _(
        "{scheduler}, peak {rate}", scheduler=spec.schedule.scheduler, rate=learning_rate(spec.schedule.learning_rate)
    )
