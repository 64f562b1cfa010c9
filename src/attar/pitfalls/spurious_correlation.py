"""Spurious correlation: what happens when a decoy comes with the label?

Two experiments, scored where both the spurious and the true parts are present: there alone an attribution can show
which one the model leans on (where only the true parts are, it stays flat by construction). `decoyed` plants a decoy in
part of the training positives; `confounded` mixes positives that hold both with positives that hold the cause alone.
Shortcuts that nobody planted are looked for in `shortcut_search`, and mended in `mend`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from attar.core.editor import Editor
from attar.core.errors import InputError
from attar.core.recipe import Fitted, Recipe
from attar.evaluation.accuracy import accuracies, accuracy
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
class Mixture:
    """A model of which `share` of the training positives held the cause and the shortcut, the rest the cause alone.

    `prediction`: AUROC of test examples with the cause alone against those with the shortcut alone. `cause_alone`: how
    well attribution finds the cause where only it is, which stays flat whatever the model learned. Where both are:
    `cause` and `shortcut` are the AUROCs of their parts, `shortcut_mass` the shortcut's share of the positive
    attribution on the two.
    """

    share: float
    prediction: float
    cause_alone: float
    cause: float
    shortcut: float
    shortcut_mass: float


def confounded(
    recipe: Recipe,
    share: float,
    *,
    train: tuple[Sequence[Any], Sequence[Any], Sequence[Any]],
    test: tuple[Sequence[Any], Sequence[Any], Sequence[Any]],
    cause: Callable[[Any], TruthMasks],
    shortcut: Callable[[Any], TruthMasks],
    method: str,
    seed: int = 0,
    at_most: int = 300,
) -> Mixture:
    """Train on positives of which that share holds both, and on negatives that hold neither; look at held-out examples.

    `train` are examples with both, with the cause alone and with neither; there are as many positives as the smaller of
    the first two. `test` are examples with both, with the cause alone and with the shortcut alone. Raises `InputError`
    for a share that is none, and where a set is empty.
    """
    if not 0 <= share <= 1:
        raise InputError(f"share is {share}, expected between 0 and 1")
    if not all(map(len, (*train, *test))):
        raise InputError("there are no examples of some kind: give some with both, with one and with neither")
    generator = np.random.default_rng([seed, 37])
    with_both, with_cause, with_neither = train
    total = min(len(with_both), len(with_cause))
    first = [with_both[k] for k in generator.permutation(len(with_both))[: round(share * total)]]
    rest = [with_cause[k] for k in generator.permutation(len(with_cause))[: total - len(first)]]
    positive = [*first, *rest]
    labels = np.r_[np.ones(len(positive)), np.zeros(len(with_neither))]
    fitted = recipe.fit([*positive, *with_neither], labels, seed)
    both, cause_only = (list(each)[:at_most] for each in test[:2])
    alone = accuracies(fitted.explain(cause_only, method), [cause(e) for e in cause_only])
    found = _where_both(fitted.explain(both, method), [cause(e) for e in both], [shortcut(e).union for e in both])
    return Mixture(
        share,
        _apart(fitted.predict(test[1]), fitted.predict(test[2])),
        float(np.nanmean([a.best for a in alone])),
        found[1],
        found[0],
        found[2],
    )


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


def with_groups(
    example: Any,
    names: Sequence[str],
    *,
    editor: Editor,
    keeps: Callable[[Any, Any], bool],
    generator: np.random.Generator,
) -> Any | None:
    """The example with every one of the groups, its true label unchanged: itself where it has them all, None where one
    does not fit."""
    edited: Any | None = example
    for name in names:
        if edited is not None and not editor.places(edited, name):
            edited = with_group(edited, name, editor=editor, keeps=keeps, generator=generator)
    return edited


def put_on(
    examples: Sequence[Any],
    names: Sequence[str],
    *,
    editor: Editor,
    keeps: Callable[[Any, Any], bool],
    generator: np.random.Generator,
) -> list[tuple[int, Any]]:
    """Of the examples that lack one of the groups those that can have them all: the place of each, and what it
    becomes."""
    lacking = [k for k, e in enumerate(examples) if not all(editor.places(e, name) for name in names)]
    edited = [(k, with_groups(examples[k], names, editor=editor, keeps=keeps, generator=generator)) for k in lacking]
    return [(k, e) for k, e in edited if e is not None]


def _all_with(examples: Sequence[Any], name: str, editor: Editor, keeps, generator) -> list[Any]:
    edited = [with_group(e, name, editor=editor, keeps=keeps, generator=generator) for e in examples]
    return [e for e in edited if e is not None]


def _on_both(fitted: Fitted, both: Sequence[Any], decoy: str, editor: Editor, truth, method: str):
    usable = [(e, truth(e), frozenset().union(*editor.places(e, decoy))) for e in both]
    usable = [(e, t, d) for e, t, d in usable if d]
    if not usable:
        return np.nan, np.nan, np.nan
    values = fitted.explain([e for e, _, _ in usable], method)
    masks = [np.isin(np.arange(len(v)), sorted(d)) for v, (_, _, d) in zip(values, usable, strict=True)]
    return _where_both(values, [t for _, t, _ in usable], masks)


def _where_both(
    values: Sequence[np.ndarray], truths: Sequence[Truth | None], spurious: Sequence[np.ndarray]
) -> tuple[float, float, float]:
    """Attribution AUROC of the spurious and of the true parts, and the spurious ones' share of the positive mass on the
    two, where both are present; nan where nothing can be said."""
    other, true, masses = [], [], []
    for v, t, mask in zip(values, truths, spurious, strict=True):
        other.append(accuracy(v, TruthMasks(mask[None], mask, {})).union)
        if not isinstance(t, TruthMasks):
            continue
        true.append(accuracy(v, t).union)
        positive = np.clip(v, 0, None)
        total = positive[mask | t.union].sum()
        masses.append(positive[mask].sum() / total if total > 0 else np.nan)
    spurious_auroc, true_auroc, mass = (
        float(np.nanmean(x)) if np.isfinite(x).any() else np.nan for x in (other, true, masses)
    )
    return spurious_auroc, true_auroc, mass


def _apart(higher: np.ndarray, lower: np.ndarray) -> float:
    return auroc(np.r_[np.ones(len(higher)), np.zeros(len(lower))], np.r_[higher, lower])
