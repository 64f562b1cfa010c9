"""Anchors against every rule, one by one, and against what is known of their intervals."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from torch import Tensor

from attar import Difference, Entry, InputError, Logit, Probability, UnsupportedError, attribute
from attar.core.attribution import Attribution
from attar.core.baseline import Constant, Rows
from attar.core.features import Grouped
from attar.core.inputs import Tensors
from attar.estimation.rules import between
from attar.methods.anchors import Anchors
from models import FEATURES, case, frame, graphs, numbers, sparse, table, tight
from reference.rule_enumeration import coverage_by_rows, precision_by_coins, precision_by_rows, shortest


def both(x: Tensor) -> Tensor:
    return ((x[:, 0] > 0.5) & (x[:, 2] > 0.5)).double() - 0.5


def either(x: Tensor) -> Tensor:
    return ((x[:, 0] > 0.5) | (x[:, 2] > 0.5)).double() - 0.5


def most(x: Tensor) -> Tensor:
    """Of the first five."""
    return x[:, :5].sum(1) - 2.5


def equal(x: Tensor) -> Tensor:
    """Either column alone says nothing."""
    return (x[:, 0] == x[:, 1]).double() - 0.5


def mixed(x: Tensor) -> Tensor:
    """Three classes out of products."""
    return torch.stack([x[:, 0] * x[:, 1] + x[:, 2], x[:, 3] - x[:, 4] * x[:, 0], torch.sin(x.sum(1))], 1)


def kept(found: Attribution, example: int = 0) -> list[int]:
    """The rule, read off its words: what the entries are called says which they are."""
    words = found.rules[example]
    return [] if words == "nothing" else [int(word.partition("[")[2].partition("]")[0]) for word in words.split(", ")]


def sampled(**options: Any) -> Anchors:
    return Anchors(exact_up_to=0, **options)


ONES = torch.ones(1, 8, dtype=torch.float64)


# --- known rules ---


def test_and_needs_both_columns() -> None:
    found = attribute(both, ONES, Anchors())
    assert found.rules == ("[0] = 1, [2] = 1",)
    tight(found.values, [[0.5, 0, 0.5, 0, 0, 0, 0, 0]])
    for name, expected in (("precision", 1), ("coverage", 0.25), ("keeping nothing", 0.25), ("size", 2)):
        assert found.measured[name].tolist() == [expected], name
    assert found.error.bound.tolist() == [0]
    assert found.error.reached.all()
    assert found.evaluations.tolist() == [1 + 2**8]
    assert found.output.tolist() == [0.5]
    assert found.reference is None


def test_or_needs_one_and_what_is_not_there_cannot_be_needed() -> None:
    found = attribute(either, torch.tensor([[1.0, 1, 1], [0, 1, 1], [0, 1, 0]], dtype=torch.float64), Anchors())
    assert found.rules == ("[0] = 1", "[2] = 1", "nothing")
    tight(found.values, [[0.25, 0, 0], [0, 0, 0.5], [0, 0, 0]])


def test_a_majority_needs_as_many_as_decide_it() -> None:
    found = attribute(most, ONES, Anchors())
    assert found.measured["size"].tolist() == [3]
    tight(found.values, [[0.125, 0.125, 0.125, 0, 0, 0, 0, 0]])  # two are joined by one of three coins 7 times in 8
    loose = attribute(most, ONES, Anchors(precision=0.8))
    assert loose.measured["size"].tolist() == [2]
    tight(loose.measured["precision"], [7 / 8])


@pytest.mark.parametrize("method", [Anchors(), sampled(beam=8)])
def test_columns_that_say_something_only_together_are_both_of_worth(method: Anchors) -> None:
    """What a feature adds when it comes first would be nothing."""
    x = torch.ones(1, 6, dtype=torch.float64)
    found = attribute(equal, x, Anchors(**{**vars(method), "background": Constant({"input": -x})}))
    # All kept, or both turned: a coin alone is right half of the time.
    assert sorted(kept(found)) == [0, 1]
    tight(found.values[0, :2], [0.5, 0.5], 0.2)


@pytest.mark.parametrize("method", [Anchors(), sampled()])
def test_a_constant_model_is_held_by_nothing(method: Anchors) -> None:
    found = attribute(lambda x: torch.stack([0 * x[:, 0], 1 + 0 * x[:, 0]], 1), table(), method)
    assert found.rules == ("nothing",) * 6
    assert not found.values.any()
    assert found.measured["precision"].tolist() == found.measured["coverage"].tolist() == [1.0] * 6
    assert found.error.bound.tolist() == [0.0] * 6
    assert found.error.reached.all()


def test_the_search_finds_what_asking_every_rule_finds() -> None:
    for model in (both, most):
        found = attribute(model, torch.ones(1, 20, dtype=torch.float64), Anchors(seed=3))
        exact = attribute(model, ONES, Anchors())
        assert len(kept(found)) == exact.measured["size"]
        assert set(kept(found)) <= ({0, 2} if model is both else set(range(5)))
        tight(found.values.sum(), exact.values.sum(), float(found.error.bound))
        assert bool(found.error.reached)


# --- every rule ---


@pytest.mark.parametrize("wanted", [0.6, 0.8, 0.95, 1.0])
def test_few_features_are_the_shortest_rule_over_every_mask(wanted: float) -> None:
    x, baseline = numbers(6, 5), numbers(1, 5, seed=8)
    found = attribute(mixed, x, Anchors(precision=wanted, background=Constant({"input": baseline})))
    said = mixed(x).argmax(1).tolist()
    for k in range(6):

        def same(row: np.ndarray, k: int = k) -> bool:
            return int(mixed(torch.from_numpy(row[None])).argmax()) == said[k]

        def precision(rule: Any, k: int = k, same: Any = same) -> float:
            return precision_by_coins(same, x[k].numpy(), baseline[0].numpy(), rule)

        rule, expected = set(kept(found, k)), shortest(precision, 5, wanted)
        assert len(rule) == len(expected)
        assert precision(rule) == pytest.approx(precision(expected), abs=1e-12)
        assert float(found.measured["precision"][k]) == pytest.approx(precision(rule), abs=1e-12)
        assert float(found.measured["keeping nothing"][k]) == pytest.approx(precision([]), abs=1e-12)
        for feature in range(5):
            lost = precision(rule) - precision(rule - {feature})
            assert float(found.values[k, feature]) == pytest.approx(lost, abs=1e-12)


@pytest.mark.parametrize("bins", [4, 7, None])
def test_few_features_over_rows_are_the_rule_that_covers_most(bins: int | None) -> None:
    x, rows = numbers(5, 4), numbers(40, 4, seed=8)
    rows[:, 1] = rows[:, 1].round()
    x[:, 1] = rows[:5, 1]

    def model(x: Tensor) -> Tensor:
        return x[:, 0] + 2 * x[:, 1] - x[:, 2] * x[:, 3]

    found = attribute(model, x, Anchors(background=Rows(rows), bins=bins, precision=0.75, widen=False))
    for k in range(5):
        own = bool(model(x[k : k + 1]) > 0)

        def same(row: np.ndarray, own: bool = own) -> bool:
            return bool(model(torch.from_numpy(row[None])) > 0) == own

        known = {
            rule: precision_by_rows(same, x[k].numpy(), rows.numpy(), rule, bins)
            for rule in ([j for j in range(4) if number >> j & 1] for number in range(16))
            for rule in [tuple(rule)]
        }
        wanted = min(0.75, *[max(known.values())])
        size = min(len(rule) for rule, share in known.items() if share >= wanted)
        covered = {r: coverage_by_rows(x[k].numpy(), rows.numpy(), r, bins) for r in known if len(r) == size}
        widest = max(covered[r] for r in covered if known[r] >= wanted)
        assert float(found.measured["size"][k]) == size
        assert float(found.measured["coverage"][k]) == pytest.approx(widest, abs=1e-12)
        share = float(found.measured["precision"][k])
        assert any(known[r] == pytest.approx(share) and covered[r] == pytest.approx(widest) for r in covered)
        assert bool(found.error.reached[k]) == (max(known.values()) >= 0.75)


def test_of_rules_of_one_size_the_widest_and_then_the_most_precise_is_taken() -> None:
    weights = torch.tensor([1.0, 3, 1, 1], dtype=torch.float64)
    found = attribute(lambda x: x @ weights - 2.5, ONES[:, :4], Anchors(precision=0.6))
    assert found.rules == ("[1] = 1",)  # the first alone would hold 5 times in 8
    rows = torch.zeros(10, 3, dtype=torch.float64)
    rows[:2, 0] = 1
    rows[5:, 2] = 1
    for bins in (4, None):
        found = attribute(either, ONES[:, :3], Anchors(background=Rows(rows), bins=bins, precision=0.9))
        assert found.rules[0].startswith("[2]")
        tight(found.measured["coverage"], [0.5])


# --- what draws give ---


def unsure(x: Tensor) -> Tensor:
    """Seven of twelve coins and a column that counts for three: no short rule is sure."""
    return x.sum(1) + 2 * x[:, 0] - 6.5


def test_intervals_hold_the_true_precision() -> None:
    """Of 90 searches over 12 features; of each rule that is found every mask is asked."""
    x = torch.ones(1, 12, dtype=torch.float64)
    inside, within, values = [], [], []
    for seed in range(90):
        found = attribute(unsure, x, sampled(seed=seed, precision=0.8, budget=3000))
        rule = torch.zeros(12, dtype=torch.bool)
        rule[kept(found)] = True
        low, high = found.measured["precision at 95%"][0].tolist()
        inside.append(low <= _precision(rule) <= high)
        lost = torch.stack([_precision(rule) - _precision(rule & (torch.arange(12) != k)) for k in range(12)])
        off = (found.values[0] - lost * rule).abs()
        within.append(float(off.sum()) <= float(found.error.bound))
        values += (off[rule] <= 1.96 * found.standard_error["input"][0][rule]).tolist()
    assert np.mean(inside) >= 0.93
    assert np.mean(within) >= 0.92
    assert 0.9 < np.mean(values) < 0.985


def _precision(rule: Tensor) -> Tensor:
    coins = (torch.arange(2**12)[:, None] >> torch.arange(12)) % 2 == 1
    return (unsure((coins | rule).double()) > 0).double().mean()


def test_values_are_what_the_rule_loses_also_where_some_answers_get_better() -> None:
    """Without a feature some copies fail that held, and some hold that failed."""
    x, zeros = numbers(12, 5, seed=4), np.zeros(5)
    found = attribute(mixed, x, sampled(precision=0.7))
    said = mixed(x).argmax(1).tolist()
    off, bound = [], []
    for k in range(12):

        def same(row: np.ndarray, k: int = k) -> bool:
            return int(mixed(torch.from_numpy(row[None])).argmax()) == said[k]

        rule = set(kept(found, k))
        whole = precision_by_coins(same, x[k].numpy(), zeros, rule)
        lost = [whole - precision_by_coins(same, x[k].numpy(), zeros, rule - {j}) for j in range(5)]
        off.append(float((found.values[k] - torch.tensor(lost)).abs().sum()))
        bound.append(float(found.error.bound[k]))
    assert all(each <= 1.3 * most for each, most in zip(off, bound, strict=True))


def test_a_rule_that_is_accepted_is_precise_enough() -> None:
    x = torch.ones(1, 12, dtype=torch.float64)
    for seed in range(8):
        found = attribute(unsure, x, sampled(seed=seed, precision=0.9))
        rule = torch.zeros(12, dtype=torch.bool)
        rule[kept(found)] = True
        assert bool(found.error.reached)
        assert float(_precision(rule)) > 0.9


def test_a_budget_that_ends_is_said_and_kept() -> None:
    x = torch.ones(2, 40, dtype=torch.float64)

    def most_of_all(x: Tensor) -> Tensor:
        return x.sum(1) - 30

    asked = []

    def counted(x: Tensor) -> Tensor:
        asked.append(len(x))
        return most_of_all(x)

    found = attribute(counted, x, Anchors(budget=2000))
    assert not found.error.reached.any()
    assert bool((found.measured["precision at 95%"][:, 0] < 0.95).all())
    assert bool((found.evaluations <= 2000).all())
    assert int(found.evaluations.sum()) == sum(asked) - 2  # and two to see whether company matters
    assert "it is not sure that the rule's precision is 0.95 or more" in str(found)


def test_more_rows_than_draws_are_sampled_and_fewer_are_all_asked() -> None:
    def model(x: Tensor) -> Tensor:
        return x[:, 0] + 0.3 * x[:, 1] - 0.2

    x = torch.tensor([[1.2, 0.5, 0.1]], dtype=torch.float64)
    few, many = (attribute(model, x, sampled(background=Rows(numbers(n, 3, seed=5)))) for n in (60, 20_000))
    assert few.error.bound.tolist() == [0.0]
    low, high = few.measured["precision at 95%"][0].tolist()
    assert low == high
    low, high = many.measured["precision at 95%"][0].tolist()
    assert low < high
    for found in (few, many):
        assert "[0] > 0." in found.rules[0]
        assert found.error.reached.all()


def test_clopper_pearson() -> None:
    low, high = between(torch.tensor([0.0, 10, 95]).double(), torch.tensor([10.0, 10, 100]).double())
    tight(low, [0, 0.6915029, 0.8871651], 1e-6)
    tight(high, [0.3084971, 1, 0.9835681], 1e-6)


# --- what counts as the same answer ---


def test_a_class_that_is_not_predicted_is_held_off() -> None:
    """Class 2 of three is not predicted for the example: what matters is that it stays so."""
    x = torch.tensor([[2.0, 1.0, 0.0]], dtype=torch.float64)

    def model(x: Tensor) -> Tensor:
        return torch.stack([x[:, 0], x[:, 1], 0.5 + 0 * x[:, 0]], 1)

    predicted, other = (attribute(model, x, Anchors(), target) for target in (Logit(0), Logit(2)))
    assert predicted.rules == ("[0] = 2",)
    assert other.measured["keeping nothing"].tolist() == [0.75]
    assert other.rules == ("[0] = 2",)
    versus = attribute(model, x, Anchors(), Difference(Logit(1), Logit(2)))
    assert versus.rules == ("[1] = 1",)


def test_probability_and_logit_have_one_answer() -> None:
    estimator, x = case("logistic").model, table()
    one, other = (attribute(estimator, x, Anchors(), target) for target in (Logit(1), Probability(1)))
    assert one.rules == other.rules
    assert any(rule != "nothing" for rule in one.rules)
    assert torch.equal(one.values, other.values)


def test_numbers_are_held_within_what_is_asked() -> None:
    x = torch.tensor([[10.0, 3.0, 0.5]], dtype=torch.float64)
    ridge = Ridge().fit(numbers(30, 3).numpy(), np.zeros(30))
    with pytest.raises(UnsupportedError, match=r"this model answers with a number: .*Anchors\(within=0.5\)"):
        attribute(ridge, x, Anchors())
    attribute(ridge, x, Anchors(within=1.0))
    for within, size in ((0.4, 3), (1.0, 2), (4.0, 1), (20.0, 0)):
        assert attribute(lambda x: x.sum(1), x, Anchors(within=within)).measured["size"].tolist() == [size]


def test_outputs_with_more_axes_need_to_be_told_how_far_they_may_go() -> None:
    x = torch.ones(1, 3, dtype=torch.float64)
    with pytest.raises(UnsupportedError, match=r"Entry\(0, 1\) names none: say how far"):
        attribute(lambda x: torch.stack([x, -x], 1), x, Anchors(), Entry(0, 1))
    found = attribute(lambda x: torch.stack([x, -x], 1), x, Anchors(within=0.5), Entry(0, 1))
    assert found.rules == ("[1] = 1",)


def test_copies_that_the_model_cannot_answer_are_refused() -> None:
    with pytest.raises(InputError, match="without some of its features is NaN or infinite"):
        attribute(lambda x: 1 / x[:, 0], ONES, Anchors())


@pytest.mark.parametrize("method", [Anchors(), sampled(budget=2000)])
def test_several_targets_are_what_each_is_alone(method: Anchors) -> None:
    x, targets = numbers(4, 5), [Logit(0), Logit([2, 1, 0, 1]), Difference(Logit(1), Logit(2))]
    for found, target in zip(attribute(mixed, x, method, targets), targets, strict=True):
        alone = attribute(mixed, x, method, target)
        assert found.rules == alone.rules
        assert torch.equal(found.values, alone.values)
        assert torch.equal(found.evaluations, alone.evaluations)


# --- features and words ---


def test_groups_go_together_and_are_named() -> None:
    by = Grouped(group=torch.tensor([0, 0, 1, 1, 2, 2, 2, -1]), names=("left", "middle", "right"))
    found = attribute(both, ONES, Anchors(by=by))
    assert found.rules == ("left, middle",)
    tight(found.parts["groups"], [0.5, 0.5, 0])
    assert found.ranked(0, 2) == [("left", 0.5), ("middle", 0.5)]
    rows = Rows(torch.cat([ONES, 0 * ONES, 0.7 * ONES]))
    over_rows = attribute(both, ONES, Anchors(by=by, background=rows))
    tight(over_rows.measured["coverage"], [1 / 3])  # only the row of ones has them as they are
    tight(over_rows.measured["precision"], [1.0])


def test_columns_are_called_by_their_names() -> None:
    data = frame(60, seed=5)
    data["e"] = (data["e"] > 0).astype(float)
    estimator = LogisticRegression().fit(data, data["e"] + data["a"] > 0.5)
    found = attribute(estimator, data.iloc[:4], Anchors(background=Rows(data.to_numpy().copy())))
    assert any("e = " in rule for rule in found.rules)
    assert any("a > " in rule or "a ≤ " in rule for rule in found.rules)
    as_it_is = attribute(estimator, data.iloc[:4], Anchors())
    words = " ".join(as_it_is.rules)
    assert f"a = {data['a'][0]:.4g}" in words or "e = 1" in words


def test_rows_of_graphs_and_bags_are_called_by_their_part() -> None:
    for name, inputs, word in (("mpnn", graphs(), ("nodes ", "edges ")), ("bag-mlp", sparse(), ("words ",))):
        found = attribute(case(name).model, inputs, Anchors(within=0.01))
        said = [words for words in found.rules if words != "nothing"]
        assert said
        assert all(words.startswith(word) for words in said)


def test_a_long_rule_is_cut() -> None:
    found = attribute(lambda x: x.prod(1) - 0.5, torch.ones(1, 11, dtype=torch.float64), Anchors())
    assert found.rules[0].endswith("[7] = 1, and 3 more")


def test_the_rule_is_shown_and_saved(tmp_path: Any) -> None:
    found = attribute(both, torch.cat([ONES, 0 * ONES]), Anchors(), batch_size=1)
    assert found.rules == ("[0] = 1, [2] = 1", "nothing")
    found.save(tmp_path / "found.safetensors")
    again = Attribution.load(tmp_path / "found.safetensors")
    assert again.rules == found.rules
    assert again.measured.keys() == found.measured.keys()
    for shown in (str(found), found._repr_html_(), str(attribute(both, ONES, Anchors()))):
        assert "keeps" in shown
        assert "[0] = 1, [2] = 1" in shown


@pytest.mark.parametrize(
    "wrong",
    [{"precision": 1.5}, {"confidence": 1.0}, {"within": -1.0}, {"bins": 1}, {"beam": 0}, {"budget": 3}],
)
def test_impossible_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"^{next(iter(wrong))} is {next(iter(wrong.values()))}, expected"):
        Anchors(**wrong)


def test_batches_of_other_sizes_change_nothing_over_rows() -> None:
    x, rows = numbers(6, FEATURES), Rows(numbers(300, FEATURES, seed=3))
    method = sampled(background=rows, budget=1000)
    whole = attribute(mixed, x, method)
    for size in (3, 4):
        found = attribute(mixed, x, method, batch_size=size)
        assert found.rules == whole.rules
        assert torch.equal(found.values, whole.values)
    alone = attribute(mixed, Tensors(x[3:4]), method)
    assert alone.rules == whole.rules[3:4]
