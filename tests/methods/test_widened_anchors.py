"""Rules over wider bins: what they hold for, counted row by row, and that no step made them less precise than asked."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from attar import Logit, attribute
from attar.core.attribution import Attribution
from attar.core.baseline import Rows
from attar.estimation.ranges import Ranges, widened
from attar.methods.anchors import Anchors
from mixed_table import logistic, mixed
from models import numbers

ROWS = numbers(40, 4, seed=8)
QUARTILES = ROWS.sort(0).values[[9, 19, 29]]


Bounds = tuple[Tensor, Tensor]


def bounds(found: Attribution, example: int) -> Bounds:
    above, up_to = found.measured["bounds"][example].clone().unbind(1)
    return above, up_to


def inside(kept: Bounds, rows: Tensor) -> Tensor:
    """Where the numbers of `measured` say that the rule lets a value be."""
    return (rows > kept[0]) & (rows <= kept[1])


def share(model: Callable[[Tensor], Tensor], own: Tensor, rows: Tensor, lets: Tensor) -> float:
    """Of the rows, whatever the rule does not let be as in the example, those that are answered like it."""
    same = (model(torch.where(lets, rows, own)) > 0) == bool(model(own[None]) > 0)
    return float(same.double().mean())


def test_a_bin_is_widened_up_to_where_the_answer_turns() -> None:
    above = attribute(
        lambda x: x[:, 0] - QUARTILES[0, 0], ROWS.max(0).values[None], Anchors(background=Rows(ROWS), precision=1.0)
    )
    assert above.rules == (f"[0] > {float(QUARTILES[0, 0]):.4g}",)
    assert above.measured["bounds"][0, :, 0].tolist() == [float(QUARTILES[0, 0]), *[-np.inf] * 3]
    assert above.measured["bounds"][0, :, 1].tolist() == [np.inf] * 4
    assert above.measured["coverage"].tolist() == [0.75]
    low, high = QUARTILES[0, 1], QUARTILES[2, 1]
    between = attribute(
        lambda x: ((x[:, 1] > low) & (x[:, 1] <= high)).double() - 0.5,
        torch.full((1, 4), float(QUARTILES[1, 1]), dtype=torch.float64),
        Anchors(background=Rows(ROWS), precision=1.0),
    )
    assert between.rules == (f"{float(low):.4g} < [1] ≤ {float(high):.4g}",)
    assert between.measured["coverage"].tolist() == [0.5]
    narrow = attribute(
        lambda x: x[:, 0] - QUARTILES[0, 0], ROWS.max(0).values[None], Anchors(background=Rows(ROWS), widen=False)
    )
    assert narrow.measured["coverage"].tolist() == [0.25]


@pytest.mark.parametrize("wanted", [0.7, 0.85])
def test_wider_rules_are_as_precise_as_asked_and_cover_more(wanted: float) -> None:
    x = numbers(12, 4)

    def model(x: Tensor) -> Tensor:
        return x[:, 0] + 2 * x[:, 1] - x[:, 2] * x[:, 3]

    wide, narrow = (
        attribute(model, x, Anchors(background=Rows(ROWS), precision=wanted, widen=widen)) for widen in (True, False)
    )
    for k in range(12):
        lets = inside(bounds(wide, k), ROWS)
        precision, coverage = share(model, x[k], ROWS, lets), float(lets.all(1).double().mean())
        assert float(wide.measured["precision"][k]) == pytest.approx(precision, abs=1e-12)
        assert float(wide.measured["coverage"][k]) == pytest.approx(coverage, abs=1e-12)
        if bool(narrow.error.reached[k]):
            assert precision >= wanted
            assert coverage >= float(narrow.measured["coverage"][k])
        else:
            assert wide.rules[k] == narrow.rules[k]
        for j in range(4):  # what is lost when one of them is let go
            without = lets | (torch.arange(4) == j)
            assert float(wide.values[k, j]) == pytest.approx(precision - share(model, x[k], ROWS, without), abs=1e-12)
    assert wide.measured["coverage"].mean() > 1.3 * narrow.measured["coverage"].mean()


def test_over_every_row_no_step_more_would_be_precise_enough() -> None:
    """Of a model to which every value further from the example's is less like it."""
    edges, steps = torch.cat([torch.full((1, 4), -torch.inf), QUARTILES, torch.full((1, 4), torch.inf)]), 0
    for own in ROWS[:10]:

        def near(x: Tensor, own: Tensor = own) -> Tensor:
            return 4 - (x - own).abs().sum(1)

        found = attribute(near, own[None], Anchors(background=Rows(ROWS), precision=0.8))
        if not bool(found.error.reached[0]):
            continue
        for j in range(4):
            for side, step in ((0, -1), (1, 1)):
                kept = bounds(found, 0)
                if not bool(torch.isfinite(kept[side][j])):
                    continue
                at = int((edges[:, j] == kept[side][j]).nonzero()[0, 0])
                kept[side][j] = edges[at + step, j]
                assert share(near, own, ROWS, inside(kept, ROWS)) < 0.8
                steps += 1
    assert steps > 10


