"""Rule lists: if this, then that; else if …: a model that is read from the top down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from jaxtyping import Float, Int
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from attar.core.errors import InputError
from attar.design import labelled
from attar.design.alike import alike
from attar.design.conditions import Condition
from attar.design.folds import folds
from attar.design.frames import as_numbers, levels_of
from attar.design.rule_candidates import candidates, holds, single_conditions
from attar.design.rule_search import best_list
from attar.design.shares import wilson
from attar.design.wording import Wording, percent, short


@dataclass(frozen=True)
class ListedRule:
    """One line of the list: where all `conditions` hold and no line before did, the answer is `prediction`.

    `n` is the weight of the held-out rows that came here, `share` those of them that are of the predicted class, with
    its 95% interval (Wilson). They had no part in choosing the rule; nan where none came.
    """

    conditions: tuple[Condition, ...]
    prediction: Any
    n: float
    share: float
    low: float
    high: float

    def __str__(self) -> str:
        where = "if " + " and ".join(map(str, self.conditions)) if self.conditions else "otherwise"
        if not self.n:
            return f"{where}: {self.prediction!r} (no held-out row came here)"
        around = f"{percent(self.low)} to {percent(self.high)}"
        rows = f"{short(self.n)} held-out row{'' if self.n == 1 else 's'}"
        return f"{where}: {self.prediction!r}, {percent(self.share)} of {rows} (95%: {around})"


class RuleListClassifier(ClassifierMixin, BaseEstimator):
    """An ordered list of at most `most` rules of at most `conditions` conditions: the first that holds answers.

    Among `candidates` rules over columns cut at `bins` quantiles (words, categories and numbers of at most `levels`
    different values: one level each) the list of least error plus `price` per rule is found by branch and bound, on all
    rows but the share `held_out`, on which each rule is then measured. `certificate_` says whether it is proved the
    best list there is, or how much better another could be: the search looks at `nodes` lists, and not at the clock.
    `rules_` are the lines, the last without conditions. Of two classes or more; numbers as labels are not learnt (take
    a `PrunedTreeRegressor`).

    `TreePaths` attributes it exactly: every condition that is asked changes which rows are left, and so the log-odds
    among them (half a row of each class added, as for a tree); the change is its column's.
    Misleads where a line is read without those before it: it is about the rows that they left. The proof is about the
    rows that it was learnt from and these candidates; another sample may have another best list, almost as good.
    Raises `InputError` for options that cannot be, gaps, and a single class.
    Source: Rivest 1987, doi:10.1023/A:1022607331053 (decision lists); Angelino et al. 2018, jmlr.org/papers/v18/17-716.
    """

    def __init__(
        self,
        *,
        most: int = 4,
        conditions: int = 2,
        bins: int = 4,
        levels: int = 5,
        price: float = 0.01,
        candidates: int = 200,
        held_out: float = 0.25,
        nodes: int = 3000,
        random_state: int | None = 0,
    ) -> None:
        self.most = most
        self.conditions = conditions
        self.bins = bins
        self.levels = levels
        self.price = price
        self.candidates = candidates
        self.held_out = held_out
        self.nodes = nodes
        self.random_state = random_state

    def fit(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:
        self._check_options()
        self.levels_ = levels_of(X)
        X, y = labelled.learnt_from(self, as_numbers(X, self.levels_), y, numbers=False)
        weight = labelled.weights(X, sample_weight)
        kept = weight > 0
        place, self.classes_ = labelled.of_classes(y[kept])
        X, weight = X[kept], weight[kept]
        apart = folds(X, place, round(1 / self.held_out), stratified=True, seed=self.random_state or 0) == 0
        of_class = weight[:, None] * np.eye(len(self.classes_))[place]
        names = tuple(str(n) for n in getattr(self, "feature_names_in_", [f"column {k}" for k in range(X.shape[1])]))
        mine, learnt = X[~apart], of_class[~apart]
        found = candidates(
            mine,
            learnt,
            single_conditions(mine, weight[~apart], names, self._categories(mine, names), bins=self.bins),
            conditions=self.conditions,
            most=self.candidates,
            at_least=self.price * learnt.sum(),
        )
        chosen, self.certificate_ = best_list(
            found.captures, learnt, most=self.most, price=self.price, nodes=self.nodes
        )
        self.conditions_ = tuple(found.rules[k] for k in chosen)
        self.candidates_ = len(found.rules)
        self.state_weights_ = self._populations(mine, learnt)
        self.rules_ = self._measured(X[apart], of_class[apart])
        self.alike_ = alike(X, weight)
        return self

    def rule_steps(self, X: Any) -> tuple[Int[np.ndarray, "rows steps"], tuple[int, ...]]:
        """The state of every row before the first condition of the list and after each, and the column that each asks.

        State 0 is every row. After a condition that holds a row is among those that met it as well, after one that
        fails among those that the rule left; it stays where it is once a rule has answered. `state_weights_` are the
        training rows of each class that pass through a state.
        """
        return self._steps(self._checked(X)), tuple(each.column for rule in self.conditions_ for each in rule)

    def predict_proba(self, X: Any) -> Float[np.ndarray, "rows classes"]:
        """The classes' shares among the training rows that ended where the row does, half a row of each added."""
        steps = self._steps(self._checked(X))
        weight = self.state_weights_[steps[:, -1]] + 0.5
        return weight / weight.sum(1, keepdims=True)

    def predict(self, X: Any) -> np.ndarray:
        """The class of the first rule that holds."""
        place = self.predict_proba(X).argmax(1)
        return self.classes_[place]

    def reading(self, names: Sequence[str] | None = None, units: Mapping[str, str] | None = None) -> str:
        """The list, line by line, how it does on rows that had no part in it, and what is proved."""
        check_is_fitted(self)
        words = Wording.of(self, names, units)
        lines = ["Read from the top; the first line that holds answers:"]
        for k, rule in enumerate(self.rules_):
            lines.append(
                f"  {k + 1}. {replace(rule, conditions=tuple(self._named(c, words) for c in rule.conditions))}"
            )
        n = sum(rule.n for rule in self.rules_)
        right = sum(rule.n * rule.share for rule in self.rules_ if rule.n)
        low, high = wilson(right, n)
        if n:
            lines.append(
                f"Right for {percent(right / n)} of {short(n)} rows that had no part in choosing the rules (95%: "
                f"{percent(low)} to {percent(high)})."
            )
        found = self.certificate_
        asked = f"{self.candidates_} candidate rules, at {short(self.price)} per rule"
        if found.optimal:
            lines.append(
                f"Proved: no list of at most {self.most} of {asked}, errs less on the rows it was learnt from."
            )
        else:
            lines.append(
                f"Not proved the best: another list of at most {self.most} of {asked}, could be better by up to "
                f"{short(found.objective - found.bound)} (the search ended after {found.nodes:,} lists)."
            )
        lines += self.alike_.sentences(words.name)
        lines.append(
            "What it cannot tell: whether a column causes anything; a line by itself, for it is about the rows that "
            "the lines before it left; small effects, which a short list leaves out."
        )
        return "\n".join(lines)

    def _check_options(self) -> None:
        for good, said in (
            (self.most >= 1, f"most is {self.most}, expected at least 1 rule"),
            (1 <= self.conditions <= 3, f"conditions is {self.conditions}, expected 1 to 3"),
            (self.bins >= 2, f"bins is {self.bins}, expected at least 2"),
            (0 < self.price < 1, f"price is {self.price}, expected a share of errors between 0 and 1"),
            (self.candidates >= 1, f"candidates is {self.candidates}, expected at least 1"),
            (0 < self.held_out <= 0.5, f"held_out is {self.held_out}, expected a share above 0, up to 0.5"),
            (self.nodes >= 1, f"nodes is {self.nodes}, expected at least 1"),
        ):
            if not good:
                raise InputError(said)

    def _checked(self, X: Any) -> Float[np.ndarray, "rows columns"]:
        check_is_fitted(self)
        return labelled.asked_about(self, as_numbers(X, self.levels_))

    def _categories(self, X: Float[np.ndarray, "rows columns"], names: Sequence[str]) -> dict[int, np.ndarray]:
        """The levels of the columns that are asked for a level."""
        found = {k: np.unique(column) for k, column in enumerate(X.T)}
        return {k: each for k, each in found.items() if names[k] in self.levels_ or 2 <= len(each) <= self.levels}

    def _steps(self, X: Float[np.ndarray, "rows columns"]) -> Int[np.ndarray, "rows steps"]:
        """States are numbered as they come up: after each condition that holds, then after the rule that failed."""
        state = np.zeros(len(X), dtype=int)
        going = np.ones(len(X), dtype=bool)  # no rule has answered yet
        steps, next_state = [state], 1
        for rule in self.conditions_:
            inside, failed = going.copy(), next_state + len(rule)
            for each in rule:
                met = holds(X, (each,))
                state = np.where(inside, np.where(met, next_state, failed), state)
                inside &= met
                next_state += 1
                steps.append(state)
            going &= ~inside
            next_state += 1
        return np.stack(steps, 1)

    def _populations(
        self, X: Float[np.ndarray, "rows columns"], of_class: Float[np.ndarray, "rows classes"]
    ) -> Float[np.ndarray, "states classes"]:
        steps = self._steps(X)
        count = 1 + sum(len(rule) + 1 for rule in self.conditions_)
        found = np.zeros((count, of_class.shape[1]))
        for state in range(count):
            found[state] = of_class[(steps == state).any(1)].sum(0)
        return found

    def _measured(
        self, X: Float[np.ndarray, "rows columns"], of_class: Float[np.ndarray, "rows classes"]
    ) -> tuple[ListedRule, ...]:
        last = self._steps(X)[:, -1]
        ends, state = [], 0
        for rule in self.conditions_:
            ends.append((rule, state + len(rule)))
            state += len(rule) + 1
        found = []
        for rule, end in [*ends, ((), state)]:
            held = of_class[last == end].sum(0)
            best, n = int(self.state_weights_[end].argmax()), float(held.sum())
            low, high = wilson(float(held[best]), n)
            share = float(held[best]) / n if n else np.nan
            found.append(ListedRule(self._worded(rule), labelled.plain(self.classes_[best]), n, share, low, high))
        return tuple(found)

    def _worded(self, rule: tuple[Condition, ...]) -> tuple[Condition, ...]:
        """With the levels' words in place of their codes."""
        return tuple(
            replace(each, levels=tuple(self.levels_[each.name][int(code)] for code in each.levels))
            if each.levels and each.name in self.levels_
            else each
            for each in rule
        )

    def _named(self, condition: Condition, words: Wording) -> Condition:
        name = words.name(condition.column)
        return replace(condition, name=name, unit=words.units.get(name, ""))
