"""`attar explain table.csv --method permutation-importance --label y`: the shell's numbers are Python's."""

from pathlib import Path

import numpy as np
import pytest

from attar import attribute
from attar.cli import main
from attar.core.baseline import Rows
from attar.core.loss import brier
from attar.estimation.strata import Strata
from attar.methods.permutation_importance import PermutationImportance
from attar.methods.sage import SAGE
from mixed_table import labels, logistic, mixed

MODULE = """
import numpy as np
from mixed_table import logistic

pipeline = logistic()


def doses(frame):
    return 2 * frame["dose"] - frame["visits"]
"""
WORDS = ("table.csv", "--model", "models_of_labelled_rows:pipeline")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    frame = mixed(150, seed=3)
    frame["right"] = labels(frame)
    frame["amount"] = np.round(2 * frame["dose"] - frame["visits"] + 0.5, 3)
    frame.to_csv("table.csv", index=False)
    Path("models_of_labelled_rows.py").write_text(MODULE)
    return tmp_path


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(["explain", *arguments])
    out, err = capsys.readouterr()
    return status, out, err


def test_the_shell_gives_pythons_numbers(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = ran(
        capsys, *WORDS, "--method", "permutation-importance", "--label", "right", "-o", "loss=brier", "-o", "repeats=3"
    )
    assert (status, err) == (0, "")
    frame = mixed(150, seed=3)
    found = attribute(logistic(), frame, PermutationImportance(labels=labels(frame), loss=brier, repeats=3))
    assert str(found.importance()) in out
    assert "target" not in out
    few = frame.iloc[:30].assign(right=labels(frame)[:30])
    few.to_csv("few.csv", index=False)
    status, out, _ = ran(capsys, "few.csv", *WORDS[1:], "--method", "sage", "--label", "right", "--seed", "2")
    assert status == 0
    few = few.drop(columns="right")
    expected = attribute(logistic(), few, SAGE(labels=labels(frame)[:30], background=Rows(few), seed=2))
    assert str(expected.importance()) in out


def test_numbers_strata_and_other_methods_beside_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = ran(
        capsys, "table.csv", "--model", "models_of_labelled_rows:doses", "--label", "amount", "-o", "strata=8",
        "--columns", "dose,visits", "--method", "permutation-importance,occlusion", "--out", "found.json",
    )  # fmt: skip
    assert (status, err) == (0, "")
    assert "among rows that are alike" in out
    assert "target: the only output" in out
    frame = mixed(150, seed=3)[["dose", "visits"]]
    right = 2 * frame["dose"] - frame["visits"] + 0.5
    found = attribute(
        lambda rows: 2 * rows["dose"] - rows["visits"],
        frame,
        PermutationImportance(labels=right.round(3).to_numpy(), strata=Strata(leaves=8)),
    )
    assert f"{found.importance().values[0]:.3g}" in out
    assert "permutation-importance" in Path("found.json").read_text()


def test_what_is_refused_in_one_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--method", "permutation-importance")
    for arguments, said in (
        (asked, "--label"),
        ((*asked, "--label", "wrong"), "wrong"),
        ((*asked, "--label", "colour"), "is an input of the model"),
        ((*asked, "--label", "right", "-o", "loss=pretty"), "log_loss"),
        ((*asked, "--label", "right", "--target", "1"), "leave it out"),
        ((*asked, "--label", "right", "--row", "5"), "leave out --row"),
    ):
        status, out, err = ran(capsys, *WORDS, *arguments)
        assert (status, out) == (2, ""), arguments
        assert err.count("\n") == 1
        assert said in err


def test_the_tree_of_methods_has_a_branch_for_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods"]) == 0
    tree = capsys.readouterr().out
    branch = tree.split("post hoc, model-agnostic: global\n")[1]
    assert [line.split()[1] for line in branch.splitlines()[:2]] == ["permutation-importance", "sage"]
    assert main(["methods", "sage"]) == 0
    assert "labels = 'required'" in capsys.readouterr().out
