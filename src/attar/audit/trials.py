"""The pieces of an audit that run on their own, on any worker: one fit, one rung, one search."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from attar.audit.findings.thresholds import PULL
from attar.audit.pictures import Picture, pictures
from attar.audit.plan import AuditPlan
from attar.core.errors import InputError
from attar.core.recipe import Fitted
from attar.domains.raw_tables.domain import RawTables
from attar.evaluation.consistency import agreement
from attar.evaluation.group_removal import group_removal
from attar.evaluation.intervals import quality
from attar.evaluation.randomisation import label_randomisation
from attar.evaluation.score import Score
from attar.experiments.task import Task
from attar.experiments.trial import Trial, tried
from attar.experiments.trial import trial as run_trial
from attar.pitfalls.coverage import Alternative, coverage
from attar.pitfalls.dataset_bias import Shift, shifts
from attar.pitfalls.duplicates import Duplicates, duplicates, near_duplicates
from attar.pitfalls.imperfect_model import Rung, Step, stepped, thinned
from attar.pitfalls.mend import Mended, mended
from attar.pitfalls.population import TwoSample, two_sample
from attar.pitfalls.shortcut_search import Shortcut, shortcuts
from attar.pitfalls.slices import Slice, worse_slices
from attar.pitfalls.spurious_correlation import DecoyRung, decoyed
from attar.pitfalls.traits import Traits

FOLDS = 5
LOOKED_AT = 100  # examples whose explanations are compared with others of the same
DEALT = 199  # permutations, for p-values down to 0.005


def trial(task: Task, plan: AuditPlan, kind: str, seed: int) -> Trial:
    """Fit on the training examples, predict the test ones, score every method."""
    return run_trial(task, plan.recipe(kind, task.task), plan.methods_of(kind), seed)


@dataclass(frozen=True, eq=False)
class First:
    """What is asked of the first model, the one that the verdict is about, beside its trial."""

    trial: Trial
    removal: Score
    without_labels: Score | None
    pictures: list[Picture]
    shortcuts: list[Shortcut]
    mended: Mended | None
    slices: list[Slice]


def first_trial(task: Task, plan: AuditPlan) -> First:
    """The first model, fitted once: its trial, and the search for shortcuts that it takes."""
    start, kind = perf_counter(), plan.models[0]
    fitted = plan.recipe(kind, task.task).fit(*task.part(task.train), plan.seed)
    done = tried(task, fitted, plan.methods_of(kind))
    done = replace(done, seconds=perf_counter() - start)
    found = shortcuts(
        fitted,
        editor=task.domain.editor,
        keeps=task.keeps,
        true_parts=task.true_parts,
        train=task.part(task.train),
        test=task.part(task.test),
        seed=plan.seed,
    )
    method = plan.methods_of(kind)[0]
    return First(
        done,
        group_removal(fitted, method, task.shown(LOOKED_AT), task.domain.editor, seed=plan.seed),
        _without_labels(task, plan, fitted),
        pictures(task, fitted, method),
        found,
        _mended(task, plan, fitted, found),
        _slices(task, done),
    )


def _without_labels(task: Task, plan: AuditPlan, fitted: Fitted) -> Score | None:
    """How far the first model explains examples as one does that learnt from labels in random order; None where it
    cannot be made again."""
    if not plan.makes:
        return None
    kind = plan.models[0]
    return label_randomisation(
        plan.recipe(kind, task.task),
        task.part(task.train),
        task.shown(LOOKED_AT),
        plan.methods_of(kind)[0],
        seeds=(plan.seed,),
        learnt=(fitted,),
    )


def _slices(task: Task, done: Trial) -> list[Slice]:
    """Where the rule is known, what goes with it is part of the question and no slice of the examples."""
    there = Traits.of(task.domain, task.part(task.test)[0], true_parts=task.true_parts)
    traits = there if task.rule is None else there.apart_from(task.follows_rule[task.test])
    return worse_slices(traits, done.labels, done.predictions)


def _mended(task: Task, plan: AuditPlan, fitted: Fitted, found: list[Shortcut]) -> Mended | None:
    """The strongest shortcut mended, where there is one and the model can be made again."""
    if not found or not found[0].pull >= PULL or task.task != "classification" or not plan.makes:
        return None
    return mended(
        plan.recipe(plan.models[0], task.task),
        found[0].name.split(" + "),
        editor=task.domain.editor,
        keeps=task.keeps,
        train=task.part(task.train),
        test=task.part(task.test),
        before=fitted,
        seed=plan.seed,
    )


def unlike_trial(task: Task, plan: AuditPlan, kind: str) -> Trial | None:
    """The same model held to examples unlike those it has seen; None where no such split can be made."""
    start = perf_counter()
    test = plan.unlike(task)
    if test is None:
        return None
    fitted = plan.recipe(kind, task.task).fit(*task.part(~test), plan.seed)
    examples, labels = task.part(test)
    return Trial(fitted.predict(examples), labels, {}, perf_counter() - start)


@dataclass(frozen=True, eq=False)
class Folds:
    """Held-out quality on each of five folds, by class, and what was said of every example by the fold without it."""

    qualities: list[float]
    predictions: np.ndarray


def folds(task: Task, plan: AuditPlan, kind: str) -> Folds:
    generator = np.random.default_rng([plan.seed, 23])
    fold = np.empty(len(task.labels), dtype=int)
    classes = np.unique(task.labels) if task.task == "classification" else [None]
    for c in classes:
        members = np.arange(len(fold)) if c is None else np.flatnonzero(task.labels == c)
        fold[generator.permutation(members)] = np.arange(len(members)) % FOLDS
    found, predictions = [], np.empty(len(fold))
    for k in range(FOLDS):
        fitted = plan.recipe(kind, task.task).fit(*task.part(fold != k), plan.seed)
        examples, labels = task.part(fold == k)
        predictions[fold == k] = fitted.predict(examples)
        found.append(quality(labels, predictions[fold == k]))
    return Folds(found, predictions)


def halves(task: Task, plan: AuditPlan, kind: str) -> Score:
    """How far two models, each fitted on another half of the training examples, explain the same examples alike."""
    examples, labels = task.part(task.train)
    first = np.zeros(len(labels), dtype=bool)
    first[thinned(labels, 0.5, plan.seed)] = True
    recipe, method, shown = plan.recipe(kind, task.task), plan.methods_of(kind)[0], task.shown(LOOKED_AT)
    said = []
    for half in (first, ~first):
        fitted = recipe.fit([examples[k] for k in np.flatnonzero(half)], labels[half], plan.seed)
        said.append(fitted.explain(shown, method))
    return agreement(said, seed=plan.seed)


def ladder(task: Task, plan: AuditPlan, steps: Sequence[Step]) -> list[Rung]:
    """These rungs of the ladder of ever worse models."""
    scored, truths = task.scored()
    train, test = task.part(task.train), task.part(task.test)
    seeds = tuple(plan.seed + k for k in range(3))
    method = plan.recipe(plan.ladder_kind, task.task).methods[0]
    return [stepped(s, train=train, test=test, scored=scored, truths=truths, method=method, seeds=seeds) for s in steps]


def decoy_ladder(task: Task, plan: AuditPlan, decoy: str) -> list[DecoyRung]:
    """One decoy at every share of the training positives."""
    recipe = plan.recipe(plan.ladder_kind, task.task)
    train, test = task.part(task.train), task.part(task.test)
    return [
        decoyed(
            recipe,
            plan.groups[decoy],
            share,
            editor=task.domain.editor,
            keeps=task.keeps,
            truth=task.truth,
            train=train,
            test=test,
            method=recipe.methods[0],
            seed=plan.seed,
        )
        for share in plan.shares
    ]


def shifted(task: Task) -> list[Shift]:
    """How the training examples differ from the test ones, property by property."""
    train, test = task.part(task.train)[0], task.part(task.test)[0]
    return shifts(task.domain.properties(train), task.domain.properties(test))


@dataclass(frozen=True, eq=False)
class Bias:
    """What the examples themselves say, before any model: whether training and test can be told apart (None where there
    is nothing to tell them by), copies, near copies (test example: training example) and the rule's alternatives."""

    told_apart: TwoSample | None
    copies: Duplicates
    near: dict[int, int]
    alternatives: list[Alternative]


def _keys(task: Task) -> list[str]:
    """What copies are known by. A row of a table that others may equal by chance has a key of its own."""
    keys = [task.domain.key(example) for example in task.examples]
    if not isinstance(task.domain, RawTables):
        return keys
    telling = task.domain.telling(task.examples).tolist()
    return [key if tells else f"{key}, row {k}" for k, (key, tells) in enumerate(zip(keys, telling, strict=True))]


def bias(task: Task, plan: AuditPlan) -> Bias:
    """How the examples came about: drawn from elsewhere, twice, or without some of what the rule allows."""
    try:
        told_apart = two_sample(Traits.of(task.domain, task.examples), task.test, permutations=DEALT, seed=plan.seed)
    except InputError:
        told_apart = None
    copies = duplicates(_keys(task), task.labels, task.test)
    groups = [[g.name for g in task.domain.editor.groups(e)] for e in task.examples]
    positives = task.part(task.train & task.positive & task.follows_rule)[0]
    shown = [] if task.rule is None else coverage(task.rule, task.domain.finder, positives)
    return Bias(told_apart, copies, near_duplicates(groups, task.test), shown)
