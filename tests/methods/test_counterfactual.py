"""Counterfactuals: valid, needed in each change, near, and honest where there is none."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.ensemble import GradientBoostingClassifier
from torch import Tensor, nn

from attar import Entry, InputError, Logit, Predicted, attribute
from attar.core.attribution import Attribution
from attar.core.baseline import Rows
from attar.estimation import near_rows
from attar.estimation.near_rows import NearRows
from attar.methods.counterfactual import Counterfactual
from elsewhere import Away, elsewhere, sent
from models import numbers, seeded, sparse


def line(x: Tensor) -> Tensor:
    return x @ torch.tensor([2.0, -1.0, 0.0], dtype=torch.float64)


def test_on_a_line_it_stops_at_the_boundary() -> None:
    """One column is changed, to where the model's sign turns, and undoing it gives back all that was taken."""
    background, x = numbers(200, 3, seed=1), numbers(6, 3)
    found = attribute(line, x, Counterfactual(background=Rows(background), bisections=30))
    there = found.measured["counterfactual"]
    assert bool((line(there) * line(x) <= 0).all())
    assert bool((line(there).abs() < 1e-6).all())
    changed = there != x
    assert changed[:, 2].tolist() == [False] * 6
    assert bool((changed.sum(1) >= 1).all())
    assert torch.equal(found.values != 0, changed)
    undone = (x - there) * torch.tensor([2.0, -1.0, 0.0], dtype=torch.float64)
    torch.testing.assert_close(found.values, undone)
    torch.testing.assert_close(found.residual(), torch.zeros(6, dtype=torch.float64))


def both_signs(x: Tensor) -> Tensor:
    return torch.stack([line(x), -line(x)], 1)


def gbm() -> tuple[GradientBoostingClassifier, np.ndarray]:
    random = np.random.default_rng(0)
    x = random.standard_normal((600, 12))
    score = x[:, 0] + x[:, 1] * x[:, 2] + np.sin(2 * x[:, 3])
    return GradientBoostingClassifier(n_estimators=40, random_state=0).fit(x, np.digitize(score, [-0.7, 0.7])), x


def found_by_gbm(**options: object) -> tuple[GradientBoostingClassifier, np.ndarray, Attribution]:
    model, x = gbm()
    method = Counterfactual(background=Rows(x), **options)  # type: ignore[arg-type]
    return model, x[:20], attribute(model, torch.from_numpy(x[:20]), method)


def test_every_one_is_valid_and_every_change_is_needed() -> None:
    model, x, found = found_by_gbm()
    there = found.measured["counterfactual"].numpy()
    said = model.predict(x)
    assert bool((model.predict(there) != said).all())
    assert bool(found.error.reached.all())
    changed = there != x
    assert changed.sum(1).mean() < 3
    for k, column in np.argwhere(changed):
        back = there[k : k + 1].copy()
        back[0, column] = x[k, column]
        assert model.predict(back)[0] == said[k]


def test_more_neighbours_and_bisections_come_nearer() -> None:
    plain, searched = (
        found_by_gbm(neighbours=n, bisections=b, few=False)[2].measured["distance"] for n, b in ((1, 0), (8, 10))
    )
    assert bool((searched <= plain + 1e-9).all())
    assert float(searched.mean()) < 0.8 * float(plain.mean())


def test_fewer_changes_come_before_a_smaller_distance_and_more_starts_find_fewer() -> None:
    _, x, few = found_by_gbm()
    _, _, near = found_by_gbm(few=False)
    _, _, once = found_by_gbm(neighbours=1)
    changed = [(each.measured["counterfactual"] != torch.as_tensor(x)).sum(1).double() for each in (few, near, once)]
    assert bool((changed[0] <= changed[1]).all())
    assert float(changed[0].mean()) < float(changed[1].mean())
    assert float(changed[0].mean()) < float(changed[2].mean())
    assert bool((near.measured["distance"] <= few.measured["distance"] + 1e-9).all())
    assert bool((near.measured["distance"] < few.measured["distance"] - 1e-9).any())


def test_whole_numbers_stay_whole_and_of_the_background() -> None:
    background = torch.from_numpy(np.random.default_rng(0).integers(0, 4, (100, 3)).astype(float))
    x = torch.tensor([[0.0, 3.0, 1.0], [3.0, 0.0, 2.0]], dtype=torch.float64)
    there = attribute(line, x, Counterfactual(background=Rows(background))).measured["counterfactual"]
    assert torch.equal(there, there.round())
    assert bool((line(there) * line(x) < 0).all())


