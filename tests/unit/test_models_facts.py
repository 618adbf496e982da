"""Parameter counts are exact: against published numbers and against the classes of transformers."""

import pytest

from lab.errors import NotFoundError
from lab.models import demo_folder, facts_of, model_preset, model_presets
from lab.models.safetensors import parameters_in


@pytest.mark.parametrize("name", sorted(model_presets()))
def test_the_count_from_a_presets_config_is_its_published_count(name: str) -> None:
    preset = model_presets()[name]
    assert facts_of(name).parameters == preset.parameters
    assert preset.source and preset.licence and preset.hub.count("/") == 1


def test_llama_32_1b_has_its_true_dimensions() -> None:
    facts = facts_of("meta-llama/Llama-3.2-1B")
    assert (facts.layers, facts.hidden, facts.heads, facts.kv_heads, facts.intermediate) == (
        16,
        2048,
        32,
        8,
        8192,
    )
    assert (facts.vocabulary, facts.tied, facts.parameters) == (128_256, True, 1_235_814_400)


def test_the_demo_is_counted_alike_from_config_and_weights() -> None:
    facts = facts_of("demo")
    assert facts.parameters == parameters_in([demo_folder() / "model.safetensors"])
    assert facts.has_chat_template is False


def test_of_an_unknown_hub_model_nothing_is_known_and_nothing_is_invented() -> None:
    facts = facts_of("nobody/never-heard-of-it")
    assert (facts.parameters, facts.hidden, facts.counted, facts.linear_modules) == (
        None,
        None,
        "not known",
        {},
    )


def test_a_preset_that_does_not_exist_is_not_found() -> None:
    with pytest.raises(NotFoundError):
        model_preset("gpt-99")


LLAMA = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 24,
    "vocab_size": 40,
    "max_position_embeddings": 32,
    "pad_token_id": 0,
}
LLAMA_KINDS = ("llama", "mistral", "qwen2", "qwen3", "smollm3", "gemma", "gemma2", "olmo2", "phi3")
TINY = [
    {"model_type": kind, "tie_word_embeddings": tied, **LLAMA, "head_dim": head_dim}
    for kind in LLAMA_KINDS
    for tied in (True, False)
    for head_dim in (4,)
] + [
    {"model_type": "llama", "attention_bias": True, "mlp_bias": True, **LLAMA, "head_dim": 8},
    {"model_type": "gpt2", "n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 32, "vocab_size": 40},
    {"model_type": "gpt_neox", "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4,
     "intermediate_size": 24, "vocab_size": 40, "max_position_embeddings": 32},
    {"model_type": "bert", "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4,
     "intermediate_size": 24, "vocab_size": 40, "max_position_embeddings": 32},
]  # fmt: skip


@pytest.mark.parametrize("config", TINY, ids=lambda config: str(config["model_type"]))
def test_counts_and_layers_agree_with_transformers(config: dict[str, object]) -> None:
    import torch
    import transformers

    options = dict(config)
    made = transformers.AutoConfig.for_model(str(options.pop("model_type")), **options)
    cls = transformers.AutoModel if config["model_type"] == "bert" else transformers.AutoModelForCausalLM
    with torch.device("meta"):
        model = cls.from_config(made)
    facts = facts_of(config)
    model.tie_weights()
    assert facts.parameters == sum(parameter.numel() for parameter in model.parameters())
    for name, layer in facts.linear_modules.items():
        found = [module for path, module in model.named_modules() if path.endswith(f".{name}")]
        if config["model_type"] == "bert" and name == "output.dense":  # the attention's output ends alike
            found = [
                m for path, m in model.named_modules() if path.endswith(".output.dense") and "attention" not in path
            ]
        if name == "pooler.dense":
            found = [model.pooler.dense]
        assert len(found) == layer.count, name
        assert {tuple(sorted(module.weight.shape)) for module in found} == {
            tuple(sorted((layer.inputs, layer.outputs)))
        }
