"""Where no finite coefficients are best: classes that a plane separates, and other ends that a fit runs to."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import linprog
from scipy.sparse import csr_array, hstack, vstack

_FEW = 2_000_000  # numbers in the linear program


def runs_away(X: Any, y: Int[np.ndarray, " rows"], classes: int) -> Bool[np.ndarray, "outputs terms"] | None:
    """Which coefficients (the intercept last) have no finite value of most likelihood: those in whose direction one can
    go for ever without any row's own class losing to another, and one of them gaining. Two classes have one output.

    By a linear program over all such directions. None where the table is too large for it.
    Source: Konis 2007, "Linear programming algorithms for detecting separated data in binary logistic regression"; of
    several classes every difference of logits is asked.
    """
    rows, columns = X.shape
    if rows * (columns + 1) * (classes - 1) > _FEW:
        return None
    outputs = 1 if classes == 2 else classes
    table: Any = hstack([csr_array(X), csr_array(np.ones((rows, 1)))], format="csr")
    if outputs == 1:
        signs = np.where(y == 1, 1.0, -1.0)
        gains: Any = table.multiply(signs[:, None]).tocsr()
    else:
        others = [(k, other) for k in range(classes) for other in range(classes) if k != other]
        gains = vstack([_less(table[y == k], k, other, classes) for k, other in others if (y == k).any()], format="csr")
    return _unbounded(gains, outputs)


def rate_runs_away(X: Any, y: Float[np.ndarray, " rows"]) -> Bool[np.ndarray, "1 terms"] | None:
    """The same of a log rate: directions that lower it where only zeros were counted and leave all other rows alone.

    Source: Correia, Guimarães & Zylkin 2019, arXiv:1903.01633.
    """
    if X.shape[0] * (X.shape[1] + 1) > _FEW:
        return None
    table: Any = hstack([csr_array(X), csr_array(np.ones((len(y), 1)))], format="csr")
    return _unbounded(-table[y == 0], 1, fixed=table[y > 0])


def _less(table: Any, one: int, other: int, classes: int) -> Any:
    """Rows of one class's logit less another's, over the coefficients of all classes."""
    empty = csr_array(table.shape)
    blocks: list[Any] = [empty] * classes
    blocks[one], blocks[other] = table, -table
    return hstack(blocks, format="csr")


def _unbounded(gains: Any, outputs: int, fixed: Any = None) -> Bool[np.ndarray, "outputs terms"]:
    terms = gains.shape[1] // outputs
    none = np.zeros((outputs, terms), dtype=bool)
    if not gains.shape[0]:
        return none
    size = np.sqrt(np.asarray(gains.multiply(gains).sum(0)).ravel())
    scale = np.where(size > 0, 1 / np.where(size > 0, size, 1), 0.0)
    scaled = gains.multiply(scale[None]).tocsr()
    equal = {} if fixed is None else {"A_eq": fixed.multiply(scale[None]).tocsr(), "b_eq": np.zeros(fixed.shape[0])}
    found = linprog(
        -np.asarray(scaled.sum(0)).ravel(),
        A_ub=-scaled,
        b_ub=np.zeros(scaled.shape[0]),
        bounds=(-1, 1),
        method="highs",
        **equal,
    )
    if found.status != 0 or -found.fun < 1e-7:
        return none
    way = np.asarray(found.x * scale).reshape(outputs, terms)
    way = way - way.mean(0) if outputs > 1 else way  # of several classes only differences matter
    return np.abs(way) > 1e-9 * np.abs(way).max()
