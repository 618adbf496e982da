"""Adapters start and scale as their papers say, on quantized bases too, and what is saved loads with plain PEFT."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import task_runs as tasks
import torch
import training_runs as runs

import lab.training  # noqa: F401  (before torch)
from lab.errors import InputError
from lab.models import facts_of
from lab.planning.lora import adapter_parameters
from lab.runs.events import EventWriter
from lab.spec import RunSpec, with_overrides
from lab.training import build
from lab.training.methods import pissa, quantised
from lab.training.methods.adapters import adapt, lora_config
from lab.training.save import save_final

IDS = torch.tensor([[3, 17, 42, 99, 7, 23, 5]])


@pytest.fixture(scope="module")
def folders(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {"llama": tiny_llama, "gpt2": tasks.build_tiny_gpt2(tmp_path_factory.mktemp("gpt2"))}


def spec_of(folder: Path, **values: Any) -> RunSpec:
    given = {name.replace("__", "."): value for name, value in values.items()}
    return with_overrides(RunSpec(), {"model.source": str(folder), "method.rank": 8, "method.dropout": 0.0} | given)


def base_of(spec: RunSpec) -> Any:
    return build.load_base(spec.model.source, rounded=spec.model)


def adapted(spec: RunSpec, base: Any = None) -> Any:
    model = base_of(spec) if base is None else base
    config = lora_config(spec.method, model, spec.method.target_modules, task_type="CAUSAL_LM")
    return adapt(model, config, spec).eval()


def trained_a_little(model: Any) -> Any:
    """The model with its adapter moved, as a few steps would move it."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight += 0.02 * torch.randn_like(weight)
    return model


@torch.no_grad()
def said(model: Any) -> Any:
    return model(input_ids=IDS).logits


STARTS: list[dict[str, Any]] = [
    {},
    {"method__dora": True},
    {"method__rslora": True},
    {"method__init": "pissa"},
    {"method__init": "pissa-fast"},
    {"method__init": "pissa", "method__rslora": True},
]


