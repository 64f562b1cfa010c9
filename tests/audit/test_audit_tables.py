"""The audit of any table: end to end from a file, from the shell, of a model that was given, and what it refuses."""

import json
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from attar.audit.findings import given_findings
from attar.audit.run import audit
from attar.audit.table_plan import given_table_plan, quiet_group, table_plan
from attar.audit.table_trials import columns, described
from attar.audit.trials import bias
from attar.cli import main
from attar.core.errors import InputError
from attar.domains.raw_tables.read import read_rows
from attar.experiments.table_task import from_rows
from attar.experiments.task import Task
from attar.pitfalls.duplicates import Duplicates
from attar.report.page import audit_page
from attar.report.terminal import audit_summary
from mixed_table import boosted, labels, logistic, logit, mixed, one_hot

ROWS = 240


def data(rows: int = ROWS) -> pd.DataFrame:
    return mixed(rows, seed=4).assign(y=labels(mixed(rows, seed=4)))


def task(folder: Path, frame: pd.DataFrame | None = None, *, rule: str | None = None, **options: Any) -> Task:
    path = folder / "table.csv"
    (data() if frame is None else frame).to_csv(path, index=False)
    return from_rows(read_rows(path, **{"label": "y", **options}), rule=rule)


@cache
def record(folder: Path, rule: str | None = None, workers: int = 1) -> dict[str, Any]:
    asked = task(folder, rule=rule)
    return audit([asked], table_plan(asked, models=("glm",), workers=workers), command="attar audit table.csv")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


