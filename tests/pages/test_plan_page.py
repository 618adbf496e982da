"""The plan page: numbers in, consequences out, findings with a button that answers them."""

import pytest
from page_driver import open_page, text_of

NUMBERS = {
    "data.examples": 114000,
    "schedule.per_device_batch": 4,
    "schedule.accumulation": 8,
    "resources.devices": 6,
}


@pytest.fixture
def planned():
    """The plan of the document's example: 4 x 8 x 6 examples a step, 25,000 steps, 114,000 rows."""
    app = open_page("plan")
    for path, value in NUMBERS.items():
        app.number_input(key=f"set-{path}").set_value(value).run()
    app.segmented_control(key="plan-length").set_value("steps").run()
    app.number_input(key="set-schedule.max_steps").set_value(25000).run()
    assert not app.exception
    return app


def test_the_documents_example_gives_a_batch_of_192_and_42_epochs(planned):
    shown = text_of(planned)
    assert "**192**" in shown
    assert "**42.1**" in shown
    assert "4 × 8 × 6" in shown


def test_a_finding_is_answered_by_one_press(planned):
    assert "42.1 times" in text_of(planned)
    planned.button(key="apply-schedule.max_steps").click().run()
    assert not planned.exception
    assert planned.number_input(key="set-schedule.max_steps").value == 1782
    assert "42.1 times" not in text_of(planned)


def test_going_by_epochs_again_forgets_the_number_of_steps(planned):
    planned.segmented_control(key="plan-length").set_value("epochs").run()
    assert planned.text_input(key="set-schedule.epochs").value == "3"
    assert "**1,782**" in text_of(planned)


def test_each_number_shows_its_formula_and_where_that_comes_from(planned):
    labels = [expander.label for expander in planned.expander]
    assert "Epochs: how 42.1 is computed" in labels
    assert "steps × effective batch / examples" in text_of(planned)
    assert "effective batch = 192" in text_of(planned)


def test_a_value_that_cannot_be_used_is_explained_at_its_field_and_changes_nothing(planned):
    planned.text_input(key="set-schedule.learning_rate").set_value("fast").run()
    assert not planned.exception
    shown = text_of(planned)
    assert "not a valid value" in shown
    assert "**192**" in shown
    assert planned.text_input(key="set-schedule.learning_rate").value == "fast"


def test_what_is_not_known_is_said_in_words():
    app = open_page("plan")
    app.text_input(key="set-model.source").set_value("someone/unknown-model").run()
    assert not app.exception
    assert "**not known**" in text_of(app)
    assert "Memory is not known" in text_of(app)


def test_memory_and_time_can_be_planned_for_another_device():
    app = open_page("plan")
    app.selectbox(key="plan-device").set_value("h100").run()
    assert not app.exception
    assert "NVIDIA H100" in text_of(app)


def test_the_plan_goes_on_to_training_with_the_same_numbers(planned):
    planned.button(key="plan-train").click().run()
    assert not planned.exception
    assert planned.title[0].value == "Train"
    assert planned.number_input(key="set-schedule.max_steps").value == 25000
