"""Questions about made examples, whose label is the rule or the sum itself, so that the truth is known of every one."""

from attar.core.domain import MadeDomain
from attar.core.errors import InputError
from attar.core.named_rules import names_sum
from attar.core.planting import generate
from attar.core.split import random_split
from attar.core.sum_planting import generate_sum
from attar.experiments.sum_truth import SumTruth
from attar.experiments.task import Task


def made_task(
    domain: MadeDomain, rule: str, *, count: int = 2000, seed: int = 0, test: float = 0.25, sd: float = 0.0
) -> Task:
    """`count` examples that the domain makes, a share `test` held out.

    `rule` is one of the domain's by name, or a text: half of the examples are positive, and the share held out is one
    of each class. Or it is a weighted sum, again by name or as text: a regression, whose labels are the sum and normal
    noise of standard deviation `sd`, in its units.
    Raises `InputError` for what cannot be read or made, and for noise on the labels of a rule.
    """
    if names_sum(rule, domain.sums):
        return _of_sum(domain, rule, count, seed, test, sd)
    if sd:
        raise InputError(f"sd is {sd}, and {rule} is a rule, whose labels are 0 and 1: noise is for a weighted sum")
    known = domain.read_rule(rule)
    examples, labels = generate(known, domain.finder, domain.planter, count, seed=seed)
    return Task(
        name=f"{domain.name}, {rule}",
        source=f"{count} made {domain.name}, {domain!r}",
        domain=domain,
        examples=tuple(examples),
        labels=labels,
        task="classification",
        test=random_split(labels, test=test, seed=seed),
        rule=known,
        rule_name=rule,
    )


def _of_sum(domain: MadeDomain, text: str, count: int, seed: int, test: float, sd: float) -> Task:
    total = domain.read_sum(text)
    examples, labels = generate_sum(total, domain.finder, domain.planter, count, sd=sd, seed=seed)
    truth = SumTruth(total, domain)
    truth.values(examples)  # refuses a sum that tells none of them from another
    return Task(
        name=f"{domain.name}, {text}",
        source=f"{count} made {domain.name}, {domain!r}" + (f", labels with noise of sd {sd:g}" if sd else ""),
        domain=domain,
        examples=tuple(examples),
        labels=labels,
        task="regression",
        test=random_split(labels, test=test, seed=seed, stratified=False),
        rule_name=text,
        contributions=truth,
    )
