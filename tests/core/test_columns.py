"""Columns of data frames: every type comes back as it came, nothing but what a column can hold reaches a model."""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from attar import InputError, Logit, Tensors, UnsupportedError, attribute
from attar.core.attribution import Attribution
from attar.core.baseline import Constant, Rows, Typical, Zeros
from attar.core.column import MISSING, is_missing, medians, unit_of
from attar.core.columns import Columns
from attar.core.features import ColumnGroups, Features, Share
from attar.core.inputs import Inputs
from attar.core.parts import Parts
from attar.methods.gradient import Gradient
from attar.methods.occlusion import Occlusion
from attar.methods.shapley import Shapley
from mixed_table import COLUMNS, mixed
from models import relu_mlp

NAN = float("nan")


def of_every_type() -> pd.DataFrame:
    """Each type of pandas with a gap, where the type has one."""
    words, odd = ["a", None, "b", "a"], ["x", None, "y", "x"]
    return pd.DataFrame(
        {
            "double": [1.5, NAN, -3.0, 0.1],
            "plain": [1.0, 2.0, 1e-300, 4.0],
            "single": np.array([1.25, NAN, 3, 0.1], dtype=np.float32),
            "half": np.array([1.5, 2.5, NAN, 4], dtype=np.float16),
            "whole": np.array([1, -(2**53), 3, 4]),
            "small": np.array([0, 127, -128, 4], dtype=np.int8),
            "unsigned": np.array([0, 255, 3, 4], dtype=np.uint8),
            "nullable whole": pd.array([1, None, 3, 4], dtype="Int64"),
            "nullable small": pd.array([1, None, 3, 4], dtype="UInt8"),
            "nullable double": pd.array([1.5, None, 3, 4], dtype="Float64"),
            "arrow double": pd.array([1.5, None, 3, 4], dtype="double[pyarrow]"),
            "arrow whole": pd.array([1, None, 3, 4], dtype="int32[pyarrow]"),
            "yes": [True, False, True, True],
            "only yes": [True, True, True, True],
            "yes with None": pd.Series([True, None, False, True], dtype=object),
            "nullable yes": pd.array([True, None, False, True], dtype="boolean"),
            "arrow yes": pd.array([True, None, False, True], dtype="bool[pyarrow]"),
            "text": pd.Series(words, dtype="str"),
            "text of objects": pd.Series(["a", None, NAN, "b"], dtype=object),
            "nullable text": pd.array(words, dtype="string"),
            "arrow text": pd.array(words, dtype="string[pyarrow]"),
            "category": pd.Categorical(odd, categories=["z", "y", "x"]),
            "ordered": pd.Categorical(odd, categories=["z", "y", "x"], ordered=True),
            "category of numbers": pd.Categorical([3, 1, None, 1]),
            "category of yes": pd.Categorical([True, False, None, True]),
            "empty": [NAN] * 4,
            "empty objects": pd.Series([None] * 4, dtype=object),
            "empty whole": pd.array([None] * 4, dtype="Int64"),
        }
    )


def polars_of_every_type() -> Any:
    pl = pytest.importorskip("polars", reason="polars is not installed")
    return pl.DataFrame(
        {
            "double": [1.5, None, NAN, 0.1],
            "plain": [1.0, 2.0, 3.0, 4.0],
            "whole": [1, None, 3, -4],
            "yes": [True, None, False, True],
            "text": ["a", None, "b", "a"],
            "empty": [None] * 4,
        }
    ).with_columns(
        pl.col("plain").cast(pl.Float32).alias("single"),
        pl.col("whole").abs().cast(pl.UInt16).alias("unsigned"),
        pl.col("text").cast(pl.Categorical).alias("category"),
        pl.col("text").cast(pl.Enum(["z", "b", "a"])).alias("enum"),
    )


# --- there and back ---


@pytest.mark.parametrize("name", of_every_type().columns)
def test_every_type_of_pandas_comes_back_bit_for_bit(name: str) -> None:
    frame = of_every_type()[[name]]
    for given in (frame, frame.iloc[[2]], frame.iloc[[1]], frame.iloc[[3, 1, 1, 0]]):
        given = given.reset_index(drop=True)
        columns, codes = Columns.encoded(given)
        pd.testing.assert_frame_equal(columns.frame(codes), given, check_exact=True)


