"""Partial dependence: closed forms, scikit-learn, coverage, curves, categories and gaps."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.inspection import partial_dependence
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from attar import InputError, Logit, Probability
from attar.effect_verb import effect
from attar.effects.partial_dependence import PartialDependence
from mixed_table import logistic, mixed


def uniform(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(size=(rows, 3))


def interacting(x: Tensor) -> Tensor:
    """x1 + 2 x2 x3, of independent uniform columns: PD of x1 is x1 + 1/2, of x2 it is x2 + 1/2."""
    return x[:, 0] + 2 * x[:, 1] * x[:, 2]


def test_of_a_sum_it_is_the_columns_own_function_but_for_a_constant() -> None:
    x = uniform(40)
    found = effect(lambda t: torch.sin(5 * t[:, 0]) + t[:, 1] ** 2, x, 0).centred()
    expected = np.sin(5 * found.grid[0])
    np.testing.assert_allclose(found.values, expected - expected[0], atol=1e-12)
    np.testing.assert_allclose(found.standard_error, 0, atol=1e-12)


def test_the_sample_value_of_an_interaction_is_its_mean_over_rows() -> None:
    x = uniform(50)
    found = effect(interacting, x, 1, PartialDependence(grid=(0.0, 0.5, 1.0)))
    np.testing.assert_allclose(found.values, x[:, 0].mean() + 2 * found.grid[0] * x[:, 2].mean())
    pair = effect(interacting, x, [1, 2], PartialDependence(grid=((0.0, 1.0), (0.0, 0.5, 1.0))))
    np.testing.assert_allclose(pair.values, x[:, 0].mean() + 2 * np.outer(*pair.grid))
    assert pair.curves is not None
    assert pair.curves.shape == (50, 2, 3)


@pytest.mark.parametrize("centred", [False, True])
def test_the_interval_holds_the_population_curve_in_19_of_20_samples(centred: bool) -> None:
    at = np.array([0.1, 0.5, 0.9])
    truth = at - at[0] if centred else at + 0.5
    held = np.zeros(3)
    for seed in range(400):
        found = effect(interacting, uniform(60, seed), 1, PartialDependence(grid=tuple(at)))
        found = found.centred() if centred else found
        held += (found.low <= truth + 1e-12) & (truth - 1e-12 <= found.high)
    share = held[1:] / 400 if centred else held / 400
    assert ((share >= 0.93) & (share <= 0.97)).all(), share


def test_it_is_scikit_learns_brute_force_on_the_same_grid() -> None:
    x = uniform(80)
    y = x[:, 0] * x[:, 1] + x[:, 2]
    model = GradientBoostingRegressor(n_estimators=20, random_state=0).fit(x, y)
    theirs = partial_dependence(model, x, [1], method="brute", grid_resolution=7, kind="both")
    ours = effect(model, x, 1, PartialDependence(grid=tuple(theirs["grid_values"][0])))
    np.testing.assert_allclose(ours.values, theirs["average"][0], rtol=1e-12)
    np.testing.assert_allclose(ours.curves, theirs["individual"][0], rtol=1e-12)
    classes = LogisticRegression().fit(x, y > 0.6)
    theirs = partial_dependence(classes, x, [1], grid_resolution=7)
    found = effect(classes, x, 1, PartialDependence(grid=tuple(theirs["grid_values"][0])), Probability(1))
    np.testing.assert_allclose(found.values, theirs["average"][0], rtol=1e-9)


def test_points_are_values_that_occur_levels_and_what_is_missing() -> None:
    frame = mixed(200)
    model = logistic()
    colour = effect(model, frame, "colour")
    assert colour.points[0] == ("red", "green", "blue", "missing")
    replaced = frame.assign(colour="green")
    expected = model.decision_function(replaced).mean()
    assert colour.values[1] == pytest.approx(expected)
    visits = effect(model, frame, "visits", PartialDependence(grid=5))
    assert {*visits.grid[0]} <= {*frame["visits"].astype(float)}
    age = effect(model, frame, "age (years)", PartialDependence(grid=5))
    assert age.points[0][-1] == "missing"
    assert len(age.values) == 6
    some = effect(model, frame, "colour", PartialDependence(grid=("blue", "red")))
    np.testing.assert_allclose(some.values, colour.values[[2, 0]])
    assert list(some.as_frame()["colour"]) == ["blue", "red"]


def test_neither_the_order_of_rows_nor_the_size_of_a_call_changes_anything() -> None:
    x = uniform(50)
    found = effect(interacting, x, 1)
    np.testing.assert_allclose(effect(interacting, x, 1, batch_size=7).values, found.values, rtol=1e-12)
    np.testing.assert_allclose(effect(interacting, x[::-1], 1).values, found.values, rtol=1e-12)


def test_the_text_and_the_frame_say_the_curve() -> None:
    found = effect(interacting, uniform(50), 1, PartialDependence(grid=3))
    assert str(found).splitlines()[0] == "partial dependence of [1] on the only output; 50 rows"
    assert len(str(found).splitlines()) == 4
    frame = found.as_frame("polars")
    assert frame.columns == ["[1]", "effect", "standard_error", "low", "high", "spread"]
    assert found.method == repr(PartialDependence(grid=3))


def test_what_is_refused() -> None:
    x = uniform(20)
    with pytest.raises(InputError, match="no column 'a'"):
        effect(interacting, x, "a")
    with pytest.raises(InputError, match="no column 3"):
        effect(interacting, x, 3)
    with pytest.raises(InputError, match="one column, or two"):
        effect(interacting, x, [0, 1, 2])
    with pytest.raises(InputError, match="two quantiles"):
        PartialDependence(between=(0.9, 0.1))
    with pytest.raises(InputError, match="2 or more points"):
        PartialDependence(grid=1)
    three = LogisticRegression().fit(x, np.arange(20) % 3)
    with pytest.raises(InputError, match="name it"):
        effect(three, x, 0)
    assert effect(three, x, 0, target=Logit(2)).target == "Logit(index=2)"
    with pytest.raises(InputError, match="no 'pink'"):
        effect(logistic(), mixed(60), "colour", PartialDependence(grid=("pink", "red")))
    with pytest.raises(InputError, match="curves were not kept"):
        effect(interacting, x, 0, PartialDependence(curves=False)).centred()


def test_one_row_has_no_interval() -> None:
    found = effect(interacting, uniform(1), 0, PartialDependence(grid=(0.0, 1.0)))
    assert np.isinf(found.high).all()
