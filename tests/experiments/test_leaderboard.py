"""Leaderboards: the published protocol and the honest one beside it, on files and on made examples."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attar.cli import main
from attar.core.errors import InputError
from attar.core.writing import plain
from attar.domains.molecules.library import nci_molecules
from attar.domains.molecules.molecule import Molecule
from attar.domains.molecules.truth import crippen_contributions
from attar.experiments.benchmarks import MADE, benchmark, made_domain
from attar.experiments.leaderboard import Protocol, leaderboard
from attar.experiments.molecule_benchmark import RULES, entries, published
from attar.report.leaderboard import leaderboard_text

QUICK = Protocol(seeds=1, scored=40, negatives=20, workers=1)


def written(folder: Path, name: str, labels: list[float], smiles: list[str], *, split: bool = True) -> Path:
    path = folder / name
    parts = ["test" if k % 4 == 0 else "train" for k in range(len(smiles))]
    header = "smiles,label" + (",split" if split else "")
    rows = [f"{s},{y:g}" + (f",{p}" if split else "") for s, y, p in zip(smiles, labels, parts, strict=True)]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def benzene(folder: Path, name: str = "benzene.csv", count: int = 200, **options: Any) -> Path:
    smiles = nci_molecules()[:count]
    labels = [float(_has_benzene(s)) for s in smiles]
    return written(folder, name, labels, smiles, **options)


def _has_benzene(smiles: str) -> bool:
    from rdkit import Chem

    return Molecule.of(smiles).mol.HasSubstructMatch(Chem.MolFromSmarts("c1ccccc1"))


def record_of(path: Path, **options: Any) -> dict[str, Any]:
    return leaderboard(entries(path, models=("glm",), **options), QUICK)


def test_a_file_named_as_a_published_task_has_its_rule_and_figures(tmp_path: Path) -> None:
    record = record_of(benzene(tmp_path))
    rows = {row["method"]: row for row in record["attribution"]}
    own = rows["weight-times-input"]
    assert own["score"] > 0.9
    assert own["union_chance"] == pytest.approx(0.5, abs=0.06)
    assert own["chance"] > own["union_chance"]  # the best of several answers is found by luck too
    assert own["n"] <= 40
    assert "published" not in own  # the published table has no linear model
    assert record["data"][0]["best_published"] == {"model": "gat", "method": "cam", "score": 0.99}
    assert set(own) >= {"model", "method", "score", "interval", "chance", "trivial", "n", "parts", "union", "seeds"}
    assert 0 < own["false_alarm"] < 0.5
    assert json.loads(json.dumps(plain(record), allow_nan=False))


def test_the_published_figures_are_those_of_the_paper() -> None:
    assert published("logic7")["gcn", "cam"].mean == 0.741
    assert published("logic10")["mpnn", "cam"].sd == 0.020
    assert published("crippen")["mpnn", "cam"].mean == 0.375
    assert math.isnan(published("logic8")["gcn", "random"].sd)
    assert published("mine") == {}


def test_the_text_says_which_is_above_the_published(tmp_path: Path) -> None:
    record = record_of(benzene(tmp_path))
    text = leaderboard_text(record)
    assert "truth: rule benzene" in text
    assert "the best published mean, 0.990 (cam on gat)" in text
    known = {**record["attribution"][0], "published": 0.5, "published_sd": 0.1, "published_runs": 3}
    for score, word in ((0.7, "above"), (0.55, "within"), (0.45, "within"), (0.35, "below")):
        lines = leaderboard_text({**record, "attribution": [{**known, "score": score}]}).splitlines()
        assert any(line.endswith(f"0.500 ± 0.100 {word}") for line in lines)
    assert max(map(len, text.splitlines())) <= 120


def test_another_file_takes_a_rule(tmp_path: Path) -> None:
    path = benzene(tmp_path, "mine.csv", split=False)
    with pytest.raises(InputError, match=r"mine\.csv is not a task of the published benchmark"):
        entries(path)
    (entry,) = entries(path, rule='has("c1ccccc1")')
    assert entry.published == {}
    assert not entry.task.given_split
    by_name, by_text = entries(path, rule="benzene")[0].task, entry.task
    np.testing.assert_array_equal(by_name.follows_rule, by_text.follows_rule)


def test_of_a_folder_what_has_a_truth_is_run(tmp_path: Path) -> None:
    benzene(tmp_path)
    benzene(tmp_path, "other.csv")
    (tmp_path / "notes.md").write_text("nothing")
    assert [entry.task.name for entry in entries(tmp_path)] == ["benzene"]
    assert [entry.task.name for entry in entries(tmp_path, rule=RULES["benzene"])] == ["benzene", "other"]
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="holds no table whose truth is known"):
        entries(empty)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rule": "benzene", "truth": "crippen"}, "not both"),
        ({"truth": "logp"}, "there is no truth 'logp'"),
        ({"models": ("forest",)}, "there is no model 'forest'"),
        ({"truth": "crippen"}, "log P is a number"),
        ({"rule": 'has("C(")'}, "cannot read"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        entries(benzene(tmp_path), **options)


def test_crippen_is_scored_against_each_atoms_share(tmp_path: Path) -> None:
    smiles = nci_molecules()[:240]
    from rdkit import Chem

    labels = [float(crippen_contributions(Chem.AddHs(Molecule.of(s).mol)).sum()) for s in smiles]
    path = written(tmp_path, "crippen.csv", labels, smiles)
    (entry,) = entries(path, models=("glm",))
    examples, truths = entry.task.scored()
    assert [len(t.values) for t in truths] == [m.mol.GetNumAtoms() for m in examples]  # hydrogens among them
    for molecule, truth in zip(examples, truths, strict=True):
        where = [k for k, e in enumerate(entry.task.examples) if e is molecule]
        assert truth.values.sum() == pytest.approx(entry.task.labels[where[0]], abs=1e-4)
    record = leaderboard([entry], QUICK)
    row = next(row for row in record["attribution"] if row["method"] == "weight-times-input")
    assert row["score"] > 0.375  # Kendall's τ; the best published mean
    assert row["chance"] == pytest.approx(0.0, abs=0.05)
    assert "false_alarm" not in row  # every molecule has a truth
    assert "Kendall's τ" in leaderboard_text(record)


def test_labels_that_are_not_the_truths_sum_are_said(tmp_path: Path) -> None:
    path = written(tmp_path, "crippen.csv", list(np.linspace(0, 3, 60)), nci_molecules()[:60])
    (entry,) = entries(path)
    (note,) = (n for n in entry.task.notes if n.name == "label is not the truth's sum")
    assert "a truth of another quantity than the label is scored" in note.sentence


def test_the_command_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path, out = benzene(tmp_path), tmp_path / "board.json"
    arguments = ["bench", "molecules", "--data", str(path), "--models", "glm", "--seeds", "1", "--workers", "1"]
    assert main([*arguments, "--json", str(out)]) == 0
    said = capsys.readouterr().out
    assert "weight-times-input" in said
    assert json.loads(out.read_text())["provenance"]["command"].startswith("attar")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bench", "birds"], "there is no benchmark of 'birds'"),
        (["bench", "tables", "--data", "x.csv"], "--data is for molecules"),
        (["bench", "molecules", "--data", "nowhere.csv", "--rule", "benzene"], "nowhere.csv"),
        (["bench", "tables", "--models", "cnn"], "there is no model 'cnn' of tables"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments: list[str], said: str, capsys: pytest.CaptureFixture) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.strip().splitlines()) == 1


@pytest.mark.parametrize("name", MADE)
def test_every_domain_has_a_leaderboard(name: str) -> None:
    domain = made_domain(name)
    rule = next(iter(domain.rules))
    kind = "glm"
    (entry,) = benchmark(name, rule=rule, models=(kind,), count=160)
    record = leaderboard([entry], QUICK)
    row = record["attribution"][0]
    assert row["model"] == kind
    assert 0 <= row["score"] <= 1
    assert row["chance"] == pytest.approx(0.5, abs=0.1)
    assert record["data"][0]["domain"] == domain.name
