"""A prepared data set on the data page: figures, steps, repetitions, versions, any row, and the editor."""

import json
from pathlib import Path

import pytest
from page_driver import address, html_of, keep_draft, markdown_of, open_page, text_of

from lab.json_io import write_json
from lab.runs import client, registry
from lab.runs.directory import RunDirectory
from lab.runs.home import datasets_folder, new_id

EVIL = "<img src=x onerror=alert(1)> ![x](https://example.org/x.png)"
ROWS = [{"text": f"Row {at} says {EVIL}", "label": "ab"[at % 2], "split": "train"} for at in range(30)]
STEPS = [
    {
        "step": "missing",
        "rows_in": 33,
        "rows_out": 31,
        "dropped": {"empty text": 2},
        "changed": 0,
        "seconds": 0.01,
        "examples": [{"row": 4, "why": "empty text", "before": EVIL}],
    },
    {"step": "repair-text", "rows_in": 31, "rows_out": 31, "dropped": {}, "changed": 3, "seconds": 0.0, "examples": []},
]
FIGURES = {
    "tokens": {"total": 900, "trained": 300, "masked": 600, "cut": 5, "padded": 300, "padded_packed": 10, "batch": 4},
    "classes": {"a": {"train": 14, "validation": 1, "test": 0}, "b": {"train": 13, "validation": 2, "test": 0}},
    "first_words": [["row", 30]],
    "duplicates": [{"row": 3, "of": 1, "similarity": 0.91, "text": EVIL}],
    "leakage": [{"train": 5, "held_out": 7, "similarity": 0.83, "text": EVIL}],
    "leakage_count": 1,
    "sufficiency": {
        "task": "classification",
        "rows": 27,
        "minimum": 100,
        "recommended": 1000,
        "optimal": 10000,
        "verdict": "below",
        "source": "document 002",
    },
    "findings": [{"level": "warning", "template": "{count} rows are odd.", "values": {"count": 2}}],
}
LENGTHS = {
    "model": "demo",
    "edges": [0, 10, 20],
    "counts": [10, 20],
    "median": 12,
    "p95": 18,
    "max": 19,
    "percentiles": {"50": 12, "95": 18},
    "max_length": 16,
    "cut": 3,
    "characters": {"edges": [0, 50, 100], "counts": [12, 18], "median": 60, "p95": 88, "max": 90, "max_characters": 80},
    "characters_per_token": 4.7,
}


def made(version=1, parent=None, **changed):
    """A data set as the preparation leaves it, of the parts that the page reads."""
    identifier = new_id()
    folder = datasets_folder() / identifier
    folder.mkdir()
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    record = {
        "id": identifier,
        "name": "odd rows",
        "version": version,
        "parent": parent,
        "kind": "classification",
        "fingerprint": f"{version:064d}",
        "rows": {"read": 33, "kept": 30, "train": 27, "validation": 3, "test": 0},
        "dropped": {"empty text": 2, "duplicate": 1},
        "options": {"max_length": 16 * version, "preparation": {"steps": ["missing"]}},
    }
    write_json(folder / "dataset.json", record | changed)
    for name, content in {"steps": STEPS, "figures": FIGURES, "lengths": LENGTHS, "preview": []}.items():
        write_json(folder / f"{name}.json", content)
    return identifier


def charts(app):
    """The spec of every chart on the page."""
    return [json.loads(chart.proto.spec) for chart in app.get("vega_lite_chart")]


@pytest.fixture
def shown():
    return open_page("data", dataset=made())


def test_rows_steps_and_reasons_are_told(shown):
    told = text_of(shown)
    assert "**33**" in told and "**30**" in told
    assert "Missing values" in told and "33 → 31" in told and "2 without text" in told
    assert "3 rows changed" in told
    assert "Row 5: without text" in told  # counted from 0 in the file, from 1 on the page


def test_the_verdict_and_the_findings_come_first(shown):
    told = markdown_of(shown)
    assert "27 training rows are fewer than the usual minimum" in told
    assert "2 rows are odd" in told
    assert "1 training row resembles a held\\-out one" in told or "1 training row resembles a held-out one" in told


def test_lengths_are_drawn_in_tokens_and_in_characters_with_their_limits(shown):
    drawn = [spec for spec in charts(shown) if "layer" in spec and len(spec["layer"]) == 2]
    limits = [layer["data"]["values"][0]["x"] for spec in drawn for layer in spec["layer"][1:]]
    assert limits == [16, 80]
    assert "3 examples are cut at the maximum length" in markdown_of(shown)
    assert "4.7 characters" in markdown_of(shown)


def test_the_tokens_are_two_bars_with_the_padding_of_both_ways(shown):
    bars = next(table.value for table in shown.dataframe if "padding" in table.value)
    assert dict(zip(bars["way"], bars["padding"], strict=True)) == {"Batches of 4": 300, "With packing": 10}
    assert set(bars["trained"]) == {300} and set(bars["masked"]) == {600} and set(bars["cut"]) == {5}
    assert "33.3% of the tokens of an example are trained. Padding is 25.0%" in markdown_of(shown)


def test_every_chart_has_a_sentence_for_who_cannot_see_it(shown):
    assert len(shown.get("vega_lite_chart")) >= 4
    for chart in shown.get("vega_lite_chart"):
        assert chart.proto.alt


