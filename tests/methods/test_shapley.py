"""Shapley values: against their definition, in closed form, and by the law that their standard errors promise."""

from collections.abc import Callable
from importlib.util import find_spec
from math import comb

import numpy as np
import pytest
import torch
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.tree import DecisionTreeRegressor
from torch import Tensor

from attar import InputError, Logit, Predicted, Probability, UnsupportedError, attribute
from attar.adapters.trees import Probabilities
from attar.core.baseline import Constant, Rows, Zeros
from attar.core.features import Features, Share, groups
from attar.core.inputs import Inputs, SparseRows, Tensors
from attar.core.model import Chunked
from attar.core.parts import Parts
from attar.core.target import Difference
from attar.estimation.shapley_estimators import Estimator, Kernel, Permutations
from attar.methods.shapley import Shapley
from attar.methods.tree_shap import TreeSHAP
from models import case, close, numbers, sparse
from reference.shapley_enumeration import added_in_order, by_orders, mixed, shapley_values

ESTIMATORS = pytest.mark.parametrize("estimator", [Kernel(), Permutations()], ids=["kernel", "permutations"])
shap = pytest.mark.skipif(find_spec("shap") is None, reason="TreeSHAP takes shap: pip install attar[trees]")


def sampled(**options: object) -> Shapley:
    return Shapley(exact_up_to=2, **options)  # type: ignore[arg-type]


def crooked(x: Tensor) -> Tensor:
    """Interactions of every order, of any number of columns."""
    return torch.tanh(x @ torch.linspace(-1, 1.5, x.shape[1], dtype=x.dtype)) + x[:, 0] * x[:, 1] * x[:, -1] + x[:, 2]


# --- by definition ---


@pytest.mark.parametrize("rows", [1, 3])
def test_few_features_get_what_the_definition_says(rows: int) -> None:
    x, background = numbers(3, 5), numbers(rows, 5, seed=1)
    found = attribute(crooked, x, Shapley(background=Rows(background)))
    for k, values in enumerate(found.values):
        worth = mixed(lambda point: float(crooked(torch.from_numpy(point)[None])), x[k].numpy(), background.numpy())
        close(values, shapley_values(worth, 5))
    close(found.values[2], by_orders(worth, 5))
    assert bool((found.error.bound == 0).all())
    assert found.evaluations.tolist() == [1 + rows * (2**5 - 1)] * 3


def test_one_baseline_is_a_background_of_one_row() -> None:
    x, mean = numbers(3, 5), numbers(5, seed=2)
    one = attribute(crooked, x, Shapley(background=Constant({"input": mean})))
    close(one.values, attribute(crooked, x, Shapley(background=Rows(mean[None]))).values, 1e-14)
    plain = attribute(crooked, x, Shapley())
    close(plain.values, attribute(crooked, x, Shapley(background=Rows(torch.zeros(1, 5)))).values, 1e-14)
    close(plain.reference, torch.zeros(3))


def test_a_bag_is_divided_among_the_entries_that_it_has() -> None:
    given = case("bag-mlp")
    found = attribute(given.model, given.inputs, Shapley())
    one = given.inputs.take(torch.tensor([4]))
    counts = one.parts["words"]

    def worth(coalition: frozenset[int]) -> float:
        kept = torch.tensor([k in coalition for k in range(len(counts))])
        parts = one.parts.map(lambda array: array * kept)
        with torch.no_grad():
            return float(given.model.eval()(*one.replace(parts).arguments())[0])

    close(found.by_example("words")[4], shapley_values(worth, len(counts)))
    assert len(found.by_example("words")[1]) == 0
    assert float(found.residual()[1]) == 0.0


