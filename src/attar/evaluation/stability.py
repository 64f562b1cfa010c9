"""Whether an attribution stays what it is when the input changes and the answer should not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from attar.core.draws import draws as drawn
from attar.core.errors import InputError
from attar.core.inputs import Inputs
from attar.core.method import Method, needs_of
from attar.core.parts import Parts, precise
from attar.core.target import Predicted, Target
from attar.evaluation import keyed
from attar.evaluation.consistency import rho
from attar.evaluation.score import Score, scored
from attar.evaluation.subject import Subject, padded, subject
from attar.verb import Posed, explained, posed


@dataclass(frozen=True, kw_only=True)
class MaxSensitivity:
    """How far, at most, an attribution moves when every entry of the input moves by up to `radius` (uniform noise), as
    a share of its own L2 norm: 0 is best.

    The largest of `samples` copies, so more of them find more. The target stays the one that the example itself has.
    The example has no score where its attribution is 0 throughout. Chance are random attributions drawn anew for each
    copy. Rescaling by a factor changes nothing, other monotone rescaling does.
    Misleads for values that ignore the input, which are perfectly stable, and for copies that the model answers
    otherwise, whose attribution has to move.
    Source: Yeh et al. 2019, arXiv:1901.09392, definition 4.1; theirs is not relative.
    """

    radius: float = 0.02
    samples: int = 20
    draws: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        if self.radius <= 0 or self.samples < 1:
            raise InputError(f"radius is {self.radius} and samples {self.samples}, expected above 0 and at least 1")

    def __call__(
        self,
        model: object,
        inputs: Any,
        method: Method,
        target: Target | None = None,
        *,
        at: str | None = None,
        batch_size: int | None = None,
    ) -> Score:
        moved = _moved(self, model, inputs, method, target, at, batch_size)
        size = _norm(moved.values[0])
        return moved.scored("max-sensitivity", torch.where(size > 0, size, torch.nan).expand(self.samples, -1))


@dataclass(frozen=True, kw_only=True)
class LocalLipschitz:
    """How far, at most, an attribution moves per distance that the input moves, both in L2: 0 is best.

    In units of the attribution by those of the input. All else is as in `MaxSensitivity`.
    Source: Alvarez-Melis & Jaakkola 2018, arXiv:1806.08049, section 2; theirs is optimised where ours is sampled, so
    that it is a lower bound.
    """

    radius: float = 0.02
    samples: int = 20
    draws: int = 20
    seed: int = 0

    __post_init__ = MaxSensitivity.__post_init__

    def __call__(
        self,
        model: object,
        inputs: Any,
        method: Method,
        target: Target | None = None,
        *,
        at: str | None = None,
        batch_size: int | None = None,
    ) -> Score:
        moved = _moved(self, model, inputs, method, target, at, batch_size)
        distance = torch.where(moved.distance > 0, moved.distance, torch.nan)
        return moved.scored("local Lipschitz constant", distance)


@dataclass(frozen=True, eq=False, kw_only=True)
class Perturbed:
    """Examples that were changed so that their label stays: `of` says which example each was made from, ascending or
    not; `rows`, for each part, which row of that part of the original inputs a row corresponds to, -1 for none.

    Without `rows` every copy has the rows of its example, in the same order.
    """

    inputs: Inputs
    of: Int[Tensor, " copies"]
    rows: Mapping[str, Int[Tensor, " rows"]] | None = None


def under_perturbation(
    model: object,
    inputs: Any,
    method: Method,
    perturb: Callable[[Inputs], Perturbed],
    target: Target | None = None,
    *,
    draws: int = 39,
    seed: int = 0,
    at: str | None = None,
    batch_size: int | None = None,
) -> Score:
    """Spearman's ρ of the values of corresponding rows before and after a perturbation that keeps the label: 1 is best.

    The mean over an example's copies; one that has none, or fewer than two rows that correspond, has no score. Signed.
    Only the order counts. Chance are random values before and after. The target is that of the example itself. For the
    change of accuracy score the copies against their own truth and ask `score.change`.
    Raises `InputError` where the perturbation does not fit its inputs.
    """
    put = posed(model, inputs, _target(target), needs=needs_of(method), at=at, batch_size=batch_size)
    changed = perturb(put.inputs)
    (own,) = explained(put, method, batch_size=batch_size)
    targets = [put.targets[0].take(changed.of)]
    (other,) = explained(put, method, inputs=changed.inputs, targets=targets, batch_size=batch_size)
    before, after = subject(own, inputs=put.inputs), subject(other, inputs=changed.inputs)
    here, there = _corresponding(put.inputs, before, changed, after)
    copies = len(changed.inputs)
    owner = after.owner[there]
    keys, copy_keys = (keyed.contents(each.parts, each.owners, len(each)) for each in (put.inputs, changed.inputs))
    random = before.drawn(keys, draws=draws, seed=2 * seed)
    random_after = after.drawn(copy_keys, draws=draws, seed=2 * seed + 1)
    values = padded(torch.cat([before.values[None], random])[:, here], owner, copies)
    moved = padded(torch.cat([after.values[None], random_after])[:, there], owner, copies)
    both = padded(torch.ones(len(owner), dtype=torch.bool), owner, copies)
    alike = rho(values, moved, both.expand(values.shape))
    usable = ~alike[0].isnan()
    of = changed.of.cpu()[usable]
    total = alike.new_zeros(len(alike), len(put.inputs)).index_add_(1, of, alike[:, usable])
    mean = total / torch.bincount(of, minlength=len(put.inputs))
    return scored("agreement under perturbation", mean[:1].numpy(), mean[1:].numpy(), worst=-1.0, best=1.0)


def _corresponding(
    inputs: Inputs, before: Subject, changed: Perturbed, after: Subject
) -> tuple[Int[Tensor, " pairs"], Int[Tensor, " pairs"]]:
    """Places in the values before, and of the same row in those after."""
    if len(changed.of) != len(changed.inputs) or not bool(((changed.of >= 0) & (changed.of < len(inputs))).all()):
        raise InputError(f"the perturbation gave {len(changed.inputs)} copies of {len(changed.of)} examples")
    place, copied = _numbered(inputs, before), changed.inputs
    if changed.rows is None:
        taken = inputs.take(changed.of)
        if any(len(taken.owners[n]) != len(copied.owners[n]) for n in taken.owners):
            raise InputError("the perturbation changed the number of rows: say which row each corresponds to")
        numbered = inputs.replace(Parts({n: precise(place[n].to(inputs.device)) for n in place}))
        rows = {n: each.cpu().long() for n, each in numbered.take(changed.of).parts.items()}
    else:
        if missing := set(copied.parts) - set(changed.rows):
            raise InputError(f"the perturbation says nothing of the rows of {', '.join(sorted(missing))}")
        known = {n: row.cpu() for n, row in changed.rows.items()}
        rows = {n: torch.where(known[n][:, None] >= 0, place[n][known[n].clamp(min=0)], -1) for n in copied.parts}
    after_place = _numbered(copied, after)
    here = torch.full((len(after.values),), -1)
    for name, row in rows.items():
        here[after_place[name].flatten()] = row.expand(after_place[name].shape).flatten()
    there = (here >= 0).nonzero()[:, 0]
    return here[there], there


def _numbered(inputs: Inputs, said: Subject) -> dict[str, Int[Tensor, "rows *entries"]]:
    """Where among the values each row, or entry of a row, stands."""
    owners = {name: owner.cpu() for name, owner in inputs.owners.items()}
    each = {n: len(said.values) // len(inputs) if inputs.single else 1 for n in owners}
    if inputs.of_rows and not inputs.single:
        each = {n: inputs.parts[n][:1].numel() for n in owners}
    owner = torch.cat([owners[n].repeat_interleave(each[n]) for n in owners])
    if len(owner) != len(said.values):
        raise InputError("the method's values are not those of the input's rows: what corresponds cannot be told")
    place = torch.empty_like(owner)
    place[owner.argsort(stable=True)] = torch.arange(len(owner))
    split = place.split([len(owners[n]) * each[n] for n in owners])
    return {n: cut.reshape(len(owners[n]), each[n]) for n, cut in zip(owners, split, strict=True)}


@dataclass(frozen=True, eq=False, kw_only=True)
class _Moved:
    """Values of the examples (first) and of their copies, and what was added to each copy."""

    values: Float[Tensor, "1+samples examples parts"]
    steps: Parts
    inputs: Inputs
    said: Subject
    keys: np.ndarray
    draws: int
    seed: int

    @property
    def distance(self) -> Float[Tensor, "samples examples"]:
        """How far each copy lies from its example."""
        total = torch.zeros(len(self.values) - 1, len(self.inputs), dtype=torch.double)
        for name, step in self.steps.items():
            rows = step.cpu().double().flatten(2).square().sum(2) if step.ndim > 2 else step.cpu().double().square()
            total.index_add_(1, self.inputs.owners[name].cpu(), rows)
        return total.sqrt()

    def scored(self, name: str, per: Float[Tensor, "samples examples"]) -> Score:
        own = (_norm(self.values[1:] - self.values[0]) / per).amax(0)
        random = torch.stack([self._random(draw, per) for draw in range(self.draws)] or [own.new_zeros(0, len(own))])
        random = random.reshape(self.draws, len(own))
        return scored(name, own[None].numpy(), random.numpy(), worst=np.inf, best=0.0)

    def _random(self, draw: int, per: Tensor) -> Float[Tensor, " examples"]:
        """Random values for the examples and each copy, with the norms that theirs have."""
        samples = len(self.values)
        random = self.said.drawn(self.keys, draws=samples, seed=self.seed * self.draws + draw, norm=False)
        table = self.said.table(random)
        table = table * (_norm(self.values) / _norm(table))[..., None]
        return (_norm(table[1:] - table[0]) / per).amax(0)


def _moved(
    measure: MaxSensitivity | LocalLipschitz,
    model: object,
    inputs: Any,
    method: Method,
    target: Target | None,
    at: str | None,
    batch_size: int | None,
) -> _Moved:
    put = posed(model, inputs, _target(target), needs=needs_of(method), at=at, batch_size=batch_size)
    copies, of, steps = _copies(put, measure)
    (found,) = explained(put, method, inputs=copies, targets=[put.targets[0].take(of)], batch_size=batch_size)
    said = subject(found, inputs=copies)
    table = said.table(said.values).reshape(1 + measure.samples, len(put.inputs), -1)
    one = put.inputs
    mine = int(torch.searchsorted(said.owner, len(one)))  # the examples themselves come first
    values, owner = said.values[:mine], said.owner[:mine]
    single = Subject(values=values, owner=owner, count=len(one), rows=values, row_owner=owner)
    keys = keyed.contents(one.parts, one.owners, len(one))
    return _Moved(values=table, steps=steps, inputs=one, said=single, keys=keys, draws=measure.draws, seed=measure.seed)


def _copies(put: Posed, measure: MaxSensitivity | LocalLipschitz) -> tuple[Inputs, Int[Tensor, " copies"], Parts]:
    """The examples and then, sample after sample, each moved at random; whose each is, and what was added."""
    given = put.inputs
    seeds = [(measure.seed, k) for k in range(measure.samples)]
    steps = drawn(given, seeds=seeds, law="uniform").map(lambda array: (2 * array - 1) * measure.radius)
    of = torch.arange(len(given), device=given.device).repeat(1 + measure.samples)
    parts = {n: torch.cat([a, (a + steps[n]).flatten(0, 1)]) for n, a in given.parts.items()}
    return given.take(of).replace(Parts(parts)), of, steps


def _norm(values: Float[Tensor, "*tables parts"]) -> Float[Tensor, "*tables"]:
    return values.square().sum(-1).sqrt()


def _target(target: Target | None) -> list[Target]:
    return [target if target is not None else Predicted()]
