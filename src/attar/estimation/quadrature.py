"""Nested rules for integrals from 0 to 1 of something smooth; each holds the nodes of the one before."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float
from numpy.polynomial import legendre

_LOBATTO = np.sqrt([2 / 3, 1 / 5])  # on [-1, 1], as in Gander & Gautschi; the last three extend the rule once more
_KRONROD = np.array([0.942882415695480, 0.641853342345781, 0.236383199662150])


@dataclass(frozen=True, eq=False)
class Rule:
    """Weights on `nodes` of three rules of rising order, of which the last is the answer and the others its judges.

    If the error of the second is a share d of that of the first, then that of the last is about d ** `power` of that of
    the second, where the integrand is smooth; and no decay as of something smooth is seen if d is above `slowest`.
    """

    nodes: Float[np.ndarray, " nodes"]
    weights: Float[np.ndarray, "3 nodes"]
    tail: Float[np.ndarray, "4 nodes"]
    power: float
    slowest: float
    flattest: float


@cache
def rule(level: int) -> Rule:
    """Levels 0 and 1: Simpson's rule, then Lobatto's of 4 nodes with Kronrod extensions to 7 and to 13 (exact for
    polynomials of degree 3, 5, 9 and 19). From 2 on: Clenshaw-Curtis of 33, 65, … nodes beside those.

    Source: Gander & Gautschi 2000, BIT 40, 84; Clenshaw & Curtis 1960, Numer. Math. 2, 197.
    """
    if level == 0:
        return _nested(
            _symmetric(_LOBATTO, [0]),
            [_symmetric([0]), _symmetric(_LOBATTO[1:])],
            power=2.5,
            slowest=0.3,
            flattest=0.3,
        )
    if level == 1:
        fine = _symmetric(_LOBATTO, _KRONROD, [0])
        return _nested(fine, [_symmetric(_LOBATTO[1:]), rule(0).nodes], power=1.3, slowest=0.2, flattest=0.55)
    fine, middle, coarse = (_clenshaw_curtis(2 ** (level + k)) for k in (3, 2, 1))
    return _nested(fine, [coarse, middle], power=1.0, slowest=0.2, flattest=0.5, beside=rule(level - 1).nodes)


@cache
def added(level: int) -> Float[np.ndarray, " nodes"]:
    """The nodes of a level that the one before has not."""
    return rule(level).nodes[~_among(rule(level).nodes, rule(level - 1).nodes)]


def _nested(fine: np.ndarray, judges: list[np.ndarray], beside: np.ndarray | None = None, **known: float) -> Rule:
    nodes = fine if beside is None else np.sort(np.r_[fine, beside[~_among(beside, fine)]])
    weights, tail = np.zeros((3, len(nodes))), np.zeros((4, len(nodes)))
    for row, own in zip(weights, [*judges, fine], strict=True):
        row[_among(nodes, own)] = _coefficients(own)[0]
    tail[:, _among(nodes, fine)] = _coefficients(fine)[:-5:-1]
    return Rule(nodes, weights, tail, **known)


def _among(nodes: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.logical_or.reduce(np.abs(nodes[:, None] - others) < 1e-12, axis=1)


def _symmetric(*inner: object) -> np.ndarray:
    """Both ends and plus and minus each of these, from [-1, 1] to [0, 1]."""
    half = np.concatenate([np.atleast_1d(np.asarray(each, dtype=float)) for each in (*inner, [1.0])])
    return (np.unique(np.r_[-half, half] + 0.0) + 1) / 2


def _clenshaw_curtis(gaps: int) -> np.ndarray:
    return np.sin(np.arange(gaps + 1) * (np.pi / (2 * gaps))) ** 2


def _coefficients(nodes: np.ndarray) -> Float[np.ndarray, "degrees nodes"]:
    """Weights that give the Legendre coefficients of the polynomial through the nodes; the first is its integral."""
    return np.linalg.inv(legendre.legvander(2 * nodes - 1, len(nodes) - 1))
