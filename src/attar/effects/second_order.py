"""Second-order accumulated effects: from the mixed steps of cells to a surface, and what it is off by."""

import numpy as np
from jaxtyping import Bool, Float, Int


def accumulated_pair(
    bins: list[Int[np.ndarray, " rows"]], mixed: Float[np.ndarray, " rows"], shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """The second-order curve at the ends of cells, its standard error, the spread of the mixed steps, and how many
    cells have no row."""
    flat = np.ravel_multi_index(tuple(bins), shape)
    cells = shape[0] * shape[1]
    size = np.bincount(flat, minlength=cells)
    total = np.bincount(flat, mixed, minlength=cells)
    mean = total / size.clip(min=1)
    square = np.bincount(flat, (mixed - mean[flat]) ** 2, minlength=cells)
    pooled = square.sum() / max((size - 1).clip(min=0).sum(), 1)
    variance = np.where(size > 1, square / (size - 1).clip(min=1), pooled)
    source = _nearest_with_rows(size > 0, shape)
    weights = size.reshape(shape).astype(float)
    basis = np.eye(cells)[source].T.reshape(cells, *shape)  # the empty take the means of others
    linear = _centred(_summed(basis), weights)
    values = np.einsum("cab,c->ab", linear, mean)
    error = np.einsum("cab,c->ab", linear**2, variance / size.clip(min=1))
    # How the values would move with one row more in a cell: where rows lie decides what is taken off.
    full = np.flatnonzero(size)
    more = weights + np.eye(cells)[full].reshape(len(full), *shape)
    moved = _centred(_summed(mean[source].reshape(shape)), more) - values
    moved -= np.einsum("cab,c->ab", moved, size[full] / len(mixed))
    error = np.sqrt(error + np.einsum("cab,c->ab", moved**2, size[full]))
    spread = np.sqrt(variance)[source].reshape(shape)
    return values, error, np.pad(spread, ((1, 0), (1, 0)), mode="edge"), int((size == 0).sum())


def _nearest_with_rows(there: Bool[np.ndarray, " cells"], shape: tuple[int, int]) -> Int[np.ndarray, " cells"]:
    """For each cell the nearest that has rows, counted in cells."""
    where = np.stack(np.unravel_index(np.arange(len(there)), shape), 1)
    full = np.flatnonzero(there)
    far = ((where[:, None] - where[full][None]) ** 2).sum(2)
    return full[far.argmin(1)]


def _summed(steps: Float[np.ndarray, "*cells one two"]) -> Float[np.ndarray, "*cells one+1 two+1"]:
    """Added up along both axes, from 0."""
    sums = steps.cumsum(-2).cumsum(-1)
    return np.pad(sums, [*[(0, 0)] * (sums.ndim - 2), (1, 0), (1, 0)])


def _centred(
    sums: Float[np.ndarray, "*any one+1 two+1"], weights: Float[np.ndarray, "*any one two"]
) -> Float[np.ndarray, "*any one+1 two+1"]:
    """The sums less the main effects of what was added up, and less their mean (rows weigh their cells, the effect of a
    cell is the mean of its four ends')."""
    turned = _main(sums.swapaxes(-1, -2), weights.swapaxes(-1, -2))
    rest = sums - _main(sums, weights)[..., :, None] - turned[..., None, :]
    middle = (rest[..., 1:, 1:] + rest[..., 1:, :-1] + rest[..., :-1, 1:] + rest[..., :-1, :-1]) / 4
    share = weights / weights.sum((-1, -2), keepdims=True)
    return rest - (share * middle).sum((-1, -2))[..., None, None]


def _main(
    sums: Float[np.ndarray, "*any one+1 two+1"], weights: Float[np.ndarray, "*any one two"]
) -> Float[np.ndarray, "*any one+1"]:
    """The accumulated effect along the first axis: the mean, over the rows of each bin, of the step it takes there."""
    step = np.diff(sums, axis=-2)
    step = (step[..., 1:] + step[..., :-1]) / 2
    rise = (weights * step).sum(-1) / weights.sum(-1).clip(min=1)
    return np.concatenate([np.zeros_like(rise[..., :1]), rise.cumsum(-1)], -1)
