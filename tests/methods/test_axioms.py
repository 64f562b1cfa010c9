"""Axioms, for every method that sees the entries of a table: a new one is here without a line being written.

What does not hold for a method stands in a table with the reason. Estimates may be off by their own error.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from attar import Attribution, Logit, attribute
from attar.adapters import adapt
from attar.core.model import lacks
from models import FEATURES, Formula, case, every_method, numbers, table, takes

METHODS = {
    name: method
    for name, method in every_method().items()
    if name != "random" and takes(name, case("mlp").inputs) and lacks(adapt(case("mlp").model), method.needs) is None
}
DUMMY = 3

NOT_LINEAR = {
    "var-grad": "a variance",
    "square-grad": "a mean of squares",
    "anchors": "about classes",
    "guided-backprop": "another model's gradient where the sign at a ReLU turns",
    "guided-integrated-gradients": "the path is the function's own",
}
KNOWS_THE_FORMULA = {
    "deep-lift": "rules go by operation",
    "lrp": "rules go by operation",
    "guided-backprop": "only ReLUs are guided",
    "guided-integrated-gradients": "which of equal slopes goes first, rounding decides",
}


def one(x: Tensor) -> Tensor:
    return torch.relu(x @ numbers(FEATURES, 4)) @ numbers(4, seed=1)


def other(x: Tensor) -> Tensor:
    return torch.relu(x @ numbers(FEATURES, 3, seed=2) + 0.2) @ numbers(3, seed=3)


def all_but(exempt: dict[str, str]) -> list[str]:
    assert set(exempt) <= set(METHODS)
    return [name for name in METHODS if name not in exempt]


def explained(formula: Callable[[Tensor], Tensor], name: str, x: Tensor) -> Attribution:
    return attribute(Formula(lambda x: formula(x)[:, None]), x, METHODS[name], Logit(0))


def apart(one: Tensor, other: Tensor) -> Tensor:
    return (one - other).flatten(1).abs().sum(1)


@pytest.mark.parametrize("name", all_but(NOT_LINEAR))
def test_linearity(name: str) -> None:
    x = table()
    both = explained(lambda x: 2 * one(x) - 3 * other(x), name, x)
    first, second = (explained(formula, name, x) for formula in (one, other))
    off = apart(both.values, 2 * first.values - 3 * second.values)
    assert bool((off <= both.error.bound + 2 * first.error.bound + 3 * second.error.bound + 1e-6).all())
    assert bool((both.values.abs().sum(1) > 0).any())


@pytest.mark.parametrize("name", METHODS)
def test_symmetry(name: str) -> None:
    """Entries that a function treats alike, and that are alike, get the same."""
    x = table()
    x[:, 1] = x[:, 0]
    found = explained(lambda x: torch.relu(x[:, 0] + x[:, 1] - 0.3) * x[:, 2] + x[:, 0] * x[:, 1], name, x)
    off = (found.values[:, 0] - found.values[:, 1]).abs()
    assert bool((off <= found.error.bound + 1e-9).all())


@pytest.mark.parametrize("name", METHODS)
def test_a_feature_that_the_model_does_not_hear_gets_nothing(name: str) -> None:
    def deaf(x: Tensor) -> Tensor:
        heard = torch.cat([x[:, :DUMMY], x[:, DUMMY + 1 :]], 1)
        return torch.tanh(heard @ numbers(FEATURES - 1, 2))

    found = attribute(Formula(deaf), table(), METHODS[name])
    slack = 0.0 if found.standard_error is None else 5 * found.standard_error["input"][:, DUMMY] + 1e-15
    assert bool((found.values[:, DUMMY].abs() <= slack).all())
    heard = found.values[:, :DUMMY] != 0
    assert bool(heard.any() if name == "anchors" else heard.all())  # a rule keeps few


@pytest.mark.parametrize("name", all_but(KNOWS_THE_FORMULA))
def test_implementation_invariance(name: str) -> None:
    """One function, written in two ways."""

    def rewritten(x: Tensor) -> Tensor:
        inner = (x @ (numbers(FEATURES, 4) * 5)) / 5
        return (((inner + inner.abs()) / 2) * numbers(4, seed=1)).sum(1)

    first, second = (explained(formula, name, table()) for formula in (one, rewritten))
    assert bool((apart(first.values, second.values) <= 1e-9 + first.error.bound + second.error.bound).all())


@pytest.mark.parametrize("name", METHODS)
def test_completeness(name: str) -> None:
    """Where there is a reference, values and what no entry was given make up the difference to the output."""
    found = explained(one, name, table())
    residual = found.residual()
    if residual is None:
        assert found.unassigned is None
        return
    assert bool((residual.abs() <= found.error.bound + 1e-9).all())
