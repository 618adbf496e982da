"""What every test gets: a home of its own, no token, no network; on request, tiny models, the app, a browser.

Torch and Playwright are imported inside the fixtures that need them, so that collecting tests stays quick.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

REPOSITORY = Path(__file__).parent.parent
FAILED = pytest.StashKey[bool]()
LOOPBACK = ("127.0.0.1", "::1", "localhost")

# Set before anything reads them: huggingface_hub and OpenMP look once, at import.
for name in [n for n in os.environ if n.startswith(("HF_", "LAB_", "STREAMLIT_", "WANDB_", "HUGGING"))]:
    del os.environ[name]
os.environ |= {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "TOKENIZERS_PARALLELISM": "false",
    "LAB_STANDBY": "off",  # a page that is tested should not make a process import torch beside it
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in tests/pages and in tests/browser; nobody has to remember it."""
    for item in items:
        folder = item.path.relative_to(REPOSITORY).parts[1]
        if folder in ("pages", "browser"):
            item.add_marker({"pages": "page", "browser": "browser"}[folder])


# --- isolation ---


@pytest.fixture(autouse=True)
def lab_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty LAB_HOME for this test alone; whatever still works for it at the end is ended."""
    home = tmp_path / "lab-home"
    monkeypatch.setenv("LAB_HOME", str(home))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf-home"))  # not the token and cache of who runs the tests
    yield home
    if home.exists():
        end_processes_of(home)


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """A connection that leaves this machine is an error, in this process; the browser has its own guard."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def guard(original: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(self: socket.socket, address: Any) -> Any:
            outside = self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOOPBACK
            if outside:
                raise RuntimeError(f"a test tried to reach {address[0]}, outside this machine")
            return original(self, address)

        return guarded

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guard(connect))
        patch.setattr(socket.socket, "connect_ex", guard(connect_ex))
        yield


def end_processes_of(home: Path) -> None:
    """End every process of this LAB_HOME other than this one: supervisors, shims, workers."""
    import psutil

    mine = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get("LAB_HOME") == str(home):
                mine.append(process)
        except (psutil.Error, OSError):
            continue  # gone meanwhile, or somebody else's
    for process in mine:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(mine, timeout=5)


# --- models ---


@pytest.fixture(scope="session")
def demo_model() -> Path:
    """The embedded model, as it lies in the repository."""
    folder = REPOSITORY / "presets" / "demo" / "model"
    assert (folder / "model.safetensors").is_file(), f"{folder} holds no model"
    return folder


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder with a random Llama (2 layers, width 32); its tokenizer has no pad token, no template."""
    base = tmp_path_factory.getbasetemp()
    base = base if worker_id == "master" else base.parent  # one folder for all test processes
    folder = base / "tiny-llama"
    if not folder.exists():
        unfinished = Path(tempfile.mkdtemp(dir=base))
        build_tiny_llama(unfinished)
        with suppress(OSError):  # another test process may have been quicker; it made the same
            unfinished.rename(folder)
    return folder


SENTENCES = [
    "What does os.path.join do? Join two or more pathname components.",
    "What does str.strip do? Return a copy of the string with whitespace removed.",
    "A learning rate is the size of a step; a batch is what one step sees.",
    "Question: how many? Answer: 0 1 2 3 4 5 6 7 8 9.",
    "L'étudiant lit le manuel, puis il répond en une phrase.",
]


def build_tiny_llama(folder: Path) -> None:
    """Write config.json, model.safetensors and the tokenizer's files to FOLDER; the same bytes each time."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=384, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    fast.save_pretrained(folder)

    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=fast.bos_token_id,
        eos_token_id=fast.eos_token_id,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder)


# --- the real app ---


