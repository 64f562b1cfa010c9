"""Counterfactuals that can be done: what must not change does not, several are different, a search can be ended."""

import itertools
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from test_counterfactual import gbm, line
from torch import Tensor

from attar import InputError, attribute
from attar.core.attribution import Attribution
from attar.core.baseline import Rows
from attar.core.column import MISSING
from attar.core.feasible import Feasible
from attar.core.inputs import Tensors
from attar.estimation.near_rows import NearRows
from attar.methods.counterfactual import Counterfactual
from mixed_table import boosted, labels, mixed
from models import numbers


def reached(found: Attribution) -> list[bool]:
    assert found.error.reached is not None
    return found.error.reached.tolist()


def test_limits_hold_and_answers_are_otherwise() -> None:
    model, x = gbm()
    feasible = Feasible(immutable=[0], increasing=[1], decreasing=[2], allowed={3: (-0.5, 0.5), 5: (None, 0.0)})
    rows = torch.from_numpy(x[:40])
    found = attribute(model, rows, Counterfactual(background=Rows(torch.from_numpy(x)), feasible=feasible))
    there = found.measured["counterfactual"]
    assert sum(reached(found)) >= 36
    assert bool((there[:, 0] == rows[:, 0]).all())
    assert bool((there[:, 1] >= rows[:, 1]).all())
    assert bool((there[:, 2] <= rows[:, 2]).all())
    changed = there != rows
    assert bool((there[changed[:, 3], 3].abs() <= 0.5).all())
    assert bool((there[changed[:, 5], 5] <= 0).all())
    assert bool(changed[:, 1:4].any(0).all())  # and what may change does
    assert (model.predict(there.numpy()) != model.predict(x[:40])).tolist() == reached(found)
    for k, column in changed.nonzero().tolist():  # each change is needed
        back = there[k : k + 1].clone()
        back[0, column] = rows[k, column]
        assert model.predict(back.numpy())[0] == model.predict(x[k : k + 1])[0]


def test_what_no_limit_binds_is_found_as_without_limits() -> None:
    model, x = gbm()
    rows = torch.from_numpy(x[:10])
    plain = attribute(model, rows, Counterfactual(background=Rows(torch.from_numpy(x))))
    wide = attribute(
        model, rows, Counterfactual(background=Rows(torch.from_numpy(x)), feasible=Feasible(allowed={0: (-99, 99)}))
    )
    for name in ("counterfactual", "distance"):
        assert torch.equal(wide.measured[name], plain.measured[name])
    assert torch.equal(wide.values, plain.values)


def test_on_a_line_the_one_column_that_may_change_goes_to_the_boundary() -> None:
    """2a - b: with a held, b must go to 2a; where it may only fall and would have to rise, there is none."""
    background, x = numbers(400, 3, seed=1), torch.tensor([[0.3, 1.0, 0.0], [0.3, 0.1, 0.0]], dtype=torch.float64)
    held = Counterfactual(background=Rows(background), feasible=Feasible(immutable=[0], decreasing=[1]), bisections=40)
    found = attribute(line, x, held)
    assert reached(found) == [True, False]
    torch.testing.assert_close(found.measured["counterfactual"][0], torch.tensor([0.3, 0.6, 0.0]).double())
    assert torch.equal(found.measured["counterfactual"][1], x[1])


def test_a_value_outside_its_range_may_stay_but_goes_nowhere_else_outside() -> None:
    background, x = numbers(400, 3, seed=1), torch.tensor([[3.0, 0.0, 0.0]], dtype=torch.float64)
    feasible = Feasible(allowed={0: (-2.0, -1.0)}, immutable=[1])
    there = attribute(line, x, Counterfactual(background=Rows(background), feasible=feasible)).measured
    assert -2 <= float(there["counterfactual"][0, 0]) <= -1


def test_whole_numbers_stay_whole_within_limits_that_are_not() -> None:
    background = torch.from_numpy(np.random.default_rng(0).integers(0, 9, (300, 3)).astype(float))
    x = torch.tensor([[0.0, 8.0, 1.0], [8.0, 0.0, 2.0]], dtype=torch.float64)
    found = attribute(
        line, x, Counterfactual(background=Rows(background), feasible=Feasible(allowed={0: (1.5, 4.5), 1: (2.5, 8)}))
    )
    there = found.measured["counterfactual"]
    assert reached(found) == [True, True]
    assert torch.equal(there, there.round())
    changed = there != x
    assert bool(((there[:, 0] >= 2) & (there[:, 0] <= 4))[changed[:, 0]].all())
    assert bool((there[:, 1] >= 3)[changed[:, 1]].all())


