"""What stands for absence where an example has positions: the mean, a blur, what neighbours would have."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import nn

import attar
from attar.core.baseline import Blurred, Mean
from attar.core.inputs import Named, Tensors
from attar.core.windows import Windows
from attar.estimation.noisy_linear import NoisyLinear
from attar.methods.grad_input import GradInput
from attar.methods.gradient import Gradient
from attar.methods.lime import Lime
from attar.methods.occlusion import Occlusion
from attar.methods.shapley import Shapley
from attar.methods.smooth_grad import SmoothGrad


def pictures(count: int = 3, side: int = 12) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@dataclass(frozen=True)
class Patches:
    """Bands of rows, as many as the picture's first number says: ten times it, and two."""

    def __call__(self, inputs: attar.Inputs) -> object:
        from attar.core.features import Features, Share

        given = inputs.by_entry().given.parts["input"]
        count, channels, height, width = given.shape
        rows, features, owners, first = [], [], [], 0
        for k in range(count):
            bands = 2 + round(10 * float(given[k, 0, 0, 0]))
            band = (torch.arange(height) * bands // height)[:, None].expand(height, width)
            rows.append(torch.arange(channels * height * width) + k * channels * height * width)
            features.append(band.expand(channels, height, width).flatten() + first)
            owners.append(torch.full((bands,), k))
            first += bands
        row = torch.cat(rows)
        share = Share(torch.cat(features), row, torch.ones(len(row)))
        return Features(name="bands", rule="bands", owner=torch.cat(owners), shares={"input": share})


class Bend(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        flat = x.flatten(1)
        weights = torch.linspace(-1, 1, flat.shape[1], dtype=x.dtype)
        return torch.stack([(flat * weights).sum(1).tanh() + flat.square().mean(1), flat.mean(1)], 1)


def test_a_blur_is_scipys() -> None:
    x = pictures()
    found = Blurred(sigma=1.5)(Tensors(x))["input"].numpy()
    expected = gaussian_filter(x.numpy(), sigma=(0, 0, 1.5, 1.5), mode="reflect", truncate=8)
    np.testing.assert_allclose(found, expected, atol=2e-5)
    alone = Blurred(sigma=1.5)(Tensors(x[1:2]))["input"]
    torch.testing.assert_close(alone[0], torch.from_numpy(found[1]))


def test_a_mean_is_each_examples_own_channel_by_channel() -> None:
    x = pictures()
    found = Mean()(Tensors(x))["input"]
    torch.testing.assert_close(found, x.mean((2, 3), keepdim=True).expand_as(x))
    assert Mean()(Tensors(x[:, :, 0]))["input"].shape == (3, 3, 12)  # a signal


@pytest.mark.parametrize("baseline", [Mean(), Blurred()])
@pytest.mark.parametrize("inputs", [Tensors(torch.rand(3, 4)), Named({"rows": torch.rand(3, 4)})])
def test_what_has_no_positions_has_neither(baseline: Mean | Blurred, inputs: attar.Inputs) -> None:
    with pytest.raises(attar.InputError, match=r"needs \(batch, channels, \*positions\)"):
        baseline(inputs)


@pytest.mark.parametrize("sigma", [0.0, -1.0, float("inf")])
def test_a_blur_of_nothing_is_refused(sigma: float) -> None:
    with pytest.raises(attar.InputError, match="positive number of positions"):
        Blurred(sigma=sigma)


def test_occlusion_fills_in_from_what_is_left() -> None:
    """Against the copies made by hand, one at a time, for examples with different numbers of parts."""
    x, net, fill = pictures(), Bend(), NoisyLinear(noise=0.0)
    x[:, 0, 0, 0] = torch.tensor([0.1, 0.0, 0.2])
    found = attar.attribute(net, x, Occlusion(by=Patches(), baseline=fill), attar.Logit(0))
    values = found.by_example("bands")
    assert [len(each) for each in values] == [3, 2, 4]
    for k, bands in enumerate([3, 2, 4]):
        way = fill.without(Tensors(x[k : k + 1]), Patches())
        whole = net(x[k : k + 1])[0, 0]
        for band in range(bands):
            keep = torch.ones(1, bands, dtype=torch.bool)
            keep[0, band] = False
            copy = way.copies(torch.tensor([0]), torch.tensor([0]), keep)
            torch.testing.assert_close(values[k][band], whole - net(copy.parts["input"])[0, 0])
    alone = attar.attribute(net, x[2:], Occlusion(by=Patches(), baseline=fill), attar.Logit(0))
    torch.testing.assert_close(alone.by_example("bands")[0], values[2])


@pytest.mark.parametrize("method", [Lime, Shapley])
def test_others_that_take_parts_away_fill_in_too(method: type) -> None:
    x, name = pictures(2), {Lime: "background", Shapley: "background"}[method]
    by = Windows(shape=(3, 6, 6))
    filled = attar.attribute(Bend(), x, method(by=by, **{name: NoisyLinear(noise=0.0)}), attar.Logit(0))
    zeros = attar.attribute(Bend(), x, method(by=by), attar.Logit(0))
    assert filled.parts["windows"].shape == zeros.parts["windows"].shape == (8,)
    assert not torch.allclose(filled.parts["windows"], zeros.parts["windows"])


def test_gradient_times_the_way_from_a_baseline() -> None:
    x, net = pictures(), Bend()
    gradient = attar.attribute(net, x, Gradient(), attar.Logit(0)).values
    found = attar.attribute(net, x, GradInput(baseline=Mean()), attar.Logit(0))
    torch.testing.assert_close(found.values, (x - x.mean((2, 3), keepdim=True)) * gradient)
    torch.testing.assert_close(attar.attribute(net, x, GradInput(), attar.Logit(0)).values, x * gradient)


def test_a_smoothed_gradient_times_the_way_keeps_its_errors() -> None:
    x, net, base = pictures(), Bend(), SmoothGrad(base=Gradient(), samples=16)
    smooth = attar.attribute(net, x, base, attar.Logit(0))
    found = attar.attribute(net, x, GradInput(base=base, baseline=Mean()), attar.Logit(0))
    away = x - x.mean((2, 3), keepdim=True)
    torch.testing.assert_close(found.values, away * smooth.values)
    torch.testing.assert_close(found.standard_error["input"], away.abs() * smooth.standard_error["input"])
    half = smooth.error.bound / smooth.standard_error["input"].flatten(1).sum(1)
    torch.testing.assert_close(found.error.bound, half * found.standard_error["input"].flatten(1).sum(1))


def test_only_a_gradient_can_be_multiplied() -> None:
    with pytest.raises(attar.InputError, match=r"expected Gradient\(\), or SmoothGrad"):
        GradInput(base=SmoothGrad())
