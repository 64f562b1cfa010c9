"""Is there a shortcut already? Groups that come with the label and move the model, found without being told of any.

A group is a suspect where it comes with the label in training and putting it on test negatives moves the model. What it
is depends on what else comes with the label: `explained_by` another group, of which the examples without this one are
as often positive, it tells nothing that the other does not; where the two `never part`, the data cannot tell which of
them is the cause, and only the model's leaning can be told.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import fisher_exact, sem
from scipy.stats import t as student_t

from attar.core.editor import Editor
from attar.core.recipe import Fitted
from attar.evaluation.intervals import auroc
from attar.pitfalls.spurious_correlation import put_on

AT_LEAST = 8  # training positives that must hold a group
SIGNIFICANT = 0.01  # Fisher's exact test, after Bonferroni's correction
FEWEST = 10  # examples in which two groups part, for the data to tell them apart
GOES_ALONG = 0.3  # the correlation from which two groups are also asked about together
NEARLY = 0.9  # of the positives that hold a group: a closer name of it holds as many
AS_GOOD = 0.05  # a difference in the share of positives that counts as none


@dataclass(frozen=True)
class Shortcut:
    """A group outside the true parts that comes with the label, and what the model makes of it.

    `positives` and `negatives` of the training examples hold it, outside the rule's parts; `p` is Fisher's exact
    test, Bonferroni-corrected. `pull` is what inserting it into test negatives that lack it adds to the logit, in units
    of the gap between the classes, with its 95% interval over those negatives; `on_negatives` the AUROC of clean test
    positives against those edited negatives, `control` the same with no edit. `loss` is what taking it out of test
    positives takes from the logit, in the same units (None where too few can lose it). `explained_by` names the group
    beside which this one tells nothing of the label, `without` of whose examples lack it; `never_parts` the groups that
    always come with it.
    """

    name: str
    positives: int
    negatives: int
    p: float
    pull: float
    pull_interval: tuple[float, float]
    on_negatives: float
    control: float
    loss: float | None = None
    explained_by: str | None = None
    without: int = 0
    never_parts: tuple[str, ...] = ()


def shortcuts(
    fitted: Fitted,
    *,
    editor: Editor,
    keeps: Callable[[Any, Any], bool],
    true_parts: Callable[[Any], frozenset[int]],
    train: tuple[Sequence[Any], np.ndarray],
    test: tuple[Sequence[Any], np.ndarray],
    seed: int = 0,
    at_least: int = AT_LEAST,
    negatives: int = 2000,
    edited: int = 300,
    candidates: int = 8,
) -> list[Shortcut]:
    """Groups that may be shortcuts, the strongest pull first, without being told what to look for.

    A candidate stands in at least `at_least` training positives, in four of five of them clear of the parts that
    the rule names, and is more frequent there than in negatives (p < 0.01 after correction). Candidates that mostly
    stand where a more significant one does are its copies and dropped. Each is then put on test negatives whose true
    label stays, and taken out of test positives, and the model is asked again. Without a rule `true_parts` is empty and
    every group is looked at. Labels that are numbers are split at their thirds: the upper are the positives.
    """
    generator = np.random.default_rng([seed, 11])
    train, test = _in_two(*train), _in_two(*test)
    positive = [train[0][k] for k in np.flatnonzero(train[1] > 0.5).tolist()]
    drawn = generator.permutation(np.flatnonzero(train[1] < 0.5))[:negatives]
    negative = [train[0][k] for k in drawn.tolist()]
    seen = _Seen.of(positive, negative, editor, true_parts)
    kept = _candidates(seen, at_least)[:candidates]
    test_positive = [test[0][k] for k in np.flatnonzero(test[1] > 0.5).tolist()]
    drawn = generator.permutation(np.flatnonzero(test[1] < 0.5))[:edited]
    test_negative = [test[0][k] for k in drawn.tolist()]
    if not kept or not test_positive or not test_negative:
        return []
    z_positive, z_negative = fitted.predict(test_positive), fitted.predict(test_negative)
    gap = float(z_positive.mean() - z_negative.mean())
    ask = _Asking(fitted, editor, keeps, test_positive, test_negative, z_positive, z_negative, gap, generator, edited)
    names = [name for _, name in kept]
    single = [s for p, name in kept if (s := ask.about((name,), p, seen, train[1])) is not None]
    pulls = {s.name: s.pull for s in single}
    found = [_beside(s, names, seen) for s in single]
    for several in _together(names, seen):
        both = ask.about(several, max(p for p, name in kept if name in several), seen, train[1])
        # Told of where they say more together than the strongest of them does alone.
        if both is not None and both.pull > max(pulls.get(name, 0.0) for name in several):
            found.append(both)
    return sorted(found, key=lambda s: -s.pull)


@dataclass(frozen=True, eq=False)
class _Seen:
    """Which training examples hold each group: `held` and `clear` (of the true parts) among the positives, `against`
    among the negatives; and where it stands in the positives."""

    held: dict[str, np.ndarray]
    clear: dict[str, np.ndarray]
    against: dict[str, np.ndarray]
    stands: dict[str, list[set[tuple[int, int]]]]

    @classmethod
    def of(
        cls, positive: Sequence[Any], negative: Sequence[Any], editor: Editor, true_parts: Callable[[Any], frozenset]
    ) -> "_Seen":
        held: dict[str, list[int]] = {}
        clear: dict[str, list[int]] = {}
        stands: dict[str, list[set[tuple[int, int]]]] = {}
        for k, example in enumerate(positive):
            true = true_parts(example)
            for group in editor.groups(example):
                held.setdefault(group.name, []).append(k)
                if not group.parts & true:
                    clear.setdefault(group.name, []).append(k)
                    stands.setdefault(group.name, []).append({(k, part) for part in group.parts})
        against: dict[str, list[int]] = {name: [] for name in clear}
        for k, example in enumerate(negative):
            for name in {g.name for g in editor.groups(example)} & against.keys():
                against[name].append(k)
        return cls(
            {name: _mask(rows, len(positive)) for name, rows in held.items()},
            {name: _mask(rows, len(positive)) for name, rows in clear.items()},
            {name: _mask(rows, len(negative)) for name, rows in against.items()},
            stands,
        )


def _candidates(seen: _Seen, at_least: int) -> list[tuple[float, str]]:
    """Groups that come with the label, the most significant first, without those that stand where a better one does."""
    counts = Counter({name: int(rows.sum()) for name, rows in seen.clear.items()})
    tested = [name for name, count in counts.items() if count >= at_least]
    scored = []
    for name in tested:
        clear, against = seen.clear[name], seen.against[name]
        if clear.sum() < 0.8 * seen.held[name].sum():
            continue
        table = [[clear.sum(), (~clear).sum()], [against.sum(), (~against).sum()]]
        exact: Any = fisher_exact(table, alternative="greater")
        p = min(1.0, float(exact.pvalue) * len(tested))
        if p < SIGNIFICANT:
            scored.append((p, -counts[name], name))
    kept: list[tuple[float, str]] = []
    for p, _, name in sorted(scored):
        copied = next((k for k, (_, better) in enumerate(kept) if _copy(seen.stands[name], seen.stands[better])), None)
        if copied is None:
            kept.append((p, name))
        elif _closer(seen, name, kept[copied][1]):
            kept[copied] = kept[copied][0], name
    return kept


def _closer(seen: _Seen, name: str, better: str) -> bool:
    """Whether a copy says the same more closely: of nearly all the positives, and of fewer negatives."""
    nearly = seen.clear[name].sum() >= NEARLY * seen.clear[better].sum()
    return bool(nearly and seen.against[name].sum() < seen.against[better].sum())


def _together(names: Sequence[str], seen: _Seen) -> list[tuple[str, ...]]:
    """Candidates that mostly come with one another among the positives: they may be one shortcut of several parts."""
    link = {name: {name} for name in names}
    for k, one in enumerate(names):
        for other in names[k + 1 :]:
            if _phi(seen.clear[one], seen.clear[other]) >= GOES_ALONG:
                joined = link[one] | link[other]
                for each in joined:
                    link[each] = joined
    return list(dict.fromkeys(tuple(n for n in names if n in link[name]) for name in names if len(link[name]) > 1))


def _phi(one: np.ndarray, other: np.ndarray) -> float:
    """The correlation of two groups' presences; 1 where both are always there."""
    if one.all() and other.all():
        return 1.0
    if one.all() or other.all() or not one.any() or not other.any():
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


