"""The data page: a file goes in, what is in it is shown, and exactly what will be trained."""

from io import BytesIO

import pytest
from page_driver import address, html_of, keep_draft, markdown_of, open_page, text_of

from lab.errors import InputError
from lab.json_io import read_json
from lab.runs import client, registry
from lab.ui import uploads

EVIL = "![x](https://example.org/x.png) <img src=x onerror=alert(1)>"
CSV = "id,question,answer\n" + "".join(
    f'{i},How do I reset item {i}?,"Open *Settings*, choose item {i}. -- Done."\n' for i in range(40)
)
CSV += f'40,"{EVIL}",Nothing.\n41,,An answer without a question.\n42,How do I reset item 1?,'
CSV += '"Open *Settings*, choose item 1. -- Done."\n'


def give(name, content):
    """The page of a file that lies on the lab's disk, as the uploader leaves it."""
    kept = uploads.keep(BytesIO(content.encode() if isinstance(content, str) else content), name)
    return open_page("data", upload=kept)


def uploader(app):
    """The uploaders on the page."""
    return [part for part in app.get("bidi_component") if part.proto.component_name == "lab-upload"]


@pytest.fixture
def uploaded():
    return give("faq.csv", CSV)


def test_the_guess_is_shown_and_can_be_changed(uploaded):
    selected = {box.label: box.value for box in uploaded.selectbox}
    assert selected["The rows are"] == "question-answer"
    assert (selected["Question"], selected["Answer"], selected["Context"]) == ("question", "answer", None)
    kind = next(box for box in uploaded.selectbox if box.label == "The rows are")
    kind.set_value("prompt-completion").run()
    assert not uploaded.exception
    assert uploaded.button(key="data-prepare").disabled
    assert uploaded.button(key="data-prepare").label == "Choose the column: Prompt"


def test_what_is_wrong_is_told_with_its_line(uploaded):
    assert "Line 43: " in text_of(uploaded)


def test_a_broken_file_is_refused_with_its_line_and_a_way_out():
    app = give("broken.jsonl", '{"question": "a", "answer": "b"}\n{"question": \n')
    shown = text_of(app)
    assert "line 2" in shown.lower()
    assert not [button for button in app.button if button.key == "data-prepare"]


def test_a_file_in_an_old_encoding_can_be_named():
    app = give("windows.csv", "question,answer\nété,réponse\n".encode("cp1252"))
    assert "not UTF-8" in text_of(app)
    box = next(box for box in app.selectbox if box.label == "Encoding")
    box.set_value("cp1252").run()
    assert not app.exception
    assert next(box for box in app.selectbox if box.label == "The rows are").value == "question-answer"


def test_words_without_a_label_do_not_hide_those_with_one():
    app = give("names.conll", "Anna B-person\nlives O\nin O\nOslo B-place\n\n" * 12)
    shown = text_of(app)
    assert "2 labels; the most frequent has 50% of the labelled words." in shown
    assert "24 words, 50%, have no label." in shown


def box_of(app, label):
    """The select box with this label."""
    return next(box for box in app.selectbox if box.label == label)


def test_what_was_said_of_a_file_outlives_a_reload_and_goes_with_the_file(lab_home):
    app = give("windows.csv", "une,deux\nété,réponse\n".encode("cp1252"))
    box_of(app, "Encoding").set_value("cp1252").run()
    box_of(app, "The rows are").set_value("question-answer").run()
    box_of(app, "Question").set_value("une").run()
    upload = address(app, "upload")
    again = open_page("data", upload=upload)  # a new session, as after a reload
    assert box_of(again, "The rows are").value == "question-answer"
    assert (box_of(again, "Question").value, box_of(again, "Answer").value) == ("une", None)
    assert box_of(again, "Encoding").value == "cp1252"
    again.button(key="data-other").click().run()
    assert not list((lab_home / "uploads").iterdir())