def findings(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {f["name"]: f for f in found["findings"]}


def test_a_table_is_audited_end_to_end_and_what_is_open_is_said(folder: Path) -> None:
    found = record(folder)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["subject"] == "shape-functions on glm"
    assert {row["name"]: row["auroc"] > 0.7 for row in found["models"]} == {"glm": True}
    named = findings(found)
    assert named["no known answer"]["question"] == "true of the phenomenon?"
    assert found["verdict"] != "trust"
    assert {
        "held-out prediction", "groups taken out", "consistency", "labels in random order", "planted decoys", "slices",
        "copies", "label noise", "leaks", "train against test", "training told from test",
    } <= named.keys()  # fmt: skip
    assert named["leaks"]["status"] == "ok"
    assert "nan" not in audit_summary(found).split()


def test_what_moves_the_model_is_named_and_is_no_shortcut_for_that_alone(folder: Path) -> None:
    """Age, dose and colour make the label: the model must be moved by them, and nothing says that it should not."""
    moving = [f for name, f in findings(record(folder)).items() if name.startswith("shortcut ")]
    assert moving
    assert {f["status"] for f in moving} == {"caution"}
    assert not [f for f in moving if "useless" in f["name"]]
    assert any(f["value"] < 0.5 for f in moving), "else nothing overtakes, and the test tests nothing"


def test_columns_are_worth_what_they_add_and_curves_go_with_them(folder: Path) -> None:
    frame = mixed(1200, seed=8)
    asked = task(folder, frame.assign(y=labels(frame)))
    found = described(columns(asked, table_plan(asked, models=("glm",))))
    worth = {each["column"]: each for each in found["importance"]}
    assert set(worth) == set(mixed(5).columns)
    assert [each["value"] for each in found["importance"]] == sorted((v["value"] for v in worth.values()), reverse=True)
    low, high = worth["useless"]["interval"]
    assert low <= 0 <= high
    for name in ("age (years)", "colour"):
        assert worth[name]["interval"][0] > 0, name
    assert [each["column"] for each in found["effects"]] == list(worth)[:3]
    curves = {each["column"]: dict(zip(each["points"], each["values"], strict=True)) for each in found["effects"]}
    assert curves["colour"]["red"] > curves["colour"]["green"] > curves["colour"]["blue"]
    rising = list(curves["age (years)"].values())
    assert rising == sorted(rising)
    assert rising[-1] - rising[0] == pytest.approx(4.0, abs=1.0)  # of 60 years, one log-odds for 15


def test_the_page_says_what_the_columns_are_worth(folder: Path) -> None:
    page, text = audit_page(record(folder)), audit_summary(record(folder))
    assert page.count('aria-label="Effect of') == len(record(folder)["columns"]["effects"]) > 0
    assert '<h2 id="columns">' in page
    assert text.rstrip().splitlines()[-6].startswith("Columns that count most")


def test_the_sentences_speak_of_rows_and_columns(folder: Path) -> None:
    page, text = audit_page(record(folder)), audit_summary(record(folder))
    for said in (page, text):
        assert "molecule" not in said.lower()
        assert "atom " not in said
    assert "row by row" not in page
    assert "column by column" in page


def test_a_rule_is_scored_on_columns(folder: Path) -> None:
    found = record(folder, 'has("colour = red")')
    scored = {(row["model"], row["method"]): row for row in found["attribution"]}
    assert set(scored) == {("glm", method) for method in ("shape-functions", "shapley", "occlusion", "lime")}
    for row in scored.values():
        assert row["mask_share"] == pytest.approx(1 / 6)
        assert row["chance"] == pytest.approx(0.5, abs=0.06)
    # Red colour adds 1.5 to the log-odds, so that it stands before most other columns of a positive.
    assert scored["glm", "shapley"]["interval"][0] > 0.7
    assert found["ladders"]["label_noise"][0]["score"] is not None
    assert findings(found)["rule against label"]["status"] == "caution"


@pytest.mark.slow
def test_the_same_audit_with_two_workers(folder: Path) -> None:
    one, two = record(folder), record(folder, workers=2)
    for key in ("verdict", "summary", "findings", "examples", "ladders", "data"):
        assert one[key] == two[key], key


def test_a_label_that_the_rule_decides_makes_another_mover_a_shortcut(folder: Path) -> None:
    """Without the rule the same table leaves open which of two columns that never part is the cause."""
    drawn = np.random.default_rng(0)
    red = drawn.random(400) < 0.5
    frame = pd.DataFrame(
        {
            "colour": np.where(red, "red", "blue"),
            "site": np.where(red ^ (drawn.random(400) < 0.01), "Oslo", "Bergen"),
            "x": drawn.normal(size=400),
            "z": drawn.normal(size=400),
        }
    ).assign(y=red.astype(int))
    asked = task(folder, frame, rule='has("colour = red")')
    found = audit([asked], table_plan(asked, models=("glm",), workers=1))
    assert found["verdict"] == "distrust"
    assert findings(found)["shortcut site = Oslo"]["status"] == "distrust"
    open_ = task(folder, frame)
    undecided = audit([open_], table_plan(open_, models=("glm",), workers=1))
    assert "never part in these data" in findings(undecided)["shortcut site = Oslo"]["evidence"]
    assert findings(undecided)["shortcut site = Oslo"]["status"] == "caution"


def test_numbers_are_audited_as_a_regression(folder: Path) -> None:
    drawn = np.random.default_rng(1)
    frame = mixed(160, seed=6)
    value = frame["dose"] + 2 * (frame["colour"] == "red") + 0.3 * drawn.normal(size=160)
    asked = task(folder, frame.assign(y=value))
    found = audit([asked], table_plan(asked, models=("mlp",), seeds=2, workers=1))
    assert found["models"][0]["r2"] > 0.6
    assert found["ladders"]["decoys"] == []
    assert "planted decoys" not in findings(found)
    assert found["data"][0]["task"] == "regression"
    json.dumps(found, allow_nan=False)


def test_a_sum_is_the_truth_of_numbers(folder: Path) -> None:
    frame = mixed(200, seed=7)
    red, high, member = frame["colour"] == "red", frame["dose"] > 3, frame["member"]
    said = '2*has("colour = red") - 1*has("dose > 3") + 0.5*has("member = true")'
    frame = frame.assign(y=2.0 * red - 1.0 * high + 0.5 * member)
    asked = task(folder, frame, rule=said, numbers=True)
    found = audit([asked], table_plan(asked, models=("glm",), workers=1))
    assert findings(found)["rule against label"]["status"] == "ok"
    assert max(row["union"] for row in found["attribution"]) > 0.7


def test_rows_that_are_equal_by_chance_are_no_copies(folder: Path) -> None:
    drawn = np.random.default_rng(3)
    coarse = pd.DataFrame({"a": drawn.integers(0, 3, 200), "b": drawn.choice(["x", "y"], 200), "y": np.arange(200) % 2})
    asked = task(folder, coarse)
    assert bias(asked, table_plan(asked, models=("glm",))).copies == Duplicates((), (), ())
    fine = data(200)
    fine.loc[150:169, fine.columns[:-1]] = fine.loc[0:19, fine.columns[:-1]].to_numpy()
    asked = task(folder, fine)
    told = asked.domain.telling(asked.examples)
    found = bias(asked, table_plan(asked, models=("glm",))).copies
    pairs = [(k, k + 150) for k in range(20) if told[k]]
    assert len(pairs) > 10
    assert set(found.leaked) == {
        row for pair in pairs for row, other in (pair, pair[::-1]) if asked.test[row] and not asked.test[other]
    }


def test_the_decoy_is_a_group_that_tells_nothing(folder: Path) -> None:
    asked = task(folder)
    (name,) = quiet_group(asked)
    examples, y = asked.part(asked.train)
    held = np.array([bool(asked.domain.editor.places(e, name)) for e in examples])
    assert abs(y[held].mean() - y[~held].mean()) < 0.1
    (other,) = quiet_group(task(folder, rule=f"has({json.dumps(name)})"))
    place = asked.domain.editor.places(next(e for e in examples if asked.domain.editor.places(e, name)), name)
    elsewhere = asked.domain.editor.places(next(e for e in examples if asked.domain.editor.places(e, other)), other)
    assert place != elsewhere


@pytest.mark.parametrize("seed", range(4, 9))
def test_the_decoy_goes_least_with_the_label_of_the_groups_that_are_neither_rare_nor_usual(
    tmp_path: Path, seed: int
) -> None:
    asked = task(tmp_path, mixed(ROWS, seed=seed).assign(y=labels(mixed(ROWS, seed=seed))))
    examples, y = asked.part(asked.train)
    editor = asked.domain.editor
    named = [{group.name for group in editor.groups(example)} for example in examples]
    goes = {}
    for name in set().union(*named):
        held = np.array([name in each for each in named])
        if 0.05 <= held.mean() <= 0.4:
            goes[name] = abs(float(np.corrcoef(held, y)[0, 1]))
    assert goes[quiet_group(asked)[0]] == pytest.approx(min(goes.values()))
    assert len(goes) > 5


# --- models that were given ---


def test_where_the_file_says_what_was_trained_on_nothing_is_unknown(folder: Path) -> None:
    asked = task(folder)
    assert {f.name for f in given_findings(asked, "mine", makes=False)} == {
        "questions left open", "training examples unknown",
    }  # fmt: skip
    assert [f.name for f in given_findings(replace(asked, given_split=True), "mine", makes=False)] == [
        "questions left open"
    ]
    assert given_findings(asked, "mine", makes=True) == []


@pytest.mark.parametrize(("model", "own"), [(logistic, "shape-functions"), (boosted, "shapley")])
def test_a_fitted_pipeline_is_asked_in_raw_columns(folder: Path, model: Any, own: str) -> None:
    fitted: Pipeline = model()
    known = list(map(str, fitted.feature_names_in_))
    frame = mixed(200, seed=9)
    asked = task(folder, frame.assign(y=labels(frame), note=[f"n{k}" for k in range(200)]), columns=known)
    found = audit([asked], given_table_plan(asked, fitted, named="models:fitted", positive="1"))
    assert found["subject"] == f"{own} on given"
    assert found["models"][0]["auroc"] > 0.7
    named = findings(found)
    assert "was not asked" in named["questions left open"]["evidence"]
    assert named["training examples unknown"]["status"] == "caution"
    assert "consistency" not in named
    assert found["ladders"]["decoys"] == []


def test_what_makes_a_model_is_fitted_again(folder: Path) -> None:
    def made() -> Pipeline:
        return Pipeline([("columns", one_hot()), ("model", LogisticRegression(max_iter=500))])

    asked = task(folder)
    found = audit([asked], given_table_plan(asked, made, named="models:made", methods=("shape-functions",)))
    assert {"consistency", "labels in random order", "planted decoys"} <= findings(found).keys()
    assert "questions left open" not in findings(found)
    assert findings(found)["labels in random order"]["status"] == "ok"


def test_a_function_of_a_frame_answers_numbers_or_classes(folder: Path) -> None:
    asked = task(folder)
    one = given_table_plan(asked, lambda frame: logit(frame), methods=("occlusion",)).recipe("given", "classification")
    two = given_table_plan(asked, lambda frame: np.stack([-logit(frame), logit(frame)], 1), methods=("occlusion",))
    examples, y = asked.part(asked.test)
    said = one.fit(examples, y, 0).predict(examples)
    both = two.recipe("given", "classification").fit(examples, y, 0)
    np.testing.assert_allclose(both.predict(examples), 2 * said)
    for values, doubled in zip(one.fit(examples, y, 0).explain(examples[:5], "occlusion"),
                               both.explain(examples[:5], "occlusion"), strict=True):  # fmt: skip
        np.testing.assert_allclose(doubled, 2 * values)


def test_the_class_that_counts_as_one_is_found_by_its_name(folder: Path) -> None:
    """Whichever place it has among the classes of the model that was given."""
    frame = data().assign(y=np.where(data()["y"] == 1, "absent", "present"))
    fitted = clone(logistic()).fit(frame.drop(columns="y"), frame["y"])
    for positive in ("absent", "present"):
        asked = task(folder, frame, positive=positive)
        plan = given_table_plan(asked, fitted, positive=positive)
        examples, y = asked.part(asked.test)
        said = plan.recipe("given", "classification").fit(examples, y, 0).predict(examples)
        assert np.corrcoef(said, y)[0, 1] > 0.3


# --- the shell ---


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    data().to_csv("table.csv", index=False)
    return tmp_path


def wrong(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    assert main(["audit", *command]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert not list(Path().glob("*.html"))
    return printed.err


def test_a_table_from_the_shell(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--label", "y", "--models", "glm", "--workers", "1", "--json", "audit.json")
    assert main(["audit", "table.csv", *options]) == 0
    assert "shape-functions on glm" in capsys.readouterr().out
    page = Path("audit-table.html").read_text(encoding="utf-8")
    assert "age (years)" in page
    assert json.loads(Path("audit.json").read_text())["data"][0]["domain"] == "rows"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("table.csv",), "name the column to explain with --label"),
        (("table.csv", "--label", "z"), "no column 'z' for the label"),
        (("table.csv", "--label", "colour"), "18 rows without a label in 'colour'"),
        (("table.csv", "--label", "colour", "--skip-bad"), "has 3 classes, red"),
        (("table.csv", "--label", "colour", "--skip-bad", "--positive", "pink"), "has no 'pink'"),
        (("table.csv", "--label", "y", "--columns", "dose,size"), "no column 'size' for the input"),
        (("table.csv", "--label", "y", "--columns", "dose,y"), "'y' is the label or the split"),
        (("table.csv", "--label", "y", "--models", "gcn"), "no model 'gcn' of tables; choose from boosting"),
        (("table.csv", "--label", "y", "--methods", "cam"), "none of cam fits a boosting"),
        (("table.csv", "--label", "y", "--radius", "1"), "leave out --radius"),
        (("table.csv", "--label", "y", "--rule", 'has("size > 3")'), "names no column"),
        (("table.csv", "--label", "y", "--rule", 'has("dose > 1e6")'), "is true of none of the 240 rows"),
        (("table.csv", "--label", "y", "--rule", '2*has("dose > 3")'), "has two classes as labels"),
        (("table.csv", "--label", "y", "--model", "nobody:nothing"), "there is no module nobody"),
        (("tables", "--rule", "threshold", "--positive", "1"), "leave out --positive"),
        (("rose", "--columns", "a"), "leave out --columns"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    here: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...], said: str
) -> None:
    assert said in wrong(capsys, *command)


def test_a_model_of_other_columns_is_refused_in_one_line(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("given_here.py").write_text("from mixed_table import logistic\nfitted = logistic()\nnumber = 3\n")
    data().drop(columns="dose").to_csv("table.csv", index=False)
    assert "no column 'dose' for the input" in wrong(
        capsys, "table.csv", "--label", "y", "--model", "given_here:fitted"
    )
    assert "int" in wrong(capsys, "table.csv", "--label", "y", "--model", "given_here:number")
    sys.modules.pop("given_here", None)


def test_molecules_are_still_molecules(here: Path) -> None:
    from attar.domains.molecules.read import has_structures

    smiles = ["CCO", "CCCO", "c1ccccc1O", "CCCCC"] * 5
    pd.DataFrame({"smiles": smiles, "y": range(20)}).to_csv("named.csv", index=False)
    pd.DataFrame({"structure": smiles, "dose": range(20), "y": range(20)}).to_csv("unnamed.csv", index=False)
    pd.DataFrame({"CCO": smiles[1:], "1": range(19)}).to_csv("headless.csv", index=False)
    pd.DataFrame({"SMILES": ["none of", "these is"], "y": [0, 1]}).to_csv("wrong.csv", index=False)
    assert has_structures("wrong.csv")  # so that what is wrong in it is said of molecules
    Path("unread.csv").write_text("CCO,1\nnone of these,0\nis a molecule,1\n")
    assert has_structures("unread.csv")  # a first line that is one says what was meant
    assert [has_structures(name) for name in ("named.csv", "unnamed.csv", "headless.csv", "table.csv")] == [
        True, True, True, False
    ]  # fmt: skip


def test_a_plan_of_rows_takes_no_other_examples(folder: Path) -> None:
    from attar.domains.tables.domain import Tables
    from attar.experiments.made_task import made_task

    with pytest.raises(InputError, match="is about tables, and this plan is for the rows"):
        table_plan(made_task(Tables(), "threshold", count=60))
