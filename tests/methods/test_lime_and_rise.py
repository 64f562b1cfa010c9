"""LIME and RISE against every mask, one by one, and against what is known of their errors."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.stats import binom
from torch import Tensor

from attar import InputError, Logit, attribute
from attar.core.baseline import Constant, Rows, Zeros
from attar.core.features import Features, Grouped, Share, groups
from attar.core.inputs import Inputs, Tensors
from attar.estimation.soft_masks import SoftMasks, _interpolation, _step
from attar.methods.lime import Lime
from attar.methods.rise import Rise
from models import case, graphs, numbers, sparse
from reference.perturbation import lime_slopes, rise_values, table_slopes


def bumpy(x: Tensor) -> Tensor:
    """Products of two and of three entries: no line fits it."""
    return torch.stack([x[:, 0] * x[:, 1] + torch.sin(x.sum(1)), x[:, 0] * x[:, 2] * x[:, -1] + x[:, 1]], 1)


def of_row(k: int) -> Callable[[np.ndarray], float]:
    return lambda row: float(bumpy(torch.from_numpy(row[None]))[0, k])


def close(found: Tensor, expected: Tensor | np.ndarray, tolerance: float = 1e-9) -> None:
    torch.testing.assert_close(found, torch.as_tensor(expected), rtol=tolerance, atol=tolerance)


# --- every mask ---


@pytest.mark.parametrize(("width", "ridge"), [(None, None), (0.1, None), (0.6, 2.0)])
def test_few_features_are_lime_over_every_mask(width: float | None, ridge: float | None) -> None:
    x, baseline = numbers(3, 6), numbers(1, 6, seed=8)
    method = Lime(width=width, ridge=ridge, background=Constant({"input": baseline}))
    found = attribute(bumpy, x, method, Logit([0, 1, 0]))
    for k, output in enumerate((0, 1, 0)):
        expected = lime_slopes(of_row(output), x[k].numpy(), baseline[0].numpy(), width or 0.25, ridge or 0.0)
        close(found.values[k], expected)
    assert found.error.bound.tolist() == [0.0] * 3
    assert found.evaluations.tolist() == [1 + 2**6] * 3


def test_few_features_are_rise_over_every_mask() -> None:
    x, baseline = numbers(3, 6), numbers(1, 6, seed=8)
    found = attribute(bumpy, x, Rise(baseline=Constant({"input": baseline})), Logit([0, 1, 0]))
    for k, output in enumerate((0, 1, 0)):
        close(found.values[k], rise_values(of_row(output), x[k].numpy(), baseline[0].numpy()))
    assert found.error.bound.tolist() == [0.0] * 3


@pytest.mark.parametrize("method", [Lime(), Rise()])
def test_a_lone_feature_has_the_whole_difference(method: Lime | Rise) -> None:
    x = torch.tensor([[2.0], [-3.0]], dtype=torch.float64)
    close(attribute(lambda row: row**3, x, method).values, x**3)


# --- what draws converge to ---


def sampled(method: Lime | Rise, **options: object) -> Lime | Rise:
    return type(method)(exact_up_to=0, tolerance=1e-3, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", [Lime(), Rise()])
def test_the_error_bars_hold_what_every_mask_gives(method: Lime | Rise) -> None:
    """95% of the single intervals, over seeds; the sum of them as an L1 bound nearly always."""
    x = numbers(4, 7)
    truth = attribute(bumpy, x, method, Logit(0)).values
    inside, within, ratio = [], [], []
    for seed in range(40):
        found = attribute(bumpy, x, sampled(method, seed=seed, budget=400), Logit(0))
        off, error = (found.values - truth).abs(), found.standard_error["input"]
        inside += (off <= 2 * error).flatten().tolist()
        within += (off.sum(1) <= found.error.bound).tolist()
        ratio.append((off.square().mean(), error.square().mean()))
    assert 0.92 < np.mean(inside) < 0.985
    assert np.mean(within) > 0.97
    true, claimed = np.sqrt(np.mean(ratio, 0))
    assert 0.9 < claimed / true < 1.15


@pytest.mark.parametrize("method", [Lime(), Rise()])
def test_errors_fall_with_the_root_of_the_draws(method: Lime | Rise) -> None:
    x = numbers(4, 7)
    small, large = (attribute(bumpy, x, sampled(method, budget=n), Logit(0)).error.bound for n in (513, 8193))
    assert 3.0 < float((small / large).mean()) < 5.5


@pytest.mark.parametrize("method", [Lime(), Rise()])
def test_a_linear_model_is_exact_whatever_is_drawn(method: Lime | Rise) -> None:
    """Coins of a block are orthogonal and a surrogate fits a line: what other features do adds nothing."""
    x, weights = numbers(3, 16), numbers(16, seed=4)
    found = attribute(lambda row: row @ weights + 3, x, sampled(method, budget=2049))
    close(found.values, x * weights)
    assert float(found.error.bound.max()) < 1e-9
    assert found.error.reached.all()


@pytest.mark.parametrize("method", [Lime(), Rise()])
def test_it_stops_at_the_tolerance_and_says_when_it_could_not(method: Lime | Rise) -> None:
    x = numbers(6, 14) * torch.tensor([[0.05], [1.0], [0.05], [1.0], [1.0], [1.0]])  # nearly a line where small
    found = attribute(bumpy, x, type(method)(tolerance=0.2, budget=2000), Logit(0))
    size = found.values.abs().sum(1)
    assert found.error.reached.tolist() == [True, False, True, False, False, False]
    assert bool((found.error.bound[found.error.reached] <= 0.2 * size[found.error.reached]).all())
    assert bool((found.evaluations[~found.error.reached] > 1500).all())
    assert bool((found.evaluations <= 2001).all())
    assert bool((found.evaluations[found.error.reached] < 1500).all())


@pytest.mark.parametrize("method", [Lime(), Rise(), Lime(background=Rows(numbers(50, 14, seed=3)))])
def test_several_targets_are_what_each_is_alone(method: Lime | Rise) -> None:
    x = numbers(3, 14)
    calls = []

    def counted(rows: Tensor) -> Tensor:
        calls.append(len(rows))
        return bumpy(rows)

    method = type(method)(**{**vars(method), "budget": 600})
    together = attribute(counted, x, method, [Logit(0), Logit(1)])
    shared, calls[:] = sum(calls), []
    for k, found in enumerate(together):
        alone = attribute(counted, x, method, Logit(k))
        close(found.values, alone.values, 1e-12)
        assert found.evaluations.tolist() == alone.evaluations.tolist()
    assert shared < 0.6 * sum(calls)


# --- features ---


def halves(inputs: Inputs) -> Features:
    """Of a flattened row: the first entries, the rest."""
    owner = inputs.owners["input"]
    each = len(owner) // len(inputs)
    return groups(owner, (torch.arange(len(owner)) % each) * 2 // each, "input", "halves")


@pytest.mark.parametrize("method", [Lime(by=halves), Rise(by=halves)])
def test_features_go_together(method: Lime | Rise) -> None:
    x, weights = numbers(3, 2, 5, seed=2), numbers(10, seed=4)
    found = attribute(lambda t: t.flatten(1) @ weights, x, method)
    expected = (x.flatten(1) * weights).reshape(3, 2, 5).sum(2).flatten()
    close(found.parts["halves"], expected)
    assert found.owners["halves"].tolist() == [0, 0, 1, 1, 2, 2]


def test_groups_are_the_same_in_every_example() -> None:
    """Columns by name, one of them in no group; pixels with all their channels."""
    x, weights = numbers(3, 4), numbers(4, seed=4)
    by = Grouped(group=torch.tensor([0, 1, 0, -1]), names=("life", "work"))
    found = attribute(lambda t: t @ weights, x, Lime(by=by))
    terms = x * weights
    close(found.parts["groups"], torch.stack([terms[:, 0] + terms[:, 2], terms[:, 1]], 1).flatten())
    assert {name for name, _ in found.ranked(1)} == {"life", "work"}
    pictures = numbers(2, 3, 2, 2)
    quarters = attribute(lambda t: t.sum((1, 2, 3)), pictures, Rise(by=Grouped(group=torch.arange(4).reshape(2, 2))))
    close(quarters.parts["groups"], pictures.sum(1).flatten())
    with pytest.raises(InputError, match=r"the group map is torch.int64 of shape \(3,\), expected integers for \(4,\)"):
        attribute(lambda t: t @ weights, x, Lime(by=Grouped(group=torch.arange(3))))
    with pytest.raises(InputError, match="1 names for 2 groups"):
        attribute(lambda t: t @ weights, x, Lime(by=Grouped(group=torch.tensor([0, 1, 0, 1]), names=("one",))))


def overlapping(inputs: Inputs) -> Features:
    """Three features of a row of three entries, each of two of them."""
    entries = len(inputs.owners["input"])
    row = torch.arange(entries).repeat_interleave(2)
    feature = row // 3 * 3 + (row + torch.tensor([0, 1]).repeat(entries)) % 3
    share = Share(feature, row, torch.ones(len(row)))
    return Features(name="pairs", rule="pairs", owner=inputs.owners["input"], shares={"input": share})


def test_what_two_features_hold_is_gone_once_where_both_are() -> None:
    """An entry stays only if both features that hold it do: each counts its two entries, half kept by the other."""
    x = torch.tensor([[1.0, 10.0, 100.0]], dtype=torch.float64)
    found = attribute(lambda t: t.sum(1), x, Rise(by=overlapping))
    close(found.parts["pairs"], torch.tensor([50.5, 5.5, 55.0], dtype=torch.float64))


@pytest.mark.parametrize("method", [Lime(), Rise()])
def test_ragged_examples_are_each_asked_by_their_own_number_of_features(method: Lime | Rise) -> None:
    """The row without entries too; linear in what a row holds, so that each entry has what it adds."""
    found = attribute(lambda rows: rows.dense() @ torch.arange(6.0, dtype=torch.float64), sparse(), method)
    close(found.parts["words"], sparse().counts * sparse().columns)
    assert found.evaluations.tolist() == [1 + 2**n for n in (2, 0, 3, 1, 4)]
    of_graphs = attribute(case("mpnn").model, graphs(), type(method)(exact_up_to=2, budget=600))
    assert {name: len(array) for name, array in of_graphs.parts.items()} == {"nodes": 10, "edges": 14}


# --- RISE with space ---


@pytest.mark.parametrize("shape", [(2, 3, 40), (2, 2, 12, 15), (1, 2, 6, 9, 7)])
def test_rise_finds_the_place_on_any_number_of_axes(shape: tuple[int, ...]) -> None:
    """The model looks at one place: the map is highest there, and falls to nothing a cell away."""
    place = tuple(size // 3 for size in shape[2:])
    x = torch.ones(shape, dtype=torch.float64)
    found = attribute(lambda t: t[(slice(None), slice(None), *place)].sum(1), x, Rise(cells=4, budget=4096))
    assert found.values.shape == x.shape
    maps = found.values.sum(1)
    for example in maps:
        peak = example[place]
        assert float(peak) == pytest.approx(shape[1], rel=0.15)  # keeping the place gives its whole sum
        assert float(example.max()) < 1.15 * float(peak)
        assert abs(float(example[(-1,) * len(place)])) < 0.15 * float(peak)


def test_rise_on_tokens_is_exact_for_what_tokens_add() -> None:
    x, weights = numbers(2, 6, 4, seed=3), numbers(4, seed=5)
    found = attribute(lambda t: (t @ weights).sum(1), x, Rise(channels=-1, cells=6))
    close(found.values, (x @ weights)[..., None].expand(-1, -1, 4) / 4)


def test_rise_keeps_the_sign_where_the_papers_mean_cannot() -> None:
    """A place that speaks against: the paper's mean of a positive output is positive there as well."""
    x = torch.ones(1, 1, 8, 8, dtype=torch.float64)
    found = attribute(lambda t: 5 - t[:, 0, 2, 2] + t[:, 0, 6, 6], x, Rise(cells=8))
    assert float(found.values[0, 0, 2, 2]) == pytest.approx(-1)
    assert float(found.values[0, 0, 6, 6]) == pytest.approx(1)
    assert float(found.values.abs().sum()) == pytest.approx(2)


