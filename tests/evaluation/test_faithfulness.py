"""Curves of removal: against one feature at a time by hand, all orders, and linear systems solved one by one."""

from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from attar import InputError, Logit, attribute
from attar.core.baseline import Constant, Rows, Zeros
from attar.core.draws import draw
from attar.core.features import Grouped
from attar.core.inputs import Tensors
from attar.core.target import Target
from attar.estimation import noisy_linear
from attar.estimation.noisy_linear import NoisyLinear
from attar.evaluation.faithfulness import ROAD, Curves, Deletion, Insertion
from attar.evaluation.score import BETTER, SAME, WORSE
from attar.methods.occlusion import Occlusion
from models import Formula, case, close, images, numbers, relu_mlp, table
from reference.measures import deletion_curve, imputed

ALL = Logit(0)


def answers(module: nn.Module, x: np.ndarray) -> float:
    with torch.no_grad():
        return float(module.eval()(torch.from_numpy(x)[None])[0, 0])


@pytest.mark.parametrize("measure", [Deletion, Insertion])
def test_curves_are_those_of_taking_one_feature_after_another(measure: Any) -> None:
    module, x, values = relu_mlp(), table(), numbers(6, 5, seed=4)
    baseline = np.linspace(-1, 1, 5)
    removal = Constant({"input": torch.from_numpy(baseline)})
    found = measure(removal=removal, draws=3).curves(module, x, values, ALL)
    for k in range(6):
        expected = deletion_curve(
            lambda row: answers(module, row), x[k].numpy(), values[k].numpy(), baseline, inserts=measure is Insertion
        )
        at = np.interp(found.shares, np.linspace(0, 1, 6), expected)
        np.testing.assert_allclose(found.own[k], at, atol=1e-12)
        score = measure(removal=removal, draws=3)(module, x, values, ALL)
        assert score.values[0, k] == pytest.approx(np.trapezoid(expected, dx=1 / 5), abs=1e-12)


def test_random_orders_end_where_all_orders_end() -> None:
    found = Deletion(draws=7).curves(relu_mlp(), table(), numbers(6, 5), ALL)
    assert found.random.shape == (7, 6, 33)
    for end in (0, -1):
        np.testing.assert_allclose(found.random[:, :, end], np.broadcast_to(found.own[:, end], (7, 6)))
    assert np.ptp(found.random[:, :, 16], axis=0).max() > 1e-3


@pytest.mark.parametrize(("measure", "pick"), [(Deletion, min), (Insertion, max)])
def test_no_order_is_better_than_that_of_an_additive_models_contributions(measure: Any, pick: Any) -> None:
    weights = torch.tensor([1.5, -2, 0.3, 4]).double()
    model, x = Formula(lambda x: x @ weights), numbers(3, 4)
    best = measure(draws=0)(model, x, x * weights).values[0]
    every = [measure(draws=0)(model, x, torch.tensor(order).expand(3, 4)).values[0] for order in permutations(range(4))]
    np.testing.assert_allclose(best, [pick(of) for of in zip(*every, strict=True)], atol=1e-12)
    worst = measure(draws=0)(model, x, -x * weights).values[0]
    np.testing.assert_allclose(worst, [{min: max, max: min}[pick](of) for of in zip(*every, strict=True)], atol=1e-12)


def test_chance_is_the_mean_over_all_orders() -> None:
    """For an additive model: the mean of its value with everything and with nothing."""
    weights = torch.tensor([1.5, -2, 0.3, 4, 1]).double()
    x = numbers(1, 5).expand(50, 5)
    found = Deletion(draws=99)(Formula(lambda x: x @ weights), x, x)
    assert found.chance.score == pytest.approx(float(x[0] @ weights) / 2, abs=0.02)


def test_all_the_same_is_chance_and_not_the_order_of_columns() -> None:
    """A peer sorts ties by place: the model reads the first columns alone, and so it would be called excellent."""
    model, x = Formula(lambda x: x[:, :3].sum(1)), numbers(60, 20).abs()
    found = Deletion()(model, x, torch.zeros(60, 20))
    assert found.verdict == SAME
    assert Deletion()(model, x, torch.arange(20.0).flip(0).expand(60, 20)).verdict == BETTER


def test_sign_turns_the_verdict_round() -> None:
    model, x = relu_mlp(), table(40)
    found = attribute(model, x, Occlusion(), ALL)
    values = found.values
    assert isinstance(values, Tensor)
    assert Deletion()(model, x, found, ALL).verdict == BETTER
    assert Deletion()(model, x, -values, ALL).verdict == WORSE


