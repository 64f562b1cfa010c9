"""The pieces of an audit that molecules alone have: fragments, scaffolds, folding, pictures."""

from dataclasses import dataclass

import numpy as np

from attar.audit.plan import GivenPlan, Plan
from attar.domains.molecules.bag import Ambiguity, ambiguity
from attar.domains.molecules.molecule import Molecule
from attar.domains.molecules.split import scaffold
from attar.experiments.fragments import Fragment, fragment_table
from attar.experiments.task import Task
from attar.pitfalls.dataset_bias import unseen_share


def fragments(task: Task, plan: Plan | GivenPlan) -> list[Fragment]:
    return fragment_table(task.examples, task.labels, task=task.task, radius=plan.radius, seed=plan.seed)


@dataclass(frozen=True)
class Chemistry:
    """The share of test molecules whose scaffold training lacks, and what folding to bits would do (or does)."""

    unseen_scaffolds: float
    folding: Ambiguity


def chemistry(task: Task, plan: Plan | GivenPlan) -> Chemistry:
    train, test = task.part(task.train)[0], task.part(task.test)[0]
    return Chemistry(
        unseen_share([scaffold(m) for m in train], [scaffold(m) for m in test]),
        ambiguity(task.examples, radius=plan.radius, bits=plan.bits or 2048),
    )


@dataclass(frozen=True, eq=False)
class Picture:
    """A molecule to draw: its probability (or value), label, atoms' values in log-odds and the rule's atoms."""

    smiles: str
    prediction: float
    label: float
    values: list[float]
    true_atoms: list[int]


def pictures(task: Task, plan: Plan | GivenPlan, most: int = 12) -> list[Picture]:
    """Held-out molecules as the first model's own method sees them: positives from sure to doubtful, and the
    negatives it is most wrong about."""
    kind = plan.models[0]
    fitted = plan.recipe(kind, task.task).fit(*task.part(task.train), plan.seed)
    held_out, _ = task.part(task.test)
    logits = fitted.predict(held_out)
    positive = task.positive[task.test]
    order = [i for i in np.argsort(-logits, kind="stable").tolist() if held_out[i].size <= 30]
    # Where the rule names every atom, colours can neither agree nor differ.
    sure = [i for i in order if positive[i] and len(task.true_parts(held_out[i])) < held_out[i].size]
    wrong = [i for i in order if not positive[i]][: most // 4]
    spaced = np.unique(np.linspace(0, len(sure) - 1, most - len(wrong)).round().astype(int)) if sure else []
    chosen = [sure[k] for k in spaced] + wrong
    shown: list[Molecule] = [held_out[i] for i in chosen]
    values = fitted.explain(shown, plan.methods_of(kind)[0]) if shown else []
    prediction = 1 / (1 + np.exp(-logits)) if task.task == "classification" else logits
    labels = task.labels[task.test]
    return [
        Picture(m.smiles, float(prediction[i]), float(labels[i]), v.tolist(), sorted(task.true_parts(m)))
        for i, m, v in zip(chosen, shown, values, strict=True)
    ]
