"""Pruned trees: planted trees come back, noise leaves none, and the rules say what the tree says."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import t

from attar import InputError
from attar.design.conditions import Condition, merged
from attar.design.pruned_tree import LeafRule, PrunedTreeClassifier, PrunedTreeRegressor
from attar.design.shares import wilson
from attar.design.tree import decision_tree


def planted(rows: int = 400, noise: float = 0.3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """10 where the first column is above 0.5, else 5 or 0 as the second is above 0.3 or not; a third says nothing."""
    generator = np.random.default_rng(seed)
    x = generator.uniform(size=(rows, 3))
    y = np.where(x[:, 0] > 0.5, 10.0, np.where(x[:, 1] > 0.3, 5.0, 0.0))
    return x, y + noise * generator.standard_normal(rows)


def met(x: np.ndarray, rule: LeafRule) -> np.ndarray:
    every = [(x[:, c.column] > c.low) & (x[:, c.column] <= c.high) for c in rule.conditions]
    return np.logical_and.reduce(every) if every else np.ones(len(x), dtype=bool)


def test_a_planted_tree_comes_back() -> None:
    x, y = planted()
    model = PrunedTreeRegressor().fit(x, y)
    rules = model.rules()
    assert len(rules) == 3
    assert [rule.estimate for rule in rules] == pytest.approx([10, 5, 0], abs=0.15)
    assert [rule.cost for rule in rules] == [1, 2, 2]
    assert rules[0].conditions[0].low == pytest.approx(0.5, abs=0.02)
    assert all(rule.low < truth < rule.high for rule, truth in zip(rules, (10, 5, 0), strict=True))
    classes = PrunedTreeClassifier().fit(x, np.where(y > 7, "high", "low"))
    assert [rule.prediction for rule in classes.rules()] in (["high", "low"], ["low", "high"])


def test_labels_without_a_pattern_leave_one_rule() -> None:
    """As a tree that is not pruned does not."""
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((200, 5)), generator.standard_normal(200)
    model = PrunedTreeRegressor().fit(x, y)
    (rule,) = model.rules()
    assert decision_tree("regression").fit(x, y).get_n_leaves() > 25
    assert rule.estimate == pytest.approx(y.mean())
    half = t.ppf(0.975, 199) * y.std(ddof=1) / np.sqrt(200)
    assert (rule.low, rule.high) == pytest.approx((y.mean() - half, y.mean() + half))
    assert str(rule).startswith("always: ")
    assert "No question upheld itself in cross-validation" in model.reading()


@pytest.mark.parametrize("model", [PrunedTreeRegressor(folds=3), PrunedTreeClassifier(folds=3)])
def test_rules_are_the_tree(model: Any) -> None:
    """Exactly one holds for each row, and says what the tree does."""
    x, y = planted(noise=2.0)
    x = x.astype(np.float32).astype(float)  # as the tree compares
    classes = isinstance(model, PrunedTreeClassifier)
    model.fit(x, np.digitize(y, [3, 7]) if classes else y)
    rules = model.rules()
    held = np.stack([met(x, rule) for rule in rules])
    assert (held.sum(0) == 1).all()
    assert held.sum(1).tolist() == [rule.n for rule in rules]
    said = np.array([rules[k].prediction for k in held.argmax(0)])
    np.testing.assert_allclose(said, model.predict(x))
    for rule, rows in zip(rules, held, strict=True):
        assert len({condition.column for condition in rule.conditions}) == rule.cost
        if classes:
            right = (np.digitize(y[rows], [3, 7]) == rule.prediction).sum()
            assert rule.estimate == pytest.approx(right / rule.n)
            assert (rule.low, rule.high) == pytest.approx(wilson(float(right), rule.n))
        else:
            assert rule.estimate == pytest.approx(y[rows].mean())


def test_one_standard_error_keeps_noise_out() -> None:
    """The tree of least held-out error grows on noise more often than not."""
    generator = np.random.default_rng(2)
    leaves = []
    for _ in range(10):
        x, y = generator.standard_normal((100, 3)), generator.standard_normal(100)
        leaves.append(len(PrunedTreeRegressor(folds=5, leaves=8).fit(x, y).rules()))
    assert leaves.count(1) >= 9


def test_no_leaf_is_smaller_than_asked() -> None:
    x = np.arange(60.0)[:, None]
    assert {rule.n for rule in PrunedTreeRegressor(at_least=15).fit(x, x[:, 0] ** 3).rules()} <= set(range(15, 31))
    assert min(rule.n for rule in PrunedTreeRegressor(at_least=1).fit(x, x[:, 0] ** 3).rules()) < 5


def test_conditions_on_one_column_become_one() -> None:
    x = [
        Condition(0, "x", low=1.0),
        Condition(1, "y", high=3.0),
        Condition(0, "x", low=2.0),
        Condition(0, "x", high=5.0),
    ]
    assert [str(each) for each in merged(x)] == ["2 < x ≤ 5", "y ≤ 3"]
    assert [str(each) for each in merged([Condition(0, "x", low=1.0), Condition(0, "x", low=2.0)])] == ["x > 2"]
    assert str(Condition(0, "x", low=16.795)) == "x > 16.795"


def test_a_weight_of_two_is_a_row_twice() -> None:
    x, y = planted(120, noise=3.0)
    weight = np.random.default_rng(1).integers(0, 4, 120)
    one = PrunedTreeRegressor(at_least=8).fit(x, y, weight)
    other = PrunedTreeRegressor(at_least=8).fit(x.repeat(weight, 0), y.repeat(weight))
    assert one.reading() == other.reading()


def test_a_reading_in_full() -> None:
    x = np.column_stack([np.tile([20.0, 40.0], 60), np.arange(120) % 7])
    model = PrunedTreeClassifier().fit(x, np.where(x[:, 0] > 30, "yes", "no"))
    assert model.reading(names=["age", "day"], units={"age": "years"}) == (
        "2 rules; exactly one of them holds for any row:\n"
        "  if age > 30 years: 'yes', 100% of 60 (95%: 94% to 100%)\n"
        "  if age ≤ 30 years: 'no', 100% of 60 (95%: 94% to 100%)\n"
        "It looks at 1 column for a row on average, of: age.\n"
        "Shares and means are of the rows that the tree was learnt from: on new rows they are a little worse.\n"
        "What it cannot tell: whether a column causes anything; which of two columns alike it should have asked (it "
        "asks one); small effects, and effects of all columns a little, which a tree leaves out."
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"leaves": 1}, "leaves is 1, expected at least 2"),
        ({"at_least": 0}, "at_least is 0, expected at least 1"),
        ({"folds": 1}, "folds is 1, expected at least 2"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        PrunedTreeRegressor(**options).fit(*planted(30))
