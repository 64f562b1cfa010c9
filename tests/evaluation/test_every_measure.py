"""What every measure promises, on attributions whose score is known: the truth, its opposite, and random values.

The model is additive, so that its contributions are the truth of it; the truth of the phenomenon is read off the same
contributions. A new measure belongs in `MEASURES`.
"""

import pickle
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from attar import InputError
from attar.core.attribution import Attribution
from attar.core.error import exact
from attar.core.parts import Parts
from attar.evaluation.against_truth import AUROC, AveragePrecision, MassShare, Precision, accuracy_score, false_alarm
from attar.evaluation.completeness import completeness
from attar.evaluation.complexity import Gini, complexity_score
from attar.evaluation.consistency import agreement, top_overlap
from attar.evaluation.faithfulness import ROAD, Deletion, Insertion
from attar.evaluation.score import BETTER, SAME, WORSE, Score, together
from attar.evaluation.subsets import FaithfulnessCorrelation, Infidelity, RandomSets, SensitivityN
from attar.evaluation.truth import TruthMasks, TruthValues
from models import Formula, numbers

EXAMPLES, HEIGHT, WIDTH = 48, 3, 4
FEATURES = HEIGHT * WIDTH
WEIGHTS = numbers(1, HEIGHT, WIDTH, seed=20)
X = numbers(EXAMPLES, 1, HEIGHT, WIDTH, seed=21)
CONTRIBUTIONS = X * WEIGHTS
MODEL = Formula(lambda x: (x * WEIGHTS).sum((1, 2, 3)))
EMPTY = torch.arange(EXAMPLES) % 3 == 2  # examples without a truth, for false alarms
SMALL = {"sets": RandomSets(share=0.25, count=40)}


def masks(some: Tensor, *, empty: bool = False) -> list[TruthMasks]:
    """The four largest contributions."""
    truths = []
    for k in some.tolist():
        inside = CONTRIBUTIONS[k].flatten().argsort(descending=True).argsort().numpy() < 4
        if empty and EMPTY[k]:
            inside[:] = False
        truths.append(TruthMasks(inside[None], inside, {}))
    return truths


def attribution(values: Tensor, some: Tensor) -> Attribution:
    output = CONTRIBUTIONS[some].sum((1, 2, 3))
    return Attribution(
        parts=Parts({"input": values}),
        owners={"input": torch.arange(len(some))},
        output=output,
        reference=torch.zeros_like(output),
        error=exact(len(some)),
        evaluations=torch.ones(len(some), dtype=torch.long),
        single=True,
    )


@dataclass(frozen=True)
class Case:
    """A measure of values of the examples at `some`, the truth's score, and whether only the order counts.

    `truth` are values that know everything, `opposite` values that are wrong about everything.
    """

    score: Callable[[Tensor, Tensor], Score]
    best: float | None
    truth: Callable[[], Tensor] = lambda: CONTRIBUTIONS
    opposite: Callable[[], Tensor] | None = lambda: -CONTRIBUTIONS
    of_order: bool = False
    shifts: bool = False  # whether adding a number to all values changes nothing


def against(measure: object) -> Callable[[Tensor, Tensor], Score]:
    return lambda values, some: accuracy_score(attribution(values, some), masks(some), measure)


def asked(measure: object) -> Callable[[Tensor, Tensor], Score]:
    return lambda values, some: measure(MODEL, X[some], attribution(values, some))


def inside() -> Tensor:
    found = np.stack([truth.union for truth in masks(torch.arange(EXAMPLES))])
    return torch.from_numpy(found).double().reshape(X.shape)


def without_alarm() -> Tensor:
    return torch.where(EMPTY[:, None, None, None], 0.0, inside())


def with_alarm() -> Tensor:
    return torch.where(EMPTY[:, None, None, None], 1.0, 0.0).expand(X.shape).clone()