def test_kinds_of_missing_are_kept_apart() -> None:
    columns, codes = Columns.encoded(of_every_type()[["text of objects"]])
    back = columns.frame(codes)["text of objects"]
    assert back[1] is None
    assert isinstance(back[2], float)
    pl = pytest.importorskip("polars", reason="polars is not installed")
    columns, codes = Columns.encoded(pl.DataFrame({"a": [None, NAN, 1.0]}))
    assert codes[:, 0].tolist() == [MISSING, 2 * MISSING, 1]
    assert columns.frame(codes)["a"].is_null().to_list() == [True, False, False]
    assert columns.frame(codes[1:])["a"].is_nan().to_list() == [True, False]


def test_every_type_of_polars_and_arrow_comes_back() -> None:
    frame = polars_of_every_type()
    columns, codes = Columns.encoded(frame)
    back = columns.frame(codes)
    assert back.schema == frame.schema
    assert back.equals(frame, null_equal=True)
    table = frame.drop("category", "enum", "double").to_arrow()
    columns, codes = Columns.encoded(table)
    assert columns.frame(codes).equals(table)
    assert isinstance(columns.frame(codes), pa.Table)


def test_rows_are_taken_repeated_and_reordered_as_the_frame_would() -> None:
    frame = mixed(20)
    index = [3, 3, 19, 0]
    taken = Tensors.of_frame(frame).take(torch.tensor(index)).frame()
    pd.testing.assert_frame_equal(taken, frame.iloc[index].reset_index(drop=True))


def test_a_frame_goes_into_another_process() -> None:
    table = Tensors.of_frame(mixed(12))
    again = pickle.loads(pickle.dumps(table))
    pd.testing.assert_frame_equal(again.frame(), mixed(12))


def test_labels_that_are_no_text_come_back() -> None:
    frame = pd.DataFrame([[1.0, "a"], [2.0, "b"]], columns=[0, 7])
    table = Tensors.of_frame(frame)
    assert table.names == ("0", "7")
    assert table.frame().columns.tolist() == [0, 7]
    plain = pd.DataFrame(np.ones((2, 2)), columns=[3, 4])
    pd.testing.assert_frame_equal(Tensors.of_frame(plain).frame(), plain, check_column_type=False)


# --- codes ---


def test_codes_of_levels() -> None:
    """A categorical's own order, but for levels that do not occur; False before True; text by how often it occurs."""
    columns, codes = Columns.encoded(of_every_type())
    levels = {column.name: column.levels for column in columns.each}
    assert levels["ordered"] == levels["category"] == ("y", "x")
    assert levels["yes"] == levels["only yes"] == levels["yes with None"] == (False, True)
    assert levels["text"] == ("a", "b")
    assert levels["double"] is None
    assert levels["empty"] == ()
    of = dict(zip(columns.names, codes.T.tolist(), strict=True))
    assert of["only yes"] == [1, 1, 1, 1]
    assert of["ordered"] == [1, MISSING, 0, 1]
    assert of["text of objects"] == [0, MISSING, 2 * MISSING, 1]
    commoner = Columns.encoded(pd.DataFrame({"a": ["x", "y", "y", "w", "w", "y"]}))[0]
    assert commoner[0].levels == ("y", "w", "x")


@pytest.mark.parametrize(
    ("name", "code", "expected"),
    [
        ("text", 0.4, "a"),
        ("text", 0.6, "b"),
        ("text", 17.0, "b"),
        ("text", -3.0, "a"),
        ("yes", 0.7, True),
        ("whole", 2.6, 3),
        ("small", 300.0, 127),
        ("unsigned", -1.0, 0),
        ("nullable small", 1e9, 255),
        ("plain", 2.6, 2.6),
    ],
)
def test_what_a_column_cannot_hold_is_the_nearest_that_it_can(name: str, code: float, expected: Any) -> None:
    columns, codes = Columns.encoded(of_every_type())
    codes[:, columns.names.index(name)] = code
    back = columns.frame(codes)[name]
    assert back.dtype == of_every_type()[name].dtype
    assert back.tolist() == [expected] * 4


@pytest.mark.parametrize("name", ["double", "nullable whole", "text", "yes with None", "empty", "ordered"])
def test_half_of_missing_is_missing(name: str) -> None:
    """What a method makes of a code by arithmetic: half of it, or a sum with something small."""
    columns, codes = Columns.encoded(of_every_type()[[name]])
    for changed in (0.5 * codes, codes + 3):
        assert columns.frame(changed)[name].isna().tolist()[1]