def test_a_search_widens_too_within_its_budget_and_holds_what_it_says() -> None:
    rows = numbers(4000, 14, seed=3)
    x = rows[:20] + 0.01

    def model(x: Tensor) -> Tensor:
        return x[:, 0] + x[:, 1] + 0.5 * x[:, 2]

    wide, narrow = (
        attribute(model, x, Anchors(background=Rows(rows), budget=20_000, precision=0.9, widen=widen))
        for widen in (True, False)
    )
    assert bool((wide.evaluations <= 20_000).all())
    reached = wide.error.reached.tolist()
    assert sum(reached) >= 15
    fresh = numbers(20_000, 14, seed=9)
    for k in range(20):
        true = share(model, x[k], fresh, inside(bounds(wide, k), fresh))
        low, high = wide.measured["precision at 95%"][k].tolist()
        assert low - 0.02 <= true <= high + 0.02  # over other rows than the background's
        assert true > 0.88 or not reached[k]
    assert wide.measured["coverage"].mean() > 1.5 * narrow.measured["coverage"].mean()


def test_categories_and_what_is_missing_stay_as_they_are() -> None:
    data, background = mixed(30, seed=6), mixed(80, seed=4)
    found = attribute(logistic(), data, Anchors(background=Rows(background), precision=0.85), Logit(1))
    columns = list(data.columns)
    for k in range(30):
        inside = np.ones(80, dtype=bool)
        for j, name in enumerate(columns):
            above, up_to = found.measured["bounds"][k, j].tolist()
            value = data[name].iloc[k]
            if np.isinf(above) and np.isinf(up_to):
                continue
            if pd.isna(value):
                assert np.isnan(above)
                assert np.isnan(up_to)
                assert f"{name} is missing" in found.rules[k]
                inside &= background[name].isna().to_numpy()
            elif isinstance(value, str | bool | np.bool_):
                assert above == up_to
                assert f"{name} = {value}" in found.rules[k]
                inside &= (background[name] == value).to_numpy(dtype=bool)
            else:
                assert above < float(value) <= up_to
                inside &= background[name].between(above, up_to, "right").to_numpy()
        assert float(found.measured["coverage"][k]) == pytest.approx(inside.mean())
    assert any(" ≤ " in rule for rule in found.rules)
    assert any(" = " in rule for rule in found.rules)


@pytest.mark.parametrize("budget", [700, 1000, 4000])
def test_every_evaluation_is_counted_and_none_is_beyond_the_budget(budget: int) -> None:
    """16 rules over 40 rows are 640."""
    x, asked = numbers(5, 4), []

    def model(x: Tensor) -> Tensor:
        asked.append(len(x))
        return x[:, 0] + 2 * x[:, 1] - x[:, 2] * x[:, 3]

    found = attribute(model, x, Anchors(background=Rows(ROWS), precision=0.8, budget=budget))
    assert int(found.evaluations.sum()) == sum(asked) - 2  # and two to see whether company matters
    assert int(found.evaluations.max()) <= budget
    assert (int(found.evaluations.max()) > 641) == (budget > 700)


