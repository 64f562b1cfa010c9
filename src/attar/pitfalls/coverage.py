"""Coverage: how many training positives show each of the alternatives that a rule allows?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from attar.core.motif import AnyOf
from attar.core.rule import And, AtLeast, Finder, Or, Path, Rule, holds


@dataclass(frozen=True)
class Alternative:
    """One of the ways in which a rule's `either` (a rule, or motifs, of which any will do) can hold.

    `place` counts from 1 within it; `shown` training positives have this alternative, `alone` of them no other one of
    the same choice (none can be, where the rule counts several). What a model does with an alternative that hardly any
    shows is not known.
    """

    either: str
    place: int
    said: str
    shown: int
    alone: int


def coverage(rule: Rule, finder: Finder, positives: Sequence[Any]) -> list[Alternative]:
    """Every alternative of the rule, in the order in which it is written; none for a rule without a choice.

    Only positives of which the rule is true should be given. Choices under `not` are left out: what is absent is not
    shown. A motif of a path counts where the path holds with it.
    """
    found = []
    for either, sides in _choices(rule):
        shown = [[holds(side, finder, example) for _, side in sides] for example in positives]
        found += [
            Alternative(
                str(either),
                k + 1,
                said,
                sum(each[k] for each in shown),
                sum(each[k] and sum(each) == 1 for each in shown),
            )
            for k, (said, _) in enumerate(sides)
        ]
    return found


def _choices(rule: Rule) -> Iterator[tuple[Rule, list[tuple[str, Rule]]]]:
    """Each choice with its sides and what they are called, the outer before the inner."""
    match rule:
        case Or(sides):
            yield rule, [(str(side), side) for side in sides]
            for side in sides:
                yield from _choices(side)
        case And(sides):
            for side in sides:
                yield from _choices(side)
        case AtLeast(AnyOf(motifs), n) if n > 0:
            yield rule, [(str(motif), AtLeast(motif)) for motif in motifs]
        case Path():
            for end in ("first", "last"):
                motif = getattr(rule, end)
                if isinstance(motif, AnyOf):
                    yield rule, [(str(one), replace(rule, **{end: one})) for one in motif.motifs]
