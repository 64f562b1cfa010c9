"""Fitting a generalized linear model: Newton's method, with quadratic penalties or with groups that go in or out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import cho_solve

from attar.core.errors import InputError
from attar.design.families import Column, Family, null_predictor

_ROUNDS = 100  # of Newton's method; it takes about ten
_SWEEPS = 2000  # over the groups, in each round
_SMALL = 1e-12  # where a round promises a smaller share of the loss, it is the last


@dataclass(frozen=True, eq=False, kw_only=True)
class Problem:
    """The sum over rows of weight · loss, plus half the quadratic form `quadratic` in every output's terms
    (coefficients, the intercept last), plus `strength` times the sum over groups of √size · ‖coefficients‖ (over
    columns and outputs).

    `groups` are the columns of each group; empty: no such penalty. X may be sparse.
    """

    family: Family
    X: Any
    y: Column
    weight: Float[np.ndarray, " rows"]
    quadratic: Float[np.ndarray, "terms terms"]
    groups: Sequence[Int[np.ndarray, " members"]] = ()
    strength: float = 0.0

    @property
    def outputs(self) -> int:
        return self.y.shape[1]

    def eta(self, theta: Float[np.ndarray, "outputs terms"]) -> Column:
        """The linear predictor. `theta` holds for each output its coefficients, and the intercept last."""
        return np.asarray(self.X @ theta[:, :-1].T) + theta[:, -1]

    def smooth(self, theta: Float[np.ndarray, "outputs terms"]) -> float:
        loss = float(self.weight @ self.family.loss(self.y, self.eta(theta)))
        return loss + 0.5 * float(((theta @ self.quadratic) * theta).sum())

    def penalty(self, theta: Float[np.ndarray, "outputs terms"]) -> float:
        return sum(reach * float(np.linalg.norm(theta[:, group])) for group, reach in self.reaches())

    def reaches(self) -> list[tuple[Int[np.ndarray, " members"], float]]:
        """Each group with the gradient that it takes to bring it in."""
        return [(group, self.strength * len(group) ** 0.5) for group in self.groups]

    def gradient(self, theta: Float[np.ndarray, "outputs terms"]) -> Float[np.ndarray, "outputs terms"]:
        """Of all but the groups' penalty."""
        slope = self.weight[:, None] * self.family.slope(self.y, self.eta(theta))
        by_column = np.asarray(self.X.T @ slope).T
        return np.concatenate([by_column, slope.sum(0)[:, None]], 1) + theta @ self.quadratic

    def hessian(self, theta: Float[np.ndarray, "outputs terms"]) -> Float[np.ndarray, "every every"]:
        """Of all but the groups' penalty, over the flattened `theta`."""
        curve = self.weight[:, None, None] * self.family.curvature(self.y, self.eta(theta))
        terms, count = self.X.shape[1] + 1, self.outputs
        whole = np.empty((count, terms, count, terms))
        for one in range(count):
            for other in range(one, count):
                block = crossed(self.X, curve[:, one, other])
                block = block + self.quadratic if one == other else block
                whole[one, :, other] = whole[other, :, one] = block
        if count > 1:
            # All outputs' terms up by one number are the same model: nothing pulls that way, and a cost of it, which
            # no step pays, leaves the matrix with an inverse.
            place = np.arange(terms)
            diagonal = np.einsum("ktkt->t", whole) / count
            whole[:, place, :, place] += diagonal[:, None, None] / count
        return whole.reshape(count * terms, count * terms)


def crossed(X: Any, weight: Float[np.ndarray, " rows"]) -> Float[np.ndarray, "terms terms"]:
    """AᵀWA, where A is X with a column of ones last."""
    weighted = X.multiply(weight[:, None]).tocsr() if hasattr(X, "multiply") else X * weight[:, None]
    inner = X.T @ weighted
    inner = inner.toarray() if hasattr(inner, "toarray") else inner
    ends = np.asarray(weighted.sum(0)).ravel()
    return np.block([[inner, ends[:, None]], [ends[None], np.full((1, 1), weight.sum())]])


def fitted(
    problem: Problem, start: Float[np.ndarray, "outputs terms"] | None = None
) -> Float[np.ndarray, "outputs terms"]:
    """The coefficients of least loss for each output, the intercept last; of equal ones the smallest, where it starts
    from none.

    Newton's method with steps that are halved until they gain; with groups each step minimises the quadratic model plus
    the penalty, by passing over the groups. Where no finite coefficients are best (classes that a plane separates) it
    ends once hardly anything is left to gain: see `separation`.
    Source: Lee, Sun & Saunders 2014, doi:10.1137/130921428 (proximal Newton); Yang & Zou 2015,
    doi:10.1007/s11222-014-9498-5 (passing over groups).
    Raises: InputError where the labels have more spread than numbers can hold.
    """
    theta = np.zeros((problem.outputs, problem.X.shape[1] + 1))
    theta[:, -1] = null_predictor(problem.family, problem.y, problem.weight)
    theta = theta if start is None else start
    value = problem.smooth(theta) + problem.penalty(theta)
    if not np.isfinite(value):
        raise InputError("the labels are too large for this family: give them in larger units")
    for _ in range(_ROUNDS):
        gradient, hessian = problem.gradient(theta), problem.hessian(theta)
        step = _grouped_step(problem, theta, gradient, hessian) if problem.groups else _step(gradient, hessian)
        promised = float((gradient * step).sum()) + problem.penalty(theta + step) - problem.penalty(theta)
        if -promised <= _SMALL * (abs(value) + 1):  # once more, which squares what is left
            return theta + step
        size = 1.0
        while not (better := problem.smooth(theta + size * step) + problem.penalty(theta + size * step)) <= (
            value + 1e-4 * size * promised
        ):
            size /= 2
            if size < 1e-9:
                return theta
        theta, value = theta + size * step, better
    return theta


