"""The pieces of an audit that run on their own, on any worker: one fit, one rung, one search."""

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from attar.audit.plan import DECOYS, Plan
from attar.core.errors import InputError
from attar.domains.molecules.bag import Ambiguity, ambiguity
from attar.domains.molecules.edit import SubstituentEditor
from attar.domains.molecules.molecule import Molecule
from attar.domains.molecules.split import cluster_split, properties, scaffold
from attar.evaluation.accuracy import Accuracy, accuracies
from attar.evaluation.chance import chance
from attar.evaluation.intervals import quality
from attar.evaluation.truth import TruthMasks
from attar.experiments.fragments import Fragment, fragment_table
from attar.experiments.molecule_models import BOND_RULES, SUBGRAPH_RULES, FittedMolecules
from attar.experiments.task import Task
from attar.pitfalls.dataset_bias import Shift, shifts, unseen_share
from attar.pitfalls.imperfect_model import Rung, rung
from attar.pitfalls.spurious_correlation import DecoyRung, Shortcut, decoyed, shortcuts

FOLDS = 5


@dataclass(frozen=True, eq=False)
class MethodScores:
    """One method on one fitted model: an accuracy per scored molecule, chance under the same carrying, the relative
    error of its values (L1 error over L1 norm, median over molecules) and how they were carried."""

    accuracies: list[Accuracy]
    chance: Accuracy
    error: float
    error_how: str
    carried_by: str
    evaluations: float


@dataclass(frozen=True, eq=False)
class Trial:
    """A fitted model's predictions on the held-out molecules of a split (`test`), and its methods' scores."""

    predictions: np.ndarray
    labels: np.ndarray
    methods: dict[str, MethodScores]
    seconds: float


def trial(task: Task, plan: Plan, kind: str, seed: int) -> Trial:
    """Fit on the training molecules, predict the test ones, score every method."""
    start = perf_counter()
    fitted = plan.recipe(kind, task.task).fit(*task.part(task.train), seed)
    molecules, labels = task.part(task.test)
    scored, truths = task.scored()
    methods = {}
    if truths:
        by_chance: dict[str, Accuracy] = {}
        for method in plan.methods_of(kind):
            methods[method] = _score(fitted, method, scored, truths, by_chance)
    return Trial(fitted.predict(molecules), labels, methods, perf_counter() - start)


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
            editor=SubstituentEditor(),
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
        editor=SubstituentEditor(),
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


def _score(
    fitted: FittedMolecules,
    method: str,
    scored: list[Molecule],
    truths: list[TruthMasks],
    by_chance: dict[str, Accuracy],
) -> MethodScores:
    inputs = fitted.inputs(scored)
    found = fitted.attribute(scored, method)
    rules = BOND_RULES if fitted.vocabulary is None else SUBGRAPH_RULES
    rule = rules[fitted.recipe.bonds if fitted.vocabulary is None else fitted.recipe.subgraphs]
    features = None if found.carried_by else rule(inputs)
    atoms = found if features is None else found.carried(features)
    carried_by = str(atoms.carried_by)
    # Attention fills bonds alone, CAM all rows: chance is drawn on the rows that the method fills.
    drawn_on = f"{carried_by} from {', '.join(found.parts)}"
    if drawn_on not in by_chance:
        by_chance[drawn_on] = chance(truths, parts=None if features is None else found.parts, features=features)
    values = [v.double().numpy() for v in atoms.by_example("atoms")]
    norm = atoms.parts.abs().per_example(atoms.owners, len(scored)).numpy()
    error = float(np.median(found.error.bound.numpy() / np.maximum(norm, 1e-12)))
    return MethodScores(
        accuracies(values, truths),
        by_chance[drawn_on],
        error,
        found.error.how,
        carried_by,
        float(found.evaluations.double().mean()),
    )
