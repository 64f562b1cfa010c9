"""LIME: the slopes of a linear surrogate, fitted to the model where examples resemble the one explained."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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
from attar.estimation.absence import absence
from attar.estimation.lime_points import Points
from attar.estimation.sampled import SUMMED, Estimate, Found, Layout, Question, by_count, every_mask
from attar.estimation.surrogate import fitted

_MOST = 2048  # features: the system to solve is features x features
_REGRESSORS = 2**20  # numbers that the regressors of tables may take at once: 8 MB


@dataclass(frozen=True, kw_only=True)
class Lime:
    """How much the model's answer changes with each feature, in a linear surrogate fitted around the example.

    In units of the target; positive supports it. Two neighbourhoods, by `background`:
    One baseline: features (`by`; None: every entry of a tensor, every row of a graph or bag) are kept or stand at the
    baseline, each by the toss of a coin, in antithetic pairs (a mask and its complement); masks are weighed by
    exp(-d² / 2 width²), d the cosine distance to all kept, width 0.25. A value is what keeping the feature adds. Up to
    `exact_up_to` features every mask is asked, and nothing is estimated.
    `Rows` of a table: every column is drawn from the background on its own, whatever the example, so that one set of
    points answers for the whole batch; a value is what it adds that the column is in the example's `bins`-quantile bin
    (quartiles) rather than outside. d² is the share of columns in another bin, width 0.75. With `bins` None columns
    are normal, d is in standard deviations (over the root of the number of columns) and a value is slope times
    distance from the column's mean. Of a data frame a category is at the example's level or not, in both ways, and what
    is missing is a bin or level of its own; a level that no row of the background has gets 0.
    Draws double until the error, the sum of 95% half-widths by sandwich standard errors, is at most `tolerance` of the
    values' L1 norm, or until the `budget` ends. It speaks of the draws, not of the surrogate: that is judged by
    `measured["R²"]`, the share of the answers' weighted variance that it explains. No feature is set to zero unasked,
    no slope is shrunk unless by `ridge`.
    Misleads where R² is low (no line fits), where features depend on each other (the points are unlike any example),
    and by its width, which is a choice.
    Raises `InputError` where the budget allows no fit. Source: Ribeiro et al. 2016, arXiv:1602.04938, eq. 1 and 2, and
    for tables the authors' package, from which we differ in drawing real values of a column within its bin, and in
    taking out beforehand what single columns do (a control variate), which leaves the limit and a tenth of the scatter.
    """

    by: Callable[[Inputs], Features] | None = None
    background: Baseline | Rows = field(default_factory=Zeros)
    bins: int | None = 4
    width: float | None = None
    ridge: float | None = None
    exact_up_to: int = 12
    tolerance: float = 0.05
    budget: int = 4096
    seed: int = 0

    needs: ClassVar[type] = Predictor

    def __post_init__(self) -> None:
        check_tolerance(self.tolerance)
        if self.width is not None and self.width <= 0:
            raise InputError(f"width is {self.width}, expected a positive distance")
        if self.ridge is not None and self.ridge < 0:
            raise InputError(f"ridge is {self.ridge}, expected 0 or more")
        if self.bins is not None and self.bins < 2:
            raise InputError(f"bins is {self.bins}, expected 2 or more, or None for columns as they are")
        if not 0 <= self.exact_up_to <= 20:
            raise InputError(f"exact_up_to is {self.exact_up_to}, expected 0 to 20 features (2^20 masks)")

    def __call__(self, model: Chunked, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Chunked, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        """Several targets, all from the same evaluations."""
        outputs = model.predict(inputs)
        asked = [target(outputs) for target in targets]
        worth = torch.stack([precise(each) for each in asked])
        resolution = SUMMED * torch.finfo(outputs.dtype).eps
        if isinstance(self.background, Rows):
            layout, samplers = self._on_points(model, inputs, targets, self.background)
        else:
            layout, samplers = self._on_masks(model, inputs, targets, self.background)
        found = Found.nothing(worth, max(sampler.features for sampler in samplers))
        for sampler in samplers:
            if isinstance(sampler, _Masks) and sampler.features <= self.exact_up_to and sampler.every <= self.budget:
                found.exactly(sampler.examples, sampler.exactly())
            else:
                found.sampled(sampler.examples, sampler, tolerance=self.tolerance, resolution=resolution)
        return found.attributions(asked, layout, "sum of 95% half-widths (sandwich), 0 where every mask was asked")

    def _on_masks(
        self, model: Chunked, inputs: Inputs, targets: Sequence[Target], baseline: Baseline
    ) -> tuple[Layout, list["_Masks"]]:
        around = absence(inputs, self.by, baseline)
        question = Question(
            model=model, targets=targets, copies=lambda example, keep: around.copies(example, example, keep)
        )
        groups = by_count(around.features, inputs, self.budget * len(targets))
        layout = Layout(around.features, inputs, self.by is None)
        return layout, [_Masks(self, question, features, examples) for features, examples in groups]

    def _on_points(
        self, model: Chunked, inputs: Inputs, targets: Sequence[Target], background: Rows
    ) -> tuple[Layout, list["_AtPoints"]]:
        if self.by is not None:
            raise InputError("by= groups what a baseline takes away; give by= or a background of rows, not both")
        width = 0.75 if self.width is None else self.width
        points = Points.of(model, inputs, background, bins=self.bins, width=width, seed=self.seed)
        entries = points.inputs.by_entry()
        columns = points.inputs.values.shape[1]
        examples = torch.arange(len(inputs), device=inputs.device)
        groups = examples.split(max(1, _REGRESSORS // (self.budget * columns)))
        layout = Layout(every_row(entries), inputs, on_rows=True)
        return layout, [_AtPoints(self, points, targets, columns, some) for some in groups]


@dataclass(eq=False)
class _Masks:
    """A surrogate over masks that are the same for all examples with so many features: one system, many answers."""

    method: Lime
    question: Question
    features: int
    examples: Int[Tensor, " held"]
    keep: Bool[Tensor, "pairs features"] = field(init=False)
    asked: Float[Tensor, "targets held halves pairs"] = field(init=False)

    def __post_init__(self) -> None:
        self.keep = torch.zeros(0, self.features, dtype=torch.bool, device=self.examples.device)
        self.asked = precise(self.keep.new_zeros(len(self.question.targets), len(self.examples), 2, 0))

    @property
    def every(self) -> int:
        return 1 + 2**self.features

    def exactly(self) -> Estimate:
        keep = every_mask(self.features, self.examples.device)
        return self._fit(keep, self.question.answers(self.examples, keep), paired=False)

    def rounds(self) -> Sequence[int]:
        first = max(32, 2 * (self.features + 2))  # pairs
        if self.features > _MOST:
            raise InputError(f"{self.features} features are too many to fit ({_MOST}); group them with by=")
        return _doubling(first, (self.method.budget - 1) // 2, f"{self.features} features need {1 + 2 * first}")

    def estimate(self, draws: int) -> Estimate:
        generator = np.random.default_rng([self.method.seed, self.features, len(self.keep)])
        fresh = torch.from_numpy(generator.random((draws - len(self.keep), self.features)) < 0.5).to(self.keep.device)
        answers = self.question.answers(self.examples, torch.cat([fresh, ~fresh])).unflatten(2, (2, -1))
        self.keep, self.asked = torch.cat([self.keep, fresh]), torch.cat([self.asked, answers], 3)
        return self._fit(torch.cat([self.keep, ~self.keep]), self.asked.flatten(2), paired=True)

    def hold(self, still: Bool[Tensor, " held"]) -> None:
        self.examples, self.asked = self.examples[still], self.asked[:, still]

    def _fit(self, keep: Bool[Tensor, "masks features"], answers: Float[Tensor, "targets held masks"], *, paired: bool):
        x = precise(keep)
        cosine = x.mean(1).sqrt() if self.features else x.new_ones(len(x))
        weights = torch.exp(-(1 - cosine).square() / (2 * (self.method.width or 0.25) ** 2))
        y = answers.flatten(0, 1).T
        fit = fitted(x[None], weights[None], y[None], ridge=self.method.ridge or 0.0, paired=paired)
        slopes, errors, explained = (
            array[0].unflatten(0, answers.shape[:2]) for array in (fit.slopes, fit.errors, fit.explained)
        )
        freedom = max(1, len(keep) // 2 - self.features - 1)
        return Estimate(values=slopes, errors=errors, freedom=freedom, used=1 + len(keep), said={"R²": explained})


@dataclass(eq=False)
class _AtPoints:
    """A surrogate for each example over the points that all of them share."""

    method: Lime
    points: Points
    targets: Sequence[Target]
    features: int
    examples: Int[Tensor, " held"]

    def rounds(self) -> Sequence[int]:
        most = self.method.budget - 1
        first = max(min(512, most), 4 * (self.features + 1))
        return _doubling(first, most, f"{self.features} columns need {1 + first}")

    def estimate(self, draws: int) -> Estimate:
        points = self.points.upto(draws)
        answers = self.points.answers(self.examples, self.targets, points.outputs)
        regressors, weights = self.points.around(self.examples, points)
        control = self.points.control(self.examples, points, answers)
        fit = fitted(regressors, weights, answers, ridge=self.method.ridge or 0.0, control=control)
        freedom = draws - self.features - 1 - (0 if control is None else control.freedom)
        slopes, errors = (array.transpose(0, 1) for array in (fit.slopes, fit.errors))
        if self.method.bins is None:  # from per standard deviation to what this example's distance from the mean adds
            reach = self.points.reach(self.examples)
            slopes, errors = slopes * reach, errors * reach.abs()
        said = {"R²": fit.explained.T}
        return Estimate(values=slopes, errors=errors, freedom=freedom, used=1 + draws, said=said)

    def hold(self, still: Bool[Tensor, " held"]) -> None:
        self.examples = self.examples[still]


def _doubling(first: int, most: int, need: str) -> list[int]:
    if first > most:
        raise InputError(f"{need} evaluations for a first fit: raise the budget, or group features with by=")
    return [first << k for k in range((most // first).bit_length()) if 3 * (first << k) <= 2 * most] + [most]
