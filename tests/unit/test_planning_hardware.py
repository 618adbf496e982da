"""The hardware presets: every figure stands beside the place where it was read."""

from __future__ import annotations

import pytest

from lab.planning.hardware import Hardware, hardware

GPUS = [device for device in hardware().values() if device.kind == "cuda"]
NO_PRICE = "price not found: enter your own"


def sources(device: Hardware) -> dict[str, str]:
    return {
        "peak_flops": device.source,
        "memory_gb": device.memory_source,
        "bandwidth_gb_s": device.bandwidth_source,
        "tdp_w": device.tdp_source,
        "fp8_flops": device.fp8_source,
        "price_per_hour": device.price_source,
    }


@pytest.mark.parametrize("device", GPUS, ids=lambda device: device.id)
def test_every_figure_of_a_gpu_names_its_source(device: Hardware) -> None:
    for figure, source in sources(device).items():
        if getattr(device, figure) is not None:
            assert source.strip() and source != NO_PRICE, (device.id, figure)
    assert device.peak_flops and device.memory_gb and device.bandwidth_gb_s and device.tdp_w


@pytest.mark.parametrize("device", hardware().values(), ids=lambda device: device.id)
def test_no_figure_is_remembered_or_a_spot_price(device: Hardware) -> None:
    for figure, source in sources(device).items():
        words = source.lower().replace("-", " ").split()
        assert not {"memory", "spot", "remembered", "guess"} & {word.strip(",;:()") for word in words}, (
            device.id,
            figure,
        )


@pytest.mark.parametrize("device", GPUS, ids=lambda device: device.id)
def test_a_price_names_its_cloud_and_list_or_says_that_there_is_none(device: Hardware) -> None:
    if device.price_per_hour is None:
        assert device.price_source == NO_PRICE
        return
    offer, _, where = device.price_source.partition(":")
    assert "on demand" in offer or "marketplace" in offer, device.id
    assert "commit " in where or "2026" in where or "2026" in offer, device.id


def test_twenty_gpus_from_the_t4_to_the_b200_have_a_price() -> None:
    priced = {device.id for device in GPUS if device.price_per_hour}
    assert len(priced) >= 20 and {"t4", "v100-32gb", "a100", "h100", "h200", "b200"} <= priced


def test_a_price_is_the_part_of_the_instance_that_its_source_says() -> None:
    parts = {"half": 2, "a quarter": 4, "a sixth": 6, "an eighth": 8}
    checked = 0
    for device in GPUS:
        for words, count in parts.items():
            _, found, rest = device.price_source.partition(f"{words} of ")
            if found and device.price_per_hour:
                assert float(rest.split(",")[0]) / count == pytest.approx(device.price_per_hour), device.id
                checked += 1
    assert checked >= 5
