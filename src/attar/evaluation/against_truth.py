"""True of the phenomenon: measures of attributions against a truth that is known.

A measure of masks takes `Float[Tensor, "draws examples 1 parts"]` and `Bool[Tensor, "examples masks parts"]`, a larger
value saying that a part counts more for the target. All but `MassShare` look at the order alone: a monotone rescaling
changes nothing. A value below zero is evidence against the target and never counts as evidence for it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attar.core.errors import InputError
from attar.core.features import Features
from attar.evaluation import keyed
from attar.evaluation.ranks import Order, kendall
from attar.evaluation.score import Score, scored
from attar.evaluation.subject import Subject, Values, subject
from attar.evaluation.truth import Truth, TruthMasks, TruthValues


class AgainstMasks(Protocol):
    """Scores values against masks; nan where a mask covers nothing or everything, for there is nothing to find."""

    worst: ClassVar[float]
    best: ClassVar[float]

    def __call__(
        self,
        values: Float[Tensor, "draws examples 1 parts"],
        inside: Bool[Tensor, "examples masks parts"],
        there: Bool[Tensor, "examples 1 parts"],
    ) -> Float[Tensor, "draws examples masks"]: ...


@dataclass(frozen=True)
class AUROC:
    """The chance that a part inside has a larger value than one outside; ties count one half."""

    worst: ClassVar[float] = 0.0
    best: ClassVar[float] = 1.0

    def __call__(self, values: Tensor, inside: Tensor, there: Tensor) -> Tensor:
        ranks = Order.of(values, there).ranks
        hits = inside.sum(-1)
        pairs = hits * (there.sum(-1) - hits)
        excess = (inside * ranks).sum(-1) - hits * (hits + 1) / 2
        return torch.where(pairs > 0, excess / pairs.clamp(min=1), torch.nan)


@dataclass(frozen=True)
class AveragePrecision:
    """The mean, over the parts inside, of the share inside among all that have as large a value or a larger one.

    All the same: the mask's share of the parts. The inverse scores above 0, how much so depends on the mask's size.
    Source: as scikit-learn's `average_precision_score`, without interpolation.
    """

    worst: ClassVar[float] = 0.0
    best: ClassVar[float] = 1.0

    def __call__(self, values: Tensor, inside: Tensor, there: Tensor) -> Tensor:
        order = Order.of(values, there)
        reached = order.count - order.below  # that have as large a value or a larger one
        # In that order the last of those stands at place `reached`, and all inside before it are hits.
        shape = torch.broadcast_shapes(values.shape, inside.shape)
        index = torch.where(there, order.below, -1).argsort(dim=-1, descending=True, stable=True).expand(shape)
        hits = inside.expand(shape).gather(-1, index).cumsum(-1)
        hits = hits.gather(-1, (reached - 1).clamp(min=0).expand(shape))
        precision = torch.where(inside, hits.double() / reached.clamp(min=1), 0.0)
        return _where_tells(precision.sum(-1) / inside.sum(-1).clamp(min=1), inside, there)


@dataclass(frozen=True)
class Precision:
    """The share inside of the `k` parts with the largest values; `k` is the mask's size unless given.

    Parts that tie for the last places share them evenly. With a `k` above the mask's size the best is below 1.
    """

    k: int | None = None
    worst: ClassVar[float] = 0.0
    best: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        if self.k is not None and self.k < 1:
            raise InputError(f"k is {self.k}, expected at least 1")

    def __call__(self, values: Tensor, inside: Tensor, there: Tensor) -> Tensor:
        size = inside.sum(-1, keepdim=True) if self.k is None else there.sum(-1, keepdim=True).clamp(max=self.k)
        top = Order.of(values, there).top(size)
        return _where_tells((top * inside).sum(-1) / size[..., 0].clamp(min=1), inside, there)


@dataclass(frozen=True)
class MassShare:
    """The share of the positive values' sum that lies inside. Not a measure of order: rescaling changes it.

    Without any positive value it is 0: nothing was put inside. Chance is not the mask's share of the parts (a mean of
    ratios is not the ratio of means, and the best of several masks is more): it is measured.
    """

    worst: ClassVar[float] = 0.0
    best: ClassVar[float] = 1.0

    def __call__(self, values: Tensor, inside: Tensor, there: Tensor) -> Tensor:
        mass = torch.where(there, values, 0.0).clamp(min=0)
        total = mass.sum(-1)
        share = (mass * inside).sum(-1) / torch.where(total > 0, total, 1)
        return _where_tells(share, inside, there)


def every_answer(truth: TruthMasks) -> np.ndarray:
    """The best of all legal answers counts, as in the published benchmark (Sanchez-Lengeling et al. 2020)."""
    return truth.alternatives


def union(truth: TruthMasks) -> np.ndarray:
    """All that the rule names has to be found, the stricter reading."""
    return truth.union[None]


@dataclass(frozen=True)
class Piece:
    """One named piece of the rule."""

    name: str

    def __call__(self, truth: TruthMasks) -> np.ndarray:
        found = truth.named.get(self.name)
        return np.zeros((1, len(truth.union)), dtype=bool) if found is None else found[None]


def accuracy_score(
    found: Values | Sequence[np.ndarray],
    truths: Sequence[Truth],
    measure: AgainstMasks | None = None,
    *,
    answers: Callable[[TruthMasks], np.ndarray] = union,
    features: Features | None = None,
    draws: int = 39,
    seed: int = 0,
) -> Score:
    """How well the attributions agree with the truths: `measure` (`AUROC()` unless given) for masks, the best of the
    masks that `answers` gives of each, and Kendall's τ-b for `TruthValues`.

    What was `found` has a value for each part that a truth speaks of, or comes with the `features` that carry it there;
    chance is then carried in the same way. An example without a part inside, or without one outside, has no score; of
    examples without any truth ask `false_alarm`. τ is 0 where all values are the same.
    Raises `InputError` for NaN, other numbers of parts, masks beside values, and a measure of masks asked of values.
    """
    said = _checked(subject(found, features), truths)
    table = said.table(torch.cat([said.values[None], said.drawn(_keys(truths, said), draws=draws, seed=seed)]))
    if all(isinstance(truth, TruthValues) for truth in truths):
        if measure is not None:
            raise InputError(f"{type(measure).__name__} is of masks, and the truths are values: leave the measure out")
        known = said.table(torch.from_numpy(np.concatenate([t.values for t in truths])))  # type: ignore[union-attr]
        found_tau = kendall(table, known.expand(table.shape), said.there).numpy()
        return scored("Kendall's tau-b", found_tau[:1], found_tau[1:], worst=-1.0, best=1.0)
    measure = measure if measure is not None else AUROC()
    masks = [np.atleast_2d(answers(truth)) for truth in truths]  # type: ignore[arg-type]
    best = _best(measure, table, said.there, masks)
    return scored(_name(measure, answers), best[:1], best[1:], worst=measure.worst, best=measure.best)


def false_alarm(
    found: Values | Sequence[np.ndarray],
    truths: Sequence[TruthMasks],
    *,
    features: Features | None = None,
    draws: int = 39,
    seed: int = 0,
) -> Score:
    """How much evidence is claimed for what has none: m / (m + M), with m the sum of positive values of an example
    whose truth is empty, and M the median of that sum over the examples that have a truth.

    0: nothing is claimed; one half: as much as of a typical example that has it; 1: there alone. Only examples without
    a truth are scored. All attributions must be of the same target, the class that the truth is about, and not of the
    class that each example is predicted to be. Relative, so that the attribution's units cancel; of mass and not of
    outliers, because one that is painted evenly has none and claims all the same. Chance are numbers of one spread for
    all examples. Where nothing is claimed of any example it is one half. Not a measure of order.
    Raises `InputError` unless some examples have a truth and some have none.
    """
    said = _checked(subject(found, features), truths)
    empty = np.array([not truth.union.any() for truth in truths])
    if empty.all() or not empty.any():
        raise InputError("false alarms are told by examples with a truth beside some without: give both")
    drawn = said.drawn(_keys(truths, said), draws=draws, seed=seed, norm=False)
    mass = said.table(torch.cat([said.values[None], drawn])).clamp(min=0).sum(-1).numpy()
    typical = np.median(mass[:, ~empty], axis=1, keepdims=True)
    total = mass + typical
    share = np.where(total > 0, mass / np.where(total > 0, total, 1), 0.5)
    share[:, ~empty] = np.nan
    return scored("false alarm", share[:1], share[1:], worst=1.0, best=0.0)


def _best(
    measure: AgainstMasks, table: Float[Tensor, "draws examples parts"], there: Tensor, masks: list[np.ndarray]
) -> Float[np.ndarray, "draws examples"]:
    """The best of each example's masks; examples with as many masks are scored at once."""
    counts = np.array([len(each) for each in masks])
    best = np.full(table.shape[:2], np.nan)
    for count in np.unique(counts[counts > 0]):
        for some in _pieces(np.flatnonzero(counts == count), int(count) * len(table) * table.shape[-1]):
            inside = torch.zeros(len(some), int(count), table.shape[-1], dtype=torch.bool)
            for k, example in enumerate(some):
                inside[k, :, : masks[example].shape[1]] = torch.from_numpy(masks[example])
            found = measure(table[:, some][:, :, None], inside, there[some][:, None])
            best[:, some] = torch.where(found.isnan(), -torch.inf, found).amax(-1).numpy()
    return np.where(np.isfinite(best), best, np.nan)


