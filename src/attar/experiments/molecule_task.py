"""Questions about molecules: a file's labels, or those that a rule gives."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from attar.core.errors import InputError
from attar.core.note import Note
from attar.core.rule import Rule, holds
from attar.core.split import random_split, test_side
from attar.core.weighted_sum import WeightedSum
from attar.domains.molecules.domain import MoleculeFinder, Molecules
from attar.domains.molecules.molecule import Molecule
from attar.domains.molecules.read import MoleculeTable
from attar.experiments.sum_truth import SumTruth
from attar.experiments.task import Task, check_rule, check_sides


def from_table(
    table: MoleculeTable, *, rule: Rule | None, rule_name: str | None, seed: int, test: float = 0.25
) -> Task:
    """A task from a file. Without a split column a quarter is held out at random, by class.

    Raises `InputError` where the rule is true of every molecule or of none, or a split leaves one side without two
    molecules of each class.
    """
    if table.labels is None or table.task is None:
        raise InputError(f"{table.source} was read without a label; name its column with --label")
    molecules = tuple(Molecule(s, m) for s, m in zip(table.smiles, table.mols, strict=True))
    stratified = table.task == "classification"
    decided: tuple[Note, ...] = ()
    if table.split is None:
        held_out = random_split(table.labels, test=test, seed=seed, stratified=stratified)
    else:
        held_out, decided = test_side(table.split, column=table.split_column or "split")
    task = Task(
        name=table.source,
        source=table.source,
        domain=Molecules(),
        examples=molecules,
        labels=table.labels,
        task=table.task,
        test=held_out,
        rule=rule,
        rule_name=rule_name,
        given_split=table.split is not None,
        notes=(*table.notes, *decided),
    )
    check_sides(task)
    if rule is not None:
        check_rule(task)
    return task


def labelled_by_rule(
    name: str, source: str, smiles: Sequence[str], *, rule: Rule, rule_name: str, seed: int, test: float = 0.25
) -> Task:
    """Molecules whose label is the rule itself, so that the truth is known of every one."""
    molecules = tuple(Molecule.of(s) for s in smiles)
    labels = np.array([float(holds(rule, MoleculeFinder(), m)) for m in molecules])
    held_out = random_split(labels, test=test, seed=seed)
    return Task(
        name=name,
        source=source,
        domain=Molecules(),
        examples=molecules,
        labels=labels,
        task="classification",
        test=held_out,
        rule=rule,
        rule_name=rule_name,
    )


def labelled_by_sum(
    name: str, source: str, smiles: Sequence[str], *, total: WeightedSum, sum_name: str, seed: int, test: float = 0.25
) -> Task:
    """Molecules whose label is the weighted sum itself. Raises `InputError` where it is the same in all of them."""
    molecules = tuple(Molecule.of(s) for s in smiles)
    truth = SumTruth(total, Molecules())
    labels = truth.values(molecules)
    return Task(
        name=name,
        source=source,
        domain=Molecules(),
        examples=molecules,
        labels=labels,
        task="regression",
        test=random_split(labels, test=test, seed=seed, stratified=False),
        rule_name=sum_name,
        contributions=truth,
    )


def explained_by_sum(task: Task, total: WeightedSum, sum_name: str) -> Task:
    """The task with the weighted sum as the truth of its labels; a note where they are not the sum itself.

    Raises `InputError` where the sum is the same in all examples, and where the labels are two classes.
    """
    if task.task != "regression":
        raise InputError(
            f"{task.source} has two classes as labels, and a weighted sum is a number: name its column with --label, "
            "or give a --rule that is true or false"
        )
    truth = SumTruth(total, task.domain)
    values = truth.values(task.examples)
    notes = task.notes
    if not np.allclose(values, task.labels, atol=1e-6):
        shared = np.corrcoef(values, task.labels)[0, 1] ** 2 if np.ptp(task.labels) > 0 else 0.0
        sentence = (
            f"The labels are not the sum itself, which accounts for {shared:.0%} of their variance: the rest is noise, "
            "or the truth is one of another quantity."
        )
        notes = (
            *notes,
            Note("label is not the truth's sum", int((~np.isclose(values, task.labels)).sum()), (), sentence),
        )
    return replace(task, rule_name=sum_name, contributions=truth, notes=notes)
