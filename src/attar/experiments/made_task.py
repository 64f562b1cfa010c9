"""Questions about made examples, whose label is the rule itself, so that the truth is known of every one."""

from attar.core.domain import MadeDomain
from attar.core.planting import generate
from attar.core.split import random_split
from attar.experiments.task import Task


def made_task(domain: MadeDomain, rule: str, *, count: int = 2000, seed: int = 0, test: float = 0.25) -> Task:
    """`count` examples that the domain makes for a rule, half of them positive, a share `test` of each class held out.

    `rule` is one of the domain's by name, or a text. Raises `InputError` for one that cannot be read or made true.
    """
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
