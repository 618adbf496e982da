"""The figures of a device on the page of the plan, each with the place where it was read."""

from page_driver import open_page, text_of

from lab.planning.hardware import hardware


def test_the_figures_of_the_chosen_gpu_stand_beside_their_sources() -> None:
    app = open_page("plan", tab="hardware")
    app.selectbox(key="plan-device").set_value("t4").run()
    assert not app.exception
    lines = [text.value for text in app.text] + [caption.value for caption in app.caption]
    device = hardware()["t4"]
    assert "Peak speed: 65.0 TFLOPS" in lines or "Peak speed: 65 TFLOPS" in lines, lines
    for source in (device.source, device.memory_source, device.bandwidth_source, device.tdp_source):
        assert f"Source: {source}" in lines
    assert f"Price: {device.price_source}" in lines


def test_a_gpu_without_a_price_says_that_one_has_to_be_entered() -> None:
    app = open_page("plan", tab="hardware")
    app.selectbox(key="plan-device").set_value("rtx5080").run()
    assert not app.exception
    assert "price not found: enter your own" in text_of(app)
    assert app.number_input(key="plan-price").placeholder == "not known"
