"""The pieces of an audit that molecules alone have: fragments, scaffolds, folding."""

from dataclasses import dataclass

from attar.audit.plan import GivenPlan, Plan
from attar.domains.molecules.bag import Ambiguity, ambiguity
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
