"""How much there is to read, and whether all was given out: closed forms."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from attar import InputError, attribute
from attar.evaluation.completeness import completeness
from attar.evaluation.complexity import EffectiveParts, Entropy, Gini, complexity_score
from attar.evaluation.score import BETTER, SAME, WORSE
from attar.methods.gradient import Gradient
from attar.methods.integrated_gradients import IntegratedGradients
from attar.methods.weight_times_input import WeightTimesInput
from models import Formula, case, numbers, table
from reference.measures import gini

MEASURES = (Gini(), Entropy(), EffectiveParts())
RAGGED = [each[: 3 + k] for k, each in enumerate(numbers(5, 9).numpy())]


def test_gini_is_the_mean_difference_of_all_pairs() -> None:
    np.testing.assert_allclose(complexity_score(RAGGED).values[0], [gini(each) for each in RAGGED], atol=1e-12)


@pytest.mark.parametrize(
    ("measure", "alone", "even"), [(Gini(), 0.9, 0), (Entropy(), 0, np.log(10)), (EffectiveParts(), 1, 10)]
)
def test_one_part_alone_and_all_parts_the_same(measure: object, alone: float, even: float) -> None:
    one, same = np.zeros((30, 10)), np.full((30, 10), -2.0)
    one[:, 3] = -7
    for values, expected, said in ((one, alone, BETTER), (same, even, WORSE), (0 * same, even, WORSE)):
        found = complexity_score(values, measure)
        np.testing.assert_allclose(found.values, expected, atol=1e-12)
        assert found.verdict == said


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_random_values_are_as_complex_as_chance_and_units_cancel(measure: object) -> None:
    values = numbers(60, 12).numpy()
    found = complexity_score(values, measure)
    assert found.verdict == SAME
    np.testing.assert_allclose(complexity_score(-1e5 * values, measure).values, found.values, rtol=1e-12)
    assert not np.allclose(complexity_score(values**3, measure).values, found.values)  # no measure of order


def test_an_example_without_parts_has_no_complexity() -> None:
    found = complexity_score([*RAGGED, np.zeros(0)], Entropy())
    assert np.isnan(found.values[0, 5])
    assert found.mean.n == 5


# --- completeness ---


def test_a_linear_models_contributions_are_complete() -> None:
    given = case("ridge")
    found = completeness(attribute(given.model, given.inputs, WeightTimesInput()))
    np.testing.assert_allclose(found.values, 0, atol=1e-12)
    assert found.verdict == BETTER


def test_the_residual_is_a_share_of_what_there_is_to_give() -> None:
    model = Formula(lambda x: (x * torch.arange(1.0, 6).double()).sum(1))
    found = attribute(model, table(), IntegratedGradients())
    half = replace(found, parts=found.parts * 0.5)
    np.testing.assert_allclose(completeness(half).values, 0.5, rtol=1e-9)
    np.testing.assert_allclose(completeness(replace(found, parts=found.parts * -1.0)).values, 2, rtol=1e-9)


def test_random_values_of_the_same_norm_are_chance() -> None:
    model = Formula(lambda x: x.sum(1))
    x = numbers(80, 6).abs() + 1
    found = attribute(model, x, IntegratedGradients())
    values = numbers(80, 6, seed=8)
    scale = next(iter(found.parts.values())).norm(dim=1, keepdim=True) / values.norm(dim=1, keepdim=True)
    random = replace(found, parts=found.parts.map(lambda _: values * scale))
    assert completeness(random).verdict == SAME


def test_an_output_that_is_its_reference_has_nothing_to_give() -> None:
    x = table()
    x[2] = torch.tensor([1.0, -1, 0.5, -0.5, 0])  # which cancel
    found = completeness(attribute(Formula(lambda x: 3 + x.sum(1)), x, IntegratedGradients()))
    assert np.isnan(found.values[0]).tolist() == [False, False, True, False, False, False]


def test_a_method_without_a_reference_is_refused() -> None:
    with pytest.raises(InputError, match="Gradient has no reference"):
        completeness(attribute(Formula(lambda x: x.sum(1)), table(), Gradient()))
