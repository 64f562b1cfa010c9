"""Conditions on columns: read as they are written, true where they are true; what cannot be meant."""

import operator
from collections.abc import Callable
from math import inf, nan, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attar.core.errors import InputError
from attar.core.motif import Motif, alternatives
from attar.core.rule import AtLeast, Path, explanations, holds
from attar.domains.tables.columns import Columns
from attar.domains.tables.condition import read
from attar.domains.tables.domain import Tables
from attar.domains.tables.truth import RowFinder
from reference.legal_masks import legal_masks

COLUMNS = Columns(6, 0.5)
FIND, DOMAIN = RowFinder(COLUMNS), Tables(columns=6)
NUMBERS = st.integers(-6, 6).map(lambda k: k / 2)
ROWS = st.tuples(*[NUMBERS] * 6)
PRODUCTS = st.lists(st.integers(0, 5), min_size=1, max_size=3, unique=True)
SUMS = st.lists(st.tuples(st.sampled_from([1.0, -1.0, 2.0, -0.5]), PRODUCTS), min_size=1, max_size=3)
SIGNS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def written(terms: list[tuple[float, list[int]]], tight: bool) -> str:
    text = ""
    for k, (factor, columns) in enumerate(terms):
        sign = "-" if factor < 0 else "+" if k else ""
        size = "" if abs(factor) == 1 else f"{abs(factor):g}" + ("*" if tight else " ")
        text += f" {sign} " + size + ("*" if tight else " * ").join(f"x{c + 1}" for c in columns)
    return text.replace(" ", "") if tight else text


def found(text: str, row: tuple[float, ...]) -> list[set[int]]:
    return [set(match.parts) for match in FIND.find(Motif(text), row)]


# --- against the sum worked out by hand ---


@given(SUMS, st.sampled_from(list(SIGNS)), NUMBERS, ROWS, st.booleans(), st.booleans())
@settings(max_examples=400, deadline=None)
def test_a_comparison_is_true_where_its_sum_compares_so(terms, sign, number, row, tight, first) -> None:
    total = sum(factor * prod(row[c] for c in columns) for factor, columns in terms)
    text = f"{number} {TURNED[sign]} {written(terms, tight)}" if first else f"{written(terms, tight)} {sign} {number}"
    named = {c for _, columns in terms for c in columns}
    assert found(text, row) == ([named] if SIGNS[sign](total, number) else [])
    assert read(text, COLUMNS).hold(np.array([row] * 2)).tolist() == [SIGNS[sign](total, number)] * 2


@given(
    SUMS, st.sampled_from(["<", "<="]), st.sampled_from(["<", "<="]), NUMBERS, st.integers(1, 6), ROWS, st.booleans()
)
@settings(max_examples=400, deadline=None)
def test_an_interval_is_true_between_its_ends(terms, left, right, low, width, row, down) -> None:
    total = sum(factor * prod(row[c] for c in columns) for factor, columns in terms)
    high, text = low + width / 2, written(terms, False)
    true = SIGNS[left](low, total) and SIGNS[right](total, high)
    both = f"{high} {TURNED[right]} {text} {TURNED[left]} {low}" if down else f"{low} {left} {text} {right} {high}"
    assert bool(found(both, row)) is true


RULES = [
    'has("x1 > 0") and has("x1 * x2 > 0")',
    'count("x1 > 0" or "x2 > 0" or "x3 > 0" or "x1 < -1") >= 2',
    'not (has("x1 > 0") and has("x2 > 0"))',
    'has("x1 + x2 > 1") or (has("x3 <= 0") and not has("x6 = 2"))',
    'count("x1 > 0") < 2 and count("x2 > 0") >= 0',
]
LITERAL: dict[str, tuple[set[int], Callable[..., bool]]] = {
    "x1 > 0": ({0}, lambda x: x[0] > 0),
    "x2 > 0": ({1}, lambda x: x[1] > 0),
    "x3 > 0": ({2}, lambda x: x[2] > 0),
    "x1 < -1": ({0}, lambda x: x[0] < -1),
    "x1 * x2 > 0": ({0, 1}, lambda x: x[0] * x[1] > 0),
    "x1 + x2 > 1": ({0, 1}, lambda x: x[0] + x[1] > 1),
    "x3 <= 0": ({2}, lambda x: x[2] <= 0),
    "x6 = 2": ({5}, lambda x: x[5] == 2),
}


