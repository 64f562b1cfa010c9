"""Tables read from files: labels, columns that tell nothing, and every kind of bad input in one clear line."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from attar.core.errors import InputError
from attar.domains.raw_tables import read as reading
from attar.domains.raw_tables.read import RawRows, read_rows
from attar.experiments.table_task import from_rows
from mixed_table import labels, mixed


def frame(rows: int = 120) -> pd.DataFrame:
    return mixed(rows, seed=2).assign(y=labels(mixed(rows, seed=2)))


def table(data: pd.DataFrame, folder: Path, **options: Any) -> RawRows:
    path = folder / "table.csv"
    data.to_csv(path, index=False)
    return read_rows(path, **{"label": "y", **options})


def refused(data: pd.DataFrame, folder: Path, **options: Any) -> str:
    with pytest.raises(InputError) as problem:
        table(data, folder, **options)
    assert "\n" not in str(problem.value)
    return str(problem.value)


def noted(read: RawRows) -> dict[str, str]:
    return {note.name: note.sentence for note in read.notes}


def test_a_file_gives_back_the_frame_and_its_label(tmp_path: Path) -> None:
    data = frame()
    read = table(data, tmp_path)
    back = read.columns.frame(read.codes)
    pd.testing.assert_frame_equal(back, data.drop(columns="y"), check_dtype=False)
    assert back.dtypes["visits"] == np.int64
    np.testing.assert_array_equal(read.labels, data["y"])
    assert (read.task, read.positive, read.notes) == ("classification", "1", ())
    assert read.rows.tolist() == list(range(2, 122))


def test_a_parquet_file_is_read_alike(tmp_path: Path) -> None:
    data = frame()
    data.to_parquet(tmp_path / "table.parquet")
    one, other = read_rows(tmp_path / "table.parquet", label="y"), table(data, tmp_path)
    assert one.columns.names == other.columns.names
    np.testing.assert_array_equal(one.codes, other.codes)


def test_ten_numbers_are_a_regression(tmp_path: Path) -> None:
    data = frame().assign(y=np.arange(120) % 11 + 0.5)
    assert table(data, tmp_path).task == "regression"
    assert table(data, tmp_path).positive is None
    few = data.assign(y=np.arange(120) % 3)
    assert table(few, tmp_path, numbers=True).task == "regression"


@pytest.mark.parametrize(
    ("classes", "positive", "taken"),
    [(("no", "yes"), None, "yes"), (("benign", "malignant"), None, "malignant"), (("a", "b"), "A", "a")],
)
def test_of_two_words_one_is_positive_and_it_is_said(
    tmp_path: Path, classes: tuple[str, str], positive: str | None, taken: str
) -> None:
    words = np.array(classes)[np.arange(120) % 2]
    read = table(frame().assign(y=words), tmp_path, positive=positive)
    assert str(read.positive).lower() == taken
    np.testing.assert_array_equal(read.labels, words == taken)
    assert repr(read.positive) in noted(read)["labels taken as"]


def test_of_three_classes_one_is_held_against_the_rest(tmp_path: Path) -> None:
    data = frame().assign(y=np.array(["low", "mid", "high"])[np.arange(120) % 3])
    assert "has 3 classes, low (40), mid (40) and high (40)" in refused(data, tmp_path)
    assert "--positive 'high'" in refused(data, tmp_path)
    read = table(data, tmp_path, positive="mid")
    assert read.labels.sum() == 40
    assert "'mid' (40 rows) was taken as 1 and 2 other values as 0" in noted(read)["labels taken as"]
    assert "has no 'top' to hold against the rest" in refused(data, tmp_path, positive="top")
    codes = data.assign(y=np.arange(120) % 3)
    assert "3 classes" in refused(codes, tmp_path)
    assert table(codes, tmp_path, positive="1.0").labels.sum() == 40


def test_columns_that_tell_nothing_are_left_out_and_said(tmp_path: Path) -> None:
    data = frame().assign(
        patient=[f"P-{k:03}" for k in range(120)],
        number=np.random.default_rng(0).permutation(120) + 1,
        site="Oslo",
        remark=np.nan,
    )
    read = table(data, tmp_path)
    assert read.columns.names == tuple(mixed(5).columns)
    said = noted(read)
    assert "'patient'" in said["columns that name rows"]
    assert "'number'" in said["columns that count rows"]
    assert "'site'" in said["constant columns"]
    assert "'remark'" in said["empty columns"]
    chosen = table(data, tmp_path, columns=["dose", "site", "number"])
    assert chosen.columns.names == ("dose", "site", "number")
    assert chosen.notes == ()


def test_whole_numbers_with_a_gap_or_a_copy_do_not_count_rows(tmp_path: Path) -> None:
    for numbers in (np.r_[np.arange(119), 500], np.r_[0, np.arange(119)]):
        assert "number" in table(frame().assign(number=numbers), tmp_path).columns.names


def test_rows_without_a_label_are_refused_or_left_out_and_counted(tmp_path: Path) -> None:
    data = frame()
    data["y"] = data["y"].astype(object)
    data.loc[[3, 7], "y"] = None
    assert "2 rows without a label in 'y' (rows 5 and 9)" in refused(data, tmp_path)
    read = table(data, tmp_path, skip_bad=True)
    assert len(read) == 118
    assert noted(read)["missing labels"].startswith("Left out: 2 rows")
    assert {5, 9}.isdisjoint(read.rows.tolist())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.assign(dose=np.r_[np.inf, f["dose"][1:]]), "row 2, column 'dose' holds 'inf'"),
        (lambda f: f.head(1), "is '?[01]'? in every row|1 labelled row|nothing to tell"),
        (lambda f: f.head(19), "19 labelled rows, and an audit needs 20"),
        (lambda f: f.assign(y=[1] * 5 + [0] * 115), "5 positives in 'y' among 120 rows"),
        (lambda f: f.assign(y=1), "is '1' in every row: nothing to tell"),
        (lambda f: f.assign(y=np.nan), "is empty in all 120 rows"),
        (lambda f: f.assign(y=np.r_[np.inf, np.arange(119)]), "is infinite in row 2"),
        (lambda f: f[["y"]], "has no column but y"),
        (lambda f: f[["y"]].assign(site="x"), "could tell 'y': Left out: 'site'"),
        (lambda f: f[["y"]].assign(n=range(120)), "has no column but those that name rows"),
        (lambda f: f.rename(columns={"y": "z"}), "has no column 'y' for the label"),
        (lambda f: f.assign(dose=["?", *f["dose"][1:]]), "numbers but for 1 cell, the first '\\?' in row 2"),
        (lambda f: f.assign(dose=[f"{x:.2f}".replace(".", ",") for x in f["dose"]]), "decimal commas"),
    ],
)
def test_bad_input_is_one_clear_line(tmp_path: Path, change: Any, said: str) -> None:
    import re

    assert re.search(said, refused(change(frame()), tmp_path)), refused(change(frame()), tmp_path)


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    data = frame()
    data.columns = [*data.columns[:-2], "dose", "y"]
    assert "more than one column called 'dose'" in refused(data, tmp_path)


def test_many_columns_are_refused_before_memory_is_spent(tmp_path: Path) -> None:
    names = [f"c{k}" for k in range(100_000)]
    row = ",".join(["1"] * 100_000)
    (tmp_path / "wide.csv").write_text("\n".join([",".join([*names, "y"]), *(f"{row},{k % 2}" for k in range(3))]))
    with pytest.raises(InputError, match="100,000 columns, and an audit takes at most 500") as problem:
        read_rows(tmp_path / "wide.csv", label="y")
    assert "--columns" in str(problem.value)


def test_many_rows_are_drawn_and_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_ROWS", 50)
    read = table(frame(), tmp_path)
    assert len(read) == 50
    assert "50 of 120 rows were drawn (seed 0)" in noted(read)["rows drawn"]
    place = read.rows - 2
    np.testing.assert_array_equal(read.labels, frame()["y"].to_numpy()[place])
    assert table(frame(), tmp_path, seed=1).rows.tolist() != read.rows.tolist()


def test_a_split_column_says_what_is_held_out(tmp_path: Path) -> None:
    side = np.where(np.arange(120) % 3 == 0, "test", "train")
    task = from_rows(table(frame().assign(side=side), tmp_path, split="side"))
    assert task.given_split
    np.testing.assert_array_equal(task.test, side == "test")
    assert "side" not in task.domain.columns.names


def test_a_quarter_of_each_class_is_held_out_otherwise(tmp_path: Path) -> None:
    read = table(frame(), tmp_path)
    task = from_rows(read, seed=4)
    for c in (0.0, 1.0):
        assert task.test[task.labels == c].mean() == pytest.approx(0.25, abs=0.02)
    assert task.test.tolist() != from_rows(read, seed=5).test.tolist()
    assert [list(e) for e in task.examples] == read.codes.tolist()
