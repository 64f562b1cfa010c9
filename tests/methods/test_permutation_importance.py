"""Permutation importance: closed forms, all pairs by hand, coverage, dependence between columns, what is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import LinearSVC
from torch import Tensor, nn

from attar import Attribution, InputError, Logit, attribute
from attar.core.features import ColumnGroups
from attar.core.inputs import Tensors
from attar.core.loss import absolute, brier, log_loss, zero_one
from attar.estimation.strata import Strata
from attar.methods.permutation_importance import PermutationImportance
from mixed_table import COLUMNS, MODELS, labels, mixed
from reference.exchanges import every_exchange

WEIGHTS = np.array([1.0, -0.5, 0.0])


def linear(x: Tensor) -> Tensor:
    return x @ torch.from_numpy(WEIGHTS).to(x)


def sample(rows: int, seed: int = 0, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    x = draw.standard_normal((rows, 3))
    return x, x @ WEIGHTS + noise * draw.standard_normal(rows)


def test_a_weight_under_squared_errors_is_worth_twice_its_square_times_the_variance() -> None:
    """Over all pairs of rows that is the sample's own variance, to the last digit, whatever the noise correlates with:
    the part that does is in it too."""
    x, _ = sample(30)
    y = x @ WEIGHTS  # without noise
    found = attribute(linear, x, PermutationImportance(labels=y, repeats=29)).importance()
    np.testing.assert_allclose(found.values, 2 * WEIGHTS**2 * x.var(0, ddof=1), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("columns", [[0], [1, 2]])
def test_all_pairs_are_the_definition(columns: list[int]) -> None:
    draw = np.random.default_rng(3)
    x, y = draw.standard_normal((9, 3)), draw.standard_normal(9)

    def model(rows: Tensor) -> Tensor:
        return rows[:, 0] * rows[:, 1] + torch.sin(rows[:, 2])

    names = ("a", "b", "c")
    group = ColumnGroups(groups={"asked": [names[k] for k in columns]})
    table = Tensors(torch.from_numpy(x), names)
    method = PermutationImportance(labels=y, loss=absolute, by=group, repeats=8)
    found = attribute(model, table, method)
    expected = every_exchange(
        lambda rows: model(torch.from_numpy(rows)).numpy(), x, y, columns, lambda said, right: abs(said - right)
    )
    place = list(found.names["groups"][: len({*columns, 3}) + 2]).index("asked")
    values = found.parts["groups"].reshape(9, -1)[:, place]
    np.testing.assert_allclose(values.numpy(), expected, rtol=1e-10)
    assert found.loss == "absolute loss"


@pytest.mark.parametrize("strata", [None, Strata(leaves=4)], ids=["free", "in strata"])
def test_the_interval_holds_the_population_value_in_19_of_20_samples(strata: Strata | None) -> None:
    """Of independent columns both questions have one answer: 2 w² in units of the variance. The third says nothing."""
    held = np.zeros(3)
    for seed in range(200):
        x, y = sample(300, seed)
        method = PermutationImportance(labels=y, repeats=4, strata=strata, seed=seed)
        found = attribute(linear, x, method).importance()
        held += (found.low <= 2 * WEIGHTS**2) & (found.high >= 2 * WEIGHTS**2)
    assert (held / 200 >= 0.92).all(), held / 200
    assert (held[:2] / 200 <= 0.98).all(), held / 200


def test_a_column_that_is_used_and_says_nothing_has_0_in_its_interval() -> None:
    """The model leans on it a little, as fitted ones do."""
    held = 0
    for seed in range(200):
        x, y = sample(150, seed)
        found = attribute(lambda t: linear(t) + 0.1 * t[:, 2], x, PermutationImportance(labels=y, seed=seed))
        overall = found.importance()
        assert overall.standard_error[2] > 0
        held += bool(overall.low[2] <= 0 <= overall.high[2])
    assert 186 <= held <= 197, held


def test_the_spread_over_donors_is_known_too() -> None:
    """A row alone says too little: what it gives to others is half of a column's error under squared loss."""
    estimates, errors, naive = [], [], []
    for seed in range(300):
        x, _ = sample(60, seed)
        found = attribute(linear, x, PermutationImportance(labels=x @ WEIGHTS, repeats=3, seed=seed))
        values = found.values
        assert isinstance(values, Tensor)
        estimates.append(found.importance().values[0])
        errors.append(found.importance().standard_error[0] ** 2)
        naive.append(float(values[:, 0].var()) / 60)
    assert np.mean(errors) == pytest.approx(np.var(estimates), rel=0.2)
    assert np.mean(naive) < 0.7 * np.var(estimates)


