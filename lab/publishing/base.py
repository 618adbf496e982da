"""What an adapter is loaded onto, told so that it holds on any machine: never a path of this one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.errors import InputError
from lab.models.location import locate
from lab.publishing.names import is_hub_id
from lab.text import N_

DEMO_REFERENCE = "presets/demo/model"  # where the demo lies in a copy of the lab, relative to its folder


@dataclass(frozen=True)
class Base:
    """The base model of a run.

    `kind` is hub, demo or folder, `name` is for people. `reference` becomes `base_model_name_or_path`: a Hub
    id, the demo's folder in the lab, or None for a folder that only this machine has.
    """

    kind: str
    name: str
    reference: str | None
    revision: str = ""


def base_of(source: str, revision: str = "", *, asked: str = "") -> Base:
    """The base model behind `model.source`; `asked` is the Hub id that a person names instead.

    Raises InputError when `asked` is no Hub id.
    """
    if asked:
        if not is_hub_id(asked):
            raise InputError(
                N_("{base} is not the id of a model on the Hub."),
                where="base_model",
                allowed=N_("Allowed: owner/name."),
                base=asked[:200],
            )
        return Base("hub", asked, asked, revision if asked == source else "")
    if Path(source).expanduser().is_absolute():  # also when the folder has gone since
        return Base("folder", Path(source).name, None)
    location = locate(source)
    if location.kind == "hub":
        return Base("hub", location.hub_id, location.hub_id, revision)
    if location.kind == "demo":
        return Base("demo", "the demo model of the Fine-Tuning Lab", DEMO_REFERENCE)
    return Base("folder", Path(source).name, None)
