"""What fits on a device, what it costs there, and what a change would do."""

from __future__ import annotations

import time
from typing import Any

import pytest

from lab.errors import InputErrors
from lab.models import ModelFacts, facts_of
from lab.planning import plan
from lab.planning.advice import beside_training, data_needed, rate_advice, split_rows
from lab.planning.costs import costs
from lab.planning.fit import largest_batch, longest_length, swap, swaps, total, what_fits
from lab.planning.footprint import Load, footprint
from lab.planning.hardware import find_hardware, hardware
from lab.planning.verdicts import epoch_alarm
from lab.planning.what_if import what_if
from lab.spec import RunSpec, with_overrides

LLAMA_1B = facts_of("llama-3.2-1b")
DOCUMENT = {
    "model.source": "gpt2",
    "method.name": "full",
    "data.examples": 114_000,
    "data.max_length": 1024,
    "schedule.per_device_batch": 4,
    "schedule.accumulation": 8,
    "resources.devices": 6,
    "schedule.max_steps": 25_000,
}


def spec_of(**changes: Any) -> RunSpec:
    return with_overrides(RunSpec(), {name.replace("__", "."): value for name, value in changes.items()})


# --- hardware ---


def test_there_are_twenty_gpus_with_all_their_numbers_and_a_source_for_each() -> None:
    gpus = [device for device in hardware().values() if device.kind == "cuda"]
    assert len(gpus) >= 20 and {"t4", "a100", "h100", "h200", "b200"} <= set(hardware())
    for device in gpus:
        assert device.memory_gib and device.bandwidth_gb_s and device.tdp_w and device.peak_flops, device.id
        assert device.source and device.price_source, device.id
        assert device.fp8_flops is None or 1.9 < device.fp8_flops / device.peak_flops < 2.1, device.id
    assert sum(device.price_per_hour is not None for device in gpus) >= 20
    assert not hardware()["t4"].bf16 and hardware()["l4"].bf16