def test_each_entry_comes_as_near_as_it_may() -> None:
    """Three rows that an example at 3 could become, of numbers and of whole ones, between 1.5 and 4.5."""
    limits = Feasible(allowed={0: (1.5, 4.5), 1: (1.5, 4.5)}).of(Tensors(torch.zeros(1, 2)))
    rows, own = torch.tensor([[0.0, 0.0], [4.0, 4.0], [9.0, 9.0]]), torch.full((3, 2), 3.0)
    near = limits.nearest(rows, own, torch.tensor([False, True]), framed=False)
    assert near.tolist() == [[1.5, 2.0], [4.0, 4.0], [4.5, 4.0]]
    gone = torch.full_like(rows, MISSING)
    assert limits.nearest(gone, own, torch.tensor([False, True]), framed=True).tolist() == own.tolist()
    narrow = Feasible(allowed={1: (2.1, 2.9)}).of(Tensors(torch.zeros(1, 2)))  # where there is no whole number
    assert narrow.nearest(rows, own, torch.tensor([False, True]), framed=False)[:, 1].tolist() == [3.0] * 3


def mixed_search(**options: object) -> tuple:
    frame = mixed(300)
    model = clone(boosted()).fit(frame, labels(frame))  # the one that others share stays as it is
    rows = frame.iloc[:12]
    found = attribute(model, rows, Counterfactual(background=Rows(frame), **options))  # type: ignore[arg-type]
    return model, rows, found


def can_be_otherwise(model: Any, row: pd.Series) -> bool:
    """Whether any of many rows drawn column by column, within the limits of the test below, is answered otherwise."""
    frame, drawn = mixed(300), np.random.default_rng(0).integers(0, 300, (5000, 6))
    made = pd.DataFrame({name: frame[name].to_numpy()[drawn[:, k]] for k, name in enumerate(frame)})
    made["member"] = row["member"]
    made["age (years)"] = np.maximum(made["age (years)"].fillna(0), row["age (years)"])  # NaN where the row has none
    settled = made["colour"].where(made["colour"].isin(["red", "blue"]), row["colour"])
    made["colour"] = settled.astype(frame["colour"].dtype)
    made["visits"] = made["visits"].clip(0, 5)
    own = model.predict(pd.DataFrame([row]).astype(frame.dtypes.to_dict()))[0]
    return bool((model.predict(made) != own).any())


def test_levels_and_names_of_a_data_frame() -> None:
    feasible = Feasible(
        immutable=["member"], increasing=["age (years)"], allowed={"colour": ["red", "blue"], "visits": (0, 5)}
    )
    model, rows, found = mixed_search(feasible=feasible)
    there = found.frame("counterfactual")
    answered = reached(found)
    assert answered == [can_be_otherwise(model, row) for _, row in rows.iterrows()]
    assert 3 < sum(answered) < 12
    assert (model.predict(there) != model.predict(rows)).tolist() == answered
    assert there["member"].tolist() == rows["member"].tolist()
    one, other = rows["age (years)"].to_numpy(), there["age (years)"].to_numpy()
    assert bool(((other >= one) | (np.isnan(one) & np.isnan(other))).all())
    colours = there["colour"].to_numpy(dtype=object)
    moved = [
        c for c, own in zip(colours, rows["colour"].to_numpy(dtype=object), strict=True) if c is not own and c != own
    ]
    assert {c for c in moved if isinstance(c, str)} <= {"red", "blue"}
    assert all(isinstance(c, str) or isinstance(own, float) for c, own in zip(colours, rows["colour"], strict=True))