def test_company_changes_no_search() -> None:
    """Of examples whose rules are of several sizes: the search of some goes on after that of others has ended."""
    rows = numbers(3000, 14, seed=3)
    x = rows[:16] + 0.01

    def model(x: Tensor) -> Tensor:
        return x[:, 0] + 0.8 * x[:, 1] + 0.6 * x[:, 2] + 0.4 * x[:, 3]

    method = Anchors(background=Rows(rows), budget=30_000, precision=0.85)
    whole = attribute(model, x, method)
    assert len(set(whole.measured["size"].tolist())) > 1
    for k in range(16):
        alone = attribute(model, x[k : k + 1], method)
        assert alone.rules[0] == whole.rules[k]
        assert torch.equal(alone.values[0], whole.values[k])
        assert int(alone.evaluations[0]) == int(whole.evaluations[k])


def test_several_targets_widen_each_its_own() -> None:
    x = numbers(4, 4)

    def model(x: Tensor) -> Tensor:
        return torch.stack([x[:, 0] * x[:, 1] + x[:, 2], x[:, 3] - x[:, 0], torch.sin(x.sum(1))], 1)

    targets = [Logit(0), Logit([2, 1, 0, 1])]
    for method in (
        Anchors(background=Rows(ROWS), precision=0.8),
        Anchors(background=Rows(ROWS), precision=0.8, exact_up_to=0),
    ):
        for found, target in zip(attribute(model, x, method, targets), targets, strict=True):
            alone = attribute(model, x, method, target)
            assert found.rules == alone.rules
            for side in ("bounds", "coverage"):
                assert torch.equal(found.measured[side], alone.measured[side])
            for k in range(4):
                assert torch.equal(
                    attribute(model, x[k : k + 1], method, target.take(torch.tensor([k]))).values[0], found.values[k]
                )


def test_the_widest_step_comes_first_and_a_side_that_failed_is_left() -> None:
    """Ten rows: column 0 can let in three below, column 1 two above."""
    of_rows = torch.tensor([[0, 1], [0, 1], [0, 1], [1, 2], [1, 2], [1, 1], [1, 1], [2, 1], [1, 3], [2, 0]])
    own = torch.ones(1, 2, dtype=torch.long)
    ranges = Ranges(of_rows=of_rows, low=own, high=own, first=0 * own, last=3 * own)
    bins, gained = ranges.gains(0, torch.tensor([0, 1]))
    assert bins.tolist() == [[0, 2], [0, 2]]
    assert gained.tolist() == [[3, 1], [0, 2]]
    rule, asked = torch.ones(1, 2, dtype=torch.bool), []

    def enough(trial: Ranges, rule: Tensor, working: Tensor) -> Tensor:
        asked.append((trial.low[0].tolist(), trial.high[0].tolist(), rule[0].tolist()))
        return torch.tensor([trial.high[0, 1] < 3 and trial.low[0, 1] > 0])

    found, left = widened(ranges, torch.tensor([0]), rule, torch.tensor([True]), enough)
    assert [(low, high) for low, high, _ in asked] == [
        ([0, 1], [1, 1]),
        ([0, 1], [1, 2]),
        ([0, 1], [2, 2]),
        ([0, 0], [2, 2]),
        ([0, 1], [2, 3]),
    ]
    assert asked[2][2] == [False, True]  # no row is outside of 0 to 2: the column is let go
    assert left.tolist() == [[False, True]]
    assert (found.low[0].tolist(), found.high[0].tolist()) == ([0, 1], [2, 2])
    assert ranges.low.tolist() == [[1, 1]]
    untouched, same = widened(ranges, torch.tensor([0]), rule, torch.tensor([False]), enough)
    assert torch.equal(untouched.low, own)
    assert bool(same.all())
