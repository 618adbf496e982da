"""Measure the app process: first page after the start command, memory, CPU time of a rerun, and no torch in it.

    python benchmarks/app_process.py [--json] [--peer COMMAND --peer-url URL --peer-text TEXT]

The browser is started before the clock, so that only the app counts. With `--peer`, the start and memory of another
board are measured in the same session in the same way: COMMAND starts it, URL is opened until TEXT is seen.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parent.parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
HEAVY = ("libtorch", "_torch", "bitsandbytes")


def free_port() -> int:
    """A TCP port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def first_page(browser: Browser, command: list[str], url: str, text: str, env: dict[str, str]) -> dict:
    """Start `command`, open `url` until `text` is seen; seconds and memory (MiB) of the process tree."""
    page = browser.new_page()
    started = time.monotonic()
    silent = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=silent, stderr=silent)  # noqa: S603  # the caller
    try:
        wait_until_seen(page, url, text)
        seconds = time.monotonic() - started
        time.sleep(3)
        return {"first_page_s": round(seconds, 2), "memory_mib": memory_mib(process.pid)} | measure_rest(page, process)
    finally:
        page.close()
        process.send_signal(signal.SIGINT)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()


def wait_until_seen(page: Page, url: str, text: str, limit_s: float = 180) -> None:
    """Reload until the server answers, then wait for the text."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        try:
            page.goto(url, timeout=2000)
            page.get_by_text(text, exact=False).first.wait_for(timeout=60_000)
            return
        except Exception:  # not up yet: refused, or half a page
            time.sleep(0.05)
    raise TimeoutError(f"{url} did not show {text!r}")


def memory_mib(pid: int) -> float:
    """Resident memory of the process that serves the pages (the one that listens), in MiB."""
    tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    listening = [process for process in tree if any(c.status == "LISTEN" for c in process.net_connections("tcp"))]
    return round(max(process.memory_info().rss for process in listening or tree[:1]) / 2**20, 1)


def measure_rest(page: Page, process: subprocess.Popen) -> dict:
    """CPU time of one full rerun (median of 15); memory and CPU with a run on the live screen; libraries mapped in."""
    server = psutil.Process(process.pid)
    costs = []
    links = page.locator('[data-testid="stSidebarNavLink"]')
    if links.count() < 2:
        return {}
    for turn in range(15):
        before = sum(server.cpu_times()[:2])
        links.nth(turn % 2).click()
        time.sleep(0.7)
        costs.append(sum(server.cpu_times()[:2]) - before)
    links.first.click()
    page.get_by_role("button", name="Start the demo").click()
    page.locator(".lab-answers").wait_for(timeout=120_000)
    before, began = sum(server.cpu_times()[:2]), time.monotonic()
    time.sleep(20)
    live = (sum(server.cpu_times()[:2]) - before) / (time.monotonic() - began)
    maps = Path(f"/proc/{process.pid}/maps").read_text()
    return {
        "rerun_cpu_ms": round(1000 * sorted(costs)[len(costs) // 2], 1),
        "live_memory_mib": memory_mib(process.pid),
        "live_cpu_share": round(live, 3),
        "heavy_libraries": [name for name in HEAVY if name in maps],
    }


def end_jobs(home: str) -> None:
    """End the supervisor and the worker of the run that was watched."""
    for process in psutil.process_iter():
        try:
            if process.environ().get("LAB_HOME") == home:
                process.kill()
        except psutil.Error:
            continue  # gone meanwhile, or somebody else's


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--peer", default="")
    parser.add_argument("--peer-url", default="http://127.0.0.1:7860")
    parser.add_argument("--peer-text", default="")
    arguments = parser.parse_args()
    port = free_port()
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        env = os.environ | {"LAB_HOME": home}
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
        figures = {"lab": first_page(browser, command, f"http://127.0.0.1:{port}", "Watch a model learn", env)}
        if arguments.peer:
            figures["peer"] = first_page(
                browser, shlex.split(arguments.peer), arguments.peer_url, arguments.peer_text, dict(os.environ)
            )
            figures["ratio"] = {
                name: round(figures["peer"][name] / figures["lab"][name], 2) for name in ("first_page_s", "memory_mib")
            }
        browser.close()
        end_jobs(home)
    print(json.dumps(figures) if arguments.json else json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
