"""What goes into a publication, what is kept out of it, and what the model card says."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.errors import InputError
from lab.publishing import bundle, secrets
from lab.publishing.base import Base, base_of
from lab.publishing.card import Facts, model_card
from lab.publishing.names import full_name
from lab.publishing.usage import Prompt
from lab.spec import build, loads

HUB = Base("hub", "owner/model", "owner/model", "abc123")
FOLDER = Base("folder", "my-model", None)


@pytest.fixture
def final(tmp_path: Path) -> Path:
    """A run's final folder as a trainer leaves it, with the traces of this machine that libraries write."""
    folder = tmp_path / "final"
    folder.mkdir()
    config = {"base_model_name_or_path": "/home/alice/models/base", "revision": None, "r": 16}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(json.dumps({"name_or_path": "/home/alice/models/base", "a": 1}))
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": {"/home": 0, "/root": 1}}}))
    header = b'{"__metadata__":{"format":"pt"}}'
    (folder / "adapter_model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(5_000_000))
    for unwanted in ("training_args.bin", "optimizer.pt", "README.md", "notes.txt", ".env"):
        (folder / unwanted).write_text("not for publication")
    (folder / "vocab.json").symlink_to("/etc/passwd")
    return folder


@pytest.fixture
def bundled(final: Path, tmp_path: Path) -> Path:
    bundle.fill(final, tmp_path / "bundle", HUB)
    return tmp_path / "bundle"


def test_only_listed_files_that_are_no_links_are_taken(bundled: Path) -> None:
    names = {path.name for path in bundled.iterdir()}
    assert names == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }


def test_the_place_of_the_base_is_replaced_by_its_id(bundled: Path) -> None:
    config = json.loads((bundled / "adapter_config.json").read_text())
    assert config == {"base_model_name_or_path": "owner/model", "revision": "abc123", "r": 16}
    assert json.loads((bundled / "tokenizer_config.json").read_text()) == {"a": 1}
    bundle.inspect(bundled)


def test_a_base_that_only_this_machine_has_is_named_without_its_place(final: Path, tmp_path: Path) -> None:
    bundle.fill(final, tmp_path / "bundle", FOLDER)
    assert json.loads((tmp_path / "bundle" / "adapter_config.json").read_text())["base_model_name_or_path"] is None


def test_settings_are_published_without_places_of_this_machine(tmp_path: Path) -> None:
    data = tmp_path / "rows.csv"
    data.write_text("a,b\n")
    spec = build({"model": {"source": "/srv/models/my-model"}, "data": {"source": str(data)}, "seed": 7})
    bundle.write_spec(tmp_path, spec, FOLDER)
    text = (tmp_path / "spec.yaml").read_text()
    assert str(tmp_path) not in text and "/srv" not in text
    assert (loads(text).model.source, loads(text).data.source, loads(text).seed) == (
        "my-model",
        "rows.csv",
        7,
    )


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "final").mkdir()
    with pytest.raises(InputError, match="no weights"):
        bundle.fill(tmp_path / "final", tmp_path / "bundle", HUB)


KEYS = {
    "hugging face": "hf_" + "a1B2" * 9,
    "github": "ghp_" + "a1B2" * 9,
    "amazon": "AKIA" + "ABCD1234" * 2,
    "openai": "sk-proj-" + "a1B2" * 10,
    "ssh": "-----BEGIN OPENSSH PRIVATE KEY-----",
    "the one in use": "an-unusual-token",
}
PLACES = {
    "home of a person": "/home/alice/data",
    "of a mac": "/Users/alice/data",
    "of windows": "C:\\Users\\alice\\data",
    "of root": "/" + "root/work",
}


@pytest.mark.parametrize("where", ["README.md", "spec.yaml", "tokenizer.json", "chat_template.jinja", "weights"])
@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_key_in_any_file_is_found_and_not_repeated(bundled: Path, where: str, key: str) -> None:
    put(bundled, where, key)
    with pytest.raises(InputError, match="contains a token or a key") as caught:
        bundle.inspect(bundled, KEYS["the one in use"])
    assert key not in json.dumps(caught.value.as_dict())


@pytest.mark.parametrize("where", ["README.md", "spec.yaml", "tokenizer.json", "adapter_config.json", "header"])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_folder_of_a_person_in_any_file_is_found(bundled: Path, where: str, place: str) -> None:
    put(bundled, where, place)
    with pytest.raises(InputError, match="of this machine") as caught:
        bundle.inspect(bundled)
    assert caught.value.where == ("adapter_model.safetensors" if where == "header" else where)


@pytest.mark.parametrize("place", ["/srv/models/base", "~/models/base"])
def test_any_path_in_a_settings_file_is_found(bundled: Path, place: str) -> None:
    put(bundled, "adapter_config.json", place)
    with pytest.raises(InputError, match="contains the path"):
        bundle.inspect(bundled)


def test_the_folder_of_the_lab_is_found_wherever_it_lies(bundled: Path, lab_home: Path) -> None:
    put(bundled, "README.md", f"see {lab_home}/runs")
    with pytest.raises(InputError, match="contains the path"):
        bundle.inspect(bundled)


def test_the_name_of_this_machine_is_found_but_not_in_a_vocabulary(
    bundled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "lab-gpu3")
    put(bundled, "tokenizer.json", "lab-gpu3")
    bundle.inspect(bundled)
    put(bundled, "README.md", "trained on lab-gpu3.")
    with pytest.raises(InputError, match="the name of this machine"):
        bundle.inspect(bundled)


def test_a_file_that_is_not_listed_is_refused(bundled: Path) -> None:
    (bundled / "optimizer.pt").write_text("x")
    with pytest.raises(InputError, match=r"optimizer\.pt does not belong"):
        bundle.inspect(bundled)


