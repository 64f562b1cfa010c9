"""Occlusion: windows, what is asked of the model and what is not, several targets, precision."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from attar import Features, InputError, Logit, attribute
from attar.adapters import adapt
from attar.core.baseline import Constant
from attar.core.features import Grouped, Share, groups
from attar.core.inputs import Inputs, Tensors
from attar.core.parts import Parts
from attar.core.windows import Windows
from attar.methods.grad_input import GradInput
from attar.methods.occlusion import Occlusion
from attar.methods.shapley import Shapley
from models import FEATURES, PooledCNN, case, close, graphs, images, numbers, relu_mlp, seeded, sparse, table
from reference.sliding_windows import boxes, occluded


class Recorder:
    """A function that remembers what it was asked."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.function = function
        self.asked: list[Tensor] = []

    def __call__(self, x: Tensor) -> Tensor:
        self.asked.append(x.clone())
        return self.function(x)

    @property
    def sizes(self) -> list[int]:
        return [len(x) for x in self.asked]


def weighted(x: Tensor) -> Tensor:
    """Two outputs, each a product of what a row holds."""
    flat = x.flatten(1)
    return torch.stack([torch.tanh(flat).sum(1) * flat[:, 0], (flat**2).sum(1)], 1)


# --- windows ---


@pytest.mark.parametrize(
    ("axes", "shape", "stride"),
    [
        ((10,), (4,), (4,)),  # the last box is cut off, not wrapped round
        ((10,), (4,), (2,)),
        ((10,), (3,), (3,)),
        ((3,), (5,), (2,)),  # longer than the axis
        ((5, 4), (2, 2), (2, 2)),
        ((5, 4), (3, 2), (1, 2)),
        ((2, 5, 4), (2, 3, 3), (1, 2, 2)),
        ((2, 3, 4, 3), (1, 2, 3, 2), (1, 1, 2, 2)),
    ],
)
def test_windows_are_boxes_that_are_cut_off_at_the_end(
    axes: tuple[int, ...], shape: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    features = Windows(shape=shape, stride=stride)(Tensors(torch.zeros(2, *axes)))
    expected = boxes(axes, shape, stride)
    share = features.shares["input"]
    assert features.owner.tolist() == [0] * len(expected) + [1] * len(expected)
    for k in range(2 * len(expected)):
        rows = share.row[share.feature == k] - (k // len(expected)) * int(np.prod(axes))
        found = {tuple(map(int, np.unravel_index(row, axes))) for row in rows.tolist()}
        assert found == expected[k % len(expected)]
        assert len(rows) == len(found)
    assert len(set().union(*expected)) == int(np.prod(axes))  # none is left out


def test_the_last_window_does_not_wrap_round() -> None:
    """As a mask that is rolled along would: of size 10, the window of 4 at 8 holds 8 and 9, not 0 and 1."""
    share = Windows(shape=(4,))(Tensors(torch.zeros(1, 10))).shares["input"]
    assert share.row[share.feature == 2].tolist() == [8, 9]


def test_windows_take_the_axes_before_them_whole() -> None:
    share = Windows(shape=(2, 2))(Tensors(torch.zeros(1, 3, 4, 4))).shares["input"]
    first = {tuple(map(int, np.unravel_index(row, (3, 4, 4)))) for row in share.row[share.feature == 0].tolist()}
    assert first == {(c, h, w) for c in range(3) for h in range(2) for w in range(2)}


@pytest.mark.parametrize("stride", [None, (1, 2), (2, 1)])
@pytest.mark.parametrize("filling", [0.0, 0.7])
def test_occlusion_by_windows_is_the_literal_loop(stride: tuple[int, int] | None, filling: float) -> None:
    """Where windows overlap, an entry has the mean over those that hold it."""
    x, module = images(), seeded(PooledCNN)
    row = torch.full(x.shape[1:], filling, dtype=x.dtype)
    method = Occlusion(by=Windows(shape=(3, 2), stride=stride), baseline=Constant({"input": row}), on_rows=True)
    found = attribute(module, x, method, Logit(1)).values
    all_boxes = [{(c, *place) for c in range(2) for place in box} for box in boxes((5, 4), (3, 2), stride or (3, 2))]

    def output(one: np.ndarray) -> float:
        with torch.no_grad():
            return float(module(torch.from_numpy(one)[None])[0, 1])

    expected = np.stack([occluded(output, one.numpy(), all_boxes, filling) for one in x])
    close(found, torch.from_numpy(expected))


def test_values_of_windows_are_by_example_and_window() -> None:
    x = images()
    found = attribute(seeded(PooledCNN), x, Occlusion(by=Windows(shape=(5, 2))), Logit(0))
    left = x.clone()
    left[..., :2] = 0
    with torch.no_grad():
        drop = seeded(PooledCNN)(x)[:, 0] - seeded(PooledCNN)(left)[:, 0]
    close(found.parts["windows"].reshape(4, 2)[:, 0], drop)
    assert found.owners["windows"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert found.carried_by == "windows of 5 x 2"


def test_an_attribution_is_carried_to_windows_too() -> None:
    """Tiles share an image among themselves: sums are kept."""
    x = images()
    found = attribute(seeded(PooledCNN), x, GradInput(), Logit(0))
    tiles = found.carried(Windows(shape=(2, 2))(Tensors(x)))
    close(tiles.parts["windows"].reshape(4, 3, 2)[:, 0, 1], found.values[:, :, :2, 2:].sum((1, 2, 3)))
    close(tiles.parts["windows"].reshape(4, 6).sum(1), found.values.flatten(1).sum(1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": (2, 2), "stride": (3, 1)}, "stride is .3, 1. for windows of .2, 2., expected 1 to"),
        ({"shape": (2, 2), "stride": (0, 1)}, "stride is .0, 1. for windows"),
        ({"shape": (2, 2), "stride": (1,)}, "differ in axes"),
        ({"shape": ()}, "differ in axes"),
    ],
)
def test_windows_that_would_leave_entries_out_are_refused(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Windows(**options)


def test_windows_need_one_tensor_with_axes_enough() -> None:
    with pytest.raises(InputError, match=r"have more axes than an example, which has .5,."):
        attribute(relu_mlp(), table(), Occlusion(by=Windows(shape=(2, 2))))
    with pytest.raises(InputError, match="windows slide over one tensor, not Graphs"):
        attribute(case("mpnn").model, graphs(), Occlusion(by=Windows(shape=(2,))))


# --- what is asked ---


def test_what_stands_at_the_baseline_gets_an_exact_zero_unasked() -> None:
    x = numbers(4, 6) * (numbers(4, 6, seed=1) > 0)
    model = Recorder(weighted)
    found = attribute(model, x, Occlusion())
    assert bool((found.values[x == 0] == 0).all())
    assert bool((found.values[x != 0] != 0).all())
    there = (x != 0).sum(1)
    assert found.evaluations.tolist() == (there + 1).tolist()
    asked = sum(model.sizes[-1:])
    assert asked == int(there.sum())


def test_a_window_with_anything_in_it_is_asked() -> None:
    x = torch.zeros(2, 1, 4, 4)
    x[1, 0, 3, 0] = 2.0
    found = attribute(weighted, x.double(), Occlusion(by=Windows(shape=(2, 2))), Logit(1))
    assert found.evaluations.tolist() == [1, 2]
    assert found.parts["windows"].tolist() == [0, 0, 0, 0, 0, 0, 4, 0]


def test_every_entry_of_several_inputs_is_taken_away() -> None:
    given = case("picture-and-words")
    found = attribute(given.model, given.inputs, Occlusion(), Logit(1))
    asked = adapt(given.model)
    whole = asked.predict(given.inputs)[:, 1]
    for part, array in given.inputs.parts.items():
        expected = torch.zeros_like(array)
        for place in np.ndindex(*array.shape[1:]):
            without = array.clone()
            without[(slice(None), *place)] = 0
            copies = given.inputs.replace(Parts({**given.inputs.parts, part: without}))
            expected[(slice(None), *place)] = whole - asked.predict(copies)[:, 1]
        close(found.parts[part], expected)
    assert found.evaluations.tolist() == [1 + 9 + 2] * 4


@pytest.mark.parametrize("by", [None, Windows(shape=(1,)), Grouped(group=torch.arange(8))])
def test_every_unit_of_a_layer_is_taken_away(by: Callable[[Inputs], Features] | None) -> None:
    network = seeded(lambda: nn.Sequential(nn.Linear(FEATURES, 8), nn.Tanh(), nn.Linear(8, 2))).double()
    found = attribute(network, table(), Occlusion(by=by, on_rows=True), Logit(0), at="1")
    hidden = network[1](network[0](table()))
    close(found.values, (hidden * network[2].weight[0]).detach())


def test_windows_slide_over_one_of_several_inputs_when_it_is_named() -> None:
    given = case("picture-and-words")
    windows = Windows(shape=(3, 2))
    with pytest.raises(InputError, match="windows slide over one tensor, here are picture, age: give groups of their"):
        attribute(given.model, given.inputs, Occlusion(by=windows))
    of_picture = replace(given.inputs, only=("picture",))
    found = attribute(given.model, of_picture, Occlusion(by=windows))
    assert found.parts["windows"].shape == (4 * 2,)
    shapley = attribute(given.model, of_picture, Shapley(by=windows))
    close(shapley.parts["windows"].reshape(4, 2).sum(1), shapley.output - shapley.reference)


def test_an_example_of_which_nothing_differs_is_asked_nothing_more() -> None:
    found = attribute(relu_mlp(), torch.zeros(3, FEATURES, dtype=torch.float64), Occlusion())
    assert torch.equal(found.values, torch.zeros(3, FEATURES, dtype=torch.float64))
    assert found.evaluations.tolist() == [1, 1, 1]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("by", [None, Windows(shape=(1,))])
def test_a_copy_differs_in_one_entry_which_is_the_baseline_to_the_bit(dtype: torch.dtype, by: Windows | None) -> None:
    """x + (0.7 - x) is not 0.7 in half precision."""
    x = (100 * table()).to(dtype)
    model = Recorder(lambda x: x.double().sum(1))
    row = torch.full((FEATURES,), 0.7, dtype=dtype)
    attribute(model, x, Occlusion(by=by, baseline=Constant({"input": row})))
    copies = model.asked[-1]
    assert len(copies) == x.numel()
    for k, copy in enumerate(copies):
        expected = x[k // FEATURES].clone()
        expected[k % FEATURES] = row[0]
        assert torch.equal(copy, expected)


def test_calls_are_full_but_the_last() -> None:
    model = Recorder(weighted)
    attribute(model, table(6), Occlusion(), batch_size=7)
    assert model.sizes[-5:] == [7, 7, 7, 7, 2]
    model = Recorder(weighted)
    attribute(model, table(6), Occlusion(by=Windows(shape=(2,), stride=(1,))), batch_size=7)
    assert model.sizes[-4:] == [7, 7, 7, 3]


@pytest.mark.parametrize("by", [None, Windows(shape=(2,), stride=(1,))])
def test_several_targets_share_their_evaluations(by: Windows | None) -> None:
    model = Recorder(weighted)
    both = attribute(model, table(), Occlusion(by=by), [Logit(0), Logit(1)])
    together = sum(model.sizes)
    for k, found in enumerate(both):
        alone = attribute(model, table(), Occlusion(by=by), Logit(k))
        for part, array in alone.parts.items():
            close(found.parts[part], array)
        close(found.output, alone.output)
    assert sum(model.sizes) == 3 * together


def test_the_input_is_not_written_on() -> None:
    for inputs in (Tensors(images()), Tensors(images().transpose(2, 3))):
        before = inputs.values.clone()
        attribute(seeded(PooledCNN), inputs, Occlusion(by=Windows(shape=(2, 2), stride=(1, 1)), on_rows=True))
        attribute(seeded(PooledCNN), inputs, Occlusion())
        assert torch.equal(inputs.values, before)


# --- shares ---


def test_a_share_that_is_named_twice_counts_twice() -> None:
    """Half a row and half of it again are the row."""

    def halves(whole: Inputs) -> Features:
        row = torch.arange(len(whole.owners["input"]))
        share = Share(row.repeat(2), row.repeat(2), torch.full((2 * len(row),), 0.5))
        return Features(name="halves", rule="halves", owner=whole.owners["input"], shares={"input": share})

    found = attribute(relu_mlp(), table(), Occlusion(by=halves, on_rows=True))
    close(found.values, attribute(relu_mlp(), table(), Occlusion()).values)


def test_rows_have_the_loss_of_the_group_that_holds_them() -> None:
    given = case("bag-mlp")

    def two(whole: Inputs) -> Features:
        return groups(whole.owners["words"], sparse().columns % 2, "words", "halves")

    by_group = attribute(given.model, given.inputs, Occlusion(by=two), Logit(0))
    on_rows = attribute(given.model, given.inputs, Occlusion(by=two, on_rows=True), Logit(0))
    group = two(given.inputs).shares["words"].feature
    close(on_rows.parts["words"], by_group.parts["halves"][group])
    assert on_rows.carried_by is None


def test_a_row_in_no_feature_has_nothing() -> None:
    def first_only(whole: Inputs) -> Features:
        row = torch.arange(0, len(whole.owners["input"]), FEATURES)
        share = Share(torch.arange(len(row)), row, torch.ones(len(row)))
        return Features(name="first", rule="first", owner=torch.arange(len(row)), shares={"input": share})

    found = attribute(relu_mlp(), table(), Occlusion(by=first_only, on_rows=True)).values
    assert torch.equal(found[:, 1:], torch.zeros(6, FEATURES - 1, dtype=torch.float64))
    close(found[:, 0], attribute(relu_mlp(), table(), Occlusion()).values[:, 0])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_half(dtype: torch.dtype) -> None:
    module = seeded(lambda: nn.Linear(FEATURES, 2), dtype)
    x = table().to(dtype)
    found = attribute(module, x, Occlusion(), Logit(0)).values
    assert found.dtype == dtype
    torch.testing.assert_close(found, x * module.weight.detach()[0], rtol=0.05, atol=0.05)
