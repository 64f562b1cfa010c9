"""Generalized linear models against closed forms, scikit-learn, the optimality conditions, and the laws of chance."""

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.stats import t
from sklearn.linear_model import GammaRegressor, Lasso, LogisticRegression, PoissonRegressor

from attar import InputError, attribute
from attar.core.errors import AttarError
from attar.design.glm import GeneralizedLinearModel
from attar.methods.weight_times_input import WeightTimesInput

GLM = GeneralizedLinearModel
TRUTH = np.array([0.5, -0.3, 0.0])  # weights of the simulated tables; the intercept is 0.2


def drawn(family: str, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng([seed, 3])
    x = generator.standard_normal((rows, 3))
    eta = 0.2 + x @ TRUTH
    if family == "gaussian":
        return x, eta + generator.standard_normal(rows)
    if family == "binomial":
        return x, (generator.uniform(size=rows) < 1 / (1 + np.exp(-eta))).astype(int)
    if family == "poisson":
        return x, generator.poisson(np.exp(eta)).astype(float)
    return x, generator.gamma(2, np.exp(eta) / 2)


# --- fits in closed form, and scikit-learn's ---


def test_least_squares_and_its_intervals_are_the_textbooks() -> None:
    x, y = drawn("gaussian", 40, 0)
    model = GLM("gaussian", "none", intervals="information").fit(x, y)
    design = np.column_stack([x, np.ones(40)])
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ design.T @ y
    half = t.ppf(0.975, 36) * np.sqrt(np.diag(inverse) * ((y - design @ beta) ** 2).sum() / 36)
    np.testing.assert_allclose([*model.coef_[0], model.intercept_[0]], beta, rtol=1e-9)
    np.testing.assert_allclose(model.coef_interval_[0], np.stack([beta - half, beta + half], 1)[:3], rtol=1e-8)
    np.testing.assert_allclose(model.intercept_interval_[0], [beta[3] - half[3], beta[3] + half[3]], rtol=1e-8)


def test_a_two_by_two_table_gives_the_odds_ratio() -> None:
    counts = {(0, 0): 30, (0, 1): 10, (1, 0): 12, (1, 1): 28}
    x = np.concatenate([[[a]] * n for (a, _), n in counts.items()]).astype(float)
    y = np.concatenate([[b] * n for (_, b), n in counts.items()])
    model = GLM("binomial", "none", intervals="information").fit(x, y)
    weight = np.log(28 / 12) - np.log(10 / 30)
    half = 1.959964 * np.sqrt(sum(1 / n for n in counts.values()))
    assert model.coef_[0, 0] == pytest.approx(weight, abs=1e-9)
    np.testing.assert_allclose(model.coef_interval_[0, 0], [weight - half, weight + half], rtol=1e-6)
    # Of a model that can hold any two shares the sandwich is the same, but for its leverages.
    robust = GLM("binomial", "none", intervals="sandwich").fit(x, y)
    np.testing.assert_allclose(np.ptp(robust.coef_interval_[0, 0]), 2 * half * 40 / 39, rtol=1e-6)


@pytest.mark.parametrize(
    ("family", "other"), [("poisson", PoissonRegressor), ("gamma", GammaRegressor)], ids=["poisson", "gamma"]
)
@pytest.mark.parametrize("strength", [0.0, 0.3])
def test_a_log_link_is_fitted_as_scikit_learn_does(family: str, other: Any, strength: float) -> None:
    x, y = drawn(family, 80, 1)
    wanted = other(alpha=strength, solver="newton-cholesky", tol=1e-10).fit(x, y)
    model = GLM(family, "l2" if strength else "none", strength or 1.0).fit(x, y)
    np.testing.assert_allclose(model.coef_[0], wanted.coef_, rtol=1e-7)
    np.testing.assert_allclose(model.predict(x), wanted.predict(x), rtol=1e-7)
    assert model.score(x, y) == pytest.approx(wanted.score(x, y))


def test_several_classes_are_fitted_as_scikit_learn_does() -> None:
    x, _ = drawn("gaussian", 90, 2)
    y = np.argmax(x + np.random.default_rng(0).gumbel(size=x.shape), 1)
    wanted = LogisticRegression(C=1 / 2, tol=1e-10, max_iter=1000).fit(x, y)
    model = GLM("multinomial", "l2", 2.0).fit(x, y)
    np.testing.assert_allclose(model.predict_proba(x), wanted.predict_proba(x), atol=1e-6)
    free = GLM("multinomial", "none").fit(x, y)
    np.testing.assert_allclose(free.coef_.sum(0), 0, atol=1e-9)


# --- penalties: the optimality conditions, written out again ---


def mean_gradient(model: Any, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of the mean half deviance of a family, by the coefficients; gaussian, poisson and gamma."""
    mean = model.predict(x)
    rest = mean - y if model.family != "gamma" else 1 - y / mean
    return x.T @ rest / len(y)


@pytest.mark.parametrize("family", ["gaussian", "poisson", "gamma"])
@pytest.mark.parametrize("strength", [0.03, 0.12, 10.0])
def test_groups_meet_the_optimality_conditions(family: str, strength: float) -> None:
    x, y = drawn(family, 100, 3)
    x = np.column_stack([x, x[:, 0] + 0.5 * np.random.default_rng(4).standard_normal(100), x[:, 1] ** 2])
    groups = ["a", "b", "c", "a", "c"]
    model = GLM(family, "group", strength, groups=groups).fit(x, y)
    gradient = mean_gradient(model, x, y)
    for name in "abc":
        members = [k for k, group in enumerate(groups) if group == name]
        inside, pull = model.coef_[0][members], gradient[members]
        reach = strength * np.sqrt(len(members))
        if inside.any():
            assert inside.all(), "a group goes in as a whole"
            np.testing.assert_allclose(pull, -reach * inside / np.linalg.norm(inside), atol=1e-8)
        else:
            assert np.linalg.norm(pull) <= reach + 1e-8
    assert model.coef_.any() == (strength < 1)


def test_groups_of_several_classes_span_the_classes() -> None:
    x, _ = drawn("gaussian", 120, 5)
    y = np.argmax(x[:, [0, 1, 1]] + np.random.default_rng(0).gumbel(size=x.shape), 1)
    model = GLM("multinomial", "group", 12.0, groups=[0, 0, 1]).fit(x, y)
    gradient = (model.predict_proba(x) - np.eye(3)[y]).T @ x
    inside, norm = model.coef_[:, :2], np.linalg.norm(model.coef_[:, :2])
    assert norm > 0.1
    np.testing.assert_allclose(gradient[:, :2], -12 * np.sqrt(2) * inside / norm, atol=1e-7)
    assert not model.coef_[:, 2].any()
    assert np.linalg.norm(gradient[:, 2]) <= 12


def test_groups_of_one_are_the_lasso() -> None:
    x, y = drawn("gaussian", 60, 6)
    wanted = Lasso(0.1, tol=1e-12).fit(x, y)
    model = GLM("gaussian", "group", 0.1, groups=range(3)).fit(x, y)
    np.testing.assert_allclose(model.coef_[0], wanted.coef_, atol=1e-8)
    assert model.intercept_[0] == pytest.approx(wanted.intercept_)


def test_standardised_penalties_know_no_units() -> None:
    x, y = drawn("poisson", 90, 7)
    in_other_units = x * [1, 1000, 0.01]
    for penalty, groups in (("l2", None), ("l1", None), ("group", [0, 0, 1])):
        one, other = (
            GLM("poisson", penalty, 0.1, groups=groups, standardise=True).fit(table, y) for table in (x, in_other_units)
        )
        np.testing.assert_allclose(one.coef_, other.coef_ * [1, 1000, 0.01], rtol=1e-7, atol=1e-10)
    plain = GLM("poisson", "l2", 0.1).fit(in_other_units, y)
    assert not np.allclose(plain.coef_ * [1, 1000, 0.01], GLM("poisson", "l2", 0.1).fit(x, y).coef_, rtol=1e-2)


@pytest.mark.parametrize("penalty", ["none", "l1", "l2", "group"])
def test_sparse_tables_are_fitted_like_dense_ones(penalty: str) -> None:
    x, y = drawn("poisson", 80, 8)
    x = np.where(x > 0.3, np.round(x, 1), 0.0)
    groups = [0, 0, 1] if penalty == "group" else None
    intervals = "information" if penalty in ("none", "l2") else None
    one, other = (
        GLM("poisson", penalty, 0.05, groups=groups, intervals=intervals, standardise=True).fit(table, y)
        for table in (x, csr_matrix(x))
    )
    np.testing.assert_allclose(one.coef_, other.coef_, atol=1e-9)
    if intervals:
        np.testing.assert_allclose(one.coef_interval_, other.coef_interval_, atol=1e-8)


# --- intervals: how often they hold the truth ---


def coverage(family: str, intervals: str, *, tables: int, rows: int, **options: Any) -> float:
    held = []
    for seed in range(tables):
        x, y = drawn(family, rows, seed)
        model = GLM(family, intervals=intervals, random_state=seed, **options).fit(x, y)
        ends = np.concatenate([model.coef_interval_[0], model.intercept_interval_])
        truth = np.append(TRUTH, 0.2)
        held.append((ends[:, 0] <= truth) & (truth <= ends[:, 1]))
    return float(np.mean(held))


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson", "gamma"])
@pytest.mark.parametrize("intervals", ["information", "sandwich"])
def test_intervals_hold_the_truth_19_times_in_20(family: str, intervals: str) -> None:
    assert 0.93 <= coverage(family, intervals, penalty="none", tables=400, rows=200) <= 0.97


def test_a_slight_ridge_leaves_the_intervals_right() -> None:
    found = coverage("binomial", "information", penalty="l2", strength=0.1, tables=400, rows=200)
    assert 0.93 <= found <= 0.97


@pytest.mark.parametrize("family", ["gaussian", "binomial"])
def test_bootstrap_intervals_hold_the_truth_in_a_few_tables(family: str) -> None:
    assert coverage(family, "bootstrap", penalty="none", resamples=200, tables=40, rows=100) >= 0.88


@pytest.mark.slow
@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson", "gamma"])
def test_bootstrap_intervals_hold_the_truth_19_times_in_20(family: str) -> None:
    rows = 500 if family == "gamma" else 200  # of skewed labels it takes more of them, as `by_bootstrap` says
    found = coverage(family, "bootstrap", penalty="none", resamples=300, tables=200, rows=rows)
    assert 0.93 <= found <= 0.97


@pytest.mark.slow
def test_bootstrap_intervals_of_a_lasso_hold_what_it_comes_out_at() -> None:
    """Of columns without correlation that is the weight less the penalty; what is 0 stays in nearly always."""
    held = []
    for seed in range(300):
        x, y = drawn("gaussian", 200, seed)
        ends = GLM("gaussian", "l1", 0.1, intervals="bootstrap", random_state=seed).fit(x, y).coef_interval_[0]
        held.append([low <= wanted <= high for (low, high), wanted in zip(ends, [0.4, -0.2, 0.0], strict=True)])
    share = np.mean(held, 0)
    assert 0.92 <= share[:2].mean() <= 0.98
    assert share[2] >= 0.95


def test_the_sandwich_knows_of_more_scatter_than_the_family() -> None:
    """Counts of twice the variance that Poisson's have."""
    held: dict[str, list[bool]] = {"information": [], "sandwich": []}
    for seed in range(200):
        generator = np.random.default_rng([seed, 5])
        x = generator.standard_normal((200, 1))
        mean = np.exp(0.5 + 0.4 * x[:, 0])
        y = generator.poisson(generator.gamma(mean / 2, 2)).astype(float)
        for intervals, found in held.items():
            low, high = GLM("poisson", "none", intervals=intervals).fit(x, y).coef_interval_[0, 0]
            found.append(low <= 0.4 <= high)
    assert np.mean(held["information"]) < 0.85
    assert 0.91 <= np.mean(held["sandwich"]) <= 0.985


def test_a_weight_of_two_is_a_row_twice() -> None:
    x, y = drawn("binomial", 60, 9)
    weight = np.random.default_rng(0).integers(0, 3, 60)
    for intervals in ("information", "sandwich"):
        one = GLM("binomial", "none", intervals=intervals).fit(x, y, weight)
        other = GLM("binomial", "none", intervals=intervals).fit(x.repeat(weight, 0), y.repeat(weight))
        np.testing.assert_allclose(one.coef_interval_, other.coef_interval_, rtol=1e-8)


# --- where the data says nothing ---


def test_separated_classes_have_unbounded_intervals() -> None:
    x, _ = drawn("gaussian", 60, 10)
    y = (x[:, 0] > 0.1).astype(int)
    model = GLM("binomial", "none", intervals="information").fit(x, y)
    assert np.isinf(model.coef_interval_[0, 0]).all()
    assert model.unbounded_[0, 0]
    assert np.abs(model.coef_).max() < 100, "the numbers that are kept stay finite"
    assert (model.predict(x) == y).all()
    assert "No finite weight fits best (the data separates by it; its interval is unbounded):\n  column 0" in (
        model.reading()
    )


def test_separation_by_one_column_leaves_the_others_bounded() -> None:
    """Quasi-separation: of the rows with the mark all are of class 1, the others are mixed."""
    x, y = drawn("binomial", 200, 11)
    mark = np.zeros(200)
    mark[:25] = 1
    y[:25] = 1
    model = GLM("binomial", "none", intervals="information").fit(np.column_stack([x, mark]), y)
    assert np.isinf(model.coef_interval_[0, 3]).all()
    assert np.isfinite(model.coef_interval_[0, :3]).all()
    alone = GLM("binomial", "none", intervals="information").fit(x[25:], y[25:])
    np.testing.assert_allclose(model.coef_[0, :3], alone.coef_[0], atol=0.02)


def test_a_count_that_is_always_0_has_no_bounded_rate() -> None:
    x, y = drawn("poisson", 100, 12)
    mark = (np.arange(100) < 20).astype(float)
    y[:20] = 0
    model = GLM("poisson", "none", intervals="information").fit(np.column_stack([x, mark]), y)
    assert np.isinf(model.coef_interval_[0, 3]).all()
    assert np.isfinite(model.coef_interval_[0, :3]).all()


def test_classes_of_three_that_a_plane_separates() -> None:
    x = np.arange(30.0)[:, None]
    model = GLM("multinomial", "none", intervals="information").fit(x, np.arange(30) // 10)
    assert np.isinf(model.coef_interval_).any()
    mixed = np.random.default_rng(0).integers(0, 3, 30)
    assert np.isfinite(GLM("multinomial", "none", intervals="information").fit(x, mixed).coef_interval_).all()


@pytest.mark.parametrize("family", ["gaussian", "binomial"])
def test_columns_that_say_the_same_have_unbounded_intervals(family: str) -> None:
    x, y = drawn(family, 100, 13)
    table = np.column_stack([x, 2 * x[:, 0], np.full(100, 7.0), x[:, 1] + x[:, 2]])
    model = GLM(family, "none", intervals="information").fit(table, y)
    unknown = np.isinf(model.coef_interval_[0]).all(1)
    assert unknown.tolist() == [True] * 6
    assert np.isfinite(model.intercept_interval_).all()
    assert model.coef_[0, 4] == 0
    plain = GLM(family, "none").fit(x, y)
    np.testing.assert_allclose(model.predict(table), plain.predict(x), rtol=1e-7)
    said = model.reading(names=["a", "b", "c", "twice a", "seven", "b and c"])
    assert "These two cannot be told apart: a and twice a (one is the other on another scale)." in said
    assert "These cannot be told apart: b, c and b and c (one is a sum of the others)." in said
    assert "Never varies, so that nothing was learnt of it: seven." in said


# --- what is said and what is refused ---


def test_a_reading_in_full() -> None:
    x = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]] * 25)
    y = 10 + 2 * x[:, 0] - 3 * x[:, 1] + np.tile([0.1, -0.1, -0.1, 0.1], 25) * np.repeat([1, -1, 1, -1, 1], 20)
    model = GLM("gaussian", "none", intervals="information").fit(x, y)
    assert model.reading(names=["dose", "fat"], units={"dose": "mg"}) == (
        "The value starts at 10 (95%: 9.97 to 10); every column adds its weight times its value.\n"
        "Raises it:\n"
        "  dose: +2 per mg (95%: 1.96 to 2.04)\n"
        "Lowers it:\n"
        "  fat: -3 per 1 (95%: -3.04 to -2.96)\n"
        "\n"
        "Intervals (95%) from the Fisher information: right where the gaussian family is.\n"
        "What it cannot tell: whether a column causes anything; effects that bend, or columns that act together; "
        "values beyond those of its 100 rows."
    )


