"""Redrawn parameters and labels: what depends on them, and that the model is left as it was found."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from attar import InputError, Logit, UnsupportedError, attribute
from attar.adapters.function import Function
from attar.core.attribution import Attribution
from attar.core.inputs import Inputs
from attar.core.model import Predictor
from attar.core.target import Target
from attar.evaluation.randomisation import (
    FIRST,
    cascading_randomisation,
    label_randomisation,
    layer_randomisation,
    layers_of,
    redrawn,
)
from attar.evaluation.score import SAME, WORSE
from attar.methods.grad_input import GradInput
from attar.methods.gradient import Gradient
from attar.methods.random_values import RandomValues
from models import case, numbers, relu_mlp, seeded, table

WAYS = {"cascading": cascading_randomisation, "alone": layer_randomisation}
WITH_MODULES = ["mlp", "stateful-mlp", "cnn", "gcn", "bag-mlp", "picture-and-words", "transformer", "lstm"]


def wide(seed: int = 0) -> nn.Module:
    return seeded(
        lambda: nn.Sequential(nn.Linear(30, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1)), seed=seed
    )


def state(module: nn.Module) -> dict[str, Any]:
    tensors = {
        name: (id(t), t.clone(), t.requires_grad) for name, t in (*module.named_parameters(), *module.named_buffers())
    }
    return tensors | {f"mode of {name}": each.training for name, each in module.named_modules()}


def assert_state(module: nn.Module, before: dict[str, Any]) -> None:
    for name, after in state(module).items():
        if isinstance(after, tuple):
            assert after[0] == before[name][0]
            assert torch.equal(after[1], before[name][1]), name
            assert after[2] == before[name][2]
        else:
            assert after == before[name]
    assert not any(each._forward_pre_hooks for each in module.modules())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model_name", WITH_MODULES)
def test_the_model_is_left_as_found_and_chance_too(way: str, model_name: str) -> None:
    given = case(model_name)
    given.module.requires_grad_(False)
    before = state(given.module)
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002 - the global state is what is looked at
    torch.manual_seed(3)
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    found = WAYS[way](given.model, given.inputs, GradInput(), redraws=2)
    assert_state(given.module, before)
    assert random.getstate() == states[0]
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[2])
    again = WAYS[way](given.model, given.inputs, GradInput(), redraws=2)
    assert found.keys() == again.keys()
    for name, score in found.items():
        np.testing.assert_array_equal(score.values, again[name].values)


@dataclass(frozen=True)
class Stumbling:
    """Fails when the model is no longer what it was."""

    known: Tensor
    needs: ClassVar[type] = Predictor

    def __call__(self, model: Predictor, inputs: Inputs, target: Target) -> Attribution:
        if not torch.allclose(model.predict(inputs), self.known):
            raise RuntimeError("the model has changed")
        return RandomValues()(model, inputs, target)


@pytest.mark.parametrize("way", WAYS)
def test_the_model_is_left_as_found_after_an_exception(way: str) -> None:
    given = case("stateful-mlp")
    with torch.no_grad():
        known = given.module.eval()(given.inputs.arguments()[0])
    given.module.train()
    before = state(given.module)
    with pytest.raises(RuntimeError, match="the model has changed"):
        WAYS[way](given.model, given.inputs, Stumbling(known))
    assert_state(given.module, before)


def test_a_layer_that_fails_to_be_redrawn_leaves_the_others_as_found() -> None:
    class Broken(nn.Linear):
        broken = False

        def reset_parameters(self) -> None:
            if self.broken:
                self.weight.data.zero_()
                raise RuntimeError("no")
            super().reset_parameters()

    module = nn.Sequential(nn.Linear(3, 3), Broken(3, 1))
    module[1].broken = True
    before = state(module)
    with pytest.raises(RuntimeError, match="no"), redrawn(module, ["0", "1"], seed=0):
        pass
    assert_state(module, before)


@pytest.mark.parametrize("way", WAYS)
def test_what_does_not_look_at_the_model_fails(way: str) -> None:
    for score in WAYS[way](wide(), numbers(20, 30), RandomValues()).values():
        np.testing.assert_allclose(score.values, 1)
        assert score.verdict == WORSE


def test_a_network_as_it_was_born_is_redrawn_too() -> None:
    """From other seeds than those that people build models with."""
    for seed in range(3):
        found = layer_randomisation(wide(seed), numbers(5, 30), Gradient(), redraws=1, seed=seed)
        assert max(score.values.max() for score in found.values()) < 0.9


def test_a_gradient_passes() -> None:
    found = cascading_randomisation(wide(), numbers(40, 30), Gradient(), redraws=12)
    assert list(found) == ["4", "2", "0"]
    assert found["0"].verdict == SAME
    assert abs(found["0"].mean.score) < 0.15
    assert found["0"].values.shape == (12, 40)


def test_the_similarity_is_spearmans_by_example_and_signed() -> None:
    module, x = relu_mlp(), table()
    own = attribute(module, x, GradInput(), Logit(1)).values
    found = cascading_randomisation(module, x, GradInput(), Logit(1), redraws=1, seed=5)
    with redrawn(module, ["4", "2"], seed=FIRST + 5):
        other = attribute(module, x, GradInput(), Logit(1)).values
    expected = [spearmanr(a, b).statistic for a, b in zip(own, other, strict=True)]
    np.testing.assert_allclose(found["2"].values[0], expected, atol=1e-12)
    assert found["2"].values.min() < 0


def test_blank_pixels_are_no_agreement() -> None:
    """Of magnitudes they were: a peer's default says .92 where nothing learnt is left."""
    x = numbers(30, 30)
    x[:, ::2] = 0
    found = cascading_randomisation(wide(), x, GradInput(), redraws=12)
    assert abs(found["0"].mean.score) < 0.15