def test_duplicates_count_both_when_exchanged_freely_and_neither_among_rows_alike() -> None:
    draw = np.random.default_rng(0)
    x = draw.standard_normal((1000, 2))
    table = np.column_stack([x[:, 0], x[:, 0] + 0.01 * draw.standard_normal(1000), x[:, 1]])
    y = table.sum(1)

    def model(rows: Tensor) -> Tensor:
        return rows.sum(1)

    free = attribute(model, table, PermutationImportance(labels=y)).importance()
    alike = attribute(model, table, PermutationImportance(labels=y, strata=Strata())).importance()
    np.testing.assert_allclose(free.values, 2.0, rtol=0.15)
    assert (alike.values[:2] < 0.05).all(), alike.values
    assert alike.values[2] == pytest.approx(2.0, rel=0.15)
    assert [note.name for note in free.notes] == ["leaves the data"]
    assert "[0] beside [1]" in free.notes[0].sentence
    assert "[2]" not in free.notes[0].sentence
    assert not alike.notes


def test_nothing_is_said_of_leaving_the_data_where_columns_are_independent() -> None:
    for seed in range(10):
        x, y = sample(200, seed)
        assert not attribute(linear, x, PermutationImportance(labels=y)).importance().notes


@pytest.mark.parametrize("strata", [None, Strata(leaves=3)], ids=["free", "in strata"])
def test_neither_the_order_of_rows_nor_the_size_of_a_call_changes_anything(strata: Strata | None) -> None:
    x, y = sample(60)
    order = np.random.default_rng(1).permutation(60)
    found = attribute(linear, x, PermutationImportance(labels=y, strata=strata))
    small = attribute(linear, x, PermutationImportance(labels=y, strata=strata), batch_size=7)
    turned = attribute(linear, x[order], PermutationImportance(labels=y[order], strata=strata))
    torch.testing.assert_close(small.values, found.values)
    assert isinstance(found.values, Tensor)
    torch.testing.assert_close(turned.values, found.values[order])
    np.testing.assert_allclose(turned.importance().standard_error, found.importance().standard_error)
    other = attribute(linear, x, PermutationImportance(labels=y, strata=strata, seed=1))
    assert not torch.equal(other.values, found.values)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", MODELS)
def test_raw_columns_of_a_pipeline_with_words_for_labels(name: str) -> None:
    frame = mixed(300, seed=11)
    model, right = MODELS[name](), labels(frame, seed=5)
    found = attribute(model, frame, PermutationImportance(labels=right)).importance()
    assert found.names == COLUMNS
    assert found.unit == "log loss, nats"
    useless = COLUMNS.index("useless")
    assert found.low[useless] <= 0 <= found.high[useless]
    for column in ("age (years)", "dose"):
        assert found.low[COLUMNS.index(column)] > 0
    if name == "boosted":  # which never sees it
        assert found.values[useless] == found.standard_error[useless] == 0


@pytest.mark.parametrize("loss", [log_loss, brier, zero_one])
def test_losses_of_classes_are_scikit_learns(loss) -> None:
    from sklearn import metrics

    draw = np.random.default_rng(0)
    x = draw.standard_normal((80, 3))
    words = np.array(["no", "yes"], dtype=object)[(x[:, 0] + draw.standard_normal(80) > 0).astype(int)]
    model = LogisticRegression().fit(x, words)
    found = attribute(model, x, PermutationImportance(labels=words, loss=loss))
    share = model.predict_proba(x)
    expected = {
        "log_loss": metrics.log_loss(words, share),
        "brier": metrics.brier_score_loss(words, share[:, 1], pos_label="yes"),
        "zero_one": metrics.zero_one_loss(words, model.predict(x)),
    }
    assert float(-found.output.mean()) == pytest.approx(expected[repr(loss)], rel=1e-9)