@pytest.mark.parametrize("shape", [(5,), (14,), (100,), (30, 13), (8, 5, 21)])
def test_what_a_masks_place_varies_is_the_mean_over_every_shift(shape: tuple[int, ...]) -> None:
    soft = SoftMasks.over(Tensors(torch.zeros(1, 2, *shape)), Zeros(), cells=7, channels=1)
    expected = torch.ones(1, dtype=torch.float64)
    for length in shape:
        shifts = [_interpolation(length, 7, shift).square().sum(1) for shift in range(_step(length, 7))]
        expected = (expected[:, None] * torch.stack(shifts).mean(0)).flatten()
    close(torch.full_like(expected, soft.concentration), expected)


def test_half_a_minute_of_sound_is_no_longer_to_prepare_than_to_ask_about() -> None:
    """A grid of seven has 68,572 shifts there: none of them may be laid out but those that are drawn."""
    sound = torch.ones(1, 1, 480_000)
    found = attribute(lambda t: t[:, :, 240_000:].mean(2), sound, Rise(budget=20))
    assert float(found.values[0, 0, 300_000:].mean()) > 2 * abs(float(found.values[0, 0, :180_000].mean()))


# --- LIME on tables ---


def test_lime_on_a_table_converges_to_every_combination_of_the_backgrounds_values() -> None:
    background, x = numbers(8, 3, seed=7), numbers(4, 3)
    edges = [np.quantile(column, [0.25, 0.5, 0.75]) for column in background.numpy().T]
    method = Lime(background=Rows(background), budget=60000, tolerance=1e-4)
    found = attribute(bumpy, x, method, Logit(0))
    for k in range(4):
        expected = torch.as_tensor(table_slopes(of_row(0), x[k].numpy(), background.numpy(), edges, 0.75))
        off, error = (found.values[k] - expected).abs(), found.standard_error["input"][k]
        assert bool((off <= 3.5 * error).all())
        assert float(error.max()) < 0.03


