"""What the command line audits of made examples, where it is told no more: models, ladders, decoys."""

from collections.abc import Sequence

from attar.audit.plan import MadePlan
from attar.core.domain import MadeDomain
from attar.core.errors import InputError
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
    """The rule, or weighted sum. Raises `InputError` where none was given, with the domain's own."""
    if rule is None:
        raise InputError(
            f"no rule: say with --rule what gives {domain.name} their label: one of "
            f"{', '.join([*domain.rules, *domain.sums])}, or text"
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
