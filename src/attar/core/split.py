"""Which examples are held out."""

import numpy as np

from attar.core.errors import InputError
from attar.core.note import Note

TRAINING = frozenset({"train", "training"})
HELD_OUT = frozenset({"test", "testing", "valid", "validation", "val", "dev", "holdout", "hold-out", "held-out"})
YES, NO = frozenset({"1", "1.0", "true", "yes"}), frozenset({"0", "0.0", "false", "no"})
CLEARLY_FEWER = 0.4  # the largest share of the rows that is taken for the held-out side, where only 0 and 1 say


def test_side(split: np.ndarray, *, column: str) -> tuple[np.ndarray, tuple[Note, ...]]:
    """A mask of the held-out rows from a split column in small letters, and what had to be decided.

    Rows that are not for training are held out, those that say neither with a note. Where it holds 0 and 1, or false
    and true, the column's name says which (is_test, train); without one there, the side with clearly fewer rows is held
    out, and a note says so. Raises `InputError` for values that do not say which they are.
    """
    values = set(split.tolist())
    if values & HELD_OUT and values & TRAINING:
        held_out, neither = ~np.isin(split, list(TRAINING)), ~np.isin(split, list(TRAINING | HELD_OUT))
        sentence = f"{int(neither.sum())} rows that are neither training nor test in {column!r} were held out."
        return held_out, (Note("split taken as", int(neither.sum()), (), sentence),) if neither.any() else ()
    if values & YES and values & NO and values <= YES | NO:
        return _told_by_name(np.isin(split, list(YES)), column)
    shown = ", ".join(sorted(values)[:6])
    raise InputError(f"the split column {column!r} holds {shown}; expected train and test")


def _told_by_name(yes: np.ndarray, column: str) -> tuple[np.ndarray, tuple[Note, ...]]:
    name = column.lower()
    tests, trains = any(word in name for word in ("test", "valid", "hold", "held")), "train" in name
    if tests != trains:
        return (yes if tests else ~yes), ()
    share = yes.mean()
    if CLEARLY_FEWER < share < 1 - CLEARLY_FEWER:
        raise InputError(
            f"the split column {column!r} holds a yes {int(yes.sum())} times and a no {int((~yes).sum())} times; which "
            "side is held out? Write train and test"
        )
    held_out = yes if share <= CLEARLY_FEWER else ~yes
    said = "a yes (1, true)" if share <= CLEARLY_FEWER else "a no (0, false)"
    sentence = f"In {column!r} the {int(held_out.sum())} rows with {said} were held out, for they are fewer."
    return held_out, (Note(name="split taken as", count=1, rows=(), sentence=sentence),)


def random_split(labels: np.ndarray, *, test: float = 0.25, seed: int = 0, stratified: bool = True) -> np.ndarray:
    """A mask of the test examples, a share `test` of each class (of all, unless `stratified`)."""
    generator = np.random.default_rng([seed, 3])
    held_out = np.zeros(len(labels), dtype=bool)
    groups = [np.flatnonzero(labels == c) for c in np.unique(labels)] if stratified else [np.arange(len(labels))]
    for group in groups:
        held_out[generator.permutation(group)[: round(test * len(group))]] = True
    return held_out
