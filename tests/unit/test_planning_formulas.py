"""Each formula with the worked example of its source."""

import math

import pytest

from lab.errors import InputError
from lab.models import facts_of
from lab.planning import formula_named, formulas, schedule_curve
from lab.planning.lora import adapter_parameters, unknown_targets
from lab.planning.rates import nearest_published, rate_range
from lab.planning.schedule import course_of, transformers_scheduler
from lab.spec import RunSpec, setting_at, with_overrides

WORKED = [
    ("effective_batch", {"per_device": 4, "devices": 6, "accumulation": 8}, 192),
    ("effective_batch", {"per_device": 2, "devices": 6, "accumulation": 16}, 192),
    ("per_device_batch", {"effective": 128, "devices": 8, "accumulation": 16}, 1),
    ("epochs_of_steps", {"steps": 25_000, "batch": 192, "examples": 114_000}, 42.1),
    ("steps_for_epochs", {"examples": 114_000, "epochs": 220, "batch": 192}, 130_625),
    ("steps_for_epochs", {"examples": 52_002, "epochs": 3, "batch": 128}, 1_219),
    (
        "trainer_steps",
        {"examples": 52_002, "epochs": 3, "per_device": 4, "devices": 4, "accumulation": 8},
        1_221,
    ),
    ("trainer_steps", {"examples": 19_919, "epochs": 5, "per_device": 8}, 12_450),
    ("trainer_steps", {"examples": 19_919, "epochs": 2, "per_device": 4}, 9_960),
    ("steps_after_holding_out", {"rows": 15_011, "held_out": 200, "epochs": 2, "batch": 48}, 617),
    ("steps_for_tokens", {"tokens": 370e6, "sequence_length": 2048, "epochs": 3, "batch": 128}, 4_234),
    ("passes_over_tokens", {"steps": 20_000, "batch": 256, "sequence_length": 2048, "tokens": 250e6}, 41.9),
    ("samples_per_second", {"samples": 19_919 * 5, "seconds": 7372.98}, 13.508),
    ("warmup_steps", {"steps": 9_960, "warmup": 0.03}, 299),
    ("warmup_steps", {"steps": 9_960, "warmup": 100}, 100),
    ("warmup_share", {"warmup": 100, "steps": 3_000}, 0.0333),
    ("warmup_in_effect", {"schedule": "constant", "share": 0.03, "steps": 1_875}, 0),
    ("rate_ratio", {"pretraining": 3e-4, "fine_tuning": 2e-5}, 15),
    ("hours_of_steps", {"steps": 25_000, "seconds_per_step": 6.2}, 43.06),
    ("hours_of_steps", {"steps": 155_000, "seconds_per_step": 1}, 43.06),
    ("seconds_per_step", {"hours": 3, "steps": 1_219}, 8.86),
    ("gpu_hours", {"hours": 100, "devices": 128}, 12_800),
    ("perplexity", {"loss": 8.1}, 3294.5),
    ("perplexity", {"loss": 5.0}, 148.4),
    ("uniform_loss", {"vocabulary": 32_000}, 10.37),
    ("relative_change", {"before": 8.1, "after": 5.0}, -0.3827),
    ("lora_parameters", {"model": "gpt2-large", "rank": 16, "targets": ["c_attn", "c_fc"]}, 6_635_520),
    ("lora_share", {"model": "gpt2-large", "rank": 16, "targets": ["c_attn", "c_fc"]}, 0.00857),
    (
        "lora_parameters",
        {"model": "llama-3.2-1b", "rank": 16, "targets": ["q_proj", "k_proj", "v_proj", "o_proj"]},
        3_407_872,
    ),
    ("lora_parameters", {"model": "llama-3.2-1b", "rank": 16}, 11_272_192),
    ("lora_share", {"model": "llama-3.2-1b", "rank": 16}, 0.00912),
    ("lora_scale", {"alpha": 16, "rank": 64}, 0.25),
    ("full_tuning_gigabytes", {"parameters": 7e9, "bytes_per_parameter": 16}, 112),
    (
        "tokens_per_second",
        {"flops": 1.88e6, "peak": 9e11, "used_share": 0.27, "pass_s": 0.025, "pass_tokens": 4677, "token_s": 4e-5},
        18_860,
    ),
    ("tokens_per_sample", {"flops": 9.293e16, "parameters": 774.03e6, "samples": 19_919 * 5}, 200.9),
    (
        "flop_use",
        {"parameters": 124.1e6, "tokens": 196_608, "seconds": 6.2, "devices": 6, "peak": 165e12},
        0.02385,
    ),
    ("equivalent_devices", {"devices": 6, "peak": 165, "other_peak": 312}, 3.17),
    ("growth_per_step", {"smallest": 1e-7, "largest": 10, "steps": 100}, 1.20226),
    ("share_of_added_rows", {"divisor": 4}, 0.2),
    ("head_parameters", {"inputs": 768, "outputs": [3, 9, 2]}, 10_766),
    ("rows_without_a_save", {"save_steps": 10_000, "per_device": 4, "epochs": 3}, 13_334),
    ("usual_warmup", {"steps": 25_000}, 750),
    ("usual_warmup", {"steps": 300}, 30),
    ("usual_warmup", {"steps": 4}, 4),
    ("warmup_range", {"steps": 25_000}, [500, 1_250]),
    ("usual_epochs", {"examples": 500, "classifier": True}, 10),
    ("usual_epochs", {"examples": 52_002}, 2),
    ("usual_epochs", {"examples": 114_000}, 1),
    ("split_rows", {"rows": 114_000}, {"train": 91_200, "validation": 11_400, "test": 11_400}),
    ("split_rows", {"rows": 700}, {"train": 500, "validation": 100, "test": 100}),
    ("split_rows", {"rows": 50}, {"train": 30, "validation": 10, "test": 10}),
    ("lora_factor", {"steps": 60}, 15),
    ("lora_rate", {"full_rate": 2e-5}, 2e-4),
    ("hours_saved", {"steps_before": 25_000, "steps_after": 15_000, "seconds_per_step": 6.2}, 17.2),
    ("training_flops", {"parameters": 124.1e6, "tokens": 196_608}, 1.464e14),
    ("lora_flops", {"parameters": 1.2358e9, "adapter": 11_272_192, "tokens": 1e9}, 5.01e18),
    ("seconds_of_flops", {"flops": 1e18, "devices": 1, "peak": 989e12, "used_share": 0.4}, 2_528),
    ("flop_utilisation", {"flops_per_token": 7.82e9, "tokens_per_s": 50_000, "devices": 1, "peak": 989e12}, 0.395),
    ("rental_cost", {"hours": 43.06, "devices": 6, "price_per_hour": 0.69}, 178.27),
    ("energy_kwh", {"hours": 43.06, "devices": 6, "watts": 450}, 116.3),
    ("weights_gib", {"parameters": 7e9, "bits": 16}, 13.04),
    ("weights_gib", {"parameters": 7e9, "bits": 4.127}, 3.363),
    ("optimizer_gib", {"parameters": 7e9, "optimizer": "adamw"}, 52.15),
    ("kv_cache_gib", {"layers": 32, "kv_heads": 8, "head_dim": 128, "tokens": 8_192}, 1.0),
]


