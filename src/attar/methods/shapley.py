"""Shapley values: exact for few features, otherwise sampled to a tolerance."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.special import stdtrit
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.baseline import Baseline, Rows, Zeros
from attar.core.error import Error
from attar.core.errors import InputError
from attar.core.features import Features, every_row
from attar.core.inputs import Entries, Inputs, Tensors, starts
from attar.core.model import Chunked, Predictor
from attar.core.parts import Parts, precise
from attar.core.target import Target
from attar.estimation.absence import Absence, absence, some_of, that_differ
from attar.estimation.shapley_estimators import Estimator, Kernel, every_coalition, shapley_weights

_GROWTH = 1.5  # times as many draws after each further round
_HELD = 2**24  # worths of coalitions that are held at once


@dataclass(frozen=True, kw_only=True)
class Shapley:
    """What each feature adds to the output, averaged over all orders in which the features could join.

    In units of the target; positive supports it. Complete: the values sum to output - reference exactly. `by` says
    which rows make up a feature (None: every entry of a tensor, every row of a graph or bag). An absent feature stands
    at `background`: one baseline, or `Rows` of examples, over which worths are averaged. No background is neutral:
    zeros, the default as everywhere here, are a choice, and another one is another question.
    Up to `exact_up_to` features every coalition is asked, where 2^features x background rows keep to `budget`
    evaluations. Otherwise `estimator` draws coalitions, for each example until the error is at most `tolerance` of the
    values' L1 norm or the budget ends. The error is the sum of the values' 95% half-widths (Student's t); it does not
    speak of the choice of background. A feature that stands at the background already has 0, unasked; no other value is
    set to zero.
    Misleads where features depend on each other: coalitions mix rows into examples that cannot be, and features that
    say the same share what is due to one.
    Raises `InputError` where the budget allows no estimate. Source: Shapley 1953; Strumbelj & Kononenko 2014, eq. 9.
    """

    by: Callable[[Inputs], Features] | None = None
    background: Baseline | Rows = field(default_factory=Zeros)
    estimator: Estimator = field(default_factory=Kernel)
    exact_up_to: int = 12
    tolerance: float = 0.05
    budget: int = 65536
    seed: int = 0

    needs: ClassVar[type] = Predictor

    def __post_init__(self) -> None:
        if not 0 < self.tolerance < 1:
            raise InputError(f"tolerance is {self.tolerance}, expected between 0 and 1 (0.05 is five percent)")
        if not 2 <= self.exact_up_to <= 20:
            raise InputError(f"exact_up_to is {self.exact_up_to}, expected 2 to 20 features (2^20 coalitions)")

    def __call__(self, model: Chunked, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Chunked, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        outputs = model.predict(inputs)
        asked = [target(outputs) for target in targets]
        worth = torch.stack([precise(each) for each in asked])
        rows = len(self.background) if isinstance(self.background, Rows) else 1
        whole = Entries.of(inputs) if isinstance(inputs, Tensors) else inputs
        features = every_row(whole) if self.by is None else self.by(whole)
        differing = that_differ(features, inputs, self.background)
        by = self.by if bool(differing.all()) else lambda _: some_of(features, differing)
        game = _Game(model, absence(inputs, by, self.background), targets, rows, torch.finfo(outputs.dtype).eps)
        players = torch.bincount(features.owner[differing], minlength=len(inputs))
        found = _Division.of_nothing(worth, int(players.max()))
        for number in players.unique().tolist():
            for examples in (players == number).nonzero()[:, 0].split(max(1, _HELD // (self.budget * len(targets)))):
                found.take_over(self._divided(game, examples, number, worth[:, examples]), examples)
        owner = features.owner[differing]
        within = torch.arange(len(owner), device=inputs.device) - starts(owner, len(inputs))[owner]
        values, errors = worth.new_zeros(2, len(targets), len(features))
        values[:, differing], errors[:, differing] = found.values[:, owner, within], found.errors[:, owner, within]
        how = f"sum of 95% half-widths over draws of {type(self.estimator).__name__}, 0 where every coalition was asked"
        return [
            Attribution(
                parts=self._laid_out(values[k].to(output.dtype), features, inputs),
                standard_error=self._laid_out(errors[k].to(output.dtype), features, inputs),
                owners=inputs.owners if self.by is None else {features.name: features.owner},
                names={features.name: features.names} if self.by is not None and features.names is not None else {},
                carried_by=None if self.by is None else features.rule,
                output=output,
                reference=found.nobody[k].to(output.dtype),
                error=Error(found.bound[k], how, found.reached[k]),
                evaluations=found.used[k],
            )
            for k, output in enumerate(asked)
        ]

    def _laid_out(self, values: Tensor, features: Features, inputs: Inputs) -> Parts:
        """One value per feature; where every row is one, in the shape of the inputs' parts."""
        if self.by is not None:
            return Parts({features.name: values})
        rows = Parts({part: values[share.feature] for part, share in features.shares.items()})
        return rows.map(lambda array: array.reshape(inputs.values.shape)) if isinstance(inputs, Tensors) else rows

    def _divided(self, game: "_Game", examples: Tensor, players: int, worth: Tensor) -> "_Division":
        if not players:
            return _Division.of_nothing(worth, 0)
        if players == 1 or (players <= self.exact_up_to and 1 + game.rows * (2**players - 1) <= self.budget):
            return _exact(game, examples, players, worth)
        return self._sampled(game, examples, players, worth)

    def _sampled(self, game: "_Game", examples: Tensor, players: int, worth: Tensor) -> "_Division":
        each = 2 * game.rows * self.estimator.size(players)
        most, draws, drawn = (self.budget - 1 - game.rows) // each, self.estimator.first(players, game.rows), 0
        if players > self.estimator.most:
            raise InputError(
                f"{players} features are too many for {self.estimator!r} ({self.estimator.most}); group them with by=, "
                "or give estimator=Permutations()"
            )
        if draws > most:
            raise InputError(
                f"{players} features over {game.rows} background rows need {1 + game.rows + draws * each} evaluations "
                f"for a first estimate, the budget is {self.budget}; raise it, group features with by=, or give fewer "
                "rows"
            )
        keep = torch.zeros(game.rows, 0, players, dtype=torch.bool, device=worth.device)
        nobody = game.worths(examples, keep.new_zeros(game.rows, 1, players))[..., 0]
        halves = worth.new_zeros(*nobody.shape, 0)
        # What rounding in the model's own precision makes out of no change at all.
        floor = players * game.resolution * torch.maximum(worth.abs(), nobody.abs().amax(2))
        found = _Division.of_nothing(worth, players)
        left, going = torch.arange(len(examples), device=worth.device), torch.ones_like(worth, dtype=torch.bool)
        while True:
            generator = np.random.default_rng([self.seed, players, drawn])
            fresh = self.estimator.draw(players, game.rows, draws - drawn, generator).to(worth.device)
            keep = torch.cat([keep, fresh], 1)
            halves = torch.cat([halves, game.halves(examples[left], fresh)], -1)
            estimate = self.estimator.solve(keep, halves, worth[:, left, None] - nobody[:, left])
            errors = estimate.variance.sqrt()
            bound = errors.sum(-1) * float(stdtrit(estimate.freedom, 0.975))
            reached = bound <= self.tolerance * estimate.values.abs().sum(-1) + floor[:, left]
            used = torch.full_like(reached, 1 + game.rows + draws * each, dtype=torch.long)
            division = _Division(estimate.values, errors, bound, nobody.mean(2)[:, left], used, reached)
            found.take_over(division, left, going[:, left])
            going[:, left] &= ~reached
            still = going[:, left].any(0)
            if draws == most or not bool(still.any()):
                return found
            left, halves, drawn = left[still], halves[:, still], draws
            draws = min(most, ceil(draws * _GROWTH))


def _exact(game: "_Game", examples: Tensor, players: int, worth: Tensor) -> "_Division":
    keep = every_coalition(players).to(worth.device).expand(game.rows, -1, -1)
    worths = torch.cat([game.worths(examples, keep).mean(2), worth[..., None]], -1)
    found = _Division.of_nothing(worth, players)
    values = worths @ shapley_weights(players).to(worths)
    return replace(found, values=values, nobody=worths[..., 0], used=found.used + game.rows * (2**players - 1))


@dataclass(frozen=True, eq=False)
class _Division:
    """What was found of some examples: values and standard errors of their features, and what is said of each."""

    values: Float[Tensor, "targets batch features"]
    errors: Float[Tensor, "targets batch features"]
    bound: Float[Tensor, "targets batch"]
    nobody: Float[Tensor, "targets batch"]
    used: Int[Tensor, "targets batch"]
    reached: Bool[Tensor, "targets batch"]

    @classmethod
    def of_nothing(cls, worth: Float[Tensor, "targets batch"], features: int) -> "_Division":
        """No feature had anything to take: absent, they are worth what they are worth present."""
        zeros, ones = worth.new_zeros(*worth.shape, features), torch.ones_like(worth, dtype=torch.bool)
        return cls(zeros, zeros.clone(), torch.zeros_like(worth), worth.clone(), ones.long(), ones)

    def take_over(self, other: "_Division", examples: Tensor, where: Tensor | None = None) -> None:
        """What another says of `examples` in its order, for the (target, example) pairs `where`."""
        where = torch.ones_like(other.reached) if where is None else where
        for mine, theirs in ((self.values, other.values), (self.errors, other.errors)):
            some = mine[..., : theirs.shape[-1]]
            some[:, examples] = torch.where(where[..., None], theirs, some[:, examples])
        for mine, theirs in (
            (self.bound, other.bound),
            (self.nobody, other.nobody),
            (self.used, other.used),
            (self.reached, other.reached),
        ):
            mine[:, examples] = torch.where(where, theirs, mine[:, examples])


@dataclass(frozen=True, eq=False)
class _Game:
    """What the targets are when only some features of an example are present, the rest at a row of the background.

    Worths are in double precision. The examples of one call have the same number of features.
    """

    model: Chunked
    absence: Absence
    targets: Sequence[Target]
    rows: int
    resolution: float  # of the model's outputs, relative

    def worths(
        self, examples: Int[Tensor, " batch"], keep: Bool[Tensor, "rows coalitions features"]
    ) -> Float[Tensor, "targets batch rows coalitions"]:
        """The same coalitions for every example; each row of the background has its own."""
        return self._asked(examples, keep, self.model.size, self._worth)

    def halves(
        self, examples: Int[Tensor, " batch"], keep: Bool[Tensor, "rows coalitions features"]
    ) -> Float[Tensor, "targets batch rows coalitions"]:
        """Half of what each coalition is worth more than its complement."""

        def half(example: Tensor, row: Tensor, some: Tensor) -> Tensor:
            both = self._worth(example.repeat(2), row.repeat(2), torch.cat([some, ~some]))
            return (both[:, : len(some)] - both[:, len(some) :]) / 2

        return self._asked(examples, keep, max(1, self.model.size // 2), half)

    def _worth(self, example: Tensor, row: Tensor, keep: Tensor) -> Tensor:
        outputs = self.model.predict(self.absence.copies(example, row, keep))
        return torch.stack([precise(target.take(example)(outputs)) for target in self.targets])

    def _asked(self, examples: Tensor, keep: Tensor, packed: int, ask: Callable[..., Tensor]) -> Tensor:
        rows, coalitions, features = keep.shape
        flat = keep.reshape(rows * coalitions, features)
        found = []
        for index in torch.arange(len(examples) * len(flat), device=examples.device).split(packed):
            within = index % len(flat)
            found.append(ask(examples[index // len(flat)], within // coalitions, flat[within]))
        return torch.cat(found, 1).reshape(len(self.targets), len(examples), rows, coalitions)
