"""Decision trees that are pruned to what cross-validation upholds, and that say their rules."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from jaxtyping import Float, Int
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.validation import check_is_fitted

from attar.core.errors import InputError
from attar.design import labelled
from attar.design.alike import alike
from attar.design.conditions import Condition, merged
from attar.design.folds import folds
from attar.design.shares import of_mean, wilson
from attar.design.wording import Wording, from_to, percent, short


@dataclass(frozen=True)
class LeafRule:
    """A leaf as a rule: where all `conditions` hold the tree says `prediction`.

    `n` is the weight of the training rows there; `estimate` the share of the predicted class among them, or their mean,
    with its 95% interval (Wilson; Student's t, unbounded for a single row). `cost` is how many columns have to be
    looked at. The rows are those that the tree was learnt from: on others shares and means are a little worse than they
    look.
    """

    conditions: tuple[Condition, ...]
    prediction: Any
    n: float
    estimate: float
    low: float
    high: float
    of_class: bool

    @property
    def cost(self) -> int:
        return len(self.conditions)

    def __str__(self) -> str:
        where = "if " + " and ".join(map(str, self.conditions)) if self.conditions else "always"
        if self.of_class:
            around = f"{percent(self.low)} to {percent(self.high)}"
            return f"{where}: {self.prediction!r}, {percent(self.estimate)} of {short(self.n)} (95%: {around})"
        return f"{where}: {short(self.estimate)}, mean of {short(self.n)} (95%: {from_to(self.low, self.high)})"


class _PrunedTree(BaseEstimator, ABC):
    """What the tree of classes and the tree of numbers share."""

    _of_classes: ClassVar[bool]
    tree_: Any
    n_features_in_: int

    def __init__(self, *, leaves: int = 32, at_least: int = 5, folds: int = 10, random_state: int | None = 0) -> None:
        self.leaves = leaves
        self.at_least = at_least
        self.folds = folds
        self.random_state = random_state

    @abstractmethod
    def _tree(self, weight: Float[np.ndarray, " rows"], penalty: float) -> Any:
        """scikit-learn's tree for rows of this weight."""

    @abstractmethod
    def _losses(self, y: np.ndarray, predicted: np.ndarray) -> Float[np.ndarray, " rows"]: ...

    @abstractmethod
    def _rule(self, node: int, conditions: tuple[Condition, ...]) -> LeafRule:
        """What a leaf says."""

    def apply(self, X: Any) -> Int[np.ndarray, " rows"]:
        """The leaf of each row: a node of `tree_`."""
        table = self._checked(X)
        return self.tree_.apply(table)

    def rules(self, names: Sequence[str] | None = None, units: Mapping[str, str] | None = None) -> tuple[LeafRule, ...]:
        """One rule for each leaf, the one of most rows first: they are exhaustive and exclude each other."""
        check_is_fitted(self)
        words = Wording.of(self, names, units)
        tree, found = self.tree_, []
        waiting: list[tuple[int, tuple[Condition, ...]]] = [(0, ())]
        while waiting:
            node, path = waiting.pop()
            if tree.children_left[node] < 0:
                found.append(self._rule(node, merged(path)))
                continue
            column, end = int(tree.feature[node]), float(tree.threshold[node])
            name = words.name(column)
            at = Condition(column, name, unit=words.units.get(name, ""))
            sides = {
                int(tree.children_left[node]): Condition(at.column, at.name, high=end, unit=at.unit),
                int(tree.children_right[node]): Condition(at.column, at.name, low=end, unit=at.unit),
            }
            waiting += [(child, (*path, condition)) for child, condition in sides.items()]
        return tuple(sorted(found, key=lambda rule: (-rule.n, str(rule))))

    def reading(self, names: Sequence[str] | None = None, units: Mapping[str, str] | None = None) -> str:
        """The rules, what they cost, and what the tree cannot tell."""
        rules = self.rules(names, units)
        words = Wording.of(self, names, units)
        asked = sorted({condition.column for rule in rules for condition in rule.conditions})
        mean = sum(rule.n * rule.cost for rule in rules) / sum(rule.n for rule in rules)
        lines = [f"{len(rules)} rules; exactly one of them holds for any row:" if len(rules) > 1 else "One rule:"]
        lines += [f"  {rule}" for rule in rules]
        if asked:
            named = ", ".join(words.name(k) for k in asked)
            looked = f"{short(mean)} column{'' if short(mean) == '1' else 's'}"
            lines.append(f"It looks at {looked} for a row on average, of: {named}.")
        else:
            lines.append("No question upheld itself in cross-validation: the columns say nothing that a tree can use.")
        lines.append(
            "Shares and means are of the rows that the tree was learnt from: on new rows they are a little worse."
        )
        lines += self.alike_.sentences(words.name)
        lines.append(
            "What it cannot tell: whether a column causes anything; which of two columns alike it should have asked "
            "(it asks one); small effects, and effects of all columns a little, which a tree leaves out."
        )
        return "\n".join(lines)

    def _learnt(self, X: np.ndarray, y: np.ndarray, weight: Float[np.ndarray, " rows"]) -> Any:
        """The pruned tree. `penalty_` is the cost of a leaf that was chosen, in units of impurity."""
        for good, said in (
            (self.leaves >= 2, f"leaves is {self.leaves}, expected at least 2"),
            (self.at_least >= 1, f"at_least is {self.at_least}, expected at least 1"),
            (self.folds >= 2, f"folds is {self.folds}, expected at least 2"),
        ):
            if not good:
                raise InputError(said)
        self.penalty_ = self._chosen(X, y, weight)
        self.alike_ = alike(X, weight)
        return self._tree(weight, self.penalty_).fit(X, y, weight)

    def _chosen(self, X: np.ndarray, y: np.ndarray, weight: Float[np.ndarray, " rows"]) -> float:
        """The largest penalty whose held-out loss is at most one standard error above the least.

        Source: Breiman, Friedman, Olshen & Stone 1984, sections 3.4.1 and 3.4.3.
        """
        path = self._tree(weight, 0.0).cost_complexity_pruning_path(X, y, weight)
        steps = np.unique(np.clip(path.ccp_alphas, 0, None).round(12))
        tried = np.append(np.sqrt(steps[:-1] * steps[1:]), steps[-1] + 1e-12)
        fold = folds(X, y, self.folds, stratified=self._of_classes, seed=self.random_state or 0)
        losses, held = np.zeros((len(X), len(tried))), np.zeros(len(X), dtype=bool)
        for k in range(self.folds):
            out, rest = fold == k, fold != k
            if not out.any() or not rest.any():
                continue
            held |= out
            for place, penalty in enumerate(tried):
                tree = self._tree(weight[rest], penalty).fit(X[rest], y[rest], weight[rest])
                losses[out, place] = self._losses(y[out], tree.predict(X[out]))
        if not held.any():
            return float(tried[0])
        mine, losses = weight[held], losses[held]
        mean = mine @ losses / mine.sum()
        best = int(np.flatnonzero(mean <= mean.min() + 1e-9 * abs(mean.min()))[-1])
        error = np.sqrt(mine @ (losses[:, best] - mean[best]) ** 2) / mine.sum()
        return float(tried[np.flatnonzero(mean <= mean[best] + error + 1e-9 * abs(mean[best]))[-1]])

    def _options(self, weight: Float[np.ndarray, " rows"], penalty: float) -> dict[str, Any]:
        """A leaf's least size is of weight, not of rows: a weight of two is a row twice."""
        return {
            "max_leaf_nodes": self.leaves,
            "min_weight_fraction_leaf": min(0.5, (self.at_least - 0.5) / weight.sum()),
            "ccp_alpha": penalty,
            "random_state": self.random_state,
        }

    def _checked(self, X: Any) -> np.ndarray:
        """In single precision, as the tree compares."""
        return labelled.asked_about(self, X).astype(np.float32)


class PrunedTreeClassifier(ClassifierMixin, _PrunedTree):
    """A decision tree of classes, as small as cross-validation allows, that says its rules.

    scikit-learn's tree of at most `leaves` leaves with a weight of at least `at_least` in each, pruned by its cost and
    complexity: to the smallest tree whose held-out error (in `folds` parts) is within one standard error of the least.
    `rules` lists its leaves, `reading` says them, and `TreePaths` attributes them exactly.
    Misleads where columns are correlated (it asks one of them and is silent on the others), and near a threshold, which
    another sample of the rows would put elsewhere.
    Raises `InputError` for options that cannot be and a single class. Source: Breiman, Friedman, Olshen & Stone 1984.
    """

    _of_classes = True

    def fit(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:
        X, y = labelled.learnt_from(self, X, y, numbers=False)
        weight = labelled.weights(X, sample_weight)
        kept = weight > 0
        place, self.classes_ = labelled.of_classes(y[kept])
        self.tree_ = self._learnt(X[kept], place, weight[kept]).tree_
        return self

    def predict_proba(self, X: Any) -> Float[np.ndarray, "rows classes"]:
        table = self._checked(X)
        share = self.tree_.predict(table)
        return share / share.sum(1, keepdims=True)

    def predict(self, X: Any) -> np.ndarray:
        place = self.predict_proba(X).argmax(1)
        return self.classes_[place]

    def _tree(self, weight: Float[np.ndarray, " rows"], penalty: float) -> DecisionTreeClassifier:
        return DecisionTreeClassifier(**self._options(weight, penalty))

    def _losses(self, y: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        return (y != predicted).astype(float)

    def _rule(self, node: int, conditions: tuple[Condition, ...]) -> LeafRule:
        n = float(self.tree_.weighted_n_node_samples[node])
        share = self.tree_.value[node, 0] / self.tree_.value[node, 0].sum()
        best = int(share.argmax())
        low, high = wilson(float(share[best]) * n, n)
        return LeafRule(conditions, labelled.plain(self.classes_[best]), n, float(share[best]), low, high, True)


class PrunedTreeRegressor(RegressorMixin, _PrunedTree):
    """A decision tree of numbers, as small as cross-validation allows, that says its rules.

    As `PrunedTreeClassifier`, with squared errors; a rule's estimate is the mean of its training rows.
    """

    _of_classes = False

    def fit(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:
        X, y = labelled.learnt_from(self, X, y, numbers=True)
        weight = labelled.weights(X, sample_weight)
        kept = weight > 0
        self.tree_ = self._learnt(X[kept], y[kept].astype(float), weight[kept]).tree_
        return self

    def predict(self, X: Any) -> np.ndarray:
        table = self._checked(X)
        return self.tree_.predict(table)[:, 0]

    def _tree(self, weight: Float[np.ndarray, " rows"], penalty: float) -> DecisionTreeRegressor:
        return DecisionTreeRegressor(**self._options(weight, penalty))

    def _losses(self, y: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        return (y - predicted) ** 2

    def _rule(self, node: int, conditions: tuple[Condition, ...]) -> LeafRule:
        n, mean = float(self.tree_.weighted_n_node_samples[node]), float(self.tree_.value[node, 0, 0])
        low, high = of_mean(mean, float(self.tree_.impurity[node]), n)
        return LeafRule(conditions, mean, n, mean, low, high, False)
