"""One model fitted on a task and every method scored on it; and the rows that a report or leaderboard shows of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import numpy as np

from attar.core.recipe import Explained, Fitted, Recipe
from attar.evaluation.accuracy import Accuracy, accuracies
from attar.evaluation.against_truth import false_alarm
from attar.evaluation.chance import chance, mean_accuracy
from attar.evaluation.intervals import Interval, prediction, two_level
from attar.evaluation.score import Score, together
from attar.evaluation.truth import Truth, TruthMasks
from attar.experiments.task import Task

UNSCORED = 100  # examples that are explained where none has a truth to be scored against


@dataclass(frozen=True, eq=False)
class MethodScores:
    """One method on one fitted model: an accuracy per scored example, chance under the same carrying, the relative
    error of its values (L1 error over L1 norm, median over examples) and how they were carried to the parts."""

    accuracies: list[Accuracy]
    chance: Accuracy
    error: float
    error_how: str
    carried_by: str
    evaluations: float
    false_alarm: Score | None = None


@dataclass(frozen=True, eq=False)
class Trial:
    """A fitted model's predictions on the held-out examples of a split (`test`), its methods' scores, and what the
    first of them says of the examples that are shown (`Task.shown`), part by part."""

    predictions: np.ndarray
    labels: np.ndarray
    methods: dict[str, MethodScores]
    seconds: float
    said: list[np.ndarray] = field(default_factory=list)


def trial(
    task: Task,
    recipe: Recipe,
    methods: Sequence[str],
    seed: int,
    *,
    at_most: int | None = 300,
    negatives: int = 0,
) -> Trial:
    """Fit on the training examples, predict the test ones, score every method on `at_most` of those with a truth, and
    on so many `negatives`, in which there is nothing to find."""
    start = perf_counter()
    fitted = recipe.fit(*task.part(task.train), seed)
    done = tried(task, fitted, methods, at_most=at_most, negatives=negatives)
    return replace(done, seconds=perf_counter() - start)


def tried(
    task: Task, fitted: Fitted, methods: Sequence[str], *, at_most: int | None = 300, negatives: int = 0
) -> Trial:
    """The same of a model that is fitted already."""
    start = perf_counter()
    examples, labels = task.part(task.test)
    scored, truths = task.scored(at_most)
    empty = task.without_truth(negatives) if negatives else []
    by_chance: dict[str, Accuracy] = {}
    found: dict[str, MethodScores] = {}
    said: list[np.ndarray] = []
    for method in methods:
        if truths:
            found[method], values = _score(fitted, method, scored, truths, empty, by_chance)
            said = said or values
        elif not said:
            said = fitted.explain(task.shown(UNSCORED), method)
    return Trial(fitted.predict(examples), labels, found, perf_counter() - start, said)


def model_row(task: Task, name: str, trials: Sequence[Trial], *, seed: int = 0) -> dict[str, Any]:
    """Held-out quality of a model, over its seeds."""
    held_out = prediction(trials[0].labels, np.stack([t.predictions for t in trials]), seed=seed)
    measure = "auroc" if task.task == "classification" else "r2"
    return {
        "data": task.name,
        "name": name,
        measure: held_out.score,
        "interval": [held_out.low, held_out.high],
        "n": held_out.n,
        "seeds": len(trials),
        "seconds": sum(t.seconds for t in trials),
    }


def attribution_rows(
    task: Task, trials: Mapping[str, Sequence[Trial]], *, at_most: int | None = 300
) -> list[dict[str, Any]]:
    """A row for every model (by name) and method: its score, chance, the trivial control, and how it was come by."""
    scored, truths = task.scored(at_most)
    if not truths:
        return []
    trivial = mean_accuracy(accuracies([task.domain.trivial(e) for e in scored], truths))
    shares = [t.share for t in truths if isinstance(t, TruthMasks)]
    return [
        _row(task, name, method, [t.methods[method] for t in runs], trivial, shares)
        for name, runs in trials.items()
        for method in runs[0].methods
    ]


def _row(
    task: Task, model: str, method: str, each: Sequence[MethodScores], trivial: Accuracy, shares: Sequence[float]
) -> dict[str, Any]:
    best = _over(lambda a: a.best, each)
    union = _over(lambda a: a.union, each)
    by_chance = each[0].chance
    parts = {n: _over(_part(n), each) for n in by_chance.named}
    return {
        "data": task.name,
        "model": model,
        "method": method,
        "score": best.score,
        "interval": [best.low, best.high],
        "chance": by_chance.best,
        "trivial": trivial.best,
        "n": best.n,
        "parts": {n: i.score for n, i in parts.items()},
        "parts_interval": {n: [i.low, i.high] for n, i in parts.items()},
        "parts_chance": by_chance.named,
        "parts_trivial": trivial.named,
        "union": union.score,
        "union_interval": [union.low, union.high],
        "union_chance": by_chance.union,
        "union_trivial": trivial.union,
        "carried_by": each[0].carried_by,
        "mask_share": float(np.mean(shares)) if shares else None,
        "seeds": len(each),
        "error": float(np.mean([s.error for s in each])),
        "error_how": each[0].error_how,
        "evaluations": float(np.mean([s.evaluations for s in each])),
        **_alarms([s.false_alarm for s in each if s.false_alarm is not None]),
    }


def _alarms(scores: Sequence[Score]) -> dict[str, Any]:
    if not scores:
        return {}
    both = together(scores)
    return {
        "false_alarm": both.mean.score,
        "false_alarm_interval": [both.mean.low, both.mean.high],
        "false_alarm_chance": both.chance.score,
    }


def _over(pick: Callable[[Accuracy], float], each: Sequence[MethodScores]) -> Interval:
    return two_level(np.array([[pick(a) for a in scores.accuracies] for scores in each]))


def _part(name: str) -> Callable[[Accuracy], float]:
    return lambda accuracy: accuracy.named.get(name, np.nan)


def _score(
    fitted: Fitted,
    method: str,
    scored: Sequence[Any],
    truths: Sequence[Truth],
    empty: Sequence[Any],
    by_chance: dict[str, Accuracy],
) -> tuple[MethodScores, list[np.ndarray]]:
    """And the values that were scored."""
    answer: Explained = fitted.explained(scored, method)
    carried, values = answer.carried, answer.values()
    carried_by = str(carried.carried_by)
    # Attention fills bonds alone, CAM all rows: chance is drawn on the rows that the method fills.
    drawn_on = f"{carried_by} from {', '.join(answer.found.parts)}"
    if drawn_on not in by_chance:
        parts = None if answer.features is None else answer.found.parts
        by_chance[drawn_on] = chance(truths, parts=parts, features=answer.features)
    norm = carried.parts.abs().per_example(carried.owners, len(scored)).numpy()
    scores = MethodScores(
        accuracies(values, truths),
        by_chance[drawn_on],
        float(np.median(carried.error.bound.numpy() / np.maximum(norm, 1e-12))),
        answer.found.error.how,
        carried_by,
        float(answer.found.evaluations.double().mean()),
        _false_alarm(fitted, method, values, truths, empty),
    )
    return scores, values


def _false_alarm(
    fitted: Fitted, method: str, values: Sequence[np.ndarray], truths: Sequence[Truth], empty: Sequence[Any]
) -> Score | None:
    """How much the method claims of examples in which there is nothing to find."""
    known = [t for t in truths if isinstance(t, TruthMasks)]
    if not empty or len(known) < len(truths):
        return None
    there = fitted.explain(empty, method)
    nothing = [TruthMasks(np.zeros((0, len(v)), dtype=bool), np.zeros(len(v), dtype=bool), {}) for v in there]
    return false_alarm([*values, *there], [*known, *nothing])