def test_a_reading_of_odds_and_of_what_is_left_out() -> None:
    x, y = drawn("binomial", 400, 14)
    said = GLM("binomial", "l1", 12.0).fit(x, np.where(y, "ill", "well")).reading()
    assert said.startswith("The log-odds of 'well' starts at ")
    assert "the odds of 'well' times" in said
    assert "Left out by the penalty: column 2.\n" in said
    assert "No intervals were asked for: how sure the weights are is not known." in said
    assert "The penalty (l1, strength 12) pulls weights towards 0." in said


def test_a_log_rate_is_what_weights_explain() -> None:
    x, y = drawn("poisson", 100, 15)
    model = GLM("poisson", "none").fit(x, y)
    found = attribute(model, x[:5], WeightTimesInput())
    np.testing.assert_allclose(found.output.exp().numpy(), model.predict(x[:5]), rtol=1e-9)
    np.testing.assert_allclose(found.values.numpy(), x[:5] * model.coef_[0], rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"family": "tweedie"}, "family is 'tweedie', expected one of gaussian, binomial"),
        ({"penalty": "l0"}, "penalty is 'l0', expected one of none, l1, l2, group"),
        ({"strength": 0.0}, "strength is 0.0, expected a positive number"),
        ({"penalty": "group"}, "penalty is 'group' and groups are not given"),
        ({"groups": [0, 1, 2]}, "penalty is 'l2' and groups are given"),
        ({"penalty": "group", "groups": [0]}, "groups has 1 labels for 3 columns"),
        ({"penalty": "l1", "intervals": "information"}, "take intervals='bootstrap'"),
        ({"intervals": "wald"}, "intervals is 'wald', expected one of information"),
        ({"intervals": "bootstrap", "resamples": 5}, "resamples is 5, expected at least 40"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], said: str) -> None:
    x, y = drawn("binomial", 30, 16)
    with pytest.raises(AttarError, match=said):
        GLM(**options).fit(x, y)


def test_labels_that_are_not_the_familys_are_refused() -> None:
    x, y = drawn("gaussian", 30, 17)
    with pytest.raises(InputError, match="poisson: a count cannot be -"):
        GLM("poisson").fit(x, y)
    with pytest.raises(InputError, match="gamma: a gamma label cannot be 0, expected above 0"):
        GLM("gamma").fit(x, np.zeros(30))
    with pytest.raises(InputError, match=r"Only binary classification .* take family='multinomial'"):
        GLM("binomial").fit(x, np.arange(30) % 3)
    with pytest.raises(InputError, match="sample_weight goes from -1 to 1"):
        GLM("gaussian").fit(x, y, np.where(np.arange(30), 1.0, -1.0))
