"""The parts of the methods on their own: losses, sampling, noise, depth, phases, parameter groups, dropout."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import task_runs as tasks
import torch

import lab.training  # noqa: F401  (before torch)
from lab.errors import InputError
from lab.spec import RunSpec, with_overrides
from lab.training.attention import flat_row
from lab.training.methods import dropout, losses, optimizers
from lab.training.methods.consolidation import Consolidation, fisher
from lab.training.methods.depth import depths
from lab.training.methods.freezing import first_steps, phase_at, train_blocks
from lab.training.methods.noise import add_noise, lengths_of
from lab.training.methods.sampling import ClassSampler


@pytest.fixture(scope="module")
def llama(tiny_llama: Path) -> Any:
    from lab.training.build import load_base

    return load_base(str(tiny_llama))


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from transformers import AutoModelForSequenceClassification

    folder = tasks.build_tiny_bert(tmp_path_factory.mktemp("bert"))
    return AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)


# --- losses ---


def test_label_smoothing_is_torchs_and_gives_nothing_to_what_is_no_choice() -> None:
    logits, targets = torch.randn(5, 7), torch.tensor([0, 6, 3, 3, 1])
    expected = torch.nn.functional.cross_entropy(logits, targets, label_smoothing=0.1, reduction="none")
    assert torch.allclose(losses.smoothed(logits, targets, 0.1), expected, atol=1e-6)
    closed = torch.cat([logits, torch.full((5, 2), -torch.inf)], 1)
    assert torch.allclose(losses.smoothed(closed, targets, 0.1), expected, atol=1e-6)
    assert losses.total_loss(logits, targets, 0.1).item() == pytest.approx(expected.sum().item(), rel=1e-5)


def test_focal_loss_is_the_papers_with_an_alpha_for_each_class() -> None:
    logits, labels = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, -1.0]]), torch.tensor([0, 0, 1])
    alpha, gamma = torch.tensor([0.25, 0.75]), 2.0
    sure = torch.softmax(logits, -1)[range(3), labels]
    expected = alpha[labels] * (1 - sure) ** gamma * -sure.log()
    assert torch.allclose(losses.item_loss(0.0, alpha, gamma)(logits, labels), expected, atol=1e-6)


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    # compute_class_weight("balanced", y=90 x a + 10 x b): 100 / (2 x 90), 100 / (2 x 10)
    assert losses.balanced([90, 10]) == pytest.approx([0.5556, 5.0], abs=1e-4)


def test_given_weights_follow_the_labels_and_unknown_classes_are_named() -> None:
    asked = with_overrides(
        RunSpec(), {"regularisation.class_weights": "given", "regularisation.class_values": {"spam": 5}}
    ).regularisation
    assert losses.class_weights(asked, ["ham", "spam"], [9, 1]).tolist() == [1.0, 5.0]
    with pytest.raises(InputError, match="no class called spam"):
        losses.class_weights(asked, ["ham", "eggs"], [9, 1])


def test_a_balanced_sampler_draws_each_class_equally_often_and_repeats_itself() -> None:
    classes = [0] * 900 + [1] * 100
    sampler = ClassSampler(classes, 1.0, seed=3)
    drawn = list(sampler)
    seen = Counter(classes[i] for i in drawn)
    assert len(drawn) == len(sampler) == 1000 and 440 <= seen[1] <= 560
    assert 180 <= Counter(classes[i] for i in ClassSampler(classes, 0.5, seed=3))[1] <= 320  # root: 1 in 4
    assert list(ClassSampler(classes, 1.0, seed=3)) == drawn
    sampler.set_epoch(1)
    assert list(sampler) != drawn


# --- depth, phases, groups ---


def test_depths_count_from_the_head_down(llama: Any, bert: Any) -> None:
    below = depths(llama)
    assert below["model.norm.weight"] == 0
    assert {below[name] for name in below if "layers.1." in name} == {1}
    assert {below[name] for name in below if "layers.0." in name} == {2}
    assert below["model.embed_tokens.weight"] == 3
    below = depths(bert)
    assert below["classifier.weight"] == below["bert.pooler.dense.weight"] == 0
    assert below["bert.encoder.layer.1.output.dense.weight"] == 1
    assert below["bert.embeddings.word_embeddings.weight"] == 3


def test_the_last_blocks_and_the_head_learn(bert: Any) -> None:
    train_blocks(bert, 1)
    learning = {name for name, weight in bert.named_parameters() if weight.requires_grad}
    assert all(name.startswith(("classifier", "bert.pooler", "bert.encoder.layer.1.")) for name in learning)
    assert any(name.startswith("bert.encoder.layer.1.") for name in learning)
    train_blocks(bert, None)
    assert all(weight.requires_grad for weight in bert.parameters())


def test_phases_take_their_part_of_the_run() -> None:
    phases = RunSpec().method.ordered_phases()
    assert phases == [(0, 2.0), (2, 2.0), (None, 1.0)]
    starts = first_steps(phases, 10)
    assert starts == [(0, 0), (4, 2), (8, None)]
    assert [phase_at(starts, step) for step in (0, 3, 4, 7, 8, 9)] == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("which", ["llama", "bert"])
def test_biases_and_norms_do_not_decay(which: str, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(which)
    pulled = set(optimizers.decaying(model))
    kinds = {
        f"{name}.{own}" if name else own: type(module).__name__
        for name, module in model.named_modules()
        for own, _ in module.named_parameters(recurse=False)
    }
    own_weights = dict(model.named_parameters())  # a tied head is its embeddings
    for name, kind in ((name, kind) for name, kind in kinds.items() if name in own_weights):
        assert (name in pulled) is not (name.endswith("bias") or kind.endswith("Norm")), name


def test_rates_fall_from_block_to_block(bert: Any) -> None:
    groups = optimizers.layered_groups(bert, 1e-3, 0.1, 0.5)
    names = {id(weight): name for name, weight in bert.named_parameters()}
    below = depths(bert)
    for group in groups:
        for weight in group["params"]:
            name = names[id(weight)]
            assert group["lr"] == pytest.approx(1e-3 * 0.5 ** below[name])
            assert (group["weight_decay"] == 0.1) is (name in optimizers.decaying(bert))
    assert groups[0]["lr"] == 1e-3  # what is reported as the learning rate
    assert sum(len(group["params"]) for group in groups) == len(names)


# --- noise and dropout ---


def test_noise_comes_in_training_only_and_is_the_papers_size(llama: Any) -> None:
    import copy

    model = copy.deepcopy(llama)
    add_noise(model, 10.0)
    embeddings = model.get_input_embeddings()
    seen: list[Any] = []
    embeddings.register_forward_hook(lambda module, args, output: seen.append(output.detach()))
    rows = [[5, 6, 7], [8, 9, 10, 11, 12, 13]]
    ids = torch.tensor([[5, 6, 7, 0, 0, 0], rows[1]])
    mask = torch.tensor([[1, 1, 1, 0, 0, 0], [1] * 6])
    clean = torch.nn.functional.embedding(ids, embeddings.weight)

    model.eval()(input_ids=ids, attention_mask=mask)
    assert torch.equal(seen[-1], clean)
    model.train()
    with torch.no_grad():
        model(input_ids=ids, attention_mask=mask)
    assert torch.equal(seen[-1], clean)
    model(input_ids=ids, attention_mask=mask)
    moved = (seen[-1] - clean).abs()
    limit = [10 / math.sqrt(length * clean.shape[-1]) for length in (3, 6)]
    assert 0.9 * limit[0] < moved[0, :3].max() <= limit[0] + 1e-6
    assert 0.9 * limit[1] < moved[1].max() <= limit[1] + 1e-6
    assert moved[0, 3:].max() == 0


def test_examples_in_one_row_have_noise_by_their_own_length() -> None:
    row = flat_row([[1, 2, 3], [4, 5]])
    assert lengths_of(row).tolist() == [[3, 3, 3, 2, 2]]
    assert lengths_of({"attention_mask": torch.tensor([[1, 1, 0]])}).tolist() == [[2, 2, 0]]


def test_dropout_is_in_the_layers_when_it_is_set_at_load(tmp_path: Path) -> None:
    from transformers import AutoConfig, AutoModelForSequenceClassification

    folder = tasks.build_tiny_bert(tmp_path / "bert")
    asked = dropout.settings(AutoConfig.from_pretrained(folder), 0.4)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2, **asked)
    shares = {part.p for part in model.modules() if isinstance(part, torch.nn.Dropout)}
    assert shares == {0.4}
    ids = torch.tensor([[2, 10, 11, 3]])
    assert not torch.equal(model.train()(ids).logits, model(ids).logits)
    assert torch.equal(model.eval()(ids).logits, model(ids).logits)
    # Changing the config of a finished model, as document 002 does, changes nothing.
    plain = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    plain.config.hidden_dropout_prob = 0.4
    assert torch.equal(plain.train()(ids).logits, plain(ids).logits)


# --- consolidation ---


def test_fisher_is_the_squared_gradient_and_the_pull_is_the_penaltys_gradient() -> None:
    model = torch.nn.Linear(3, 2, bias=False)
    examples = [(torch.randn(3), torch.tensor(i % 2)) for i in range(4)]

    def likelihood(one: Any, example: Any) -> tuple[Any, int]:
        return torch.nn.functional.cross_entropy(one(example[0])[None], example[1][None]), 1

    found = fisher(model, examples, likelihood, lambda: False)["weight"]
    by_hand = torch.zeros_like(found)
    for x, label in examples:
        error = torch.softmax(model(x), -1) - torch.nn.functional.one_hot(label, 2)
        by_hand += torch.outer(error, x).detach() ** 2 / len(examples)
    assert torch.allclose(found, by_hand, atol=1e-6)

    held = Consolidation(model, 7.0)
    held.fisher = {"weight": found}
    assert held.penalty() == 0.0
    with torch.no_grad():
        model.weight += 0.5
    model.weight.grad = torch.zeros_like(model.weight)
    held.pull()
    moved = model.weight.detach().clone().requires_grad_(True)
    penalty = 7.0 / 2 * (found * (moved - held.start["weight"]) ** 2).sum()
    penalty.backward()
    assert torch.allclose(model.weight.grad, moved.grad, atol=1e-6)
    assert held.penalty() == pytest.approx(penalty.item(), rel=1e-5)
