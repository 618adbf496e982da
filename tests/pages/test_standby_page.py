"""Which pages say that a run is likely, and when: the word that they leave for the supervisor."""

import os
from pathlib import Path

import pytest
from page_driver import keep_draft, open_page

from lab.runs.locks import try_lock
from lab.runs.store import Store
from lab.runs.supervision import lock_path


@pytest.fixture(autouse=True)
def unheard(lab_home: Path, monkeypatch: pytest.MonkeyPatch):
    """Pages may say it here, and nobody takes the word away: this test holds the supervisor's place."""
    monkeypatch.delenv("LAB_STANDBY")
    lab_home.mkdir()
    lock = try_lock(lock_path())
    yield
    os.close(lock)


def test_the_front_page_expects_the_demo():
    open_page("home")
    request, _ = Store().expected()
    assert request == {"threads": None, "standby": True, "online": False, "hub_endpoint": ""}


def test_the_train_page_expects_the_run_that_is_put_together_there():
    keep_draft({"resources.threads": 1})
    open_page("train")
    request, _ = Store().expected()
    assert (request["threads"], request["standby"]) == (1, True)


def test_a_setup_without_a_standby_takes_the_word_of_the_front_page_for_nobody():
    keep_draft({"speed.standby": False, "resources.threads": 1})
    open_page("train")
    request, _ = Store().expected()
    assert request["threads"] is None  # the front page's, which was opened before


def test_other_pages_expect_nothing():
    open_page("home")
    Store().expected()
    open_page("plan")
    assert Store().expected() is None
