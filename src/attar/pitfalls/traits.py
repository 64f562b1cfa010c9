"""What examples are like, as one table: their properties, and which groups they have."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import mannwhitneyu

from attar.core.domain import Domain

AT_LEAST = 10  # examples that have a group, and that lack it
MOST = 200  # groups, the most frequent


def _none(_: Any) -> frozenset[int]:
    return frozenset()


@dataclass(frozen=True, eq=False, kw_only=True)
class Traits:
    """`values` are the properties by name, `present` says which groups an example has.

    Groups that fewer than ten examples have, or lack, are left out, and of groups that the same examples have only the
    one with the longest name is kept. A property that has a group's name is that group's presence, and is not told
    twice. No label is looked at.
    """

    properties: tuple[str, ...]
    values: Float[np.ndarray, "examples properties"]
    groups: tuple[str, ...]
    present: Bool[np.ndarray, "examples groups"]

    @classmethod
    def of(
        cls,
        domain: Domain,
        examples: Sequence[Any],
        *,
        true_parts: Callable[[Any], frozenset[int]] = _none,
        at_least: int = AT_LEAST,
        most: int = MOST,
    ) -> "Traits":
        """Those of a domain's examples. A group that stands only on an example's `true_parts` is no trait of it: what
        makes the label is not what comes with it."""
        rows: dict[str, set[int]] = {}
        for k, example in enumerate(examples):
            true = true_parts(example)
            for group in domain.editor.groups(example):
                if not group.parts & true:
                    rows.setdefault(group.name, set()).add(k)
        usual = {name: held for name, held in rows.items() if at_least <= len(held) <= len(examples) - at_least}
        order = sorted(usual, key=lambda name: (-len(usual[name]), -len(name), name))
        distinct: dict[frozenset[int], str] = {}
        for name in order:
            distinct.setdefault(frozenset(usual[name]), name)
        kept = list(distinct.items())[:most]
        named = {name for _, name in kept}
        found = {name: values for name, values in domain.properties(examples).items() if name not in named}
        values = np.stack(list(found.values()), 1).astype(float) if found else np.zeros((len(examples), 0))
        present = np.zeros((len(examples), len(kept)), dtype=bool)
        for column, (held, _) in enumerate(kept):
            present[list(held), column] = True
        return cls(properties=tuple(found), values=values, groups=tuple(name for _, name in kept), present=present)

    def __len__(self) -> int:
        return len(self.present)

    def apart_from(self, answer: Bool[np.ndarray, " examples"], *, significant: float = 0.01) -> "Traits":
        """Those that say nothing of an answer: what differs between the examples with it and without (Mann-Whitney's
        test, uncorrected) is left out. Given a rule's answers, what remains can be no part of the rule."""
        if answer.all() or not answer.any():
            return self
        keep = [
            mannwhitneyu(table[answer], table[~answer]).pvalue >= significant
            for table in (self.values, self.present.astype(float))
        ]
        return Traits(
            properties=tuple(n for n, kept in zip(self.properties, keep[0], strict=True) if kept),
            values=self.values[:, keep[0]],
            groups=tuple(n for n, kept in zip(self.groups, keep[1], strict=True) if kept),
            present=self.present[:, keep[1]],
        )
