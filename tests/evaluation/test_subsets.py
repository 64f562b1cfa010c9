"""Sets of features: what their values say the model loses, and what it does."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from attar import InputError, Logit, attribute
from attar.core.draws import draw
from attar.core.inputs import Tensors
from attar.evaluation.score import BETTER, SAME, WORSE
from attar.evaluation.subsets import FaithfulnessCorrelation, Infidelity, RandomSets, SensitivityN
from attar.methods.gradient import Gradient
from attar.methods.occlusion import Occlusion
from models import Formula, case, numbers, relu_mlp, table

WEIGHTS = torch.tensor([1.5, -2, 0.3, 4, 1]).double()
ADDITIVE = Formula(lambda x: x @ WEIGHTS)
CORRELATIONS = (FaithfulnessCorrelation(), SensitivityN())


def test_sets_are_of_their_share_and_each_as_likely() -> None:
    sets = RandomSets(share=0.3, count=2000)(10)
    assert set(sets.sum(1).tolist()) == {3}
    assert float((sets.double().mean(0) - 0.3).abs().max()) < 0.04
    assert RandomSets(share=0.01)(10).sum(1).unique().tolist() == [1]
    assert RandomSets(share=0.99)(10).sum(1).unique().tolist() == [9]
    with pytest.raises(InputError, match="share is 1"):
        RandomSets(share=1)


@pytest.mark.parametrize("measure", CORRELATIONS, ids=lambda m: type(m).__name__)
def test_contributions_of_an_additive_model_correlate_with_what_is_lost(measure: Any) -> None:
    x = table(20)
    for factor, score, said in ((1.0, 1, BETTER), (1e-3, 1, BETTER), (-1.0, -1, WORSE)):
        found = measure(ADDITIVE, x, factor * x * WEIGHTS)
        np.testing.assert_allclose(found.values, score, atol=1e-9)
        assert found.verdict == said
    assert measure(ADDITIVE, x, torch.ones(20, 5)).mean.score == pytest.approx(0, abs=1e-9)  # every set the same


def test_the_correlation_is_over_the_sets_that_were_asked() -> None:
    module, x, values = relu_mlp(), table(), numbers(6, 5, seed=4)
    sets = RandomSets(share=0.4, count=12)
    found = FaithfulnessCorrelation(sets=sets)(module, x, values, Logit(1))
    with torch.no_grad():
        for k in range(6):
            lost = [module.eval()(x[k] * ~gone)[1] for gone in sets(5)]
            said = [-float(values[k][gone].sum()) for gone in sets(5)]
            assert found.values[0, k] == pytest.approx(np.corrcoef(said, [float(each) for each in lost])[0, 1])


def test_a_model_that_loses_nothing_leaves_nothing_to_say() -> None:
    still = Formula(lambda x: 1e6 + 0 * x.sum(1))
    assert np.isnan(FaithfulnessCorrelation()(still, table(), table()).values).all()
    single = numbers(4, 1)
    assert np.isnan(FaithfulnessCorrelation()(Formula(lambda x: x[:, 0]), single, single).values).all()


def test_rounding_of_single_precision_is_no_loss() -> None:
    model = Formula(lambda x: 1e4 + x.sum(1) - x[:, :2].sum(1) - x[:, 2:].sum(1))
    x = table(20).float()
    assert len(model(x * numbers(20, 5, seed=1).float()).unique()) > 1
    assert np.isnan(FaithfulnessCorrelation()(model, x, numbers(20, 5)).values).all()


def test_infidelity_is_the_mean_square_of_what_was_missed() -> None:
    module, x, values = relu_mlp(), table(), numbers(6, 5, seed=4)
    sets = RandomSets(share=0.4, count=9)
    found = Infidelity(sets=sets)(module, x, values, Logit(1))
    with torch.no_grad():
        for k in range(6):
            missed = [
                float(values[k][gone].sum() - (module.eval()(x[k]) - module(x[k] * ~gone))[1]) ** 2 for gone in sets(5)
            ]
            assert found.values[0, k] == pytest.approx(np.mean(missed))


def test_infidelity_of_contributions_is_0_and_twice_as_much_is_not() -> None:
    x = table(20)
    exact = Infidelity()(ADDITIVE, x, x * WEIGHTS)
    np.testing.assert_allclose(exact.values, 0, atol=1e-20)
    assert exact.verdict == BETTER
    assert Infidelity()(ADDITIVE, x, 2 * x * WEIGHTS).mean.score > 0.1


def test_rescaled_only_ratios_count_and_the_sign() -> None:
    x = table(20)
    measure = Infidelity(rescaled=True)
    for factor in (1.0, 1e4):
        np.testing.assert_allclose(measure(ADDITIVE, x, factor * x * WEIGHTS).values, 0, atol=1e-20)
    turned = measure(ADDITIVE, x, -x * WEIGHTS)
    nothing = Infidelity()(ADDITIVE, x, torch.zeros(20, 5))
    np.testing.assert_allclose(turned.values, nothing.values)  # the best multiple of what is all wrong is none of it
    assert turned.verdict == WORSE


def test_infidelity_over_noise_is_of_slopes() -> None:
    module, x, values = relu_mlp(), table(), numbers(6, 5, seed=4)
    found = Infidelity(noise=0.3, samples=7)(module, x, values, Logit(1))
    steps = [0.3 * draw(Tensors(x), seed=(0, k), law="normal")["input"] for k in range(7)]
    with torch.no_grad():
        missed = [(values * step).sum(1) - (module.eval()(x) - module(x - step))[:, 1] for step in steps]
    np.testing.assert_allclose(found.values[0], torch.stack(missed).square().mean(0))
    slopes = attribute(ADDITIVE, x, Gradient())
    np.testing.assert_allclose(Infidelity(noise=0.3)(ADDITIVE, x, slopes).values, 0, atol=1e-18)
    with pytest.raises(InputError, match="noise is 0"):
        Infidelity(noise=0)


def test_graphs_have_slopes_at_every_entry() -> None:
    given = case("gcn")
    found = attribute(given.model, given.inputs, Gradient())
    right = Infidelity(noise=0.05)(given.model, given.inputs, found)
    assert right.mean.score < 0.1 * right.chance.score
    rows = attribute(given.model, given.inputs, Occlusion())
    with pytest.raises(InputError, match="one for each entry of the inputs"):
        Infidelity(noise=0.05)(given.model, given.inputs, rows)


def test_chance_asks_the_model_nothing() -> None:
    asked = []
    for draws in (2, 39):
        model = Formula(lambda x: x @ WEIGHTS)
        FaithfulnessCorrelation(draws=draws)(model, table(), table())
        asked.append(sum(model.sizes))
    assert asked[0] == asked[1]


def test_sets_go_to_the_model_in_full_chunks() -> None:
    model = Formula(lambda x: x @ WEIGHTS)
    FaithfulnessCorrelation(sets=RandomSets(count=100))(model, table(12), table(12), batch_size=50)
    assert model.sizes.count(50) == 12 * 100 // 50


def test_regression_and_probability_are_targets_like_others() -> None:
    x = table(20)
    model = Formula(lambda x: torch.stack([x @ WEIGHTS, x[:, 0]], 1))
    values: Tensor = x * torch.tensor([1.0, 0, 0, 0, 0])
    assert FaithfulnessCorrelation()(model, x, values, Logit(1)).mean.score == pytest.approx(1)
    assert FaithfulnessCorrelation()(model, x, numbers(20, 5, seed=9), Logit(1)).verdict == SAME