def test_rows_of_a_kind_without_examples_are_shown_as_they_are(shown):
    assert "learns the label" in html_of(shown)
    shown.number_input[0].set_value(2).run()
    assert "Row 1 says" in html_of(shown)


def test_nothing_of_the_file_is_drawn_as_html_or_markdown(shown):
    assert "<img" not in html_of(shown)
    assert "example.org" not in markdown_of(shown)


def test_versions_of_one_name_are_listed_with_what_changed():
    first = made()
    second = made(version=2, parent=first)
    made(name="another set")
    app = open_page("data", dataset=second)
    told = markdown_of(app).replace("\\", "")
    assert "Version 2" in told and "Version 1" in told
    assert "Maximum length: 16 → 32" in told
    assert len([button for button in app.button if str(button.key).startswith("open-version-")]) == 1
    app.button(key=f"open-version-{first}").click().run()
    assert address(app, "dataset") == first


def test_training_on_labels_takes_the_task_that_can_learn_from_them(shown):
    shown.button(key="data-train").click().run()
    assert not shown.exception
    assert (shown.title[0].value, shown.selectbox(key="set-task").value) == ("Train", "classification")


def test_an_older_data_set_without_the_newer_files_is_still_shown():
    identifier = made()
    for name in ("steps", "figures", "lengths"):
        (registry.dataset_path(identifier) / f"{name}.json").unlink()
    app = open_page("data", dataset=identifier)
    assert not app.exception
    assert "The lengths were not measured" in text_of(app)


def test_changed_rows_become_a_preparation_of_all_rows():
    identifier = made()
    app = open_page("data", dataset=identifier)
    assert app.button(key="edit-save").disabled
    app.session_state[f"edit-{identifier}-1"] = {
        "edited_rows": {0: {"label": "c"}},
        "added_rows": [],
        "deleted_rows": [1],
    }
    app.run()
    assert app.button(key="edit-save").label == "Save 2 changes as a new version"
    app.button(key="edit-save").click().run()
    assert not app.exception
    asked = RunDirectory.of(address(app, "prepare")).parameters
    assert (asked["name"], asked["kind"], asked["edited"]) == ("odd rows", "classification", identifier)
    client.stop(address(app, "prepare"), discard=True)
    rows = [json.loads(line) for line in Path(asked["path"]).read_text().splitlines()]
    assert rows == [ROWS[0] | {"label": "c"}, *ROWS[2:]]


def test_an_emptied_cell_is_refused_with_its_row():
    identifier = made()
    app = open_page("data", dataset=identifier)
    key = f"edit-{identifier}-1"
    app.session_state[key] = {"edited_rows": {2: {"text": ""}}, "added_rows": [], "deleted_rows": []}
    app.run()
    app.button(key="edit-save").click().run()
    assert "Row 3: text is empty" in text_of(app)
    assert "prepare" not in app.query_params


def test_the_steps_are_switched_and_ordered_and_kept_in_the_draft():
    app = open_page("data")
    app.segmented_control(key="data-source").set_value("demo").run()

    def steps():
        return app.session_state["lab-draft"]["values"]["preparation.steps"]

    app.toggle(key="step-on-near-duplicates").set_value(True).run()
    assert steps() == ["missing", "exact-duplicates", "near-duplicates"]
    assert app.text_input(key="set-preparation.near_threshold").value == "0.8"
    app.button(key="step-up-near-duplicates").click().run()
    assert steps() == ["missing", "near-duplicates", "exact-duplicates"]
    assert app.button(key="step-up-missing").disabled
    app.toggle(key="step-on-missing").set_value(False).run()
    assert steps() == ["near-duplicates", "exact-duplicates"]
    assert not [field for field in app.text_input if field.key == "set-preparation.languages"]
    app.toggle(key="step-on-language").set_value(True).run()
    assert app.button(key="data-prepare-demo").label == "Name the languages to keep"


def test_the_preset_of_document_001_says_what_is_wrong_and_can_be_undone():
    keep_draft({"data.max_length": 77})
    app = open_page("data")
    app.segmented_control(key="data-source").set_value("demo").run()
    app.button(key="preset-document-001-0").click().run()
    values = app.session_state["lab-draft"]["values"]
    assert values["preparation.max_characters"] == 1024
    assert values["data.validation_share"] == 0.2
    assert "counts characters" in markdown_of(app) and "L292" in markdown_of(app)
    app.button(key="preset-off").click().run()
    assert not app.exception
    assert app.session_state["lab-draft"]["values"]["data.max_length"] == 77
    assert "counts characters" not in markdown_of(app)


def test_a_name_that_is_none_of_the_hub_is_said_at_the_field():
    app = open_page("data")
    app.segmented_control(key="data-source").set_value("hub").run()
    app.text_input(key="data-hub").set_value("no name").run()
    assert "written owner/name" in markdown_of(app)
    app.text_input(key="data-hub").set_value("owner/rows").run()
    assert not app.exception
    app.button(key="data-prepare-hub").click().run()
    asked = RunDirectory.of(address(app, "prepare"))
    assert asked.parameters["hub"] == "owner/rows"
    client.stop(address(app, "prepare"), discard=True)
