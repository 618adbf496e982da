"""LAB_HOME and ids: nothing but an id ever becomes a part of a path."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.errors import NotFoundError
from lab.runs import home, registry


def test_the_home_is_for_its_owner_only(lab_home: Path) -> None:
    assert home.lab_home() == lab_home
    assert stat.S_IMODE(lab_home.stat().st_mode) == 0o700


def test_ids_sort_by_time_and_tell_it() -> None:
    first, second = home.new_id(), home.new_id()
    assert home.is_id(first)
    assert home.created_at(first) <= home.created_at(second)


tricky = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        ["..", "../..", "/etc/passwd", "%2e%2e", "a/../b", "\0", "a" * 10_000, "..\\..", "C:\\x"]
    ),
    st.text(alphabet="0123456789ABCDEFGHJKMNPQRSTVWXYZ./\\", min_size=26, max_size=26),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(tricky)
def test_whatever_is_asked_for_only_a_run_that_exists_is_found(lab_home: Path, text: str) -> None:
    (lab_home / "runs").mkdir(parents=True, exist_ok=True)
    with pytest.raises(NotFoundError):
        home.run_path(text)
    with pytest.raises(NotFoundError):
        registry.dataset_path(text)
