"""Additive models: planted curves come back within their bands, and each column keeps to its own."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from attar import InputError, Logit, attribute
from attar.design.additive import AdditiveModel
from attar.design.column_basis import ColumnBasis, quantiles
from attar.methods.shape_functions import ShapeFunctions

CURVES: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
    lambda v: np.sin(1.5 * v),
    lambda v: 0.4 * v**2,
    lambda v: 0.6 * v,
    lambda v: 0 * v,
)


def planted(rows: int = 500, seed: int = 0, noise: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng([seed, 7])
    x = generator.uniform(-2, 2, (rows, 4))
    return x, 1 + sum(f(x[:, k]) for k, f in enumerate(CURVES)) + noise * generator.standard_normal(rows)


def test_planted_curves_come_back() -> None:
    x, y = planted()
    model = AdditiveModel("gaussian").fit(x, y)
    for k, curve in enumerate(CURVES):
        found = model.shape(k)
        wanted = curve(found.grid) - curve(x[:, k]).mean()
        assert np.abs(found.value - wanted).max() < 0.25, k
        assert np.abs(found.value - wanted).mean() < 0.1, k
    assert "Not told from a flat line: column 3." in model.reading()


def test_contributions_are_the_curves_and_are_centred() -> None:
    x, y = planted(200)
    model = AdditiveModel("gaussian").fit(x, y)
    values = model.term_values(x)
    np.testing.assert_allclose(values.mean(0), 0, atol=1e-9)
    assert model.intercept_[0] == pytest.approx(y.mean())
    for k in range(4):
        np.testing.assert_allclose(model.shape(k, x[:, k]).value, values[:, k, 0], atol=1e-12)


def held(tables: int, family: str) -> np.ndarray:
    """How often the band holds the curve, over the middle 95% of the column."""
    found = []
    for seed in range(tables):
        x, y = planted(300, seed)
        if family == "binomial":
            y = (np.random.default_rng([seed, 8]).uniform(size=len(y)) < 1 / (1 + np.exp(-(y - 1.5)))).astype(int)
        model = AdditiveModel(family).fit(x, y)
        for k in range(3):
            shape = model.shape(k, np.linspace(-1.9, 1.9, 39))
            wanted = CURVES[k](shape.grid) - CURVES[k](x[:, k]).mean()
            found.append(((shape.low <= wanted) & (wanted <= shape.high)).mean())
    return np.array(found)


def test_bands_hold_the_curve_over_most_of_its_length() -> None:
    assert 0.88 <= held(12, "gaussian").mean() <= 1


@pytest.mark.slow
def test_bands_hold_95_percent_of_the_curve() -> None:
    """Noise is part of these logits, which shrinks them a little: only the numbers are held to the nominal share."""
    assert 0.93 <= held(150, "gaussian").mean() <= 0.97


def test_under_a_heavy_cost_of_bending_a_curve_is_a_straight_line() -> None:
    x, y = planted(300)
    basis = ColumnBasis.of(x[:, 0], np.ones(300), category=False, knots=8)
    slope = np.linalg.lstsq(basis(x[:, 0]), x[:, 0] - x[:, 0].mean(), rcond=None)[0]
    np.testing.assert_allclose(basis.bend @ slope, 0, atol=1e-8)  # a straight line costs nothing
    found = AdditiveModel("gaussian", penalties=[10.0]).fit(x, y).shape(0, np.linspace(-2, 2, 41))
    bent = np.abs(np.diff(found.value, 2)).max()
    free = AdditiveModel("gaussian", penalties=[1e-4]).fit(x, y).shape(0, np.linspace(-2, 2, 41))
    assert bent < 0.02 * np.abs(np.diff(free.value, 2)).max()


def test_beyond_the_data_a_curve_goes_on_straight() -> None:
    x, y = planted(300)
    found = AdditiveModel("gaussian").fit(x, y).shape(1, np.array([3.0, 4.0, 5.0, 6.0]))
    np.testing.assert_allclose(np.diff(found.value, 2), 0, atol=1e-9)
    assert found.value[0] > 0.5


def test_a_rising_column_has_a_rising_curve() -> None:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((400, 1))
    y = np.exp(x[:, 0]) + 0.2 * generator.standard_normal(400)
    model = AdditiveModel("gaussian").fit(x, y)
    middle = model.shape(0, np.quantile(x, np.linspace(0.02, 0.98, 40)))
    assert (np.diff(middle.value) > 0).all()
    assert "column 0: rises, " in model.reading()


def mixed(rows: int = 300) -> tuple[pd.DataFrame, np.ndarray]:
    generator = np.random.default_rng(2)
    table = pd.DataFrame(
        {
            "age": generator.uniform(20, 80, rows),
            "colour": generator.choice(["red", "green", "blue"], rows),
            "grade": generator.integers(1, 4, rows),
            "same": np.full(rows, 3.0),
            "smoker": generator.integers(0, 2, rows).astype(bool),
        }
    )
    effect = table["colour"].map({"red": 3.0, "green": 0.0, "blue": -3.0}) + 2 * table["smoker"] + 0.1 * table["age"]
    return table, (effect + 0.3 * generator.standard_normal(rows)).to_numpy()


def test_categories_have_a_step_for_each_level() -> None:
    x, y = mixed()
    model = AdditiveModel("gaussian").fit(x, y)
    colour = model.shape("colour")
    assert colour.grid.tolist() == ["blue", "green", "red"]
    np.testing.assert_allclose(np.diff(colour.value), [3, 3], atol=0.15)
    np.testing.assert_allclose(model.shape("smoker").value @ [-1, 1], 2, atol=0.15)
    assert model.shape("grade").grid.tolist() == [1, 2, 3]
    assert not model.shape("same").value.any()
    unseen = x.iloc[:1].assign(colour="violet")
    assert model.term_values(unseen)[0, 1, 0] == 0
    assert model.predict(x.iloc[:1])[0] - model.predict(unseen)[0] == pytest.approx(
        model.shape("colour", [x["colour"].iloc[0]]).value[0]
    )
    said = model.reading(units={"age": "years"})
    assert "colour: 'red' +" in said
    assert "Never varies, so that nothing was learnt of it: same." in said
    assert re.search(r"age: rises, -\d.* at 20\S* years, \+\d.* at (79|80)\S* years\n", said)


def test_any_library_of_frames_gives_the_same() -> None:
    polars = pytest.importorskip("polars", reason="polars is no dependency: narwhals reads it where it is there")
    x, y = mixed()
    one, other = AdditiveModel("gaussian").fit(x, y), AdditiveModel("gaussian").fit(polars.DataFrame(dict(x)), y)
    assert one.reading() == other.reading()
    categorical = x.assign(colour=pd.Categorical(x["colour"], ["red", "green", "blue", "violet"], ordered=True))
    third = AdditiveModel("gaussian").fit(categorical, y)
    np.testing.assert_allclose(third.predict(categorical), one.predict(x), rtol=1e-6)
    assert third.shape("colour").grid.tolist() == ["red", "green", "blue"]


def test_several_classes_have_curves_of_their_own() -> None:
    x, _ = planted(400)
    y = np.argmax(np.column_stack([x[:, 0], -x[:, 0], x[:, 1] ** 2 - 1]), 1)
    model = AdditiveModel("multinomial").fit(x, y)
    assert model.score(x, y) > 0.93
    assert model.shape(0).value.shape == (50, 3)
    assert model.shape(0).value[-1, 0] > model.shape(0).value[0, 0]
    found = attribute(model, x[:6], ShapeFunctions(), Logit(2))
    np.testing.assert_allclose(found.output.numpy(), model.linear_predictor(x[:6])[:, 2])
    assert float(found.residual().abs().max()) < 1e-9


def test_columns_that_say_the_same_share_a_curve_and_it_is_said() -> None:
    x, y = planted(200)
    model = AdditiveModel("gaussian").fit(np.column_stack([x, 3 * x[:, 0] + 1]), y)
    both = model.shape(0, np.array([-1.0, 1.0])).value + model.shape(4, np.array([-2.0, 4.0])).value
    alone = AdditiveModel("gaussian", penalties=[model.penalty_]).fit(x, y).shape(0, np.array([-1.0, 1.0])).value
    np.testing.assert_allclose(both, alone, atol=0.1)
    assert (
        "These two cannot be told apart: column 0 and column 4 (one is the other on another scale)." in model.reading()
    )


def test_quantiles_count_a_weight_of_two_twice() -> None:
    generator = np.random.default_rng(0)
    column, weight = generator.standard_normal(50), generator.integers(1, 5, 50)
    shares = np.linspace(0, 1, 8)
    twice = column.repeat(weight)
    np.testing.assert_array_equal(
        quantiles(column, weight.astype(float), shares), quantiles(twice, np.ones(len(twice)), shares)
    )
    np.testing.assert_array_equal(quantiles(np.arange(10.0), np.ones(10), np.array([0, 0.5, 1])), [0, 4, 9])


def test_a_reading_in_full() -> None:
    x = np.column_stack([np.linspace(0, 10, 101), np.tile([0.0, 1.0], 51)[:101]])
    y = 3 * x[:, 0] + np.tile([0.01, -0.01, -0.01, 0.01], 26)[:101]
    model = AdditiveModel("gaussian", penalties=[1e-3]).fit(x, y)
    assert model.reading(names=["dose", "sham"], units={"dose": "mg"}) == (
        "The value is 15 on average, plus what each column's curve says; what counts most first:\n"
        "  dose: rises, -15 (-15 to -15) at 0 mg, +15 (15 to 15) at 10 mg\n"
        "Not told from a flat line: sham.\n"
        "\n"
        "Ranges in brackets are 95% bands of the curve; a curve that cannot be told from a flat line is one whose band "
        "holds 0 everywhere.\n"
        "What it cannot tell: whether a column causes anything; columns that act together, but for none: each has its "
        "curve whatever the others are; values beyond those of its 101 rows, where curves go on as straight lines."
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"family": "tweedie"}, "there is no family 'tweedie'; choose from gaussian"),
        ({"knots": 2}, "knots is 2, expected at least 3"),
        ({"folds": 1}, "folds is 1, expected at least 2"),
        ({"penalties": []}, r"penalties are \[\], expected positive numbers"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], said: str) -> None:
    x, y = planted(30)
    with pytest.raises(InputError, match=said):
        AdditiveModel(**({"family": "gaussian"} | options)).fit(x, y)


def test_a_column_that_there_is_not() -> None:
    x, y = mixed(60)
    model = AdditiveModel("gaussian").fit(x, y)
    with pytest.raises(InputError, match="no column 'size'; there are age, colour"):
        model.shape("size")
    with pytest.raises(InputError, match="no column 9; there are 5"):
        model.shape(9)
