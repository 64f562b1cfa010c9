"""Rules among real rows: against every rule, against the population, and without a copy being made."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from attar import InputError, Logit, attribute
from attar.core.attribution import Attribution
from attar.core.baseline import Rows
from attar.core.features import Grouped
from attar.estimation import row_rules
from attar.methods.anchors import Anchors
from mixed_table import logistic, mixed
from models import numbers


def among(rows: Any, **options: Any) -> Anchors:
    return Anchors(background=Rows(rows), conditional=True, **options)


def held(found: Attribution, k: int, rows: Tensor) -> Tensor:
    above, up_to = found.measured["bounds"][k].unbind(1)
    return ((rows > above) & (rows <= up_to)).all(1)


def without(found: Attribution, k: int, j: int, rows: Tensor) -> Tensor:
    above, up_to = found.measured["bounds"][k].clone().unbind(1)
    above[j], up_to[j] = -torch.inf, torch.inf
    return ((rows > above) & (rows <= up_to)).all(1)


def answer(x: Tensor) -> Tensor:
    return x[:, 0] + 0.5 * x[:, 1] * x[:, 2] - 0.2


def halves(rows: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
    drawn = np.lexsort(rows.numpy().T)[np.random.default_rng(seed).permutation(len(rows))]
    return rows[drawn[: len(rows) // 2]], rows[drawn[len(rows) // 2 :]]


def lowest(k: float, n: float) -> float:
    """Wilson's, for a probability of 0.95 on one side."""
    z = 1.6448536269514722
    return (k / n + z * z / (2 * n) - z * np.sqrt(k / n * (1 - k / n) / n + z * z / (4 * n * n))) / (1 + z * z / n)