def test_a_constant_column_is_worth_exactly_0_and_is_not_asked_about() -> None:
    x, y = sample(40)
    x[:, 1] = 3.0
    found = attribute(linear, x, PermutationImportance(labels=y))
    assert isinstance(found.values, Tensor)
    assert bool((found.values[:, 1] == 0).all())
    assert found.importance().standard_error[1] == 0
    assert int(found.evaluations[0]) == 1 + 2 * 5


def test_a_network_with_one_logit_is_scored_by_squared_errors_unless_told() -> None:
    torch.manual_seed(0)
    net = nn.Linear(3, 1).double()
    x, _ = sample(50)
    classes = (x[:, 0] > 0).astype(int)
    found = attribute(net, x, PermutationImportance(labels=classes, loss=log_loss))
    outputs = net(torch.from_numpy(x)).detach()
    expected = nn.functional.binary_cross_entropy_with_logits(outputs[:, 0], torch.from_numpy(classes).double())
    assert float(-found.output.mean()) == pytest.approx(float(expected), rel=1e-9)
    assert attribute(net, x, PermutationImportance(labels=classes)).loss == "squared loss"


def test_it_is_saved_with_what_it_says_of_all_rows(tmp_path: Path) -> None:
    x, y = sample(50)
    x[:, 1] = x[:, 0] + 0.01 * x[:, 1]
    found = attribute(linear, x, PermutationImportance(labels=y))
    found.save(tmp_path / "found.safetensors")
    again = Attribution.load(tmp_path / "found.safetensors")
    assert str(again.importance()) == str(found.importance())
    assert again.loss == found.loss == found.target
    assert "note: Exchanged freely" in str(again)


def _method(**options: object) -> Callable[[], PermutationImportance]:
    return lambda: PermutationImportance(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_method(labels=np.zeros(3)), "3 labels for 4 rows"),
        (_method(labels=[1.0, 2.0, np.nan, 3.0]), r"row 2 \(from 0\) is missing"),
        (_method(labels=["a", "b", None, "a"]), r"row 2 \(from 0\) is missing"),
        (_method(labels=np.zeros((4, 2))), r"shape \(4, 2\)"),
        (_method(labels=["a", "b", "a", "b"]), "expected numbers"),
        (_method(labels=np.zeros(4), repeats=1), "expected 2 or more"),
    ],
)
def test_labels_that_do_not_fit_are_refused(make: Callable[[], PermutationImportance], said: str) -> None:
    with pytest.raises(InputError, match=said):
        attribute(linear, np.eye(4)[:, :3], make())


def test_what_else_is_refused() -> None:
    x, y = sample(20)
    with pytest.raises(InputError, match="leave it out"):
        attribute(linear, x, PermutationImportance(labels=y), Logit(0))
    with pytest.raises(InputError, match="1 row"):
        attribute(linear, x[:1], PermutationImportance(labels=y[:1]))
    with pytest.raises(InputError, match="columns of a table"):
        attribute(lambda t: t.sum((1, 2)), np.zeros((4, 2, 2)), PermutationImportance(labels=np.zeros(4)))
    words = np.array(["no", "yes"])[(y > 0).astype(int)]
    model = LinearSVC().fit(x, words)
    with pytest.raises(InputError, match="'perhaps', which is no class"):
        attribute(model, x, PermutationImportance(labels=["perhaps", *words[1:]]))
    with pytest.raises(InputError, match="take log_loss or brier"):
        attribute(model, x, PermutationImportance(labels=words, loss=absolute))
    with pytest.raises(InputError, match="0 to 1"):
        attribute(LinearRegression().fit(x, y), x, PermutationImportance(labels=y, loss=log_loss))
