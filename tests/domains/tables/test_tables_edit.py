"""Rows made and edited: how columns are spread and go together, what an edit changes and what it leaves."""

from functools import cache

import numpy as np
import pytest
import torch
from scipy.stats import kstest, norm

from attar.core.errors import InputError
from attar.core.motif import Motif
from attar.core.planting import counterfactuals, generate
from attar.core.rule import Match, Path
from attar.domains.tables.columns import CODES, Columns
from attar.domains.tables.domain import Tables
from attar.domains.tables.edit import STEP
from attar.domains.tables.truth import Row

DOMAIN = Tables()
LAYOUT, PLANTER, FIND = DOMAIN.layout, DOMAIN.planter, DOMAIN.finder
RATIO, CATEGORY = LAYOUT.ratio, LAYOUT.category
GONE = [
    "x1 > 0.5", "-0.3 < x2 <= 1.2", "x1 * x4 > 0", "x1 + 2 x4 > 0.5", "x11 > 1.5", "x11 < 0.7", "x12 = 2", "x12 <= 1",
    "x1 * x11 + x12 > 0.2",
]  # fmt: skip


@cache
def drawn() -> np.ndarray:
    return LAYOUT.drawn(np.random.default_rng(1), 20_000)


def rows(count: int) -> list[Row]:
    return [tuple(row) for row in drawn()[:count].tolist()]


def differing(before: Row, after: Row) -> list[int]:
    return [k for k, (one, other) in enumerate(zip(before, after, strict=True)) if one != other]


# --- columns ---


def test_columns_are_spread_as_they_say() -> None:
    assert kstest(drawn()[:, 0], "norm").pvalue > 0.001
    assert kstest(np.log(drawn()[:, RATIO]), "norm").pvalue > 0.001
    np.testing.assert_allclose(np.bincount(drawn()[:, CATEGORY].astype(int)) / 20_000, CODES, atol=0.015)
    np.testing.assert_allclose(drawn().mean(0), LAYOUT.mean, atol=0.06)
    np.testing.assert_allclose(drawn()[:, :10].std(0), LAYOUT.deviation[:10], atol=0.03)
    np.testing.assert_allclose(drawn()[:, CATEGORY].std(), LAYOUT.deviation[CATEGORY], atol=0.03)
    assert drawn()[:, RATIO].std() == pytest.approx(LAYOUT.deviation[RATIO], rel=0.15)


def test_columns_go_together_by_threes() -> None:
    latent = np.c_[drawn()[:, :10], np.log(drawn()[:, RATIO]), drawn()[:, CATEGORY]]
    together = np.arange(11) // 3
    expected = np.where(together[:, None] == together, 0.7, 0.0)
    np.fill_diagonal(expected, 1)
    found = np.corrcoef(latent.T)
    np.testing.assert_allclose(found[:11, :11], expected, atol=0.03)
    np.testing.assert_allclose(found[11, :11], 0, atol=0.03)


def test_a_quarter_of_a_column_lies_in_each_of_its_groups() -> None:
    held = {
        name: np.mean([bool(FIND.find(Motif(name), row)) for row in rows(2000)]) for name in DOMAIN.editor.vocabulary
    }
    assert len(held) == 11 * (4 + 2) + 4
    for k, (name, share) in enumerate(held.items()):
        if name.startswith("x12"):
            expected = CODES[int(name[-1])]
        else:
            expected = 0.25 if k < 11 * 4 else 0.1  # the quarters of all columns, then their outer tenths
        assert share == pytest.approx(expected, abs=0.04), name
    outer = [[g.name for g in DOMAIN.editor.groups(row)] for row in rows(20)]
    assert all(12 <= len(names) <= 23 for names in outer)


@pytest.mark.parametrize(("columns", "correlation"), [(4, 0.7), (12, 1.0), (12, -0.1)])
def test_columns_that_cannot_be_are_refused(columns: int, correlation: float) -> None:
    with pytest.raises(InputError, match=r"there are 4 columns|correlation is"):
        Columns(columns, correlation)


# --- edits ---


@pytest.mark.parametrize("text", GONE)
def test_planting_changes_the_columns_of_the_condition_alone(text: str) -> None:
    generator = np.random.default_rng(2)
    planted = 0
    for row in rows(60):
        there = FIND.find(Motif(text), row)
        edited = PLANTER.plant(row, Motif(text), generator)
        assert not there or edited is None
        if edited is not None:
            (match,) = FIND.find(Motif(text), edited)
            assert set(differing(row, edited)) <= match.parts
            planted += 1
    assert planted >= 10


def test_columns_drawn_again_are_spread_as_before() -> None:
    generator = np.random.default_rng(7)
    again = np.array([LAYOUT.redrawn(row, frozenset({0, RATIO}), generator, 1)[0] for row in drawn()[:4000]])
    np.testing.assert_array_equal(np.delete(again, [0, RATIO], 1), np.delete(drawn()[:4000], [0, RATIO], 1))
    assert kstest(again[:, 0], "norm").pvalue > 0.001
    assert np.corrcoef(again[:, 0], again[:, 1])[0, 1] == pytest.approx(0.7, abs=0.03)
    assert np.corrcoef(np.log(again[:, RATIO]), again[:, 9])[0, 1] == pytest.approx(0.7, abs=0.03)


