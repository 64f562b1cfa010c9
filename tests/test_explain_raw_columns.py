"""`attar explain table.csv` about raw columns: words and gaps, a Pipeline, and the numbers that Python gives."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from attar import Logit, attribute
from attar.adapters.raw_tables import raw_table
from attar.cli import main
from attar.core.baseline import Rows, Typical
from attar.core.errors import InputError
from attar.core.tables import table_of
from attar.experiments.reading import Reading, read_examples
from attar.methods.counterfactual import Counterfactual
from attar.methods.lime import Lime
from attar.methods.occlusion import Occlusion
from attar.methods.shapley import Shapley
from mixed_table import COLUMNS, logistic, mixed

MODULE = """
from mixed_table import boosted, logistic

pipeline, trees, number = logistic(), boosted(), 3


def doses(frame):
    return 2 * frame["dose"] + (frame["colour"] == "red")
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    frame = mixed(150, seed=3)
    frame.insert(0, "id", [f"p{k}" for k in range(len(frame))])
    frame.to_csv("table.csv", index=False)
    Path("models_of_raw_columns.py").write_text(MODULE)
    return tmp_path


def explained(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    status = main(["explain", *arguments])
    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    return out


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["explain", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


OF = ("--model", "models_of_raw_columns:pipeline")


def test_python_and_the_shell_give_the_same_numbers(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Line 17 of the file is row 15 of the frame; the background is a hundred of the other rows."""
    said = explained(
        capsys, "table.csv", "--row", "17", *OF, "--target", "1", "--seed", "4",
        "--method", "shapley,lime,occlusion,counterfactual", "--out", "found.json",
    )  # fmt: skip
    assert "input: table.csv, 150 rows, 6 columns, of which row 17" in said
    assert "background: 100 other rows of 149, drawn with seed 4" in said
    frame = pd.read_csv("table.csv")[list(COLUMNS)]
    x, rest = frame.iloc[[15]], Rows(frame.drop(index=15)).some(100, seed=4)
    methods = {
        "shapley": Shapley(background=rest, seed=4),
        "lime": Lime(background=rest, seed=4),
        "occlusion": Occlusion(baseline=Typical(rest)),
        "counterfactual": Counterfactual(background=rest),
    }
    for found in json.loads(Path("found.json").read_text())["attributions"]:
        expected = attribute(logistic(), x, methods[found["name"]], Logit(1))
        (example,) = found["examples"]
        assert example["name"] == "row 17"
        assert example["output"] == pytest.approx(float(expected.output[0]))
        values = {part["name"]: part["value"] for part in example["parts"]}
        assert values == pytest.approx(dict(zip(COLUMNS, expected.values[0].tolist(), strict=True)), abs=1e-8)
        words = {part["name"]: part["is"] for part in example["parts"]}
        assert words["colour"] == ("missing" if pd.isna(x["colour"].iloc[0]) else x["colour"].iloc[0])
        assert words["visits"] == str(x["visits"].iloc[0])
        if found["name"] == "counterfactual":
            there = expected.frame("counterfactual").iloc[0]
            changed = [name for name in COLUMNS if values[name]]
            assert changed
            assert all(f"{name} {words[name]} → " in example["changes"]["counterfactual"] for name in changed)
            assert len(example["changes"]["counterfactual"].split(" → ")) == len(changed) + 1
            assert f"→ {there[changed[0]]}"[:6] in said


def test_a_table_is_read_as_a_frame_would_be(here: Path) -> None:
    examples = read_examples("table.csv", Reading(columns=COLUMNS), frames=True)
    pd.testing.assert_frame_equal(examples.inputs.frame(), pd.read_csv("table.csv")[list(COLUMNS)])  # type: ignore[attr-defined]
    one = read_examples("table.csv", Reading(row=3), known=COLUMNS, frames=True)
    assert one.others is not None
    assert len(one.others) == 149
    assert one.names == ("row 3",)


@pytest.mark.parametrize(
    ("cells", "kind", "said"),
    [
        (["1", "2", "30"], "int64", "30"),
        (["1", "", "2.5"], "float64", "2.5"),
        (["true", "False", "TRUE"], "bool", "True"),
        (["a", "NA", "b"], "str", "b"),
        (["1", "2", "x"], "str", "x"),
    ],
)
def test_kinds_are_inferred(cells: list[str], kind: str, said: str) -> None:
    text = "x,y\n" + "".join(f"{cell},1\n" for cell in cells)
    inputs, _ = raw_table(table_of(text.encode(), "t.csv"), None)
    assert inputs.columns is not None
    assert str(inputs.frame()["x"].dtype) == kind
    assert inputs.columns[0].said(float(inputs.values[-1, 0])) == said
    assert inputs.frame()["x"].isna().tolist() == [cell in ("", "NA") for cell in cells]


def test_what_names_rows_is_left_out_and_what_says_nothing_is_named() -> None:
    rows = [f"p{k},{k},,same,{'ab'[k % 2]}" for k in range(40)]
    table = table_of("\n".join(["id,n,gone,still,letter", *rows]).encode(), "t.csv")
    inputs, said = raw_table(table, None)
    assert inputs.names == ("n", "gone", "still", "letter")
    assert said == (
        "40 rows, 4 columns, without id (of which most cells differ), worth exactly 0: gone (empty), worth exactly 0: "
        "still (constant)"
    )
    chosen, _ = raw_table(table, ("letter", "id"))
    assert chosen.names == ("letter", "id")
    with pytest.raises(InputError, match=r"columns that name rows only \(id\): choose with --columns"):
        raw_table(table_of("\n".join(["id", *(f"p{k}" for k in range(40))]).encode(), "t.csv"), None)
    with pytest.raises(InputError, match=r"t\.csv, row 3, column 'b' holds 'inf', expected a finite number"):
        raw_table(table_of(b"a,b\n1,2\n3,inf\n", "t.csv"), None)


def test_a_function_gets_the_columns_that_are_chosen(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = explained(
        capsys, "--input", "table.csv", "--row", "2", "--model", "models_of_raw_columns:doses",
        "--columns", "colour,dose", "--out", "found.json",
    )  # fmt: skip
    assert "model: models_of_raw_columns:doses, a function, 1 output" in said
    example = json.loads(Path("found.json").read_text())["attributions"][0]["examples"][0]
    row = pd.read_csv("table.csv").iloc[0]
    assert example["output"] == pytest.approx(2 * row["dose"] + (row["colour"] == "red"))
    assert {part["name"] for part in example["parts"]} == {"colour", "dose"}


def test_every_row_is_explained_where_none_is_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = explained(capsys, "table.csv", *OF, "--method", "occlusion", "--out", "found.parquet")
    assert "background: 100 rows of 150, drawn with seed 0" in said
    found = pd.read_parquet("found.parquet")
    assert len(found) == 150 * 6
    np.testing.assert_allclose(found.groupby("example")["output"].first().abs(), np.abs(logistic().decision_function(
        pd.read_csv("table.csv")[list(COLUMNS)])), atol=1e-9)  # fmt: skip


def test_methods_that_fit_are_tried_over_the_tables_rows(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods", "--for", "models_of_raw_columns:trees", "--input", "table.csv"]) == 0
    fitting, others = capsys.readouterr().out.split("does not fit")
    for name in ("shapley", "lime", "occlusion", "rise", "anchors", "counterfactual"):
        assert f"  {name} " in fitting
    assert "follows a gradient" not in fitting
    assert "weight-times-input" in others


def test_pictures_say_what_a_column_is(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    explained(capsys, "table.csv", "--row", "17", *OF, "--method", "shapley", "--out", "found.svg")
    row = pd.read_csv("table.csv").iloc[15]
    assert "<svg" in Path("found.svg").read_text()
    explained(capsys, "table.csv", "--row", "17", *OF, "--method", "shapley", "--out", "found.html")
    page = Path("found.html").read_text()
    assert f"visits = {row['visits']}" in page
    assert ("colour is missing" if pd.isna(row["colour"]) else f"colour = {row['colour']}") in page


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("table.csv", "--model", "models_of_raw_columns:nothing"), "models_of_raw_columns has no nothing; it has"),
        (("table.csv", "--model", "no_such_module:x"), "there is no module no_such_module here"),
        (("table.csv", "--model", "models_of_raw_columns:number"), "cannot ask a int anything"),
        (("table.csv", "--input", "table.csv", *OF), "name one file that the model is asked about"),
        ((*OF,), "name one file that the model is asked about"),
        (("table.csv", *OF, "--module", "a:B"), "is an object, which needs no class"),
        (("table.csv", *OF, "--row", "1"), "has no row 1; there are 2 to 151"),
        (("table.csv", *OF, "--columns", "dose,colour"), "fitted on column 'age (years)', which the rows lack"),
        (("one.csv", *OF, "--row", "2", "--method", "counterfactual"), "has no other rows to start from"),
        (("table.csv", *OF, "--method", "counterfactual", "-o", "neighbours=0"), "neighbours is 0, expected 1 or more"),
        (("table.csv", *OF, "--method", "gradient"), "Gradient follows a gradient, and column 'age (years)'"),
    ],
)
def test_what_is_wrong_is_one_line(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    mixed(1, seed=3).to_csv("one.csv", index=False)
    before = set(os.listdir())
    assert said in refused(capsys, *arguments)
    assert set(os.listdir()) - {"__pycache__"} == before - {"__pycache__"}
