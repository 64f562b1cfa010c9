"""The fragment table: which subgraphs a linear model weighs, how surely, and what comes together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import csc_matrix

from attar.adapters.sklearn import rows_of_table
from attar.design.glm import GeneralizedLinearModel
from attar.domains.molecules.bag import Vocabulary, example_of, name_agrees, subgraph_smarts
from attar.domains.molecules.molecule import Molecule
from attar.pitfalls.dataset_bias import co_occurring


@dataclass(frozen=True)
class Fragment:
    """One group of subgraphs that come together in this data.

    `weight` is the summed weight of the group in log-odds (or label units) with its 95% bootstrap interval;
    `n` molecules hold it, `n_positive` of them positive, `precision` their share (nan for a regression). `smarts`
    names its heaviest member, `members` all of them; the name matches exactly the molecules that have the column if
    `exact`. The picture is atom `centre` and `radius` bonds around it in `example`.
    """

    smarts: str
    exact: bool
    weight: float
    low: float
    high: float
    n: int
    n_positive: int
    precision: float
    members: tuple[str, ...]
    example: str
    centre: int
    radius: int


def fragment_table(
    molecules: Sequence[Molecule],
    labels: np.ndarray,
    *,
    task: Literal["classification", "regression"] = "classification",
    radius: int = 2,
    at_least: int = 5,
    resamples: int = 40,
    most: int = 20,
    seed: int = 0,
) -> list[Fragment]:
    """The groups whose weight is surest, those that raise the label first.

    A sparse (L1) linear model on the presence of every subgraph of at least `at_least` molecules is refitted on
    bootstrap samples (stratified by class). Groups whose interval is clear of 0 come first; among them, and among
    the rest, those that carry most evidence: weight times the positives beyond (for a group that lowers the label:
    short of) what the base rate gives it, or times its molecules in a regression. At most `most` that raise and half
    as many that lower.
    """
    vocabulary = Vocabulary.of(molecules, radius=radius, presence=True, at_least=at_least)
    if not len(vocabulary):
        return []
    table = rows_of_table(vocabulary.bag(molecules))
    present = csc_matrix(table)
    weights = np.stack([_weights(table, labels, task, rows) for rows in _resampled(labels, task, resamples, seed)])
    full = _weights(table, labels, task, np.arange(len(labels)))
    chosen = np.flatnonzero((full != 0) | ((weights != 0).mean(0) >= 0.5))
    groups = co_occurring(present, sorted(chosen.tolist(), key=lambda c: -abs(full[c])))
    rows = [_row(group, present, labels, task, full, weights, vocabulary, molecules) for group in groups]
    base = labels.mean() if task == "classification" else None
    ranked = sorted(rows, key=lambda r: (not _clear(r), -_evidence(r, base)))
    raising = [r for r in ranked if r.weight > 0][:most]
    return raising + [r for r in ranked if r.weight < 0][: most // 2]


def _clear(fragment: Fragment) -> bool:
    """Whether the interval leaves out 0."""
    return fragment.low > 0 or fragment.high < 0


def _evidence(fragment: Fragment, base: float | None) -> float:
    if base is None:
        return abs(fragment.weight) * fragment.n
    beyond = fragment.n_positive - base * fragment.n
    return abs(fragment.weight) * max(0.0, beyond if fragment.weight > 0 else -beyond)


def _resampled(labels: np.ndarray, task: str, resamples: int, seed: int) -> list[np.ndarray]:
    generator = np.random.default_rng([seed, 13])
    strata = [np.flatnonzero(labels == c) for c in (0, 1)] if task == "classification" else [np.arange(len(labels))]
    return [np.concatenate([generator.choice(s, len(s)) for s in strata]) for _ in range(resamples)]


def _weights(table, labels: np.ndarray, task: str, rows: np.ndarray) -> np.ndarray:
    if task == "classification":
        model = GeneralizedLinearModel("binomial", "l1", strength=3.0)
    else:
        model = GeneralizedLinearModel("gaussian", "l2", strength=3.0)
    return model.fit(table[rows], labels[rows]).coef_[0]


def _row(
    group: list[int],
    present: csc_matrix,
    labels: np.ndarray,
    task: str,
    full: np.ndarray,
    weights: np.ndarray,
    vocabulary: Vocabulary,
    molecules: Sequence[Molecule],
) -> Fragment:
    heaviest = max(group, key=lambda c: abs(full[c]))
    holds = np.asarray(present[:, group].sum(1)).ravel() > 0
    smarts, exact, (molecule, centre, radius) = _name(heaviest, present, vocabulary, molecules)
    low, high = np.quantile(weights[:, group].sum(1), [0.025, 0.975])
    positive = int(labels[holds].sum()) if task == "classification" else 0
    return Fragment(
        smarts=smarts,
        exact=exact,
        weight=float(full[group].sum()),
        low=float(low),
        high=float(high),
        n=int(holds.sum()),
        n_positive=positive,
        precision=positive / holds.sum() if task == "classification" else float("nan"),
        members=(smarts, *(_name(c, present, vocabulary, molecules)[0] for c in group if c != heaviest)),
        example=molecule.smiles,
        centre=centre,
        radius=radius,
    )


def _name(
    column: int, present: csc_matrix, vocabulary: Vocabulary, molecules: Sequence[Molecule]
) -> tuple[str, bool, tuple[Molecule, int, int]]:
    """The column's SMARTS, whether it matches exactly the column, and the smallest molecule that shows it."""
    held = np.asarray(present[:, [column]].todense()).ravel() > 0
    smallest = min(np.flatnonzero(held).tolist(), key=lambda i: molecules[i].size)
    found = example_of(vocabulary, column, [molecules[smallest]])
    if found is None:
        raise AssertionError("a molecule that has the column holds its subgraph")
    smarts = subgraph_smarts(*found)
    return smarts, name_agrees(smarts, held, molecules), found
