"""The ladder beyond label noise: less data, and a place among all rungs whose half-width is honest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from attar.core.errors import InputError
from attar.evaluation.intervals import Interval
from attar.evaluation.truth import TruthMasks
from attar.pitfalls.imperfect_model import Rung, Step, faithful, fewer, noisier, placed, stepped, thinned


def test_a_share_of_each_class_is_kept_and_a_smaller_one_is_part_of_it() -> None:
    labels = (np.arange(100) % 5 == 0).astype(float)
    half, tenth = thinned(labels, 0.5, 0), thinned(labels, 0.1, 0)
    assert (len(half), labels[half].sum()) == (50, 10)
    assert set(tenth) < set(half)
    assert labels[thinned(labels, 0.01, 0)].sum() == 2
    assert len(thinned(np.linspace(0, 3, 100), 0.2, 0)) == 20


@dataclass(frozen=True)
class Counter:
    """A recipe whose models predict and explain by how many examples they saw: all, or fewer."""

    name: str = "counter"
    methods: tuple[str, ...] = ("own",)

    def fit(self, examples: Sequence[Any], labels: np.ndarray, seed: int) -> "Counter.Fitted":
        assert len(examples) == len(labels)
        return self.Fitted(len(examples) == 40)

    @dataclass(frozen=True)
    class Fitted:
        whole: bool

        def predict(self, examples: Sequence[Any]) -> np.ndarray:
            return np.array([e[0] if self.whole else e[1] for e in examples])

        def explain(self, examples: Sequence[Any], method: str) -> list[np.ndarray]:
            return [np.array([1.0, 0.0]) if self.whole else np.array([0.0, 1.0]) for _ in examples]


def test_a_step_says_what_the_model_is_given() -> None:
    generator = np.random.default_rng(0)
    examples = [generator.standard_normal(2) for _ in range(40)]
    labels = np.array([float(e[0] > 0) for e in examples])
    first = np.array([True, False])
    data: dict[str, Any] = {"train": (examples, labels), "test": (examples, labels)}
    data |= {"scored": examples[:5], "truths": [TruthMasks(first[None], first, {})] * 5, "method": "own"}
    recipe: Any = Counter()
    whole = stepped(noisier(recipe, (0.0,))[0], **data)
    part = stepped(fewer(recipe, (0.5,))[0], **data)
    assert (whole.name, whole.prediction, whole.attribution.score) == ("label noise", 1.0, 1.0)
    assert (part.name, part.share, part.attribution.score) == ("less data", 0.5, 0.0)
    assert part.prediction < 0.9
    assert part.values is not None
    assert part.values.shape == (3, 5)
    with pytest.raises(InputError, match="share is 0"):
        Step(name="none", recipe=recipe, share=0)


def ladder(scatter: float, seed: int, count: int = 12, error: float = 0.01) -> list[Rung]:
    """Attribution 0.4 + 0.5 · (prediction - 0.5), off by that much from model to model."""
    generator = np.random.default_rng([seed, 3])
    at = np.linspace(0.5, 1.0, count)
    scores = 0.4 + 0.5 * (at - 0.5) + generator.standard_normal(count) * np.hypot(scatter, error)
    half = 1.96 * error
    return [
        Rung(0.0, a, Interval(s, s - half, s + half, 50)) for a, s in zip(at.tolist(), scores.tolist(), strict=True)
    ]


@pytest.mark.parametrize("scatter", [0.02, 0.06])
def test_nineteen_of_twenty_new_models_lie_within_the_half_width(scatter: float) -> None:
    generator = np.random.default_rng(9)
    inside = []
    for seed in range(300):
        where = float(generator.uniform(0.5, 1.0))
        true = 0.4 + 0.5 * (where - 0.5) + scatter * generator.standard_normal()
        place = placed(ladder(scatter, seed), where)
        inside.append(abs(true - place.expected) <= place.half)
    assert 0.91 <= np.mean(inside) <= 0.99


def test_scatter_between_rungs_is_found_where_it_is() -> None:
    assert np.mean([placed(ladder(0.06, s), 0.8).between for s in range(50)]) == pytest.approx(0.06, abs=0.01)
    assert np.mean([placed(ladder(0.0, s), 0.8).between for s in range(50)]) < 0.01


def test_a_place_between_two_rungs_by_hand() -> None:
    rungs = [Rung(0.5, 0.5, Interval(0.5, 0.402, 0.598, 9)), Rung(0.0, 1.0, Interval(0.9, 0.802, 0.998, 9))]
    place = placed(rungs, 0.75)
    assert (place.expected, place.top, place.between, place.outside) == (pytest.approx(0.7), 0.9, 0.0, False)
    assert place.half == pytest.approx(0.098 / 2**0.5)
    assert placed(rungs, 0.4).expected == 0.5
    assert placed(rungs, 0.4).outside
    with pytest.raises(InputError, match="a place needs rungs"):
        placed([], 0.5)


def test_better_models_that_explain_themselves_better_have_a_parc_of_one() -> None:
    generator = np.random.default_rng(0)
    rungs = []
    for k in range(8):
        values = k / 10 + 0.01 * generator.standard_normal((2, 30))
        rungs.append(Rung(0.0, 0.5 + k / 20, Interval(k / 10, 0, 1, 30), values=values))
    found = faithful(rungs)
    assert found.mean.score == 1.0
    assert found.mean.low > 0.5
