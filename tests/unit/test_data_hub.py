"""Data sets of the Hub, against the loopback server: which files are read, which parts they are, what is refused."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_server import Account, Hub, serve
from hub_state import Repo
from huggingface_hub import HfApi, constants, hf_hub_download

from lab.data import limits
from lab.data.hub import read_hub
from lab.data.hub_layout import layout
from lab.data.opening import open_data
from lab.data.options import Options
from lab.data.progress import NotesOnly, Stopped
from lab.errors import InputError, LabError
from lab.runs.network import HubData, hub_data, is_data_on_hub
from lab.spec import build

TOKEN = "hf_" + "a" * 34


def rows(count: int, start: int = 0) -> list[dict[str, str]]:
    return [{"question": f"What is {n} plus one?", "answer": f"It is {n + 1}."} for n in range(start, start + count)]


def jsonl(*given: dict[str, Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in given).encode()


def parquet(given: list[dict[str, Any]]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(given), sink)
    return sink.getvalue().to_pybytes()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The server; this process may talk to it, with a cache of its own."""
    with serve(tmp_path / "hub", {TOKEN: Account("alice")}) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.base)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        yield served


class Heard(NotesOnly):
    """Keeps what is told of the progress."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[tuple[int, int]] = []

    def progress(self, step: int, steps: int) -> None:
        self.steps.append((step, steps))


# --- names ---


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("alice/faq", HubData("alice/faq")),
        ("hub:alice/faq", HubData("alice/faq")),
        ("hub:squad", HubData("squad")),
        ("alice/faq:fr-2", HubData("alice/faq", "fr-2")),
        ("alice/faq@refs/convert/parquet", HubData("alice/faq", "", "refs/convert/parquet")),
        ("alice/faq:fr@v1.0", HubData("alice/faq", "fr", "v1.0")),
        ("hub:alice/rows.csv", HubData("alice/rows.csv")),
        ("alice/rows.csv", None),
        ("demo", None),
        ("faq", None),
        ("../faq", None),
        ("/data/faq", None),
        ("alice/faq/rows", None),
        ("hub:../../etc", None),
        ("", None),
    ],
)
def test_what_names_a_data_set_of_the_hub(source: str, named: HubData | None):
    assert hub_data(source) == named
    assert is_data_on_hub(source) is (named is not None)
    assert named is None or hub_data(f"hub:{named}") == named


def test_a_folder_here_is_no_data_set_there_unless_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "alice" / "faq").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert hub_data("alice/faq") is None
    assert hub_data("hub:alice/faq") == HubData("alice/faq")


# --- which files ---

FAQ = HubData("alice/faq")


@pytest.mark.parametrize(
    ("names", "files"),
    [
        (
            "README.md data/train-00000-of-00002.parquet data/train-00001-of-00002.parquet data/test-0.parquet",
            {
                "data/train-00000-of-00002.parquet": "train",
                "data/train-00001-of-00002.parquet": "train",
                "data/test-0.parquet": "test",
            },
        ),
        ("train.jsonl dev.jsonl", {"train.jsonl": "train", "dev.jsonl": "validation"}),
        ("validation/a.csv train/a.csv", {"validation/a.csv": "validation", "train/a.csv": "train"}),
        ("faq.csv faq.json other.csv dataset_infos.json", {"faq.csv": "", "other.csv": ""}),
        ("train.csv extra.csv test.csv", {"train.csv": "train", "test.csv": "test"}),
        ("test.csv", {"test.csv": ""}),
        ("training_set.tsv contest.tsv", {"training_set.tsv": ""}),
        (".hidden/train.csv LICENSE.txt rows.txt", {"rows.txt": ""}),
    ],
)
def test_files_and_their_parts_go_by_their_names(names: str, files: dict[str, str]):
    assert layout(FAQ, dict.fromkeys(names.split(), 10), None).files == files


@pytest.mark.parametrize(
    ("config", "data_files", "files"),
    [
        ("", "*.csv", {"a.csv": ""}),
        ("", ["a.csv", "de/*.csv"], {"a.csv": "", "de/x.csv": ""}),
        ("", [{"split": "train_sft", "path": "a.csv"}, {"split": "test_sft", "path": ["de/*"]}], "train test"),
        ("", {"train": "a.csv", "validation": "**/x.csv"}, "train validation"),
        ("", [{"split": "train", "path": "a.csv"}, {"split": "unsupervised", "path": "de/x.csv"}], {"a.csv": ""}),
    ],
)
def test_the_card_says_which_files_are_which_part(config: str, data_files: Any, files: Any):
    configs = [{"config_name": "plain", "data_files": data_files}]
    found = layout(FAQ, {"a.csv": 1, "de/x.csv": 1, "de/deep/y.csv": 1}, configs)
    expected = files if isinstance(files, dict) else dict(zip(("a.csv", "de/x.csv"), files.split(), strict=True))
    assert (found.config, found.files) == ("plain", expected)
    assert set(found.left_out) == {"a.csv", "de/x.csv", "de/deep/y.csv"} - expected.keys()


CONFIGS = [{"config_name": "fr", "data_dir": "fr"}, {"config_name": "en", "data_files": "en.csv"}]


def test_of_several_configurations_one_is_chosen():
    sizes = {"fr/train.csv": 1, "fr/test.csv": 1, "en.csv": 1}
    with pytest.raises(InputError, match="several configurations") as refused:
        layout(FAQ, sizes, CONFIGS)
    assert "fr, en" in str(refused.value)
    assert "alice/faq:fr" in str(refused.value)
    found = layout(HubData("alice/faq", "fr"), sizes, CONFIGS)
    assert found.files == {"fr/test.csv": "test", "fr/train.csv": "train"}
    preferred = [CONFIGS[0], CONFIGS[1] | {"default": True}]
    assert layout(FAQ, sizes, preferred).config == "en"
    with pytest.raises(InputError, match="no configuration de"):
        layout(HubData("alice/faq", "de"), sizes, CONFIGS)
    with pytest.raises(InputError, match="no configuration fr"):
        layout(HubData("alice/faq", "fr"), sizes, None)


def test_the_copies_that_the_hub_makes_are_read_by_configuration():
    sizes = {"fr/train/0000.parquet": 1, "fr/partial-test/0000.parquet": 1, "en/train/0000.parquet": 1}
    found = layout(HubData("alice/faq", "fr", "refs/convert/parquet"), sizes, None)
    assert found.files == {"fr/train/0000.parquet": "train", "fr/partial-test/0000.parquet": "test"}


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"faq.py": 9, "README.md": 9}, ("never runs a program", "alice/faq@refs/convert/parquet")),
        ({"images.zip": 9, "README.md": 9}, ("no file of rows", ".zip")),
        ({}, ("no file of rows",)),
        ({"a.csv": limits.HUB_BYTES, "b.csv": 1}, ("too large", "4.0 GiB")),
        ({f"{n}.csv": 1 for n in range(limits.HUB_FILES + 1)}, ("too large", "201 files")),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_way_out(sizes: dict[str, int], words: tuple[str, ...]):
    with pytest.raises(InputError) as refused:
        layout(FAQ, sizes, None)
    assert refused.value.next
    assert all(word in str(refused.value) for word in words)


# --- reading ---


def test_shards_are_joined_and_parts_are_kept(hub: Hub, tmp_path: Path):
    first, second = parquet(rows(3)), parquet(rows(2, 3))
    commit = hub.add_data(
        "alice/faq",
        {
            "data/train-00000-of-00002.parquet": first,
            "data/train-00001-of-00002.parquet": second,
            "data/test-00000-of-00001.parquet": parquet(rows(2, 10)),
            "faq.py": b"raise SystemExit('a program of the Hub ran')",
        },
        license="cc-by-4.0",
    )
    heard = Heard()
    reading = read_hub("alice/faq", Options(), tmp_path, heard)
    source = reading.source
    assert (source.name, source.kind, source.read) == ("alice/faq", "question-answer", 7)
    assert Counter(row["split"] for row in source.rows) == {"train": 5, "test": 2}
    assert {"question": "What is 4 plus one?", "answer": "It is 5.", "split": "train"} in source.rows
    told = reading.facts["hub"]
    assert (told["id"], told["commit"], told["license"]) == ("alice/faq", commit, "cc-by-4.0")
    assert (told["gated"], told["private"]) == (False, False)
    assert not any(path.endswith("faq.py") for _, path, _ in hub.calls)
    done = [step for step, _ in heard.steps]
    assert done == sorted(done)
    assert heard.steps[-1][0] == heard.steps[-1][1] > len(first) + len(second)


def test_what_was_fetched_is_not_fetched_again_until_the_data_set_changes(hub: Hub, tmp_path: Path):
    hub.add_data("alice/faq", {"rows.jsonl": jsonl(*rows(2))})
    for _ in range(2):
        assert len(read_hub("alice/faq", Options(), tmp_path).source.rows) == 2
    assert sum(method == "GET" and "resolve" in path for method, path, _ in hub.calls) == 1
    old = hub.data_sets["alice/faq"].main
    hub.add_data("alice/faq", {"rows.jsonl": jsonl(*rows(3))})
    assert len(read_hub("alice/faq", Options(), tmp_path).source.rows) == 3
    assert len(read_hub(f"alice/faq@{old}", Options(), tmp_path).source.rows) == 2


def test_a_configuration_and_a_branch_are_read(hub: Hub, tmp_path: Path):
    hub.add_data(
        "alice/faq", {"fr/train.csv": b"question,answer\na,b\n", "en.csv": b"prompt,completion\na,b\n"}, configs=CONFIGS
    )
    assert read_hub("alice/faq:en", Options(), tmp_path).source.kind == "prompt-completion"
    converted = {"en/train/0000.parquet": parquet(rows(4))}
    hub.add_data("alice/faq", converted, ref="refs/convert/parquet")
    hub.data_sets["alice/faq"].card.clear()
    assert len(read_hub("alice/faq@refs/convert/parquet", Options(), tmp_path).source.rows) == 4


def test_a_broken_file_is_refused_with_its_line(hub: Hub, tmp_path: Path):
    hub.add_data("alice/faq", {"train.jsonl": jsonl(*rows(2)) + b'{"question": \n'})
    with pytest.raises(InputError) as refused:
        read_hub("alice/faq", Options(), tmp_path)
    assert refused.value.where == "alice/faq/train.jsonl:3"


def test_a_shard_of_another_kind_is_refused(hub: Hub, tmp_path: Path):
    hub.add_data("alice/faq", {"a.jsonl": jsonl(*rows(2)), "b.jsonl": jsonl({"text": "words", "label": "x"})})
    with pytest.raises(InputError) as refused:
        read_hub("alice/faq", Options(), tmp_path)
    assert "question" in str(refused.value)


def test_stopping_ends_the_fetching(hub: Hub, tmp_path: Path):
    hub.add_data("alice/faq", {"a.jsonl": jsonl(*rows(2)), "b.jsonl": jsonl(*rows(2))})
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 1

    with pytest.raises(Stopped):
        read_hub("alice/faq", Options(), tmp_path, stop=stop)
    assert not any("b.jsonl" in path for _, path, _ in hub.calls)


def test_a_file_that_xet_stores_is_fetched_and_stopped(hub: Hub, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    chance = random.Random(1)
    long = [row | {"answer": chance.randbytes(500).hex()} for row in rows(3000)]
    api = HfApi(endpoint=hub.base, token=TOKEN)
    api.create_repo("alice/store")
    api.upload_file(path_or_fileobj=parquet(long), path_in_repo="a.parquet", repo_id="alice/store")
    stored = hub.repos["alice/store"].files["a.parquet"]
    assert stored.xet
    hub.data_sets["alice/faq"] = Repo(private=False)
    hub.data_sets["alice/faq"].commit({"a.parquet": stored}, "data")
    capfd.readouterr()
    heard = Heard()
    with pytest.raises(Stopped):
        read_hub("alice/faq", Options(), tmp_path, heard, stop=lambda: bool(heard.steps))
    assert "Traceback" not in capfd.readouterr().err
    assert read_hub("alice/faq", Options(), tmp_path, heard).source.rows[2]["answer"] == long[2]["answer"]
    assert heard.steps[-1] == (stored.size, stored.size)


# --- what the Hub refuses ---


def test_a_data_set_that_is_not_there_or_private_is_a_sentence(hub: Hub, tmp_path: Path):
    hub.add_data("alice/secret", {"a.jsonl": jsonl(*rows(2))}, private=True)
    for name in ("alice/nothing", "alice/secret"):
        with pytest.raises(InputError, match=f"no public data set called {name}") as refused:
            read_hub(name, Options(), tmp_path)
        assert refused.value.next
    hub.add_data("alice/faq", {"a.jsonl": jsonl(*rows(2))})
    with pytest.raises(InputError, match="no revision v9"):
        read_hub("alice/faq@v9", Options(), tmp_path)


def test_a_gated_data_set_is_read_once_somebody_fetched_it(hub: Hub, tmp_path: Path):
    hub.add_data("alice/gated", {"a.jsonl": jsonl(*rows(2))}, gated="auto", license="other")
    with pytest.raises(InputError, match="is gated") as refused:
        read_hub("alice/gated", Options(), tmp_path)
    assert "hf download alice/gated --repo-type dataset" in str(refused.value)
    hf_hub_download("alice/gated", "a.jsonl", repo_type="dataset", endpoint=hub.base, token=TOKEN)
    reading = read_hub("alice/gated", Options(), tmp_path)
    assert len(reading.source.rows) == 2
    assert reading.facts["hub"]["gated"] is True


def test_a_hub_that_fails_or_does_not_answer_is_a_sentence(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    hub.add_data("alice/faq", {"a.jsonl": jsonl(*rows(2))})
    hub.fail("GET", "/api/datasets", 500, times=9)
    with pytest.raises(LabError, match=r"cannot be loaded from the Hub: HTTP 500\.") as refused:
        read_hub("alice/faq", Options(), tmp_path)
    assert refused.value.next
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(LabError, match="cannot be loaded from the Hub"):
        read_hub("alice/faq", Options(), tmp_path)


def test_without_the_network_a_data_set_of_the_hub_is_refused_with_what_to_do(tmp_path: Path):
    with pytest.raises(LabError, match="cannot be loaded from the Hub") as refused:
        read_hub("some/set", Options(), tmp_path)
    assert "download a file" in str(refused.value)


# --- in a run, and on the command line ---


def test_a_run_reads_a_data_set_of_the_hub(hub: Hub, tmp_path: Path):
    hub.add_data("alice/faq", {"train.jsonl": jsonl(*rows(9)), "dev.jsonl": jsonl(*rows(2, 20))}, license="mit")
    found = open_data(build({"data": {"source": "alice/faq", "max_length": 256}}), tmp_path)
    assert (len(found.train), len(found.validation)) == (9, 2)
    record = json.loads((tmp_path / "data" / "dataset.json").read_text())
    assert record["hub"]["license"] == "mit"


def test_the_command_prepares_a_data_set_of_the_hub(hub: Hub, tmp_path: Path, lab_home: Path):
    commit = hub.add_data("alice/faq", {"train.jsonl": jsonl(*rows(20))}, license="mit")
    environment = os.environ | {"HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "hf")}
    command = [sys.executable, "-m", "lab", "data", "prepare", "hub:alice/faq", "--name", "Sums", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["rows"]["read"] == 20
    record = json.loads((lab_home / "datasets" / told["dataset"] / "dataset.json").read_text())
    assert (record["name"], record["hub"]["commit"], record["hub"]["files"]) == ("Sums", commit, {"train.jsonl": ""})
