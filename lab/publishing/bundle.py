"""The folder that is uploaded: a fresh one, with the files of a list and nothing of this machine in them."""

from __future__ import annotations

import fnmatch
import json
import os
import shutil
from pathlib import Path
from typing import Any

import yaml

from lab.errors import InputError
from lab.publishing.base import Base
from lab.publishing.secrets import keys_in, names_machine, places_in
from lab.spec import RunSpec
from lab.text import N_

ADAPTER = ("adapter_config.json", "adapter_model.safetensors")
MODEL = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "model-*-of-*.safetensors",
    "model.safetensors.index.json",
)
TOKENIZER = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "chat_template.jinja", "vocab.json", "vocab.txt", "merges.txt", "tokenizer.model",
)  # fmt: skip
TASK = ("task.json",)  # of a model that gives labels: its task and their names
OWN = ("README.md", "spec.yaml")

# Words by the ten thousand: one of them may happen to be the name of a machine.
VOCABULARIES = (
    "tokenizer.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "added_tokens.json",
    "tokenizer.model",
)
BLOCK = 2**22
OVERLAP = 1024  # longer than any key, so that none is missed between two blocks


def fill(source: Path, target: Path, base: Base) -> None:
    """Put what belongs to the adapter or model in folder `source` into the new folder `target`.

    Raises InputError when `source` holds neither weights of an adapter nor of a model.
    """
    target.mkdir(mode=0o700)
    weights = False
    for path in sorted(source.iterdir()):
        if not _allowed(path.name) or path.is_symlink() or not path.is_file():
            continue
        weights = weights or path.suffix == ".safetensors"
        if path.name in (
            "adapter_config.json",
            "config.json",
            "generation_config.json",
            "tokenizer_config.json",
        ):
            _write_json(target / path.name, _rewritten(path, base))
        else:
            _link(path, target / path.name)
    if not weights:
        raise InputError(
            N_("The run has no weights to publish."),
            where=str(source),
            next=N_("Publish a run that has finished."),
        )


def write_spec(target: Path, spec: RunSpec, base: Base) -> None:
    """Write the settings of the run; folders and files of this machine are named without their place."""
    tree = spec.model_dump(mode="json")
    if base.kind == "folder" or spec.model.source not in (base.reference, "demo"):
        tree["model"]["source"] = base.reference or base.name
    for part, name in (("data", "source"), ("method", "adapter"), ("regularisation", "ewc_data"),
                       ("preparation", "replay_source")):  # fmt: skip
        tree[part][name] = _nameless(tree[part][name])
    tree["tasks"]["sources"] = {name: _nameless(source) for name, source in spec.tasks.sources.items()}
    text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)
    (target / "spec.yaml").write_text("# The settings of the run, for the Fine-Tuning Lab.\n" + text, encoding="utf-8")


def _nameless(source: str) -> str:
    """The name of a file or folder of this machine without its place; anything else as it is."""
    return Path(source).name if os.sep in source and Path(source).expanduser().exists() else source


def inspect(folder: Path, token: str = "") -> None:
    """Search every byte of the bundle for keys, paths of this machine and its name.

    Raises InputError that names the file; it never repeats a key.
    """
    for path in sorted(folder.iterdir()):
        if not (_allowed(path.name) or path.name in OWN) or path.is_symlink() or not path.is_file():
            raise _refused(path, N_("{file} does not belong into what is published."))
        if path.suffix == ".safetensors":
            _inspect_weights(path, token)
        else:
            _inspect_text(path, token)


def replaced_patterns() -> list[str]:
    """The names that a publication of the lab may replace or remove in a repository; others stay."""
    return [*ADAPTER, *MODEL, *TOKENIZER, *TASK, *OWN]


def _allowed(name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in (*ADAPTER, *MODEL, *TOKENIZER, *TASK))


def _rewritten(path: Path, base: Base) -> dict[str, Any]:
    """A settings file without what only holds here."""
    settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for name in ("_name_or_path", "name_or_path"):
        settings.pop(name, None)
    if path.name == "adapter_config.json":
        settings["base_model_name_or_path"] = base.reference
        settings["revision"] = base.revision or None  # of the base, says PEFT
    return settings


def _inspect_text(path: Path, token: str) -> None:
    data = path.read_bytes()
    if keys_in(data, token):
        raise _refused(path, N_("{file} contains a token or a key."))
    place = places_in(data)
    if not place and path.suffix == ".json" and path.name not in VOCABULARIES:
        place = _absolute_path(json.loads(data))
    if place:
        raise _refused(path, N_("{file} contains the path {place} of this machine."), place=place)
    if path.name not in VOCABULARIES and names_machine(data.decode("utf-8", "replace")):
        raise _refused(path, N_("{file} contains the name of this machine."))


def _inspect_weights(path: Path, token: str) -> None:
    """Weights are searched for keys; their header, which is text, also for paths."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(min(length, 100 * 2**20))
        place = places_in(header)
        if place:
            raise _refused(path, N_("{file} contains the path {place} of this machine."), place=place)
        rest = header
        while True:
            if keys_in(rest, token):
                raise _refused(path, N_("{file} contains a token or a key."))
            block = file.read(BLOCK)
            if not block:
                return
            rest = rest[-OVERLAP:] + block


def _absolute_path(value: Any) -> str:
    """The first text in a settings file that is a path with at least two names in it, or an empty text."""
    if isinstance(value, dict):
        return next((found for item in value.values() if (found := _absolute_path(item))), "")
    if isinstance(value, list):
        return next((found for item in value if (found := _absolute_path(item))), "")
    if isinstance(value, str) and value.startswith(("/", "~/")) and "\n" not in value and len(Path(value).parts) > 2:
        return value
    return ""


def _refused(path: Path, sentence: str, **values: Any) -> InputError:
    return InputError(
        sentence,
        where=path.name,
        next=N_("Nothing was uploaded. Remove it from the run's files and publish again."),
        file=path.name,
        **values,
    )


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)  # no second copy of the weights
    except OSError:  # another file system
        shutil.copyfile(source, target)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