def test_lime_on_a_table_covers_its_limit() -> None:
    background, x = numbers(60, 5, seed=7), numbers(5, 5)
    truth = attribute(bumpy, x, Lime(background=Rows(background), budget=60000, tolerance=1e-4), Logit(0)).values
    inside = []
    for seed in range(40):
        method = Lime(background=Rows(background), budget=400, tolerance=1e-4, seed=seed)
        found = attribute(bumpy, x, method, Logit(0))
        inside += ((found.values - truth).abs() <= 1.97 * found.standard_error["input"]).flatten().tolist()
    assert binom.ppf(0.001, len(inside), 0.93) < sum(inside) < binom.ppf(0.999, len(inside), 0.975)


def test_one_set_of_points_answers_for_the_whole_table() -> None:
    asked = []

    def counted(rows: Tensor) -> Tensor:
        asked.append(len(rows))
        return bumpy(rows)

    method = Lime(background=Rows(numbers(50, 5, seed=7)), budget=1000, tolerance=1e-4)
    attribute(counted, numbers(30, 5), method, Logit(0))
    assert sum(asked) < 1200  # the points, the rows themselves, and the verb's own questions


def test_columns_as_they_are_give_a_linear_models_own_terms() -> None:
    background, x, weights = numbers(50, 5, seed=7) + 2, numbers(4, 5), numbers(5, seed=4)
    found = attribute(lambda t: t @ weights, x, Lime(background=Rows(background), bins=None))
    close(found.values, weights * (x - background.mean(0)))
    close(found.measured["R²"], torch.ones(4, dtype=torch.float64))


