"""The published graph-attribution benchmark on any file of molecules, with an honest protocol beside the published.

Source of tasks, networks and published figures: Sanchez-Lengeling et al. 2020, "Evaluating attribution for graph
neural networks" (NeurIPS), and its repository google-research/graph-attribution (Apache-2.0). The mean and standard
deviation over hyper-parameters in its figure 3 are in `published_graph_attribution.csv`.
"""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
from rdkit import Chem

from attar.core.errors import InputError
from attar.core.note import Note
from attar.core.rule_text import says_sum
from attar.core.tables import SUFFIXES
from attar.domains.molecules.library import nci_molecules
from attar.domains.molecules.molecule import Molecule
from attar.domains.molecules.read import MoleculeTable, read_molecules
from attar.domains.molecules.truth import crippen_contributions, read_rule, read_sum
from attar.experiments.leaderboard import Entry, Published
from attar.experiments.molecule_models import LEARNING_RATE, MoleculeRecipe
from attar.experiments.molecule_task import explained_by_sum, from_table, labelled_by_rule, labelled_by_sum
from attar.experiments.task import Task, check_rule

RULES = {
    "benzene": 'has("c1ccccc1")',
    "logic7": 'has("[FX1]") and has("[CX3]=O")',
    "logic8": 'has("[R0;D2,D1][R0;D2][R0;D2,D1]") and has("[CX3]=O")',
    "logic10": 'has("[NX3;H2]") and has("[OD2](C)C") and has("[cX3]1[cX3H][cX3H][cX3H][cX3H][cX3H]1")',
}
CRIPPEN = "crippen"
MODELS = ("glm", "mlp", "gcn", "gat", "mpnn", "graphnets")
SEEN = 120_000  # examples that a network sees in training, unless told: passes over a small file are more


def entries(
    data: Path,
    *,
    rule: str | None = None,
    truth: str | None = None,
    input: str | None = None,
    label: str = "label",
    split: str | None = None,
    models: Sequence[str] = MODELS,
    epochs: int | None = None,
    seed: int = 0,
) -> list[Entry]:
    """What to run for a file, or for every table in a folder.

    The truth of a file is `rule` (SMARTS, or a name of `RULES`; or a weighted sum of SMARTS, for labels that are
    numbers), `truth` ("crippen": each atom's share of log P), or what the published benchmark has for a task of the
    file's name. In a folder, files without a known truth are left out. The column `split` is used if there is one; else
    a quarter is held out at random. Raises `InputError` for unknown models, a truth that is not known, and where no
    file is left.
    """
    if rule is not None and truth is not None:
        raise InputError("a task has one truth: give --rule or --truth, not both")
    if truth not in (None, CRIPPEN):
        raise InputError(f"there is no truth {truth!r}; it can be {CRIPPEN}, or give a --rule")
    tasks = [_task(path, rule, truth, input, label, split, seed, alone=data.is_file()) for path in _tables(data)]
    known = [task for task in tasks if task is not None]
    if not known:
        raise InputError(f"{data} holds no table whose truth is known; give --rule, or --truth {CRIPPEN}")
    return [
        Entry(
            task=task,
            recipes={kind: _recipe(kind, task, epochs) for kind in models},
            published=published(task.name),
        )
        for task in known
    ]


def embedded(
    *, rule: str | None = None, models: Sequence[str] = MODELS, epochs: int | None = None, seed: int = 0
) -> list[Entry]:
    """The same without a file: NCI molecules (in the rdkit wheel), labelled by some of the rules, or by `rule`, which
    may be a weighted sum."""
    tasks = []
    source = "NCI, 4,999 SMILES in the rdkit wheel"
    for name in ("benzene", "logic8", "rose") if rule is None else (rule,):
        if says_sum(name):
            total = read_sum(name)
            tasks.append(labelled_by_sum("NCI, a sum", source, nci_molecules(), total=total, sum_name=name, seed=seed))
            continue
        known = read_rule(RULES.get(name.lower(), name))
        tasks.append(labelled_by_rule(f"NCI, {name}", source, nci_molecules(), rule=known, rule_name=name, seed=seed))
        check_rule(tasks[-1])
    return [Entry(task=task, recipes={kind: _recipe(kind, task, epochs) for kind in models}) for task in tasks]


