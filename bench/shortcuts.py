"""A shortcut whose strength is known: morpholine is the cause, benzene comes along; what is seen where, and said of it.

    python bench/shortcuts.py morpholine_benzene.csv [--models glm,gat] [--seeds 2]

The file is that of graph-attribution (Sanchez-Lengeling et al. 2020): smiles, whether morpholine (A) and benzene (B)
are there, and a side. `mix` is the share of the training positives that hold both; negatives hold neither. The usual
reading, attribution where only the cause is (`alone`), stays as it is whatever was learnt; where both are, `cause`,
`benzene` (AUROC of their atoms) and `mass` (benzene's share of the positive attribution on the two) tell. `prediction`
is the AUROC of molecules with morpholine alone against those with benzene alone. The last table is what the audit says,
told the rule and told nothing.
"""

import argparse
import csv
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np

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
from attar.pitfalls.spurious_correlation import confounded

MORPHOLINE, BENZENE = 'has("O1CCNCC1")', 'has("c1ccccc1")'
METHOD = {"glm": "weight-times-input"}  # of graph networks: CAM
EPOCHS = 20
MIXES = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
AUDITED = 1000  # positives, and as many negatives
Kinds = dict[tuple[bool, bool, bool], list[Molecule]]


def read(path: Path) -> Kinds:
    """By training side, morpholine there, benzene there."""
    kinds: Kinds = {}
    with path.open() as file:
        for row in csv.DictReader(file):
            key = row["train"] == "True", row["A"] == "True", row["B"] == "True"
            kinds.setdefault(key, []).append(Molecule.of(row["smiles"]))
    return kinds


def masks(text: str) -> Callable[[Molecule], TruthMasks]:
    rule, finder = read_rule(text), MoleculeFinder()

    def of(molecule: Molecule) -> TruthMasks:
        found, atoms = explanations(rule, finder, molecule), np.arange(molecule.size)
        alternatives = np.stack([np.isin(atoms, sorted(each)) for each in found.alternatives])
        return TruthMasks(alternatives, np.isin(atoms, sorted(found.union)), {})

    return of


def ladder(kinds: Kinds, model: str, seeds: int) -> None:
    print(f"\n{model}, {METHOD.get(model, 'cam')}, mean of {seeds} seeds")
    print(f"  {'mix':>5} {'prediction':>11} {'alone':>7} {'cause':>7} {'benzene':>8} {'mass':>6} {'seconds':>8}")
    for share in MIXES:
        start, rows = perf_counter(), []
        for seed in range(seeds):
            found = confounded(
                MoleculeRecipe(kind=model, epochs=EPOCHS),
                share,
                train=(kinds[True, True, True], kinds[True, True, False], kinds[True, False, False]),
                test=(kinds[False, True, True], kinds[False, True, False], kinds[False, False, True]),
                cause=masks(MORPHOLINE),
                shortcut=masks(BENZENE),
                method=METHOD.get(model, "cam"),
                seed=seed,
            )
            rows.append((found.prediction, found.cause_alone, found.cause, found.shortcut, found.shortcut_mass))
        prediction, alone, cause, benzene, mass = np.mean(rows, 0)
        seconds = perf_counter() - start
        print(f"  {share:>5} {prediction:11.3f} {alone:7.3f} {cause:7.3f} {benzene:8.3f} {mass:6.3f} {seconds:8.0f}")


def said(kinds: Kinds) -> None:
    print(f"\nThe audit of a GLM, {AUDITED} positives and {AUDITED} negatives")
    plan = Plan(models=("glm",), methods=("weight-times-input",), flips=(0.0, 0.5), decoys=(), workers=1)
    for ruled in (True, False):
        for share in (0.0, 0.5, 0.9, 1.0):
            both, alone, neither = (kinds[True, *kind] for kind in ((True, True), (True, False), (False, False)))
            count = round(share * AUDITED)
            examples = [*both[:count], *alone[: AUDITED - count], *neither[:AUDITED]]
            labels = np.r_[np.ones(len(examples) - len(neither[:AUDITED])), np.zeros(len(neither[:AUDITED]))]
            task = Task(
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
            record = audit([task], plan)
            print(f"  {'told the rule' if ruled else 'told nothing':<13} mix {share:<4} {record['verdict']}")
            for finding in record["findings"]:
                if finding["name"].startswith("shortcut "):
                    print(f"      {finding['status']}: {finding['evidence']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--models", default="glm,gcn,gat,mpnn")
    parser.add_argument("--seeds", type=int, default=2)
    given = parser.parse_args()
    kinds = read(given.file)
    for model in given.models.split(","):
        ladder(kinds, model, given.seeds)
    said(kinds)


if __name__ == "__main__":
    main()