def test_a_column_that_never_changes_gets_nothing() -> None:
    background = numbers(50, 4, seed=7)
    background[:, 2] = 1.5
    x = numbers(3, 4)
    for at in (1.5, 9.0):
        x[:, 2] = at
        found = attribute(lambda t: t.prod(1), x, Lime(background=Rows(background), budget=600))
        assert found.values[:, 2].tolist() == [0.0] * 3
        assert bool(torch.isfinite(found.values).all())


def test_a_bin_that_the_background_never_fills_gets_nothing() -> None:
    """Zeros, and ones from the third quartile on: a half is between the two, where no point ever is."""
    background = numbers(50, 3, seed=7)
    background[:, 1] = torch.arange(50) >= 37
    x = numbers(3, 3)
    x[:, 1] = 0.5
    found = attribute(lambda t: t.sum(1), x, Lime(background=Rows(background), budget=600))
    assert found.values[:, 1].tolist() == [0.0] * 3
    assert bool((found.values[:, 0] != 0).all())


def test_r2_says_how_well_a_line_fits() -> None:
    x = torch.ones(1, 8, dtype=torch.float64)
    line, product = (float(attribute(f, x, Lime()).measured["R²"]) for f in (lambda t: t.sum(1), lambda t: t.prod(1)))
    assert line == pytest.approx(1.0)
    assert product < 0.4
    assert float(attribute(lambda t: 0 * t[:, 0] + 2, x, Lime()).measured["R²"]) == 1.0