@given(st.sampled_from(RULES), ROWS)
@settings(max_examples=300, deadline=None)
def test_masks_are_every_choice_of_matches(text: str, row: tuple[float, ...]) -> None:
    rule = DOMAIN.read_rule(text)

    def where(condition: AtLeast | Path) -> set[frozenset[int]]:
        assert isinstance(condition, AtLeast)
        literal = [LITERAL[motif.text] for motif in alternatives(condition.motif)]
        return {frozenset(columns) for columns, true in literal if true(row)}

    literal = legal_masks(rule, where)
    assert holds(rule, FIND, row) is (literal is not None)
    assert set(explanations(rule, FIND, row, cap=10**6).alternatives) == (literal or set())


# --- by hand ---


ROW = (1.0, -2.0, 0.5, 0.0, 3.0, 2.0)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("x1 > 0.5", {0}),
        ("x1>1", None),
        ("x1 >= 1", {0}),
        ("0.2 < x3 <= 0.5", {2}),
        ("0.5 < x3 <= 0.7", None),
        ("1 >= x3 > 0.2", {2}),
        ("x1 * x2 > 0", None),
        ("x1 + 2 x3 > 1", {0, 2}),
        ("x1 + 2*x3 > 2", None),
        ("- x2 + x1 * x5 > 4.9", {0, 1, 4}),
        ("2x1 < 1e3", {0}),
        ("x6 = 2", {5}),
        ("x6 = 1", None),
        ("2 = x6", {5}),
        ("x6 <= 2", {5}),
        ("-1 < x4", {3}),
    ],
)
def test_conditions_by_hand(text: str, parts: set[int] | None) -> None:
    assert found(text, ROW) == ([] if parts is None else [parts])


def test_grown_conditions_cover_the_columns_they_grow_into() -> None:
    (match,) = FIND.find(Motif("x1 > 0", "rise", grow="x1 * x5 > 0"), ROW)
    assert match.parts == match.named["rise"] == {0, 4}
    assert [set(m.parts) for m in FIND.find(Motif("x1 > 0", grow="x1 * x2 > 0"), ROW)] == [{0}]
    assert [set(m.parts) for m in FIND.find(Motif("x1 > 0", grow="x5 > 0"), ROW)] == [{0}]  # another column


# --- what cannot be meant ---


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('has("x1")', "is no condition on columns: write columns compared with numbers"),
        ('has("0.5 > 1")', "is no condition"),
        ('has("x1 > x2")', "is no condition"),
        ('has("x1 > 0.5 > x2")', "is no condition"),
        ('has("x1 == 2")', "is no condition"),
        ('has("x7 > 1")', "has the column x7, expected one of x1, x2, x3, x4, x5 and x6"),
        ('has("x1 ** x2 > 1")', "'\\*\\* x2' where a column was expected"),
        ('has("x1 x2 > 1")', "'x2' where a column was expected"),
        ('has("x1 + 2 > 1")', "'\\+ 2' where a column was expected"),
        ('has("x1 * x1 > 1")', "multiplies a column by itself: write an interval"),
        ('has("0 x1 > 1")', "multiplies a column by 0"),
        ('has("0.7 < x3 <= 0.2")', "holds for no number: write the lower number first"),
        ('has("1 < x3 < 1")', "holds for no number"),
        ('has("0.2 < x3 > 0.7")', "is no interval"),
        ('has("x1 = 2")', "which none is; = is for the category x6"),
        ('has("x6 + x1 = 2")', "which none is"),
        ('has("x1 > 1" grow "x9 > 1")', "has the column x9"),
        ('path("x1 > 0", "x2 > 0", 0, 1)', "lie in no order: name them in one motif"),
        ('has("x1 > 0") and not path("x1 > 0", "x2 > 0", 0, 1)', "lie in no order"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, why: str) -> None:
    with pytest.raises(InputError, match=why) as refused:
        DOMAIN.read_rule(text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("number", [nan, inf])
def test_what_is_missing_is_not_taken_for_false(number: float) -> None:
    with pytest.raises(InputError, match=r'no finite number in "x1 \* x2 > 0": fill in what is missing'):
        FIND.find(Motif("x1 * x2 > 0"), (1.0, number, 0.0, 0.0, 1.0, 0.0))
    assert FIND.find(Motif("x1 > 0"), (1.0, number, 0.0, 0.0, 1.0, 0.0))


def test_a_row_of_another_table_is_refused() -> None:
    with pytest.raises(InputError, match="a row has 2 numbers, expected 6"):
        FIND.find(Motif("x1 > 0"), (1.0, 2.0))
