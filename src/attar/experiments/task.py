"""A question about examples of any kind: which have the label, and which parts, by a rule, make it so."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from attar.core.domain import Domain
from attar.core.errors import InputError
from attar.core.labels import Task as Kind
from attar.core.note import Note
from attar.core.rule import Rule, explanations, holds
from attar.evaluation.truth import Truth, TruthMasks, TruthValues


@dataclass(frozen=True, eq=False, kw_only=True)
class Task:
    """Examples with labels, held-out ones among them (`test`), and what is known of the truth.

    `labels` are 0/1 or numbers (`task`). The truth is a `rule`, whose matches are the legal answers, or
    `contributions`, which gives each part of an example its signed share of the label; or nothing. `given_split` says
    that the file brought its split along.
    """

    name: str
    source: str
    domain: Domain
    examples: tuple[Any, ...]
    labels: np.ndarray
    task: Kind
    test: np.ndarray
    rule: Rule | None = None
    rule_name: str | None = None
    contributions: Callable[[Any], np.ndarray] | None = None
    given_split: bool = False
    notes: tuple[Note, ...] = ()

    @property
    def train(self) -> np.ndarray:
        return ~self.test

    def part(self, mask: np.ndarray) -> tuple[list[Any], np.ndarray]:
        index = np.flatnonzero(mask)
        return [self.examples[i] for i in index], self.labels[index]

    @cached_property
    def follows_rule(self) -> np.ndarray:
        """Which examples the rule is true of."""
        if self.rule is None:
            return np.zeros(len(self.examples), dtype=bool)
        return np.array([holds(self.rule, self.domain.finder, e) for e in self.examples])

    @property
    def positive(self) -> np.ndarray:
        """Examples with the label; for a regression, those the rule is true of."""
        return self.labels > 0.5 if self.task == "classification" else self.follows_rule

    @property
    def known(self) -> bool:
        """Whether anything is known of the truth."""
        return self.rule is not None or self.contributions is not None

    @cached_property
    def accounted(self) -> float:
        """How much of the label the truth accounts for: the share of labels that the rule gives; the squared
        correlation of numbers with what is contributed; 0 where nothing is known."""
        if self.contributions is not None:
            sums = np.array([self.contributions(e).sum() for e in self.examples])
            told = np.ptp(sums) > 0 and np.ptp(self.labels) > 0
            return float(np.corrcoef(sums, self.labels)[0, 1] ** 2) if told else 0.0
        return 0.0 if self.rule is None else float((self.follows_rule == self.positive).mean())

    def scored(self, at_most: int | None = 300) -> tuple[list[Any], list[Truth]]:
        """Held-out examples with a truth that can be scored, and that truth; every one if `at_most` is None.

        By a rule: positives whose true parts are some but not all of them. By contributions: all that have two
        different ones.
        """
        pairs = []
        there = self.test if self.contributions is not None else self.test & self.positive & self.follows_rule
        for i in np.flatnonzero(there):
            if at_most is not None and len(pairs) == at_most:
                break
            truth = self.truth(self.examples[i])
            if truth is not None and truth.tells:
                pairs.append((self.examples[i], truth))
        return [e for e, _ in pairs], [t for _, t in pairs]

    def shown(self, at_most: int) -> list[Any]:
        """Held-out examples whose attributions are looked at: those with a truth; where none has one, those with the
        label (of a regression, any)."""
        scored, _ = self.scored(at_most)
        there = self.test & self.positive if self.task == "classification" else self.test
        return scored or [self.examples[i] for i in np.flatnonzero(there)[:at_most]]

    def without_truth(self, at_most: int) -> list[Any]:
        """Held-out examples of which the rule is false and that do not have the label: there is nothing to find."""
        there = np.flatnonzero(self.test & ~self.positive & ~self.follows_rule)
        return [self.examples[i] for i in there[:at_most]]

    def truth(self, example: Any) -> Truth | None:
        """The parts that make the rule true of an example, or what each contributes; None where nothing is known."""
        if self.contributions is not None:
            return TruthValues(self.contributions(example))
        if self.rule is None:
            return None
        found = explanations(self.rule, self.domain.finder, example)
        if not found.union:
            return None
        size = self.domain.size(example)
        alternatives = np.stack([_mask(a, size) for a in found.alternatives if a])
        named = {name: _mask(parts, size) for name, parts in sorted(found.parts.items())}
        return TruthMasks(alternatives, _mask(found.union, size), named)

    def true_parts(self, example: Any) -> frozenset[int]:
        """All parts that the rule names in the example, none where it is false; or all that contribute something."""
        if self.contributions is not None:
            return frozenset(np.flatnonzero(self.contributions(example)).tolist())
        if self.rule is None:
            return frozenset()
        return explanations(self.rule, self.domain.finder, example).union

    def keeps(self, before: Any, after: Any) -> bool:
        """Whether the rule, or the contributions' sum, says the same of both."""
        if self.contributions is not None:
            return bool(np.isclose(self.contributions(before).sum(), self.contributions(after).sum()))
        if self.rule is None:
            return True
        finder = self.domain.finder
        return holds(self.rule, finder, before) == holds(self.rule, finder, after)


def check_rule(task: Task) -> None:
    """Raise `InputError` for a rule that tells no example from another."""
    share = task.follows_rule.mean()
    if share in (0.0, 1.0):
        what = "none" if share == 0 else "all"
        raise InputError(
            f"the rule {task.rule_name} is true of {what} of the {len(task.examples)} {task.domain.name}; a rule must "
            "tell some from the others: check its motifs"
        )


def check_sides(task: Task) -> None:
    """Raise `InputError` where a split leaves one side without two examples of each class."""
    for side, mask in (("training", task.train), ("test", task.test)):
        labels = task.labels[mask]
        if task.task == "classification" and min((labels > 0.5).sum(), (labels < 0.5).sum()) < 2:
            raise InputError(
                f"the {side} side has {int((labels > 0.5).sum())} positives and {int((labels < 0.5).sum())} negatives, "
                "expected at least 2 of each; give more data or another split"
            )
        if len(labels) < 2:
            raise InputError(f"the {side} side has {len(labels)} {task.domain.name}, expected at least 2")


def _mask(parts: frozenset[int], size: int) -> np.ndarray:
    mask = np.zeros(size, dtype=bool)
    mask[list(parts)] = True
    return mask