def test_an_attribution_of_nothing_does_not_pass() -> None:
    x = numbers(6, 30)
    x[4] = 0
    found = cascading_randomisation(wide(), x, GradInput(), redraws=2)["0"]
    assert np.isnan(found.values).all(0).tolist() == [False, False, False, False, True, False]
    assert found.mean.n == 5


def test_the_class_is_that_of_the_trained_model() -> None:
    module, x = relu_mlp(), table()
    given = [int(k) for k in module.eval()(x).argmax(1)]
    predicted, told = (cascading_randomisation(module, x, GradInput(), t, redraws=1) for t in (None, Logit(given)))
    for name in told:
        np.testing.assert_array_equal(predicted[name].values, told[name].values)


class Backwards(nn.Module):
    """Registers its head first; `scale` is read, not called."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 1)
        self.first = nn.Linear(5, 4)
        self.unused = nn.Linear(2, 2)
        self.scale = nn.Parameter(torch.rand(4))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.first(x)) * self.scale)


def test_layers_come_in_the_order_in_which_they_are_called() -> None:
    module = seeded(Backwards)
    assert layers_of(module, lambda: module(table()))[-2:] == ("first", "head")
    found = cascading_randomisation(module, table(), Gradient(), redraws=1)
    assert next(iter(found)) == "head"
    assert set(found) == {"head", "first", "", "unused"}


def test_a_norm_as_it_was_born_is_left_out() -> None:
    module = seeded(lambda: nn.Sequential(nn.Linear(5, 8), nn.LayerNorm(8), nn.Tanh(), nn.Linear(8, 1)))
    assert list(layer_randomisation(module, table(), Gradient(), redraws=1)) == ["3", "0"]
    with pytest.raises(UnsupportedError, match="nothing to randomise"):
        cascading_randomisation(seeded(nn.Tanh), table(6)[:, :1], Gradient())


def test_alone_is_not_in_a_cascade() -> None:
    module, x = relu_mlp(), table()
    alone, cascade = (WAYS[way](module, x, GradInput(), Logit(1), redraws=1) for way in ("alone", "cascading"))
    np.testing.assert_array_equal(alone["4"].values, cascade["4"].values)
    assert not np.allclose(alone["0"].values, cascade["0"].values)


def test_batches_and_the_order_of_examples_change_nothing() -> None:
    given = case("gcn")
    whole = cascading_randomisation(given.model, given.inputs, GradInput(), redraws=1)
    order = torch.tensor([2, 0, 3, 1])
    some = cascading_randomisation(given.model, given.inputs.take(order), GradInput(), redraws=1, batch_size=3)
    for name, score in whole.items():
        np.testing.assert_allclose(some[name].values, score.values[:, order], atol=1e-9)


def test_a_layers_output_is_made_anew_by_the_layers_below() -> None:
    module, x = relu_mlp(), table()
    found = cascading_randomisation(module, x, GradInput(), Logit(0), redraws=1, at="1")
    with redrawn(module, ["4", "2", "0"], seed=FIRST):
        other = attribute(module, x, GradInput(), Logit(0), at="1").values
    own = attribute(module, x, GradInput(), Logit(0), at="1").values
    expected = [spearmanr(a, b).statistic for a, b in zip(own, other, strict=True)]
    np.testing.assert_allclose(found["0"].values[0], expected, atol=1e-9)


def test_a_function_around_a_module_names_it() -> None:
    module = wide()

    def ask(x: Tensor) -> Tensor:
        return module(x)

    with pytest.raises(UnsupportedError, match="give the torch module inside it"):
        cascading_randomisation(Function(ask), numbers(5, 30), RandomValues())
    assert cascading_randomisation(Function(ask), numbers(5, 30), RandomValues(), module=module, redraws=1)
    with pytest.raises(InputError, match="redraws is 0"):
        cascading_randomisation(module, numbers(5, 30), RandomValues(), redraws=0)


# --- labels ---


@dataclass(frozen=True)
class LeastSquares:
    """A recipe of examples that are rows; its own method are weights times inputs."""

    looks: bool = True
    name: str = "least squares"
    methods: tuple[str, ...] = ("weights",)

    def fit(self, examples: Sequence[Any], labels: np.ndarray, seed: int) -> "Fit":
        weights = np.linalg.lstsq(np.stack(list(examples)), labels, rcond=None)[0]
        return Fit(weights if self.looks else np.arange(len(weights), dtype=float))


@dataclass(frozen=True)
class Fit:
    weights: np.ndarray

    def predict(self, examples: Sequence[Any]) -> np.ndarray:
        return np.stack(list(examples)) @ self.weights

    def explain(self, examples: Sequence[Any], method: str) -> list[np.ndarray]:
        return [example * self.weights for example in examples]


def test_labels_in_random_order_leave_no_likeness_to_a_method_that_looks() -> None:
    rows = list(numbers(200, 12).numpy())
    labels = np.stack(rows) @ np.linspace(-1, 1, 12)
    found = label_randomisation(LeastSquares(), (rows, labels), rows[:40], "weights", seeds=range(30))
    assert found.values.shape == (30, 40)
    assert found.verdict == SAME
    blind = label_randomisation(LeastSquares(looks=False), (rows, labels), rows[:40], "weights", seeds=(0, 1))
    np.testing.assert_allclose(blind.values, 1)
    assert blind.verdict == WORSE
    learnt = [LeastSquares().fit(rows, labels, 0)]
    known = label_randomisation(LeastSquares(), (rows, labels), rows[:40], "weights", seeds=(0, 1), learnt=learnt)
    np.testing.assert_array_equal(known.values, found.values[:2])
    other = [LeastSquares().fit(rows, labels[::-1], 0)]
    unlike = label_randomisation(LeastSquares(), (rows, labels), rows[:40], "weights", seeds=(0, 1), learnt=other)
    assert (unlike.values[0] != known.values[0]).any()
    np.testing.assert_array_equal(unlike.values[1], known.values[1])
    with pytest.raises(InputError, match="all labels are the same"):
        label_randomisation(LeastSquares(), (rows, np.ones(200)), rows, "weights")