def test_a_number_can_be_asked_for_from_either_side() -> None:
    background, x = numbers(300, 3, seed=1), numbers(20, 3)
    found = attribute(line, x, Counterfactual(background=Rows(background), to=-1.5, bisections=30))
    above = line(x) > -1.5
    assert 0 < int(above.sum()) < 20
    there = line(found.measured["counterfactual"])
    assert bool((there[above] <= -1.5).all())
    assert bool((there[~above] >= -1.5).all())
    torch.testing.assert_close(there, torch.full_like(there, -1.5), atol=1e-6, rtol=0)


def test_a_number_that_the_background_meets_exactly_is_reached() -> None:
    background = torch.tensor([[0.0, 0.0, 0.0], [-1.0, 0.0, 0.0]], dtype=torch.float64)
    x = torch.tensor([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]], dtype=torch.float64)
    found = attribute(line, x, Counterfactual(background=Rows(background), to=0.0))
    assert found.error.reached.tolist() == [True, True]
    assert found.measured["counterfactual"].tolist() == [[0.0] * 3] * 2
    alike = attribute(line, background[:1], Counterfactual(background=Rows(background[:1]), to=0.0))
    assert alike.error.reached.tolist() == [False]  # at the number already, as is all that is known


def test_where_nothing_is_answered_otherwise_it_says_so() -> None:
    background = numbers(50, 3, seed=1)
    alike = background[line(background) > 0]
    x = torch.cat([alike[:1], -alike[:1]])
    found = attribute(line, x, Counterfactual(background=Rows(alike)))
    assert found.error.reached.tolist() == [False, True]
    assert "* in 1 of 2 examples no counterfactual was found" in str(found)
    assert torch.equal(found.measured["counterfactual"][0], x[0])
    assert found.values[0].tolist() == [0.0] * 3


@pytest.mark.parametrize("target", [None, Logit([1]), Logit(0)])
@pytest.mark.parametrize("to", [None, -100.0])
def test_where_it_is_so_for_all_of_several_classes(target: Logit | None, to: float | None) -> None:
    """No change is asked about: a target with a class for each example is then asked about no example."""
    background = numbers(50, 3, seed=1)
    alike = background[line(background) > 0]
    found = attribute(both_signs, alike[:1], Counterfactual(background=Rows(alike), to=to), target)
    assert found.error.reached.tolist() == [False]
    assert found.values.tolist() == [[0.0] * 3]


@pytest.mark.parametrize("to", [None, 1.0])
def test_a_tie_that_rounding_decides_otherwise_in_company_ends_nothing(to: float | None) -> None:
    """Then the example itself is answered otherwise, and there is no change to ask about."""

    def model(x: Tensor) -> Tensor:
        return torch.stack([x[:, 0] - (1e-13 if len(x) > 1 else -1e-13), x[:, 1]], 1)

    x = torch.ones(1, 2, dtype=torch.float64)
    found = attribute(model, x, Counterfactual(background=Rows(x.repeat(3, 1)), to=to), Logit([0]))
    assert found.values.tolist() == [[0.0, 0.0]]


def test_what_is_not_needed_any_more_is_undone_when_it_has_come_nearer() -> None:
    """Both changes are needed far away; half the way, the first is enough."""

    def answer(x: Tensor) -> Tensor:
        far = (x > 1).all(1)
        near = (x[:, 0] > 0.3) & (x[:, 0] < 0.7)
        return torch.where(far | near, 1.0, -1.0)

    background = Rows(torch.tensor([[2.2, 2.2]], dtype=torch.float64))
    found = attribute(answer, torch.zeros(1, 2, dtype=torch.float64), Counterfactual(background=background))
    first, second = found.measured["counterfactual"][0].tolist()
    assert 0.3 < first < 0.31
    assert second == 0
    assert found.values.tolist() == [[-2.0, 0.0]]


def test_several_targets_share_the_search() -> None:
    background, x, asked = numbers(50, 3, seed=1), numbers(6, 3), []

    def model(x: Tensor) -> Tensor:
        asked.append(len(x))
        return both_signs(x)

    targets = [Logit(0), Logit([0, 1, 0, 1, 1, 0]), Predicted()]
    for to in (None, 0.5):
        method = Counterfactual(background=Rows(background), to=to)
        alone = [attribute(model, x, method, target) for target in targets]
        spent = len(asked)
        together = attribute(model, x, method, targets)
        if to is None:
            assert len(asked) - spent < spent / 2
        for found, expected in zip(together, alone, strict=True):
            assert torch.equal(found.values, expected.values)
            assert torch.equal(found.output, expected.output)
            assert torch.equal(found.measured["counterfactual"], expected.measured["counterfactual"])
            assert found.evaluations.tolist() == expected.evaluations.tolist()


