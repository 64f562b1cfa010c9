"""A question about molecules: which have the label, and which atoms, by a rule, make it so."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from rdkit import Chem

from attar.core.errors import InputError
from attar.core.note import Note
from attar.core.rule import Rule, explanations, holds
from attar.domains.molecules.molecule import Molecule
from attar.domains.molecules.read import MoleculeTable
from attar.domains.molecules.split import random_split
from attar.domains.molecules.truth import SmartsFinder
from attar.evaluation.accuracy import TruthMasks
from attar.experiments.molecule_models import Task

FINDER = SmartsFinder()


@dataclass(frozen=True, eq=False)
class MoleculeTask:
    """Molecules with labels, held-out ones among them (`test`), and the rule that is the truth, if there is one.

    `labels` are 0/1 or numbers; `given_split` says that the file brought its split along.
    """

    name: str
    source: str
    molecules: tuple[Molecule, ...]
    labels: np.ndarray
    task: Task
    test: np.ndarray
    rule: Rule | None = None
    rule_name: str | None = None
    given_split: bool = False
    notes: tuple[Note, ...] = ()

    @property
    def train(self) -> np.ndarray:
        return ~self.test

    def part(self, mask: np.ndarray) -> tuple[list[Molecule], np.ndarray]:
        index = np.flatnonzero(mask)
        return [self.molecules[i] for i in index], self.labels[index]

    @cached_property
    def follows_rule(self) -> np.ndarray:
        """Which molecules the rule is true of."""
        if self.rule is None:
            return np.zeros(len(self.molecules), dtype=bool)
        return np.array([holds(self.rule, FINDER, m.mol) for m in self.molecules])

    @property
    def positive(self) -> np.ndarray:
        """Molecules with the label; for a regression, those the rule is true of."""
        return self.labels > 0.5 if self.task == "classification" else self.follows_rule

    def scored(self, at_most: int = 300) -> tuple[list[Molecule], list[TruthMasks]]:
        """Held-out positives whose true atoms are some but not all of the molecule, and those atoms."""
        pairs = []
        for i in np.flatnonzero(self.test & self.positive & self.follows_rule):
            truth = self.truth(self.molecules[i])
            if truth is not None and not truth.union.all():
                pairs.append((self.molecules[i], truth))
        return [m for m, _ in pairs[:at_most]], [t for _, t in pairs[:at_most]]

    def truth(self, molecule: Molecule) -> TruthMasks | None:
        """The atoms that make the rule true of a molecule; None where it is false or names none."""
        if self.rule is None:
            return None
        found = explanations(self.rule, FINDER, molecule.mol)
        if not found.union:
            return None
        alternatives = np.stack([_mask(a, molecule.mol) for a in found.alternatives if a])
        named = {name: _mask(atoms, molecule.mol) for name, atoms in sorted(found.parts.items())}
        return TruthMasks(alternatives, _mask(found.union, molecule.mol), named)

    def true_parts(self, molecule: Molecule) -> frozenset[int]:
        """All atoms that the rule names in the molecule; none where it is false."""
        if self.rule is None:
            return frozenset()
        return explanations(self.rule, FINDER, molecule.mol).union

    def keeps(self, before: Molecule, after: Molecule) -> bool:
        """Whether the rule says the same of both."""
        if self.rule is None:
            return True
        return holds(self.rule, FINDER, before.mol) == holds(self.rule, FINDER, after.mol)


def from_table(
    table: MoleculeTable, *, rule: Rule | None, rule_name: str | None, seed: int, test: float = 0.25
) -> MoleculeTask:
    """A task from a file. Without a split column a quarter is held out at random, by class.

    Raises `InputError` where the rule is true of every molecule or of none, or a split leaves one side without two
    molecules of each class.
    """
    if table.labels is None or table.task is None:
        raise InputError(f"{table.source} was read without a label; name its column with --label")
    molecules = tuple(Molecule(s, m) for s, m in zip(table.smiles, table.mols, strict=True))
    stratified = table.task == "classification"
    if table.split is None:
        held_out = random_split(table.labels, test=test, seed=seed, stratified=stratified)
    else:
        held_out = _test_side(table.split)
    task = MoleculeTask(
        name=table.source,
        source=table.source,
        molecules=molecules,
        labels=table.labels,
        task=table.task,
        test=held_out,
        rule=rule,
        rule_name=rule_name,
        given_split=table.split is not None,
        notes=table.notes,
    )
    _check_sides(task)
    if rule is not None:
        check_rule(task)
    return task


def check_rule(task: MoleculeTask) -> None:
    """Raise `InputError` for a rule that tells no molecule from another."""
    share = task.follows_rule.mean()
    if share in (0.0, 1.0):
        what = "none" if share == 0 else "all"
        raise InputError(
            f"the rule {task.rule_name} is true of {what} of the {len(task.molecules)} molecules; a rule must tell "
            "some from the others: check its SMARTS"
        )


def labelled_by_rule(
    name: str, source: str, smiles: Sequence[str], *, rule: Rule, rule_name: str, seed: int, test: float = 0.25
) -> MoleculeTask:
    """Molecules whose label is the rule itself, so that the truth is known of every one."""
    molecules = tuple(Molecule.of(s) for s in smiles)
    labels = np.array([float(holds(rule, FINDER, m.mol)) for m in molecules])
    held_out = random_split(labels, test=test, seed=seed)
    return MoleculeTask(name, source, molecules, labels, "classification", held_out, rule, rule_name)


def _test_side(split: np.ndarray) -> np.ndarray:
    values = sorted(set(split.tolist()))
    for name in ("test", "valid", "validation", "holdout", "held-out"):
        if name in values and "train" in values:
            return split != "train"
    if len(values) == 2 and set(values) <= {"0", "1", "true", "false"}:
        raise InputError(f"the split column holds {values}; which side is held out? Write train and test")
    raise InputError(f"the split column holds {', '.join(values[:6])}; expected train and test")


def _check_sides(task: MoleculeTask) -> None:
    for side, mask in (("training", task.train), ("test", task.test)):
        labels = task.labels[mask]
        if task.task == "classification" and min((labels > 0.5).sum(), (labels < 0.5).sum()) < 2:
            raise InputError(
                f"the {side} side has {int((labels > 0.5).sum())} positives and {int((labels < 0.5).sum())} negatives, "
                "expected at least 2 of each; give more data or another split"
            )


def _mask(atoms: frozenset[int], mol: Chem.Mol) -> np.ndarray:
    mask = np.zeros(mol.GetNumAtoms(), dtype=bool)
    mask[list(atoms)] = True
    return mask
