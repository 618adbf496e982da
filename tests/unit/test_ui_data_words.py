"""Every reason for which the work wing leaves a row out has words of its own on the page."""

from __future__ import annotations

import pytest

from lab.data import rendered, shaping
from lab.data.steps import language, lengths, near, privacy, text
from lab.ui.data_dropped import REASONS

STEPS = (
    *(language.OTHER_LANGUAGE, lengths.TOO_SHORT, lengths.TOO_LONG, near.NEAR_DUPLICATE, privacy.PERSONAL),
    *(text.REPAIRED, shaping.LEAKS, shaping.UNDERSAMPLED),
)


@pytest.mark.parametrize("reason", [*rendered.REASONS, *STEPS])
def test_a_reason_has_its_words(reason: str) -> None:
    assert REASONS.get(reason, "").strip()


def test_no_words_stand_for_a_reason_that_nobody_gives() -> None:
    assert set(REASONS) == {*rendered.REASONS, *STEPS}