class Server:
    """The app as `make run` starts it, with a home of its own."""

    def __init__(self, home: Path, *flags: str) -> None:
        self.home, self.flags = home, flags
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = home.with_name(home.name + "-app.log")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the app and return when it answers; a second start finds the same home on the same port."""
        # As a person starts it: nothing here keeps it off the network, and it has all processors.
        hidden = ("HF_HUB_OFFLINE", "OMP_NUM_THREADS")
        environment = {name: value for name, value in os.environ.items() if name not in hidden}
        environment["LAB_HOME"] = str(self.home)
        environment["HF_HOME"] = str(self.home.with_name(self.home.name + "-hf"))
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *self.flags],
                cwd=REPOSITORY,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._wait_until_healthy()

    def _wait_until_healthy(self, timeout_s: float = 60.0) -> None:
        assert self.process is not None
        end = time.monotonic() + timeout_s
        while time.monotonic() < end and self.process.poll() is None:
            if get(self.port, "/_stcore/health") == 200:
                return
            time.sleep(0.1)
        self.stop()
        pytest.fail(f"the app did not start; its log:\n{self.log.read_text(errors='replace')[-3000:]}")

    def stop(self) -> None:
        """End the app itself, as Ctrl-C does; runs and the supervisor go on."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def restart(self) -> None:
        """Stop the app and start it again on the same port and home."""
        self.stop()
        self.start()


def free_port() -> int:
    """A port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str) -> int | None:
    """The status with which the app answers, None while nobody does."""
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


@contextmanager
def running_server(home: Path, *flags: str) -> Iterator[Server]:
    """A running app, ended with everything that it started."""
    server = Server(home, *flags)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        end_processes_of(home)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One running app for the tests of a file."""
    with running_server(tmp_path_factory.mktemp("app") / "home") as server:
        yield server


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """A function that starts an app of the test's own: `start_server(*flags, home=...)`."""
    with ExitStack() as stack:

        def start(*flags: str, home: Path | None = None) -> Server:
            return stack.enter_context(running_server(home or tmp_path / "app-home", *flags))

        yield start


# --- a real browser ---


def chromium() -> str | None:
    """The Chromium to drive: the one that CHROMIUM names, else the system's."""
    path = Path(os.environ.get("CHROMIUM") or "/usr/bin/chromium")
    return str(path) if path.is_file() else None


QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all browser tests; each test opens a context of its own in it."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=20_000)  # what a page may take on a machine that also trains; its own 5 s are too few
    path = chromium()
    if path is None:
        pytest.fail("No Chromium: install it, or name one with CHROMIUM=/path (make browser does both).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


def leaves_the_host(url: str) -> bool:
    """Whether asking for this address sends anything out of this machine."""
    parts = urlsplit(url)
    return parts.scheme not in ("data", "blob", "about") and parts.hostname not in LOOPBACK


@pytest.fixture
def new_page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """A function that opens a fresh visitor: `new_page(locale="fr-FR", color_scheme="dark")`.

    The test fails when one of its pages asks for anything outside this machine or raises an error.
    When it fails, a picture of each page is left in test-results/.
    """
    pages: list[Page] = []
    outside: list[str] = []
    broken: list[str] = []

    def note(url: str) -> None:
        if leaves_the_host(url):
            outside.append(url)

    def open_page(**options: Any) -> Page:
        defaults = {"locale": "en-US", "color_scheme": "light", "viewport": {"width": 1280, "height": 900}}
        context = browser.new_context(**{**defaults, "reduced_motion": "reduce", **options})
        context.on("request", lambda sent: note(sent.url))
        page = context.new_page()
        page.on("websocket", lambda opened: note(opened.url))
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.set_default_timeout(20_000)
        pages.append(page)
        return page

    yield open_page
    if request.node.stash.get(FAILED, False):
        folder = REPOSITORY / "test-results"
        folder.mkdir(exist_ok=True)
        for number, page in enumerate(pages):
            page.screenshot(path=folder / f"{request.node.name}-{number}.png", full_page=True)
    for page in pages:
        page.context.close()
    assert not outside, f"the page asked for something outside this machine: {outside}"
    assert not broken, f"the page raised an error in the browser: {broken}"


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    """One fresh visitor with an English browser in light colours."""
    return new_page()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Let fixtures know whether their test failed."""
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report
