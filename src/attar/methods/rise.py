"""RISE: what the answer gains with each place, everything else there or gone by chance."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.baseline import Baseline, Zeros
from attar.core.error import check_tolerance
from attar.core.errors import InputError
from attar.core.features import Features
from attar.core.inputs import Inputs, Tensors
from attar.core.model import Chunked, Predictor
from attar.core.parts import precise
from attar.core.target import Target
from attar.estimation.absence import absence
from attar.estimation.sampled import SUMMED, Estimate, Found, Layout, Question, by_count, every_mask
from attar.estimation.soft_masks import SoftMasks

_BLOCKS = 8  # independent ones that a first standard error needs
_NUMBERS = 2**24  # numbers that the masks of one block may take: 128 MB


@dataclass(frozen=True, kw_only=True)
class Rise:
    """The output with a feature kept less the output with it taken away, on average over masks of all the others.

    In units of the target; positive supports it. Features are `by`'s, or every row of a graph or bag, every entry of a
    table; each is kept or stands at the `baseline` by the toss of a coin. On a tensor with space (three axes or more)
    and no `by`, masks are `cells` by `cells` coins, interpolated to the input's size and shifted at random: a value is
    then the slope of the output on the mask there, and speaks of a place of about a cell. Entries along the axis
    `channels` share a mask, and the place's value in even parts (1 for images, waveforms and volumes; -1 for tokens,
    with as many `cells` as tokens). Up to `exact_up_to` features every mask is asked.
    Masks come in antithetic pairs (a mask and its complement), and pairs in blocks whose coins are orthogonal: what
    another feature does on its own adds no scatter. Blocks double until the error, the sum of 95% half-widths
    (Student's t over blocks), is at most `tolerance` of the values' L1 norm, or until the `budget` ends.
    Misleads where masked examples are unlike anything the model has seen, and by blur: no sharper than a cell.
    Raises `InputError` where the budget holds no eight blocks.
    Source: Petsiuk et al. 2018, arXiv:1806.07421, eq. 6. It is the mean output with the place kept, which is never
    negative for a probability and mostly the same everywhere; here the mean with it taken away is subtracted, half of
    the cells are kept, and the blocks (Plackett & Burman 1946, folded over) are ours.
    """

    by: Callable[[Inputs], Features] | None = None
    baseline: Baseline = field(default_factory=Zeros)
    cells: int = 7
    channels: int = 1
    exact_up_to: int = 12
    tolerance: float = 0.05
    budget: int = 4096
    seed: int = 0

    needs: ClassVar[type] = Predictor

    def __post_init__(self) -> None:
        check_tolerance(self.tolerance)
        if self.cells < 1:
            raise InputError(f"cells is {self.cells}, expected 1 or more along each axis")
        if self.budget < 2 * _BLOCKS + 1:
            raise InputError(f"budget is {self.budget}, expected at least {2 * _BLOCKS + 1} evaluations per example")
        if not 0 <= self.exact_up_to <= 20:
            raise InputError(f"exact_up_to is {self.exact_up_to}, expected 0 to 20 features (2^20 masks)")

    def __call__(self, model: Chunked, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Chunked, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        """Several targets, all from the same evaluations."""
        outputs = model.predict(inputs)
        asked = [target(outputs) for target in targets]
        worth = torch.stack([precise(each) for each in asked])
        if self.by is None and isinstance(inputs, Tensors) and inputs.values.ndim > 2:
            soft = SoftMasks.over(inputs, self.baseline, cells=self.cells, channels=self.channels)
            features, copies, split = soft.features, soft.copies, inputs.values.shape[self.channels]
        else:
            soft, around = None, absence(inputs, self.by, self.baseline)
            features, copies, split = around.features, lambda e, keep: around.copies(e, e, keep > 0.5), 1
        question = Question(model=model, targets=targets, copies=copies)
        groups = by_count(features, inputs, self.budget * len(targets))
        resolution = SUMMED * torch.finfo(outputs.dtype).eps
        found = Found.nothing(worth, max(count for count, _ in groups))
        for count, examples in groups:
            blocks = _Blocks(self, question, count, examples, soft)
            if soft is None and count <= self.exact_up_to and 1 + 2**count <= self.budget:
                found.exactly(examples, blocks.exactly())
            else:
                found.sampled(examples, blocks, tolerance=self.tolerance, resolution=resolution)
        layout = Layout(features, inputs, self.by is None, split)
        return found.attributions(asked, layout, "sum of 95% half-widths over blocks, 0 where every mask was asked")


@dataclass(eq=False)
class _Blocks:
    """Independent estimates, each from one block of orthogonal masks, and their mean."""

    method: Rise
    question: Question
    features: int
    examples: Int[Tensor, " held"]
    soft: SoftMasks | None
    drawn: int = 0
    mean: Tensor | float = 0.0
    squares: Tensor | float = 0.0  # summed around the mean

    def exactly(self) -> Estimate:
        masks = precise(every_mask(self.features, self.examples.device))
        answers = self.question.answers(self.examples, masks)
        return Estimate(
            values=answers @ (masks - 0.5) * (4 / len(masks)),
            errors=answers.new_zeros(*answers.shape[:2], self.features),
            freedom=1,
            used=1 + len(masks),
        )

    @property
    def coins(self) -> int:
        return self.features if self.soft is None else self.soft.coins

    @property
    def pairs(self) -> int:
        """In one block: as many as coins can be orthogonal in, unless the budget or memory holds fewer."""
        most = (self.method.budget - 1) // (2 * _BLOCKS)
        return max(1, min(_power(self.coins), most, _NUMBERS // max(self.features, 1)))

    def rounds(self) -> Sequence[int]:
        most = (self.method.budget - 1) // (2 * self.pairs)
        return [_BLOCKS << k for k in range((most // _BLOCKS).bit_length()) if 3 * (_BLOCKS << k) <= 2 * most] + [most]

    def estimate(self, draws: int) -> Estimate:
        for number in range(self.drawn, draws):
            block = self._block(number)
            step = block - self.mean
            self.mean = self.mean + step / (number + 1)
            self.squares = self.squares + step * (block - self.mean)
        self.drawn = draws
        errors = (torch.as_tensor(self.squares) / (draws - 1) / draws).sqrt()
        used = 1 + 2 * self.pairs * draws
        return Estimate(values=torch.as_tensor(self.mean), errors=errors, freedom=draws - 1, used=used)

    def hold(self, still: Bool[Tensor, " held"]) -> None:
        self.examples = self.examples[still]
        self.mean, self.squares = (torch.as_tensor(array)[:, still] for array in (self.mean, self.squares))

    def _block(self, number: int) -> Float[Tensor, "targets held features"]:
        generator = np.random.default_rng([self.method.seed, self.coins, number])
        centred = precise(_orthogonal(self.pairs, self.coins, generator).to(self.examples.device))
        if self.soft is not None:
            centred = self.soft.spread(centred, generator)
        answers = self.question.answers(self.examples, torch.cat([0.5 + centred, 0.5 - centred]))
        with_it, without = answers.chunk(2, 2)
        varying = 1.0 if self.soft is None else self.soft.concentration
        return (with_it - without) @ centred * (2 / self.pairs) / varying


def _power(least: int) -> int:
    """The power of two that is at least so much."""
    return 1 << max(least - 1, 0).bit_length()


def _orthogonal(rows: int, columns: int, generator: np.random.Generator) -> Float[Tensor, "rows columns"]:
    """Coins of ±1/2: rows and columns of a Hadamard matrix at random, each column's sign by a coin of its own, so that
    any one row is coins that know nothing of each other."""
    order = _power(columns)
    row, column = generator.permutation(order)[:rows, None], generator.permutation(order)[:columns]
    ones = row & column
    for shift in (32, 16, 8, 4, 2, 1):  # the parity of the bits
        ones = ones ^ (ones >> shift)
    ones = (ones & 1) ^ generator.integers(2, size=columns)
    return torch.from_numpy((ones - 0.5).astype(np.float32))