MEASURES = {
    "auroc": Case(against(AUROC()), 1, of_order=True),
    "average precision": Case(against(AveragePrecision()), 1, of_order=True),
    "precision at k": Case(against(Precision()), 1, of_order=True),
    "mass share": Case(against(MassShare()), 1, inside, lambda: 1 - inside()),
    "kendall": Case(
        lambda values, some: accuracy_score(
            attribution(values, some), [TruthValues(CONTRIBUTIONS[k].flatten().numpy()) for k in some.tolist()]
        ),
        1,
        of_order=True,
    ),
    "false alarm": Case(
        lambda values, some: false_alarm(attribution(values, some), masks(some, empty=True)),
        0,
        without_alarm,
        with_alarm,
    ),
    "deletion": Case(asked(Deletion()), None, of_order=True),
    "insertion": Case(asked(Insertion()), None, of_order=True),
    "road": Case(asked(ROAD(shares=(0.1, 0.3, 0.5))), None, of_order=True),
    "faithfulness correlation": Case(asked(FaithfulnessCorrelation(**SMALL)), 1, shifts=True),
    "sensitivity-n": Case(asked(SensitivityN(count=20)), 1, shifts=True),
    "infidelity": Case(asked(Infidelity(**SMALL)), 0),
    "infidelity, rescaled": Case(asked(Infidelity(**SMALL, rescaled=True)), 0),
    "infidelity over noise": Case(
        asked(Infidelity(noise=0.3, samples=40)), 0, lambda: WEIGHTS.expand(X.shape), lambda: -WEIGHTS.expand(X.shape)
    ),
    "completeness": Case(lambda values, some: completeness(attribution(values, some)), 0, opposite=None),
    "agreement": Case(
        lambda values, some: agreement([attribution(each, some) for each in (values, CONTRIBUTIONS[some])]),
        1,
        of_order=True,
    ),
    "overlap": Case(
        lambda values, some: top_overlap(
            [attribution(each, some) for each in (values, CONTRIBUTIONS[some])], share=0.3
        ),
        1,
        of_order=True,
    ),
    "complexity": Case(
        lambda values, some: complexity_score(attribution(values, some), Gini()),
        1 - 1 / FEATURES,
        lambda: torch.eye(FEATURES)[torch.arange(EXAMPLES) % FEATURES].double().reshape(X.shape),
        lambda: torch.ones(X.shape),
    ),
}
ALL = torch.arange(EXAMPLES)
CHANCE_IS_MEASURED = pytest.mark.parametrize("name", MEASURES)


@cache
def usual(name: str) -> Score:
    return MEASURES[name].score(MEASURES[name].truth(), ALL)


def norms(values: Tensor) -> Tensor:
    return values.flatten(1).norm(dim=1)[:, None, None, None]


def drawn(seed: int) -> Tensor:
    """Random values with the norms of the contributions."""
    values = numbers(*X.shape, seed=100 + seed)
    return values / norms(values) * norms(CONTRIBUTIONS)


@CHANCE_IS_MEASURED
def test_the_truth_scores_best(name: str) -> None:
    found = usual(name)
    assert found.verdict == BETTER
    if MEASURES[name].best is not None:
        assert found.mean.score == pytest.approx(MEASURES[name].best, abs=1e-9)
    low, high = sorted((found.worst, found.best))
    assert np.nanmin(found.values) >= low - 1e-9
    assert np.nanmax(found.values) <= high + 1e-9


@pytest.mark.parametrize("name", [name for name, given in MEASURES.items() if given.opposite is not None])
def test_its_opposite_scores_worse_than_chance(name: str) -> None:
    found = MEASURES[name].score(MEASURES[name].opposite(), ALL)
    assert found.verdict == WORSE
    if name in {"auroc", "precision at k", "mass share", "kendall", "false alarm", "overlap"} | {"agreement"}:
        assert found.mean.score == pytest.approx(found.worst, abs=1e-9)


@CHANCE_IS_MEASURED
def test_random_values_score_what_chance_says(name: str) -> None:
    held = same = 0
    for seed in range(20):
        found = MEASURES[name].score(drawn(seed), ALL)
        held += found.chance.low <= found.mean.score <= found.chance.high
        same += found.verdict == SAME
    assert held >= 14  # 19 expected, and fewer where the one set of draws that all share came out narrow
    assert same >= 17


