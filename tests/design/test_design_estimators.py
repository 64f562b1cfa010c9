"""What every model by design promises: scikit-learn's own checks, exact attributions, refusals in one line."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks

from attar import InputError, Logit, UnsupportedError, attribute
from attar.design.additive import AdditiveModel
from attar.design.glm import GeneralizedLinearModel
from attar.design.pruned_tree import PrunedTreeClassifier, PrunedTreeRegressor
from attar.design.rule_list import RuleListClassifier
from attar.methods.shape_functions import ShapeFunctions
from attar.methods.tree_paths import TreePaths
from attar.methods.weight_times_input import WeightTimesInput

FAMILIES = ("binomial", "multinomial", "gaussian", "poisson", "gamma")

GLMS = [
    # Standardised labels are fitted worse than by half under a penalty of 1 on their mean: no fault of the fit.
    GeneralizedLinearModel(
        family,
        penalty,
        strength=0.1 if (family, penalty) == ("gaussian", "l1") else 1.0,
        intervals=None if penalty == "l1" else "sandwich" if penalty == "l2" else "information",
    )
    for family in FAMILIES
    for penalty in ("none", "l1", "l2")
]


@parametrize_with_checks(
    [
        *GLMS,
        GeneralizedLinearModel(standardise=True, intervals="bootstrap", resamples=40),
        *(AdditiveModel(family, penalties=(1e-4, 1.0)) for family in FAMILIES),
        PrunedTreeClassifier(folds=3),
        PrunedTreeRegressor(folds=3),
        RuleListClassifier(nodes=100),
    ]
)
def test_scikit_learns_checks(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


def data(family: str, rows: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Four columns of which the first two count, and labels of the family."""
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((rows, 4))
    eta = 0.3 + 0.8 * x[:, 0] - 0.5 * x[:, 1]
    match family:
        case "binomial":
            return x, generator.binomial(1, 1 / (1 + np.exp(-eta)))
        case "multinomial":
            return x, (eta + generator.standard_normal(rows) > 0.3).astype(int) + (x[:, 1] > 0.5)
        case "poisson":
            return x, generator.poisson(np.exp(eta)).astype(float)
        case "gamma":
            return x, generator.gamma(3, np.exp(eta) / 3)
    return x, eta + generator.standard_normal(rows)


def of_glm(family: str) -> tuple[Any, Any]:
    return GeneralizedLinearModel(family), WeightTimesInput()


def of_additive(family: str) -> tuple[Any, Any]:
    return AdditiveModel(family), ShapeFunctions()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("make", [of_glm, of_additive])
def test_attributions_sum_to_the_linear_predictor(make: Callable[[str], tuple[Any, Any]], family: str) -> None:
    x, y = data(family)
    model, method = make(family)
    frame = pd.DataFrame(x, columns=list("abcd"))
    model.fit(frame, y)
    asked = frame.iloc[:7]
    eta = model.linear_predictor(asked)
    for target in range(max(2, eta.shape[1] if eta.ndim == 2 else 2) if family in FAMILIES[:2] else 1):
        found = attribute(model, asked, method, Logit(target))
        wanted = eta[:, target] if eta.ndim == 2 else eta * (-1 if (family, target) == ("binomial", 0) else 1)
        total = found.values.sum(1) + found.reference
        np.testing.assert_allclose(total.numpy(), wanted, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(found.output.numpy(), wanted, rtol=1e-9, atol=1e-9)
        assert float(found.error.bound.max()) == 0
        assert {name for name, _ in found.ranked(0)} == set("abcd")


@pytest.mark.parametrize("model", [PrunedTreeClassifier(), PrunedTreeRegressor(), RuleListClassifier()])
def test_paths_sum_to_what_the_tree_or_the_list_says(model: Any) -> None:
    classes = not isinstance(model, PrunedTreeRegressor)
    x, y = data("multinomial" if classes else "gaussian", rows=400)
    model.fit(x, y)
    found = attribute(model, x[:9], TreePaths(), Logit(1 if classes else 0))
    assert float(found.residual().abs().max()) < 1e-9
    assert float(found.values.abs().max()) > 0.1
    if not classes:
        np.testing.assert_allclose(found.output.numpy(), model.predict(x[:9]), atol=1e-9)
    else:
        every = [attribute(model, x[:9], TreePaths(), Logit(k)).output.numpy() for k in range(3)]
        assert (model.classes_[np.argmax(every, 0)] == model.predict(x[:9])).all()


@pytest.mark.parametrize(
    "model", [GeneralizedLinearModel(), AdditiveModel(), PrunedTreeClassifier(), RuleListClassifier()]
)
def test_one_class_is_refused_in_a_line(model: Any) -> None:
    with pytest.raises(InputError, match="every label is 'no': one class only, expected two or more") as caught:
        model.fit(np.eye(4), np.array(["no"] * 4))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "model",
    [
        GeneralizedLinearModel(penalty="none", intervals="bootstrap", resamples=40),
        AdditiveModel(),
        PrunedTreeClassifier(),
        RuleListClassifier(),
    ],
)
def test_the_order_of_rows_changes_nothing(model: Any) -> None:
    x, y = data("binomial", rows=150)
    order = np.random.default_rng(1).permutation(len(x))
    one, other = model.fit(x, y).reading(), model.fit(x[order], y[order]).reading()
    assert one == other


