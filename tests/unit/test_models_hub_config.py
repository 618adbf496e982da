"""The architecture of a model that is only named: its config.json alone, or fetched from the Hub on demand."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hub_server import Account, serve

from lab.errors import InputError, LabError
from lab.models.facts import facts_of
from lab.runs import child

LIMITS = {"file": 1 << 22}  # the config is written to the cache
TOKEN = "hf_" + "a" * 34
CONFIG = {
    "model_type": "llama",
    "vocab_size": 1000,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "tie_word_embeddings": True,
}
PARAMETERS = 1000 * 64 + 3 * (64 * 64 * 2 + 64 * 32 * 2 + 3 * 64 * 128 + 2 * 64) + 64
UPLOAD = """
import sys
from huggingface_hub import HfApi
api = HfApi(token=sys.argv[1])
api.create_repo("alice/small")
api.upload_folder(repo_id="alice/small", folder_path=sys.argv[2])
"""


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder / "config.json"


def test_a_config_alone_is_enough_to_count_the_weights(config_file):
    assert facts_of(config_file).parameters == PARAMETERS
    assert facts_of(str(config_file)).name == "small"


def test_an_unknown_architecture_leaves_the_facts_open(config_file):
    config_file.write_text(json.dumps({"model_type": "never-heard-of"}))
    facts = facts_of(config_file)
    assert facts.model_type == "never-heard-of"
    assert facts.parameters is None


@pytest.mark.parametrize("text", ["", "[1, 2]", "{broken", "\x00"])
def test_what_is_no_config_is_refused_with_its_name(config_file, text):
    config_file.write_text(text)
    with pytest.raises(InputError, match=r"config\.json"):
        facts_of(config_file)


def test_a_missing_config_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"config\.json"):
        facts_of(tmp_path / "nowhere" / "config.json")


def test_the_config_of_a_hub_model_is_fetched_on_demand_and_known_afterwards(config_file, tmp_path, monkeypatch):
    with serve(tmp_path / "hub", {TOKEN: Account("alice")}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.base)
        environment = os.environ | {"HF_HOME": str(tmp_path / "uploader"), "HF_HUB_OFFLINE": "0"}
        upload = [sys.executable, "-c", UPLOAD, TOKEN, str(config_file.parent)]
        subprocess.run(upload, env=environment, check=True, capture_output=True, timeout=120)
        assert facts_of("alice/small").parameters is None
        assert child.ask("lab.models.hub", {"id": "alice/small"}, timeout_s=60, limits=LIMITS)["model_type"] == "llama"
        assert facts_of("alice/small").parameters == PARAMETERS
        with pytest.raises(InputError, match="no public model called alice/nothing"):
            child.ask("lab.models.hub", {"id": "alice/nothing"}, timeout_s=60, limits=LIMITS)


def test_a_hub_that_does_not_answer_is_a_sentence(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(LabError, match="The Hub did not answer"):
        child.ask("lab.models.hub", {"id": "alice/small"}, timeout_s=60, limits=LIMITS)