def test_a_feature_takes_its_rows_and_its_shares_of_rows_with_it() -> None:
    """Two features of whole columns, and a column that is half the one's and half the other's; the last is no one's."""
    share = Share(torch.tensor([0, 0, 1, 1, 1]), torch.tensor([0, 1, 1, 2, 3]), torch.tensor([1.0, 0.5, 0.5, 1.0, 1.0]))
    features = Features(
        name="teams", rule="ours", owner=torch.tensor([0, 0]), shares={"input": share}, names=("a", "b")
    )
    x, background = numbers(1, 5), numbers(4, 5, seed=1)
    found = attribute(crooked, x, Shapley(by=lambda _: features, background=Rows(background)))

    def worth(coalition: frozenset[int]) -> float:
        one, other = float(0 in coalition), float(1 in coalition)
        here = torch.tensor([one, (one + other) / 2, other, other, 1.0])
        return float(crooked(here * x + (1 - here) * background).mean())

    close(found.parts["teams"], shapley_values(worth, 2))
    assert found.names == {"teams": ("a", "b")}
    close(found.reference, [worth(frozenset())])


@pytest.mark.parametrize("exact_up_to", [2, 12])
def test_what_no_feature_holds_stays(exact_up_to: int) -> None:
    """Features for the first four of five columns."""
    x, background = numbers(3, 5), numbers(2, 5, seed=1)
    held = torch.arange(12)
    share = Share(held, held // 4 * 5 + held % 4, torch.ones(12))
    features = Features(name="columns", rule="ours", owner=held // 4, shares={"input": share})
    method = Shapley(by=lambda _: features, background=Rows(background), exact_up_to=exact_up_to, tolerance=0.01)
    found = attribute(crooked, x, method)
    for k, values in enumerate(found.by_example("columns")):
        start = background.clone()
        start[:, 4] = x[k, 4]
        worth = mixed(lambda point: float(crooked(torch.from_numpy(point)[None])), x[k].numpy(), start.numpy())
        close(values, shapley_values(worth, 5)[:4], 1e-9 if exact_up_to == 12 else 0.02)


@pytest.mark.parametrize("background", [Zeros(), Rows(torch.zeros(2, 20))], ids=["zeros", "rows"])
def test_a_feature_at_the_background_has_nothing_and_costs_nothing(background: Zeros | Rows) -> None:
    """Sampling would give it noise, and its coalitions would be drawn for nothing."""
    x = numbers(3, 20)
    x[:, ::3] = 0
    x[0, 1] = 0
    found = attribute(crooked, x, Shapley(background=background, tolerance=0.01))
    assert bool((found.values[x == 0] == 0).all())
    assert bool((found.standard_error["input"][x == 0] == 0).all())
    assert bool((found.values[x != 0] != 0).all())
    assert int(found.evaluations[0]) == 1 + (2 if isinstance(background, Rows) else 1) * (2**12 - 1)
    close(found.residual(), torch.zeros(3))
    other = found.values[0, x[0] != 0]
    close(attribute(crooked_on(x[0] != 0), x[:1, x[0] != 0], Shapley()).values[0], other)


def test_a_feature_that_stands_at_some_rows_of_the_background_takes_part() -> None:
    x = torch.zeros(2, 5, dtype=torch.float64)
    x[1] = 1
    background = torch.tensor([0.0, 1.0, 0.5]).double()[:, None].expand(3, 5)
    found = attribute(lambda x: x.sum(1) ** 3, x, Shapley(background=Rows(background)))
    mean = (0 + 5**3 + 2.5**3) / 3
    close(found.values, torch.tensor([[(0 - mean) / 5], [(5**3 - mean) / 5]]).double().expand(2, 5))


def test_a_baseline_may_differ_from_example_to_example() -> None:
    x, weight = numbers(4, 14), numbers(14, seed=2)
    for exact in (6, 14):
        found = attribute(lambda x: x @ weight[: x.shape[1]], x[:, :exact], Shapley(background=Halved()))
        close(found.values, x[:, :exact] * weight[:exact] / 2)


class Halved:
    def __call__(self, inputs: Inputs) -> Parts:
        return inputs.parts * 0.5


def test_half_an_entry_may_be_all_that_a_feature_holds() -> None:
    share = Share(torch.arange(4), torch.arange(4), torch.full((4,), 0.5))
    features = Features(name="halves", rule="ours", owner=torch.zeros(4, dtype=torch.long), shares={"input": share})
    x, weight = numbers(1, 4), numbers(4, seed=2)
    found = attribute(lambda x: x @ weight, x, Shapley(by=lambda _: features))
    close(found.parts["halves"], x[0] * weight / 2)


def crooked_on(columns: Tensor) -> Callable[[Tensor], Tensor]:
    """With the other columns at zero."""

    def function(x: Tensor) -> Tensor:
        whole = x.new_zeros(len(x), len(columns))
        whole[:, columns] = x
        return crooked(whole)

    return function


def columns_in_pairs(inputs: Inputs) -> Features:
    owner = inputs.owners["input"]
    column = torch.arange(len(owner)) % 6
    return groups(owner, column // 2, "input", "pairs")


def halves_of_columns_in_pairs(inputs: Inputs) -> Features:
    """The same features, of which each has its rows in two halves: no longer whole entries to the code."""
    share = columns_in_pairs(inputs).shares["input"]
    twice = Share(share.feature.repeat(2), share.row.repeat(2), share.share.repeat(2) / 2)
    return Features(name="pairs", rule="groups", owner=columns_in_pairs(inputs).owner, shares={"input": twice})


@pytest.mark.parametrize("background", [Zeros(), Rows(numbers(3, 6, seed=1))], ids=["zeros", "rows"])
def test_grouped_columns_are_one_feature(background: Zeros | Rows) -> None:
    x = numbers(4, 6)
    found = attribute(crooked, x, Shapley(by=columns_in_pairs, background=background))
    assert found.parts["pairs"].shape == (12,)
    close(found.residual(), torch.zeros(4))
    slower = attribute(crooked, x, Shapley(by=halves_of_columns_in_pairs, background=background))
    close(found.parts["pairs"], slower.parts["pairs"], 1e-12)
    additive = attribute(lambda x: (x**2).sum(1), x, Shapley(by=columns_in_pairs))
    close(additive.parts["pairs"].reshape(4, 3), (x**2).reshape(4, 3, 2).sum(2))


# --- the estimators, one against a slow literal version each ---


def test_kernel_is_weighted_least_squares_under_a_constraint() -> None:
    generator = np.random.default_rng(0)
    keep = Kernel().draw(6, 2, 15, generator)
    size = keep.sum(-1)
    assert bool(((size > 0) & (size < 6)).all())
    halves, total = numbers(2, 15), numbers(2, seed=1)
    found = Kernel().solve(keep, halves[None, None], total[None, None])
    values, variance = [], []
    for z, y, t in zip(keep.double().numpy(), halves.numpy(), total.numpy(), strict=True):
        weight = np.array([1 / (s * (6 - s)) for s in z.sum(1)])
        # v(S) - v(N \ S) over 2 is sum of the coalition's values less total / 2; the last row holds the constraint.
        stacked = np.block([[z.T @ (weight[:, None] * z), np.ones((6, 1))], [np.ones((1, 6)), np.zeros((1, 1))]])
        solution = np.linalg.solve(stacked, np.append(z.T @ (weight * (y + t / 2)), t))[:6]
        values.append(solution)
        # HC2 in an orthonormal basis of what the constraint leaves free.
        basis = np.linalg.svd(np.ones((1, 6)))[2][1:].T
        x = z @ basis
        bread = np.linalg.inv(x.T @ (weight[:, None] * x))
        leverage = np.einsum("ci,ij,cj,c->c", x, bread, x, weight)
        rest = y + t / 2 - z @ solution
        meat = x.T @ ((weight**2 * rest**2 / (1 - leverage))[:, None] * x)
        variance.append(np.diag(basis @ bread @ meat @ bread @ basis.T))
    close(found.values[0, 0], np.mean(values, 0))
    close(found.variance[0, 0], np.sum(variance, 0) / 4)
    assert found.freedom == 2 * (15 - 5)


def test_permutations_are_joined_forth_and_back() -> None:
    keep = Permutations().draw(5, 2, 3, np.random.default_rng(0))
    x, background = numbers(1, 5), numbers(2, 5, seed=1)
    here = (
        torch.where(keep, x, background[:, None]).reshape(-1, 5),
        torch.where(keep, background[:, None], x).reshape(-1, 5),
    )
    halves = ((crooked(here[0]) - crooked(here[1])) / 2).reshape(2, 12)
    total = crooked(x) - crooked(background)
    found = Permutations().solve(keep, halves[None, None], total[None, None])
    pairs = np.zeros((2, 3, 5))
    for row in range(2):
        worth = mixed(
            lambda point: float(crooked(torch.from_numpy(point)[None])), x[0].numpy(), background[row : row + 1].numpy()
        )
        for draw in range(3):
            joined = keep[row, 4 * draw : 4 * draw + 4].numpy()
            order = list(np.argsort(5 - joined.sum(0), kind="stable"))
            pairs[row, draw] = (added_in_order(worth, order) + added_in_order(worth, order[::-1])) / 2
    close(found.values[0, 0], pairs.mean((0, 1)))
    close(found.variance[0, 0], pairs.var(1, ddof=1).sum(0) / 3 / 4)


def test_coalitions_are_drawn_by_their_leverage() -> None:
    """Every size as often as every other, and within a size every coalition."""
    keep = Kernel().draw(4, 100, 100, np.random.default_rng(0)).reshape(-1, 4)
    code = (keep * torch.tensor([1, 2, 4, 8])).sum(1)
    share = torch.bincount(code, minlength=16) / len(code)
    for coalition in range(1, 15):
        close(share[coalition], 1 / 3 / comb(4, coalition.bit_count()), 0.02)


# --- closed forms, sampled ---

WIDE = 16


@ESTIMATORS
def test_an_additive_function_is_divided_exactly(estimator: Estimator) -> None:
    """And none of the features is set to zero, as a peer does with all but ten."""
    x, background = numbers(3, WIDE), numbers(5, WIDE, seed=1)
    function = lambda x: torch.sin(x).sum(1)  # noqa: E731
    found = attribute(function, x, Shapley(background=Rows(background), estimator=estimator))
    close(found.values, torch.sin(x) - torch.sin(background).mean(0))
    assert bool((found.values != 0).all())
    assert bool(found.error.reached.all())
    assert float(found.error.bound.max()) < 1e-9


@ESTIMATORS
def test_interactions_of_two_are_halved_exactly(estimator: Estimator) -> None:
    """Each coalition comes with its complement, which is all it takes."""
    x = numbers(3, WIDE)
    found = attribute(lambda x: x[:, 0] * x[:, 1] + 2 * x[:, 3] * x[:, 5], x, Shapley(estimator=estimator))
    expected = torch.zeros_like(x)
    expected[:, [0, 1]] = (x[:, 0] * x[:, 1] / 2)[:, None]
    expected[:, [3, 5]] = (x[:, 3] * x[:, 5])[:, None]
    close(found.values, expected)


@ESTIMATORS
def test_a_linear_model_gives_weight_times_distance_from_the_mean(estimator: Estimator) -> None:
    x, background, weight = numbers(3, WIDE), numbers(7, WIDE, seed=1), numbers(WIDE, seed=2)
    found = attribute(lambda x: x @ weight, x, Shapley(background=Rows(background), estimator=estimator))
    close(found.values, weight * (x - background.mean(0)))


@pytest.mark.parametrize("exact_up_to", [2, 12])
def test_who_does_the_same_gets_the_same_and_who_does_nothing_gets_nothing(exact_up_to: int) -> None:
    x = torch.ones(1, 8, dtype=torch.float64)
    function = lambda x: torch.exp(x[:, 0] + x[:, 1]) * x[:, 2] + x[:, 3:6].prod(1) * x[:, 6]  # noqa: E731
    found = attribute(function, x, Shapley(exact_up_to=exact_up_to, tolerance=0.02))
    values, error = found.values[0], found.standard_error["input"][0]
    within = 1e-12 if exact_up_to == 12 else 4 * float(error.max())
    assert abs(float(values[0] - values[1])) <= within
    assert float(values[3:6].std()) <= within
    assert abs(float(values[7])) <= within
    assert (float(error.max()) == 0) == (exact_up_to == 12)


@ESTIMATORS
def test_sampled_values_are_complete_and_approach_the_exact_ones(estimator: Estimator) -> None:
    x, background = numbers(4, 10), Rows(numbers(6, 10, seed=1))
    exact = attribute(crooked, x, Shapley(background=background))
    errors = []
    for tolerance in (0.4, 0.05):
        found = attribute(crooked, x, sampled(background=background, estimator=estimator, tolerance=tolerance))
        close(found.residual(), torch.zeros(4), 1e-12)
        close(found.reference, exact.reference, 1e-12)
        assert bool(found.error.reached.all())
        errors.append(float((found.values - exact.values).norm() / exact.values.norm()))
    assert errors[1] < errors[0] / 2
    assert errors[1] < 0.03


@ESTIMATORS
@pytest.mark.parametrize("rows", [1, 8])
def test_95_percent_intervals_hold_95_percent_of_the_values(estimator: Estimator, rows: int) -> None:
    x, background = numbers(6, 10), Rows(numbers(rows, 10, seed=1))
    exact = attribute(crooked, x, Shapley(background=background))
    held, bounded = [], []
    for seed in range(25):
        method = sampled(background=background, estimator=estimator, tolerance=0.1, seed=seed)
        found = attribute(crooked, x, method)
        off = (found.values - exact.values).abs()
        held.append((off <= 1.96 * found.standard_error["input"]).double())
        bounded.append((off.sum(1) <= found.error.bound).double())
    assert 0.92 <= float(torch.stack(held).mean()) <= 0.985
    assert float(torch.stack(bounded).mean()) >= 0.95


# --- evaluations ---


class Counting:
    """A function that remembers how many examples it was asked about, at most at once and in all."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.function, self.most, self.total = function, 0, 0

    def __call__(self, x: Tensor) -> Tensor:
        self.most, self.total = max(self.most, len(x)), self.total + len(x)
        return self.function(x)


@ESTIMATORS
@pytest.mark.parametrize("width", [6, WIDE])
def test_evaluations_are_counted_and_packed(estimator: Estimator, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    laid_out, predict = [], Chunked.predict
    monkeypatch.setattr(Chunked, "predict", lambda self, inputs: laid_out.append(len(inputs)) or predict(self, inputs))
    counting = Counting(crooked)
    method = Shapley(background=Rows(numbers(4, width, seed=1)), estimator=estimator, tolerance=0.2)
    found = attribute(counting, numbers(5, width), method, batch_size=50)
    beyond = counting.total - int(found.evaluations.sum())
    assert 0 <= beyond <= 8  # the verb's own questions about the model
    assert counting.most == max(laid_out) == 50


def test_a_budget_is_kept_and_an_end_before_the_tolerance_is_said() -> None:
    x = numbers(4, WIDE)
    found = attribute(crooked, x, Shapley(tolerance=1e-4, budget=500))
    assert not bool(found.error.reached.any())
    assert bool((found.evaluations <= 500).all())
    assert bool((found.evaluations > 490).all())
    with pytest.raises(InputError, match="16 features over 3 background rows need 196 evaluations"):
        attribute(crooked, x, Shapley(background=Rows(numbers(3, WIDE)), budget=195))
    attribute(crooked, x, Shapley(background=Rows(numbers(3, WIDE)), budget=196))


def test_few_features_are_sampled_where_the_budget_forbids_to_ask_every_coalition() -> None:
    x, background = numbers(2, 10), Rows(numbers(4, 10, seed=1))
    every = 1 + 4 * (2**10 - 1)
    assert bool((attribute(crooked, x, Shapley(background=background, budget=every)).error.bound == 0).all())
    fewer = attribute(crooked, x, Shapley(background=background, budget=every - 1))
    assert bool((fewer.error.bound > 0).all())


def test_examples_stop_one_by_one() -> None:
    """An additive example needs no more than the first round, beside one that does."""
    x = torch.stack([torch.zeros(WIDE), torch.linspace(-2, 2, WIDE)]).double()
    function = lambda x: x.sum(1) + torch.where(x[:, 0] < -1, x[:, 1:].sum(1).tanh() * x[:, 5], 0)  # noqa: E731
    found = attribute(function, x + 0.01, Shapley(tolerance=0.01))
    assert found.evaluations[0] < found.evaluations[1]


def test_several_targets_share_their_evaluations() -> None:
    counting = Counting(lambda x: torch.stack([crooked(x), x.sum(1), crooked(-x)], 1))
    x, method = numbers(3, WIDE), Shapley(tolerance=0.1)
    targets = [Logit(0), Logit(1), Difference(Logit(2), Logit(0))]
    apart = [attribute(counting, x, method, target) for target in targets]
    counting.total = 0
    together = attribute(counting, x, method, targets)
    assert counting.total <= max(int(found.evaluations.sum()) for found in apart) + 200
    for one, other in zip(together, apart, strict=True):
        close(one.values, other.values, 1e-12)
        assert torch.equal(one.evaluations, other.evaluations)
        close(one.error.bound, other.error.bound, 1e-12)


def test_nothing_to_divide_is_no_error_that_never_ends() -> None:
    """All but a constant in single precision: rounding is not chased to the end of the budget."""
    x = numbers(2, WIDE).float()
    found = attribute(lambda x: 1e3 + 1e-4 * crooked(x), x, Shapley())
    assert bool(found.error.reached.all())
    assert float(found.error.bound.min()) > 0.1 * float(found.values.abs().sum(1).max())
    assert int(found.evaluations.max()) < 200


# --- what is refused ---


def test_a_background_that_does_not_fit_is_refused() -> None:
    for rows in (numbers(3), numbers(0, 4), torch.zeros(2, 4, dtype=torch.long), torch.full((2, 4), float("nan"))):
        with pytest.raises(InputError, match="the background"):
            Rows(rows)
    with pytest.raises(InputError, match=r"a background row has shape \(4,\), an example \(6,\)"):
        attribute(crooked, numbers(2, 6), Shapley(background=Rows(numbers(3, 4))))
    with pytest.raises(InputError, match="fits tensors, not SparseRows"):
        attribute(case("bag-mlp").model, sparse(), Shapley(background=Rows(numbers(3, 4))))


def test_a_background_row_is_laid_out_like_the_inputs() -> None:
    rows, x = Rows(numbers(3, 2, 2)), Tensors(numbers(2, 2, 2, seed=1).float())
    laid = rows.laid_out(x, 1)["input"]
    assert laid.dtype == torch.float32
    close(laid, rows.values[[1, 1]])
    close(rows.laid_out(x, torch.tensor([2, 0]))["input"], rows.values[[2, 0]])


def test_options_out_of_range_are_refused() -> None:
    for wrong in ({"tolerance": 0.0}, {"tolerance": 1.0}, {"exact_up_to": 1}, {"exact_up_to": 21}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            Shapley(**wrong)
    with pytest.raises(InputError, match=r"2049 features are too many for Kernel\(\)"):
        attribute(lambda x: x.sum(1), torch.ones(1, 2049), Shapley())


# --- trees ---


def _table(columns: int = 6, rows: int = 300) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).standard_normal((rows, columns))
    return x, x[:, 0] * x[:, 1] + x[:, 2]


@shap
@pytest.mark.parametrize(
    ("estimator", "classes"),
    [
        (GradientBoostingRegressor(n_estimators=10, random_state=0), False),
        (HistGradientBoostingRegressor(max_iter=10), False),
        (GradientBoostingClassifier(n_estimators=10, random_state=0), True),
        (RandomForestClassifier(5, max_depth=4, random_state=0), True),
        (DecisionTreeRegressor(max_depth=4, random_state=0), False),
    ],
    ids=lambda each: type(each).__name__ if hasattr(each, "fit") else "",
)
def test_tree_shap_is_shapley_over_the_whole_background(estimator: object, classes: bool) -> None:
    """Over 130 training rows: shap by itself takes 100 of them, and goes astray where a value lies on a split."""
    x, y = _table()
    estimator.fit(x, y > 0 if classes else y)
    model = Probabilities(estimator) if isinstance(estimator, RandomForestClassifier) else estimator
    background = Rows(x[:130])
    for target in (Predicted(), Logit([0, 1, 1, 0]) if classes else Logit(0)):
        found = attribute(model, x[200:204], TreeSHAP(background=background), target)
        exact = attribute(model, x[200:204], Shapley(background=background), target)
        close(found.values, exact.values, 1e-6)
        close(found.reference, exact.reference, 1e-6)
        close(found.output, exact.output, 1e-12)


@shap
def test_tree_shap_by_the_paths_is_complete_and_says_what_absent_columns_have() -> None:
    x, y = _table()
    forest = RandomForestClassifier(5, max_depth=4, random_state=0).fit(x, y > 0)
    found = attribute(Probabilities(forest), x[:4], TreeSHAP(), Logit(1))
    close(found.residual(), torch.zeros(4), 1e-12)
    close(found.output, forest.predict_proba(x[:4])[:, 1])
    counts = np.random.default_rng(1).integers(0, 3, (80, 6)).astype(float)
    tree = DecisionTreeRegressor(max_depth=4).fit(counts, counts[:, 0] * counts[:, 3] - counts[:, 1])
    bag: SparseRows = sparse()
    of_bag = attribute(tree, bag, TreeSHAP())
    dense = attribute(tree, bag.dense(), TreeSHAP())
    close(of_bag.parts["words"], dense.values[bag.rows, bag.columns])
    close(of_bag.unassigned, (dense.values * (bag.dense() == 0)).sum(1))
    assert float(of_bag.unassigned.abs().max()) > 0.1
    close(of_bag.residual(), torch.zeros(5), 1e-12)


@shap
def test_what_shap_would_mislabel_is_refused() -> None:
    x, y = _table()
    forest = RandomForestClassifier(5, random_state=0).fit(x, y > 0)
    with pytest.raises(UnsupportedError, match=r"vote with probabilities.*give attar\.adapters\.trees\.Prob"):
        attribute(forest, x[:3], TreeSHAP())
    with pytest.raises(UnsupportedError, match=r"outputs as they are, the target is Probability\(index=1\)"):
        attribute(Probabilities(forest), x[:3], TreeSHAP(), Probability(1))
    exponential = GradientBoostingClassifier(loss="exponential", n_estimators=5).fit(x, y > 0)
    with pytest.raises(UnsupportedError, match="shap's values miss the model's output by up to"):
        attribute(exponential, x[:3], TreeSHAP())
    poisson = HistGradientBoostingRegressor(loss="poisson", max_iter=5).fit(x, np.abs(y))
    with pytest.raises(UnsupportedError, match="shap's values miss the model's output by up to"):
        attribute(poisson, x[:3], TreeSHAP(background=Rows(x[:20])))
    three = GradientBoostingClassifier(n_estimators=5).fit(x, np.digitize(y, [-0.5, 0.5]))
    for model in (three, Probabilities(three)):
        with pytest.raises(UnsupportedError, match="TreeSHAP needs a Forest model"):
            attribute(model, x[:3], TreeSHAP())


def test_without_shap_the_way_to_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = _table()
    monkeypatch.setattr("attar.adapters.trees.find_spec", lambda _: None)
    with pytest.raises(UnsupportedError, match=r"pip install attar\[trees\]"):
        attribute(DecisionTreeRegressor().fit(x, y), x[:3], TreeSHAP())