@pytest.mark.parametrize(
    "model", [GeneralizedLinearModel(), AdditiveModel(), PrunedTreeClassifier(), RuleListClassifier()]
)
def test_names_and_units_stand_in_the_reading(model: Any) -> None:
    x, y = data("binomial", rows=600)
    model.fit(x, y)
    said = model.reading(names=["age", "dose", "c", "d"], units={"age": "years", "dose": "mg"})
    assert "age" in said
    assert "years" in said
    assert "column 0" not in said
    with pytest.raises(InputError, match="2 names for 4 columns"):
        model.reading(names=["age", "dose"])
    with pytest.raises(InputError, match="no column 'size' to have a unit"):
        model.reading(units={"size": "m"})


@pytest.mark.parametrize(
    ("model", "method"),
    [
        (GeneralizedLinearModel(), WeightTimesInput()),
        (AdditiveModel(), ShapeFunctions()),
        (PrunedTreeClassifier(), TreePaths()),
        (RuleListClassifier(), TreePaths()),
    ],
)
def test_columns_in_another_order_keep_their_values(model: Any, method: Any) -> None:
    x, y = data("binomial", rows=150)
    frame = pd.DataFrame(x, columns=["a", "b", "c", "d"])
    model.fit(frame, y)
    here = attribute(model, frame.head(5), method, Logit(1))
    there = attribute(model, frame.head(5)[["c", "a", "d", "b"]], method, Logit(1))
    torch.testing.assert_close(there.output, here.output)
    torch.testing.assert_close(there.values, here.values[:, [2, 0, 3, 1]])


class Product:
    """x0 + 2 x0 x1, as an additive model with a term of a pair."""

    def predict(self, inputs: Any) -> torch.Tensor:
        found = self.terms(inputs)
        return found.reference + found.values.sum(1)

    def terms(self, inputs: Any) -> Any:
        from attar.core.model import Terms

        x = inputs.values
        values = torch.stack([x[:, 0], 2 * x[:, 0] * x[:, 1]], 1)[:, :, None]
        return Terms(values, ((0,), (0, 1)), torch.tensor([0.5], dtype=torch.float64))


def test_a_pair_is_shared_evenly_and_listed() -> None:
    x = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, -1.0], "c": [9.0, 9.0]})
    found = attribute(Product(), x, ShapeFunctions())
    np.testing.assert_allclose(found.values.numpy(), [[1 + 3, 3, 0], [2 - 2, -2, 0]])
    np.testing.assert_allclose(found.measured["a × b"].numpy(), [6, -4])
    assert float(found.residual().abs().max()) == 0


def test_a_target_that_bends_the_outputs_is_refused() -> None:
    from attar import Probability

    with pytest.raises(UnsupportedError, match="shape functions add up to an output as it is"):
        attribute(Product(), np.ones((1, 3)), ShapeFunctions(), Probability(0))