def test_fewer_steps_are_points_of_the_same_curve() -> None:
    x, values = numbers(4, 30), numbers(4, 30, seed=1)
    model = Formula(lambda x: torch.tanh(x[:, :10].sum(1)) + x[:, 4] * x[:, 20])
    fine, coarse = (Deletion(steps=steps, draws=2).curves(model, x, values) for steps in (30, 6))
    np.testing.assert_allclose(fine.own[:, ::5], coarse.own, atol=1e-12)


def test_steps_go_to_the_model_in_full_chunks() -> None:
    model = Formula(lambda x: x.sum(1))
    Deletion(steps=10, draws=4)(model, numbers(12, 20), numbers(12, 20), batch_size=50)
    copies = 12 * 11 + 4 * 12 * 9
    asked = [size for size in model.sizes if size == 50]
    assert len(asked) == 12 * 11 // 50 + 4 * 12 * 9 // 50
    assert sum(model.sizes) < copies + 40


def test_a_background_of_rows_is_averaged_over() -> None:
    model, x, values = relu_mlp(), table(3), numbers(3, 5, seed=4)
    rows = table(7, seed=5)
    found = Deletion(removal=Rows(rows), draws=0)(model, x, values, ALL)
    each = [Deletion(removal=Constant({"input": row}), draws=0)(model, x, values, ALL).values for row in rows]
    np.testing.assert_allclose(found.values, np.mean(each, 0), atol=1e-12)


def test_graphs_of_any_size_lose_rows_and_groups() -> None:
    given = case("gcn")
    found = attribute(given.model, given.inputs, Occlusion())
    whole = Deletion(draws=3)(given.model, given.inputs, found)
    for k in range(len(given.inputs)):
        one = given.inputs.take(torch.tensor([k]))
        alone = Deletion(draws=3)(given.model, one, attribute(given.model, one, Occlusion()))
        np.testing.assert_allclose(alone.values[:, 0], whole.values[:, k], atol=1e-10)
        np.testing.assert_allclose(alone.random[:, 0], whole.random[:, k], atol=1e-10)


def test_groups_leave_together_with_the_sum_of_their_values() -> None:
    model, x, values = relu_mlp(), table(), numbers(6, 5, seed=4)
    by = Grouped(group=torch.tensor([0, 1, 0, 1, 2]))
    sums = torch.stack([values[:, [0, 2]].sum(1), values[:, [1, 3]].sum(1), values[:, 4]], 1)
    by_rows, by_features = (Deletion(by=by, draws=0)(model, x, each, ALL).values for each in (values, sums))
    np.testing.assert_allclose(by_rows, by_features)
    assert Deletion(by=by, draws=0, steps=3).curves(model, x, sums, ALL).own.shape == (6, 4)


def test_an_example_without_features_is_what_it_is() -> None:
    given = case("bag-mlp")  # its second example is empty
    found = Deletion(draws=2).curves(given.model, given.inputs, attribute(given.model, given.inputs, Occlusion()))
    assert isinstance(found, Curves)
    assert np.ptp(found.own[1]) == 0
    assert np.ptp(found.random[:, 1]) == 0


def test_values_of_other_inputs_are_refused() -> None:
    with pytest.raises(InputError, match="give one value for each row"):
        Deletion()(relu_mlp(), table(), numbers(6, 4))
    with pytest.raises(InputError, match="of 5 examples, the inputs are 6"):
        Deletion()(relu_mlp(), table(), numbers(5, 5))
    bad = numbers(6, 5)
    bad[3, 2] = torch.nan
    with pytest.raises(InputError, match="the attribution holds NaN"):
        Deletion()(relu_mlp(), table(), bad)
    with pytest.raises(InputError, match="0 steps"):
        Deletion(steps=0)


# --- images that are filled in ---


def first_pixels(share: float = 0.4) -> Tensor:
    """Which pixels of `images()` are gone, (4, 5, 4)."""
    return numbers(4, 5, 4, seed=3).argsort(-1).float() < 4 * share


def test_removed_pixels_are_means_of_their_neighbours() -> None:
    x, gone = images(), first_pixels()
    absent = NoisyLinear(noise=0.0).without(Tensors(x), None)
    filled = absent.copies(torch.arange(4), torch.zeros(4, dtype=torch.long), ~gone.flatten(1)).parts["input"]
    for k in range(4):
        for channel in range(2):
            expected = imputed(x[k, channel].numpy(), gone[k].numpy())
            np.testing.assert_allclose(filled[k, channel], expected, atol=1e-8)


