"""The verb for stand-ins: `attar.surrogate`."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.base import clone, is_classifier

from attar.core.column import LARGEST, as_codes
from attar.core.errors import InputError
from attar.core.inputs import Tensors
from attar.core.parts import precise
from attar.core.surrogate import Fidelity, Surrogate
from attar.core.target import Logit, Target
from attar.design.conditions import Condition, merged
from attar.design.pruned_tree import PrunedTreeRegressor
from attar.design.shares import wilson
from attar.estimation.table_features import names_of_columns, table_of
from attar.verb import posed

_RESAMPLES = 1000
_FEWEST = 20  # rows that are held out, and that are learnt from, and in the slice that is named


@torch.inference_mode(mode=False)
def surrogate(
    model: object,
    table: Any,
    design: Any = None,
    target: Target | None = None,
    *,
    held_out: float = 0.3,
    seed: int = 0,
    batch_size: int | None = None,
) -> Surrogate:
    """A model that explains itself, fitted to what this one answers, and how far it can stand for it.

    `design` is a scikit-learn estimator such as those of `attar.design` (a pruned tree unless given), which is copied
    and fitted: a regressor to the target (the only output, or of two classes the logit of the second; of more it has to
    be said), a classifier to the class that the model says. No label is asked for: `table` holds rows like those that
    the answer is to be about, of which a share of `held_out`, drawn with `seed`, is kept for measuring the fidelity.
    Misleads where the fidelity is low, and where it is high on average and not where one asks: `worst` names where. A
    stand-in for a model of correlated columns may use others than the model does. Raises `InputError` for fewer than 40
    rows, a share that leaves none, and a model that answers the same everywhere. Source: Craven & Shavlik 1996 (trees
    that stand for networks); the R² of fidelity as in Molnar 2022, section 8.6.
    """
    if not 0 < held_out < 1:
        raise InputError(f"held_out is {held_out}, expected a share between 0 and 1")
    put = posed(model, table, [target or Logit(0)], asker="a surrogate", batch_size=batch_size)
    rows = table_of(put.inputs, "a surrogate")
    asked = PrunedTreeRegressor() if design is None else design
    classes = is_classifier(asked)
    answers, said = _answers(put.outputs, put.targets[0] if target is not None else None, classes)
    learnt, held = _halves(len(rows), held_out, seed)
    if len(np.unique(answers[learnt])) < 2:
        raise InputError("the model gives one answer for all rows: there is nothing to stand in for")
    spelled = Spelled.of(rows, learnt)
    values = spelled(rows)
    copied: Any = clone(asked)
    fitted = copied.fit(values[learnt], answers[learnt])
    told = np.asarray(fitted.predict(values[held]))
    right, off = answers[held], _apart(told, answers[held], classes)
    if classes:
        same = float((told == right).mean())
        fidelity = [Fidelity("same class in a share of", same, *wilson(same * len(held), len(held)))]
    else:
        fidelity = [_explained(told, right, seed)]
        outputs = put.outputs.detach().cpu().numpy()
        if outputs.shape[1] == 2 and target is None and getattr(put.model.model, "log_odds", False):
            same = float(((told > 0) == (right > 0)).mean())
            fidelity.append(Fidelity("same class in a share of", same, *wilson(same * len(held), len(held))))
    return Surrogate(
        model=fitted,
        columns=spelled.names,
        fidelity=tuple(fidelity),
        learnt=len(learnt),
        held_out=len(held),
        off=off,
        worst=_worst(values[held], off, spelled.names, classes),
        target=said,
    )


@dataclass(frozen=True, eq=False)
class Spelled:
    """A table in columns of numbers: a level is a column of 0 and 1, and a number that can be missing has its middle
    value then, and a column that says so."""

    pieces: tuple[tuple[int, float | None, float], ...]  # column; a code, or None for the number; the middle value
    names: tuple[str, ...]

    @classmethod
    def of(cls, table: Tensors, rows: Int[np.ndarray, " rows"]) -> Self:
        codes, pieces, names = as_codes(table.values)[rows], [], []
        for place, name in enumerate(names_of_columns(table)):
            column, mine = None if table.columns is None else table.columns[place], codes[:, place]
            there = mine[mine < LARGEST] if column is not None else mine
            if column is None or not column.coded:
                pieces.append((place, None, float(np.median(there)) if len(there) else 0.0))
                names.append(name)
            for level in np.unique(mine) if column is not None else ():
                if column is not None and (column.coded or level >= LARGEST):
                    pieces.append((place, float(level), 0.0))
                    names.append(column.phrase(float(level)))
        return cls(tuple(pieces), tuple(names))

    def __call__(self, table: Tensors) -> Float[np.ndarray, "rows columns"]:
        codes = as_codes(table.values)
        found = []
        for place, level, middle in self.pieces:
            mine = codes[:, place]
            gone = mine >= LARGEST if table.columns is not None else np.zeros(len(mine), dtype=bool)
            found.append(np.where(gone, middle, mine) if level is None else (mine == level).astype(float))
        return np.stack(found, 1)


def _answers(outputs: torch.Tensor, target: Target | None, classes: bool) -> tuple[np.ndarray, str]:
    """What the stand-in learns, and in words what that is."""
    if classes:
        if outputs.ndim != 2 or outputs.shape[1] < 2:
            raise InputError("the model says no class, and the design is a classifier: give a regressor")
        return outputs.argmax(1).cpu().numpy(), "the class that it says"
    if target is None:
        if outputs.ndim != 2 or outputs.shape[1] > 2:
            raise InputError(
                f"the model has outputs {tuple(outputs.shape[1:])} for a row: name one, as in target=attar.Logit(2), "
                "or give a classifier as design"
            )
        said = "its only output" if outputs.shape[1] == 1 else "its logit of the second class"
        return precise(outputs[:, -1]).cpu().numpy(), said
    return precise(target(outputs)).cpu().numpy(), repr(target)


def _halves(rows: int, held_out: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    held = round(rows * held_out)
    if held < _FEWEST or rows - held < _FEWEST:
        raise InputError(
            f"{rows} rows leave {rows - held} to learn from and {held} to be tried on, expected {_FEWEST} of each: "
            "give more rows, or another share to hold out"
        )
    order = np.random.default_rng(seed).permutation(rows)
    return np.sort(order[held:]), np.sort(order[:held])


def _apart(told: np.ndarray, right: np.ndarray, classes: bool) -> Float[np.ndarray, " rows"]:
    return (told != right).astype(float) if classes else np.abs(told - right)


def _explained(told: np.ndarray, right: np.ndarray, seed: int) -> Fidelity:
    """R² with its bootstrap interval over rows."""
    draw = np.random.default_rng([seed, 1])
    chosen = draw.integers(len(right), size=(_RESAMPLES, len(right)))
    missed, about = (right - told) ** 2, right[chosen]
    each = 1 - missed[chosen].sum(1) / ((about - about.mean(1, keepdims=True)) ** 2).sum(1).clip(min=1e-300)
    value = 1 - missed.sum() / max(float(((right - right.mean()) ** 2).sum()), 1e-300)
    low, high = np.quantile(each, [0.025, 0.975])
    return Fidelity("R²", float(value), float(low), float(high))


def _worst(
    values: Float[np.ndarray, "rows columns"], off: np.ndarray, names: tuple[str, ...], classes: bool
) -> str | None:
    """Where the two part most: a leaf of a small tree learnt on one half of the held-out rows, if they part there more
    than elsewhere on the other half too."""
    from sklearn.tree import DecisionTreeRegressor

    half = len(off) // 2
    if half < 2 * _FEWEST:
        return None
    tree = DecisionTreeRegressor(max_depth=2, min_samples_leaf=_FEWEST, random_state=0).fit(values[:half], off[:half])
    held = tree.tree_
    leaf = max(np.unique(tree.apply(values[:half])), key=lambda node: held.value[node, 0, 0])
    inside = tree.apply(values[half:]) == leaf
    there, elsewhere = off[half:][inside], off[half:][~inside]
    if len(there) < _FEWEST // 2 or len(elsewhere) < _FEWEST // 2:
        return None
    error = np.sqrt(there.var(ddof=1) / len(there) + elsewhere.var(ddof=1) / len(elsewhere))
    if there.mean() - elsewhere.mean() <= 1.96 * error:
        return None
    where = " and ".join(map(str, _path(held, int(leaf), names)))
    if classes:
        return f"{where}: another class in {there.mean():.0%} of rows there, {elsewhere.mean():.0%} elsewhere"
    return f"{where}: by {there.mean():.3g} on average there, {elsewhere.mean():.3g} elsewhere"


def _path(tree: Any, leaf: int, names: tuple[str, ...]) -> tuple[Condition, ...]:
    conditions = []
    node = leaf
    while node:
        above = int(np.flatnonzero((tree.children_left == node) | (tree.children_right == node))[0])
        column, end = int(tree.feature[above]), float(tree.threshold[above])
        below = tree.children_left[above] == node
        conditions.append(
            Condition(column, names[column], high=end) if below else Condition(column, names[column], low=end)
        )
        node = above
    return merged(reversed(conditions))
