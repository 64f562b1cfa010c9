"""The pieces of an audit that run on their own, on any worker: one fit, one rung, one search."""

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from attar.audit.plan import DECOYS, Plan
from attar.core.errors import InputError
from attar.domains.molecules.bag import Ambiguity, ambiguity
from attar.domains.molecules.edit import MoleculeEditor
from attar.domains.molecules.molecule import Molecule
from attar.domains.molecules.split import cluster_split, properties, scaffold
from attar.evaluation.intervals import quality
from attar.experiments.fragments import Fragment, fragment_table
from attar.experiments.task import Task
from attar.experiments.trial import Trial
from attar.experiments.trial import trial as run_trial
from attar.pitfalls.dataset_bias import Shift, shifts, unseen_share
from attar.pitfalls.imperfect_model import Rung, rung
from attar.pitfalls.shortcut_search import Shortcut, shortcuts
from attar.pitfalls.spurious_correlation import DecoyRung, decoyed

FOLDS = 5


def trial(task: Task, plan: Plan, kind: str, seed: int) -> Trial:
    """Fit on the training molecules, predict the test ones, score every method."""
    return run_trial(task, plan.recipe(kind, task.task), plan.methods_of(kind), seed)


def cluster_trial(task: Task, plan: Plan, kind: str) -> Trial | None:
    """The same model held to molecules of clusters it has not seen; None where no such split can be made."""
    start = perf_counter()
    try:
        test = cluster_split(task.examples, task.labels, seed=plan.seed)
    except InputError:
        return None
    fitted = plan.recipe(kind, task.task).fit(*task.part(~test), plan.seed)
    molecules, labels = task.part(test)
    return Trial(fitted.predict(molecules), labels, {}, perf_counter() - start)


def folds(task: Task, plan: Plan, kind: str) -> list[float]:
    """Held-out quality on each of five folds, by class."""
    generator = np.random.default_rng([plan.seed, 23])
    fold = np.empty(len(task.labels), dtype=int)
    classes = np.unique(task.labels) if task.task == "classification" else [None]
    for c in classes:
        members = np.arange(len(fold)) if c is None else np.flatnonzero(task.labels == c)
        fold[generator.permutation(members)] = np.arange(len(members)) % FOLDS
    found = []
    for k in range(FOLDS):
        fitted = plan.recipe(kind, task.task).fit(*task.part(fold != k), plan.seed)
        molecules, labels = task.part(fold == k)
        found.append(quality(labels, fitted.predict(molecules)))
    return found


def noise_ladder(task: Task, plan: Plan, flips: tuple[float, ...]) -> list[Rung]:
    """The rungs of the label-noise ladder at these shares of turned labels."""
    recipe = plan.recipe(plan.ladder_kind, task.task)
    scored, truths = task.scored()
    train, test = task.part(task.train), task.part(task.test)
    seeds = tuple(plan.seed + k for k in range(3))
    method = recipe.methods[0]
    return [
        rung(recipe, f, train=train, test=test, scored=scored, truths=truths, method=method, seeds=seeds) for f in flips
    ]


def decoy_ladder(task: Task, plan: Plan, decoy: str) -> list[DecoyRung]:
    """One decoy at every share of the training positives."""
    recipe = plan.recipe(plan.ladder_kind, task.task)
    train, test = task.part(task.train), task.part(task.test)
    return [
        decoyed(
            recipe,
            DECOYS[decoy],
            share,
            editor=MoleculeEditor(),
            keeps=task.keeps,
            truth=task.truth,
            train=train,
            test=test,
            method=recipe.methods[0],
            seed=plan.seed,
        )
        for share in plan.shares
    ]


def search_shortcuts(task: Task, plan: Plan) -> list[Shortcut]:
    fitted = plan.recipe(plan.models[0], task.task).fit(*task.part(task.train), plan.seed)
    return shortcuts(
        fitted,
        editor=MoleculeEditor(),
        keeps=task.keeps,
        true_parts=task.true_parts,
        train=task.part(task.train),
        test=task.part(task.test),
        seed=plan.seed,
    )


def fragments(task: Task, plan: Plan) -> list[Fragment]:
    return fragment_table(task.examples, task.labels, task=task.task, radius=plan.radius, seed=plan.seed)


@dataclass(frozen=True)
class Bias:
    """How the training molecules differ from the test ones, and what folding to bits would do (or does)."""

    shifts: list[Shift]
    unseen_scaffolds: float
    folding: Ambiguity


def bias(task: Task, plan: Plan) -> Bias:
    train, test = task.part(task.train)[0], task.part(task.test)[0]
    return Bias(
        shifts(properties(train), properties(test)),
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


def pictures(task: Task, plan: Plan, most: int = 12) -> list[Picture]:
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
