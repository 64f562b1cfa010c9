"""Motifs undone: one change where one will do, more where it must be, none where none can."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attar.core.sites import Place, joined, sites, undone

READING = st.dictionaries(st.integers(0, 4), st.sampled_from(["", "A", "B", "C"]), min_size=1)


def letters(_: int) -> str:
    return "ABC"


@given(st.text("ABC", min_size=5, max_size=5), st.lists(READING, max_size=3), st.integers(0, 9))
def test_nothing_undone_is_still_read(symbols: str, others: list[dict[int, str]], seed: int) -> None:
    readings = [{at: symbols[at] + other for at, other in reading.items()} for reading in others]
    after = undone(symbols, readings, letters, np.random.default_rng(seed))
    one_will_do = any(all(at in r and x not in r[at] for r in readings) for at in range(5) for x in "ABC")
    if after is None:
        assert not one_will_do
        return
    changes = sum(x != y for x, y in zip(symbols, after, strict=True))
    assert not any(all(after[at] in fitting for at, fitting in r.items()) for r in readings)
    assert changes <= len(readings)
    if one_will_do:
        assert changes == bool(readings)


def test_what_any_symbol_would_do_for_cannot_be_undone() -> None:
    assert undone("AB", [{0: "ABC"}], letters, np.random.default_rng(0)) is None


@pytest.mark.parametrize("seed", range(8))
def test_a_reading_that_was_undone_does_not_come_back(seed: int) -> None:
    after = undone("A", [{0: "AB"}, {0: "AC"}], letters, np.random.default_rng(seed))
    assert after is None  # B and C each leave one of the two true


def test_every_pair_near_enough_is_joined_from_either_side() -> None:
    def place(begin: int) -> Place:
        return Place(None, begin, begin + 1, {begin: "A"}, frozenset({begin}))

    firsts, lasts = [place(0), place(4)], [place(2), place(3), place(7)]
    pairs = [[p.begin for p in pair] for pair in joined(firsts, lasts, (1, 2))]
    assert pairs == [[0, 2], [0, 3], [4, 7]]
    turned = [[p.begin for p in pair] for pair in joined(firsts, lasts, (0, 1), backwards=True)]
    assert turned == [[2, 4], [3, 4]]


def test_groups_of_places_over_the_same_parts_are_one_site_with_every_reading() -> None:
    one, other = (
        Place(name, 0, 1, {0: letter}, frozenset({0, 5})) for name, letter in (("first", "A"), ("second", "B"))
    )
    (site,) = sites([(one,), (other,)])
    assert (site.parts, site.named) == ({0, 5}, {"first": {0, 5}})
    assert site.readings == ({0: "A"}, {0: "B"})  # pyright: ignore[reportAttributeAccessIssue]
