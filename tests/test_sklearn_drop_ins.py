"""The drop-ins: what scikit-learn answers, to the last digit where that can be, and errors that hold."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import inspection
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.neural_network import MLPRegressor
from sklearn.svm import LinearSVC

from attar import InputError
from attar.sklearn import partial_dependence, permutation_importance
from mixed_table import MODELS, labels, mixed


def sample(rows: int = 80, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    x = draw.standard_normal((rows, 4))
    return x, x[:, 0] * x[:, 1] + x[:, 2] + 0.5 * draw.standard_normal(rows)


X, Y = sample()
WORDS = np.array(["a", "b", "c"])[np.digitize(Y, [-0.7, 0.7])]
REGRESSORS = {
    "linear": LinearRegression().fit(X, Y),
    "forest": RandomForestRegressor(10, random_state=0).fit(X, Y),
    "boosting": HistGradientBoostingRegressor(max_iter=10, random_state=0).fit(X, Y),
    "MLP": MLPRegressor(hidden_layer_sizes=(10,), max_iter=50, random_state=0).fit(X, Y),
}
CLASSIFIERS = {
    "logistic of 2": (LogisticRegression().fit(X, Y > 0), Y > 0),
    "logistic of 3": (LogisticRegression().fit(X, WORDS), WORDS),
    "forest of 3": (RandomForestClassifier(10, random_state=0).fit(X, WORDS), WORDS),
    "boosting of 2": (HistGradientBoostingClassifier(max_iter=10, random_state=0).fit(X, Y > 0), Y > 0),
    "margins of 3": (LinearSVC().fit(X, WORDS), WORDS),
}
WEIGHT = np.random.default_rng(9).uniform(0.1, 2, len(X))


def same_importance(ours: Any, theirs: Any) -> None:
    if type(theirs) is dict:
        assert ours.keys() == theirs.keys()
        for name in theirs:
            same_importance(ours[name], theirs[name])
        return
    for key in ("importances", "importances_mean", "importances_std"):
        np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("scoring", [None, "r2", "neg_mean_squared_error", "neg_mean_absolute_error", "neg_max_error"])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weighted"])
@pytest.mark.parametrize("name", REGRESSORS)
def test_importances_of_regressors(name: str, scoring: Any, weight: Any) -> None:
    if scoring == "neg_max_error":
        weight = None
    options = {"scoring": scoring, "random_state": 3, "sample_weight": weight, "n_repeats": 3}
    model = REGRESSORS[name]
    same_importance(
        permutation_importance(model, X, Y, **options), inspection.permutation_importance(model, X, Y, **options)
    )


@pytest.mark.parametrize(
    "scoring",
    [
        None,
        "accuracy",
        "balanced_accuracy",
        "neg_log_loss",
        ["accuracy", "f1_macro"],
        make_scorer(f1_score, average="micro"),
        lambda model, x, y: float(np.mean(model.predict(x) == y)) - float(x[:, 0].mean()),
    ],
    ids=["score", "accuracy", "balanced", "log loss", "two", "made", "callable"],
)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_importances_of_classifiers(name: str, scoring: Any) -> None:
    model, y = CLASSIFIERS[name]
    if scoring == "neg_log_loss" and not hasattr(model, "predict_proba"):
        return
    for options in ({}, {"max_samples": 0.5}):
        asked = {"scoring": scoring, "random_state": 3, "n_repeats": 3} | options
        theirs = inspection.permutation_importance(model, X, y, **asked)
        same_importance(permutation_importance(model, X, y, n_jobs=2, **asked), theirs)
        same_importance(permutation_importance(model, X, y, **asked), theirs)


@pytest.mark.parametrize("name", MODELS)
def test_raw_columns_of_a_pipeline(name: str) -> None:
    frame = mixed(120)
    right, model = labels(frame), MODELS[name]()
    for scoring in ("neg_log_loss", "neg_brier_score", "roc_auc"):
        options = {"scoring": scoring, "random_state": 0, "n_repeats": 2}
        same_importance(
            permutation_importance(model, frame, right, **options),
            inspection.permutation_importance(model, frame, right, **options),
        )


def test_the_frame_and_the_array_are_left_as_they_were() -> None:
    frame, x = mixed(60), X.copy()
    kept = frame.copy()
    permutation_importance(MODELS["logistic"](), frame, labels(frame))
    partial_dependence(MODELS["logistic"](), frame, ["dose"], grid_resolution=5)
    pd.testing.assert_frame_equal(frame, kept)
    permutation_importance(REGRESSORS["linear"], x, Y)
    partial_dependence(REGRESSORS["linear"], x, [0], grid_resolution=5)
    np.testing.assert_array_equal(x, X)


def test_the_standard_error_is_that_over_samples() -> None:
    """Squared errors and R² of a linear model."""
    model = LinearRegression().fit(np.eye(4)[:, :3], [1.0, -0.5, 0.0, 0.0])
    weights = model.coef_
    for scoring in ("neg_mean_squared_error", "r2"):
        estimates, squares = [], []
        for seed in range(300):
            draw = np.random.default_rng(seed)
            x = draw.uniform(-1.7, 1.7, (80, 3))
            y = x @ weights + 0.5 * draw.standard_normal(80)
            found = permutation_importance(model, x, y, scoring=scoring, random_state=seed)
            estimates.append(found.importances_mean)
            squares.append(found.importances_se**2)
        ratio = np.mean(squares, 0)[:2] / np.var(estimates, 0)[:2]
        assert (np.abs(ratio - 1) < 0.25).all(), (scoring, ratio)


def test_the_bootstrap_is_not_far_from_what_is_known_of_a_mean() -> None:
    """The same score, once as scikit-learn's own and once as a function of which nothing is known."""
    model = REGRESSORS["linear"]

    def score(asked: Any, x: np.ndarray, y: np.ndarray) -> float:
        return -float(np.mean((y - asked.predict(x)) ** 2))

    known = permutation_importance(model, X, Y, scoring="neg_mean_squared_error", random_state=0)
    drawn = permutation_importance(model, X, Y, scoring=score, random_state=0, resamples=150)
    np.testing.assert_allclose(drawn.importances, known.importances)
    assert 0.85 < drawn.importances_se[2] / known.importances_se[2] < 1.45