def _step(gradient: np.ndarray, hessian: np.ndarray) -> np.ndarray:
    """Newton's step; the shortest where columns that say the same leave a choice."""
    return -solved(hessian, gradient.ravel()).reshape(gradient.shape)


def solved(matrix: Float[np.ndarray, "n n"], right: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """matrix⁻¹ · right of a positive semi-definite matrix, scaled to a unit diagonal; its pseudo-inverse where
    singular."""
    diagonal = np.diag(matrix)
    if (diagonal > 0).all():
        across = 1 / np.sqrt(diagonal)
        try:
            factor = np.linalg.cholesky(matrix * across * across[:, None])
        except np.linalg.LinAlgError:
            factor = np.zeros((1, 1))
        if np.diag(factor).min() ** 2 > 1e3 * RANK:  # a pivot is what the others leave of a column
            return across * cho_solve((factor, True), across * right)
    inverse, scale = inverted(matrix)
    return scale * (inverse @ (scale * right))


def inverted(
    matrix: Float[np.ndarray, "n n"],
) -> tuple[Float[np.ndarray, "n n"], Float[np.ndarray, " n"]]:
    """The pseudo-inverse of the matrix scaled to a unit diagonal, and the scale of each of its rows."""
    diagonal = np.diag(matrix)
    scale = np.where(diagonal > 0, 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1)), 0.0)
    values, vectors = np.linalg.eigh(scale[:, None] * matrix * scale)
    kept = values > RANK * max(values[-1], 1e-300)
    return (vectors[:, kept] / values[kept]) @ vectors[:, kept].T, scale


RANK = 1e-11  # eigenvalues below this share of the largest are none: columns that say the same


def _grouped_step(
    problem: Problem,
    theta: Float[np.ndarray, "outputs terms"],
    gradient: Float[np.ndarray, "outputs terms"],
    hessian: Float[np.ndarray, "every every"],
) -> Float[np.ndarray, "outputs terms"]:
    """What minimises gradient · step + ½ step · H · step + penalty(theta + step): by passing over the groups, with the
    intercepts, which cost nothing, always at their best."""
    count, terms = theta.shape
    curve = hessian.reshape(count, terms, count, terms)
    inner = count * (terms - 1)
    beside = curve[:, :-1, :, -1].reshape(inner, count)
    follow = np.linalg.pinv(curve[:, -1, :, -1])
    reduced = curve[:, :-1, :, :-1].reshape(inner, inner) - beside @ follow @ beside.T
    slope = (gradient[:, :-1].ravel() - beside @ (follow @ gradient[:, -1])).reshape(count, terms - 1)
    reduced = reduced.reshape(count, terms - 1, count, terms - 1)
    step = np.zeros((count, terms - 1))
    blocks = []
    for group, reach in problem.reaches():
        across = np.ascontiguousarray(reduced[:, :, :, group]).reshape(inner, -1)
        within = reduced[:, group][:, :, :, group].reshape(across.shape[1], -1)
        blocks.append((group, reach, float(np.linalg.eigvalsh(within)[-1]), across))
    enough = 0.0
    for sweep in range(_SWEEPS):
        moved = 0.0
        for group, reach, bound, across in blocks:
            if bound <= 0:
                continue
            here = theta[:, group] + step[:, group]
            toward = here - slope[:, group] / bound
            norm = float(np.linalg.norm(toward))
            change = (toward * max(0.0, 1 - reach / bound / norm) if norm else toward) - here
            if change.any():
                step[:, group] += change
                slope += (across @ change.ravel()).reshape(slope.shape)
                moved = max(moved, bound * float(np.abs(change).max()))
        enough = enough if sweep else 1e-5 * moved  # the model is quadratic and the loss is not: no need to be exact
        if moved <= enough:
            break
    upright = -(gradient[:, -1] + beside.T @ step.ravel()) @ follow
    return np.concatenate([step, upright[:, None]], 1)


def optimality(problem: Problem, theta: Float[np.ndarray, "outputs terms"]) -> float:
    """How far the coefficients are from where no move gains: the largest violation of the Karush-Kuhn-Tucker
    conditions, in units of the gradient."""
    gradient = problem.gradient(theta)
    worst = float(np.abs(gradient[:, -1]).max())
    for group, reach in problem.reaches():
        inside, norm = theta[:, group], float(np.linalg.norm(theta[:, group]))
        pull = gradient[:, group]
        off = np.linalg.norm(pull + reach * inside / norm) if norm else max(0.0, np.linalg.norm(pull) - reach)
        worst = max(worst, float(off))
    return worst if problem.groups else max(worst, float(np.abs(gradient).max()))