def test_single_precision_holds_every_code() -> None:
    table = Tensors.of_frame(mixed(30))
    single = table.replace(table.parts.map(torch.Tensor.float))
    back, frame = single.frame(), mixed(30)
    assert back["colour"].equals(frame["colour"])
    assert back["visits"].equals(frame["visits"])
    np.testing.assert_allclose(back["age (years)"], frame["age (years)"], rtol=1e-6)


def test_medians_leave_out_what_is_missing() -> None:
    rows = torch.tensor([[1.0, MISSING], [MISSING, MISSING], [5.0, 2.0], [3.0, MISSING]])
    assert medians(rows, is_missing(rows)).tolist() == [3.0, 2.0]


# --- what is refused ---


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: pd.DataFrame([[1, 2]], columns=["a", "a"]), "two columns are called 'a': rename one"),
        (lambda: pd.DataFrame([[1, 2]], columns=["1", 1]), "two columns are called '1'"),
        (lambda: pd.DataFrame({"b": [1.0, NAN, np.inf]}), r"column 'b' is infinite in row 2 \(from 0\)"),
        (lambda: pd.DataFrame({"b": [1.0, -np.inf, 2]}), "column 'b' is infinite in row 1"),
        (
            lambda: pd.DataFrame({"b": [1.0, 1e30]}),
            r"column 'b' is 1e\+30, too large to be told from missing, in row 1",
        ),
        (lambda: pd.DataFrame({"id": [2**60 + 1, 5]}), "column 'id' holds whole numbers of more than 15 digits"),
        (lambda: pd.DataFrame({"m": [1, "a"]}), "column 'm' mixes values of several types: make them all text"),
        (lambda: pd.DataFrame({"o": pd.Series([1, 2], dtype=object)}), "column 'o' holds int64 as Python objects"),
        (lambda: pd.DataFrame({"d": pd.to_datetime(["2020-01-01"])}), "column 'd' holds Datetime.*count days"),
        (lambda: pa.table({"l": [[1, 2]]}), "column 'l' holds List.*expected numbers, yes or no, text"),
    ],
)
def test_what_cannot_be_a_column_is_refused_in_a_line(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as problem:
        Tensors.of_frame(make())
    assert "\n" not in str(problem.value)


def test_no_rows_are_refused_and_one_is_enough() -> None:
    with pytest.raises(InputError, match="there are no examples"):
        attribute(lambda frame: frame["dose"], mixed(3).iloc[:0], Occlusion())
    found = attribute(lambda frame: frame["dose"], mixed(3).iloc[[1]], Occlusion(baseline=Typical(mixed(30))))
    assert found.values[0].count_nonzero() == 1


def test_a_frame_that_is_not_in_memory_is_refused() -> None:
    pl = pytest.importorskip("polars", reason="polars is not installed")
    with pytest.raises(InputError, match=r"LazyFrame is no data frame that is in memory.*collect it"):
        Tensors.of_frame(pl.DataFrame({"a": [1]}).lazy())


def test_a_hundred_thousand_columns_there_and_back() -> None:
    """Plain numbers go as one block, the two others by themselves."""
    wide = pd.DataFrame(np.random.default_rng(0).standard_normal((3, 100_000)))
    wide.columns = [f"x{k}" for k in range(100_000)]
    wide = wide.assign(colour=["red", "blue", None], gap=[1.0, NAN, 2.0])
    columns, codes = Columns.encoded(wide)
    assert codes.nbytes == 3 * 100_002 * 8
    back = columns.frame(codes)
    assert back.columns.tolist()[-2:] == ["colour", "gap"]
    pd.testing.assert_frame_equal(back.iloc[:, -4:], wide.iloc[:, -4:])
    assert np.array_equal(back.iloc[:, :-2].to_numpy(), wide.iloc[:, :-2].to_numpy())


# --- units ---


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("age (years)", "years"),
        ("dose [mg/kg]", "mg/kg"),
        ("mass / kg", "kg"),
        ("sepal length (cm)", "cm"),
        ("area (m²)", "m²"),
        ("share (%)", "%"),
        ("score (adjusted)", ""),
        ("a/b", ""),
        ("od280/od315", ""),
        ("income / month", "month"),
        ("(cm)", ""),
        ("age", ""),
    ],
)
def test_a_unit_is_read_off_a_name_where_it_is_plain(name: str, unit: str) -> None:
    assert unit_of(name) == unit