def test_without_resamples_a_score_that_is_no_mean_has_no_error() -> None:
    model, y = CLASSIFIERS["logistic of 2"]
    assert "importances_se" not in permutation_importance(model, X, y, scoring="roc_auc", n_repeats=2)
    found = permutation_importance(model, X, y, scoring="roc_auc", n_repeats=2, resamples=10)
    assert (found.importances_se > 0).any()
    both = permutation_importance(model, X, y, scoring=["roc_auc", "accuracy"], n_repeats=2, resamples=10)
    np.testing.assert_allclose(
        both["roc_auc"].importances_se,
        permutation_importance(
            model, X, y, scoring="roc_auc", n_repeats=2, resamples=10, random_state=0
        ).importances_se,
        atol=0.1,
    )
    assert np.isfinite(permutation_importance(model, X, y, n_repeats=1).importances_se).all()


def same_dependence(ours: Any, theirs: Any, *, rounding: bool = False) -> None:
    """`rounding`: where rows do not fill the blocks that linear algebra computes in, a table's last ones are computed
    otherwise than in the middle of a stack."""
    for key in theirs:
        if key == "grid_values":
            for one, other in zip(ours[key], theirs[key], strict=True):
                np.testing.assert_array_equal(one, other)
        elif rounding:
            np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-13, atol=1e-14)
        else:
            np.testing.assert_array_equal(ours[key], theirs[key])


DEPENDENCE = {**REGRESSORS, **{name: model for name, (model, _) in CLASSIFIERS.items()}}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"percentiles": (0.2, 0.7), "grid_resolution": 7},
        {"features": [0, 2], "grid_resolution": 5},
        {"custom_values": {1: [0.0, 1.0, 2.5]}},
        {"categorical_features": [1], "grid_resolution": 10},
        {"sample_weight": WEIGHT},
        {"kind": "average"},
        {"kind": "individual"},
        {"features": 1},
    ],
    ids=["usual", "inner", "pair", "custom", "category", "weighted", "average", "individual", "bare"],
)
@pytest.mark.parametrize("name", DEPENDENCE)
def test_dependence_is_the_same_to_the_last_digit(name: str, options: dict[str, Any]) -> None:
    asked = {"features": [1], "method": "brute", "kind": "both"} | options
    features = asked.pop("features")
    same_dependence(
        partial_dependence(DEPENDENCE[name], X, features, **asked),
        inspection.partial_dependence(DEPENDENCE[name], X, features, **asked),
    )


def test_dependence_of_a_frame_in_raw_columns() -> None:
    frame = mixed(90).assign(visits=lambda f: f["visits"].astype(float))
    model = MODELS["logistic"]()
    for features, options in (
        (["dose"], {}),
        (["useless"], {"categorical_features": ["useless"]}),
        (["useless", "dose"], {"categorical_features": ["useless"], "grid_resolution": 6}),
        (["dose", "visits"], {"grid_resolution": 6}),
        (["member"], {"categorical_features": ["member"]}),
        ([2], {"response_method": "decision_function"}),
    ):
        asked = {"method": "brute", "kind": "both"} | options
        same_dependence(
            partial_dependence(model, frame, features, **asked),
            inspection.partial_dependence(model, frame, features, **asked),
            rounding=True,
        )


def test_what_is_asked_otherwise_is_scikit_learns_own_answer() -> None:
    forest = REGRESSORS["forest"]
    ours = partial_dependence(forest, X, [0], method="auto")
    assert "standard_error" not in ours
    same_dependence(ours, inspection.partial_dependence(forest, X, [0]))
    with pytest.raises(ValueError, match="integer data"):
        partial_dependence(MODELS["logistic"](), mixed(60), ["visits"])


def test_the_standard_error_of_a_point_is_that_of_a_mean() -> None:
    found = partial_dependence(REGRESSORS["forest"], X, [0], kind="both", grid_resolution=5)
    expected = found.individual.std(1, ddof=1) / np.sqrt(len(X))
    np.testing.assert_allclose(found.standard_error, expected)
    weighted = partial_dependence(REGRESSORS["forest"], X, [0], grid_resolution=5, sample_weight=np.ones(len(X)))
    np.testing.assert_allclose(weighted.standard_error, expected)


def test_what_is_refused() -> None:
    with pytest.raises(InputError, match="n_repeats is 0"):
        permutation_importance(REGRESSORS["linear"], X, Y, n_repeats=0)
    with pytest.raises(InputError, match="max_samples is 81"):
        permutation_importance(REGRESSORS["linear"], X, Y, max_samples=81)
    with pytest.raises(InputError, match="leave it out"):
        partial_dependence(REGRESSORS["linear"], X, [0], response_method="predict_proba")
