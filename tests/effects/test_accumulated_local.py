"""ALE: closed forms, a slow oracle, coverage, dependence that misleads partial dependence, categories and gaps."""

import numpy as np
import pytest
import torch
from torch import Tensor

from attar import InputError
from attar.core.inputs import Tensors
from attar.effect_verb import effect
from attar.effects.accumulated_local import AccumulatedLocalEffects
from attar.effects.level_order import by_likeness
from attar.effects.partial_dependence import PartialDependence
from mixed_table import logistic, mixed
from reference.accumulated import first_order, second_order

ENDS = (0.0, 0.25, 0.5, 0.75, 1.0)


def uniform(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(size=(rows, 3))


def interacting(x: Tensor) -> Tensor:
    """x1 + 2 x2 x3, of independent uniform columns: ALE of x1 is x1 - 1/2, of x2 it is x2 - 1/2, and of both x2 and x3
    2 (x2 - 1/2) (x3 - 1/2)."""
    return x[:, 0] + 2 * x[:, 1] * x[:, 2]


def curved(x: np.ndarray) -> np.ndarray:
    return np.exp(x[:, 0]) * x[:, 1] + np.sin(3 * x[:, 2]) * x[:, 0]


def test_it_is_what_the_definition_says_bin_by_bin_and_cell_by_cell() -> None:
    x = uniform(60)
    asked = AccumulatedLocalEffects(bins=4)

    def model(t: Tensor) -> np.ndarray:
        return curved(t.numpy())

    found = effect(model, x, 0, asked)
    np.testing.assert_allclose(found.values, first_order(curved, x, 0, found.grid[0]), rtol=1e-10, atol=1e-12)
    pair = effect(model, x, [0, 2], AccumulatedLocalEffects(bins=3))
    assert not pair.notes  # every cell has a row
    expected = second_order(curved, x, (0, 2), (pair.grid[0], pair.grid[1]))
    np.testing.assert_allclose(pair.values, expected, rtol=1e-10, atol=1e-12)


def test_of_an_additive_model_it_is_the_columns_own_function_however_columns_depend() -> None:
    draw = np.random.default_rng(0)
    first = draw.uniform(size=300)
    x = np.column_stack([first, first + 0.05 * draw.standard_normal(300)])
    found = effect(lambda t: t[:, 0] ** 2 - 3 * t[:, 1], x, 0, AccumulatedLocalEffects(bins=15))
    shape = found.grid[0] ** 2
    np.testing.assert_allclose(found.values - found.values[0], shape - shape[0], atol=1e-12)


def test_it_is_right_where_partial_dependence_asks_about_rows_that_are_nowhere() -> None:
    """x2 = x1 + noise, and the model is wild where they part: rows never are there."""
    draw = np.random.default_rng(0)
    first = draw.uniform(size=400)
    x = np.column_stack([first, first + 0.02 * draw.standard_normal(400)])

    def model(t: Tensor) -> Tensor:
        return t[:, 0] + 100 * torch.relu((t[:, 0] - t[:, 1]).abs() - 0.3)

    local = effect(model, x, 0, AccumulatedLocalEffects(bins=20))
    np.testing.assert_allclose(local.values - local.values[0], local.grid[0] - local.grid[0][0], atol=1e-9)
    moved = effect(model, x, 0, PartialDependence(grid=5)).centred()
    assert np.abs(moved.values - (moved.grid[0] - moved.grid[0][0])).max() > 1


@pytest.mark.parametrize("column", [0, 1])
def test_the_interval_holds_the_population_curve_in_19_of_20_samples(column: int) -> None:
    truth = np.array(ENDS) - 0.5
    held = np.zeros(5)
    for seed in range(400):
        x = uniform(80, seed)
        found = effect(interacting, x, column, AccumulatedLocalEffects(bins=ENDS))
        held += (found.low <= truth) & (truth <= found.high)
    assert ((held / 400 >= 0.925) & (held / 400 <= 0.975)).all(), held / 400


def test_the_second_order_interval_holds_the_population_surface() -> None:
    truth = 2 * np.outer(np.array(ENDS) - 0.5, np.array(ENDS) - 0.5)
    held = np.zeros((5, 5))
    for seed in range(150):
        x = uniform(400, seed)
        found = effect(lambda t: 4 * t[:, 0] * t[:, 1] * t[:, 2], x, [1, 2], AccumulatedLocalEffects(bins=ENDS))
        assert not found.notes
        held += (found.low <= truth) & (truth <= found.high)
    assert 0.93 <= held.mean() / 150 <= 0.97, held / 150


def test_the_interval_of_a_category_covers_too() -> None:
    """Levels a, b, c with effects 0, 1, 3 times a column that the level shifts: each level's rows are other rows."""
    import pandas as pd

    def model(frame: pd.DataFrame) -> np.ndarray:
        return frame["level"].map({"a": 0.0, "b": 1.0, "c": 3.0}).to_numpy() * (1 + frame["other"].to_numpy())

    def drawn(rows: int, seed: int) -> pd.DataFrame:
        draw = np.random.default_rng(seed)
        level = draw.choice(np.array(["a", "b", "c"], dtype=object), rows, p=[0.5, 0.3, 0.2])
        other = draw.uniform(size=rows) + np.array([0.0, 0.5, 1.0])[np.searchsorted(["a", "b", "c"], level)]
        return pd.DataFrame({"level": pd.Series(level, dtype="str"), "other": other})

    # From a to b: the mean of 1 + other over rows of either; from b to c twice that, over those.
    first, second = 1 + (0.5 * 0.5 + 0.3 * 1.0) / 0.8, 2 * (1 + (0.3 * 1.0 + 0.2 * 1.5) / 0.5)
    rise = np.array([0, first, first + second])
    truth = rise - rise @ [0.5, 0.3, 0.2]
    held = np.zeros(3)
    for seed in range(100):
        found = effect(model, drawn(150, seed), "level", AccumulatedLocalEffects())
        assert found.points[0] == ("a", "b", "c")
        held += (found.low <= truth) & (truth <= found.high)
    assert (held / 100 >= 0.9).all(), held / 100


def test_levels_stand_beside_those_that_are_alike_in_the_other_columns() -> None:
    draw = np.random.default_rng(0)
    level = draw.integers(4, size=2000)
    there = np.array([2.0, 0.0, 3.0, 1.0])[level]
    codes = np.column_stack([level, there + 0.4 * draw.standard_normal(2000)])
    order = by_likeness(codes, Tensors(torch.from_numpy(codes)), 0, level)
    assert order.tolist() in ([1, 3, 0, 2], [2, 0, 3, 1])


def test_categories_gaps_and_yes_or_no_of_a_pipeline() -> None:
    """The model is a sum over its raw columns: a level is worth what the coefficients say."""
    frame = mixed(300)
    model = logistic()
    found = effect(model, frame, "colour", AccumulatedLocalEffects())
    one, other = (model.decision_function(frame.iloc[[0]].assign(colour=each))[0] for each in found.points[0][:2])
    assert found.values[1] - found.values[0] == pytest.approx(other - one)
    assert [note.name for note in found.notes] == ["missing values", "order of levels"]
    assert found.rows == int(frame["colour"].notna().sum())
    yes = effect(model, frame, "member", AccumulatedLocalEffects())
    assert yes.points[0] == ("False", "True")
    assert (
        effect(model, frame, "age (years)", AccumulatedLocalEffects()).notes[0].count == frame.iloc[:, 0].isna().sum()
    )


def test_neither_the_order_of_rows_nor_the_size_of_a_call_changes_anything() -> None:
    x = uniform(70)
    for columns in (1, [1, 2]):
        found = effect(interacting, x, columns, AccumulatedLocalEffects(bins=4))
        small = effect(interacting, x, columns, AccumulatedLocalEffects(bins=4), batch_size=7)
        turned = effect(interacting, x[::-1], columns, AccumulatedLocalEffects(bins=4))
        np.testing.assert_allclose(small.values, found.values, atol=1e-12)
        np.testing.assert_allclose(turned.values, found.values, atol=1e-12)
        np.testing.assert_allclose(turned.standard_error, found.standard_error, atol=1e-12)


def test_an_empty_cell_is_said() -> None:
    x = uniform(200)
    x[:, 2] = x[:, 1] + 0.01 * x[:, 2]
    found = effect(interacting, x, [1, 2], AccumulatedLocalEffects(bins=6))
    assert [note.name for note in found.notes] == ["empty cells"]
    assert np.isfinite(found.standard_error).all()


def test_what_is_refused() -> None:
    x = uniform(20)
    x[:, 1] = 0.5
    with pytest.raises(InputError, match="one value in all rows"):
        effect(interacting, x, 1, AccumulatedLocalEffects())
    with pytest.raises(InputError, match="no row with"):
        effect(interacting, x, 0, AccumulatedLocalEffects(bins=(0.0, 1.0, 2.0, 3.0)))
    with pytest.raises(InputError, match="1 or more"):
        AccumulatedLocalEffects(bins=0)
    with pytest.raises(InputError, match="is a category"):
        effect(logistic(), mixed(60), ["colour", "dose"], AccumulatedLocalEffects())