def test_no_more_copies_are_laid_out_than_the_model_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a table with many columns, every change of every path would be thousands."""
    asked, ask = [], NearRows.ask

    def counted(self: NearRows, rows: Tensor, example: Tensor) -> Tensor:
        asked.append(len(rows))
        return ask(self, rows, example)

    monkeypatch.setattr(NearRows, "ask", counted)
    monkeypatch.setattr(near_rows, "_ONE_BY_ONE", 64)
    background, x = numbers(30, 40, seed=1), numbers(2, 40)
    attribute(lambda x: x.sum(1), x, Counterfactual(background=Rows(background), neighbours=4), batch_size=16)
    assert max(asked) == 16
    assert sum(asked) > 1000


def test_a_result_lives_where_the_inputs_do() -> None:
    background, x = numbers(60, 4, seed=2), numbers(5, 4)
    for double, to in ((True, None), (True, 0.3), (False, None), (False, 0.3)):
        rows, given = (background, x) if double else (background.float(), x.float())
        module = seeded(lambda: nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 3)), rows.dtype)
        expected = attribute(module, given, Counterfactual(background=Rows(rows), to=to), Logit([0, 1, 2, 0, 1]))
        with elsewhere(double=double):
            method = Counterfactual(background=Rows(sent(rows)), to=to)
            found = attribute(sent(module), sent(given), method, Logit([0, 1, 2, 0, 1]))
        assert isinstance(found.values, Away)
        torch.testing.assert_close(found.values.held, expected.values, rtol=1e-3, atol=1e-3)
        assert isinstance(found.measured["distance"], Away)
        assert isinstance(found.error.reached, Away)
        assert isinstance(found.evaluations, Away)


def test_one_row_that_is_answered_otherwise_is_enough() -> None:
    background = numbers(50, 3, seed=1)
    alike = background[line(background) > 0]
    found = attribute(line, alike[:3], Counterfactual(background=Rows(torch.cat([alike, -alike[:1]]))))
    assert found.error.reached.tolist() == [True] * 3
    assert bool((line(found.measured["counterfactual"]) < 0).all())


def test_company_and_batches_change_nothing() -> None:
    model, x = gbm()
    method = Counterfactual(background=Rows(x))
    rows = torch.from_numpy(x[:7])
    whole = attribute(model, rows, method)
    cut = attribute(model, rows, method, batch_size=3)
    last = attribute(model, rows[6:], method)
    for name in ("counterfactual", "distance"):
        assert torch.equal(cut.measured[name], whole.measured[name])
        assert torch.equal(last.measured[name], whole.measured[name][6:])
    assert cut.evaluations.tolist() == whole.evaluations.tolist()
    assert torch.equal(last.values, whole.values[6:])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_less_precision_and_another_class_than_the_predicted(dtype: torch.dtype) -> None:
    background = numbers(100, 4, seed=2).to(dtype)
    found = attribute(
        lambda t: torch.stack([t[:, 0], t[:, 1], t[:, 2] + t[:, 3]], 1),
        numbers(5, 4).to(dtype),
        Counterfactual(background=Rows(background)),
        Logit(2),
    )
    assert found.values.dtype == found.measured["counterfactual"].dtype == dtype
    assert found.values[:, :2].abs().max() == 0  # logit 2 does not see them


def test_what_it_cannot_search_is_refused() -> None:
    method = Counterfactual(background=Rows(numbers(5, 6)))
    with pytest.raises(InputError, match="rows of a table, not SparseRows"):
        attribute(lambda rows: rows.dense().sum(1), sparse(), method)
    with pytest.raises(InputError, match=r"not Tensors \(input \(2, 1, 6, 1\)\)"):
        attribute(lambda x: x.flatten(1).sum(1), numbers(2, 1, 6, 1), method)
    with pytest.raises(InputError, match=r"an output of shape \(6, 1\) says no class: give `to`"):
        attribute(lambda x: x[..., None], numbers(2, 6), method, Entry(0, 0))
    found = attribute(lambda x: x[..., None], numbers(2, 6), replace(method, to=0.0), Entry(0, 0))
    assert bool((found.values[:, 1:] == 0).all())
    with pytest.raises(InputError, match=r"background is a Tensor, expected Rows\(training_rows\)"):
        Counterfactual(background=numbers(5, 6))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="neighbours is 0"):
        Counterfactual(background=Rows(numbers(5, 6)), neighbours=0)
    with pytest.raises(InputError, match="bisections is -1"):
        Counterfactual(background=Rows(numbers(5, 6)), bisections=-1)
