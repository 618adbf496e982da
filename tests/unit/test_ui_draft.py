"""One draft for each browser: the cookie that names it, and the files that keep it apart."""

import json

import pytest
import streamlit as st

from lab.ui import draft, visitor

ONE, OTHER = "1" * 32, "2" * 32


@pytest.fixture
def browser(monkeypatch):
    """A function that makes the next calls come from a new session of a browser."""

    def come(name):
        st.session_state.clear()
        monkeypatch.setattr(draft, "visitor", lambda: name)

    monkeypatch.setattr(st, "session_state", {})
    monkeypatch.setattr(st, "toast", told.append)
    told.clear()
    return come


told: list[str] = []


def test_two_browsers_keep_their_own_settings(browser):
    browser(ONE)
    draft.put("schedule.epochs", 7.0)
    browser(OTHER)
    draft.put("schedule.epochs", 2.0)
    browser(ONE)
    assert draft.shown("schedule.epochs") == 7.0
    assert not told


def test_a_browser_that_was_never_here_begins_afresh_and_is_offered_what_was_saved_last(browser):
    browser(ONE)
    draft.put("schedule.epochs", 7.0)
    browser(OTHER)
    assert draft.own_paths() == [] and draft.offered()
    draft.take_offered()
    assert draft.shown("schedule.epochs") == 7.0 and not draft.offered()
    browser(OTHER)
    assert draft.shown("schedule.epochs") == 7.0 and not draft.offered()


def test_nothing_is_offered_once_a_browser_has_settings_of_its_own(browser):
    browser(ONE)
    draft.put("schedule.epochs", 7.0)
    browser(OTHER)
    draft.put("schedule.epochs", 2.0)
    assert not draft.offered()
    browser(OTHER)
    assert draft.shown("schedule.epochs") == 2.0


def test_a_second_window_of_the_same_browser_does_not_overwrite_without_a_word(browser, monkeypatch):
    browser(ONE)
    draft.put("schedule.epochs", 7.0)
    first = dict(st.session_state)
    browser(ONE)
    draft.put("schedule.epochs", 2.0)
    monkeypatch.setattr(st, "session_state", first)
    assert not told
    draft.put("schedule.epochs", 9.0)
    assert len(told) == 1 and "Another window" in told[0]


def test_a_broken_file_begins_afresh(browser, lab_home):
    (lab_home / "drafts").mkdir(parents=True)
    (lab_home / "drafts" / f"{ONE}.json").write_text(json.dumps({"values": {"no.such": 1}}))
    browser(ONE)
    assert draft.own_paths() == []


def test_a_cookie_is_made_once_and_a_made_up_name_is_replaced():
    made = visitor.new_cookie("")
    assert "HttpOnly" in made and "SameSite=Strict" in made
    assert visitor.new_cookie(made.partition(";")[0]) == ""
    assert visitor.new_cookie("lab-visitor=../../etc/passwd")
