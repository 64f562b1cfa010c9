"""Regional effects: planted regions are found with their curves, and none where there is none."""

import numpy as np
import pytest
import torch
from torch import Tensor

from attar import InputError
from attar.effect_verb import effect
from attar.effects.accumulated_local import AccumulatedLocalEffects
from attar.effects.partial_dependence import PartialDependence
from attar.effects.regional import Regional
from mixed_table import mixed

METHODS = {"PD": PartialDependence(), "ALE": AccumulatedLocalEffects(bins=10)}


def sample(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (rows, 4))


def slope(found) -> float:
    return float((found.values[-1] - found.values[0]) / (found.grid[0][-1] - found.grid[0][0]))


@pytest.mark.parametrize("name", METHODS)
def test_a_rise_and_a_fall_that_cancel_are_told_apart(name: str) -> None:
    found = effect(lambda x: x[:, 0] * torch.sign(x[:, 1]) + x[:, 2], sample(600), 0, Regional(method=METHODS[name]))
    assert abs(slope(found)) < 0.15
    low, high = found.regions
    assert low.where.startswith("[1] ≤ ")
    assert abs(float(low.where.split("≤ ")[1])) < 0.11  # a cut of 20 is at 0 but for one in 20 of the rows
    assert slope(low.effect) == pytest.approx(-1, abs=0.25)
    assert slope(high.effect) == pytest.approx(1, abs=0.25)
    assert low.rows + high.rows == 600
    assert "where [1] ≤ " in str(found)


def test_regions_in_regions() -> None:
    def model(x: Tensor) -> Tensor:
        return x[:, 0] * torch.where(x[:, 1] > 0, torch.where(x[:, 2] > 0, 4.0, -2.0), 0.0)

    found = effect(model, sample(1500), 0, Regional())
    slopes = sorted(slope(region.effect) for region in found.regions)
    assert len(slopes) in (3, 4)
    assert slopes[0] == pytest.approx(-2, abs=0.6)
    assert slopes[-1] == pytest.approx(4, abs=0.6)
    assert len(effect(model, sample(1500), 0, Regional(depth=1)).regions) == 2


@pytest.mark.parametrize("name", METHODS)
def test_there_are_none_where_nothing_divides_the_rows(name: str) -> None:
    additive = effect(lambda x: x[:, 0] ** 2 + x[:, 1], sample(300), 0, Regional(method=METHODS[name]))
    assert not additive.regions
    assert [note.name for note in additive.notes] == ["no regions"]
    wild = 0  # rows differ, but no cut of any column tells how
    for seed in range(60):
        found = effect(
            lambda x: x[:, 0] * torch.sin(200 * x[:, 1]), sample(300, seed), 0, Regional(method=METHODS[name])
        )
        wild += bool(found.regions)
    assert wild <= 2, wild


def test_categories_and_gaps_divide_too() -> None:
    frame = mixed(500)

    def model(rows) -> np.ndarray:
        return rows["dose"].to_numpy() * np.where(rows["colour"] == "red", 1.0, -1.0)

    found = effect(model, frame, "dose", Regional())
    assert {region.where for region in found.regions} == {"colour = red", "colour is not red"}

    def gaps(rows) -> np.ndarray:
        return rows["dose"].to_numpy() * np.where(rows["age (years)"].isna(), 3.0, 0.0)

    assert effect(gaps, frame, "dose", Regional()).regions[0].where == "age (years) is missing"


def test_the_order_of_rows_changes_nothing() -> None:
    x = sample(400)
    found = effect(lambda t: t[:, 0] * torch.sign(t[:, 1]), x, 0, Regional())
    turned = effect(lambda t: t[:, 0] * torch.sign(t[:, 1]), x[::-1], 0, Regional())
    assert [region.where for region in turned.regions] == [region.where for region in found.regions]


def test_what_is_refused() -> None:
    with pytest.raises(InputError, match="two are asked about"):
        effect(lambda x: x[:, 0], sample(60), [0, 1], Regional())
    with pytest.raises(InputError, match="1 or 2"):
        Regional(depth=3)
    with pytest.raises(InputError, match="no other column 'x'"):
        effect(lambda x: x[:, 0], sample(60), 0, Regional(columns=("x",)))