def published(task: str) -> Mapping[tuple[str, str], Published]:
    """The published scores of a task by model and method; none for a task that is not of the benchmark."""
    text = files("attar.experiments").joinpath("published_graph_attribution.csv").read_text()
    return {
        (row["model"], row["method"]): Published(float(row["mean"]), float(row["sd"]), int(row["runs"]))
        for row in csv.DictReader(text.splitlines())
        if row["task"] == task
    }


def _tables(data: Path) -> list[Path]:
    if data.is_dir():
        return sorted(path for path in data.iterdir() if path.suffix in SUFFIXES)
    return [data]


def _task(
    path: Path,
    rule: str | None,
    truth: str | None,
    input: str | None,
    label: str,
    split: str | None,
    seed: int,
    *,
    alone: bool,
) -> Task | None:
    name = path.stem.lower()
    if rule is None and truth is None:
        if name == CRIPPEN:
            truth = CRIPPEN
        elif name in RULES:
            rule = name
        elif alone:
            raise InputError(
                f"{path.name} is not a task of the published benchmark ({', '.join([*RULES, CRIPPEN])}): say what its "
                f"truth is with --rule 'has(\"…\")', or --truth {CRIPPEN}"
            )
        else:
            return None
    written = RULES.get(str(rule).lower(), str(rule))
    by_sum = truth is None and says_sum(written)
    total = read_sum(written) if by_sum else None  # before the file: what cannot be read is said at once
    table = _read(path, input, label, split, numbers=truth == CRIPPEN or by_sum)
    if truth == CRIPPEN:
        return _crippen(table, name, seed)
    if total is not None:
        task = from_table(table, rule=None, rule_name=None, seed=seed)
        return replace(explained_by_sum(task, total, written), name=name)
    task = from_table(table, rule=read_rule(written), rule_name=rule, seed=seed)
    return replace(task, name=name)


def _read(path: Path, input: str | None, label: str, split: str | None, *, numbers: bool) -> MoleculeTable:
    if split is not None:
        return read_molecules(path, input=input, label=label, split=split, numbers=numbers)
    try:
        return read_molecules(path, input=input, label=label, split="split", numbers=numbers)
    except InputError as problem:
        if "has no column 'split'" not in str(problem):
            raise
        return read_molecules(path, input=input, label=label, numbers=numbers)


def _crippen(table: MoleculeTable, name: str, seed: int) -> Task:
    """Molecules with their hydrogens, of which each carries a contribution."""
    if table.task != "regression":
        raise InputError(f"{table.source} has classes as labels, and log P is a number: name its column with --label")
    task = replace(from_table(table, rule=None, rule_name=None, seed=seed), name=name)
    examples = tuple(Molecule(m.smiles, Chem.AddHs(m.mol)) for m in task.examples)
    sums = np.array([crippen_contributions(m.mol).sum() for m in examples])
    notes = task.notes
    if (off := float(np.abs(sums - task.labels).max())) > 0.05:
        count = int((np.abs(sums - task.labels) > 0.05).sum())
        sentence = (
            f"The labels of {count} molecules are not the sum of their atoms' Crippen contributions (up to {off:.2f} "
            "away): a truth of another quantity than the label is scored."
        )
        notes = (*notes, Note("label is not the truth's sum", count, (), sentence))
    return replace(task, examples=examples, contributions=_contributions, notes=notes)


def _contributions(molecule: Molecule) -> np.ndarray:
    return crippen_contributions(molecule.mol)


def _recipe(kind: str, task: Task, epochs: int | None) -> MoleculeRecipe:
    fewest = 32 if kind in LEARNING_RATE else 8  # a slow learner takes more passes, and is read worse the more it takes
    passes = epochs or min(60, max(fewest, math.ceil(SEEN / max(1, int(task.train.sum())))))
    # Contributions add up over matches, so their model counts; a rule asks for presence.
    return MoleculeRecipe(kind=kind, task=task.task, epochs=passes, presence=task.contributions is None)
