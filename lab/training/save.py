"""`final/`: what a finished run leaves, in safetensors only, loadable with plain peft and transformers.

An adapter lies in `final/` with the tokenizer beside it, and merged into its base model in `final/merged/`. A
full fine-tune lies in `final/` as a model. The folder appears in one piece.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from peft import PeftModel
from safetensors.torch import save_file
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from lab.json_io import sync_folder, write_json
from lab.runs.events import EventWriter
from lab.text import N_
from lab.training import build
from lab.training.build import base_name, stop_ids
from lab.training.methods import pissa, quantised
from lab.training.methods.adapters import prompt_tokens

TASK_FILE = "task.json"  # task and labels of a model that does not generate
RESERVE = 1.2  # free space that a merged model needs, in units of its size


def save_final(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    source: str,
    final: Path,
    events: EventWriter,
    *,
    revision: str = "",
    told: dict[str, Any] | None = None,
) -> None:
    """Write the trained model to `final`, replacing an earlier attempt's; an adapter is merged after that.

    `told` is what task.json says of a model that does not generate. The model is not to be used after that.
    Without room for the merged model it is left out, with a note.
    """
    partial = final.with_name(f".{final.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    if told is None:
        model.generation_config.eos_token_id = stop_ids(model, tokenizer)
        model.generation_config.pad_token_id = tokenizer.pad_token_id
    if isinstance(model, PeftModel):
        _save_adapter(model, source, partial)
        _save_with_tokenizer(None, model, tokenizer, partial, told)
        if prompt_tokens(model):
            events.note(N_("A learned prompt is no change of the weights, so there is no merged model."))
        elif _has_room(model, partial):
            merging = model
            if quantised.is_quantised(model):
                merging = quantised.on_plain_base(model, build.storage_dtype(source, revision))
            _save_with_tokenizer(merging.merge_and_unload(), merging, tokenizer, partial / "merged", told)
        else:
            events.note(N_("The merged model was not written: the disk is too full."), level="warning")
    else:
        _save_with_tokenizer(model, model, tokenizer, partial, told)
    _appear(partial, final)


def save_shared(
    models: dict[str, PreTrainedModel], tokenizer: PreTrainedTokenizerBase, final: Path, told: dict[str, Any]
) -> None:
    """Write the models of several tasks to a folder each, every one with the body that they share."""
    partial = final.with_name(f".{final.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    for name, model in models.items():
        _save_with_tokenizer(model, model, tokenizer, partial / name, told | {"name": name})
    write_json(partial / TASK_FILE, told)
    _appear(partial, final)


def _appear(partial: Path, final: Path) -> None:
    _clean(partial)
    if final.exists():
        shutil.rmtree(final)
    os.rename(partial, final)
    sync_folder(final.parent)


def _save_adapter(model: PeftModel, source: str, folder: Path) -> None:
    for config in model.peft_config.values():
        config.base_model_name_or_path = base_name(source)
    # "auto" would look on the Hub for the base model's vocabulary size; the embeddings are never changed
    # here.
    plain = pissa.as_plain_lora(model)
    if plain is None:
        model.save_pretrained(str(folder), save_embedding_layers=False)
        return
    config, weights = plain
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config.save_pretrained(str(folder))


def _save_with_tokenizer(
    model: PreTrainedModel | None,
    settings: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    told: dict[str, Any] | None = None,
) -> None:
    if model is not None:
        model.save_pretrained(str(folder))
    if told is None:
        settings.generation_config.save_pretrained(str(folder))
    else:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / TASK_FILE, told)
    tokenizer.save_pretrained(str(folder))


def _has_room(model: PreTrainedModel, folder: Path) -> bool:
    size = sum(build.values(weight) * max(2, weight.element_size()) for weight in model.parameters())
    return shutil.disk_usage(folder).free > RESERVE * size


def _clean(folder: Path) -> None:
    """Remove the empty card that PEFT adds, and make the rest durable."""
    (folder / "README.md").unlink(missing_ok=True)
    for path in folder.rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