@pytest.mark.parametrize(("name", "inputs", "expected"), WORKED)
def test_the_worked_example_of_the_source_comes_out(name: str, inputs: dict[str, object], expected: float) -> None:
    assert formula_named(name)(inputs) == pytest.approx(expected, rel=2e-3)


def test_every_formula_tells_its_expression_and_its_source() -> None:
    for formula in formulas().values():
        assert formula.expression and formula.source and formula.function.__doc__
    assert len(formulas()) >= 35


@pytest.mark.parametrize(
    ("per_device", "accumulation", "regime"),
    [(2, 16, "scarce"), (1, 32, "scarce"), (4, 8, "ample"), (8, 4, "ample"), (2, 4, "between"), (8, 1, "none")],
)
def test_the_regimes_of_accumulation(per_device: int, accumulation: int, regime: str) -> None:
    inputs = {"per_device": per_device, "accumulation": accumulation}
    assert formula_named("accumulation_regime")(inputs) == regime


def test_a_wrong_set_of_inputs_and_a_division_by_zero_are_sentences() -> None:
    with pytest.raises(InputError, match="takes per_device, devices, accumulation"):
        formula_named("effective_batch")({"per_device": 4})
    with pytest.raises(InputError, match="no answer"):
        formula_named("epochs_of_steps")({"steps": 1, "batch": 1, "examples": 0})
    with pytest.raises(InputError, match="no formula called"):
        formula_named("__import__")


def test_clock_and_points() -> None:
    assert formula_named("clock")({"seconds": 7372.98}) == "2:02:53"
    assert formula_named("evaluation_points")({"every": 500, "steps": 1875}) == [500, 1000, 1500]
    pairs = formula_named("factorings")({"effective": 192, "devices": 6})
    assert [(pair["per_device"], pair["accumulation"]) for pair in pairs][:4] == [(32, 1), (16, 2), (8, 4), (4, 8)]
    assert formula_named("factorings")({"effective": 100, "devices": 6}) == []
    assert formula_named("split_shares")({"test": 0.2, "validation": 0.1}) == pytest.approx([0.72, 0.08, 0.2])