RANDOM_NETWORK = [name for name in MEASURES if name not in {"completeness", "complexity", "false alarm"}]


@pytest.mark.parametrize("name", RANDOM_NETWORK)
def test_the_contributions_of_random_networks_score_near_chance(name: str) -> None:
    """Each network is wrong in its own way about all examples, so they are taken together."""
    scores = []
    for seed in range(16):
        weights = numbers(1, HEIGHT, WIDTH, seed=500 + seed)
        values = (weights if name == "infidelity over noise" else X * weights).expand(X.shape)
        scores.append(MEASURES[name].score(values / norms(values) * norms(MEASURES[name].truth()), ALL))
    found = together(scores)
    span = abs(usual(name).mean.score - usual(name).chance.score)
    assert abs(found.mean.score - found.chance.score) < 0.2 * span


@CHANCE_IS_MEASURED
def test_monotone_rescaling_leaves_measures_of_order_alone(name: str) -> None:
    given, values = MEASURES[name], drawn(0) + 0.3 * CONTRIBUTIONS
    found = given.score(values, ALL).values
    stretched = given.score(torch.sinh(values), ALL).values
    if given.of_order:
        np.testing.assert_allclose(stretched, found, atol=1e-12)
    else:
        assert not np.allclose(stretched, found, equal_nan=True)
    shifted = given.score(values + 7, ALL).values
    assert np.allclose(shifted, found, equal_nan=True) == (given.of_order or given.shifts)


@CHANCE_IS_MEASURED
def test_an_example_scores_the_same_in_any_batch_and_order(name: str) -> None:
    given, values = MEASURES[name], drawn(1) + 0.3 * CONTRIBUTIONS
    found = given.score(values, ALL)
    order = torch.from_numpy(np.random.default_rng(0).permutation(EXAMPLES))
    shuffled = given.score(values[order], order)
    np.testing.assert_allclose(shuffled.values, found.values[:, order], atol=1e-12)
    for one, other in ((shuffled.mean, found.mean), (shuffled.chance, found.chance), (shuffled.margin, found.margin)):
        assert [one.score, one.low, one.high] == pytest.approx(
            [other.score, other.low, other.high], rel=1e-9, abs=1e-12
        )
    if name == "false alarm":  # which is beside the others' median, and says so
        return
    some = order[:5]
    np.testing.assert_allclose(given.score(values[some], some).values, found.values[:, some], atol=1e-12)


@CHANCE_IS_MEASURED
def test_chance_is_its_own_and_is_seeded(name: str) -> None:
    found = usual(name)
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002 - the global state is what is looked at
    torch.manual_seed(3)
    states = random.getstate(), pickle.dumps(np.random.get_state()), torch.get_rng_state().numpy().tobytes()  # noqa: NPY002
    again = MEASURES[name].score(MEASURES[name].truth(), ALL)
    assert (random.getstate(), pickle.dumps(np.random.get_state())) == states[:2]  # noqa: NPY002
    assert torch.get_rng_state().numpy().tobytes() == states[2]
    np.testing.assert_array_equal(again.values, found.values)
    np.testing.assert_array_equal(again.random, found.random)
    assert str(again) == str(found)


@CHANCE_IS_MEASURED
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_nan_is_refused(name: str, bad: float) -> None:
    values = CONTRIBUTIONS.clone()
    values[3, 0, 1, 1] = bad
    with pytest.raises(InputError, match="NaN or infinity"):
        MEASURES[name].score(values, ALL)


@CHANCE_IS_MEASURED
def test_one_example_has_a_score_beside_chance(name: str) -> None:
    if name == "false alarm":
        return
    one = torch.tensor([1])
    found = MEASURES[name].score(CONTRIBUTIONS[one], one)
    assert found.values.shape == (1, 1)
    assert np.isfinite(found.chance.low)
    assert found.chance.low < found.chance.high or name == "road"


@CHANCE_IS_MEASURED
def test_it_says_so_in_words(name: str) -> None:
    said = str(usual(name))
    assert said.endswith("better than chance")
    assert "is better)" in said or "worst, " in said
