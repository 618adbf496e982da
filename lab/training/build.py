"""A base model and its tokenizer from a folder or the Hub, and the tuned model of a finished run.

Padding. Many tokenizers have no padding token. Nothing is added then: a new row in the embeddings would
change the model for no gain, because padding is masked by length, never by id. The unknown token serves as
padding if there is one, else the end-of-text token.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from lab.data import tokenizer as tokenizers
from lab.errors import InputError, LabError, NotFoundError
from lab.models.location import Location, locate
from lab.models.safety import check_folder
from lab.runs.base import check_base
from lab.runs.directory import RunDirectory
from lab.spec import ModelSpec
from lab.spec.rules.task import speaks
from lab.text import N_
from lab.training.methods import dropout, quantised

OF_THE_HEAD = ("num_labels", "id2label", "label2id", "problem_type")  # settings that a body has no use for
# RoBERTa and its relatives count positions from behind the padding token's.
AFTER_PADDING = ("roberta", "xlm-roberta", "camembert")


def load_tokenizer(source: str, revision: str = "") -> PreTrainedTokenizerBase:
    """The tokenizer of a model, padding on the right, with a padding token.

    Raises InputError if it cannot be loaded or has no end token.
    """
    return with_padding(tokenizers.load_tokenizer(locate(source).load_from, revision))


def with_padding(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """The tokenizer with an existing token named as padding. Raises InputError if it has no end token."""
    tokenizers.frame_of(tokenizer)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token
    tokenizer.padding_side = "right"
    return tokenizer


def load_base(
    source: str,
    *,
    revision: str = "",
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    rounded: ModelSpec | None = None,
) -> PreTrainedModel:
    """The base model in evaluation mode, quantized and with the dropout that `rounded` says.

    Raises InputError for a folder that is unsafe or holds no model.
    """
    location = locate(source)
    options = loading(rounded, dtype, device, config_of(location, revision)) if rounded else {}
    model = _loaded(AutoModelForCausalLM, location, revision, dtype=dtype, use_safetensors=True, **options)
    model.config.use_cache = True
    quantised.settle(model)
    return (model if "quantization_config" in options else model.to(device)).eval()


def loading(
    model: ModelSpec, dtype: torch.dtype, device: str, config: Any, heads: Sequence[str] = ()
) -> dict[str, Any]:
    """What `from_pretrained` is told of the quantization and the dropout that a spec asks for."""
    options = dropout.settings(config, model.dropout)
    bits = quantised.config_of(model, dtype, heads=heads)
    return options if bits is None else options | {"quantization_config": bits, "device_map": {"": device}}


def config_of(location: Location, revision: str = "") -> Any:
    """The config of a model. Raises InputError where there is none."""
    return _loaded(AutoConfig, location, revision)


def load_headed(auto_class: Any, source: str, *, revision: str = "", **options: Any) -> tuple[Any, set[str]]:
    """A model with a head (`auto_class` of transformers) and the names of its layers that no file has.

    Its new layers are drawn from torch's random state. Raises InputError as `load_base` does.
    """
    location, how = locate(source), {"use_safetensors": True, "output_loading_info": True}
    model, told = _loaded(auto_class, location, revision, **how, **options)
    prefix, missing = f"{model.base_model_prefix}.", set(told["missing_keys"])
    inside = {name for name in model.state_dict() if name.startswith(prefix)}
    if len(missing & inside) > len(inside) / 2:
        # Some classes (Llama's for questions) name their body otherwise than the file does, and load none of it.
        of_body = {name: value for name, value in options.items() if name not in OF_THE_HEAD}
        body, told = _loaded(AutoModel, location, revision, **how, **of_body)
        setattr(model, model.base_model_prefix, body)
        missing = (missing - inside) | {prefix + name for name in told["missing_keys"]}
    return model, {name.rpartition(".")[0] for name in missing}


def load_tuned(
    run_directory: str | Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The tuned language model of a run and its tokenizer; a PeftModel when the run trained an adapter.

    Raises NotFoundError when the run has not saved a model, InputError for a run of another task, LabError when
    its base has changed since.
    """
    final = Path(run_directory) / "final"
    if not (final / "config.json").is_file() and not (final / "adapter_config.json").is_file():
        raise NotFoundError(
            N_("This run has no finished model."),
            where=str(final),
            next=N_("Wait for its end, or resume it."),
        )
    run = RunDirectory(run_directory)
    if not speaks(run.spec):
        raise InputError(
            N_("The model of this run gives labels or scores, not text: its task is {task}."),
            where="run",
            next=N_("See its held-out rows in the review, or load {folder} with transformers."),
            task=run.spec.task,
            folder=str(final),
        )
    check_base(run)
    tokenizer = with_padding(AutoTokenizer.from_pretrained(final, local_files_only=True))
    if not (final / "adapter_config.json").is_file():
        model = AutoModelForCausalLM.from_pretrained(final, dtype=dtype, use_safetensors=True, local_files_only=True)
        return model.to(device).eval(), tokenizer
    model = run.spec.model
    base = load_base(model.source, revision=model.revision, device=device, dtype=dtype, rounded=model)
    if commit := commit_of(base):
        check_base(run, commit=commit)
    return PeftModel.from_pretrained(base, str(final), local_files_only=True).eval(), tokenizer


