"""The train page: a short form, and two buttons that say what is missing."""

import json
import shlex

import pytest
from page_driver import go, keep_draft, open_page, text_of
from streamlit.testing.v1 import AppTest
from task_runs import classification_rows, entity_rows, prepared

from lab import spec as specs
from lab.errors import InputError
from lab.runs import client
from lab.spec import RunSpec
from lab.ui import fits


def labels(app):
    return app.button(key="train-short").label, app.button(key="train-full").label


def test_with_the_demo_nothing_is_missing():
    app = open_page("train")
    assert labels(app) == ("Start a short run (30 steps)", "Start training")
    assert not app.button(key="train-full").disabled


def test_the_buttons_name_the_model_when_there_is_none():
    app = open_page("train")
    app.selectbox(key="set-model.source").set_value(None).run()
    assert not app.exception
    assert labels(app) == ("Short run: choose a model", "Choose a model")
    assert app.button(key="train-short").disabled
    assert app.button(key="train-full").disabled


def test_a_folder_that_is_no_model_is_explained_at_the_field(tmp_path):
    folder = tmp_path / "not-a-model"
    folder.mkdir()
    keep_draft({"model.source": str(folder)})
    app = open_page("train")
    assert labels(app)[1] == "Choose another model"
    assert r"config\.json" in text_of(app)


def test_a_model_folder_can_be_trained(tiny_llama):
    keep_draft({"model.source": str(tiny_llama)})
    app = open_page("train")
    assert labels(app)[1] == "Start training"


def test_the_buttons_name_the_data_when_there_is_none():
    app = open_page("train")
    app.selectbox(key="set-data.source").set_value(None).run()
    assert not app.exception
    assert labels(app)[1] == "Choose the data"


def test_a_data_set_that_is_gone_is_explained():
    keep_draft({"data.source": "01JZZZZZZZZZZZZZZZZZZZZZZZ"})
    app = open_page("train")
    assert labels(app)[1] == "Choose other data"
    assert "There is no data set" in text_of(app)


def test_the_buttons_name_a_setting_that_is_wrong():
    app = open_page("train")
    app.text_input(key="set-schedule.learning_rate").set_value("0.5").run()
    assert not app.exception
    assert labels(app) == ("Short run: correct the learning rate", "Correct the learning rate")
    app.text_input(key="set-schedule.learning_rate").set_value("2e-4").run()
    assert labels(app)[1] == "Start training"


def test_what_cannot_run_today_goes_back_to_what_can_in_one_press():
    app = open_page("plan")
    app.number_input(key="set-resources.devices").set_value(6).run()
    go(app, "train")
    assert labels(app)[1] == "Correct the devices"
    app.button(key="train-fix").click().run()
    assert labels(app)[1] == "Start training"


def test_the_summary_says_what_will_happen_before_the_start():
    shown = text_of(open_page("train"))
    for name in ("Effective batch", "Optimizer steps", "Trained share", "Memory", "Time"):
        assert name in shown
    assert "assumed speed" in shown


def test_the_form_shows_nine_inputs_and_the_others_one_click_away():
    app = open_page("train")
    inputs = [*app.selectbox, *app.number_input, *app.text_input, *app.checkbox]
    assert len(inputs) == 9
    assert "Expert settings" in [expander.label for expander in app.expander]


def test_starting_makes_one_run_however_often_it_is_pressed():
    app = open_page("train")
    app.button(key="train-short").click().run()
    assert not app.exception
    runs = client.list_runs()
    assert len(runs) == 1
    assert runs[0].short
    assert client.show(runs[0].id)["spec"]["schedule"]["learning_rate"] == 2e-4
    go(app, "train").button(key="train-short").click().run()  # the second half of a double click
    assert [run.id for run in client.list_runs()] == [runs[0].id]


def test_the_command_starts_the_same_run(lab_home):
    app = open_page("train")
    app.text_input(key="set-schedule.learning_rate").set_value("1e-3").run()
    app.selectbox(key="set-method.name").set_value("full").run()
    command = next(code.value for code in app.code if "--set" in code.value)
    words = shlex.split(command)
    pairs = [words[index + 1] for index, word in enumerate(words) if word == "--set"]
    built = specs.with_overrides(RunSpec(), specs.read_overrides(pairs))
    assert built.schedule.learning_rate == 1e-3
    assert built.method.name == "full"
    kept = json.loads((lab_home / "draft.json").read_text())
    assert set(kept["values"]) == {"schedule.learning_rate", "method.name"}


def test_a_planned_number_of_examples_does_not_outlive_the_data_that_are_known():
    keep_draft({"data.examples": 20_000})
    shown = text_of(open_page("train"))
    assert "20,000" not in shown
    app = open_page("train")
    app.button(key="train-short").click().run()
    run = client.list_runs()[0].id
    assert client.show(run)["spec"]["data"]["examples"] is None


