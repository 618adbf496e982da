"""Publishing with the real client of the Hub, in the real worker, to a server on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from hub_server import Account, Hub
from publishing_hub import (
    ALICE,
    BASE,
    FINE,
    READER,
    accounts_hub,
    in_fresh_process,
    publish,
    refusal,
    upload_base,
)
from publishing_runs import finished_run

from lab.errors import InputError, LabError
from lab.runs import child
from lab.runs.directory import RunDirectory
from lab.runs.events import tail_events

# Loads from the Hub alone, in a fresh cache, and compares with what the run saved.
LOAD_BACK = """
import json, sys, torch
from huggingface_hub import hf_hub_download
from peft import AutoPeftModelForCausalLM, PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
repository, token, base, final, kind = sys.argv[1:6]
if kind == "adapter":
    tuned = AutoPeftModelForCausalLM.from_pretrained(repository, token=token)
    expected = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), final)
else:
    tuned = AutoModelForCausalLM.from_pretrained(repository, token=token)
    expected = AutoModelForCausalLM.from_pretrained(final)
    if kind == "merged":
        expected = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), final)
tokenizer = AutoTokenizer.from_pretrained(repository, token=token)
ids = tokenizer("What does os.path.join do?", return_tensors="pt").input_ids
with torch.no_grad():
    plain = AutoModelForCausalLM.from_pretrained(base)(ids).logits
    logits = tuned(ids).logits
    difference, learned = (logits - expected(ids).logits).abs().max(), (logits - plain).abs().max()
    card = open(hf_hub_download(repository, "README.md", token=token)).read()
exec(next(line for line in card.splitlines() if line.startswith("prompt = ")))
ids = tokenizer(prompt).input_ids
print(json.dumps({"difference": float(difference), "learned": float(learned), "prompt_ids": ids}))
"""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A Hub which every child of this test talks to."""
    with accounts_hub(tmp_path / "hub") as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.base)
        yield hub


def surfaces_of(module: str, home: Path) -> list[bytes]:
    """What other programs can read of a process of this LAB_HOME: its arguments and its environment."""
    found = []
    for process in psutil.process_iter():
        try:
            arguments = process.cmdline()
            if module in arguments and any(argument.startswith(str(home)) for argument in arguments):
                found += [Path(f"/proc/{process.pid}/{name}").read_bytes() for name in ("cmdline", "environ")]
        except (psutil.Error, OSError):
            continue  # ended meanwhile
    return found


