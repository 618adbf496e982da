"""Where a model is: a folder on this machine, a repository on the Hub, or the embedded demo."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lab.errors import InputError
from lab.models.presets import find_preset
from lab.presets import presets_dir
from lab.text import N_

DEMO = "demo"

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?"
_HUB_ID = re.compile(rf"{_NAME}(?:/{_NAME})?")


@dataclass(frozen=True)
class Location:
    """A model source, resolved: `path` for a folder or the demo, `hub_id` for the Hub, `preset` its id."""

    kind: Literal["folder", "hub", "demo"]
    path: Path | None = None
    hub_id: str = ""
    preset: str = ""

    @property
    def load_from(self) -> str:
        """What `from_pretrained` takes: the folder or the Hub id."""
        return self.hub_id if self.path is None else str(self.path)


def demo_folder() -> Path:
    """The folder of the embedded model."""
    return presets_dir() / "demo" / "model"


def locate(source: str | Path) -> Location:
    """Resolve a folder, Hub id, preset id or `demo`.

    A folder that exists wins over a Hub id of the same spelling. Nothing is opened or downloaded. Raises
    InputError for a folder that does not exist and for text that cannot be a Hub id.
    """
    text = os.fspath(source).strip()
    if text == DEMO:
        return Location("demo", demo_folder(), preset=DEMO)
    if text and "\0" not in text and len(text) < 4096:
        folder = Path(text).expanduser()
        if _is_folder(folder):
            return Location("folder", folder.resolve())
        if _looks_like_a_path(text):
            raise _no_folder(folder)
    preset = find_preset(text)
    if preset is not None:
        return Location("hub", hub_id=preset.hub, preset=preset.id)
    if not _HUB_ID.fullmatch(text) or ".." in text or "--" in text:
        raise InputError(
            N_("{source} is neither a folder with a model nor a Hub id."),
            where="model.source",
            next=N_("Write a folder, a Hub id such as HuggingFaceTB/SmolLM2-135M, or `demo`."),
            source=text[:120] or '""',
        )
    return Location("hub", hub_id=text)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long for the file system
        return False


def _looks_like_a_path(text: str) -> bool:
    return text.startswith(("/", ".", "~", "\\")) or text.count("/") > 1 or "\\" in text or Path(text).is_file()


def _no_folder(folder: Path) -> InputError:
    if folder.is_file():
        return InputError(
            N_("{path} is a file; a model is a folder with config.json and safetensors weights."),
            where="model.source",
            next=N_("Give the folder that the file lies in."),
            path=folder,
        )
    return InputError(
        N_("There is no folder {path}."),
        where="model.source",
        next=N_("Check the spelling, or write a Hub id such as HuggingFaceTB/SmolLM2-135M."),
        path=folder,
    )
