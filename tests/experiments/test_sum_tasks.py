"""Regressions whose truth is a weighted sum: tasks, models in the label's units, leaderboards, files of any form."""

import json
import pickle
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import r2_score

from attar.cli import main
from attar.core.errors import InputError
from attar.core.writing import plain
from attar.domains.molecules.domain import Molecules
from attar.domains.molecules.library import nci_molecules
from attar.domains.molecules.molecule import Molecule
from attar.domains.sequences.domain import Sequences
from attar.domains.tables.domain import Tables
from attar.domains.text.domain import Texts
from attar.evaluation.truth import TruthValues
from attar.experiments.benchmarks import MADE, benchmark, made_domain
from attar.experiments.leaderboard import Protocol, leaderboard
from attar.experiments.made_models import MadeRecipe
from attar.experiments.made_task import made_task
from attar.experiments.molecule_benchmark import embedded, entries
from attar.experiments.molecule_task import labelled_by_sum
from attar.experiments.sum_truth import SumTruth
from attar.report.leaderboard import leaderboard_text

QUICK = Protocol(seeds=1, scored=40, negatives=20, workers=1)
SUM = '2*count("[OX2H]") - 1.5*count("c1ccccc1") + 0.3'


def written(folder: Path, columns: dict[str, Any], name: str = "mine.csv") -> Path:
    path = folder / name
    rows = zip(*columns.values(), strict=True)
    path.write_text("\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


@cache
def smiles_of_nci() -> tuple[str, ...]:
    return tuple(nci_molecules()[:240])


def molecules(count: int = 160, *, sd: float = 0.3) -> tuple[list[str], np.ndarray, np.ndarray]:
    """SMILES, labels by the sum with noise, and which are held out."""
    smiles = list(smiles_of_nci()[:count])
    truth = SumTruth(Molecules().read_sum(SUM), Molecules())
    noise = sd * np.random.default_rng(0).standard_normal(count)
    return smiles, truth.values([Molecule.of(s) for s in smiles]) + noise, np.arange(count) % 4 == 0


# --- made tasks and their models ---


@pytest.mark.parametrize("name", MADE)
def test_a_made_task_of_a_sum_is_a_regression_with_contributions(name: str) -> None:
    domain = made_domain(name)
    sum_name = next(iter(domain.sums))
    task = made_task(domain, sum_name, count=40, seed=2)
    assert (task.task, task.rule, task.rule_name) == ("regression", None, sum_name)
    assert task.test.sum() == 10
    truth = pickle.loads(pickle.dumps(task.contributions))  # as it is sent to other processes
    assert isinstance(truth, SumTruth)
    for example, label in zip(task.examples, task.labels, strict=True):
        known = task.truth(example)
        assert isinstance(known, TruthValues)
        assert known.values.sum() + truth.total.constant == pytest.approx(label)
    scored, truths = task.scored()
    assert [e for e in task.part(task.test)[0] if np.ptp(truth(e)) > 0] == scored
    assert all(t.tells for t in truths)
    by_text = made_task(domain, domain.sums[sum_name], count=40, seed=2)
    assert by_text.labels.tolist() == task.labels.tolist()


def test_noise_is_for_sums() -> None:
    noisy = made_task(Tables(), "points", count=40, sd=0.5)
    assert not set(noisy.labels.tolist()) & set(made_task(Tables(), "points", count=40).labels.tolist())
    assert "noise of sd 0.5" in noisy.source
    with pytest.raises(InputError, match="noise is for a weighted sum"):
        made_task(Tables(), "threshold", count=40, sd=0.5)


@pytest.mark.parametrize("kind", ["glm", "tree", "mlp"])
def test_models_speak_in_the_units_of_the_label(kind: str) -> None:
    """Labels in other units are predicted, and explained, in these."""
    task = made_task(Tables(), "points", count=120)
    examples, labels = task.part(task.train)
    recipe = MadeRecipe(domain=Tables(), kind=kind, task="regression", epochs=5)
    ours, others = recipe.fit(examples, labels, 0), recipe.fit(examples, 1000 * labels - 7, 0)
    tests = task.part(task.test)[0]
    np.testing.assert_allclose(others.predict(tests), 1000 * ours.predict(tests) - 7, rtol=2e-3, atol=2)
    one, other = (np.stack(f.explain(tests, recipe.methods[0])) for f in (ours, others))
    np.testing.assert_allclose(other, 1000 * one, atol=0.01 * np.abs(other).max())


def test_a_tree_learns_points_and_a_line_less() -> None:
    task = made_task(Tables(), "points", count=400)
    tests, labels = task.part(task.test)
    r2 = {}
    for kind in ("glm", "tree", "mlp"):
        fitted = MadeRecipe(domain=Tables(), kind=kind, task="regression").fit(*task.part(task.train), 0)
        r2[kind] = r2_score(labels, fitted.predict(tests))
    assert r2["tree"] > 0.9
    assert 0.4 < r2["glm"] < 0.8
    assert r2["mlp"] > 0.5


def test_a_line_through_too_many_entries_predicts_no_worse_than_the_mean() -> None:
    """Its penalty is chosen among the training examples: 480 letters of 300 sequences could be learnt by heart."""
    task = made_task(Sequences(), "motif-scores", count=400)
    tests, labels = task.part(task.test)
    for strength, low, high in ((None, -0.1, 0.2), (1.0, -9.0, -0.5)):
        recipe = MadeRecipe(domain=Sequences(), kind="glm", task="regression", strength=strength)
        assert low < r2_score(labels, recipe.fit(*task.part(task.train), 0).predict(tests)) < high


def test_a_network_finds_what_words_contribute() -> None:
    (entry,) = benchmark("text", rule="complaints", models=("cnn", "glm"), count=400)
    record = leaderboard([entry], QUICK)
    r2 = {row["name"]: row["r2"] for row in record["models"]}
    assert r2["cnn"] > 0.6
    rows = {(row["model"], row["method"]): row for row in record["attribution"]}
    own = rows["cnn", "integrated-gradients"]
    assert own["union"] > 0.85  # Somers' D
    assert own["score"] > rows["glm", "weight-times-input"]["score"]
    assert abs(own["chance"]) < 0.02
    assert abs(own["union_chance"]) < 0.05
    assert abs(own["trivial"]) < 0.3
    assert "false_alarm" not in own
    assert own["parts"] == {}
    data = record["data"][0]
    assert (data["truth"], data["rule"], data["task"], data["positives"]) == ("contributions", None, "regression", None)
    assert data["sum"] == str(Texts().read_sum("complaints"))
    assert json.loads(json.dumps(plain(record), allow_nan=False))
    text = leaderboard_text(record)
    assert "truth: each part's share of 2*count(" in text
    assert "held-out R²: cnn 0." in text
    assert "Kendall's τ-b" in text
    assert "AUROC" not in text
    assert max(map(len, text.splitlines())) <= 120


def test_rules_and_sums_stand_in_one_leaderboard() -> None:
    (named,) = (entry for entry in benchmark("tables", models=("glm",), count=60) if entry.task.rule_name == "points")
    (rule,) = benchmark("tables", rule="threshold", models=("glm",), count=60)
    assert named.task.task == "regression"
    assert [recipe.task for recipe in named.recipes.values()] == ["regression"]
    text = leaderboard_text(leaderboard([rule, named], QUICK))
    assert "score: AUROC" in text
    assert "τ: Kendall's" in text


# --- molecules ---


def test_embedded_molecules_take_a_sum() -> None:
    (entry,) = embedded(rule=SUM, models=("glm",))
    task = entry.task
    assert task.task == "regression"
    assert task.test.mean() == pytest.approx(0.25, abs=0.001)
    assert task.labels[:3].tolist() == [task.contributions(e).sum() + 0.3 for e in task.examples[:3]]
    assert entry.recipes["glm"].presence is False  # every match counts, so the model counts
    (by_rule,) = embedded(rule="benzene", models=("glm",))
    assert by_rule.recipes["glm"].presence is True


def test_what_contributes_is_the_truth_and_an_edit_beside_it_keeps_the_label() -> None:
    total = Molecules().read_sum(SUM)
    task = labelled_by_sum("t", "t", smiles_of_nci(), total=total, sum_name=SUM, seed=0)
    ethanol, propanol, amine = (Molecule.of(s) for s in ("CCO", "CCCO", "CCN"))
    assert task.true_parts(ethanol) == {2}
    assert task.true_parts(amine) == frozenset()
    assert task.keeps(ethanol, propanol)
    assert not task.keeps(ethanol, amine)


def test_a_file_of_numbers_takes_a_sum(tmp_path: Path) -> None:
    smiles, labels, test = molecules(240)
    split = np.where(test, "test", "train")
    path = written(tmp_path, {"split": split, "label": labels, "smiles": smiles})
    (entry,) = entries(path, rule=SUM, models=("glm",))
    assert entry.task.given_split
    assert entry.task.test.tolist() == test.tolist()
    (note,) = (n for n in entry.task.notes if n.name == "label is not the truth's sum")
    assert "accounts for 9" in note.sentence  # of a hundred parts: little noise
    record = leaderboard([entry], QUICK)
    assert record["models"][0]["r2"] > 0.7
    (own,) = (row for row in record["attribution"] if row["method"] == "weight-times-input")
    assert own["union"] > 0.9
    assert own["score"] > own["trivial"] + 0.2
    assert abs(own["chance"]) < 0.05


@pytest.mark.parametrize(
    ("name", "values", "options"),
    [
        ("split", {True: "valid", False: "train"}, {}),
        ("split", {True: "Test", False: "Train"}, {}),
        ("split", {True: "True", False: "False"}, {}),
        ("split", {True: "1", False: "0"}, {}),
        ("split", {True: "0", False: "1"}, {}),
        ("Split", {True: "test", False: "train"}, {}),
        ("is_train", {True: "False", False: "True"}, {"split": "is_train"}),
    ],
)
def test_a_split_may_be_written_in_many_ways(
    tmp_path: Path, name: str, values: dict[bool, str], options: dict[str, str]
) -> None:
    smiles, labels, test = molecules()
    path = written(tmp_path, {"smiles": smiles, "y": labels, name: [values[bool(held)] for held in test]})
    (entry,) = entries(path, rule=SUM, label="y", models=("glm",), **options)
    assert entry.task.test.tolist() == test.tolist()


def test_without_a_split_a_quarter_is_held_out(tmp_path: Path) -> None:
    smiles, labels, _ = molecules()
    (entry,) = entries(written(tmp_path, {"smiles": smiles, "label": labels}), rule=SUM, models=("glm",))
    assert not entry.task.given_split
    assert entry.task.test.sum() == 40


def test_few_different_numbers_are_a_regression_where_the_truth_is_one(tmp_path: Path) -> None:
    smiles, labels, _ = molecules(sd=0)
    path = written(tmp_path, {"smiles": smiles, "label": np.clip(np.round(labels), -1, 2)})
    assert entries(path, rule=SUM, models=("glm",))[0].task.task == "regression"
    with pytest.raises(InputError, match="at least 10 distinct numbers"):
        entries(path, rule='has("[OX2H]")', models=("glm",))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rule", SUM], "classes.csv has two classes as labels, and a weighted sum is a number"),
        (["--rule", '2*count("[OX2H") - 1'], 'RDKit cannot read "[OX2H" as SMARTS'),
        (["--rule", SUM, "--truth", "crippen"], "give --rule or --truth, not both"),
        (["--rule", SUM, "--label", "z"], "has no column 'z' for the label"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    smiles, labels, _ = molecules()
    path = written(tmp_path, {"smiles": smiles, "label": (labels > 0).astype(int)}, "classes.csv")
    assert main(["bench", "molecules", "--data", str(path), "--models", "glm", *arguments]) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error


@pytest.mark.parametrize(
    ("domain", "rule", "said"),
    [
        ("tables", '1*has("x1 > 77")', r"is 0 in all of the 60 rows; a sum must tell some from others"),
        ("tables", '1*has("x1 > 0.5")', r"is 0 or 1 in the 60 rows, and two values are two classes"),
        ("tables", '1*has("x1 > 0.5") - 2*has("x77 > 0")', r"has the column x77"),
        ("sequences", "motif-score", "No rule is named motif-score"),
    ],
)
def test_a_sum_that_tells_nothing_is_refused(domain: str, rule: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        benchmark(domain, rule=rule, models=("glm",), count=60)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('2*count("[Pt]")', r"is 0 in all of the 240 molecules; a sum must tell some from others"),
        ('2*has("c1ccccc1")', r"is 0 or 2 in the 240 molecules, and two values are two classes"),
    ],
)
def test_a_sum_that_tells_no_molecules_apart_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        labelled_by_sum("t", "t", smiles_of_nci(), total=Molecules().read_sum(text), sum_name=text, seed=0)


def test_an_audit_takes_a_sum_as_the_truth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    smiles, labels, _ = molecules()
    path, record_file = written(tmp_path, {"smiles": smiles, "label": labels}), tmp_path / "record.json"
    given = ["audit", str(path), "--label", "label", "--rule", SUM, "--models", "glm"]
    assert main([*given, "--report", str(tmp_path / "page.html"), "--json", str(record_file)]) == 0
    assert "by what they contribute with Kendall's τ" in " ".join(capsys.readouterr().out.split())
    record = json.loads(record_file.read_text())
    row = record["attribution"][0]
    assert abs(row["chance"]) < 0.1 < row["trivial"] < row["score"]
    assert row["interval"][0] > row["trivial"]
    assert row["union"] > 0.8  # Somers' D: nearly every pair of atoms that contribute unequally is in order
    assert "accounts for" in " ".join(finding["evidence"] for finding in record["findings"])
