"""Columns that say the same: what no fit can tell apart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.linalg import qr
from scipy.sparse.csgraph import connected_components

from attar.core.note import listed

MOST = 500  # columns that are compared with each other
CLOSE = 0.98  # correlation


@dataclass(frozen=True)
class Alike:
    """`constant` columns never vary; each of `together` are columns that rise and fall as one, with the least
    correlation among neighbours in size; each of `sums` are columns of which one is a weighted sum of the others.
    `looked` is False where there were too many to compare."""

    constant: tuple[int, ...] = ()
    together: tuple[tuple[tuple[int, ...], float], ...] = ()
    sums: tuple[tuple[int, ...], ...] = ()
    looked: bool = True

    def sentences(self, name: Callable[[int], str]) -> list[str]:
        """For a reading."""
        lines = []
        for members, close in self.together:
            how = "one is the other on another scale" if close > 1 - 1e-9 else f"correlation {close:.3f} or more"
            said = "These two cannot be told apart" if len(members) == 2 else "These cannot be told apart"
            lines.append(f"{said}: {listed([name(k) for k in members])} ({how}). Believe only what they add together.")
        for members in self.sums:
            lines.append(
                f"These cannot be told apart: {listed([name(k) for k in members])} (one is a sum of the others). "
                "Believe only what they add together."
            )
        if self.constant:
            lines.append(f"Never varies, so that nothing was learnt of it: {listed([name(k) for k in self.constant])}.")
        if not self.looked:
            lines.append(f"Columns that say the same were not looked for: there are more than {MOST}.")
        return lines


def alike(X: Any, weight: Float[np.ndarray, " rows"]) -> Alike:
    """Which columns say the same in these rows. Rows of weight 0 are no rows."""
    spread = spreads(X, weight)
    if X.shape[1] > MOST:
        return Alike(constant=tuple(np.flatnonzero(spread == 0).tolist()), looked=False)
    table = X.toarray() if hasattr(X, "toarray") else X
    kept = weight > 0
    varying = np.flatnonzero(spread > 0)
    table = (table[kept][:, varying] - np.average(table[kept][:, varying], axis=0, weights=weight[kept])) / spread[
        varying
    ]
    table = table * np.sqrt(weight[kept] / weight.sum())[:, None]
    correlation = np.abs(table.T @ table)
    count, part = connected_components(correlation >= CLOSE, directed=False)
    together = []
    for k in range(count):
        members = np.flatnonzero(part == k)
        if len(members) > 1:
            inside = correlation[np.ix_(members, members)] - 2 * np.eye(len(members))
            together.append((tuple(varying[members].tolist()), float(min(1.0, inside.max(1).min()))))
    return Alike(
        constant=tuple(np.flatnonzero(spread == 0).tolist()),
        together=tuple(together),
        sums=tuple(tuple(varying[list(each)].tolist()) for each in _sums(table, [m for m, _ in together], varying)),
    )


def _sums(
    table: Float[np.ndarray, "rows columns"], together: Sequence[tuple[int, ...]], names: np.ndarray
) -> list[tuple[int, ...]]:
    """Sets of three columns or more of which one is a weighted sum of the others, where there are rows to say so."""
    if table.shape[0] <= table.shape[1] or not table.shape[1]:
        return []
    found_by_qr: Any = qr(table, mode="economic", pivoting=True)
    _, r, order = found_by_qr
    rank = int((np.abs(np.diag(r)) > 1e-9 * abs(r[0, 0])).sum())
    found = []
    for k in range(rank, table.shape[1]):
        shares = np.linalg.solve(r[:rank, :rank], r[:rank, k])
        members = tuple(sorted([int(order[k]), *order[:rank][np.abs(shares) > 1e-7].tolist()]))
        if len(members) > 2 and not any(set(names[list(members)].tolist()) <= set(group) for group in together):
            found.append(members)
    return found


def spreads(X: Any, weight: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " columns"]:
    """The standard deviation of each column; exactly 0 where it never varies."""
    total = weight.sum()
    kept = weight > 0
    if hasattr(X, "toarray"):
        mean = np.asarray(X.T @ weight).ravel() / total
        square = np.asarray(X.multiply(X).T @ weight).ravel() / total
        lowest, highest = (np.asarray(end.toarray()).ravel() for end in (X[kept].min(0), X[kept].max(0)))
        spread = np.sqrt(np.clip(square - mean**2, 0, None))
    else:
        mean = weight @ X / total
        spread = np.sqrt(weight @ (X - mean) ** 2 / total)
        lowest, highest = X[kept].min(0), X[kept].max(0)
    return np.where(lowest == highest, 0.0, spread)