# --- what is refused ---


@pytest.mark.parametrize(
    ("method", "x", "said"),
    [
        (Lime(budget=60), numbers(2, 40), "40 features need 169 evaluations for a first fit"),
        (Lime(budget=60, background=Rows(numbers(9, 40))), numbers(2, 40), "40 columns need 165 evaluations"),
        (Lime(), torch.zeros(1, 3000), "3000 features are too many to fit .2048.; group them with by="),
        (Lime(by=halves, background=Rows(numbers(9, 4))), numbers(2, 4), "give by= or a background of rows, not both"),
        (Lime(background=Rows(numbers(9, 2, 2))), numbers(3, 2, 2), r"is for tables .rows, columns., not \(3, 2, 2\)"),
        (Lime(background=Rows(numbers(9, 4))), sparse(), "is for tables .rows, columns., not SparseRows"),
        (Rise(channels=3), numbers(2, 3, 4), "channels is axis 3, expected one of 1 to 2"),
    ],
)
def test_what_cannot_be_answered_is_refused(method: Lime | Rise, x: Tensor | Inputs, said: str) -> None:
    def model(given: Tensor | Inputs) -> Tensor:
        return given.flatten(1).sum(1) if isinstance(given, Tensor) else given.dense().sum(1)  # type: ignore[union-attr]

    with pytest.raises(InputError, match=said):
        attribute(model, x, method)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tolerance": 0.0}, "tolerance is 0.0, expected between 0 and 1"),
        ({"width": 0.0}, "width is 0.0, expected a positive distance"),
        ({"ridge": -1.0}, "ridge is -1.0, expected 0 or more"),
        ({"bins": 1}, "bins is 1, expected 2 or more, or None"),
        ({"exact_up_to": 30}, "exact_up_to is 30, expected 0 to 20"),
    ],
)
def test_options_of_lime_are_checked(options: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Lime(**options)


@pytest.mark.parametrize(
    ("options", "said"), [({"budget": 16}, "budget is 16, expected at least 17"), ({"cells": 0}, "cells is 0")]
)
def test_options_of_rise_are_checked(options: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Rise(**options)


def test_names_of_columns_are_kept() -> None:
    table = Tensors(numbers(2, 3), names=("age", "dose", "weight"))
    found = attribute(lambda t: t.sum(1), table, Lime())
    assert {name for name, _ in found.ranked(0)} == {"age", "dose", "weight"}