@dataclass(frozen=True, eq=False)
class _Asking:
    """What the model says of test examples with groups put in or taken out."""

    fitted: Fitted
    editor: Editor
    keeps: Callable[[Any, Any], bool]
    positive: Sequence[Any]
    negative: Sequence[Any]
    z_positive: np.ndarray
    z_negative: np.ndarray
    gap: float
    generator: np.random.Generator
    edited: int

    def about(self, names: tuple[str, ...], p: float, seen: _Seen, labels: np.ndarray) -> Shortcut | None:
        """A suspect: one group, or several that come together; None where they fit on too few examples."""
        put = put_on(self.negative, names, editor=self.editor, keeps=self.keeps, generator=self.generator)
        if len(put) < FEWEST:
            return None
        z_edited = self.fitted.predict([after for _, after in put])
        moved = (
            (z_edited - self.z_negative[[k for k, _ in put]]) / self.gap if self.gap > 0 else np.full(len(put), np.nan)
        )
        pull, half = float(moved.mean()), float(student_t.ppf(0.975, len(put) - 1) * sem(moved))
        without = np.array([not all(self.editor.places(e, name) for name in names) for e in self.positive])
        rivals = self.z_positive[without] if without.sum() >= 5 else self.z_positive
        held = np.all([seen.clear[name] for name in names], 0)
        against = np.all([seen.against[name] for name in names], 0)
        return Shortcut(
            name=" + ".join(names),
            positives=int(held.sum()),
            negatives=round(float(against.mean()) * int((labels < 0.5).sum())),
            p=p,
            pull=pull,
            pull_interval=(pull - half, pull + half),
            on_negatives=_apart(rivals, z_edited),
            control=_apart(rivals, self.z_negative),
            loss=self._loss(names[0]) if len(names) == 1 else None,
        )

    def _loss(self, name: str) -> float | None:
        """What the model loses on positives without the group, their label unchanged, in units of the gap."""
        pairs = []
        for z, example in zip(self.z_positive, self.positive, strict=True):
            if len(pairs) < self.edited and self.editor.places(example, name):
                after = self.editor.remove(example, name, self.generator)
                if after is not None and self.keeps(example, after):
                    pairs.append((z, after))
        if len(pairs) < FEWEST or self.gap <= 0:
            return None
        lost = np.array([z for z, _ in pairs]) - self.fitted.predict([after for _, after in pairs])
        return float(lost.mean() / self.gap)


