"""The integral of a gradient along a path, refined example by example until it is as accurate as asked."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Protocol, Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.error import Error
from attar.core.inputs import Inputs, owned
from attar.core.model import Chunked
from attar.core.parts import Parts, placed, precise
from attar.core.target import Target
from attar.estimation.quadrature import added, rule

FEWEST = len(rule(0).nodes)  # gradient evaluations

_RESIDUALS = 3.0  # completeness residuals, below which no error of a smooth path is said to be
_OF_TAIL = 0.08  # of the last two coefficients, the error where they do not fall by a factor each
_CALM = 0.85  # of all that slopes change by, how much they turn from gap to gap; about 1.1 where jumps are random
_FAR = 7.0  # tolerances that make up the error where the nodes of level 1 would all be needed, or more
_DRAWS = 64  # ways to place the jumps
_BEYOND = 2.5  # standard deviations of these draws above their mean: no less in 95% of the examples
_SCARCE = 4.0  # gaps that tell too little of how large jumps are: with so many, twice as many deviations
_UNSEEN = 0.02  # of all jumps, what gaps that show none may hide
_FLOOR = 4.0  # roundings of the values and of both ends, below which more nodes say nothing
_LAID_OUT = 2**24  # numbers laid out at once for the draws


class Path(Protocol):
    """From what stands for absence, at t = 0, to each of the inputs, at t = 1."""

    @property
    def inputs(self) -> Inputs: ...

    def take(self, index: Int[Tensor, " examples"]) -> Self: ...

    def at(self, t: Float[Tensor, "nodes examples"]) -> tuple[Inputs, Parts]:
        """All examples at their first t, then at their second, …; and how fast the parts move there, dx/dt, with an
        axis of nodes before the rows (of length 1 where the speed is constant)."""
        ...


@dataclass(frozen=True, eq=False)
class Straight:
    """The straight line, at constant speed."""

    inputs: Inputs
    start: Parts
    along: Parts

    @classmethod
    def between(cls, start: Parts, inputs: Inputs) -> "Straight":
        return cls(inputs, start, inputs.parts - start)

    def take(self, index: Int[Tensor, " examples"]) -> "Straight":
        rows = {name: owned(owner, index)[0] for name, owner in self.inputs.owners.items()}
        start, along = (Parts({n: a[rows[n]] for n, a in parts.items()}) for parts in (self.start, self.along))
        return Straight(self.inputs.take(index), start, along)

    def at(self, t: Float[Tensor, "nodes examples"]) -> tuple[Inputs, Parts]:
        owners = self.inputs.owners
        points = Parts(
            {
                name: (self.start[name] + shaped(t[:, owners[name]], along[None]) * along).flatten(0, 1)
                for name, along in self.along.items()
            }
        )
        return copies(self.inputs, len(t)).replace(points), self.along.map(lambda array: array[None])


def copies(inputs: Inputs, times: int) -> Inputs:
    """All examples, then all of them again, …"""
    return inputs.take(torch.arange(len(inputs), device=inputs.device).repeat(times))


def shaped(rows: Tensor, array: Tensor) -> Tensor:
    """One number for each row of an array, with the axes and the precision to multiply the array by."""
    return rows.reshape(*rows.shape, *[1] * (array.ndim - rows.ndim)).to(array.dtype)


def wide(array: Tensor) -> Tensor:
    """In no less than single precision."""
    return array.float() if array.dtype in (torch.float16, torch.bfloat16) else array


def path_integral(
    model: Chunked, path: Path, targets: Sequence[Target], *, tolerance: float, budget: int
) -> list[Attribution]:
    """The integral of dF/dx · dx/dt over the path, entry by entry, for each target.

    Nodes are added, for each example and target on its own, until the error is at most `tolerance` of the values' L1
    norm or `budget` nodes are used. What the nodes show decides how the error is found.

    A path is smooth where slopes turn little from gap to gap and nested rules come closer fast: then the error is
    extrapolated from the last two steps, and never said to be below three completeness residuals. Elsewhere the
    gradient is taken to jump in each gap, anywhere: the trapezoid rule, new nodes where the jumps weigh most, and as
    error what 95% of such placements make at most.
    """
    everyone = torch.arange(len(path.inputs), device=path.inputs.device)
    t = _everywhere(rule(0).nodes, everyone)
    return [
        _refined(_Sampled(path, everyone, t, *sampled, level=0), model, target, tolerance, budget)
        for target, sampled in zip(targets, _sampled(model, path, targets, t), strict=True)
    ]


def _refined(first: "_Sampled", model: Chunked, target: Target, tolerance: float, budget: int) -> Attribution:
    answer, going = _Answer(first, tolerance), [first]
    while going:
        now = going.pop()
        if now.level >= 0:
            found, smooth = _by_rules(now)
            ended = answer.enough(now, found) | (len(rule(now.level + 1).nodes) > budget)
            answer.settle(now, found, smooth & ended)
            for some in now.those(smooth & ~ended):
                going.append(_extended(some, model, target, _missing(some, now.level + 1), now.level + 1))
        else:
            smooth = torch.zeros_like(now.examples, dtype=torch.bool)
        for rough in now.those(~smooth):
            found, weight = _by_jumps(rough)
            ended = answer.enough(rough, found) | (len(rough.t) >= budget)
            answer.settle(rough, found, ended)
            perhaps = _perhaps_smooth(rough, found, tolerance) & ~ended & (len(rule(1).nodes) <= budget)
            for some in rough.those(perhaps):
                going.append(_extended(some, model, target, _missing(some, 1), 1))
            rest = ~perhaps & ~ended
            for some in rough.those(rest):
                fresh = min(max(2, len(some.t) // 10), budget - len(some.t))
                going.append(_extended(some, model, target, _split(some, weight[:, rest], fresh), -1))
    return answer.attribution()


class _Answer:
    """What has been found, filled in as the refinement of each example ends."""

    def __init__(self, first: "_Sampled", tolerance: float) -> None:
        self.first, self.tolerance = first, tolerance
        self.parts = first.by_part(lambda array, _: array.new_zeros(array.shape[1:]))
        self.bound = precise(first.values.new_zeros(len(first)))
        self.size = self.bound.clone()
        self.evaluations = torch.zeros_like(first.examples)

    def enough(self, now: "_Sampled", found: "_Found") -> Bool[Tensor, " examples"]:
        within = self._bound(found) <= self.tolerance * found.size
        hopeless = ~torch.isfinite(found.error)  # NaN on the path, which the verb refuses
        return within | hopeless | (found.error <= _rounding(now, found.size))

    def settle(self, now: "_Sampled", found: "_Found", ended: Bool[Tensor, " examples"]) -> None:
        index = now.examples[ended]
        if not len(index):
            return
        self.bound[index] = self._bound(found)[ended]
        self.size[index] = found.size[ended]
        self.evaluations[index] = len(now.t)
        for name, owner in now.owners.items():
            rows, _ = owned(self.first.owners[name], index)
            self.parts[name][rows] = found.parts[name][ended[owner]]

    def _bound(self, found: "_Found") -> Float[Tensor, " examples"]:
        return found.error + _eps(self.first) * found.size

    def attribution(self) -> Attribution:
        given = self.first.path.inputs.parts
        how = "smooth paths: differences of rules, extrapolated; others: 95% of where jumps may lie between the nodes"
        return Attribution(
            parts=Parts({name: array.to(given[name].dtype) for name, array in self.parts.items()}),
            owners=self.first.owners,
            output=self.first.values[-1],
            reference=self.first.values[0],
            error=Error(self.bound, how, self.bound <= self.tolerance * self.size),
            evaluations=self.evaluations,
        )


# --- the integrand at some nodes ---


@dataclass(frozen=True, eq=False)
class _Sampled:
    """The integrand of some examples at the nodes of each, ascending in t.

    `values` are the target's; `slopes`, the integrand, have an axis of nodes before the rows of the parts. `level` is
    that of the rule for smooth paths whose nodes these are, -1 where they were chosen by the jumps.
    """

    path: Path
    examples: Int[Tensor, " examples"]
    t: Float[Tensor, "nodes examples"]
    values: Float[Tensor, "nodes examples"]
    slopes: Parts
    level: int

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def owners(self) -> Mapping[str, Int[Tensor, " rows"]]:
        return self.path.inputs.owners

    def those(self, some: Bool[Tensor, " examples"]) -> "Iterator[_Sampled]":
        """These examples alone, if there are any."""
        index = some.nonzero()[:, 0]
        if len(index) == len(self):
            yield self
        elif len(index):
            yield replace(
                self,
                path=self.path.take(index),
                examples=self.examples[index],
                t=self.t[:, index],
                values=self.values[:, index],
                slopes=self.by_part(lambda array, owner: array[:, some[owner]]),
            )

    def by_part(self, function: Callable[[Tensor, Tensor], Tensor]) -> Parts:
        owners = self.owners
        return Parts({name: function(array, owners[name]) for name, array in self.slopes.items()})

    def per_example(self, parts: Parts) -> Tensor:
        return per_example(parts, self.owners, len(self))

    def combined(self, weights: Float[np.ndarray, "sums nodes"]) -> Parts:
        """Sums over the nodes, with the same weights for every example."""
        table = torch.from_numpy(weights)
        return self.slopes.map(lambda a: (table.to(a) @ a.flatten(1)).unflatten(1, a.shape[1:]))

    def norms(self, weights: Float[np.ndarray, "sums nodes"]) -> Float[Tensor, "sums examples"]:
        """The L1 norms of such sums, of as many at once as may be laid out."""
        numbers = max(array[0].numel() for array in self.slopes.values())
        some = max(1, _LAID_OUT // max(1, numbers))
        pieces = [weights[first : first + some] for first in range(0, len(weights), some)]
        return _one_after_another([self.per_example(self.combined(piece).map(torch.abs)) for piece in pieces])


def _sampled(model: Chunked, path: Path, targets: Sequence[Target], t: Tensor) -> list[tuple[Tensor, Parts]]:
    """The values and slopes of each target at t, so many nodes in one call that it is about full."""
    pieces: list[list[tuple[Tensor, Parts]]] = []
    for some in t.split(max(1, model.size // t.shape[1])):
        points, speed = path.at(some)
        every = torch.arange(t.shape[1], device=t.device).repeat(len(some))
        answers = model.differentiate_each(points, [target.take(every) for target in targets])
        pieces.append([(output.reshape(some.shape), _by_node(gradient, speed, some)) for output, gradient in answers])
    return [
        (_one_after_another([values for values, _ in answers]), _all_nodes([slopes for _, slopes in answers]))
        for answers in zip(*pieces, strict=True)
    ]


def _by_node(gradient: Parts, speed: Parts, t: Tensor) -> Parts:
    """The integrand with an axis of nodes, in no less than single precision: it is summed over them."""

    def slopes(array: Tensor, speed: Tensor) -> Tensor:
        return wide(array).unflatten(0, (len(t), len(array) // len(t))) * speed

    return gradient.with_(speed, slopes)


def _all_nodes(pieces: Sequence[Parts]) -> Parts:
    return Parts({name: _one_after_another([piece[name] for piece in pieces]) for name in pieces[0]})


def _one_after_another(pieces: Sequence[Tensor]) -> Tensor:
    return pieces[0] if len(pieces) == 1 else torch.cat(list(pieces))


def _extended(now: _Sampled, model: Chunked, target: Target, t: Tensor, level: int) -> _Sampled:
    """With the integrand at these nodes as well; `target` is that of all examples of the batch."""
    if not len(t):
        return replace(now, level=level)
    ((values, slopes),) = _sampled(model, now.path, [target.take(now.examples)], t)
    t, order = torch.cat([now.t, t]).sort(dim=0)

    def merged(name: str, owner: Tensor) -> Tensor:
        every = torch.cat([now.slopes[name], slopes[name]])
        place = order[:, owner]
        return every.gather(0, place.reshape(*place.shape, *[1] * (every.ndim - 2)).expand_as(every))

    everything = Parts({name: merged(name, owner) for name, owner in now.owners.items()})
    return replace(now, t=t, values=torch.cat([now.values, values]).gather(0, order), slopes=everything, level=level)


# --- the integral from what was sampled ---


@dataclass(frozen=True, eq=False)
class _Found:
    """The integral by some rule, its error, and the L1 norm of its values: one of each per example."""

    parts: Parts
    error: Float[Tensor, " examples"]
    size: Float[Tensor, " examples"]


def _by_rules(now: _Sampled) -> tuple[_Found, Bool[Tensor, " examples"]]:
    """By the rule of its level; and whether the path is smooth there, without which the error means nothing."""
    known, nodes = rule(now.level), len(now.t)
    parts = now.combined(_judging(now.level)[:1]).map(lambda array: array[0])
    size, first, second, *others = now.norms(_judging(now.level))
    (last, near, far, further), rates, turns = others[:4], others[4 : nodes + 3], others[nodes + 3 :]
    residual = now.values[-1] - now.values[0] - parts.per_example(now.owners, len(now))
    decay = second / first.clamp(min=torch.finfo(first.dtype).tiny)
    error = torch.maximum(second * decay.clamp(max=1) ** known.power, _RESIDUALS * residual.abs())
    # As where only a higher derivative jumps: the polynomials' coefficients do not fall by a factor each.
    flat = last + near > known.flattest * (far + further)
    error = torch.where(flat, torch.maximum(error, _OF_TAIL * (last + near)), error)
    calm = torch.stack(turns).sum(0) < _CALM * torch.stack(rates).sum(0)
    smooth = ((decay <= known.slowest) & calm) | (second <= _rounding(now, size))
    return _Found(parts, error, size), smooth


@cache
def _judging(level: int) -> Float[np.ndarray, "sums nodes"]:
    """The best rule, how far the others are from it, the tail, the rate of change in each gap and from gap to gap."""
    coarse, middle, fine = rule(level).weights
    nodes = rule(level).nodes
    rates = np.diff(np.eye(len(nodes)), axis=0) / np.diff(nodes)[:, None]
    return np.vstack([fine, coarse - fine, middle - fine, rule(level).tail, rates, np.diff(rates, axis=0)])


def _by_jumps(now: _Sampled) -> tuple[_Found, Float[Tensor, "gaps examples"]]:
    """By the trapezoid rule; and how much each gap adds to the error."""
    gaps = now.t.diff(dim=0)
    around = torch.nn.functional.pad(gaps, (0, 0, 1, 1))
    weights = (around[1:] + around[:-1]) / 2
    parts = now.by_part(lambda array, owner: (array * shaped(weights[:, owner], array)).sum(0))
    size = now.per_example(parts.map(lambda array: array[None].abs()))[0]
    jumps = now.by_part(lambda array, owner: array.diff(dim=0) * shaped(gaps[:, owner], array))

    def share(array: Tensor) -> Tensor:
        squares = array.square()
        return squares / squares.sum(0).sqrt().clamp(min=torch.finfo(array.dtype).tiny)

    weight = now.per_example(jumps.map(share))
    error = jump_error(jumps, now.owners, len(now))
    return _Found(parts, error, size), weight + _UNSEEN * weight.sum(0) * gaps


def jump_error(jumps: Parts, owners: Mapping[str, Tensor], count: int) -> Float[Tensor, " examples"]:
    """The L1 error of trapezoids whose slopes jump at some place in each gap: less in 95% of the ways to place them.

    `jumps` are those of the slopes times the length of their gap, gaps first.
    """
    placed = torch.cat([per_example(some, owners, count) for some in _placed(jumps)])
    gaps = len(next(iter(jumps.values())))
    return placed.mean(0) + _BEYOND * (1 + _SCARCE / gaps) * placed.std(0)


def per_example(parts: Parts, owners: Mapping[str, Tensor], count: int) -> Float[Tensor, "first examples"]:
    """Summed over all that an example owns, for each entry of an axis before the rows; for what has one sign."""
    totals = []
    for name, array in parts.items():
        rows = precise(array.flatten(2).sum(2) if array.ndim > 2 else array)
        totals.append(rows.new_zeros(len(array), count).index_add_(1, owners[name], rows))
    return totals[0] if len(totals) == 1 else torch.stack(totals).sum(0)


def _placed(jumps: Parts) -> Iterator[Parts]:
    """What the integral is off by, entry by entry, if each gap's jump lies at a random place; some draws at a time."""
    places = torch.from_numpy(_places(len(next(iter(jumps.values())))))
    numbers = max(array[0].numel() for array in jumps.values())
    for some in places.split(max(1, _LAID_OUT // max(1, numbers))):
        yield jumps.map(lambda a, some=some: (some.to(a) @ a.flatten(1)).unflatten(1, a.shape[1:]).abs())


@cache
def _places(gaps: int) -> Float[np.ndarray, "draws gaps"]:
    """From -1/2 to 1/2: evenly spread over each gap, in an order of its own."""
    generator = np.random.default_rng(gaps)
    strata = generator.permuted(np.tile(np.arange(_DRAWS), (gaps, 1)), axis=1).T
    return (strata + generator.random((_DRAWS, gaps))) / _DRAWS - 0.5


def _rounding(now: _Sampled, size: Tensor) -> Float[Tensor, " examples"]:
    """An error that rounding alone could make."""
    return _FLOOR * _eps(now) * (size + now.values[0].abs() + now.values[-1].abs())


def _eps(now: _Sampled) -> float:
    return max(torch.finfo(array.dtype).eps for array in now.path.inputs.parts.values())


# --- where to look next ---


def _everywhere(nodes: np.ndarray, examples: Tensor) -> Float[Tensor, "nodes examples"]:
    return placed(torch.tensor(nodes), examples.device)[:, None].expand(-1, len(examples))


def _perhaps_smooth(now: _Sampled, found: _Found, tolerance: float) -> Bool[Tensor, " examples"]:
    """Where the nodes of level 1 are worth completing: slopes look calm, or too much is missing for fewer."""
    if now.level > 0 or len(now.t) > len(rule(1).nodes):
        return torch.zeros_like(now.examples, dtype=torch.bool)
    on_the_way = torch.isin(now.t, _everywhere(rule(1).nodes, now.examples[:1])).all(0)
    return on_the_way & (_calm(now) | (found.error > _FAR * tolerance * found.size))


def _calm(now: _Sampled) -> Bool[Tensor, " examples"]:
    """Where slopes change at about the same rate in neighbouring gaps, as those of something smooth."""
    gaps = now.t.diff(dim=0)
    rates = now.by_part(lambda array, owner: array.diff(dim=0) / shaped(gaps[:, owner], array))
    turns = now.per_example(rates.map(lambda array: array.diff(dim=0).abs())).sum(0)
    return turns < _CALM * now.per_example(rates.map(torch.abs)).sum(0)


def _missing(now: _Sampled, level: int) -> Float[Tensor, "missing examples"]:
    """The nodes of that level that are not there: the same number for all examples."""
    if level > 1:
        return _everywhere(added(level), now.examples)
    nodes = _everywhere(rule(level).nodes, now.examples)
    there = torch.stack([(now.t == node).any(0) for node in nodes])
    return nodes.gather(0, there.int().argsort(dim=0, stable=True)[: len(nodes) - len(now.t)])


def _split(now: _Sampled, weight: Tensor, fresh: int) -> Float[Tensor, "fresh examples"]:
    """A node inside each of the heaviest gaps: that of level 1 if one lies there, so that a path which turns out to be
    smooth can go on from it; else the middle."""
    heaviest = weight.argsort(dim=0, descending=True, stable=True)[:fresh]
    left, right = now.t.gather(0, heaviest), now.t.gather(0, heaviest + 1)
    nodes = torch.tensor([*added(1), 2.0]).to(left)
    inside = nodes[torch.searchsorted(nodes, left, right=True)]
    return torch.where(inside < right, inside, (left + right) / 2)