@pytest.mark.parametrize(
    ("driver", "found"),
    [
        ("NVIDIA A100-SXM4-40GB", "a100-40gb"),
        ("NVIDIA A100 80GB PCIe", "a100"),
        ("NVIDIA A10G", "a10g"),
        ("NVIDIA L40S", "l40s"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("Tesla V100-SXM2-32GB", "v100-32gb"),
        ("NVIDIA RTX 6000 Ada Generation", "rtx-6000-ada"),
        ("NVIDIA GeForce RTX 3080 Ti", None),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", None),
        ("NVIDIA RTX A4000", None),
    ],
)
def test_a_card_is_known_by_its_driver_name_and_its_relatives_are_not_taken_for_it(
    driver: str, found: str | None
) -> None:
    device = find_hardware(driver)
    assert (device.id if device else None) == found


# --- what fits ---


def test_every_swap_keeps_the_effective_batch_and_the_first_that_fits_is_the_way_out() -> None:
    spec = spec_of(model__source="llama-3.2-1b", schedule__per_device_batch=32, schedule__accumulation=1)
    ways = swaps(spec, LLAMA_1B, 22.0, length=2048, device="cuda")
    assert {way.per_device * way.accumulation for way in ways} == {32}
    sizes = [way.total_gib for way in ways if way.total_gib is not None]
    assert sizes == sorted(sizes, reverse=True) and not ways[0].fits and ways[-1].fits
    best = swap(spec, LLAMA_1B, 22.0, length=2048, device="cuda")
    assert best == next(way for way in ways if way.fits)
    changed = plan(with_overrides(spec, best.change), device="l4", examples=1000)  # type: ignore[union-attr]
    assert changed.effective_batch == 32
    assert not [verdict for verdict in changed.verdicts if verdict.field == "resources.device"]


def test_nothing_fits_into_nothing() -> None:
    assert swap(spec_of(model__source="llama-3.2-1b"), LLAMA_1B, 0.0, length=512, device="cuda") is None
    assert largest_batch(LLAMA_1B, Load(), -1.0) == 0


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("method", ["full", "lora", "qlora"])
def test_one_more_example_or_token_than_the_largest_is_too_much(method: str, checkpointing: bool) -> None:
    load = Load(length=1024).with_method(method, checkpointing=checkpointing)
    limit = 30.0 if method == "full" else 20.0
    count = largest_batch(LLAMA_1B, load, limit)
    assert count
    assert total(LLAMA_1B, at(load, batch=count)) <= limit < total(LLAMA_1B, at(load, batch=count + 1))  # type: ignore[operator]
    tokens = longest_length(LLAMA_1B, load, limit)
    assert tokens
    assert total(LLAMA_1B, at(load, length=tokens)) <= limit < total(LLAMA_1B, at(load, length=tokens + 1))  # type: ignore[operator]


def at(load: Load, **changes: int) -> Load:
    return Load(**{**load.__dict__, **changes})


def test_what_fits_says_which_method_goes_how_far() -> None:
    spec = spec_of(model__source="llama-3.1-8b", schedule__per_device_batch=1, data__max_length=1024)
    facts = facts_of("llama-3.1-8b")
    found = {(fit.method, fit.checkpointing): fit for fit in what_fits(spec, facts, 22.35, length=1024)}
    assert not found["full", True].fits and found["full", True].largest_batch == 0
    assert found["lora", True].fits and not found["lora", False].fits
    assert found["qlora", True].total_gib < found["lora", True].total_gib  # type: ignore[operator]
    assert found["qlora", True].longest > found["lora", True].longest  # type: ignore[operator]
    assert found["qlora", True].change["model.quantization"] == "nf4"


def test_of_a_model_that_is_not_known_nothing_is_claimed() -> None:
    unknown = ModelFacts(name="x")
    for fit in what_fits(RunSpec(), unknown, 80.0, length=512):
        assert (fit.total_gib, fit.fits, fit.largest_batch, fit.longest) == (None, None, None, None)
    assert swaps(RunSpec(), unknown, 80.0, length=512, device="cuda")[0].fits is None


def test_quantized_weights_and_optimizers_take_what_was_measured() -> None:
    def term(name: str, **changes: Any) -> float:
        return float(getattr(footprint(LLAMA_1B, Load(**changes)), name))

    linear = sum(layer.weights for layer in LLAMA_1B.linear_modules.values())
    plain, double = (term("weights_gib", method="qlora", quantization=name) for name in ("nf4-plain", "nf4"))
    assert (plain - double) * 2**30 * 8 / linear == pytest.approx(0.37, abs=0.01)  # bits, QLoRA
    states = {name: term("optimizer_gib", method="full", optimizer=name) for name in ("adamw", "adamw-8bit", "sgd")}
    assert states["adamw"] == pytest.approx(4 * states["adamw-8bit"], rel=0.02) and states["sgd"] == 0


def test_a_recalculation_with_everything_takes_less_than_a_tenth_of_a_second() -> None:
    spec = spec_of(model__source="llama-3.1-8b", data__examples=100_000)
    facts = facts_of("llama-3.1-8b")
    plan(spec, device="h100")  # reads the presets once

    def recalculate() -> float:
        start = time.process_time()
        made = plan(spec, device="h100")
        what_fits(spec, facts, 74.5, length=512)
        swaps(spec, facts, 74.5, length=512, device="cuda")
        what_if(made, {"schedule.epochs": 1.0}).differences()
        costs(made), rate_advice(made)
        return time.process_time() - start

    assert min(recalculate() for _ in range(3)) < 0.1


# --- time, cost, energy, what if ---


def test_the_documents_run_takes_43_hours_and_15000_steps_save_17() -> None:
    made = plan(with_overrides(RunSpec(), DOCUMENT), device="rtx4090")
    spent = costs(made, seconds_per_step=6.2, price_per_hour=0.69)
    assert spent.time_s == 155_000 and spent.time_source == "steps"
    assert spent.gpu_hours == pytest.approx(258.33, abs=0.01)
    assert spent.cost == pytest.approx(178.25) and spent.price_source == "your own price"
    assert spent.energy_kwh == pytest.approx(116.25)
    assert spent.possible and spent.used_share == pytest.approx(0.027, abs=0.004)  # document: 2.4 % by 6N alone
    rows = {row.name: row for row in what_if(made, {"schedule.max_steps": 15_000}, seconds_per_step=6.2).differences()}
    assert rows["time_s"].by == -62_000  # 17.2 h
    assert rows["epochs"].after == pytest.approx(25.3, abs=0.1)
    assert "effective_batch" not in rows and "memory_gib" not in rows


def test_the_time_is_measured_if_it_can_be_and_a_share_of_the_peak_if_not() -> None:
    spec = spec_of(model__source="llama-3.2-1b", data__examples=10_000)
    assumed = costs(plan(spec, device="h100"))
    assert assumed.time_source == "share" and assumed.used_share == pytest.approx(0.3)
    twice = costs(plan(spec, device="h100"), used_share=0.6)
    assert twice.time_s == pytest.approx(assumed.time_s / 2)  # type: ignore[operator]
    measured = costs(plan(spec, device="h100", tokens_per_s=50_000.0))
    assert measured.time_source == "measured" and 0 < measured.used_share < 1  # type: ignore[operator]
    assert assumed.price_source == hardware()["h100"].price_source
    absurd = costs(plan(spec, device="t4"), seconds_per_step=1e-6)
    assert absurd.possible is False


def test_costs_of_a_run_of_unknown_length_are_not_known() -> None:
    spent = costs(plan(spec_of(data__source="my.csv"), device="h100"), seconds_per_step=1.0)
    assert (spent.time_s, spent.cost, spent.energy_kwh, spent.possible) == (None, None, None, None)


def test_a_change_that_is_not_allowed_is_refused() -> None:
    with pytest.raises(InputErrors):
        what_if(plan(RunSpec()), {"schedule.per_device_batch": 0})


# --- advice ---


@pytest.mark.parametrize(
    ("epochs", "examples", "alarm"),
    [
        (42.1, 114_000, "red"),
        (10, 52_002, "amber"),
        (5, 52_002, "ok"),
        (15, 999, "ok"),
        (16, 999, "amber"),
        (11, None, "red"),
    ],
)
def test_epochs_are_amber_above_5_and_red_above_10_unless_there_are_few_rows(
    epochs: float, examples: int | None, alarm: str
) -> None:
    assert epoch_alarm(epochs, examples) == alarm


@pytest.mark.parametrize(
    ("task", "classes", "expected"),
    [
        ("causal-lm", 2, (500, 5_000, 50_000)),
        ("classification", 2, (100, 1_000, 10_000)),
        ("classification", 3, (150, 1_500, 15_000)),
        ("token-classification", 2, (1_000, 10_000, 100_000)),
        ("extractive-qa", 2, (1_000, 10_000, 100_000)),
    ],
)
def test_the_rows_that_a_task_wants(task: str, classes: int, expected: tuple[int, int, int]) -> None:
    need = data_needed(task, classes=classes)
    assert need is not None
    assert (need.minimum, need.recommended, need.optimal) == expected
    places = [need.place(rows) for rows in (1, *expected)]
    assert places == ["below", "minimum", "recommended", "optimal"]
    assert data_needed("preference") is None


def test_a_learning_rate_is_set_beside_its_range_its_rule_and_two_published_runs() -> None:
    spec = spec_of(model__source="llama-2-7b", data__examples=52_002, schedule__learning_rate=1e-4)
    advice = rate_advice(plan(spec))
    assert advice.position == pytest.approx(0.0) and advice.ratio == pytest.approx(3)
    assert (advice.rule, advice.rule_factor) == (pytest.approx(1e-4), 10)
    assert len(advice.nearest) == 2 and all(rate.source for rate in advice.nearest)
    short = rate_advice(plan(with_overrides(spec, {"schedule.max_steps": 60})))
    assert (short.rule, short.rule_factor) == (pytest.approx(1.5e-4), 15)
    full = rate_advice(plan(with_overrides(spec, {"method.name": "full"})))
    assert full.rule is None and full.position > 1  # type: ignore[operator]


@pytest.mark.parametrize("rows", [91_200, 500, 30])
def test_rows_to_hold_out_beside_the_training_rows_are_the_split_of_both_together(rows: int) -> None:
    beside = beside_training(rows)
    assert beside == split_rows(sum(beside.values()))
    assert beside["train"] == rows


def test_an_impossible_time_has_neither_cost_nor_energy() -> None:
    made = plan(with_overrides(RunSpec(), {"data.examples": 10_000, "model.source": "llama-2-7b"}), device="h100")
    found = costs(made, seconds_per_step=1e-4)
    assert found.possible is False and found.cost is None and found.energy_kwh is None
    assert costs(made).cost
