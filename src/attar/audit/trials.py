"""The pieces of an audit that run on their own, on any worker: one fit, one rung, one search."""

from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from attar.audit.plan import AuditPlan
from attar.evaluation.intervals import quality
from attar.experiments.task import Task
from attar.experiments.trial import Trial, tried
from attar.experiments.trial import trial as run_trial
from attar.pitfalls.dataset_bias import Shift, shifts
from attar.pitfalls.imperfect_model import Rung, rung
from attar.pitfalls.shortcut_search import Shortcut, shortcuts
from attar.pitfalls.spurious_correlation import DecoyRung, decoyed

FOLDS = 5


def trial(task: Task, plan: AuditPlan, kind: str, seed: int) -> Trial:
    """Fit on the training examples, predict the test ones, score every method."""
    return run_trial(task, plan.recipe(kind, task.task), plan.methods_of(kind), seed)


@dataclass(frozen=True, eq=False)
class First:
    """What is asked of the first model, the one that the verdict is about, beside its trial."""

    trial: Trial
    shortcuts: list[Shortcut]


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
    return First(done, found)


def unlike_trial(task: Task, plan: AuditPlan, kind: str) -> Trial | None:
    """The same model held to examples unlike those it has seen; None where no such split can be made."""
    start = perf_counter()
    test = plan.unlike(task)
    if test is None:
        return None
    fitted = plan.recipe(kind, task.task).fit(*task.part(~test), plan.seed)
    examples, labels = task.part(test)
    return Trial(fitted.predict(examples), labels, {}, perf_counter() - start)


def folds(task: Task, plan: AuditPlan, kind: str) -> list[float]:
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
        examples, labels = task.part(fold == k)
        found.append(quality(labels, fitted.predict(examples)))
    return found


def noise_ladder(task: Task, plan: AuditPlan, flips: tuple[float, ...]) -> list[Rung]:
    """The rungs of the label-noise ladder at these shares of turned labels."""
    recipe = plan.recipe(plan.ladder_kind, task.task)
    scored, truths = task.scored()
    train, test = task.part(task.train), task.part(task.test)
    seeds = tuple(plan.seed + k for k in range(3))
    method = recipe.methods[0]
    return [
        rung(recipe, f, train=train, test=test, scored=scored, truths=truths, method=method, seeds=seeds) for f in flips
    ]


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
