"""A setup without data can be exported: a placeholder stands where the data set belongs."""

from pathlib import Path

import pytest

from lab.catalogue.exchange import export
from lab.spec import RunSpec, with_overrides


@pytest.mark.parametrize("format", ["trl-yaml", "trl-command", "axolotl", "script"])
def test_an_export_without_data_names_a_placeholder_and_no_folder_of_this_machine(format):
    text = export(with_overrides(RunSpec(), {"data.source": "", "model.source": "gpt2"}), format).text
    assert "YOUR_DATA.jsonl" in text
    assert str(Path.cwd()) not in text