@pytest.mark.parametrize(("wanted", "bins"), [(0.7, 3), (0.8, 3), (0.8, 4), (0.999, 4)])
def test_it_is_the_widest_of_all_rules_that_are_precise_enough(
    wanted: float, bins: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_rules, "_BEAM", 10_000)
    rows, x = numbers(200, 3, seed=2), numbers(12, 3, seed=5)
    found = attribute(answer, x, among(rows, precision=wanted, bins=bins))
    choosing, measuring = halves(rows)
    edges = rows.sort(0).values[[-(-len(rows) * k // bins) - 1 for k in range(1, bins)]]
    ends = torch.cat([torch.full((1, 3), -torch.inf), edges, torch.full((1, 3), torch.inf)])
    for k, here in enumerate(x):
        own = (here > edges).sum(0).tolist()
        runs = [[(a, b) for a in range(own[j] + 1) for b in range(own[j], bins)] for j in range(3)]
        same = (answer(choosing) > 0) == bool(answer(here[None]) > 0)
        best = 0.0
        for rule in product(*runs):
            low = torch.stack([ends[a, j] for j, (a, _) in enumerate(rule)])
            high = torch.stack([ends[b + 1, j] for j, (_, b) in enumerate(rule)])
            inside = ((choosing > low) & (choosing <= high)).all(1)
            if int(inside.sum()) and lowest(float(same[inside].sum()), float(inside.sum())) >= wanted:
                best = max(best, float(inside.double().mean()))
        if best:
            assert float(held(found, k, choosing).double().mean()) == pytest.approx(best)
        inside = held(found, k, measuring)
        alike = ((answer(measuring) > 0) == bool(answer(here[None]) > 0)).double()
        assert float(found.measured["coverage"][k]) == pytest.approx(float(inside.double().mean()))
        assert float(found.measured["precision"][k]) == pytest.approx(float(alike[inside].mean()))
        assert float(found.measured["keeping nothing"][k]) == pytest.approx(float(alike.mean()))
        for j in range(3):
            lost = float(alike[inside].mean() - alike[without(found, k, j, measuring)].mean())
            assert float(found.values[k, j]) == pytest.approx(lost, abs=1e-12)


def test_a_longer_rule_that_holds_for_more_rows_is_preferred() -> None:
    """The upper quarter of the first column alone would do, in 88 of 100 cases."""
    rows = numbers(2000, 3, seed=2)

    def model(x: Tensor) -> Tensor:
        return ((x[:, 0] > 1) | ((x[:, 0] > -0.5) & (x[:, 1] > -0.5))).double() - 0.5

    found = attribute(model, torch.tensor([[1.2, 1.2, 0.0]], dtype=torch.float64), among(rows, precision=0.8))
    assert float(found.measured["size"][0]) == 2
    assert float(found.measured["coverage"][0]) > 0.4
    assert bool(found.error.reached[0])


def test_a_rule_that_is_not_widened_keeps_the_examples_own_bins() -> None:
    rows, x = numbers(200, 3, seed=2), numbers(12, 3, seed=5)
    edges = rows.sort(0).values[[49, 99, 149]]
    ends = torch.cat([torch.full((1, 3), -torch.inf), edges, torch.full((1, 3), torch.inf)])
    found = attribute(answer, x, among(rows, precision=0.8, widen=False))
    kept = 0
    for k, j in product(range(12), range(3)):
        low, high = found.measured["bounds"][k, j].tolist()
        if np.isfinite(low) or np.isfinite(high):
            own = int((x[k, j] > edges[:, j]).sum())
            assert (low, high) == (float(ends[own, j]), float(ends[own + 1, j]))
            kept += 1
    assert kept > 12


def test_the_intervals_hold_the_populations_precision_and_coverage() -> None:
    """Of rules that were chosen by other rows; of values the standard errors."""
    everybody, precise, covers, values = numbers(200_000, 4, seed=99), [], [], []
    alike = answer(everybody) > 0
    for seed in range(150):
        x = numbers(1, 4, seed=1000 + seed)
        found = attribute(answer, x, among(numbers(160, 4, seed=seed), precision=0.8, seed=seed))
        same = alike == bool(answer(x) > 0)
        inside = held(found, 0, everybody)
        low, high = found.measured["precision at 95%"][0].tolist()
        precise.append(low <= float(same[inside].double().mean()) <= high)
        low, high = found.measured["coverage at 95%"][0].tolist()
        covers.append(low <= float(inside.double().mean()) <= high)
        for j in range(4):
            if float(found.standard_error["input"][0, j]) > 0:
                wider = without(found, 0, j, everybody)
                lost = float(same[inside].double().mean() - same[wider].double().mean())
                off = abs(lost - float(found.values[0, j])) / float(found.standard_error["input"][0, j])
                values.append(off < 1.96)
    assert np.mean(precise) >= 0.93, np.mean(precise)
    assert np.mean(covers) >= 0.93, np.mean(covers)
    assert len(values) > 150
    assert 0.92 <= np.mean(values) <= 0.985, np.mean(values)


def test_columns_that_go_together_need_one_condition_and_no_copies() -> None:
    random = np.random.default_rng(0)
    size = random.normal(size=1000)
    houses = torch.from_numpy(np.stack([size, size + 0.1 * random.normal(size=1000), random.normal(size=1000)], 1))
    asked: list[Tensor] = []

    def dear(x: Tensor) -> Tensor:
        asked.append(x)
        return x[:, 0] + x[:, 1] - 1

    house = torch.tensor([[1.5, 1.5, 0.0]], dtype=torch.float64)
    found = attribute(dear, house, among(houses))
    assert float(found.measured["size"][0]) == 1
    assert bool(found.error.reached[0])
    real = {tuple(row) for row in torch.cat([houses, house]).tolist()}
    made = [row for batch in asked for row in batch.tolist() if tuple(row) not in real]
    assert len(made) == 1  # with which the verb sees whether company matters
    assert int(found.evaluations[0]) == 1001
    assert float(attribute(dear, house, Anchors(background=Rows(houses))).measured["size"][0]) == 2


def test_order_company_and_targets_change_nothing() -> None:
    rows, x = numbers(120, 4, seed=2), numbers(6, 4, seed=3)

    def model(x: Tensor) -> Tensor:
        return torch.stack([x[:, 0], x[:, 1] * x[:, 2], -x[:, 0]], 1)

    whole = attribute(model, x, among(rows, precision=0.7), Logit([0, 1, 2, 0, 1, 2]))
    turned = attribute(model, x, among(rows.flip(0), precision=0.7), Logit([0, 1, 2, 0, 1, 2]), batch_size=7)
    assert turned.rules == whole.rules
    assert torch.equal(turned.values, whole.values)
    for k in range(6):
        alone = attribute(model, x[k : k + 1], among(rows, precision=0.7), Logit(k % 3))
        assert alone.rules[0] == whole.rules[k]
    first, second = attribute(model, x, among(rows, precision=0.7), [Logit(0), Logit(1)])
    assert second.rules == attribute(model, x, among(rows, precision=0.7), Logit(1)).rules
    assert first.rules != second.rules


def test_rows_of_a_frame_with_levels_and_gaps() -> None:
    data, background = mixed(20, seed=6), mixed(400, seed=4)
    found = attribute(logistic(), data, among(background, precision=0.8), Logit(1))
    said = logistic().predict(background) == 1
    for k in range(20):
        own = bool(logistic().predict(data.iloc[[k]])[0] == 1)
        inside = np.ones(400, dtype=bool)
        for j, name in enumerate(data.columns):
            above, up_to = found.measured["bounds"][k, j].tolist()
            column = background[name]
            if np.isnan(above):
                inside &= column.isna().to_numpy()
            elif not (np.isinf(above) and np.isinf(up_to)):
                value = data[name].iloc[k]
                of_level = isinstance(value, str | bool | np.bool_)
                inside &= (column == value if of_level else column.between(above, up_to, "right")).to_numpy(dtype=bool)
        share = float((said[inside] == own).mean())
        assert abs(share - float(found.measured["precision"][k])) < 0.15  # over both halves
    narrow = attribute(logistic(), data, among(background, precision=0.8, widen=False), Logit(1))
    assert narrow.measured["coverage"].mean() < found.measured["coverage"].mean()


def test_numbers_are_held_within_what_is_asked() -> None:
    rows, x = numbers(400, 3, seed=2), 0.5 * numbers(4, 3, seed=3)
    found = attribute(lambda x: 3 * x[:, 1], x, among(rows, within=1.5, precision=0.6))
    for k in range(4):
        near = (3 * rows[:, 1] - 3 * x[k, 1]).abs() <= 1.5
        inside = held(found, k, rows)
        assert "[1]" in found.rules[k]
        assert float(near[inside].double().mean()) > float(near.double().mean()) + 0.2


@pytest.mark.parametrize(
    "options",
    [
        {"background": Rows(numbers(1, 4))},
        {"background": Rows(numbers(9, 4)), "bins": None},
        {"background": Rows(numbers(9, 4)), "by": Grouped(group=torch.tensor([0, 0, 1, 1]))},
        {},
    ],
)
def test_what_has_no_rows_to_count_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="conditional counts rows"):
        attribute(answer, numbers(2, 4), Anchors(conditional=True, **options))


def test_too_many_conditions_are_refused_before_they_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_rules, "_COUNTED", 500)
    with pytest.raises(InputError, match="are too many to count"):
        attribute(answer, numbers(2, 40), among(numbers(60, 40)))


def test_from_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from attar.cli import main

    monkeypatch.chdir(tmp_path)
    pd.DataFrame(numbers(80, 3, seed=2).numpy(), columns=["a", "b", "c"]).to_csv("t.csv", index=False)
    Path("model_of_conditional_rows.py").write_text("def first(frame):\n    return frame['a'] - 0.1\n")
    asked = ("--row", "5", "--model", "model_of_conditional_rows:first", "--method", "anchors")
    assert main(["explain", "t.csv", *asked, "-o", "conditional=true"]) == 0
    said = capsys.readouterr().out
    assert "background: 79 other rows" in said
    assert "keeps: a " in said
    assert main(["explain", "t.csv", *asked, "-o", "conditional=true", "--out", "found.json"]) == 0
    (one,) = json.loads(Path("found.json").read_text(), parse_constant=pytest.fail)["attributions"][0]["examples"]
    assert one["measured"]["bounds"][1] == [None, None]
    assert sum(each is not None for each in one["measured"]["bounds"][0]) >= 1
