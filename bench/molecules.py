"""What the choices made for molecules are worth: presence or counts, unhashed or folded, which way to atoms.

    python bench/molecules.py            NCI molecules and the library, labelled by the rose rule
    python bench/molecules.py DIR        and the published tasks logic7 and logic10 in DIR (smiles,label,split)

A GLM each time. `score` is the best legal answer, `union` everything the rule names, on held-out positives; chance and
the trivial control (heteroatoms 2, sp2 1) are scored the same way. The last table races our occlusion by atoms against
RDKit's SimilarityMaps on the same model at equal values, CPU time, one process.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time

import numpy as np
from rdkit import rdBase
from rdkit.Chem.Draw import SimilarityMaps
from rdkit.DataStructs import ConvertToNumpyArray

from attar.domains.molecules.bag import ambiguity
from attar.domains.molecules.control import trivial_atoms
from attar.domains.molecules.read import read_molecules
from attar.domains.molecules.truth import read_rule
from attar.evaluation.accuracy import accuracies
from attar.evaluation.chance import chance, mean_accuracy
from attar.evaluation.intervals import auroc
from attar.experiments.molecule_models import MoleculeRecipe
from attar.experiments.molecule_task import from_table
from attar.experiments.rose import library_rose, nci_rose
from attar.experiments.task import Task

LOGIC = {
    "logic7": 'has("[FX1]") and has("[CX3]=O")',
    "logic10": 'has("[NX3;H2]") and has("[OD2](C)C") and has("[cX3]1[cX3H][cX3H][cX3H][cX3H][cX3H]1")',
}
SETTINGS = {
    "presence, unhashed": {"presence": True},
    "counts, unhashed": {"presence": False},
    "presence, 2048 bits": {"presence": True, "bits": 2048},
    "presence, 512 bits": {"presence": True, "bits": 512},
    "presence, 256 bits": {"presence": True, "bits": 256},
}
METHODS = ("weight-times-input", "occlusion", "occlusion-occurrences")


def choices(task: Task) -> None:
    scored, truths = task.scored()
    trivial = mean_accuracy(accuracies([trivial_atoms(m) for m in scored], truths))
    random = chance(truths)
    print(f"\n{task.name}: {len(task.examples)} molecules, {len(scored)} scored")
    print(
        f"  chance {random.best:.3f} (union {random.union:.3f}), trivial {trivial.best:.3f} (union {trivial.union:.3f})"
    )
    print(f"  {'bag':<22} {'AUROC':>6}  " + "  ".join(f"{m:>24}" for m in METHODS) + "   (score / union)")
    labels = task.labels[task.test]
    for name, options in SETTINGS.items():
        fitted = MoleculeRecipe(kind="glm", **options).fit(*task.part(task.train), 0)
        held_out = auroc(labels, fitted.predict(task.part(task.test)[0]))
        cells = []
        for method in METHODS:
            found = mean_accuracy(accuracies(fitted.explain(scored, method), truths))
            cells.append(f"{found.best:>15.3f} / {found.union:.3f}")
        print(f"  {name:<22} {held_out:>6.3f}  " + "  ".join(f"{c:>24}" for c in cells))
    for bits in (2048, 512, 256):
        print(f"  {bits} bits: {ambiguity(task.examples, radius=2, bits=bits).sentence()}")


def race(task: Task, count: int = 50, repeats: int = 3) -> None:
    """Deleting every bit that an atom's environments set: ours batched, RDKit's one prediction an atom."""
    fitted = MoleculeRecipe(kind="glm", bits=1024).fit(*task.part(task.train), 0)
    molecules = [m for m in task.part(task.test)[0] if m.size >= 3][:count]

    def prediction(fingerprint: object) -> float:
        row = np.zeros(1024)
        ConvertToNumpyArray(fingerprint, row)
        return float(fitted.model.decision_function(row[None])[0])

    def morgan(mol: object, atom: int) -> object:
        return SimilarityMaps.GetMorganFingerprint(mol, atom, radius=2, fpType="bv", nBits=1024)

    def rdkit() -> list[np.ndarray]:
        return [np.array(SimilarityMaps.GetAtomicWeightsForModel(m.mol, morgan, prediction)) for m in molecules]

    def ours() -> list[np.ndarray]:
        return fitted.explain(molecules, "occlusion")

    _silence = rdBase.BlockLogs()  # RDKit's own function calls a fingerprint that RDKit deprecates, once an atom
    theirs, mine = rdkit(), ours()
    worst = max(float(np.abs(a - b).max()) for a, b in zip(theirs, mine, strict=True))
    slow, fast = _cpu(rdkit, repeats), _cpu(ours, repeats)
    print(
        f"\nOcclusion by atoms, {len(molecules)} molecules, 1024 bits, logit of a GLM; largest difference {worst:.1e}"
    )
    print(f"  RDKit SimilarityMaps {slow:.3f} CPU s   attar {fast:.3f} CPU s   ratio {slow / fast:.1f}")


def _cpu(call: Callable[[], object], repeats: int) -> float:
    runs = []
    for _ in range(repeats):
        start = process_time()
        call()
        runs.append(process_time() - start)
    return min(runs)


def main() -> None:
    tasks = [nci_rose(), library_rose()]
    if len(sys.argv) > 1:
        for name, rule in LOGIC.items():
            table = read_molecules(Path(sys.argv[1]) / f"{name}.csv", label="label", split="split")
            tasks.append(from_table(table, rule=read_rule(rule), rule_name=name, seed=0))
    for task in tasks:
        choices(task)
    race(tasks[0])


if __name__ == "__main__":
    main()
