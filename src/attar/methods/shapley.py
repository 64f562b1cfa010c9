"""Shapley values: exact for few features, otherwise sampled to a tolerance."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.baseline import Baseline, Rows, Zeros
from attar.core.error import check_tolerance
from attar.core.errors import InputError
from attar.core.features import Features, every_row
from attar.core.inputs import Inputs
from attar.core.model import Chunked, Predictor
from attar.core.parts import precise
from attar.core.target import Target
from attar.estimation.absence import Absence, absence, some_of, that_differ
from attar.estimation.sampled import Estimate, Found, Layout, by_count
from attar.estimation.shapley_estimators import Estimator, Kernel, every_coalition, shapley_weights

_GROWTH = 1.3  # times as many draws after each further round


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
        check_tolerance(self.tolerance)
        if not 2 <= self.exact_up_to <= 20:
            raise InputError(f"exact_up_to is {self.exact_up_to}, expected 2 to 20 features (2^20 coalitions)")

    def __call__(self, model: Chunked, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Chunked, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        outputs = model.predict(inputs)
        asked = [target(outputs) for target in targets]
        worth = torch.stack([precise(each) for each in asked])
        rows = len(self.background) if isinstance(self.background, Rows) else 1
        resolution = torch.finfo(outputs.dtype).eps
        whole = inputs.by_entry()
        features = every_row(whole) if self.by is None else self.by(whole)
        differing = that_differ(features, inputs, self.background)
        by = self.by if bool(differing.all()) else lambda _: some_of(features, differing)
        game = _Game(model, absence(inputs, by, self.background), targets, rows)
        groups = by_count(game.absence.features, inputs, self.budget * len(targets))
        found = Found.nothing(worth, max(players for players, _ in groups), complete=True)
        for players, examples in groups:
            if not players:  # absent, all features are worth what they are worth present
                continue
            coalitions = _Coalitions(self, game, players, examples, worth[:, examples])
            if players == 1 or (players <= self.exact_up_to and 1 + rows * (2**players - 1) <= self.budget):
                found.exactly(examples, coalitions.exactly())
            else:
                found.sampled(examples, coalitions, tolerance=self.tolerance, resolution=resolution)
        how = f"sum of 95% half-widths over draws of {type(self.estimator).__name__}, 0 where every coalition was asked"
        layout = Layout(features, inputs, self.by is None, chosen=differing)
        return found.attributions(asked, layout, how)


@dataclass(eq=False)
class _Coalitions:
    """The worths of coalitions that are the same for all examples with so many players, and what follows from them."""

    method: Shapley
    game: "_Game"
    players: int
    examples: Int[Tensor, " held"]
    worth: Float[Tensor, "targets held"]
    drawn: int = 0
    keep: Bool[Tensor, "rows coalitions players"] = field(init=False)
    nobody: Float[Tensor, "targets held rows"] = field(init=False)
    halves: Float[Tensor, "targets held rows coalitions"] = field(init=False)

    def exactly(self) -> Estimate:
        rows = self.game.rows
        keep = every_coalition(self.players).to(self.worth.device).expand(rows, -1, -1)
        worths = torch.cat([self.game.worths(self.examples, keep).mean(2), self.worth[..., None]], -1)
        values = worths @ shapley_weights(self.players).to(worths)
        used = 1 + rows * (2**self.players - 1)
        return Estimate(values=values, errors=torch.zeros_like(values), freedom=1, used=used, reference=worths[..., 0])

    def rounds(self) -> Sequence[int]:
        method, rows = self.method, self.game.rows
        most, draws = (method.budget - 1 - rows) // self._each, method.estimator.first(self.players, rows)
        if self.players > method.estimator.most:
            raise InputError(
                f"{self.players} features are too many for {method.estimator!r} ({method.estimator.most}); group them "
                "with by=, or give estimator=Permutations()"
            )
        if draws > most:
            raise InputError(
                f"{self.players} features over {rows} background rows need {1 + rows + draws * self._each} evaluations "
                f"for a first estimate, the budget is {method.budget}; raise it, group features with by=, or give "
                "fewer rows"
            )
        ascending = [draws]
        while ascending[-1] < most:
            ascending.append(min(most, ceil(ascending[-1] * _GROWTH)))
        return ascending

    @property
    def _each(self) -> int:
        """Evaluations for one draw."""
        return 2 * self.game.rows * self.method.estimator.size(self.players)

    def estimate(self, draws: int) -> Estimate:
        method, rows, drawn = self.method, self.game.rows, self.drawn
        if not drawn:
            self.keep = torch.zeros(rows, 0, self.players, dtype=torch.bool, device=self.worth.device)
            self.nobody = self.game.worths(self.examples, self.keep.new_zeros(rows, 1, self.players))[..., 0]
            self.halves = self.worth.new_zeros(*self.nobody.shape, 0)
        generator = np.random.default_rng([method.seed, self.players, drawn])
        fresh = method.estimator.draw(self.players, rows, draws - drawn, generator).to(self.worth.device)
        self.keep = torch.cat([self.keep, fresh], 1)
        self.halves = torch.cat([self.halves, self.game.halves(self.examples, fresh)], -1)
        self.drawn = draws
        division = method.estimator.solve(self.keep, self.halves, self.worth[..., None] - self.nobody)
        return Estimate(
            values=division.values,
            errors=division.variance.sqrt(),
            freedom=division.freedom,
            used=1 + rows + draws * self._each,
            reference=self.nobody.mean(2),
        )

    def hold(self, still: Bool[Tensor, " held"]) -> None:
        self.examples, self.worth = self.examples[still], self.worth[:, still]
        self.nobody, self.halves = self.nobody[:, still], self.halves[:, still]


@dataclass(frozen=True, eq=False)
class _Game:
    """What the targets are when only some features of an example are present, the rest at a row of the background.

    Worths are in double precision. The examples of one call have the same number of features.
    """

    model: Chunked
    absence: Absence
    targets: Sequence[Target]
    rows: int

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
