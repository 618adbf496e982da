"""What is wrong with the rows of a task, as errors that say the way out; asked before the queue and by the worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.data.features.item import Row
from lab.data.rendered import QUESTION_TOO_LONG, TOO_LONG
from lab.errors import InputError
from lab.json_io import read_json
from lab.runs.directory import RunDirectory
from lab.runs.home import is_id
from lab.runs.publishable import TASK_FILE
from lab.spec import RunSpec
from lab.text import N_


def check_form(rows: Sequence[Row], method: str) -> None:
    """Raise InputError for rows that hold no pairs, or for kto when all answers are called the same."""
    if method != "kto":
        if any("chosen" not in row for row in rows):
            raise InputError(
                N_("The rows hold single answers called good or bad, and {method} learns from pairs."),
                where="preference.method",
                allowed=N_("Allowed with these rows: kto."),
                next=N_("Set preference.method=kto."),
                method=method,
            )
        return
    told = {row.get("desired", "pair") for row in rows}
    if told <= {True} or told <= {False}:
        raise InputError(
            N_("All training answers are called {label}, so there is nothing to prefer."),
            where="data.source",
            allowed=N_("Answers of both kinds, or pairs."),
            next=N_("Add answers of the other kind, or check which column holds the label."),
            label="good" if told == {True} else "bad",
        )


def nothing_left(name: str, dropped: Mapping[str, int]) -> InputError:
    """The error for training rows of which none could become an example."""
    too_long = TOO_LONG in dropped or QUESTION_TOO_LONG in dropped
    return InputError(
        N_("No row of {name} is left to train on ({reasons})."),
        where="data.max_length" if too_long else "data.source",
        allowed=N_("At least one row that fits and has an answer."),
        next=N_("Raise data.max_length, or set data.too_long to cut.")
        if too_long
        else N_("Check which column plays which role, and that the answers are not empty."),
        name=name,
        reasons=", ".join(f"{reason}: {count}" for reason, count in dropped.items()) or "-",
    )


def unknown_classes(spec: RunSpec, labels: Sequence[str]) -> list[InputError]:
    """Weights for classes that the rows do not have."""
    asked = spec.regularisation
    names = [name for name in asked.class_values if name not in labels]
    if asked.class_weights != "given" or not names:
        return []
    return [
        InputError(
            N_("The data have no class called {names}."),
            where="regularisation.class_values",
            allowed=N_("They have {labels}."),
            next=N_("Write the classes as the data have them."),
            names=", ".join(names),
            labels=", ".join(labels),
        )
    ]


def other_labels(spec: RunSpec, labels: Sequence[str]) -> list[InputError]:
    """Labels that an adapter to go on with was not trained on: its head has no place for them."""
    named = spec.method.adapter
    told = read_json(RunDirectory.of(named).final_path / TASK_FILE) if is_id(named) else None
    known = list((told or {}).get("labels") or ())
    new = [label for label in labels if label not in known]
    if not known or not new:
        return []
    return [
        InputError(
            N_("The adapter {name} was not trained on the labels {labels}."),
            where="method.adapter",
            allowed=N_("It knows {known}."),
            next=N_("Take the rows with these labels out, or begin a new adapter."),
            name=named,
            labels=", ".join(new[:10]),
            known=", ".join(known[:20]),
        )
    ]


def no_places() -> InputError:
    """The error for a tokenizer that cannot say where in the text its tokens are."""
    return InputError(
        N_("The tokenizer does not tell where in the text its tokens are, which this task needs."),
        where="model.source",
        allowed=N_("A model with a tokenizer.json."),
        next=N_("Choose a model with a tokenizer.json."),
    )