def test_units_are_given_and_said() -> None:
    table = Tensors.of_frame(mixed(5), units={"dose": "mg"})
    assert table.columns is not None
    units = {column.name: column.unit for column in table.columns.each}
    assert units["dose"] == "mg"
    assert units["age (years)"] == "years"
    assert units["colour"] == ""
    assert table.columns[2].said(1.5) == "1.5 mg"
    assert table.columns[0].said(41.0) == "41"  # the name says years already
    assert table.columns[1].said(12345.0) == "12345"
    assert table.columns[4].said(1.0) == "True"
    assert table.columns[0].phrase(MISSING) == "age (years) is missing"
    with pytest.raises(InputError, match="a unit is given for column 'dsoe', which is not there"):
        Tensors.of_frame(mixed(5), units={"dsoe": "mg"})


# --- rows beside rows ---


def test_levels_that_only_the_background_has_come_after_and_decode() -> None:
    here, there = mixed(40).query("colour == 'green'").head(2), mixed(40)
    table, rows = Tensors.of_frame(here), Rows(there)
    assert rows.columns is not None
    both = table.beside([rows.columns])
    assert both.columns is not None
    assert both.columns[3].levels[0] == "green"
    assert set(both.columns[3].levels or ()) == {"red", "green", "blue"}
    assert torch.equal(both.values, table.values)
    pd.testing.assert_frame_equal(both.frame(), here.reset_index(drop=True))
    pd.testing.assert_frame_equal(both.replace(Parts({"input": rows.like(both)})).frame(), there)
    with pytest.raises(
        InputError, match=r"has '(red|blue)' in column 'colour', which the examples' columns do not know"
    ):
        rows.like(table)


def test_a_row_with_a_gap_beside_rows_without_and_the_other_way_round() -> None:
    frame = of_every_type()
    for one, other in (([1], [0, 2, 3]), ([0, 3], [1]), ([1], [1]), ([2], [0, 1])):
        here, there = (frame.iloc[rows].reset_index(drop=True) for rows in (one, other))
        columns = Columns.encoded(there)[0]
        table = Tensors.of_frame(here).beside([columns])
        pd.testing.assert_frame_equal(table.frame(), here)
        again = table.replace(Parts({"input": Rows(there).like(table)}))
        pd.testing.assert_frame_equal(again.frame(), there)


def test_categoricals_of_different_levels_become_one_that_knows_both() -> None:
    here = pd.DataFrame({"a": pd.Categorical(["x", "y"])})
    there = pd.DataFrame({"a": pd.Categorical(["z", "x"])})
    table = Tensors.of_frame(here).beside([Columns.encoded(there)[0]])
    assert table.frame()["a"].tolist() == ["x", "y"]
    other = table.replace(Parts({"input": Rows(there).like(table)})).frame()["a"]
    assert other.tolist() == ["z", "x"]
    assert other.cat.categories.tolist() == ["x", "y", "z"]


@pytest.mark.parametrize(
    ("here", "there", "said"),
    [
        (
            [1.0, 2.0],
            ["a", "b"],
            r"column 'a' holds numbers in the examples, and in the background a category \(a and b\)",
        ),
        (["a", "b"], [1.0, 2.0], "in the background numbers: make it one kind"),
        (np.array([1], dtype=np.int8), np.array([200], dtype=np.uint8), "Int8 in the examples and UInt8 in the backgr"),
    ],
)
def test_columns_that_cannot_be_one_are_refused(here: Any, there: Any, said: str) -> None:
    table = Tensors.of_frame(pd.DataFrame({"a": here}))
    with pytest.raises(InputError, match=said):
        table.beside([Columns.encoded(pd.DataFrame({"a": there}))[0]])


def test_of_two_types_of_numbers_the_one_that_holds_both() -> None:
    few, many = pd.DataFrame({"a": np.array([1, 2], dtype=np.int8)}), pd.DataFrame({"a": np.array([1000])})
    table = Tensors.of_frame(few).beside([Columns.encoded(many)[0]])
    assert table.replace(Parts({"input": Rows(many).like(table)})).frame()["a"].tolist() == [1000]
    gaps = pd.DataFrame({"a": [1.5, NAN]})
    table = Tensors.of_frame(many).beside([Columns.encoded(gaps)[0]])
    assert table.replace(Parts({"input": Rows(gaps).like(table)})).frame()["a"].isna().tolist() == [False, True]


