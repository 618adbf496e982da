"""Numbers as a person reads them."""

import pytest

from lab.ui import format as forms


@pytest.mark.parametrize(
    ("value", "text"),
    [(2e-4, "2e-4"), (1e-3, "1e-3"), (1.5e-5, "1.5e-5"), (3e-4, "3e-4"), (0, "0"), (None, "not known")],
)
def test_learning_rates_are_short(value, text):
    assert forms.learning_rate(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "under 1 s"),
        (45, "45 s"),
        (720, "12 min"),
        (155_000, "43 h 3 min"),
        (7200, "2 h"),
        (None, "not known"),
        (float("nan"), "not known"),
        (10 * 86400, "10.0 days"),
    ],
)
def test_times_are_in_human_units(seconds, text):
    assert forms.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.01, "10 MiB"),
        (0.5, "0.50 GiB"),
        (21.44, "21.4 GiB"),
        (None, "not known"),
        (0.001, "1.0 MiB"),
        (1e-6, "1 KiB"),
        (291 / 2**30, "291 bytes"),
    ],
)
def test_sizes_are_in_gib(value, text):
    assert forms.gib(value) == text


def test_what_is_not_known_is_a_word():
    assert forms.number(None) == forms.share(None) == forms.loss(None) == "not known"
    assert forms.number(114000) == "114,000"
    assert forms.share(0.4567, 1) == "45.7%"
