"""The mend: a shortcut is taken out of the label's company, the model is fitted again, and both are asked the same."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from attar.core.editor import Editor
from attar.core.recipe import Fitted, Recipe
from attar.evaluation.intervals import quality
from attar.pitfalls.spurious_correlation import put_on, with_groups

Keeps = Callable[[Any, Any], bool]
Labelled = tuple[list[Any], np.ndarray]


class Way(Protocol):
    """How training examples are changed so that the groups no longer come with the label."""

    def __call__(
        self, train: tuple[Sequence[Any], np.ndarray], groups: Sequence[str], editor: Editor, keeps: Keeps, seed: int
    ) -> Labelled: ...


@dataclass(frozen=True)
class Augmented:
    """Edited copies are added until the groups are as frequent among negatives as among positives: negatives with the
    groups put on, and positives with them taken out (as many), each with the label that it had."""

    def __call__(
        self, train: tuple[Sequence[Any], np.ndarray], groups: Sequence[str], editor: Editor, keeps: Keeps, seed: int
    ) -> Labelled:
        examples, labels = list(train[0]), train[1]
        generator = np.random.default_rng([seed, 67])
        held = np.array([all(editor.places(e, g) for g in groups) for e in examples])
        positive = labels > 0.5
        share = held[positive].mean() if positive.any() else 0.0
        wanted = max(0, round(share * (~positive).sum()) - int(held[~positive].sum()))
        added: list[Any] = []
        signs: list[float] = []
        for k in generator.permutation(np.flatnonzero(~positive & ~held)).tolist():
            if len(added) == wanted:
                break
            edited = with_groups(examples[k], groups, editor=editor, keeps=keeps, generator=generator)
            if edited is not None:
                added.append(edited)
                signs.append(0.0)
        for k in generator.permutation(np.flatnonzero(positive & held)).tolist():
            if signs.count(1.0) == wanted:
                break
            if (edited := _without(examples[k], groups, editor, keeps, generator)) is not None:
                added.append(edited)
                signs.append(1.0)
        return [*examples, *added], np.r_[labels, signs]


@dataclass(frozen=True)
class Masked:
    """The groups are taken out of every example that can lose them with its label kept; the others are left out."""

    def __call__(
        self, train: tuple[Sequence[Any], np.ndarray], groups: Sequence[str], editor: Editor, keeps: Keeps, seed: int
    ) -> Labelled:
        generator = np.random.default_rng([seed, 71])
        cleared = [_without(e, groups, editor, keeps, generator) for e in train[0]]
        kept = [k for k, e in enumerate(cleared) if e is not None]
        return [cleared[k] for k in kept], train[1][kept]


@dataclass(frozen=True)
class Balanced:
    """Positives with the groups are left out, at random, until they are no more frequent than among negatives."""

    def __call__(
        self, train: tuple[Sequence[Any], np.ndarray], groups: Sequence[str], editor: Editor, keeps: Keeps, seed: int
    ) -> Labelled:
        del keeps
        examples, labels = train
        held = np.array([all(editor.places(e, g) for g in groups) for e in examples])
        positive = labels > 0.5
        share = held[~positive].mean() if (~positive).any() else 0.0
        free = int((positive & ~held).sum())
        most = round(share / (1 - share) * free) if share < 1 else int(held.sum())
        order = np.random.default_rng([seed, 73]).permutation(np.flatnonzero(positive & held))
        left = np.setdiff1d(np.arange(len(examples)), order[most:])
        return [examples[k] for k in left.tolist()], labels[left]


@dataclass(frozen=True)
class Mended:
    """A model before and after: held-out `quality` (AUROC, R²), and `pull`, what putting the groups on test negatives
    adds to the logit, in units of the gap between the classes. `changed` training examples were added, or left out."""

    groups: tuple[str, ...]
    way: str
    changed: int
    quality_before: float
    quality_after: float
    pull_before: float
    pull_after: float


def mended(
    recipe: Recipe,
    groups: Sequence[str],
    *,
    editor: Editor,
    keeps: Keeps,
    train: tuple[Sequence[Any], np.ndarray],
    test: tuple[Sequence[Any], np.ndarray],
    way: Way | None = None,
    before: Fitted | None = None,
    seed: int = 0,
    at_most: int = 300,
) -> Mended | None:
    """Change the training examples (`Augmented()` unless told), fit again and ask both models the same.

    `before` is the model as it was, if it is at hand. None where the groups can be put on too few test negatives to
    tell, or where the change leaves no two classes.
    """
    chosen = Augmented() if way is None else way
    examples, labels = chosen(train, groups, editor, keeps, seed)
    generator = np.random.default_rng([seed, 79])
    negative = [test[0][k] for k in np.flatnonzero(test[1] < 0.5)[:at_most].tolist()]
    put = put_on(negative, groups, editor=editor, keeps=keeps, generator=generator)
    pairs = [(negative[k], after) for k, after in put]
    if len(pairs) < 10 or min((labels > 0.5).sum(), (labels < 0.5).sum()) < 2:
        return None
    was = recipe.fit(train[0], train[1], seed) if before is None else before
    now = recipe.fit(examples, labels, seed)
    return Mended(
        tuple(groups),
        repr(chosen),
        abs(len(examples) - len(train[0])),
        quality(test[1], was.predict(test[0])),
        quality(test[1], now.predict(test[0])),
        _pull(was, pairs, test),
        _pull(now, pairs, test),
    )


def _pull(fitted: Fitted, pairs: Sequence[tuple[Any, Any]], test: tuple[Sequence[Any], np.ndarray]) -> float:
    z = fitted.predict(test[0])
    gap = float(z[test[1] > 0.5].mean() - z[test[1] < 0.5].mean())
    moved = fitted.predict([after for _, after in pairs]) - fitted.predict([before for before, _ in pairs])
    return float(moved.mean() / gap) if gap > 0 else float("nan")


def _without(
    example: Any, groups: Sequence[str], editor: Editor, keeps: Keeps, generator: np.random.Generator
) -> Any | None:
    edited: Any | None = example
    for group in groups:
        if edited is not None and editor.places(edited, group):
            edited = editor.remove(edited, group, generator)
    return edited if edited is not None and keeps(example, edited) else None
