"""What the command line audits of made examples, where it is told no more: models, ladders, decoys."""

from collections.abc import Sequence

from attar.audit.plan import MadePlan
from attar.core.domain import MadeDomain
from attar.core.errors import InputError
from attar.core.motif import quoted
from attar.core.named_rules import names_sum
from attar.experiments.made_models import SHAPES
from attar.experiments.task import Task, check_sides

DECOYS = {
    "sequences": ("GATTACA", "CCTGAGG"),
    "texts": ("so soft", "is sturdy"),
    "tables": ("x9 > 1.5", "x6 > 1.5"),
    "images": ("green triangle", "blue cross"),
    "waveforms": ("bump down", "step up"),
    "volumes": ("bright blob", "dark shell"),
}
"""By domain, groups that none of its named rules asks for: the second where a rule of the user's asks for the first."""
FLIPS, SHARES = (0.0, 0.25, 0.5), (0.0, 0.5, 1.0)
LOOKED_AT = 50  # positives, for what the rule names in them


def made_plan(
    task: Task,
    domain: MadeDomain,
    *,
    models: Sequence[str] | None = None,
    methods: tuple[str, ...] | None = None,
    seed: int = 0,
    seeds: int = 3,
    epochs: int | None = None,
    workers: int | None = None,
) -> MadePlan:
    """Without `models` all that the domain has, the most capable first: the verdict is about that one.

    One decoy is planted; the ladders have few rungs, since a network is fitted anew for each. Raises `InputError` for
    too few examples.
    """
    check_sides(task)
    return MadePlan(
        domain=domain,
        models=tuple(reversed(SHAPES[domain.name].models)) if models is None else tuple(models),
        methods=methods,
        seed=seed,
        seeds=seeds,
        flips=FLIPS,
        shares=SHARES,
        decoys=_outside(task, DECOYS[domain.name])[:1],
        epochs=MadePlan.epochs if epochs is None else epochs,
        workers=workers,
    )


def asked(domain: MadeDomain, rule: str | None) -> str:
    """The rule. Raises `InputError` where none was given, with the domain's own, and for a weighted sum."""
    if rule is None:
        raise InputError(
            f"no rule: say with --rule what gives {domain.name} their label: one of {', '.join(domain.rules)}, or text"
        )
    if names_sum(rule, domain.sums):
        raise InputError(
            f"{quoted(rule)} is a weighted sum, and an audit of what is made takes a rule: ask `attar bench` about it"
        )
    return rule


def _outside(task: Task, groups: Sequence[str]) -> tuple[str, ...]:
    """Those that share no part with what the rule names."""
    positives = [task.examples[i] for i in task.follows_rule.nonzero()[0][:LOOKED_AT]]
    true = [task.true_parts(e) for e in positives]

    def apart(group: str) -> bool:
        places = [task.domain.editor.places(e, group) for e in positives]
        return all(parts.isdisjoint(there) for parts, found in zip(true, places, strict=True) for there in found)

    return tuple(group for group in groups if apart(group))
