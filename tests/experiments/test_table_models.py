"""Models of a table's rows: what they are fitted to, and that every method speaks of raw columns and adds up."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch

from attar.core.columns import Columns
from attar.core.errors import InputError
from attar.core.inputs import Tensors
from attar.domains.raw_tables.domain import RawTables
from attar.domains.raw_tables.truth import Row
from attar.evaluation.intervals import auroc, quality
from attar.experiments.table_models import BACKGROUND, MODELS, FittedTable, OnCodes, TableRecipe
from mixed_table import labels, logit, mixed

KINDS = pytest.mark.parametrize("kind", MODELS)


@cache
def table() -> tuple[RawTables, list[Row], np.ndarray]:
    frame = mixed(500, seed=11)
    columns, codes = Columns.encoded(frame)
    return RawTables.of(columns, codes), [tuple(row) for row in codes.tolist()], labels(frame).astype(float)


@cache
def fitted(kind: str, seed: int = 0) -> FittedTable:
    domain, rows, y = table()
    return TableRecipe(domain=domain, kind=kind).fit(rows[:350], y[:350], seed)


@KINDS
def test_every_model_takes_categories_and_gaps_and_predicts(kind: str) -> None:
    _, rows, y = table()
    said = fitted(kind).predict(rows[350:])
    best = auroc(y[350:], logit(mixed(500, seed=11))[350:])
    assert best > auroc(y[350:], said) - 0.02
    assert auroc(y[350:], said) > (0.6 if kind == "tree" else best - 0.08)  # a pruned tree says little of slopes


@KINDS
def test_numbers_are_predicted_too(kind: str) -> None:
    domain, rows, _ = table()
    value = 3.0 + 10 * logit(mixed(500, seed=11))
    model = TableRecipe(domain=domain, kind=kind, task="regression").fit(rows[:350], value[:350], 0)
    assert quality(value[350:], model.predict(rows[350:])) > (0.4 if kind == "tree" else 0.8)
    (found,) = model.explained(rows[350:351], model.recipe.methods[0]).found.parts.values()
    assert found.shape == (1, 6)


@KINDS
def test_every_method_speaks_of_raw_columns(kind: str) -> None:
    _, rows, _ = table()
    model = fitted(kind)
    for method in model.recipe.methods:
        values = model.explain(rows[350:356], method)
        assert [v.shape for v in values] == [(6,)] * 6, method
        assert all(np.isfinite(v).all() for v in values), method
    with pytest.raises(InputError, match="'cam' does not fit"):
        model.explain(rows[:1], "cam")


@KINDS
def test_the_first_method_adds_up_to_what_is_predicted(kind: str) -> None:
    """Shapley values, shape functions and tree paths are complete."""
    _, rows, _ = table()
    model = fitted(kind)
    found = model.explained(rows[350:370], model.recipe.methods[0]).found
    assert found.reference is not None
    total = found.values.sum(1) + found.reference
    np.testing.assert_allclose(total, model.predict(rows[350:370]), atol=1e-6)


def test_a_column_that_tells_nothing_gets_nothing_from_a_sum() -> None:
    """`useless` was not in the label: its largest value is a tenth of the others' usual one."""
    _, rows, _ = table()
    values = np.stack(fitted("glm").explain(rows[350:], "shape-functions"))
    assert np.abs(values[:, 5]).max() < np.abs(values[:, 0]).max() / 5


def test_shapley_values_of_a_sum_are_its_curves_less_their_mean() -> None:
    _, rows, _ = table()
    model = fitted("glm")
    curves = np.stack(model.explain(rows[350:360], "shape-functions"))
    background = [tuple(row) for row in model.background.values.tolist()]
    middle = np.stack(model.explain(background, "shape-functions")).mean(0)
    np.testing.assert_allclose(np.stack(model.explain(rows[350:360], "shapley")), curves - middle, atol=1e-6)


@KINDS
def test_the_same_seed_is_the_same_model_and_only_the_network_heeds_it(kind: str) -> None:
    domain, rows, y = table()
    recipe = TableRecipe(domain=domain, kind=kind)
    one, other = (recipe.fit(rows[:200], y[:200], seed).predict(rows[350:]) for seed in (0, 1))
    np.testing.assert_array_equal(one, recipe.fit(rows[:200], y[:200], 0).predict(rows[350:]))
    assert (not np.array_equal(one, other)) == recipe.seeds_matter


def test_levels_and_gaps_that_training_lacks_are_answered() -> None:
    domain, rows, y = table()
    red = [k for k, row in enumerate(rows) if domain.columns[3].said(row[3]) in ("red", "green") and row[0] < 1e9]
    other = [k for k in range(len(rows)) if k not in red]
    for kind in MODELS:
        model = TableRecipe(domain=domain, kind=kind).fit([rows[k] for k in red], y[red], 0)
        assert np.isfinite(model.predict([rows[k] for k in other])).all(), kind


def test_a_model_is_asked_with_nan_and_legal_codes_alone() -> None:
    """Gaps are no number, what lies between two levels is the nearest, and rare levels of many are one."""
    seen: list[torch.Tensor] = []

    class Asked:
        def predict(self, inputs: Tensors) -> torch.Tensor:
            seen.append(inputs.values)
            return torch.zeros(len(inputs), 1)

    names = [f"level {k:03}" for k in range(150) for _ in range(1 + (k < 99))]
    frame = pd.DataFrame({"x": [np.nan, 2.5] * 124 + [1.5], "n": [1] * 249, "c": names})
    columns, codes = Columns.encoded(frame)
    between = codes.copy()
    between[:, 1:] += 0.4
    OnCodes(Asked(), columns).predict(Tensors(torch.from_numpy(between), columns.names, columns))
    (values,) = seen
    assert torch.isnan(values[:, 0]).tolist() == frame["x"].isna().tolist()
    assert not torch.isnan(values[:, 1:]).any()
    assert values[:, 1].tolist() == [1.0] * 249
    assert values[:, 2].tolist() == np.minimum(codes[:, 2], 99).tolist()


def test_of_many_columns_fewer_rows_stand_for_absence() -> None:
    generator = np.random.default_rng(0)
    wide = pd.DataFrame(generator.normal(size=(60, 120)), columns=[f"c{k}" for k in range(120)])
    columns, codes = Columns.encoded(wide)
    domain = RawTables.of(columns, codes)
    rows = [tuple(row) for row in codes.tolist()]
    model = TableRecipe(domain=domain, kind="glm").fit(rows, (codes[:, 0] > 0).astype(float), 0)
    assert len(fitted("glm").background) == BACKGROUND
    assert len(model.background) == 20
    assert model.explain(rows[:2], "shapley")[0].shape == (120,)


def test_a_kind_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="no model 'gcn' of tables; choose from boosting"):
        TableRecipe(domain=table()[0], kind="gcn")
