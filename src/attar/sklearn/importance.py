"""scikit-learn's `permutation_importance`, from few calls of the model, with standard errors over rows and repeats."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from joblib import Parallel, delayed
from scipy.special import xlogy
from sklearn.base import ClassifierMixin, RegressorMixin, is_classifier, is_regressor
from sklearn.metrics import check_scoring, get_scorer
from sklearn.utils import Bunch, check_array, check_random_state, get_tags
from sklearn.utils.random import sample_without_replacement

from attar.core.errors import InputError
from attar.estimation.exchange import Exchanged

_NUMBERS = 2**18  # in one call of the model, but for one whole table, which always fits: more leaves the caches
_METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function")


def permutation_importance(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    scoring: Any = None,
    n_repeats: int = 5,
    n_jobs: int | None = None,
    random_state: Any = None,
    sample_weight: Any = None,
    max_samples: int | float = 1.0,
    resamples: int = 0,
) -> Any:
    """As `sklearn.inspection.permutation_importance`: the same permutations for the same `random_state`, the same
    scores to rounding, in few calls of the model; and `importances_se`, the standard error of `importances_mean` over
    samples of rows (`importances_std` is the spread over repeats, with these rows).

    The standard error is there for scores that are means over rows or R²: accuracy, log loss, Brier (two classes),
    squared and absolute errors, and the default score. For any other, `resamples` bootstrap samples of the rows give
    it, each scored once more for every column and repeat; without any it is not there. That one is rather too large
    than too small. Rows are taken as drawn independently. Raises as scikit-learn does, and `InputError` for options
    that cannot be.
    """
    if n_repeats < 1:
        raise InputError(f"n_repeats is {n_repeats}, expected 1 or more")
    X = X if hasattr(X, "iloc") else check_array(X, ensure_all_finite="allow-nan", dtype=None)  # type: ignore[arg-type]
    scorer = check_scoring(estimator, scoring=scoring)
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max + 1)
    whole = _score(scorer, estimator, X, y, sample_weight)
    rows = np.arange(X.shape[0])
    draw = np.random.RandomState(seed)  # each column has the same draws, as it has there
    if (count := _row_count(max_samples, len(rows))) < len(rows):
        rows = sample_without_replacement(len(rows), count, random_state=draw)
    X, y, weight = _taken(X, rows), _taken(y, rows), None if sample_weight is None else np.asarray(sample_weight)[rows]
    donors = _permutations(draw, len(rows), n_repeats)
    stacks = _stacks(X, donors)
    rowwise = _rowwise(scorer, estimator, y, weight)
    work = _Work(estimator, scorer, X, y, weight, donors, rowwise, resamples, seed)
    made = (
        Parallel(n_jobs=n_jobs, prefer="threads")(delayed(work)(stack) for stack in stacks)
        if n_jobs
        else map(work, stacks)
    )
    answered: dict[Any, Any] = {key: found for each in made for key, found in (each or {}).items()}
    keys = [[(column, repeat) for repeat in range(n_repeats)] for column in range(X.shape[1])]
    if not isinstance(whole, dict):
        return _bunch(whole, [[answered[key] for key in line] for line in keys], work)
    return {
        name: _bunch(
            score, [[tuple(each[name] for each in answered[key]) for key in line] for line in keys], work, name
        )
        for name, score in whole.items()
    }


@dataclass(frozen=True, eq=False)
class _Rowwise:
    """A score that is made of one number per row of `method`'s answers.

    Its value is `score(mean over rows)`; `of_ratio` says that the mean of losses stands over the labels' variance.
    """

    method: str
    losses: Callable[[np.ndarray], np.ndarray]  # of one or several tables' answers, one after another
    sign: float
    offset: float = 0.0
    around: Float[np.ndarray, " rows"] | None = None


@dataclass(frozen=True, eq=False)
class _Work:
    """What is done with one stack of permuted tables."""

    estimator: Any
    scorer: Any
    X: Any
    y: Any
    weight: np.ndarray | None
    donors: Int[np.ndarray, "repeats rows"]
    rowwise: _Rowwise | None
    resamples: int
    seed: int

    def __call__(self, stack: Sequence[tuple[int, int]]) -> dict[tuple[int, int], tuple[Any, Any]]:
        """For each (column, repeat) its score, and what the error is made of."""
        table = _permuted(self.X, self.donors, stack)
        rows = self.X.shape[0]
        if self.rowwise is not None:
            said = np.asarray(getattr(self.estimator, self.rowwise.method)(table))
            each = self.rowwise.losses(said).reshape(len(stack), rows)
            return {key: (self.score(loss), loss) for key, loss in zip(stack, each, strict=True)}
        told = _Told(self.estimator, table, rows)
        found = {}
        for place, key in enumerate(stack):
            mine = _taken(table, slice(place * rows, (place + 1) * rows))
            told.place, told.rows_asked = place, None
            score = _score(self.scorer, told, mine, self.y, self.weight)
            found[key] = (score, self.again(told, mine, score, self.donors[key[1]]))
        return found

    def score(self, loss: Float[np.ndarray, " rows"]) -> float:
        assert self.rowwise is not None  # noqa: S101 - ours
        mean = np.average(loss, weights=self.weight)
        if self.rowwise.around is not None:
            mean = mean / np.average(self.rowwise.around, weights=self.weight)
        return self.rowwise.offset + self.rowwise.sign * mean

    def again(self, told: "_Told", table: Any, score: Any, donor: Int[np.ndarray, " rows"] | None) -> Any:
        """The scores of resampled rows, the same rows for every column. A permuted row comes as often as the row and
        its donor together do, for both are drawn from the rows there could be."""
        scores = []
        draw = np.random.default_rng(self.seed)
        for _ in range(self.resamples):
            times = np.bincount(draw.integers(table.shape[0], size=table.shape[0]), minlength=table.shape[0])
            rows = np.repeat(np.arange(len(times)), times if donor is None else times * times[donor])
            told.rows_asked = rows
            weight = None if self.weight is None else self.weight[rows]
            scores.append(_score(self.scorer, told, _taken(table, rows), _taken(self.y, rows), weight))
        if isinstance(score, dict):
            return {name: np.array([each[name] for each in scores]) for name in score}
        return np.array(scores)


class _Told:
    """An estimator that has answered about a stack of tables already; what it was not asked there, it is asked
    itself."""

    def __init__(self, estimator: Any, stack: Any, rows: int) -> None:
        self.real, self.stack, self.rows = estimator, stack, rows
        self.place: int = 0
        self.rows_asked: np.ndarray | None = None
        self.known: dict[str, Any] = {}

    def _answer(self, method: str) -> np.ndarray:
        if method not in self.known:
            self.known[method] = getattr(self.real, method)(self.stack)
        whole = self.known[method]
        if isinstance(whole, list):  # one array for each of several outputs
            return [self._mine(each) for each in whole]  # type: ignore[return-value]
        return self._mine(whole)

    def _mine(self, array: np.ndarray) -> np.ndarray:
        mine = array[self.place * self.rows : (self.place + 1) * self.rows]
        return mine if self.rows_asked is None else mine[self.rows_asked]

    def score(self, *arguments: Any, **options: Any) -> float:
        return self.real.score(*arguments, **options)

    def __sklearn_tags__(self) -> Any:
        return get_tags(self.real)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.real, name)  # an AttributeError where it has none, as the scorer expects
        if name not in _METHODS:
            return found

        def answer(_: Any) -> np.ndarray:
            return self._answer(name)

        answer.__name__ = name
        return answer


def _bunch(whole: float, answered: Sequence[Sequence[tuple[Any, ...]]], work: _Work, name: str | None = None) -> Bunch:
    scores = np.array([[score for score, _ in line] for line in answered])
    importances = whole - scores
    found = Bunch(importances_mean=importances.mean(1), importances_std=importances.std(1), importances=importances)
    if work.rowwise is not None:
        found["importances_se"] = _errors([[loss for _, loss in line] for line in answered], work, importances)
    elif work.resamples:
        before = _resampled_whole(work)
        before = before if name is None else before[name]
        again = np.array([[scores for _, scores in line] for line in answered]).mean(1)
        found["importances_se"] = (before - again).std(1, ddof=1)
    return found


def _resampled_whole(work: _Work) -> Any:
    """The scores of the same resampled rows as they are."""
    told = _Told(work.estimator, work.X, work.X.shape[0])
    return work.again(told, work.X, _score(work.scorer, told, work.X, work.y, work.weight), None)


def _errors(losses: Any, work: _Work, importances: np.ndarray) -> Float[np.ndarray, " columns"]:
    """By what each row counts as a receiver and as a donor."""
    rowwise, repeats = work.rowwise, len(work.donors)
    assert rowwise is not None  # noqa: S101 - ours
    before = rowwise.losses(np.asarray(getattr(work.estimator, rowwise.method)(work.X)))
    share = np.ones(len(before)) if work.weight is None else work.weight / work.weight.mean()
    around = rowwise.around
    found = Exchanged.none(len(losses), len(before))
    for column, line in enumerate(losses):
        for donor, loss in zip(work.donors, line, strict=True):
            change = loss - before
            if around is not None:
                change = (change - importances[column].mean() * around) / np.average(around, weights=work.weight)
            elif work.weight is not None:
                change = change - np.average(change, weights=work.weight)
            found.add(column, donor, share * change)
    return np.sqrt(found.variance(np.zeros((len(losses), len(before)), dtype=np.int64), repeats))


def _score(scorer: Any, estimator: Any, X: Any, y: Any, weight: np.ndarray | None) -> Any:
    return scorer(estimator, X, y) if weight is None else scorer(estimator, X, y, sample_weight=weight)


def _row_count(max_samples: int | float, rows: int) -> int:
    count = max_samples if isinstance(max_samples, int | np.integer) else int(max_samples * rows)
    if not 1 <= count <= rows:
        raise InputError(f"max_samples is {max_samples}, expected 1 to {rows} rows, or a share of them")
    return int(count)


def _permutations(draw: np.random.RandomState, rows: int, repeats: int) -> Int[np.ndarray, "repeats rows"]:
    """The rows that values come from: each repeat shuffles the last order again, and lays it on what was shuffled."""
    order, found = np.arange(rows), np.empty((repeats, rows), dtype=np.int64)
    last = np.arange(rows)
    for k in range(repeats):
        draw.shuffle(order)
        last = found[k] = last[order]
    return found


def _stacks(X: Any, donors: Int[np.ndarray, "repeats rows"]) -> list[list[tuple[int, int]]]:
    """(column, repeat) pairs that go into one call."""
    every = [(column, repeat) for column in range(X.shape[1]) for repeat in range(len(donors))]
    most = max(1, _NUMBERS // max(1, X.shape[0] * X.shape[1]))
    return [every[k : k + most] for k in range(0, len(every), most)]


def _permuted(X: Any, donors: Int[np.ndarray, "repeats rows"], stack: Sequence[tuple[int, int]]) -> Any:
    """One table for each pair, one after another, each with one column permuted."""
    rows = X.shape[0]
    if not hasattr(X, "iloc"):
        table = np.tile(X, (len(stack), 1))
        for place, (column, repeat) in enumerate(stack):
            table[place * rows : (place + 1) * rows, column] = X[donors[repeat], column]
        return table
    base = np.tile(np.arange(rows), len(stack))
    table = X.take(base)
    for column in {column for column, _ in stack}:
        index = base.copy()
        for place, (other, repeat) in enumerate(stack):
            if other == column:
                index[place * rows : (place + 1) * rows] = donors[repeat]
        table.isetitem(column, X.iloc[:, column].array.take(index))
    return table


def _taken(table: Any, rows: Any) -> Any:
    if table is None:
        return None
    if hasattr(table, "iloc"):
        return table.iloc[rows]
    return np.asarray(table)[rows] if not hasattr(table, "tocsr") else table.tocsr()[rows]


def _rowwise(scorer: Any, estimator: Any, y: Any, weight: np.ndarray | None) -> _Rowwise | None:
    """How the score is made of rows, where that is known; else it is asked as a whole."""
    if y is None or np.ndim(y) != 1:
        return None
    y = np.asarray(y)
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    own = getattr(type(last), "score", None)
    if type(scorer).__name__ == "_PassthroughScorer":
        named = {ClassifierMixin.score: "accuracy", RegressorMixin.score: "r2"}.get(own)
        scorer = None if named is None else get_scorer(named)
    known = {
        name: get_scorer(name)
        for name in (
            *("accuracy", "neg_log_loss", "neg_brier_score"),
            *("r2", "neg_mean_squared_error", "neg_mean_absolute_error"),
        )
    }
    named = next((name for name, each in known.items() if _alike(each, scorer)), None)
    if named == "accuracy" and is_classifier(estimator):
        return _Rowwise("predict", lambda said: (said != np.resize(y, len(said))).astype(float), -1.0, 1.0)
    if named in ("neg_log_loss", "neg_brier_score") and hasattr(estimator, "predict_proba"):
        return _of_shares(named, estimator, y)
    if named in ("r2", "neg_mean_squared_error", "neg_mean_absolute_error") and y.dtype.kind in "fiu":
        return _of_numbers(named, y.astype(float), weight) if is_regressor(estimator) else None
    return None


def _alike(known: Any, scorer: Any) -> bool:
    """Whether a scorer is scikit-learn's own of that name, as it comes."""
    return (
        type(known) is type(scorer)
        and known._score_func is scorer._score_func
        and known._sign == scorer._sign
        and known._kwargs == scorer._kwargs
        and known._response_method == scorer._response_method
    )