@pytest.mark.parametrize("which", ["llama", "gpt2"])
@pytest.mark.parametrize("values", STARTS, ids=lambda values: "-".join(map(str, values.values())) or "plain")
def test_an_adapter_starts_as_the_base_and_loads_with_plain_peft(
    folders: dict[str, Path], which: str, values: dict[str, Any], tmp_path: Path
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    spec = spec_of(folders[which], **values)
    base = said(base_of(spec))
    model = adapted(spec)
    assert torch.allclose(said(model), base, atol=2e-4)  # PiSSA takes the weights apart and adds them up again
    tuned = said(trained_a_little(model))
    assert not torch.allclose(tuned, base, atol=1e-2)

    run = runs.make_run(tmp_path / "run", spec)
    writer = EventWriter(run, 1)
    tokenizer = build.load_tokenizer(spec.model.source)
    save_final(copy.deepcopy(model), tokenizer, spec.model.source, run.final_path, writer)
    writer.close()
    plain = AutoModelForCausalLM.from_pretrained(folders[which])
    again = PeftModel.from_pretrained(plain, str(run.final_path)).eval()
    assert torch.allclose(said(again), tuned, atol=2e-4)
    merged = AutoModelForCausalLM.from_pretrained(run.final_path / "merged").eval()
    assert torch.allclose(said(merged), tuned, atol=2e-4)
    assert torch.allclose(said(pissa.base_of(model)), base, atol=2e-4)


@pytest.mark.parametrize("rank", [4, 16])
def test_the_rank_stabilised_scale_is_alpha_over_the_root(folders: dict[str, Path], rank: int) -> None:
    from lab.planning.lora import lora_scale, rank_stabilised_scale

    for rslora, formula in ((True, rank_stabilised_scale), (False, lora_scale)):
        model = adapted(spec_of(folders["llama"], method__rslora=rslora, method__rank=rank))
        scales = {layer.scaling["default"] for layer in model.modules() if hasattr(layer, "lora_A")}
        assert scales == {formula(32, rank)}


@pytest.mark.parametrize(
    ("which", "targets"),
    [("gpt2", ["c_attn", "c_fc"]), ("llama", ["q_proj", "k_proj", "v_proj", "o_proj"]), ("llama", "all-linear"),
     ("gpt2", "all-linear")],
)  # fmt: skip
@pytest.mark.parametrize("dora", [False, True])
def test_the_real_trained_share_is_the_plans(folders: dict[str, Path], which: str, targets: Any, dora: bool) -> None:
    spec = spec_of(folders[which], method__target_modules=targets, method__dora=dora)
    found = build.parameters(adapted(spec))
    facts = facts_of(str(folders[which]))
    assert found["parameters"] == adapter_parameters(facts, 8, targets, dora=dora)
    assert found["total"] == facts.parameters
    assert found["share"] == found["parameters"] / facts.parameters


def test_a_rank_above_a_layer_is_refused(folders: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="more than the 16 dimensions"):
        adapted(spec_of(folders["llama"], method__rank=17))


# --- quantized bases ---


@pytest.fixture(params=["nf4", "nf4-plain", "8bit"])
def rounded(request: pytest.FixtureRequest, demo_model: Path) -> RunSpec:
    kind = request.param
    return spec_of(
        demo_model,
        method__name="qlora",
        model__quantization=kind.removesuffix("-plain"),
        model__double_quantization=kind == "nf4",
    )


def test_a_quantized_base_learns_on_a_cpu_and_asking_it_does_not_change_it(rounded: RunSpec) -> None:
    base = base_of(rounded)
    kind = "Linear8bitLt" if rounded.model.quantization == "8bit" else "Linear4bit"
    layers = [layer for layer in base.modules() if type(layer).__name__ == kind]
    assert len(layers) == 7 * base.config.num_hidden_layers  # every linear layer of the blocks, not the head
    before = quantised.values_of(layers[0])
    whole = base_of(with_overrides(rounded, {"method.name": "lora", "model.quantization": "none"}))
    exact = next(layer for name, layer in whole.named_modules() if name.endswith("layers.0.self_attn.q_proj")).weight
    error = (before - exact).norm() / exact.norm()
    assert 0 < error < (0.02 if kind == "Linear8bitLt" else 0.12)

    model = adapted(rounded, base)
    model.train()
    loss = model(input_ids=IDS, labels=IDS).loss
    loss.backward()
    gradients = [weight.grad for name, weight in model.named_parameters() if "lora_B" in name]
    assert gradients and all(gradient.abs().sum() > 0 for gradient in gradients)
    model.eval()
    first = said(model)
    assert torch.equal(said(model), first)
    assert torch.equal(quantised.values_of(layers[0]), before)


def test_a_merged_quantized_model_computes_what_was_trained(rounded: RunSpec) -> None:
    model = trained_a_little(adapted(rounded))
    tuned = said(model)
    merged = quantised.on_plain_base(model, torch.float32).merge_and_unload()
    assert not quantised.is_quantised(merged)
    assert not hasattr(merged.config, "quantization_config")
    # 8-bit products round the inputs too, which plain layers do not.
    assert torch.allclose(said(merged), tuned, atol=0.5 if rounded.model.quantization == "8bit" else 1e-3)


def test_double_quantization_rounds_the_constants_too(demo_model: Path) -> None:
    twice, once = (
        base_of(spec_of(demo_model, model__quantization="nf4", model__double_quantization=double))
        for double in (True, False)
    )
    states = [model.model.layers[0].mlp.up_proj.weight.quant_state for model in (twice, once)]
    assert [state.nested for state in states] == [True, False]
    assert [state.absmax.dtype for state in states] == [torch.uint8, torch.float32]


def test_loftq_starts_nearer_to_the_model_before_the_rounding(demo_model: Path) -> None:
    values = {"method__name": "qlora", "model__quantization": "nf4", "method__rank": 32}
    whole = said(base_of(spec_of(demo_model)))
    plain, loftq = (said(adapted(spec_of(demo_model, **values, method__init=init))) for init in ("default", "loftq"))
    errors = [(one - whole).norm() / whole.norm() for one in (plain, loftq)]
    assert errors[1] < 0.9 * errors[0]


def test_trl_would_round_the_adapter_of_a_quantized_model_and_it_is_put_back(demo_model: Path) -> None:
    model = adapted(spec_of(demo_model, method__name="qlora", model__quantization="nf4"))
    before = {name: weight.clone() for name, weight in model.named_parameters() if weight.requires_grad}
    with quantised.trained_weights_kept(model):
        for weight in model.parameters():
            if weight.requires_grad:
                weight.data = weight.data.to(torch.bfloat16)
    after = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_without_bitsandbytes_the_refusal_says_so(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from lab.training import libraries

    monkeypatch.setattr(libraries, "reveal", lambda: False)
    with pytest.raises(InputError, match="need bitsandbytes, which is not installed"):
        base_of(spec_of(folders["llama"], method__name="qlora", model__quantization="nf4"))