def test_an_array_beside_a_category_is_refused() -> None:
    table = Tensors.of_frame(mixed(5))
    with pytest.raises(InputError, match=r"column 'colour' is a category .*a background of arrays beside it takes"):
        Rows(np.ones((3, 6))).like(table)
    with pytest.raises(InputError, match=r"column 'colour' is a category .*an array beside it takes numbers"):
        Rows(mixed(5)).like(Tensors(table.values))


def test_a_typical_row() -> None:
    frame = mixed(80)
    typical = Typical(frame)
    table = Tensors.of_frame(frame.head(3)).beside([Columns.encoded(frame)[0]])
    row = table.replace(typical(table)).frame().iloc[0]
    assert row["colour"] == frame["colour"].mode()[0]
    assert row["useless"] == frame["useless"].mode()[0]
    assert not row["member"]
    ages = frame["age (years)"].dropna().sort_values()
    assert row["age (years)"] == ages.iloc[(len(ages) - 1) // 2]
    assert row["visits"] == frame["visits"].sort_values().iloc[(len(frame) - 1) // 2]
    assert "Typical(Rows(80 x 6, mean" in repr(typical)
    often = pd.DataFrame({"a": ["x", None, None, "y"], "b": [NAN, NAN, NAN, 2.0], "c": [NAN] * 4})
    alone = Tensors.of_frame(often)
    middle = alone.replace(Typical(often)(alone)).frame().iloc[0]
    assert middle.isna().tolist() == [True, False, True]


def test_zero_says_nothing_of_a_category() -> None:
    with pytest.raises(
        InputError, match=r"zero says nothing of column 'colour', a category .*Typical\(training_frame\)"
    ):
        attribute(lambda frame: frame["dose"], mixed(4), Occlusion())
    numbers = mixed(4)[["dose", "visits", "member"]]  # of yes or no, 0 is no
    found = attribute(lambda frame: frame["dose"] + 2 * frame["member"], numbers, Occlusion())
    np.testing.assert_allclose(found.values[:, 0], numbers["dose"])
    np.testing.assert_allclose(found.values[:, 2], 2.0 * numbers["member"])
    assert torch.equal(Zeros()(Tensors.of_frame(numbers))["input"], torch.zeros(4, 3, dtype=torch.float64))


def test_some_rows_are_drawn_in_their_order() -> None:
    rows = Rows(mixed(50))
    some = rows.some(10, seed=3)
    assert len(some) == 10
    assert torch.equal(some.values, rows.some(10, seed=3).values)
    place = [(rows.values == each).all(1).nonzero()[0, 0].item() for each in some.values]
    assert place == sorted(set(place))
    assert rows.some(50) is rows


# --- what a table cannot be asked ---


def test_a_gradient_along_a_category_is_refused_in_a_line() -> None:
    with pytest.raises(UnsupportedError, match="Gradient follows a gradient, and column 'colour' is a category"):
        attribute(relu_mlp(), mixed(4)[["dose", "colour"]], Gradient())
    with pytest.raises(UnsupportedError, match=r"column 'age \(years\)' is numbers with gaps.*only asks"):
        attribute(relu_mlp(), mixed(40)[["dose", "age (years)"]], Gradient())


def test_a_network_is_not_given_codes() -> None:
    method = Shapley(background=Rows(mixed(10)))
    with pytest.raises(InputError, match=r"column 'colour' is a category .*this model takes numbers"):
        attribute(relu_mlp(), mixed(4), method)


# --- what is shown ---


def test_what_a_column_is_stands_beside_what_it_counts(tmp_path: Any) -> None:
    frame = mixed(60).query("colour.isna()").head(2)
    weights = {"dose": 1.0, "visits": -2.0}
    found = attribute(
        lambda given: sum(weights[name] * given[name] for name in weights) + given["colour"].isna(),
        frame,
        Occlusion(baseline=Typical(mixed(60))),
    )
    assert found.entry_names == COLUMNS
    shown = str(found), found._repr_html_()
    assert all("colour is missing" in text for text in shown)
    assert f"visits = {frame['visits'].iloc[0]}" in shown[1]
    assert not any("e+30" in text for text in shown)
    assert {name for name, _ in found.ranked(0)} == set(COLUMNS)
    pd.testing.assert_frame_equal(found.frame(), frame.reset_index(drop=True))
    with pytest.raises(InputError, match="'counterfactual' is nothing measured of the columns; there is none"):
        found.frame("counterfactual")
    found.save(tmp_path / "found.safetensors")
    again = Attribution.load(tmp_path / "found.safetensors")
    assert str(again) == str(found)
    with pytest.raises(InputError, match="read from a file says columns in words"):
        again.frame()


def test_what_is_empty_or_constant_is_worth_exactly_nothing_and_is_known() -> None:
    frame = mixed(20).assign(nothing=NAN, always="same", one=1.0)
    table = Tensors.of_frame(frame)
    assert table.columns is not None
    assert table.columns.unvarying(table.values.numpy()) == (("nothing",), ("always", "one"))
    found = attribute(
        lambda given: given["dose"] + given["nothing"].isna() + (given["always"] == "same") * given["one"],
        frame.head(3),
        Shapley(background=Rows(frame)),
    )
    assert torch.equal(found.values[:, 6:], torch.zeros(3, 3, dtype=torch.float64))


def test_a_constant_baseline_is_a_row_of_codes() -> None:
    table = Tensors.of_frame(mixed(6))
    row = Constant({"input": table.values[0]})
    found = attribute(lambda frame: frame["dose"], table, Occlusion(baseline=row))
    np.testing.assert_allclose(found.values[:, 2], mixed(6)["dose"] - mixed(6)["dose"][0])


# --- groups of columns ---


def both_or_none(frame: pd.DataFrame) -> Any:
    return frame["dose"] * frame["member"] + frame["visits"]


def test_columns_are_grouped_by_name() -> None:
    """A literal loop over coalitions of the three groups that matter."""
    frame, background = mixed(3), mixed(8, seed=2)
    by = ColumnGroups(groups={"treatment": ["dose", "member"]})
    found = attribute(both_or_none, frame, Shapley(background=Rows(background), by=by))
    assert found.names["groups"][:5] == ("age (years)", "visits", "treatment", "colour", "useless")
    values = found.parts["groups"].reshape(3, 5)
    for k in range(3):
        own, rest = frame.iloc[k], background
        visits = own["visits"] - rest["visits"].mean()
        treatment = own["dose"] * own["member"] - (rest["dose"] * rest["member"]).mean()
        np.testing.assert_allclose(values[k], [0, visits, treatment, 0, 0], atol=1e-12)
    assert found.ranked(0)[0][0] in ("treatment", "visits")
    assert "ColumnGroups({'treatment': ['dose', 'member']})" in found.method


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ({"g": ["dsoe"]}, "group 'g' names column 'dsoe'; there are"),
        ({"g": ["dose"], "h": ["dose"]}, "column 'dose' stands in two groups: 'g' and 'h'"),
        ({"visits": ["dose", "member"]}, "a group and a column outside it are both called 'visits'"),
    ],
)
def test_groups_that_cannot_be_are_refused(groups: dict[str, list[str]], said: str) -> None:
    with pytest.raises(InputError, match=said):
        attribute(both_or_none, mixed(3), Occlusion(by=ColumnGroups(groups=groups), baseline=Typical(mixed(9))))
    with pytest.raises(InputError, match="tables whose columns have names"):
        attribute(lambda x: x.sum(1), torch.ones(2, 3), Occlusion(by=ColumnGroups(groups={})), Logit(0))


def test_a_column_that_two_features_hold_goes_to_the_other_row_to_the_last_digit() -> None:
    """From missing to 40, and not to the 0 that is left of 40 where it is added to the code of a missing value."""
    here, there = pd.DataFrame({"age": [NAN], "dose": [1.0]}), pd.DataFrame({"age": [40.0], "dose": [1.0]})

    def twice(whole: Inputs) -> Features:
        both, none = torch.tensor([0, 1]), torch.tensor([0, 0])
        return Features(name="both", rule="twice", owner=none, shares={"input": Share(both, none, torch.ones(2))})

    found = attribute(lambda frame: frame["age"].fillna(-1.0), here, Shapley(background=Rows(there), by=twice))
    assert found.parts["both"].tolist() == [-20.5, -20.5]
