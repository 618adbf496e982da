"""What there is to say about lengths: beyond the model's positions, filled into packs, read in windows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lab.planning.lengths import room_of
from lab.planning.registry import formula_named
from lab.planning.verdict import Status, Verdict
from lab.spec import RunSpec
from lab.text import N_

if TYPE_CHECKING:
    from lab.planning.plan import Plan


def length(plan: Plan, spec: RunSpec) -> Iterator[Verdict]:
    """What becomes of a maximum length beyond the model's positions: cut where nobody chose it, else refused."""
    asked, room = plan.inputs.asked_length, room_of(spec, plan.inputs.facts)
    if room is None or asked <= room:
        return
    status: Status = "error"
    sentence = N_("{length} tokens are more than the {positions} positions of the model; the run is refused.")
    if spec.data.max_length <= room:
        status = "warning"
        sentence = N_(
            "{length} tokens are more than the {positions} positions of the model: the run cuts the maximum length to "
            "{positions} and starts; this plan counts on that."
        )
    values = {"length": asked, "positions": room}
    yield Verdict("data.max_length", status, sentence, "config.json of the model", values)


def packs(plan: Plan, spec: RunSpec) -> Iterator[Verdict]:
    """How many packs the examples fill."""
    given = plan.inputs
    if given.packs is None or given.examples is None:
        return
    values = {"examples": given.examples, "packs": given.packs, "length": spec.data.max_length}
    source = str(given.assumptions.get("packs", {}).get("source") or N_("the lengths of the prepared data set"))
    sentence = N_("{examples} examples go into {packs} packs of {length} tokens; a batch counts packs.")
    if "packs" in given.assumptions:
        sentence = N_("{examples} examples go into about {packs} packs of {length} tokens; a batch counts packs.")
    yield Verdict("data.packing", "info", sentence, source, values)


def windows(plan: Plan, spec: RunSpec) -> Iterator[Verdict]:
    """How many windows the passages are read in, or that there are more of them than rows."""
    given = plan.inputs
    asked = spec.tasks.kinds.values() if spec.task == "multi-task" else [spec.task]
    if "extractive-qa" not in asked:
        return
    values = {"length": spec.data.max_length, "overlap": spec.tasks.stride}
    source = formula_named("windows_of_row").source
    if given.windows is None:
        sentence = N_(
            "A passage longer than {length} tokens is read in windows, each an example, so the run has more steps "
            "than are planned here: 1 + (tokens - {length}) / ({length} - question - {overlap}) windows for a row, "
            "rounded up."
        )
        yield Verdict("tasks.stride", "info", sentence, source, values)
    elif given.rows is not None and given.windows != given.rows:
        sentence = N_(
            "{rows} rows are read in about {windows} windows of at most {length} tokens, which share {overlap}; a "
            "batch counts windows."
        )
        values |= {"rows": given.rows, "windows": given.windows}
        yield Verdict("tasks.stride", "info", sentence, source, values)