def test_choosing_where_to_start_takes_own_values_back_and_says_so():
    keep_draft({"schedule.learning_rate": 1e-3, "data.source": "some/data"}, recipe="demo")
    app = open_page("train")
    app.selectbox(key="draft-recipe").set_value("").run()
    assert not app.exception
    assert "learning rate" in app.toast[0].value
    assert app.text_input(key="set-schedule.learning_rate").value == "2e-4"
    assert app.selectbox(key="set-data.source").value == "some/data"


def test_a_refused_model_stays_at_its_field(tmp_path):
    app = open_page("train")
    wrong = {"value": str(tmp_path), "error": InputError("There is no model.")}
    app.session_state["lab-draft"] = {"recipe": "", "values": {}, "wrong": {"model.source": wrong}}
    app.run()
    assert labels(app)[1] == "Choose another model"
    assert "The numbers come as soon as" in text_of(app)
    assert "Effective batch" not in text_of(app)


def test_a_wrong_value_is_named_by_its_label():
    app = open_page("train")
    app.number_input(key="set-schedule.per_device_batch").set_value(0).run()
    assert not app.exception
    shown = text_of(app)
    assert "valid value for Batch per device" in shown
    assert "schedule\\.per" not in shown


def test_a_folder_that_is_no_model_never_becomes_the_drafts_model(tmp_path):
    def script(folder):
        import streamlit as st

        from lab.ui import draft

        draft.put("model.source", folder)
        st.text(draft.spec().model.source)
        st.text(draft.wrong()["model.source"].where)

    app = AppTest.from_function(script, args=(str(tmp_path / "none"),)).run()
    assert [part.value for part in app.text] == ["demo", "model.source"]


def inputs_of(app):
    """The settings that the form shows, by their dotted names."""
    drawn = [*app.selectbox, *app.multiselect, *app.number_input, *app.text_input, *app.checkbox]
    return {one.key.removeprefix("set-") for one in drawn if str(one.key).startswith("set-")}


def opened(app, group):
    """The expert settings of one group."""
    app.session_state["expert"] = True
    app.run()
    app.session_state["expert-group"] = group
    return inputs_of(app.run())


@pytest.mark.parametrize(
    ("values", "there", "not_there"),
    [
        ({}, {"method.rank", "data.source"}, {"preference.method", "tasks.stride", "tasks.sources"}),
        ({"task": "classification", "method.name": "full"}, {"regularisation.class_weights", "regularisation.sampler"},
         {"method.rank", "tasks.stride"}),
        ({"task": "token-classification"}, {"regularisation.class_weights"}, {"regularisation.sampler"}),
        ({"task": "extractive-qa"}, {"tasks.stride", "tasks.max_answer"}, {"regularisation.class_weights"}),
        ({"task": "multi-task"}, {"tasks.sampling"}, {"data.source", "tasks.sources", "tasks.kinds"}),
        ({"task": "preference"}, {"preference.method", "preference.loss"}, {"preference.desirable_weight"}),
        ({"task": "preference", "preference.method": "kto"}, {"preference.desirable_weight"}, {"preference.loss"}),
        ({"method.name": "progressive"}, {"method.phases"}, {"method.rank", "method.trainable_layers"}),
        ({"method.name": "qlora", "model.quantization": "nf4"}, {"model.quantization", "method.rank"}, set()),
    ],
)  # fmt: skip
def test_the_form_shows_what_goes_with_task_and_method(values, there, not_there):
    keep_draft(values)
    shown = inputs_of(open_page("train"))
    assert there <= shown and not (not_there & shown)


def test_what_does_not_apply_is_not_among_the_expert_settings_unless_it_was_changed():
    keep_draft({"task": "classification"})
    app = open_page("train")
    assert "method.alpha" in opened(app, "method") and "method.phases" not in opened(app, "method")
    keep_draft({"method.phases": {"0": 1.0}})
    assert "method.phases" in opened(open_page("train"), "method")


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"task": "multi-task", "method.name": "progressive"},
        {"task": "preference", "preference.method": "kto", "method.name": "frozen"},
        {"task": "classification", "method.name": "prompt-tuning"},
    ],
)
def test_every_setting_that_applies_is_two_clicks_away(values):
    keep_draft(values)
    app = open_page("train")
    spec, seen = specs.with_overrides(RunSpec(), values), inputs_of(app)
    app.session_state["expert"] = True  # the first click
    app.run()
    own = {"recipe", "name", "data.examples", "tasks.sources", "tasks.kinds"}  # chosen and named elsewhere
    wanted = {one.path for one in specs.settings() if fits.applies(one.path, spec)} - own
    for group in {path.rpartition(".")[0] for path in wanted - seen}:
        app.session_state["expert-group"] = group  # the second
        seen |= inputs_of(app.run())
        assert not app.exception
    assert wanted - seen == set()
    assert {"speed.standby", "speed.dequantise", "data.max_length"} <= seen


