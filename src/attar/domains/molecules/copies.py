"""The same molecule more than once: which copy stays, with which label."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from attar.core.labels import Task
from attar.core.note import Note, counted, row_note, where

SAME_VALUE = 1e-6  # relative difference below which two measurements are one, written twice

Group = list[int]  # the places of one molecule, in the order they came


def one_of_each(
    smiles: Sequence[str],
    *,
    labels: np.ndarray | None,
    task: Task,
    split: np.ndarray | None,
    rows: np.ndarray,
    noun: str,
) -> tuple[np.ndarray, np.ndarray | None, list[Note]]:
    """The places to keep, in order; their labels; and what was found.

    Classes that contradict each other leave no copy: nothing says which is right. Copies in several values
    of `split` stay, one in each: whoever made the split must decide. Within one value the first copy stays;
    of differing measurements it carries the mean.
    """
    groups = _groups(smiles, range(len(smiles)))
    notes: list[Note] = []
    if labels is not None and task == "classification":
        contradictory = [group for group in groups if len(set(labels[group])) > 1]
        groups = [group for group in groups if len(set(labels[group])) == 1]
        notes += _conflicting(contradictory, rows=rows, noun=noun)
    if split is not None:
        leaks = [group for group in groups if len(set(split[group])) > 1]
        groups = [part for group in groups for part in _groups(split, group)]
        notes += _leaking(leaks, split, rows=rows, noun=noun)
    repeated = [group for group in groups if len(group) > 1]
    if labels is not None and task == "regression":
        differing = [group for group in repeated if not _same(labels[group])]
        repeated = [group for group in repeated if _same(labels[group])]
        notes += _averaged(differing, labels, rows=rows, noun=noun)
        means = {group[0]: labels[group].mean() for group in differing}
        labels = np.array([means.get(place, value) for place, value in enumerate(labels)])
    notes += _duplicates(repeated, rows=rows, noun=noun)
    kept = np.array(sorted(group[0] for group in groups), dtype=np.int64)
    return kept, None if labels is None else labels[kept], notes


def _groups(keys: Sequence[str] | np.ndarray, places: Sequence[int]) -> list[Group]:
    """Places with the same key."""
    places_of: dict[str, Group] = defaultdict(list)
    for place in places:
        places_of[keys[place]].append(place)
    return list(places_of.values())


def _all(groups: list[Group]) -> Group:
    return [place for group in groups for place in group]


def _same(values: np.ndarray) -> bool:
    return bool(np.ptp(values) <= SAME_VALUE * np.abs(values).max())


def _conflicting(groups: list[Group], *, rows: np.ndarray, noun: str) -> list[Note]:
    if not groups:
        return []
    sentence = (
        f"Left out, every copy: {counted(len(groups), 'molecule')} labelled both 1 and 0 "
        f"({_shown(groups, rows, noun)})."
    )
    return [row_note("conflicting labels", rows[_all(groups)], sentence)]


def _leaking(groups: list[Group], split: np.ndarray, *, rows: np.ndarray, noun: str) -> list[Note]:
    if not groups:
        return []
    parts = sorted({str(part) for group in groups for part in split[group]})
    sentence = (
        f"Kept, but look: {counted(len(groups), 'molecule')} in more than one part of the split "
        f"({', '.join(parts)}), so a test on one part has seen the other ({_shown(groups, rows, noun)})."
    )
    return [row_note("leak across split", rows[_all(groups)], sentence)]


def _averaged(groups: list[Group], labels: np.ndarray, *, rows: np.ndarray, noun: str) -> list[Note]:
    if not groups:
        return []
    widest = max(groups, key=lambda group: np.ptp(labels[group]))
    sentence = (
        f"Averaged: {counted(len(groups), 'molecule')} measured more than once with different values, which "
        f"differ by up to {np.ptp(labels[widest]):.3g} ({where(rows[widest], noun)})."
    )
    return [row_note("conflicting labels", rows[_all(groups)], sentence)]


def _duplicates(groups: list[Group], *, rows: np.ndarray, noun: str) -> list[Note]:
    if not groups:
        return []
    gone = [place for _, *others in groups for place in others]
    sentence = f"Left out: {counted(len(gone), noun)} with a molecule already read ({_shown(groups, rows, noun)})."
    return [row_note("duplicates", rows[gone], sentence)]


def _shown(groups: list[Group], rows: np.ndarray, noun: str, *, most: int = 5) -> str:
    """`rows 2 and 9; rows 4, 7 and 8; and 3 more`."""
    words = [where(rows[group], noun) for group in groups[:most]]
    return "; ".join([*words, f"and {len(groups) - most:,} more"] if len(groups) > most else words)
