"""SAGE: closed forms, every order by hand, completeness, coverage, duplicates, what is refused."""

from itertools import product

import numpy as np
import pytest
import torch
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from torch import Tensor

from attar import InputError, attribute
from attar.core.baseline import Rows
from attar.core.features import ColumnGroups
from attar.core.inputs import Tensors
from attar.methods.sage import SAGE
from mixed_table import COLUMNS, labels, logistic, mixed
from reference.exchanges import every_order

CUBE = Rows(torch.tensor(list(product((-1.0, 1.0), repeat=4)), dtype=torch.float64))


def interacting(x: Tensor) -> Tensor:
    """x1 + 2 x2 x3 of independent columns of variance 1, and a fourth that says nothing: of the variance 1 + 4 that it
    explains 1 is x1's, and x2 and x3, neither of which says a thing alone, have 2 each."""
    return x[:, 0] + 2 * x[:, 1] * x[:, 2] + 0 * x[:, 3]


TRUTH = np.array([1.0, 2.0, 2.0, 0.0])


def sample(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    x = draw.uniform(-np.sqrt(3), np.sqrt(3), (rows, 4))
    return x, interacting(torch.from_numpy(x)).numpy() + 0.5 * draw.standard_normal(rows)


def test_the_interval_holds_the_closed_form_in_19_of_20_samples() -> None:
    held = np.zeros(4)
    for seed in range(150):
        x, y = sample(150, seed)
        found = attribute(interacting, x, SAGE(labels=y, background=CUBE, seed=seed)).importance()
        held += (found.low <= TRUTH) & (found.high >= TRUTH)
        assert found.total == pytest.approx(found.values.sum(), rel=1e-10)
    assert (held / 150 >= 0.91).all(), held / 150
    assert (held[:3] / 200 <= 0.98).all(), held / 150


def test_with_many_orders_it_is_every_order_by_hand() -> None:
    draw = np.random.default_rng(0)
    x, y, away = draw.standard_normal((4, 3)), draw.standard_normal(4), draw.standard_normal((5, 3))

    def model(rows: np.ndarray) -> np.ndarray:
        return np.tanh(rows[:, 0] * rows[:, 1]) + rows[:, 2] ** 2 * rows[:, 0]

    expected = every_order(model, x, y, away)
    found = attribute(lambda t: model(t.numpy()), x, SAGE(labels=y, background=Rows(away), pairs=2000))
    assert isinstance(found.values, Tensor)
    assert found.standard_error is not None
    off = (found.values - torch.from_numpy(expected)).abs()
    assert bool((off <= 4 * found.standard_error["input"] + 1e-12).all())
    assert float(off.max()) < 0.05 * float(np.abs(expected).max())


def test_each_row_sums_to_the_loss_that_is_explained() -> None:
    frame = mixed(60)
    found = attribute(logistic(), frame, SAGE(labels=labels(frame), most=20))
    residual = found.residual()
    assert residual is not None
    assert float(residual.abs().max()) < 1e-10
    overall = found.importance()
    assert overall.names == COLUMNS
    assert overall.total == pytest.approx(float((found.output - found.reference).mean()))
    assert f"together they are worth {overall.total:.3g}" in str(overall)


def test_duplicates_share_evenly_and_a_dummy_of_a_fitted_model_has_0_in_its_interval() -> None:
    draw = np.random.default_rng(0)
    one = draw.standard_normal(300)
    x = np.column_stack([one, one, draw.standard_normal((300, 2))])
    y = 2 * one + x[:, 2] + 0.3 * draw.standard_normal(300)

    def model(t: Tensor) -> Tensor:
        return t[:, 0] + t[:, 1] + t[:, 2] + 0.02 * t[:, 3]

    found = attribute(model, x, SAGE(labels=y, pairs=8)).importance()
    assert found.values[0] == pytest.approx(found.values[1], rel=0.05)
    assert found.values[0] == pytest.approx(2 * one.var(), rel=0.2)
    assert found.low[3] <= 0 <= found.high[3]


def test_a_column_that_says_nothing_has_0_in_its_interval_in_19_of_20_samples() -> None:
    """The model was fitted on other rows and leans on it as far as chance made it."""
    held = 0
    for seed in range(200):
        draw = np.random.default_rng(seed)
        x = draw.standard_normal((600, 3))
        terms = np.column_stack([x[:, 0], x[:, 0] * x[:, 1], x[:, 2]])
        y = terms @ [1.0, 1.0, 0.0] + 0.5 * draw.standard_normal(600)
        weights = np.linalg.lstsq(terms[300:], y[300:], rcond=None)[0].tolist()

        def model(t: Tensor, w: list[float] = weights) -> Tensor:
            return w[0] * t[:, 0] + w[1] * t[:, 0] * t[:, 1] + w[2] * t[:, 2]

        found = attribute(model, x[:300], SAGE(labels=y[:300], seed=seed)).importance()
        assert found.standard_error[2] > 0
        held += bool(found.low[2] <= 0 <= found.high[2])
    assert 186 <= held <= 198, held


def test_neither_the_order_of_rows_nor_the_size_of_a_call_changes_anything() -> None:
    x, y = sample(30)
    order = np.random.default_rng(1).permutation(30)
    for background in (None, CUBE):
        found = attribute(interacting, x, SAGE(labels=y, background=background, most=10))
        small = attribute(interacting, x, SAGE(labels=y, background=background, most=10), batch_size=3)
        turned = attribute(interacting, x[order], SAGE(labels=y[order], background=background, most=10))
        torch.testing.assert_close(small.values, found.values)
        assert isinstance(found.values, Tensor)
        torch.testing.assert_close(turned.values, found.values[order])


def test_groups_become_known_together_and_one_group_is_worth_all() -> None:
    x, y = sample(50)
    table = Tensors(torch.from_numpy(x), ("a", "b", "c", "d"))
    by = ColumnGroups(groups={"product": ["b", "c"]})
    found = attribute(interacting, table, SAGE(labels=y, background=CUBE, by=by)).importance()
    assert found.names == ("a", "product", "d")
    assert found.values[1] > 2 * found.values[0]
    every = ColumnGroups(groups={"all": ["a", "b", "c", "d"]})
    alone = attribute(interacting, table, SAGE(labels=y, background=CUBE, by=every)).importance()
    assert alone.values[0] == pytest.approx(alone.total)


def test_classes_are_scored_after_their_probabilities_are_averaged() -> None:
    x, y = load_wine(return_X_y=True)
    forest = RandomForestClassifier(10, random_state=0).fit(x[::2], y[::2])
    found = attribute(forest, x[1::20], SAGE(labels=y[1::20], background=Rows(x[::10])))
    mean = forest.predict_proba(x[::10]).mean(0)
    assert found.reference is not None
    np.testing.assert_allclose(-found.reference.numpy(), -np.log(mean[y[1::20]]), rtol=1e-6)
    assert found.loss == "log loss, nats"


def test_what_is_refused() -> None:
    x, y = sample(10)
    with pytest.raises(InputError, match="2 or more"):
        SAGE(labels=y, pairs=1)
    with pytest.raises(InputError, match="9 labels for 10 rows"):
        attribute(interacting, x, SAGE(labels=y[:9]))
    with pytest.raises(InputError, match="1 or more rows"):
        SAGE(labels=y, most=0)