def test_several_are_different_valid_and_nearest_first() -> None:
    model, rows, found = mixed_search(several=3, few=False, neighbours=4)
    codes, here = found.measured["counterfactuals"], found.table.values
    assert codes.shape == (12, 3, 6)
    assert torch.equal(codes[:, 0], found.measured["counterfactual"])
    distances = found.measured["distances"]
    assert torch.equal(distances[:, 0], found.measured["distance"])
    said = model.predict(found.frame("counterfactuals")).reshape(12, 3)
    own = model.predict(rows)
    counts = []
    for k in range(12):
        ways = [frozenset((row != here[k]).nonzero()[:, 0].tolist()) for row in codes[k]]
        there = [way for way in ways if way]
        counts.append(len(there))
        assert ways == [*there, *[frozenset()] * (3 - len(there))]  # those that are missing come last
        assert bool((said[k, : len(there)] != own[k]).all())
        assert distances[k, : len(there)].tolist() == sorted(distances[k, : len(there)].tolist())
        assert distances[k, len(there) :].tolist() == [0.0] * (3 - len(there))
        assert len({*there}) == len(there)
    assert counts.count(3) >= 2  # for many of the others age alone decides
    assert counts.count(2) >= 4
    of = counts.index(3)
    method = Counterfactual(background=Rows(mixed(300)), several=3, few=False, neighbours=4)
    text = str(attribute(model, rows.iloc[of : of + 1], method))
    assert "counterfactual: " in text
    assert "counterfactuals 2: " in text
    assert "counterfactuals 3: " in text


def test_where_one_column_decides_there_is_no_second_way() -> None:
    background, x = numbers(100, 3, seed=1), numbers(3, 3)
    found = attribute(lambda x: x[:, 1], x, Counterfactual(background=Rows(background), several=3))
    assert (found.measured["counterfactuals"][:, 0] != x).sum(1).tolist() == [1, 1, 1]
    assert torch.equal(found.measured["counterfactuals"][:, 1:], x[:, None].expand(-1, 2, -1))


@pytest.mark.parametrize(
    ("several", "few", "doors", "expected"),
    [
        # 2 is found without 0 and without 1, and told once
        (3, False, [{0: 1, 1: 1}, {2: 5}, {3: 9}], [{0, 1}, {2}, {3}]),
        (3, True, [{0: 1, 1: 1}, {2: 5}, {3: 9}], [{2}, {3}, {0, 1}]),
        # without 0 it is nearer than without 1
        (2, False, [{0: 1, 1: 1}, {1: 1, 2: 2}, {0: 1, 3: 3}], [{0, 1}, {1, 2}]),
        (2, True, [{0: 1, 1: 1}, {1: 1, 2: 2}, {0: 1, 3: 3}], [{0, 1}, {1, 2}]),
    ],
)
def test_ways_are_those_that_there_are(
    several: int, few: bool, doors: list[dict[int, float]], expected: list[set[int]]
) -> None:
    """From 0 the answer turns where all columns of one door are above their numbers."""

    def model(x: Tensor) -> Tensor:
        opened = [torch.stack([x[:, column] - above for column, above in door.items()]).amin(0) for door in doors]
        return torch.stack(opened).amax(0)

    random = np.random.default_rng(0)
    rows = random.uniform(0, 12, (300, 4))
    through = np.array([[(door.get(k, -0.2) + 0.2) for k in range(4)] for door in doors])
    background = Rows(torch.from_numpy(np.concatenate([rows, through])))
    found = attribute(
        model, torch.zeros(1, 4, dtype=torch.float64), Counterfactual(background=background, several=several, few=few)
    )
    ways = [{*(row != 0).nonzero()[:, 0].tolist()} for row in found.measured["counterfactuals"][0]]
    assert ways == expected


def test_company_changes_none_of_several() -> None:
    model, x = gbm()
    rows = torch.from_numpy(x[:6])
    method = Counterfactual(background=Rows(torch.from_numpy(x)), several=3, feasible=Feasible(immutable=[1]))
    whole, alone = attribute(model, rows, method), attribute(model, rows[4:5], method, batch_size=7)
    for name in ("counterfactuals", "distances", "plausibility"):
        assert torch.equal(whole.measured[name][4:5], alone.measured[name])


