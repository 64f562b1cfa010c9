"""Counterfactuals: valid, needed in each change, near, and honest where there is none."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import GradientBoostingClassifier
from torch import Tensor

from attar import InputError, Logit, attribute
from attar.core.attribution import Attribution
from attar.core.baseline import Rows
from attar.methods.counterfactual import Counterfactual
from models import numbers, sparse


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
    plain, searched = (found_by_gbm(neighbours=n, bisections=b)[2].measured["distance"] for n, b in ((1, 0), (8, 10)))
    assert bool((searched <= plain + 1e-9).all())
    assert float(searched.mean()) < 0.8 * float(plain.mean())


def test_whole_numbers_stay_whole_and_of_the_background() -> None:
    background = torch.from_numpy(np.random.default_rng(0).integers(0, 4, (100, 3)).astype(float))
    x = torch.tensor([[0.0, 3.0, 1.0], [3.0, 0.0, 2.0]], dtype=torch.float64)
    there = attribute(line, x, Counterfactual(background=Rows(background))).measured["counterfactual"]
    assert torch.equal(there, there.round())
    assert bool((line(there) * line(x) < 0).all())


def test_a_number_can_be_asked_for() -> None:
    background, x = numbers(300, 3, seed=1), numbers(4, 3)
    found = attribute(line, x, Counterfactual(background=Rows(background), to=-1.5, bisections=30))
    assert bool((line(found.measured["counterfactual"]) <= -1.5).all())
    torch.testing.assert_close(found.reference, torch.minimum(line(x), torch.tensor(-1.5)).double(), atol=1e-6, rtol=0)


def test_where_nothing_is_answered_otherwise_it_says_so() -> None:
    background = numbers(50, 3, seed=1)
    alike = background[line(background) > 0]
    x = torch.cat([alike[:1], -alike[:1]])
    found = attribute(line, x, Counterfactual(background=Rows(alike)))
    assert found.error.reached.tolist() == [False, True]
    assert torch.equal(found.measured["counterfactual"][0], x[0])
    assert found.values[0].tolist() == [0.0] * 3


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


def test_single_precision_and_another_class_than_the_predicted() -> None:
    background = numbers(100, 4, seed=2).float()
    found = attribute(
        lambda t: torch.stack([t[:, 0], t[:, 1], t[:, 2] + t[:, 3]], 1),
        numbers(5, 4).float(),
        Counterfactual(background=Rows(background)),
        Logit(2),
    )
    assert found.values.dtype == found.measured["counterfactual"].dtype == torch.float32
    assert found.values[:, :2].abs().max() == 0  # logit 2 does not see them


def test_what_it_cannot_search_is_refused() -> None:
    method = Counterfactual(background=Rows(numbers(5, 6)))
    with pytest.raises(InputError, match="rows of a table, not SparseRows"):
        attribute(lambda rows: rows.dense().sum(1), sparse(), method)
    with pytest.raises(InputError, match="neighbours is 0"):
        Counterfactual(background=Rows(numbers(5, 6)), neighbours=0)
    with pytest.raises(InputError, match="bisections is -1"):
        Counterfactual(background=Rows(numbers(5, 6)), bisections=-1)