def commit_of(model: PreTrainedModel) -> str:
    """The commit of a model that came from the Hub; empty for a folder."""
    return str(getattr(model.config, "_commit_hash", None) or "")


def base_name(source: str) -> str:
    """How others find the base model: its Hub id, the folder as given, or the folder of the embedded model."""
    location = locate(source)
    return source if location.kind == "folder" else location.load_from


def stop_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The tokens that end an answer: the tokenizer's and those of the model's generation settings."""
    configured = model.generation_config.eos_token_id
    listed = configured if isinstance(configured, list) else [configured]
    return sorted({token for token in (tokenizer.eos_token_id, *listed) if token is not None})


def positions(model: PreTrainedModel) -> int | None:
    """The longest sequence that the model was built for, in tokens; None if it has no limit."""
    config = model.config.get_text_config()
    found = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    if found and config.model_type in AFTER_PADDING:
        return int(found) - int(config.pad_token_id or 0) - 1
    return found


def parameters(model: torch.nn.Module) -> dict[str, float]:
    """How many weights the base model has and how many are trained; `share` of the base's, from 0 to 1.

    What an adapter adds is trained but no part of the base, so that the share is the one that the plan
    computes.
    """
    added = ("lora_", ".modules_to_save.", "prompt_encoder.")
    total = sum(values(p) for name, p in model.named_parameters() if not any(part in name for part in added))
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return {"parameters": trained, "total": total, "share": trained / total}


def values(weight: torch.Tensor) -> int:
    """How many values a weight stands for: two for each byte of NF4."""
    return weight.numel() * (2 if type(weight).__name__ == "Params4bit" and weight.dtype == torch.uint8 else 1)


def storage_dtype(source: str, revision: str = "") -> torch.dtype:
    """The number format in which a model stores its weights, as its config.json says; fp32 if it does not."""
    location = locate(source)
    options = {"revision": revision} if location.path is None and revision else {}
    config = AutoConfig.from_pretrained(location.load_from, trust_remote_code=False, **options)
    return config.dtype if config.dtype in (torch.bfloat16, torch.float16) else torch.float32


def _loaded(cls: Any, location: Location, revision: str, **options: Any) -> Any:
    target = location.load_from
    if location.path is not None:
        check_folder(location.path)
        options |= {"local_files_only": True}
    elif revision:
        options |= {"revision": revision}
    try:
        return cls.from_pretrained(target, trust_remote_code=False, **options)
    except (OSError, ValueError, KeyError) as error:
        kind = InputError if location.path is not None else LabError
        raise kind(
            N_("The model {name} cannot be loaded: {why}."),
            where="model.source",
            next=N_("Choose a folder or a Hub id of a model in safetensors that suits the task."),
            name=target,
            why=_first_sentence(error),
        ) from error


def _first_sentence(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".")[:200]


def check_targets(names: list[str], model: PreTrainedModel) -> None:
    """Raise InputError, with the names that there are, for target modules that the model does not have."""
    head = model.get_output_embeddings()
    check_names(names, {name for name, part in model.named_modules() if is_linear(part) and part is not head})


def check_names(names: list[str], layers: set[str]) -> None:
    """Raise InputError, with the names that there are, for names that are the end of no layer's full name."""
    missing = [name for name in names if not any(f".{layer}".endswith(f".{name}") for layer in layers)]
    if missing:
        raise InputError(
            N_("The model has no layer called {missing}."),
            where="method.target_modules",
            allowed=N_("It has {layers}."),
            next=N_("Write all-linear for all of them."),
            missing=", ".join(missing),
            layers=", ".join(sorted({layer.rpartition(".")[2] for layer in layers})),
        )


def is_linear(module: torch.nn.Module) -> bool:
    return isinstance(module, torch.nn.Linear) or type(module).__name__ == "Conv1D"
