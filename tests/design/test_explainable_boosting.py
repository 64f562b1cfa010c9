"""Explainable boosting machines through interpret-core: the same protocol, and what it knows of its own spread."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from attar import Logit, UnsupportedError, attribute
from attar.design.explainable_boosting import ExplainableBoosting
from attar.methods.shape_functions import ShapeFunctions

QUICK: dict[str, Any] = {"bags": 2, "rounds": 40, "interactions": 1}


@pytest.fixture
def _library() -> None:
    pytest.importorskip("interpret", reason="ExplainableBoosting is an extra: pip install attar[ebm]")


@pytest.mark.usefixtures("_library")
@parametrize_with_checks([ExplainableBoosting(family, **QUICK) for family in ("binomial", "multinomial", "gaussian")])
def test_scikit_learns_checks(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


def product(rows: int = 400) -> tuple[pd.DataFrame, np.ndarray]:
    """A step of one column, and two that act together only."""
    x = pd.DataFrame(np.random.default_rng(0).uniform(-1, 1, (rows, 3)), columns=["step", "left", "right"])
    return x, 2 * (x["step"] > 0) + 3 * np.sign(x["left"] * x["right"]).to_numpy()


@pytest.mark.usefixtures("_library")
def test_a_pair_is_found_listed_and_shared() -> None:
    x, y = product()
    model = ExplainableBoosting("gaussian", bags=4, rounds=300, interactions=1).fit(x, y)
    assert model.term_columns_ == ((0,), (1,), (2,), (1, 2))
    found = attribute(model, x.iloc[:20], ShapeFunctions())
    pair = found.measured["left × right"].numpy()
    assert np.abs(pair).mean() > 1.5
    terms = model.term_values(x.iloc[:20])[:, :, 0]
    np.testing.assert_allclose(pair, terms[:, 3])
    np.testing.assert_allclose(found.values[:, 1].numpy(), terms[:, 1] + terms[:, 3] / 2, atol=1e-12)
    np.testing.assert_allclose(found.output.numpy(), model.predict(x.iloc[:20]), rtol=1e-9)
    assert float(found.residual().abs().max()) < 1e-9
    assert "left and right together: " in model.reading()


@pytest.mark.usefixtures("_library")
def test_curves_are_the_terms_with_the_spread_of_the_bags() -> None:
    x, _ = product()
    y = 2.0 * (x["step"] > 0) + 0.3 * x["right"]
    model = ExplainableBoosting("gaussian", bags=4, rounds=300, interactions=0).fit(x, y)
    shape = model.shape("step", x["step"].to_numpy())
    np.testing.assert_allclose(shape.value, model.term_values(x)[:, 0, 0])
    scores = np.asarray(model.machine_.bagged_scores_[0])
    place = 1 + np.searchsorted(model.machine_.bins_[0][0], x["step"], side="right")
    np.testing.assert_allclose((shape.high - shape.low) / 2, 1.96 * scores.std(0)[place], atol=1e-9)
    ends = model.shape("step", np.array([-0.9, 0.9])).value
    assert ends[1] - ends[0] == pytest.approx(2, abs=0.3)


@pytest.mark.usefixtures("_library")
def test_log_odds_are_exact_and_the_order_of_rows_changes_nothing() -> None:
    x, y = product()
    y = np.where(y > 0, "up", "down")
    order = np.random.default_rng(1).permutation(len(x))
    one = ExplainableBoosting(**QUICK).fit(x, y)
    other = ExplainableBoosting(**QUICK).fit(x.iloc[order], y[order])
    np.testing.assert_allclose(one.predict_proba(x), other.predict_proba(x))
    found = attribute(one, x.iloc[:9], ShapeFunctions(), Logit(1))
    share = one.predict_proba(x.iloc[:9])[:, 1]
    np.testing.assert_allclose(found.output.numpy(), np.log(share / (1 - share)), rtol=1e-7)


def test_without_the_library_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "interpret.glassbox", None)
    with pytest.raises(UnsupportedError, match=r"takes the interpret-core library: pip install attar\[ebm\]$"):
        ExplainableBoosting().fit(np.eye(4), [0, 1, 0, 1])