@pytest.mark.slow
def test_a_file_without_a_known_ending_is_read_and_prepared_as_a_person_says():
    app = give("faq", CSV)
    assert "no format that the lab reads" in text_of(app)
    next(box for box in app.selectbox if box.label == "Format").set_value("csv").run()
    assert not app.exception
    app.button(key="data-prepare").click().run()
    assert client.wait(address(app, "prepare"), timeout=200).state == "succeeded"


def test_text_of_a_file_never_becomes_markdown(uploaded):
    assert "example.org" not in markdown_of(uploaded)
    assert "<img" not in html_of(uploaded)


def test_an_upload_that_is_gone_is_said_so():
    app = open_page("data", upload="01JZZZZZZZZZZZZZZZZZZZZZZZ")
    assert "no longer here" in text_of(app)
    assert uploader(app)  # and a new one can be given


@pytest.mark.slow
def test_preparing_shows_what_is_kept_and_what_is_trained(uploaded):
    uploaded.number_input(key="set-data.max_length").set_value(64).run()
    uploaded.button(key="data-prepare").click().run()
    assert not uploaded.exception
    run = address(uploaded, "prepare")
    assert client.show(run)["kind"] == "prepare"
    assert client.wait(run, timeout=200).state == "succeeded"

    uploaded.run()
    assert not uploaded.exception
    dataset = address(uploaded, "dataset")
    record = registry.dataset(dataset)
    assert record["rows"]["read"] == 43
    assert record["dropped"] == {"empty question": 1, "duplicate": 1}
    shown = text_of(uploaded)
    assert "**43**" in shown and "**41**" in shown
    assert "without a question" in shown and "repeating an earlier row" in shown
    assert "The maximum length is 64." in shown
    assert uploaded.get("vega_lite_chart")

    preview = read_json(registry.dataset_path(dataset) / "preview.json")
    trained = "".join(text for text, marked in preview[0]["segments"] if marked)
    assert "lab-trained" in html_of(uploaded)
    assert "Open *Settings*" in trained and "How do I" not in trained

    uploaded.button(key="data-train").click().run()
    assert not uploaded.exception
    assert uploaded.title[0].value == "Train"
    assert uploaded.selectbox(key="set-data.source").value == dataset


@pytest.mark.slow
def test_a_preparation_can_be_stopped():
    app = give("faq.csv", CSV)
    app.button(key="data-prepare").click().run()
    run = address(app, "prepare")
    app.button(key="data-stop").click().run()
    assert not app.exception
    assert client.wait(run, timeout=200).state in ("cancelled", "succeeded")


def test_the_demo_set_can_be_looked_at_without_any_upload():
    app = open_page("data")
    app.segmented_control(key="data-source").set_value("demo").run()
    assert not app.exception
    assert "question and answer" in text_of(app)
    assert app.button(key="data-prepare-demo").label == "Prepare"


def test_the_model_that_counts_can_be_changed_and_a_far_one_is_said():
    keep_draft({"model.source": "huggyllama/llama-7b"})
    app = open_page("data")
    app.segmented_control(key="data-source").set_value("demo").run()
    assert app.selectbox(key="set-model.source").value == "huggyllama/llama-7b"
    assert "fetched from the Hub" in text_of(app)
    app.button(key="data-use-demo").click().run()
    assert not app.exception
    assert app.selectbox(key="set-model.source").value == "demo"
    assert "fetched from the Hub" not in text_of(app)


def test_a_model_that_was_refused_is_not_the_one_that_counts(tmp_path):
    app = open_page("data")
    wrong = {"value": str(tmp_path), "error": InputError("no", where="model.source")}
    app.session_state["lab-draft"] = {"recipe": "", "values": {}, "wrong": {"model.source": wrong}}
    app.segmented_control(key="data-source").set_value("demo").run()
    assert app.button(key="data-prepare-demo").disabled
    assert app.button(key="data-prepare-demo").label == "Choose another model"