def test_a_linear_ramp_is_continued_and_a_flat_image_stays_flat() -> None:
    flat = torch.full((1, 1, 6, 7), 0.3)
    gone = torch.zeros(1, 42, dtype=torch.bool)
    gone[0, 20:33] = True
    absent = NoisyLinear(noise=0.0).without(Tensors(flat), None)
    row = torch.zeros(1, dtype=torch.long)
    torch.testing.assert_close(absent.copies(row, row, ~gone).parts["input"], flat)
    every = absent.copies(row, row, torch.zeros(1, 42, dtype=torch.bool)).parts["input"]
    torch.testing.assert_close(every, flat)  # nothing is left: the mean
    ramp = torch.arange(42.0).reshape(1, 1, 6, 7).double()
    inner = torch.zeros(6, 7, dtype=torch.bool)
    inner[2:4, 2:5] = True
    absent = NoisyLinear(noise=0.0).without(Tensors(ramp), None)
    torch.testing.assert_close(absent.copies(row, row, ~inner.flatten()[None]).parts["input"], ramp)


def test_noise_is_that_of_the_place_and_seeded() -> None:
    x, row = images(), torch.zeros(4, dtype=torch.long)
    gone = first_pixels().flatten(1)
    one, again, other = (
        NoisyLinear(noise=0.1, seed=seed).without(Tensors(x), None).copies(torch.arange(4), row, ~gone).parts["input"]
        for seed in (0, 0, 1)
    )
    plain = NoisyLinear(noise=0.0).without(Tensors(x), None).copies(torch.arange(4), row, ~gone).parts["input"]
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    drawn = 0.1 * draw(Tensors(x), seed=(0,), law="normal")["input"]
    close(one - plain, torch.where(gone.reshape(4, 1, 5, 4), drawn, 0.0))


def test_how_a_copy_is_filled_in_does_not_depend_on_the_others() -> None:
    """To one percent here, so that one step more would show."""
    image, gone = images(), first_pixels()[:, None]
    gone[1] = False
    gone[1, 0, 1:3, 1:3] = True  # which takes fewer steps
    whole = noisy_linear._harmonic(image, gone, 0.01)
    for k in range(4):
        close(noisy_linear._harmonic(image[k : k + 1], gone[k : k + 1], 0.01)[0], whole[k], 1e-12)


def test_imputation_is_for_whole_pixels_of_images() -> None:
    with pytest.raises(InputError, match="for images"):
        NoisyLinear().without(Tensors(table()), None)
    channels = Grouped(group=torch.arange(40).reshape(2, 5, 4))
    with pytest.raises(InputError, match="a pixel is imputed with all its channels"):
        NoisyLinear().without(Tensors(images()), channels)


class Brightest(nn.Module):
    """Says in which half of the image the bright square is."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([x[..., :4].sum((1, 2, 3)), x[..., 4:].sum((1, 2, 3))], 1)


def squares(count: int = 12) -> tuple[Tensor, Tensor]:
    x = 0.1 * numbers(count, 1, 6, 8).abs()
    where = torch.arange(count) % 2
    for k in range(count):
        x[k, 0, 2:4, 1 + 4 * int(where[k]) : 3 + 4 * int(where[k])] += 1
    return x, where


def test_road_counts_decisions_that_are_kept() -> None:
    x, labels = squares()
    square, inverse = x.clone(), -x
    found = ROAD(shares=(0.1, 0.2), draws=20)(Brightest(), x, square)
    assert found.mean.score < 0.6
    assert found.verdict == BETTER
    assert ROAD(shares=(0.1, 0.2))(Brightest(), x, inverse).mean.score == 1
    told = ROAD(shares=(0.1, 0.2), labels=labels)(Brightest(), x, square)
    np.testing.assert_array_equal(told.values, found.values)
    wrong = ROAD(shares=(0.1, 0.2), labels=1 - labels)(Brightest(), x, square)
    np.testing.assert_allclose(wrong.values, 1 - found.values)


def test_road_of_one_output_keeps_its_sign() -> None:
    x, labels = squares()
    side = torch.ones(6, 8).double()
    side[:, 4:] = -1  # what speaks for class 0 has negative values
    of_classes = torch.where(labels.bool()[:, None, None, None], -side, side) * x
    difference, measure = Formula(lambda x: (x * side).sum((1, 2, 3))), ROAD(shares=(0.1, 0.2))
    found = measure(difference, x, side * x)
    np.testing.assert_array_equal(found.values, measure(Brightest(), x, of_classes).values)
    assert found.verdict == BETTER
    with pytest.raises(InputError, match="3 labels for 12 examples"):
        ROAD(labels=torch.zeros(3, dtype=torch.long))(Brightest(), x, x)
    with pytest.raises(InputError, match="above 0 and at most 1"):
        ROAD(shares=(0.0, 0.5))


def test_regression_needs_no_class() -> None:
    target: Target = Logit(0)
    model, x = Formula(lambda x: 100 + (x**2).sum(1)), table(30)
    assert Deletion(removal=Zeros())(model, x, x**2, target).verdict == BETTER