def put(folder: Path, where: str, text: str) -> None:
    """Write `text` into a file of the bundle, into the header of its weights, or far behind it."""
    if where in ("weights", "header"):
        path = folder / "adapter_model.safetensors"
        path.unlink()  # a link to the run's own file
        header = json.dumps({"__metadata__": {"from": text if where == "header" else ""}}).encode()
        # Across the border between two blocks of the search.
        body = bytes(bundle.BLOCK - 10) + text.encode() + bytes(100) if where == "weights" else bytes(8)
        path.write_bytes(len(header).to_bytes(8, "little") + header + body)
    elif where.endswith(".json"):
        path = folder / where
        settings = json.loads(path.read_text()) | {"x": [{"y": text}]}
        path.unlink()
        path.write_text(json.dumps(settings))
    else:
        (folder / where).write_text(f"something\n{text}\n")


@pytest.mark.parametrize(
    ("repository", "expected"),
    [("manual", "alice/manual"), ("lab-org/m.1_x", "lab-org/m.1_x"), (" manual ", "alice/manual")],
)
def test_a_bare_name_is_in_the_namespace_of_the_token(repository: str, expected: str) -> None:
    assert full_name(repository, "alice") == expected


@pytest.mark.parametrize(
    "repository",
    [
        "",
        "a/b/c",
        "../x",
        "a b",
        "-x",
        "x-",
        "a--b",
        "a..b",
        "x.git",
        "a/",
        "/a",
        "x" * 97,
        "é",
        "a\tb",
    ],
)
def test_a_name_that_the_hub_would_not_take_is_refused(repository: str) -> None:
    with pytest.raises(InputError, match="not a name of a repository"):
        full_name(repository, "alice")


def test_the_base_is_told_so_that_it_holds_elsewhere(tmp_path: Path) -> None:
    assert base_of("owner/model", "v1") == Base("hub", "owner/model", "owner/model", "v1")
    assert base_of("demo").reference == "presets/demo/model"
    assert (Path(__file__).parents[2] / "presets/demo/model/config.json").is_file()
    assert base_of(str(tmp_path)) == Base("folder", tmp_path.name, None)
    assert base_of(str(tmp_path / "gone")) == Base("folder", "gone", None)
    assert base_of(str(tmp_path), asked="owner/model") == Base("hub", "owner/model", "owner/model")


@pytest.mark.parametrize("token", ["", "  ", "hf_x\nX-Evil: 1", "hf_ x", "hf_é", "x" * 1001])
def test_what_can_be_no_token_is_refused_without_repeating_it(token: str) -> None:
    with pytest.raises(InputError) as caught:
        secrets.usable_token(token)
    assert not token.strip() or token not in str(caught.value)


def facts(base: Base = HUB, **changes: Any) -> Facts:
    spec = build({"name": "x", "model": {"source": "owner/model"}, "data": {"source": "demo"}})
    given: dict[str, Any] = {"title": "My <b>model</b>", "repository": "alice/manual", "adapter": True}
    return Facts(base=base, spec=spec, **{**given, **changes})


def front_matter(card: str) -> dict[str, Any]:
    return yaml.safe_load(card.split("---\n")[1])


def test_the_card_is_read_by_the_hub_as_an_adapter_of_its_base() -> None:
    card = model_card(facts(licence="mit", data={"hub": "owner/data"}))
    about = front_matter(card)
    assert about["base_model"] == "owner/model" and about["base_model_relation"] == "adapter"
    assert about["library_name"] == "peft" and about["datasets"] == ["owner/data"] and about["license"] == "mit"
    assert "# My \\<b\\>model\\</b\\>" in card


def test_the_card_of_a_local_base_names_no_id_and_says_what_is_needed() -> None:
    card = model_card(facts(base=FOLDER))
    assert "base_model" not in front_matter(card) and "license" not in front_matter(card)
    assert 'PeftModel.from_pretrained(base, "alice/manual")' in card and "`my-model`" in card
    demo = model_card(facts(base=base_of("demo")))
    assert "presets/demo/model" in demo and "in the folder of the lab" in demo


def test_the_card_says_what_was_measured_and_leaves_out_what_was_not() -> None:
    held_out = {
        "base": {"loss": 3.08, "stop_rate": 0.69},
        "tuned": {"loss": 0.44, "stop_rate": 1.0, "count": 200},
    }
    card = model_card(facts(summary={"held_out": held_out, "decoding": "greedy", "max_new_tokens": 60}))
    assert "On 200 held-out prompts, greedy decoding, at most 60 new tokens" in card
    assert "| answers that end by themselves | 69% | 100% |" in card
    assert "perplexity" not in card
    assert "## Results" not in model_card(facts())
    packed = model_card(facts(result={"packing": {"packs": 1234, "length": 512}}))
    assert "1,234 packs of 512 tokens; a batch counts packs" in packed and "packs" not in card


def test_the_code_in_the_card_asks_in_the_form_of_the_training(capsys: pytest.CaptureFixture[str]) -> None:
    text = "### Question: {question}\n### Answer: "
    card = model_card(facts(prompt=Prompt("question-answer", text)))
    code = card.split("```python\n")[1].split("```")[0]
    compile(code, "card", "exec")
    line = next(line for line in code.splitlines() if line.startswith("prompt = "))
    names: dict[str, Any] = {}
    exec(line, names)
    assert names["prompt"] == "### Question: Your question\n### Answer: "
    chat = model_card(facts(prompt=Prompt("chat"))).split("```python\n")[1].split("```")[0]
    compile(chat, "card", "exec")
    assert "apply_chat_template" in chat
