"""What is wrong with a table, one thing at a time, from the shell: handled, or refused in one line."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from attar.cli import main
from mixed_table import labels, mixed

MODEL = """
import numpy as np
from sklearn.base import clone

from mixed_table import labels, logistic, mixed

pipeline = logistic()
words = clone(pipeline).fit(mixed(200), np.where(labels(mixed(200)) > 0, "rose", "other"))


def doses(frame):
    return 2 * frame["dose"].fillna(1.0)
"""


def table() -> pd.DataFrame:
    frame = mixed(120, seed=4)
    return frame.assign(y=np.where(labels(frame) > 0, "rose", "other"))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("models_of_bad_tables.py").write_text(MODEL)
    table().to_csv("table.csv", index=False)
    return tmp_path


EXPLAIN = ("explain", "table.csv", "--model", "models_of_bad_tables:pipeline", "--columns", ",".join(mixed(1).columns))
LOSS = (*EXPLAIN[:3], "models_of_bad_tables:words", *EXPLAIN[4:], "--method", "permutation-importance", "--label", "y")
AUDIT = ("audit", "table.csv", "--label", "y", "--models", "glm", "--methods", "shape-functions", "--workers", "1")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    status = main(list(arguments))
    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    return " ".join(out.split())


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    before = sorted(Path().iterdir())
    assert main(list(arguments)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert sorted(Path().iterdir()) == before
    return err


def test_a_category_that_was_never_seen_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    frame = table()
    frame.loc[15, "colour"] = "mauve"
    frame.to_csv("table.csv", index=False)
    said = refused(capsys, *EXPLAIN, "--row", "17", "--method", "shapley")
    assert "mauve" in said
    assert "colour" in said
    assert "shape-functions on glm" in run(
        capsys, *AUDIT
    )  # a level of one row is as good as any in a model fitted on it


@pytest.mark.parametrize(("value", "word"), [(2.5, "constant"), (np.nan, "empty")])
def test_a_column_of_one_value_or_of_none_is_worth_nothing(
    capsys: pytest.CaptureFixture[str], value: float, word: str
) -> None:
    table().assign(dose=value).to_csv("table.csv", index=False)
    said = run(capsys, *EXPLAIN, "--row", "17", "--method", "shapley")
    assert f"worth exactly 0: dose ({word})" in said
    assert "dose" in run(capsys, *AUDIT)


def test_one_row(capsys: pytest.CaptureFixture[str]) -> None:
    table().iloc[:1].to_csv("table.csv", index=False)
    said = run(capsys, *EXPLAIN, "--method", "shapley")
    assert "background: 1 row " in said
    assert "1 row, and nothing to exchange its values with" in refused(capsys, *LOSS)
    assert "in every row: nothing to tell" in refused(capsys, *AUDIT)
    assert "no other rows to start from" in refused(capsys, *EXPLAIN, "--row", "2", "--method", "counterfactual")


def test_labels_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert "'rose'" in run(capsys, *AUDIT)
    assert "log loss" in run(capsys, *LOSS)
    assert "'rose'" in refused(capsys, *EXPLAIN, "--method", "permutation-importance", "--label", "y")
    other = table().assign(y=lambda frame: frame["y"].where(frame.index != 3, "violet"))
    other.to_csv("table.csv", index=False)
    assert "has 3 classes" in refused(capsys, *AUDIT)
    assert "violet" in refused(capsys, *LOSS)


def test_the_label_among_the_columns_is_the_headline(capsys: pytest.CaptureFixture[str]) -> None:
    frame = table()
    frame.assign(diagnosis=np.where(frame["y"] == "rose", "C50", "Z00")).to_csv("table.csv", index=False)
    said = run(capsys, *AUDIT)
    assert said.index("diagnosis is the label itself") < said.index("CAUTION No rule was given")
    assert "Is diagnosis known when the prediction is made?" in said


def test_an_infinite_value_is_found_by_row_and_column(capsys: pytest.CaptureFixture[str]) -> None:
    frame = table()
    frame.loc[7, "dose"] = np.inf
    frame.to_csv("table.csv", index=False)
    for command in ((*EXPLAIN, "--row", "17", "--method", "shapley"), LOSS, AUDIT):
        assert "row 9, column 'dose' holds 'inf', expected a finite number" in refused(capsys, *command)


def test_two_columns_of_one_name_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("table.csv").write_text(table().to_csv(index=False).replace("visits", "dose", 1))
    for command in ((*EXPLAIN, "--row", "17", "--method", "shapley"), LOSS, AUDIT):
        assert "more than one column called 'dose'" in refused(capsys, *command)


def test_very_many_columns_are_grouped_or_refused_before_they_cost(capsys: pytest.CaptureFixture[str]) -> None:
    columns = 20_000
    values = np.random.default_rng(0).normal(size=(30, columns)).round(2)
    names = ["dose", *[f"c{k}" for k in range(1, columns)]]
    text = io.StringIO()
    pd.DataFrame(values, columns=names).assign(y=np.where(values[:, 0] > 0, "rose", "other")).to_csv(text, index=False)
    Path("table.csv").write_text(text.getvalue())
    of = ("explain", "table.csv", "--model", "models_of_bad_tables:doses", "--row", "17")
    assert "columns need 80009 evaluations for a first fit: raise the budget, or group" in refused(
        capsys, *of, "--method", "lime"
    )
    assert "20,000 columns" in refused(capsys, *AUDIT)


def test_methods_about_all_rows_take_no_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert "permutation-importance is about all rows" in refused(capsys, *LOSS, "--row", "17")
