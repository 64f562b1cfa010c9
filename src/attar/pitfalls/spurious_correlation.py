"""Spurious correlation: what happens when a decoy comes with the label, and is there one already?

Two experiments. `decoyed` plants a known decoy in part of the training positives and looks where both the decoy
and the true parts are present: there alone an attribution can show which one the model leans on (scored on clean
molecules it stays flat by construction). `shortcuts` looks for one that nobody planted.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import fisher_exact

from attar.core.editor import Editor
from attar.core.recipe import Fitted, Recipe
from attar.evaluation.accuracy import accuracy
from attar.evaluation.intervals import auroc
from attar.evaluation.truth import Truth, TruthMasks

SHARES = (0.0, 0.1, 0.25, 0.5, 1.0)


@dataclass(frozen=True)
class DecoyRung:
    """A model trained with the decoy on `share` of its positives (`planted` of them).

    `clean`, `on_positives`, `on_negatives`: AUROC on the untouched test set, with the decoy on its positives, on
    its negatives. `decoy_attribution`, `rule_attribution`: on test positives that hold both, the AUROC of the
    decoy's and of the rule's parts; `decoy_mass` the decoy's share of the positive attribution on the two.
    """

    decoy: str
    share: float
    planted: int
    clean: float
    on_positives: float
    on_negatives: float
    decoy_attribution: float
    rule_attribution: float
    decoy_mass: float


def decoyed(
    recipe: Recipe,
    decoy: str,
    share: float,
    *,
    editor: Editor,
    keeps: Callable[[Any, Any], bool],
    truth: Callable[[Any], Truth | None],
    train: tuple[Sequence[Any], np.ndarray],
    test: tuple[Sequence[Any], np.ndarray],
    method: str,
    seed: int = 0,
    at_most: int = 300,
) -> DecoyRung:
    """Train with the decoy on that share of the positives; see what the model and its attribution make of it.

    `keeps(before, after)` says whether an edit left the true label as it was. `at_most` test examples of each
    class are edited.
    """
    generator = np.random.default_rng([seed, round(1000 * share)])
    examples, labels = list(train[0]), train[1]
    planted = 0
    for k in np.flatnonzero(labels > 0.5):
        if generator.random() < share:
            edited = with_group(examples[k], decoy, editor=editor, keeps=keeps, generator=generator)
            if edited is not None:
                examples[k] = edited
                planted += 1
    fitted = recipe.fit(examples, labels, seed)
    positive = [test[0][k] for k in np.flatnonzero(test[1] > 0.5)[:at_most]]
    negative = [test[0][k] for k in np.flatnonzero(test[1] < 0.5)[:at_most]]
    both = _all_with(positive, decoy, editor, keeps, generator)
    wrong = _all_with(negative, decoy, editor, keeps, generator)
    z_positive, z_negative = fitted.predict(positive), fitted.predict(negative)
    found = _on_both(fitted, both, decoy, editor, truth, method)
    return DecoyRung(
        decoy,
        share,
        planted,
        auroc(test[1], fitted.predict(test[0])),
        _apart(fitted.predict(both), z_negative) if both else np.nan,
        _apart(z_positive, fitted.predict(wrong)) if wrong else np.nan,
        *found,
    )


@dataclass(frozen=True)
class Shortcut:
    """A group outside the true parts that comes with the label and that the model uses.

    `positives` and `negatives` of the training examples hold it, outside the rule's parts; `p` is Fisher's exact
    test, Bonferroni-corrected. `pull` is what inserting it into test negatives adds to the logit, in units of the
    gap between the classes; `on_negatives` the AUROC of clean test positives against those edited negatives,
    `control` the same with no edit.
    """

    name: str
    positives: int
    negatives: int
    p: float
    pull: float
    on_negatives: float
    control: float


def shortcuts(
    fitted: Fitted,
    *,
    editor: Editor,
    keeps: Callable[[Any, Any], bool],
    true_parts: Callable[[Any], frozenset[int]],
    train: tuple[Sequence[Any], np.ndarray],
    test: tuple[Sequence[Any], np.ndarray],
    seed: int = 0,
    at_least: int = 8,
    negatives: int = 2000,
    edited: int = 300,
    candidates: int = 6,
) -> list[Shortcut]:
    """Groups that may be shortcuts, the strongest pull first, without being told what to look for.

    A candidate stands in at least `at_least` training positives, in four of five of them clear of the parts that
    the rule names, and is more frequent there than in negatives (p < 0.01 after correction). Candidates that mostly
    stand where a more significant one does are its copies and dropped. Each is then put on test negatives whose true
    label stays, and the model is asked again. Without a rule `true_parts` is empty and every group is looked at.
    """
    generator = np.random.default_rng([seed, 11])
    positive = [train[0][k] for k in np.flatnonzero(train[1] > 0.5).tolist()]
    drawn = generator.permutation(np.flatnonzero(train[1] < 0.5))[:negatives]
    negative = [train[0][k] for k in drawn.tolist()]
    held, clear, stands = _tally(positive, editor, true_parts)
    against = Counter(name for e in negative for name in {g.name for g in editor.groups(e)})
    tested = [n for n in clear if clear[n] >= at_least]
    scored = []
    for name in tested:
        if clear[name] < 0.8 * held[name]:
            continue
        table = [[clear[name], len(positive) - clear[name]], [against[name], len(negative) - against[name]]]
        exact: Any = fisher_exact(table, alternative="greater")
        p = min(1.0, float(exact.pvalue) * len(tested))
        if p < 0.01:
            scored.append((p, name))
    kept: list[tuple[float, str]] = []
    for p, name in sorted(scored):
        if not any(_copy(stands[name], stands[better]) for _, better in kept):
            kept.append((p, name))
    if not kept:
        return []
    test_positive = [test[0][k] for k in np.flatnonzero(test[1] > 0.5).tolist()]
    drawn = generator.permutation(np.flatnonzero(test[1] < 0.5))[:edited]
    test_negative = [test[0][k] for k in drawn.tolist()]
    z_positive, z_negative = fitted.predict(test_positive), fitted.predict(test_negative)
    gap = float(z_positive.mean() - z_negative.mean())
    found = []
    for p, name in kept[:candidates]:
        pairs = [
            (z, after)
            for z, e in zip(z_negative, test_negative, strict=True)
            if (after := with_group(e, name, editor=editor, keeps=keeps, generator=generator)) is not None
        ]
        if len(pairs) < 10:
            continue
        z_edited = fitted.predict([after for _, after in pairs])
        without = np.array([not editor.places(e, name) for e in test_positive])
        rivals = z_positive[without] if without.sum() >= 5 else z_positive
        found.append(
            Shortcut(
                name=name,
                positives=clear[name],
                negatives=round(against[name] * (train[1] < 0.5).sum() / max(1, len(negative))),
                p=p,
                pull=float((z_edited - np.array([z for z, _ in pairs])).mean() / gap) if gap > 0 else np.nan,
                on_negatives=_apart(rivals, z_edited),
                control=_apart(rivals, z_negative),
            )
        )
    return sorted(found, key=lambda s: -s.pull)


def with_group(
    example: Any,
    name: str,
    *,
    editor: Editor,
    keeps: Callable[[Any, Any], bool],
    generator: np.random.Generator,
) -> Any | None:
    """The example with the group at a random place where its true label stays; None if there is none."""
    return next((e for e in editor.insert(example, name, generator) if keeps(example, e)), None)


def _all_with(examples: Sequence[Any], name: str, editor: Editor, keeps, generator) -> list[Any]:
    edited = [with_group(e, name, editor=editor, keeps=keeps, generator=generator) for e in examples]
    return [e for e in edited if e is not None]


def _on_both(fitted: Fitted, both: Sequence[Any], decoy: str, editor: Editor, truth, method: str):
    """Attribution AUROC of decoy and rule parts, and the decoy's share of positive mass, where both are present."""
    usable = [(e, truth(e), frozenset().union(*editor.places(e, decoy))) for e in both]
    usable = [(e, t, d) for e, t, d in usable if d]
    if not usable:
        return np.nan, np.nan, np.nan
    values = fitted.explain([e for e, _, _ in usable], method)
    decoys, rule, masses = [], [], []
    for v, (_, t, where) in zip(values, usable, strict=True):
        mask = np.zeros(len(v), dtype=bool)
        mask[sorted(where)] = True
        decoys.append(accuracy(v, TruthMasks(mask[None], mask, {})).union)
        if not isinstance(t, TruthMasks):
            continue
        rule.append(accuracy(v, t).union)
        positive = np.clip(v, 0, None)
        total = positive[mask | t.union].sum()
        masses.append(positive[mask].sum() / total if total > 0 else np.nan)
    return tuple(float(np.nanmean(x)) if np.isfinite(x).any() else np.nan for x in (decoys, rule, masses))


def _tally(positive: Sequence[Any], editor: Editor, true_parts: Callable[[Any], frozenset[int]]):
    """How many positives hold each group, how many hold it clear of the true parts, and where it stands there."""
    held: Counter[str] = Counter()
    clear: Counter[str] = Counter()
    stands: dict[str, list[set[tuple[int, int]]]] = {}
    for k, example in enumerate(positive):
        true = true_parts(example)
        groups = editor.groups(example)
        held.update({g.name for g in groups})
        outside = [g for g in groups if not g.parts & true]
        clear.update({g.name for g in outside})
        for g in outside:
            stands.setdefault(g.name, []).append({(k, part) for part in g.parts})
    return held, clear, stands


def _copy(group: list[set[tuple[int, int]]], better: list[set[tuple[int, int]]]) -> bool:
    """Whether the group mostly stands where the better one does: a piece of it, or it with a bit more."""
    taken = set().union(*better)
    return sum(bool(place & taken) for place in group) >= 0.5 * len(group)


def _apart(higher: np.ndarray, lower: np.ndarray) -> float:
    return auroc(np.r_[np.ones(len(higher)), np.zeros(len(lower))], np.r_[higher, lower])