def test_data_of_another_kind_propose_their_task_with_one_click(lab_home):
    identifier = prepared(classification_rows(40), "classification", validation=8)
    counts = {"bad": {"train": 16}, "good": {"train": 16}}
    (lab_home / "datasets" / identifier / "figures.json").write_text(json.dumps({"classes": counts}))
    keep_draft({"data.source": identifier})
    app = open_page("train")
    assert app.button(key="train-full").disabled
    assert "The task text generation cannot learn from these rows." in text_of(app)
    assert app.button(key="take-task").label == "Take the task that fits these data: text classification"
    app.button(key="take-task").click().run()
    assert not app.exception
    assert app.selectbox(key="set-task").value == "classification" and labels(app)[1] == "Start training"
    assert "2 labels: bad, good" in text_of(app)


def test_a_recipe_brings_its_task_and_the_fields_of_it():
    app = open_page("train")
    app.selectbox(key="draft-recipe").set_value("multitask_bert").run()
    assert not app.exception
    assert app.selectbox(key="set-task").value == "multi-task"
    assert app.selectbox(key="task-0-data") and app.selectbox(key="task-1-kind")


def test_the_examples_of_several_tasks_are_those_of_their_data_sets():
    sources = {name: prepared(classification_rows(40), "classification", validation=8) for name in ("mood", "tone")}
    kinds = dict.fromkeys(sources, "classification")
    keep_draft({"task": "multi-task", "method.name": "full", "tasks.sources": sources, "tasks.kinds": kinds})
    app = open_page("train")
    assert "64 examples" in text_of(app) and "3,790" not in text_of(app)
    planned = text_of(go(app, "plan"))
    assert "training rows of all tasks together" in planned and "demo set" not in planned
    app = open_page("train")
    assert labels(app)[1] == "Start training"


def named(name, rows, kind, lab_home):
    """A prepared data set of this name; returns its id."""
    identifier = prepared(rows, kind, validation=8)
    file = lab_home / "datasets" / identifier / "dataset.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"name": name}))
    return identifier


def test_the_tasks_of_a_run_are_chosen_from_what_is_there(lab_home):
    reviews = named("film reviews", classification_rows(40), "classification", lab_home)
    places = named("places", entity_rows(40), "token-classification", lab_home)
    named("pairs", [{"prompt": "a", "chosen": "b", "rejected": "c"}] * 40, "preference", lab_home)
    keep_draft({"task": "multi-task", "method.name": "full"})
    app = open_page("train")
    assert labels(app)[1] == "Choose the data"
    offered = app.selectbox(key="task-0-data").options
    assert len(offered) == 2 and not any("pairs" in option for option in offered)
    assert "film reviews · text and label" in offered  # ids are shown as names
    app.selectbox(key="task-0-data").set_value(reviews).run()
    app.selectbox(key="task-1-data").set_value(places).run()
    assert not app.exception
    assert app.text_input(key="task-0-name").value == "film_reviews"
    assert app.selectbox(key="task-1-kind").value == "token-classification"
    assert labels(app)[1] == "Start training"
    app.text_input(key="task-1-name").set_value("Où ?").run()
    kept = json.loads((lab_home / "draft.json").read_text())["values"]
    assert kept["tasks.sources"] == {"film_reviews": reviews, "Ou": places}
    assert kept["tasks.kinds"] == {"film_reviews": "classification", "Ou": "token-classification"}


def test_a_task_of_another_kind_is_said_at_its_place_and_a_task_can_be_added_and_removed(lab_home):
    sources = {name: named(name, classification_rows(40), "classification", lab_home) for name in ("mood", "tone")}
    keep_draft({
        "task": "multi-task", "method.name": "full", "tasks.sources": sources,
        "tasks.kinds": {"mood": "classification", "tone": "token-classification"},
    })  # fmt: skip
    app = open_page("train")
    assert "word labels cannot learn from these rows" in text_of(app)
    assert labels(app)[1] != "Start training"
    app.selectbox(key="task-1-kind").set_value("classification").run()
    assert labels(app)[1] == "Start training"
    app.button(key="task-add").click().run()
    assert app.text_input(key="task-2-name").value == "task_3" and labels(app)[1] == "Choose the data"
    app.button(key="task-2-out").click().run()
    assert labels(app)[1] == "Start training"