@pytest.mark.parametrize("scheduler", setting_at("schedule.scheduler").choices)
@pytest.mark.parametrize("warmup", [0.0, 0.03, 10.0, 37.0])
@pytest.mark.parametrize("steps", [1, 37, 120])
def test_the_planned_curve_is_that_of_the_real_scheduler(scheduler: str, warmup: float, steps: int) -> None:
    import torch
    from transformers import TrainingArguments, get_scheduler

    arguments = TrainingArguments(output_dir="unused", warmup_steps=warmup, report_to=[], use_cpu=True)
    spec = with_overrides(RunSpec(), {"schedule.scheduler": scheduler, "schedule.warmup": warmup})
    curve = dict(schedule_curve(spec, steps, points=1000))
    course = course_of(spec.schedule, steps)
    if scheduler != "polynomial":
        assert course.warmup == arguments.get_warmup_steps(steps)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=spec.schedule.learning_rate)
    name, options = transformers_scheduler(course, spec.schedule.learning_rate)
    real = get_scheduler(
        name, optimizer, num_warmup_steps=course.warmup, num_training_steps=steps, scheduler_specific_kwargs=options
    )
    for step in range(steps + 1):
        assert curve[step] == pytest.approx(real.get_last_lr()[0], abs=1e-15)
        optimizer.step()
        real.step()


def test_the_floor_and_the_decay_are_where_the_spec_puts_them() -> None:
    changes = {"schedule.scheduler": "wsd", "schedule.floor": 0.25, "schedule.decay": 0.2, "schedule.warmup": 10}
    spec = with_overrides(RunSpec(), changes | {"schedule.learning_rate": 1e-3})
    curve = dict(schedule_curve(spec, 1000))
    assert curve[10] == curve[800] == 1e-3
    assert curve[900] == pytest.approx(0.625e-3) and curve[1000] == pytest.approx(0.25e-3)
    cosine = with_overrides(spec, {"schedule.scheduler": "cosine-with-floor"})
    assert schedule_curve(cosine, 1000)[-1] == (1000, pytest.approx(0.25e-3))


@pytest.mark.parametrize("rows", [1, 15, 16, 17, 100, 333])
@pytest.mark.parametrize("accumulation", [1, 3, 4])
@pytest.mark.parametrize("epochs", [1, 2.5, 3])
def test_steps_are_rounded_as_the_trainer_rounds_them(rows: int, accumulation: int, epochs: float) -> None:
    import torch
    from transformers import Trainer, TrainingArguments

    arguments = TrainingArguments(
        output_dir="unused", per_device_train_batch_size=4, gradient_accumulation_steps=accumulation,
        num_train_epochs=epochs, report_to=[], use_cpu=True,
    )  # fmt: skip
    data = [{"x": torch.zeros(1)}] * rows
    trainer = Trainer(model=torch.nn.Linear(1, 1), args=arguments, train_dataset=data)
    counted = trainer.set_initial_training_values(arguments, trainer.get_train_dataloader())
    planned = formula_named("trainer_steps")(
        {"examples": rows, "epochs": epochs, "per_device": 4, "accumulation": accumulation}
    )
    assert planned in counted and counted[-1] == planned


def test_lora_adapts_the_layers_that_peft_adapts(tiny_llama) -> None:  # type: ignore[no-untyped-def]
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    for targets in ("all-linear", ["q_proj", "v_proj"], ["down_proj"]):
        model = AutoModelForCausalLM.from_pretrained(tiny_llama)
        adapted = get_peft_model(model, LoraConfig(r=4, target_modules=targets))
        trained = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
        assert adapter_parameters(facts_of(tiny_llama), 4, targets) == trained


def test_gpt2_has_two_layers_called_c_proj_and_lora_takes_both() -> None:
    facts = facts_of("gpt2")
    assert adapter_parameters(facts, 1, ["c_proj"]) == 12 * (768 + 768 + 3072 + 768)
    assert adapter_parameters(facts, 1, "all-linear") == 12 * ((768 + 2304) + (768 + 768) + 2 * (768 + 3072))
    assert unknown_targets(facts, ["q_proj", "c_attn"]) == ["q_proj"]


def test_a_smaller_model_takes_a_higher_rate_and_lora_ten_times_more() -> None:
    sizes = [100_000_000, 1_000_000_000, 8_000_000_000, 70_000_000_000]
    for method in ("full", "lora"):
        defaults = [rate_range(method, size).default for size in sizes]  # type: ignore[union-attr]
        assert defaults == sorted(defaults, reverse=True)
    for size in sizes[1:]:
        assert rate_range("lora", size).default >= 10 * rate_range("full", size).default  # type: ignore[union-attr]
    assert rate_range("full", None) is None
    assert math.isclose(rate_range("full", 110_000_000, encoder=True).default, 2e-5)  # type: ignore[union-attr]
    assert nearest_published("lora", None) == []
