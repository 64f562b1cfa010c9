"""Raw tables as a domain: conditions in words, groups that the table itself makes, edits that stay of its values."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from attar.core.column import LARGEST
from attar.core.columns import Columns
from attar.core.errors import InputError
from attar.core.motif import Motif
from attar.core.rule import holds
from attar.core.weighted_sum import value
from attar.domains.raw_tables.condition import read
from attar.domains.raw_tables.domain import RawTables
from attar.domains.raw_tables.truth import Row
from attar.pitfalls.traits import Traits
from mixed_table import mixed


@cache
def table(rows: int = 400) -> tuple[RawTables, list[Row]]:
    columns, codes = Columns.encoded(mixed(rows, seed=3))
    return RawTables.of(columns, codes), [tuple(row) for row in codes.tolist()]


def of(frame: pd.DataFrame) -> tuple[RawTables, list[Row]]:
    columns, codes = Columns.encoded(frame)
    return RawTables.of(columns, codes), [tuple(row) for row in codes.tolist()]


SAID = {
    "dose > 2.5": lambda f: f["dose"] > 2.5,
    "dose>=2.5": lambda f: f["dose"] >= 2.5,
    "2.5 > dose": lambda f: f["dose"] < 2.5,
    "1 < dose <= 3": lambda f: (f["dose"] > 1) & (f["dose"] <= 3),
    "3 >= dose > 1": lambda f: (f["dose"] > 1) & (f["dose"] <= 3),
    "visits = 3": lambda f: f["visits"] == 3,
    "visits != 3": lambda f: f["visits"] != 3,
    "age (years) <= 40": lambda f: f["age (years)"] <= 40,
    '"age (years)" > 40': lambda f: f["age (years)"] > 40,
    "age (years) is missing": lambda f: f["age (years)"].isna(),
    "age (years) is not missing": lambda f: f["age (years)"].notna(),
    "colour = red": lambda f: f["colour"] == "red",
    "colour = 'Red'": lambda f: f["colour"] == "red",
    "colour != red": lambda f: f["colour"].notna() & (f["colour"] != "red"),
    "member = yes": None,
    "member = true": lambda f: f["member"],
}


@pytest.mark.parametrize("text", [text for text, meant in SAID.items() if meant is not None])
def test_a_condition_means_what_it_says_of_the_frame(text: str) -> None:
    domain, rows = table()
    condition = read(text, domain.columns)
    meant = SAID[text](mixed(400, seed=3)).to_numpy(dtype=bool)
    assert 0 < meant.sum() < 400
    np.testing.assert_array_equal([condition.holds(row[condition.column]) for row in rows], meant)
    np.testing.assert_array_equal(condition.hold(np.array(rows)[:, condition.column]), meant)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("size > 3", "names no column; there are age"),
        ("dose", "is no condition on a column"),
        ("dose > much", "'much' where a number was expected"),
        ("3 < dose <= 1", "holds for no number"),
        ("2 < dose > 1", "holds for no number"),
        ("colour > 2", "a category .*: write colour = "),
        ("colour = pink", "has no 'pink'; it has red"),
        ("member = yes", "has no 'yes'; it has False and True"),
    ],
)
def test_what_is_no_condition_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        read(text, table()[0].columns)
    assert "\n" not in str(refused.value)


def test_a_longer_name_is_not_taken_for_a_shorter_one() -> None:
    frame = pd.DataFrame({"age": [1.0, 2.0], "age at visit": [5.0, 6.0], "a > 1": [0.0, 9.0], "a": [7.0, 8.0]})
    columns, _ = Columns.encoded(frame)
    asked = ["age > 1", "age at visit > 1", '"a > 1" > 2', "a > 7"]
    assert [columns.names[read(text, columns).column] for text in asked] == ["age", "age at visit", "a > 1", "a"]


def test_groups_are_the_tables_quarters_tenths_levels_and_gaps() -> None:
    domain, rows = table()
    frame = mixed(400, seed=3)
    held = {}
    for k, row in enumerate(rows):
        for group in domain.editor.groups(row):
            held.setdefault(group.name, set()).add(k)
    of_dose = [name for name in held if "dose" in name]
    assert len(of_dose) == 6
    low, middle, high = np.quantile(frame["dose"], [0.25, 0.5, 0.75])
    quarters = [len(held[name]) / 400 for name in of_dose if len(held[name]) > 60]
    assert quarters == pytest.approx([0.25] * 4, abs=0.03)
    assert sum(len(held[name]) < 60 for name in of_dose) == 2
    assert len(held["colour = red"]) == (frame["colour"] == "red").sum()
    assert len(held["age (years) is missing"]) == frame["age (years)"].isna().sum()
    assert {"member = True", "member = False", "colour is missing"} <= held.keys()
    assert low < middle < high


def test_a_groups_name_is_the_condition_that_it_is() -> None:
    """Whatever columns and levels are called."""
    drawn = np.random.default_rng(0)
    domain, rows = of(
        pd.DataFrame(
            {
                "x": drawn.normal(size=200) * 1e-7,
                "a = b": drawn.normal(size=200) + 1e6,
                "3 < y": drawn.integers(0, 3, 200),
                "is missing": drawn.choice(["is missing", "= 3", '"q"', "a  b"], 200),
                "t": drawn.choice(["a = b", "c"], 200),
                "t = a": drawn.choice(["b", "d"], 200),
                'say "x"': np.where(drawn.random(200) < 0.3, np.nan, drawn.exponential(size=200)),
            }
        )
    )
    names = {group.name for row in rows for group in domain.editor.groups(row)}
    assert len(names) == 6 + 6 + 3 + 4 + 2 + 2 + 7
    assert '"t" = a = b' in names
    for name in names:
        for row in rows:
            there = [group.parts for group in domain.editor.groups(row) if group.name == name]
            assert there == domain.editor.places(row, name), name


def test_few_different_numbers_are_groups_of_their_own() -> None:
    domain, rows = of(pd.DataFrame({"grade": [1, 2, 3] * 20, "flag": [0] * 55 + [1] * 5}))
    assert {group.name for row in rows for group in domain.editor.groups(row)} == {
        "grade = 1", "grade = 2", "grade = 3", "flag = 0"
    }  # fmt: skip


def test_an_edit_changes_one_column_to_a_value_of_the_table() -> None:
    domain, rows = table()
    columns, frame = domain.columns, mixed(400, seed=3)
    generator = np.random.default_rng(1)
    names = sorted({group.name for row in rows for group in domain.editor.groups(row)})
    assert len(names) > 20
    for name in names:
        place = read(name, columns).column
        there = set(np.array(rows)[:, place].tolist())
        for row in rows[:40]:
            if domain.editor.places(row, name):
                assert not list(domain.editor.insert(row, name, generator))
                after = domain.editor.remove(row, name, generator)
                assert after is not None
                assert not domain.editor.places(after, name)
            else:
                assert domain.editor.remove(row, name, generator) is row
                after = next(iter(domain.editor.insert(row, name, generator)))
                assert domain.editor.places(after, name)
            assert after[place] in there
            assert [k for k in range(len(row)) if after[k] != row[k]] == [place]
    back = columns.frame(np.array([domain.editor.remove(row, "visits <= 1", generator) for row in rows[:40]]))
    assert back.dtypes.tolist() == frame.dtypes.tolist()


def test_values_are_drawn_as_often_as_they_occur() -> None:
    domain, rows = table()
    row = next(row for row in rows if domain.editor.places(row, "colour = red"))
    generator = np.random.default_rng(2)
    drawn = [domain.editor.remove(row, "colour = red", generator)[3] for _ in range(3000)]  # type: ignore[index]
    there = np.array(rows)[:, 3]
    left = there[there != row[3]]
    for code in np.unique(left):
        assert np.mean(np.array(drawn) == code) == pytest.approx(np.mean(left == code), abs=0.03)


def test_what_no_row_has_cannot_be_put_in_and_what_all_have_cannot_be_taken_out() -> None:
    domain, rows = table()
    generator = np.random.default_rng(0)
    assert list(domain.editor.insert(rows[0], "dose > 1e6", generator)) == []
    assert domain.editor.remove(rows[0], "dose < 1e6", generator) is None


def test_order_of_rows_changes_nothing() -> None:
    frame = mixed(100, seed=5)
    one, rows = of(frame)
    other, _ = of(frame.iloc[::-1])
    assert one.spread.tolist() == other.spread.tolist()
    for row in rows[:20]:
        assert one.editor.groups(row) == other.editor.groups(row)
        assert one.trivial(row).tolist() == other.trivial(row).tolist()


def test_a_rule_and_a_sum_read_columns() -> None:
    domain, rows = table()
    frame = mixed(400, seed=3)
    rule = domain.read_rule('has("dose > 3") and has(tone: "colour = red")')
    said = [holds(rule, domain.finder, row) for row in rows]
    assert said == ((frame["dose"] > 3) & (frame["colour"] == "red")).tolist()
    assert domain.finder.find(Motif("colour = red", name="tone"), rows[said.index(True)])[0].named == {
        "tone": frozenset({3})
    }
    total = domain.read_sum('2*has("dose > 3") - 0.5*has("age (years) is missing")')
    expected = 2.0 * (frame["dose"] > 3) - 0.5 * frame["age (years)"].isna()
    assert [value(total, domain.finder, row) for row in rows] == expected.tolist()
    for wrong in ('has("doze > 3")', 'path("dose > 3", "visits > 1", 0, 1)', 'has("dose > 3" grow "visits > 1")'):
        with pytest.raises(InputError):
            domain.read_rule(wrong)


def test_the_trivial_control_is_how_unusual_a_value_is() -> None:
    domain, rows = of(
        pd.DataFrame(
            {
                "x": [*np.arange(99.0), 1000.0],
                "level": ["a"] * 90 + ["b"] * 10,
                "gap": [1.0] * 60 + [np.nan] * 40,
            }
        )
    )
    scale = 1.4826 * 25
    np.testing.assert_allclose(domain.trivial(rows[99]), [(1000 - 49.5) / scale, -np.log(0.1), -np.log(0.4)])
    np.testing.assert_allclose(domain.trivial(rows[0]), [49.5 / scale, -np.log(0.9), 0.0])


def test_properties_are_finite_and_gaps_stand_beside_them() -> None:
    domain, rows = table()
    frame = mixed(400, seed=3)
    found = domain.properties(rows)
    assert all(np.isfinite(values).all() for values in found.values())
    np.testing.assert_array_equal(found["age (years)"], frame["age (years)"].fillna(frame["age (years)"].median()))
    np.testing.assert_array_equal(found["colour = blue"], frame["colour"] == "blue")
    np.testing.assert_array_equal(found["colour is missing"], frame["colour"].isna())
    np.testing.assert_array_equal(found["member = True"], frame["member"])
    assert "member = False" not in found
    assert "dose is missing" not in found


def test_a_group_is_no_property_as_well() -> None:
    """Else a slice is told of twice, once as numbers."""
    domain, rows = table()
    traits = Traits.of(domain, rows)
    assert "colour = red" in traits.groups
    assert traits.properties == ("age (years)", "visits", "dose")


def test_a_row_in_json_is_columns_and_words() -> None:
    domain, rows = table()
    gap = next(row for row in rows if row[0] >= LARGEST)
    assert domain.as_json(gap)[0] == {"column": "age (years)", "value": "missing"}
    assert [cell["column"] for cell in domain.as_json(gap)] == list(mixed(5).columns)
    assert domain.key(gap) != domain.key(rows[0]) or gap == rows[0]
