"""What the order of the steps means: told, not forbidden."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lab.text import N_

_CHANGING = ("repair-text", "strip-html", "personal-data")
_COMPARES = N_("{step} compares the rows as {later} has not yet changed them; rows that become equal then stay.")
_EMPTIES = N_("{step} comes before {later}, which may leave rows without text.")
_READS = N_("{step} reads the rows as {later} has not yet changed them.")
_NO_WORK = N_("{step} finds nothing after {earlier}, which drops equal rows too.")
_TWICE = N_("{step} is named twice.")
_AFTER: dict[str, tuple[str, tuple[str, ...]]] = {
    "near-duplicates": (_COMPARES, _CHANGING),
    "exact-duplicates": (_COMPARES, _CHANGING),
    "missing": (_EMPTIES, ("repair-text", "strip-html")),
    "language": (_READS, ("repair-text", "strip-html")),
    "characters": (_READS, ("repair-text", "strip-html")),
    "personal-data": (_READS, ("repair-text", "strip-html")),
}


def order_notes(steps: Sequence[str], place: int, *, masks: bool) -> Iterable[tuple[str, dict[str, str]]]:
    """(template, values) for the step at `place`: what comes later and should come earlier, or the other way.

    `masks` says whether the step personal-data changes rows.
    """
    step = steps[place]
    template, changing = _AFTER.get(step, ("", ()))
    for later in changing:
        if later in steps[place + 1 :] and (later != "personal-data" or masks):
            yield template, {"step": step, "later": later}
    if step == "exact-duplicates" and "near-duplicates" in steps[:place]:
        yield _NO_WORK, {"step": step, "earlier": "near-duplicates"}
    if step in steps[:place]:
        yield _TWICE, {"step": step}