@pytest.mark.parametrize("xet", [True, False], ids=["xet", "lfs"])
def test_an_adapter_is_published_privately_and_loads_back(
    hub: Hub, tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, xet: bool
) -> None:
    if not xet:
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    upload_base(hub, tiny_llama, tmp_path)
    run_id = finished_run(tiny_llama)
    job = publish(run_id, base_model=BASE)
    assert job.error(1) is None, job.log_text()

    repo = hub.repos["alice/manual"]
    assert repo.private
    assert set(repo.files) == {
        ".gitattributes", "README.md", "spec.yaml", "adapter_config.json", "adapter_model.safetensors",
        "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip
    assert bool(repo.files["adapter_model.safetensors"].xet) is xet
    assert job.result | {"files": [], "attempt": 1} == {
        "ended": "finished",
        "repository": "alice/manual",
        "url": f"{hub.base}/alice/manual",
        "commit": repo.main,
        "private": True,
        "files": [],
        "what": "adapter",
        "attempt": 1,
    }
    config = json.loads(repo.files["adapter_config.json"].data)
    assert config["base_model_name_or_path"] == BASE
    card = repo.files["README.md"].data.decode()
    assert card.startswith("---\nlibrary_name: peft\nbase_model: alice/tiny-base\n")
    assert "| loss on held-out rows (nats per token) | 3.081 | 0.442 |" in card
    assert 'AutoPeftModelForCausalLM.from_pretrained("alice/manual")' in card
    for blob in repo.files.values():
        assert blob.data is None or str(tiny_llama.parent).encode() not in blob.data

    phases = [e["phase"] for e in tail_events(job.events_path)[0] if e["kind"] == "phase" and e["status"] == "end"]
    assert phases == ["check", "card", "upload", "verify"]
    assert not (job.path / "bundle").exists()

    final = RunDirectory.of(run_id).final_path
    told = in_fresh_process(tmp_path, LOAD_BACK, "alice/manual", ALICE, str(tiny_llama), str(final), "adapter")
    loaded = json.loads(told)
    assert loaded["difference"] == 0 and loaded["learned"] > 1e-3
    assert loaded["prompt_ids"] == asked_in_training(tiny_llama, "Your question")  # the card's code asks as it should


def asked_in_training(model: Path, question: str) -> list[int]:
    from lab.data.templates import free_prompt
    from lab.data.tokenizer import load_tokenizer
    from lab.data.tokens import Encoder

    tokenizer = load_tokenizer(str(model))
    prompt = free_prompt(question, template="question-answer", kind="question-answer", tokenizer=tokenizer)
    return Encoder(tokenizer, max_length=512).prompt_ids(prompt)


def test_a_merged_model_needs_no_base(hub: Hub, tiny_llama: Path, tmp_path: Path) -> None:
    run_id = finished_run(tiny_llama)
    job = publish(run_id, repository="lab-org/merged", what="merged", private=False)
    assert job.error(1) is None, job.log_text()
    repo = hub.repos["lab-org/merged"]
    assert not repo.private and job.result["private"] is False
    assert {"model.safetensors", "config.json", "README.md"} <= set(repo.files)
    assert "adapter_config.json" not in repo.files
    final = RunDirectory.of(run_id).final_path
    told = in_fresh_process(tmp_path, LOAD_BACK, "lab-org/merged", ALICE, str(tiny_llama), str(final), "merged")
    assert json.loads(told)["difference"] < 1e-4 and json.loads(told)["learned"] > 1e-3


def test_publishing_again_replaces_what_the_lab_published_and_keeps_the_rest(hub: Hub, tiny_llama: Path) -> None:
    hub.create(Account("alice"), "manual", None, private=True)
    repo = hub.repos["alice/manual"]
    from hub_state import Blob

    repo.commit(repo.files | {"NOTES.md": Blob.small(b"mine"), "model.safetensors": Blob.small(b"old")}, "by hand")
    assert publish(finished_run(tiny_llama), base_model=BASE).error(1) is None
    assert repo.files["NOTES.md"].data == b"mine"
    assert "model.safetensors" not in repo.files  # it would be loaded instead of the adapter


def test_no_trace_of_the_token_is_left(hub: Hub, tiny_llama: Path, lab_home: Path, tmp_path: Path) -> None:
    hub.fail("POST", "/preupload/", 418)
    failed = publish(finished_run(tiny_llama), base_model=BASE)
    assert "The Hub answered 418" in refusal(failed)
    create, surfaces = hub.create, []

    def look_around(*asked: Any, **more: Any) -> tuple[str, bool]:
        surfaces.extend(surfaces_of("lab.jobs.worker", lab_home))
        return create(*asked, **more)

    hub.create = look_around  # type: ignore[method-assign]
    assert publish(finished_run(tiny_llama), base_model=BASE).error(1) is None
    assert len(surfaces) == 2 and not any(ALICE.encode() in surface for surface in surfaces)
    files = [path for root in (lab_home, tmp_path / "hf-home", tmp_path / "hub") for path in root.rglob("*")]
    assert any(path.name == "log.txt" for path in files)
    for path in files:
        if path.is_file():
            assert ALICE.encode() not in path.read_bytes(), path
    assert not list((lab_home / "secrets").iterdir())


def test_a_public_repository_is_not_taken_for_a_private_one(hub: Hub, tiny_llama: Path) -> None:
    hub.create(Account("alice"), "manual", None, private=False)
    told = refusal(publish(finished_run(tiny_llama), base_model=BASE))
    assert "exists and is public" in told and f"{hub.base}/alice/manual/settings" in told
    assert hub.repos["alice/manual"].titles == ["initial commit"]


def test_a_repository_that_turns_out_public_gets_no_upload(hub: Hub, tiny_llama: Path) -> None:
    """It becomes public between the check and the upload: create_repo(exist_ok=True) would not tell."""
    original = hub.create

    def public(account: Account, name: str, organization: str | None, private: bool) -> tuple[str, bool]:
        return original(account, name, organization, private=False)

    hub.create = public  # type: ignore[method-assign]
    assert "exists and is public" in refusal(publish(finished_run(tiny_llama), base_model=BASE))
    assert hub.repos["alice/manual"].titles == ["initial commit"]


@pytest.mark.parametrize(
    ("token", "parameters", "sentence"),
    [
        (READER, {}, "may only read"),
        (FINE, {}, "may only read"),  # fine-grained, without repo.write
        ("hf_" + "Unknown77" * 4, {}, "does not accept this token"),
        ("hf_a\r\nX-Evil: 1", {}, "characters that no token has"),
        (ALICE, {"repository": "nobody/manual"}, "neither alice, whose token this is, nor an organisation"),
        (ALICE, {"repository": "../etc"}, "not a name of a repository"),
        (ALICE, {"base_model": "/home/alice/model"}, "not the id of a model"),
        (ALICE, {"what": "everything"}, "cannot be published"),
        (ALICE, {"private": "false"}, "true or false"),
    ],
)
def test_what_cannot_be_published_is_said_before_anything_is_made(
    hub: Hub, tiny_llama: Path, token: str, parameters: dict[str, Any], sentence: str
) -> None:
    job = publish(finished_run(tiny_llama), token, **parameters)
    assert sentence in refusal(job)
    assert job.error(1)["kind"] == "input"
    assert not hub.repos
    assert token not in job.log_text()


def test_a_key_among_the_files_stops_the_upload(hub: Hub, tiny_llama: Path) -> None:
    run_id = finished_run(tiny_llama)
    template = RunDirectory.of(run_id).final_path / "chat_template.jinja"
    template.write_text("{# hf_" + "b" * 34 + " #}{{ messages }}")
    told = refusal(publish(run_id, base_model=BASE))
    assert "chat_template.jinja contains a token or a key" in told and "hf_b" not in told
    assert not hub.repos


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(500, "The Hub answered 500"), (403, "may not do that in alice/manual"), (402, "no room")],
)
def test_a_hub_in_trouble_is_told_in_a_sentence(hub: Hub, tiny_llama: Path, status: int, sentence: str) -> None:
    hub.fail("GET", "/api/models/alice/manual", status, times=20)
    assert sentence in refusal(publish(finished_run(tiny_llama), base_model=BASE))


def test_a_hub_that_cannot_be_reached_is_told_in_a_sentence(
    hub: Hub, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "http://127.0.0.1:9 cannot be reached" in refusal(publish(finished_run(tiny_llama), base_model=BASE))


def test_a_page_can_ask_who_a_token_belongs_to(hub: Hub) -> None:
    def who(token: str) -> dict[str, Any]:
        return child.ask("lab.publishing.child", {"do": "whoami", "token": token}, timeout_s=60)

    assert who(f"  {ALICE}\n") == {"name": "alice", "can_write": True, "orgs": ["lab-org"]}
    assert who(READER) == {"name": "alice", "can_write": False, "orgs": []}
    with pytest.raises(InputError, match="does not accept"):
        who("hf_unknown")
    with pytest.raises(InputError, match="There is no token"):
        who("")
    hub.fail("GET", "/api/whoami-v2", 503, times=20)
    with pytest.raises(LabError, match="answered 503"):
        who(ALICE)