def test_a_planted_number_is_one_that_goes_with_its_stand_ins() -> None:
    generator = np.random.default_rng(3)
    edited = [PLANTER.plant(row, Motif("x1 > 0.5"), generator) for row in rows(1500) if row[1] + row[2] > -1.5]
    planted = np.array([row for row in edited if row is not None])
    mean, deviation = 0.7 / 1.7 * (planted[:, 1] + planted[:, 2]), np.sqrt(1 - 2 * 0.7**2 / 1.7)
    below, edge = norm.cdf((planted[:, 0] - mean) / deviation), norm.cdf((0.5 - mean) / deviation)
    assert len(planted) > 500
    assert kstest((below - edge) / (1 - edge), "uniform").pvalue > 0.001


@pytest.mark.parametrize("text", GONE)
def test_a_condition_goes_by_the_number_with_the_least_way_to_go(text: str) -> None:
    generator, gone = np.random.default_rng(4), 0
    latent = {RATIO: np.log}
    for row in rows(80):
        for match in FIND.find(Motif(text), row):
            edited = PLANTER.remove(row, match, generator)
            assert edited is not None
            assert not FIND.find(Motif(text), edited)
            (column,) = differing(row, edited)
            gone += 1
            if column == CATEGORY:
                assert edited[column] in range(len(CODES))
                continue
            scale = latent.get(column, float)
            moved = abs(scale(edited[column]) - scale(row[column]))
            for other in sorted(match.parts - {CATEGORY}):
                assert moved <= _least(text, row, other) + STEP + 1e-6
    assert gone >= 10


def _least(text: str, row: Row, column: int) -> float:
    """How far a column must go until the condition is false, found by trying ever larger steps; at most 12."""
    for step in np.arange(0.002, 12, 0.002):
        for sign in (-1, 1):
            moved = list(row)
            moved[column] = row[column] * np.exp(sign * step) if column == RATIO else row[column] + sign * step
            if not FIND.find(Motif(text), tuple(moved)):
                return float(step)
    return np.inf


def test_the_number_lands_near_the_edge_and_never_on_it() -> None:
    row = (2.0, *rows(1)[0][1:])
    (match,) = FIND.find(Motif("x1 > 0.5"), row)
    edited = [PLANTER.remove(row, match, np.random.default_rng(seed)) for seed in range(300)]
    values = np.array([e[0] for e in edited if e is not None])
    assert ((values >= 0.5 - STEP) & (values < 0.5)).all()
    assert kstest(values, "uniform", (0.5 - STEP, STEP)).pvalue > 0.001


def test_what_cannot_be_made_false_stays() -> None:
    (match,) = FIND.find(Motif("x12 >= 0"), rows(1)[0])
    assert PLANTER.remove(rows(1)[0], match, np.random.default_rng(0)) is None
    (match,) = FIND.find(Motif("x11 > 0"), rows(1)[0])  # a ratio stays positive
    assert PLANTER.remove(rows(1)[0], match, np.random.default_rng(0)) is None
    assert PLANTER.remove(rows(1)[0], Match(frozenset({1})), np.random.default_rng(0)) is None


def test_a_ratio_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="x11 is -1, expected above 0"):
        PLANTER.plant((0.0,) * 10 + (-1.0, 0.0), Motif("x1 > 0"), np.random.default_rng(0))


def test_what_hardly_ever_is_cannot_be_planted() -> None:
    assert PLANTER.plant(rows(1)[0], Motif("x1 > 50"), np.random.default_rng(0)) is None
    with pytest.raises(InputError, match="lie in no order"):
        PLANTER.plant(rows(1)[0], Path(Motif("x1 > 0"), Motif("x2 > 0"), 0, 0), np.random.default_rng(0))


def test_the_counterfactual_of_two_of_three_is_one_number() -> None:
    row = (1.0, 0, 0, 1.0, 0, 0, -1.0, 0, 0, 0, 1.0, 0)
    found = counterfactuals(DOMAIN.read_rule("two-of-three"), FIND, PLANTER, row)
    assert sorted(differing(row, c.example)[0] for c in found) == [0, 3]
    assert all(len(differing(row, c.example)) == 1 for c in found)


def test_a_stand_in_says_nothing_of_the_label_and_goes_with_its_column_all_the_same() -> None:
    examples, labels = generate(DOMAIN.read_rule("threshold"), FIND, PLANTER, 1500, seed=5)
    table = np.array(examples)
    assert np.corrcoef(table[:, 1], labels)[0, 1] == pytest.approx(0, abs=0.08)
    assert np.corrcoef(table[:, 0], table[:, 1])[0, 1] > 0.15


# --- looks ---


def test_numbers_are_encoded_as_they_are_with_their_names() -> None:
    inputs = DOMAIN.encode(rows(3))
    assert inputs.entry_names == LAYOUT.names
    assert torch.equal(inputs.values, torch.tensor(rows(3)))


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ((1.0,), "has 1 numbers, expected 12"),
        ((*rows(1)[0][:3], np.nan, *rows(1)[0][4:]), "row 1 has nan as x4: fill it in"),
    ],
)
def test_what_is_no_row_is_refused(row: Row, why: str) -> None:
    with pytest.raises(InputError, match=why):
        DOMAIN.encode([rows(1)[0], row])


def test_the_trivial_control_is_the_distance_from_the_mean() -> None:
    row = (-2.0, *LAYOUT.mean[1:].tolist())
    np.testing.assert_allclose(DOMAIN.trivial(row), [2.0] + [0.0] * 11)
    assert DOMAIN.trivial((0.0,) * 11 + (3.0,))[CATEGORY] == pytest.approx(2.0)


def test_properties_are_the_columns() -> None:
    found = DOMAIN.properties(rows(5))
    assert list(found)[::5] == ["x1 / sd", "x6 / sd", "x11 / ratio"]
    np.testing.assert_array_equal(found["x12 / code"], drawn()[:5, CATEGORY])
