"""Numbers in a terminal."""

import pytest

from lab.cli.words import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (45, "0:45"), (720, "12:00"), (155_000, "43:03:20"), (1e6, "11.6 days"), (44_505_000, "515.1 days")],
)
def test_times_stay_readable_however_long(seconds, text):
    assert duration(seconds) == text
