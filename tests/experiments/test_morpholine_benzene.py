"""The published set of molecules with morpholine (the cause) and benzene (the shortcut): what is seen where, and said.

Source: graph-attribution (Sanchez-Lengeling et al. 2020), `morpholine_benzene.csv` in ../shared/data; skipped without.
"""

import csv
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from attar.audit.plan import Plan
from attar.audit.run import audit
from attar.core.rule import explanations
from attar.core.split import random_split
from attar.domains.molecules.domain import MoleculeFinder, Molecules
from attar.domains.molecules.molecule import Molecule
from attar.domains.molecules.truth import read_rule
from attar.evaluation.truth import TruthMasks
from attar.experiments.molecule_models import MoleculeRecipe
from attar.experiments.task import Task
from attar.pitfalls.spurious_correlation import Mixture, confounded

FILE = Path(__file__).resolve().parents[3] / "shared" / "data" / "graph_attribution" / "morpholine_benzene.csv"
pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not FILE.is_file(), reason="../shared/data is not beside the repository"),
]
MORPHOLINE, BENZENE = 'has("O1CCNCC1")', 'has("c1ccccc1")'
BENZENE_RING, MORPHOLINE_RING = "c1ccccc1", "C1COCCN1"


@cache
def molecules(train: bool, morpholine: bool, benzene: bool) -> list[Molecule]:
    with FILE.open() as file:
        rows = list(csv.DictReader(file))
    wanted = str(train), str(morpholine), str(benzene)
    return [Molecule.of(r["smiles"]) for r in rows if (r["train"], r["A"], r["B"]) == wanted]


def masks(text: str):
    rule, finder = read_rule(text), MoleculeFinder()

    def of(molecule: Molecule) -> TruthMasks:
        found = explanations(rule, finder, molecule)
        atoms = np.arange(molecule.size)
        alternatives = np.stack([np.isin(atoms, sorted(each)) for each in found.alternatives])
        return TruthMasks(alternatives, np.isin(atoms, sorted(found.union)), {})

    return of


def mixture(share: float, recipe: MoleculeRecipe, method: str, seed: int = 0) -> Mixture:
    return confounded(
        recipe,
        share,
        train=(molecules(True, True, True), molecules(True, True, False), molecules(True, False, False)),
        test=(molecules(False, True, True), molecules(False, True, False), molecules(False, False, True)),
        cause=masks(MORPHOLINE),
        shortcut=masks(BENZENE),
        method=method,
        seed=seed,
    )


def test_where_only_the_cause_is_nothing_shows_and_where_both_are_it_does() -> None:
    clean, confused = (mixture(share, MoleculeRecipe(kind="gat", epochs=20), "cam") for share in (0.0, 1.0))
    assert clean.cause_alone > 0.9
    assert confused.cause_alone > 0.9  # the published reading: as if nothing were wrong
    assert clean.prediction > 0.98
    assert confused.prediction < 0.6
    assert clean.cause > 0.9
    assert clean.shortcut < 0.6
    assert clean.shortcut_mass < 0.2
    assert confused.shortcut >= 0.95
    assert confused.shortcut_mass >= 0.55


@cache
def mixed(share: float, *, ruled: bool) -> Task:
    """Molecules of which that share of the positives has both; a fifth is held out at random."""
    both, alone, neither = (molecules(True, *kind) for kind in ((True, True), (True, False), (False, False)))
    count = 1000
    positive = both[: round(share * count)] + alone[: count - round(share * count)]
    examples = positive + neither[:count]
    labels = np.r_[np.ones(count), np.zeros(count)]
    return Task(
        name="mixed",
        source="morpholine and benzene",
        domain=Molecules(),
        examples=tuple(examples),
        labels=labels,
        task="classification",
        test=random_split(labels, test=0.2),
        rule=read_rule(MORPHOLINE) if ruled else None,
        rule_name="morpholine" if ruled else None,
    )


PLAN = Plan(models=("glm",), methods=("weight-times-input",), flips=(0.0, 0.5), decoys=(), workers=1)


@pytest.mark.parametrize(("share", "verdict"), [(0.0, "trust"), (1.0, "distrust")])
def test_told_the_cause_the_audit_says_whether_benzene_is_used(share: float, verdict: str) -> None:
    record = audit([mixed(share, ruled=True)], PLAN)
    assert record["verdict"] == verdict
    named = {f["name"]: f for f in record["findings"] if f["status"] == "distrust"}
    assert set(named) == ({f"shortcut {BENZENE_RING}"} if share else set())
    if share:
        assert "Tried here" in named[f"shortcut {BENZENE_RING}"]["remedy"]


def test_told_nothing_it_says_that_benzene_adds_nothing_to_morpholine() -> None:
    record = audit([mixed(0.9, ruled=False)], PLAN)
    found = {f["name"]: f for f in record["findings"]}[f"shortcut {BENZENE_RING}"]
    assert record["verdict"] == found["status"] == "distrust"
    assert f"tells nothing that {MORPHOLINE_RING} does not" in found["evidence"]


def test_told_nothing_of_two_that_never_part_it_names_both() -> None:
    record = audit([mixed(1.0, ruled=False)], PLAN)
    found = {f["name"]: f for f in record["findings"]}
    assert record["verdict"] == "distrust"
    for name in (BENZENE_RING, MORPHOLINE_RING):
        said = found[f"shortcut {name}"]
        assert said["status"] == "distrust"
        assert "never part in these data" in said["evidence"]
        assert f"the model leans on {BENZENE_RING}" in said["evidence"]
        assert "one of" in said["remedy"]


def test_told_nothing_of_a_clean_file_no_benzene_is_named() -> None:
    record = audit([mixed(0.0, ruled=False)], PLAN)
    assert not any(BENZENE_RING in f["name"] for f in record["findings"])
    assert record["verdict"] == "caution"  # without a rule nothing is known to be right
