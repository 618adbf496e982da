"""The plan page: numbers in, consequences out, findings with a button that answers them."""

import pytest
from page_driver import address, go, html_of, keep_draft, open_page, text_of

from lab.catalogue.exchange import FORMATS
from lab.json_io import write_json
from lab.runs.home import new_id, runs_folder
from lab.runs.reindex import reindex
from lab.spec import RunSpec, dump
from lab.ui import cost_view

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


def test_a_scheduler_is_drawn_with_the_settings_that_shape_it():
    app = open_page("plan")
    app.selectbox(key="set-schedule.scheduler").set_value("wsd").run()
    assert not app.exception
    assert app.text_input(key="set-schedule.decay").value == "0.1"
    rates = app.dataframe[-1].value["Learning rate"]
    assert list(rates[len(rates) // 4 : len(rates) // 2]) == [2e-4] * (len(rates) // 2 - len(rates) // 4)
    assert rates.iloc[-1] == pytest.approx(2e-5)  # the floor: a tenth of the peak


def test_the_usual_learning_rates_and_the_nearest_published_runs_stand_below_the_curve():
    keep_draft({"model.source": "llama-2-7b"})
    shown = text_of(open_page("plan"))
    assert "Usual here: 1e-4 to 3e-4; start from 2e-4." in shown
    assert "Nearest published: " in shown


def test_what_is_not_known_is_said_in_words():
    app = open_page("plan", set="model.source:someone/unknown-model")
    assert not app.exception
    assert "**not known**" in text_of(app)
    assert "Memory is not known" in text_of(app)
    assert app.button(key="model-read-config").label == "Read its config.json from the Hub"


def test_memory_and_time_can_be_planned_for_another_device():
    app = open_page("plan", tab="hardware")
    app.selectbox(key="plan-device").set_value("h100").run()
    assert not app.exception
    assert address(app, "device") == "h100"
    assert "NVIDIA H100" in text_of(open_page("plan", device="h100"))


def test_the_memory_of_a_large_model_is_set_against_every_gpu():
    keep_draft({"model.source": "llama-2-13b", "method.name": "full", "data.max_length": 1024})
    app = open_page("plan", tab="hardware")
    assert "none that the lab knows holds it" in text_of(app)
    keep_draft({"model.source": "llama-2-7b", "data.max_length": 512})
    shown = text_of(open_page("plan", tab="hardware"))
    assert "the smallest that holds it" in shown
    assert app.get("vega_lite_chart")


def test_fewer_steps_are_told_with_the_time_that_they_save():
    """The document's sentence: 15,000 instead of 25,000 steps of 6.2 s save 17 h."""
    keep_draft({"schedule.max_steps": 25000, "data.examples": 114000})
    app = open_page("plan", step_s="6.2")
    app.number_input(key="plan-instead").set_value(15000).run()
    assert not app.exception
    assert "15,000 instead of 25,000 steps saves **17 h 13 min**" in text_of(app)
    assert address(app, "instead") == "15000"
    app.number_input(key="plan-instead").set_value(30000).run()
    assert "takes **8 h 37 min** more" in text_of(app)


def test_the_rows_are_set_against_what_the_task_wants_with_a_split():
    keep_draft({"data.examples": 114000})
    shown = text_of(open_page("plan"))
    assert "wants 500 examples at least" in shown and "Yours: 114,000, ample." in shown
    assert "Hold out beside these 114,000 training rows: 14,250 to validate, 14,250 to test once." in shown


def test_seconds_per_step_and_a_price_of_ones_own_give_time_and_cost():
    """The document's run: 25,000 steps of 6.2 s on 6 devices are 43 h 3 min, at 0.69 $ an hour 178.25 $."""
    keep_draft({"schedule.max_steps": 25000, "resources.devices": 6, "data.examples": 114000})
    app = open_page("plan", tab="hardware", device="rtx4090")
    app.number_input(key="plan-step-s").set_value(6.2).run()
    app.number_input(key="plan-price").set_value(0.69).run()
    assert not app.exception
    shown = text_of(app)
    assert "**43 h 3 min**" in shown and "**258.3**" in shown and "**178.25 \\$**" in shown
    assert "**116.3 kWh**" in shown
    assert "hours × devices × price per hour" in shown
    assert address(app, "step_s") == "6.2" and address(app, "price") == "0.69"
    assert "**43 h 3 min**" in text_of(open_page("plan", step_s="6.2"))


def test_the_seconds_per_step_can_be_taken_from_a_finished_run_of_ones_own():
    run = new_id()
    folder = runs_folder() / run
    (folder / "attempts" / "1").mkdir(parents=True)
    (folder / "spec.yaml").write_text(dump(RunSpec(name="Mine")))
    write_json(folder / "request.json", {"kind": "train"})
    write_json(folder / "result.json", {"ended": "finished", "step": 9, "steps": 9, "throughput": {"step_s": 2.5}})
    write_json(folder / "state.json", {"attempt": 1, "state": "succeeded"})
    assert reindex().added == 1
    cost_view._measured.clear()
    app = open_page("plan", tab="hardware")
    app.selectbox(key="plan-run").set_value(run).run()
    assert not app.exception
    assert app.number_input(key="plan-step-s").value == 2.5
    assert address(app, "step_s") == "2.5"


def test_a_speed_that_no_device_has_is_not_believed():
    keep_draft({"model.source": "llama-2-7b", "data.examples": 52000})
    app = open_page("plan", tab="hardware", device="t4", step_s="0.001")
    assert "faster than the device can compute" in text_of(app)
    assert "faster than" not in text_of(open_page("plan", tab="hardware", device="t4", mfu="40"))


def test_a_batch_that_does_not_fit_is_taken_apart_by_one_press():
    keep_draft({"model.source": "llama-2-7b", "data.examples": 52000, "schedule.per_device_batch": 64,
                "schedule.accumulation": 2, "data.max_length": 1024})  # fmt: skip
    app = open_page("plan", tab="hardware", device="h100")
    assert "memory is ample" in text_of(app)
    app.button(key="plan-swap").click().run()
    assert not app.exception
    kept = [pair for pair in app.query_params["set"] if pair.startswith("schedule.")]
    per_device, accumulation = (int(pair.rpartition(":")[2]) for pair in sorted(kept, reverse=True))
    assert per_device * accumulation == 128 and per_device < 64
    assert not [button for button in app.button if button.key == "plan-swap"]


def test_the_address_holds_every_number_and_opens_the_same_plan_for_a_colleague(planned, lab_home):
    planned.text_input(key="set-schedule.learning_rate").set_value("3e-5").run()
    sent = dict(planned.query_params)
    assert "data.examples:114000" in sent["set"] and "schedule.learning_rate:3e-05" in sent["set"]
    (lab_home / "draft.json").unlink()
    colleague = open_page("plan", **sent)
    assert not colleague.exception
    assert "**42.1**" in text_of(colleague) and "**192**" in text_of(colleague)
    assert colleague.text_input(key="set-schedule.learning_rate").value == "3e-5"


def test_the_address_changes_with_a_number_and_forgets_what_is_usual_again():
    app = open_page("plan", recipe="alpaca")
    assert address(app, "recipe") == "alpaca"
    app.number_input(key="set-schedule.accumulation").set_value(16).run()
    assert "schedule.accumulation:16" in app.query_params["set"]
    app.button(key="reset-set-schedule.accumulation").click().run()
    assert not app.exception
    assert "set" not in app.query_params or not app.query_params["set"]


def test_an_address_with_nonsense_is_said_and_the_rest_of_it_is_used():
    app = open_page("plan", recipe="<b>x</b>", set=["no.such:1", "data.examples:5000", "schedule.epochs:-3"], tab="x")
    shown = text_of(app)
    assert "There is no setting called" in shown and "There is no recipe called" in shown
    assert "<b>x</b>" not in html_of(app)
    assert app.number_input(key="set-data.examples").value == 5000
    assert "not a valid value" in shown  # at the field of the epochs


def test_numbers_from_an_address_do_not_cost_anybody_their_own(lab_home):
    keep_draft({"schedule.epochs": 7.0})
    app = open_page("plan", set=["schedule.epochs:2"])
    assert app.text_input(key="set-schedule.epochs").value == "2"
    app.button(key="plan-back").click().run()
    assert not app.exception
    assert app.text_input(key="set-schedule.epochs").value == "7"


def test_the_open_tab_and_the_device_stay_when_one_comes_back():
    app = open_page("plan", tab="doctor", device="h200")
    go(app, "recipes")
    go(app, "plan")
    assert address(app, "tab") == "doctor"
    assert address(app, "device") == "h200"


def test_the_doctor_names_each_value_its_range_and_one_answer_for_each_finding():
    keep_draft({"data.examples": 114000, "schedule.max_steps": 25000, "schedule.learning_rate": 5e-3})
    app = open_page("plan", tab="doctor")
    assert "lab-range" in html_of(app) and "Learning rate" in html_of(app)
    assert "common errors" in text_of(app)
    before = text_of(app)
    assert "43.9 times" in before or "times" in before
    answers = [button for button in app.button if button.key.startswith("doctor-apply-")]
    assert answers
    answers[0].click().run()
    assert not app.exception
    assert text_of(app) != before


def test_a_setup_of_another_tool_is_read_told_and_taken_over():
    app = open_page("plan", tab="doctor")
    text = "base_model: openai-community/gpt2\nadapter: lora\nlora_r: 8\nlearning_rte: 2e-4\nmicro_batch_size: 2\n"
    app.text_area(key="doctor-text").set_value(text).run()
    assert not app.exception
    shown = text_of(app)
    assert "A setup of Axolotl" in shown
    assert "Line 4" in shown and "did you mean learning_rate?" in shown
    app.button(key="doctor-take").click().run()
    assert not app.exception
    assert "method.rank:8" in app.query_params["set"]
    assert "model.source:openai-community/gpt2" in app.query_params["set"]


@pytest.mark.parametrize("text", ["- a list", "{", "nothing: known", "a: &x [*x]"])
def test_a_text_that_is_no_setup_is_refused_in_words(text):
    app = open_page("plan", tab="doctor")
    app.text_area(key="doctor-text").set_value(text).run()
    assert not app.exception
    assert not [button for button in app.button if button.key == "doctor-take"]


@pytest.mark.parametrize("format", list(FORMATS))
def test_the_plan_is_exported_for_every_tool_with_what_it_leaves_out(format):
    app = open_page("plan", tab="export")
    app.selectbox(key="plan-format").set_value(format).run()
    assert not app.exception
    assert sum(len(block.value) for block in app.code) > 100
    assert open_page("plan", tab="export", format=format).selectbox(key="plan-format").value == format


def test_the_plan_goes_on_to_training_with_the_same_numbers(planned):
    planned.button(key="plan-train").click().run()
    assert not planned.exception
    assert planned.title[0].value == "Train"
    assert planned.number_input(key="set-schedule.max_steps").value == 25000


@pytest.mark.parametrize("typed", [1e99, 2.5, 0])
def test_a_whole_number_that_cannot_be_stays_as_typed_and_the_numbers_say_what_they_count_with(planned, typed):
    planned.number_input(key="set-schedule.accumulation").set_value(typed).run()
    assert not planned.exception
    assert planned.number_input(key="set-schedule.accumulation").value == typed
    shown = text_of(planned)
    assert "not a valid value for Gradient accumulation" in shown
    assert "these numbers still count with 8" in shown and "**192**" in shown


def test_a_number_of_steps_to_try_is_refused_in_words():
    app = open_page("plan")
    app.number_input(key="plan-instead").set_value(1e99).run()
    assert "A whole number from 1 to 100,000,000" in text_of(app)


def test_an_impossible_time_has_no_cost():
    keep_draft({"model.source": "llama-2-7b", "data.examples": 52000})
    app = open_page("plan", tab="hardware", device="t4", step_s="0.001", price="1")
    shown = text_of(app)
    assert "so there is no cost" in shown and "are yours shorter?" in shown
    assert "\\$**" not in shown and "over 1,000%" in shown


def test_a_gpu_that_no_preset_describes_is_planned_by_its_memory_and_speed():
    keep_draft({"model.source": "meta-llama/Llama-3.2-1B", "data.examples": 2000})
    app = open_page("plan", tab="hardware", device="own", gb="8")
    shown = text_of(app)
    assert "What fits: a GPU with 8 GB" in shown and "time and cost follow" in shown
    app.number_input(key="plan-own-tflops").set_value(30).run()
    app.number_input(key="plan-price").set_value(0.1).run()
    assert not app.exception
    assert " \\$**" in text_of(app)
    assert address(app, "tflops") == "30" and address(app, "gb") == "8"


def test_a_method_that_fits_is_taken_over_by_one_press():
    keep_draft({"model.source": "llama-2-7b", "data.examples": 52000})
    app = open_page("plan", tab="hardware", device="rtx4090")
    app.button(key="plan-adopt-qlora-on").click().run()
    assert not app.exception
    assert "method.name:qlora" in app.query_params["set"]
    assert "model.quantization:nf4" in app.query_params["set"]
    assert not [button for button in app.button if button.key == "plan-adopt-qlora-on"]


def test_the_memory_on_a_gpu_is_explained_beside_the_memory_here():
    keep_draft({"model.source": "llama-2-7b", "data.examples": 52000})
    assert "On this machine the same run takes" in text_of(open_page("plan", tab="hardware"))
    assert "On this machine the same run takes" not in text_of(open_page("plan", tab="hardware", device="h100"))


@pytest.mark.parametrize("typed", [-3.0, 1e99])
def test_seconds_that_cannot_be_are_said_at_their_field_and_not_used(typed):
    keep_draft({"model.source": "llama-2-7b", "data.examples": 52000})
    app = open_page("plan", tab="hardware", device="h100")
    before = [line for line in text_of(app).splitlines() if "\\$**" in line]
    app.number_input(key="plan-step-s").set_value(typed).run()
    assert not app.exception
    shown = text_of(app)
    assert "Not used: a number from 0.0001 to 100,000 is needed." in shown
    assert before and [line for line in shown.splitlines() if "\\$**" in line] == before


def test_a_packed_run_is_planned_in_packs_with_how_their_number_is_found():
    keep_draft({"data.packing": True, "data.max_length": 256})  # the demo's rows
    app = open_page("plan")
    shown = text_of(app) + html_of(app)
    assert "3,790 examples in 655 packs" in shown
    assert "examples go into about 655 packs of 256 tokens; a batch counts packs." in shown
    assert "Packs: what is assumed" in {box.label for box in app.expander}
    assert "lengths that are estimated from characters" in shown