def test_many_columns_are_undone_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 2000 columns two decide. One after another it would take about two million rows."""
    asked, ask = [], NearRows.ask

    def counted(self: NearRows, rows: Tensor, example: Tensor) -> Tensor:
        asked.append(len(rows))
        return ask(self, rows, example)

    monkeypatch.setattr(NearRows, "ask", counted)
    random = np.random.default_rng(0)
    background, x = torch.from_numpy(random.random((20, 2000))), torch.zeros(1, 2000, dtype=torch.float64)
    x[0, [700, 1500]] = -1.0

    def both(x: Tensor) -> Tensor:
        return torch.minimum(x[:, 700], x[:, 1500])

    found = attribute(both, x, Counterfactual(background=Rows(background), neighbours=4))
    assert (found.values != 0).nonzero()[:, 1].tolist() == [700, 1500]
    assert sum(asked) < 3000


def test_a_search_that_is_ended_says_so_and_what_it_has_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = gbm()
    rows = torch.from_numpy(x[:10])
    whole = attribute(model, rows, Counterfactual(background=Rows(torch.from_numpy(x)), seconds=1000))
    assert whole.measured["finished"].tolist() == [1.0] * 10
    assert torch.equal(
        whole.measured["counterfactual"],
        attribute(model, rows, Counterfactual(background=Rows(torch.from_numpy(x)))).measured["counterfactual"],
    )
    said, further = model.predict(x[:10]), []
    for steps, bisections in ((1, 0), (3, 10), (6, 10)):
        clock = itertools.count()
        monkeypatch.setattr(time, "monotonic", lambda clock=clock: float(next(clock)))
        method = Counterfactual(background=Rows(torch.from_numpy(x)), bisections=bisections, seconds=steps + 0.5)
        cut = attribute(model, rows, method)
        monkeypatch.undo()
        assert (model.predict(cut.measured["counterfactual"].numpy()) != said).all()
        assert float(cut.measured["finished"].sum()) < 10
        further.append(float(cut.measured["distance"].mean()))
    assert further[0] > further[1] > further[2] >= float(whole.measured["distance"].mean())


def test_no_time_at_all_finds_none_where_each_row_must_be_asked() -> None:
    model, x = gbm()
    method = Counterfactual(background=Rows(torch.from_numpy(x)), feasible=Feasible(immutable=[0]), seconds=1e-9)
    found = attribute(model, torch.from_numpy(x[:3]), method)
    assert reached(found) == [False] * 3
    assert "no counterfactual was found in time" in str(found)


@pytest.mark.parametrize(("boundary", "share"), [(3.5, 1.0), (5.25, 0.6), (6.0, 0.4), (11.0, 0.4), (39.0, 0.2)])
def test_plausible_is_what_lies_as_near_to_data_as_data_do(boundary: float, share: float) -> None:
    """Rows at ½, 1½, 3½, 20½ and 60½ lie 1, 1, 2, 17 and 40 from their nearest others."""
    rows = torch.tensor([[0.5], [1.5], [3.5], [20.5], [60.5]], dtype=torch.float64)
    method = Counterfactual(background=Rows(rows), bisections=40)
    found = attribute(lambda x: boundary - x[:, 0], torch.zeros(1, 1).double() + 0.5, method)
    assert float(found.measured["counterfactual"][0, 0]) == pytest.approx(boundary)
    assert float(found.measured["plausibility"][0]) == pytest.approx(share)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"immutable": "age"}, r"immutable is 'age', expected a list of columns: \['age'\]"),
        ({"immutable": ["sex"]}, "there is no column 'sex' to be held to something; there is age .years., visits"),
        ({"increasing": ["colour"]}, "column 'colour' is a category, which does not rise or fall"),
        ({"allowed": {"visits": 3}}, r"allowed\['visits'\] is 3, expected the least and the most, as in \(0, 40\)"),
        ({"allowed": {"visits": (5, 1)}}, "from 5 to 1, expected the least first"),
        ({"allowed": {"colour": ["pink"]}}, "column 'colour' has no level 'pink' to become; it has"),
        ({"immutable": [17]}, "there is no column 17"),
    ],
)
def test_limits_that_cannot_be_are_refused(options: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        mixed_search(feasible=Feasible(**options))


def test_limits_in_words() -> None:
    said = Feasible.of_text(
        "sex stays; age (years) rises; debts falls;hours in 0..40; rate in -.5e1..; town in Oslo, Bodø; 3 stays;"
    )
    assert said == Feasible(
        immutable=["sex", 3],
        increasing=["age (years)"],
        decreasing=["debts"],
        allowed={"hours": (0.0, 40.0), "rate": (-5.0, None), "town": ["Oslo", "Bodø"]},
    )
    for wrong in ("sex", "age grows", "stays"):
        with pytest.raises(InputError, match=f"'{wrong}' says nothing that a column may do: expected 'sex stays'"):
            Feasible.of_text(wrong)


def test_options_that_cannot_be_are_refused() -> None:
    background = Rows(numbers(5, 3))
    with pytest.raises(InputError, match="several is 0"):
        Counterfactual(background=background, several=0)
    with pytest.raises(InputError, match="seconds is 0"):
        Counterfactual(background=background, seconds=0)
    with pytest.raises(InputError, match=r"feasible is a dict, expected Feasible\("):
        Counterfactual(background=background, feasible={"immutable": [0]})  # type: ignore[arg-type]