def _beside(shortcut: Shortcut, names: Sequence[str], seen: _Seen) -> Shortcut:
    """What the other candidates say of this one: that it never parts from them, or tells nothing beside them."""
    this, this_against = seen.clear[shortcut.name], seen.against[shortcut.name]
    explained: list[tuple[int, str]] = []
    always: list[str] = []
    for name in names:
        if name == shortcut.name:
            continue
        other, other_against = seen.clear[name], seen.against[name]
        parted = int((this ^ other).sum() + (this_against ^ other_against).sum())
        if parted < FEWEST:
            always.append(name)
            continue
        alone = int((other & ~this).sum() + (other_against & ~this_against).sum())
        if alone < FEWEST:
            continue
        with_both = _share((this & other).sum(), (this_against & other_against).sum())
        with_other = _share((other & ~this).sum(), (other_against & ~this_against).sum())
        with_this = _share((this & ~other).sum(), (this_against & ~other_against).sum())
        neither = _share((~this & ~other).sum(), (~this_against & ~other_against).sum())
        only_this = int((this & ~other).sum() + (this_against & ~other_against).sum())
        beside_it = with_other >= with_both - AS_GOOD
        if beside_it and (only_this < FEWEST or with_this <= neither + AS_GOOD) and with_other > neither + AS_GOOD:
            explained.append((alone, name))
    if not explained:
        return replace(shortcut, never_parts=tuple(always))
    without, name = max(explained)
    return replace(shortcut, explained_by=name, without=without, never_parts=tuple(always))


def _in_two(examples: Sequence[Any], labels: np.ndarray) -> tuple[Sequence[Any], np.ndarray]:
    """Two classes as they are; numbers as their upper and lower thirds, what lies between left out."""
    if set(np.unique(labels)) <= {0.0, 1.0}:
        return examples, labels
    low, high = np.quantile(labels, [1 / 3, 2 / 3])
    kept = np.flatnonzero((labels <= low) | (labels > high))
    return [examples[k] for k in kept.tolist()], (labels[kept] > high).astype(float)


def _copy(group: list[set[tuple[int, int]]], better: list[set[tuple[int, int]]]) -> bool:
    """Whether the group mostly stands where the better one does: a piece of it, or it with a bit more."""
    taken = set().union(*better)
    return sum(bool(place & taken) for place in group) >= 0.5 * len(group)


def _mask(rows: Sequence[int], count: int) -> np.ndarray:
    mask = np.zeros(count, dtype=bool)
    mask[list(rows)] = True
    return mask


def _share(positive: Any, negative: Any) -> float:
    return float(positive / max(1, positive + negative))


def _apart(higher: np.ndarray, lower: np.ndarray) -> float:
    return auroc(np.r_[np.ones(len(higher)), np.zeros(len(lower))], np.r_[higher, lower])
