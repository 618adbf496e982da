"""Whether a model folder is safe to load, decided from its files before any library opens them.

Refused are: weights that are pickles (loading one can run any program), a weights index that leads out of the
folder, links, code that comes with the model, an adapter in place of a model, and files that are not what
their name says.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from lab.errors import InputError
from lab.models.safetensors import read_header
from lab.text import N_

INDEX = "model.safetensors.index.json"
WEIGHTS = "model.safetensors"
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".h5", ".msgpack", ".npz", ".npy", ".gguf")
LARGEST_JSON = 200 * 1024 * 1024
LARGEST_TEMPLATE = 64 * 1024
_WEIGHT_FILE = re.compile(r"[A-Za-z0-9._-]+\.safetensors")
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt")
# Names that old tokenizers saved with the path of the machine they were made on; transformers no longer reads them.
_NEVER_READ = ("special_tokens_map_file", "tokenizer_file")
_CODE = ("auto_map", "custom_pipelines", "custom_generate")


def check_folder(path: str | Path) -> list[Path]:
    """Check a model folder and return its weight files.

    Raises InputError, with the file named, for everything that the module's docstring lists and for a folder
    without config.json, weights or tokenizer. Only JSON and the headers of the weights are read.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise InputError(N_("There is no folder {path}."), where="model.source", path=folder)
    _no_links(folder)
    _no_adapter(folder)
    config = read_config(folder)
    _no_code(config, folder / "config.json")
    for name in ("tokenizer_config.json", "generation_config.json", "special_tokens_map.json"):
        if (folder / name).is_file():
            _harmless_settings(_read_object(folder / name), folder / name)
    _small_templates(folder)
    weights = weight_files(folder)
    for file in weights:
        read_header(file)
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise InputError(
            N_("The model folder {path} has no tokenizer: none of {names} is there."),
            where=str(folder),
            next=N_("Copy the tokenizer's files from the place where the model came from."),
            path=folder,
            names=", ".join(TOKENIZER_FILES),
        )
    return weights


def read_config(folder: Path) -> dict[str, Any]:
    """The config.json of a model folder. Raises InputError when it is missing or not a JSON object."""
    file = folder / "config.json"
    if not file.is_file():
        raise InputError(
            N_("The folder {path} has no config.json, so it is not a model folder."),
            where=str(folder),
            next=N_("Give a folder that save_pretrained wrote, or a Hub id."),
            path=folder,
        )
    return _read_object(file)


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that make up the model, in the order of their names.

    Raises InputError for a folder without such weights and for an index that names anything else.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if (folder / INDEX).is_file():
        return _files_of_index(folder)
    pickles = sorted(file.name for file in folder.iterdir() if file.suffix.lower() in PICKLES)
    if pickles:
        raise InputError(
            N_("{file} is not loaded: a file of this kind can run any program when it is opened."),
            where=str(folder / pickles[0]),
            allowed=N_("Only weights in the safetensors format are read."),
            next=N_("Get the model's safetensors files, or convert it in a place that you can throw away."),
            file=pickles[0],
        )
    raise InputError(
        N_("The model folder {path} has no weights: there is no model.safetensors in it."),
        where=str(folder),
        next=N_("Copy the weights into the folder; a download that stopped early leaves such a folder."),
        path=folder,
    )


def _files_of_index(folder: Path) -> list[Path]:
    index = folder / INDEX
    mapping = _read_object(index).get("weight_map")
    if not isinstance(mapping, dict) or not mapping:
        raise InputError(N_("{file} has no weight_map."), where=str(index), file=INDEX)
    files = []
    for name in sorted({str(value) for value in mapping.values()}):
        if not _WEIGHT_FILE.fullmatch(name):
            raise InputError(
                N_("The weights index leads to {name}, which is not a safetensors file of this folder."),
                where=str(index),
                next=N_("Do not use this folder: its index reads files that do not belong to the model."),
                name=name[:200],
            )
        if not (folder / name).is_file():
            raise InputError(
                N_("The model folder {path} has no weights: {name}, which its index names, is missing."),
                where=str(folder / name),
                next=N_("Copy the missing file into the folder."),
                path=folder,
                name=name,
            )
        files.append(folder / name)
    return files


def _no_links(folder: Path) -> None:
    for file in sorted(folder.rglob("*")):
        if file.is_symlink():
            raise InputError(
                N_("{file} is a symbolic link; a model folder holds its files itself."),
                where=str(file),
                next=N_("Copy the file in place of the link. For a model in the Hub's cache, write its Hub id."),
                file=file.name,
            )


def _no_adapter(folder: Path) -> None:
    if (folder / "adapter_config.json").exists():
        raise InputError(
            N_("The folder {path} holds an adapter (adapter_config.json), not a whole model."),
            where=str(folder / "adapter_config.json"),
            next=N_("Give the folder of the base model, or a folder with the adapter merged into it."),
            path=folder,
        )


def _no_code(value: Any, file: Path) -> None:
    """Refuse settings that would make a library import code that lies beside the model, at whatever depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if (key in _CODE and inner) or (key == "trust_remote_code" and inner):
                raise InputError(
                    N_("{file} asks to run code that comes with the model ({key}); the lab never does that."),
                    where=str(file),
                    next=N_("Take a model whose architecture is part of transformers."),
                    file=file.name,
                    key=key,
                )
            _no_code(inner, file)
    elif isinstance(value, list):
        for inner in value:
            _no_code(inner, file)


def _harmless_settings(settings: dict[str, Any], file: Path) -> None:
    _no_code(settings, file)
    for key, value in settings.items():
        if key.endswith("_file") and key not in _NEVER_READ and not _is_file_name(value):
            raise InputError(
                N_("{file} names {value} as its {key}; only a file of the same folder is allowed."),
                where=str(file),
                file=file.name,
                value=value[:200],
                key=key,
            )
    templates = settings.get("chat_template")
    if templates and len(json.dumps(templates)) > LARGEST_TEMPLATE:
        raise _template_refused(file)


def _is_file_name(value: Any) -> bool:
    return not isinstance(value, str) or re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", value) is not None


def _small_templates(folder: Path) -> None:
    for file in sorted(folder.rglob("*.jinja")):
        if file.stat().st_size > LARGEST_TEMPLATE:
            raise _template_refused(file)


def _template_refused(file: Path) -> InputError:
    return InputError(
        N_("The chat template in {file} is longer than {limit} KiB and is refused."),
        where=str(file),
        file=file.name,
        limit=LARGEST_TEMPLATE // 1024,
    )


def _read_object(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > LARGEST_JSON:
            raise ValueError("too large")
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InputError(
            N_("{file} is not a JSON object, so the model cannot be read."), where=str(file), file=file.name
        )
    return value