def _of_shares(named: str, estimator: Any, y: np.ndarray) -> _Rowwise | None:
    classes = np.asarray(estimator.classes_)
    if len(np.unique(y)) != len(classes) or not np.isin(y, classes).all():
        return None
    place = np.searchsorted(classes, y)
    if named == "neg_brier_score":
        if len(classes) != 2:
            return None
        return _Rowwise("predict_proba", lambda said: (said[:, 1] - np.resize(place, len(said))) ** 2, -1.0)

    def losses(said: np.ndarray) -> np.ndarray:
        said = np.stack([1 - said[:, 1], said[:, 1]], 1) if len(classes) == 2 else said
        least = np.finfo(said.dtype).eps
        own = np.clip(said[np.arange(len(said)), np.resize(place, len(said))], least, 1 - least)
        return -xlogy(1.0, own)

    return _Rowwise("predict_proba", losses, -1.0)


def _of_numbers(named: str, y: Float[np.ndarray, " rows"], weight: np.ndarray | None) -> _Rowwise | None:
    if named == "neg_mean_absolute_error":
        return _Rowwise("predict", lambda said: np.abs(np.resize(y, len(said)) - said), -1.0)
    around = (y - np.average(y, weights=weight)) ** 2 if named == "r2" else None
    if around is not None and not around.any():
        return None
    return _Rowwise(
        "predict",
        lambda said: (np.resize(y, len(said)) - said) ** 2,
        -1.0,
        offset=0.0 if around is None else 1.0,
        around=around,
    )