_CELLS = 2**22  # of a table of masks that is laid out at once


def _pieces(examples: np.ndarray, cells: int) -> list[np.ndarray]:
    each = max(1, _CELLS // max(cells, 1))
    return [examples[k : k + each] for k in range(0, len(examples), each)]


def _where_tells(score: Tensor, inside: Tensor, there: Tensor) -> Tensor:
    hits = inside.sum(-1)
    return torch.where((hits > 0) & (hits < there.sum(-1)), score, torch.nan)


def _checked(said: Subject, truths: Sequence[Truth]) -> Subject:
    kinds = {type(truth) for truth in truths}
    if len(kinds) != 1:
        raise InputError(f"truths are masks or values, all of them the same, got {len(truths)} of {len(kinds)} kinds")
    sizes = [_size(truth) for truth in truths]
    values = torch.bincount(said.owner, minlength=said.count).tolist()
    if sizes != values:
        wrong = next((k for k, (a, b) in enumerate(zip(sizes, values, strict=False)) if a != b), None)
        where = (
            f"{said.count} examples for {len(truths)} truths"
            if wrong is None
            else f"{values[wrong]} values for a truth over {sizes[wrong]} parts, first in example {wrong}"
        )
        raise InputError(f"there are {where}; name the features that carry the values to the truth's parts")
    return said


def _size(truth: Truth) -> int:
    return len(truth.values) if isinstance(truth, TruthValues) else len(truth.union)


def _keys(truths: Sequence[Truth], said: Subject) -> np.ndarray:
    """By the truths, so that chance is the same for whatever is scored against them."""
    rows = [torch.from_numpy((t.values if isinstance(t, TruthValues) else t.union).astype(float)) for t in truths]
    owner = torch.arange(len(rows)).repeat_interleave(torch.tensor([len(row) for row in rows]))
    return keyed.contents({"truth": torch.cat(rows)}, {"truth": owner}, len(rows), apart_by=said.keys)


def _name(measure: AgainstMasks, answers: Callable[[TruthMasks], np.ndarray]) -> str:
    said = getattr(answers, "__name__", None) or repr(answers)
    return f"{measure!r} against {said.replace('_', ' ')}"
