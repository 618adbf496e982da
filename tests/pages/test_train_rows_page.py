"""Rows that a worker would refuse are told on the train page when a run is started, and nothing is queued."""

import json
from pathlib import Path

from page_driver import keep_draft, open_page, text_of
from task_runs import classification_rows

from lab.runs import client


def test_labels_that_no_training_row_has_are_told_and_nothing_is_queued(tmp_path: Path) -> None:
    rows = [row | {"split": "train"} for row in classification_rows(30)]
    odd = {"text": "a", "label": "odd", "split": "validation"}
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in [*rows, odd]))
    keep_draft({"task": "classification", "data.source": str(file)})
    app = open_page("train")
    app.button(key="train-full").click().run()
    assert "Held-out rows have labels that no training row has: odd." in text_of(app)
    assert client.list_runs() == []
