"""A model folder is refused, with the file named, before any library opens it."""

import json
import os
import pickle
import struct
from pathlib import Path

import pytest

from lab.errors import InputError
from lab.models import check_folder, facts_of, locate
from lab.models.safetensors import parameters_in, read_header

CONFIG = {
    "model_type": "llama",
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "vocab_size": 12,
}


class Payload:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.system, ("true",))


def weights(path: Path, shapes: dict[str, tuple[int, ...]] | None = None) -> None:
    """A small real safetensors file of fp32 zeros."""
    header, start = {}, 0
    for name, shape in (shapes or {"embed.weight": (12, 8)}).items():
        size = 4
        for side in shape:
            size *= side
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [start, start + size]}
        start += size
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"\0" * start)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    path.mkdir()
    (path / "config.json").write_text(json.dumps(CONFIG))
    (path / "tokenizer.json").write_text("{}")
    weights(path / "model.safetensors")
    return path


def refusal(folder: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        check_folder(folder)
    assert caught.value.exit_code == 2
    return caught.value


def test_a_plain_folder_is_accepted_and_its_weights_are_returned(folder: Path) -> None:
    assert check_folder(folder) == [folder / "model.safetensors"]


def test_a_missing_folder_and_a_folder_without_config_are_named(tmp_path: Path) -> None:
    assert str(tmp_path / "gone") in str(refusal(tmp_path / "gone"))
    assert "config.json" in refusal(tmp_path).message


def test_a_folder_without_weights_gets_its_own_sentence(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert "has no weights" in refusal(folder).message


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth", "model.pkl", "weights.ckpt", "m.npz"])
def test_weights_that_are_pickles_are_refused_by_name(folder: Path, name: str) -> None:
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Payload()))
    assert name in refusal(folder).message


def test_a_pickle_named_safetensors_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(pickle.dumps(Payload()) + b"\0" * 64)
    assert "model.safetensors" in refusal(folder).message


@pytest.mark.parametrize(
    "content",
    [
        b"",
        struct.pack("<Q", 2**40) + b"{}",
        struct.pack("<Q", 200_000_000) + b"{}",
        struct.pack("<Q", 4) + b"[1]\n",
        struct.pack("<Q", 13) + b'{"a": "text"}',
    ],
)
def test_an_absurd_header_is_refused_without_reading_it(folder: Path, content: bytes) -> None:
    (folder / "model.safetensors").write_bytes(content)
    assert "not a safetensors file" in refusal(folder).message


def test_a_download_that_was_cut_off_is_named_as_such(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:-10])
    assert "cut off" in refusal(folder).message


@pytest.mark.parametrize(
    "target", ["../outside.safetensors", "/etc/passwd", "a/../../x.safetensors", "pytorch_model.bin", ""]
)
def test_an_index_that_leads_elsewhere_is_refused(folder: Path, target: str) -> None:
    weights(folder.parent / "outside.safetensors")
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"embed.weight": target}}))
    assert "index leads to" in refusal(folder).message


def test_an_index_whose_file_is_missing_says_which(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    parts = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": parts}))
    assert "model-00002-of-00002.safetensors" in refusal(folder).message


def test_links_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (folder / "vocab.txt").symlink_to(tmp_path / "secret")
    assert "vocab.txt" in refusal(folder).message


@pytest.mark.parametrize(
    "settings",
    [
        {"auto_map": {"AutoConfig": "evil.Config"}},
        {"text_config": {"trust_remote_code": True}},
        {"custom_pipelines": {"x": {}}},
    ],
)
def test_code_that_comes_with_a_model_is_refused_at_any_depth(folder: Path, settings: dict[str, object]) -> None:
    (folder / "config.json").write_text(json.dumps(CONFIG | settings))
    assert "run code" in refusal(folder).message


def test_an_adapter_is_not_a_model(folder: Path) -> None:
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "/etc"}')
    assert "adapter" in refusal(folder).message


@pytest.mark.parametrize("value", [".env", "../secret", "/etc/passwd", "~/x", "https://x/y"])
def test_a_tokenizer_that_names_another_file_is_refused(folder: Path, value: str) -> None:
    (folder / "tokenizer_config.json").write_text(json.dumps({"vocab_file": value}))
    assert "vocab_file" in refusal(folder).message


def test_a_path_that_no_library_reads_any_more_does_not_spoil_a_folder(folder: Path) -> None:
    old = {"special_tokens_map_file": "/home/me/.cache/x", "tokenizer_file": "/home/me/y", "vocab_file": "vocab.txt"}
    (folder / "tokenizer_config.json").write_text(json.dumps(old))
    assert check_folder(folder)


def test_a_huge_chat_template_is_refused(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("x" * 70_000)
    assert "chat template" in refusal(folder).message


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "[]", "\x00"])
def test_a_config_that_is_not_an_object_is_refused(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    assert "config.json" in refusal(folder).message


def test_an_unknown_architecture_is_counted_from_its_weights(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "brand-new"}))
    weights(folder / "model.safetensors", {"a": (3, 4), "b": (5,)})
    facts = facts_of(folder)
    assert (facts.parameters, facts.counted, facts.hidden) == (17, "weights", None)
    assert read_header(folder / "model.safetensors")["a"] == (3, 4)
    assert parameters_in([folder / "model.safetensors"]) == 17


@pytest.mark.parametrize(
    "source", ["/no/such/folder", "./nope", "~/nope", "a/b/c", "", "bad name", "a/../b", "x\0y", "a" * 5000]
)
def test_a_source_that_is_nothing_is_refused_in_a_sentence(source: str) -> None:
    with pytest.raises(InputError) as caught:
        locate(source)
    assert caught.value.where == "model.source"


def test_sources_are_told_apart(folder: Path) -> None:
    assert locate(folder).kind == "folder"
    assert locate("demo").kind == "demo"
    assert locate("gpt2").hub_id == "openai-community/gpt2"
    assert locate("org/model-1.5b").load_from == "org/model-1.5b"
    with pytest.raises(InputError, match="is a file"):
        locate(str(folder / "config.json"))
