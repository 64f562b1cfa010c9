"""Rules over a domain small enough to check by eye: motifs are words, an example is a text of letters."""

import pickle
import time
from collections import Counter
from dataclasses import dataclass
from itertools import chain, combinations, product
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attar.core.errors import InputError
from attar.core.motif import AnyOf, Motif, alternatives
from attar.core.rule import (
    And,
    AtLeast,
    Explanations,
    Match,
    Not,
    Or,
    Path,
    Rule,
    explanations,
    holds,
    motifs,
)


@dataclass(frozen=True)
class Letters:
    """Finds a word wherever it stands; a chain part is any letter, or one of those in `along[0]`."""

    def find(self, motif: Motif, example: str, /) -> list[Match]:
        starts = [i for i in range(len(example)) if example.startswith(motif.text, i)]
        masks = [frozenset(range(i, i + len(motif.text))) for i in starts]
        return [Match(mask, {} if motif.name is None else {motif.name: mask}) for mask in masks]

    def find_paths(self, path: Path, example: str, /) -> list[Match]:
        found = {}
        for first, last in product(alternatives(path.first), alternatives(path.last)):
            for one, other in product(self.find(first, example), self.find(last, example)):
                between = range(max(one.parts) + 1, min(other.parts))
                if path.shortest <= min(other.parts) - max(one.parts) - 1 <= path.longest:
                    parts = one.parts | other.parts | {*between}
                    found[parts] = Match(parts, {**one.named, **other.named})
        return list(found.values())


FIND = Letters()
A, B, C, X = (AtLeast(Motif(letter)) for letter in "abcx")


def masks(rule: Rule, example: str, cap: int = 4096) -> list[set[int]]:
    return [set(mask) for mask in explanations(rule, FIND, example, cap).alternatives]


RULES = st.recursive(
    st.one_of(
        st.builds(AtLeast, st.sampled_from([Motif("a"), Motif("b"), Motif("ab"), Motif("c") | Motif("a")]),
                  st.integers(0, 3)),
        st.builds(Path, st.just(Motif("a")), st.just(Motif("b")), st.just(0), st.integers(0, 2)),
    ),
    lambda rule: st.one_of(
        st.builds(Not, rule),
        st.builds(And, st.lists(rule, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(rule, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=4,
)  # fmt: skip
TEXTS = st.text("aabbc", max_size=5)


def test_every_non_empty_subset_of_the_matches_by_size_and_then_position() -> None:
    assert masks(A, "abaca") == [{0}, {2}, {4}, {0, 2}, {0, 4}, {2, 4}, {0, 2, 4}]


def test_at_least_n_shows_n_or_more() -> None:
    rule = AtLeast(Motif("a"), 2)
    assert masks(rule, "abaca") == [{0, 2}, {0, 4}, {2, 4}, {0, 2, 4}]
    assert [holds(rule, FIND, text) for text in ("", "ab", "aab", "aaa")] == [False, False, True, True]


def test_and_is_the_product_with_the_last_side_turning_fastest() -> None:
    assert masks(A & B, "abba") == [
        {0, 1},
        {0, 2},
        {0, 1, 2},
        {3, 1},
        {3, 2},
        {3, 1, 2},
        {0, 3, 1},
        {0, 3, 2},
        {*range(4)},
    ]
    assert masks(A & B & C, "cbab") == [{2, 1, 0}, {2, 3, 0}, {2, 1, 3, 0}]


def test_or_is_each_true_side_then_their_union() -> None:
    assert masks(A | B, "ab") == [{0}, {1}, {0, 1}]
    assert masks(A | B, "a") == [{0}]
    assert masks(A | B | C, "cb") == [{1}, {0}, {0, 1}]
    assert explanations(A | B | C, FIND, "cb").union == {0, 1}


def test_what_is_absent_shows_nothing_and_adds_no_copies() -> None:
    assert masks(~B, "a") == [set()]
    assert masks(A & ~B, "aa") == [{0}, {1}, {0, 1}]
    assert masks(A | ~B, "a") == [set(), {0}]
    assert masks(~X | ~B, "a") == [set()]


def test_two_overlapping_matches_may_repeat_a_mask_and_are_counted() -> None:
    found = explanations(AtLeast(Motif("aa")), FIND, "aaaa")
    assert found.total == len(found.alternatives) == 7
    assert len(set(found.alternatives)) == 6  # the outer two, with or without the inner one


def test_a_false_rule_has_no_explanation() -> None:
    nothing = Explanations((), 0, False, frozenset(), {})
    assert explanations(A & B, FIND, "a") == explanations(~A, FIND, "a") == nothing
    assert explanations(A, FIND, "") == nothing
    assert explanations(~A, FIND, "") == Explanations((frozenset(),), 1, False, frozenset(), {})


def test_a_true_part_of_a_false_side_is_not_in_the_union() -> None:
    named = AtLeast(Motif("a", name="head")) & X | AtLeast(Motif("b", name="tail"))
    found = explanations(named, FIND, "abb")
    assert found.union == {1, 2}
    assert found.parts == {"tail": {1, 2}}


def test_named_parts_are_united_over_matches() -> None:
    path = Path(Motif("a", name="X"), Motif("b", name="F"), 1, 2)
    found = explanations(path, FIND, "acb.accb")
    assert found.parts == {"X": {0, 4}, "F": {2, 7}}
    assert found.alternatives == ({0, 1, 2}, {4, 5, 6, 7}, {0, 1, 2, 4, 5, 6, 7})


def test_any_of_pools_matches_and_counts_one_found_twice_once() -> None:
    either = Motif("a") | Motif("b") | Motif("a", name="again")
    assert masks(AtLeast(either, 2), "ab") == [{0, 1}]
    assert not holds(AtLeast(either, 2), FIND, "a")


def literal(rule: Rule, example: str, wanted: bool = True) -> list[frozenset[int]] | None:
    """The definition, written out: all masks in a list; None where the rule is not as wanted."""
    match rule:
        case Not(inner):
            return literal(inner, example, not wanted)
        case And(sides) | Or(sides):
            answers = [literal(side, example, wanted) for side in sides]
            true = [answer for answer in answers if answer is not None]
            if isinstance(rule, And) is wanted:
                return None if None in answers else [frozenset().union(*c) for c in product(*true)]
            loud = [answer for answer in true if answer != [frozenset()]]
            quiet = [frozenset()] if len(loud) < len(true) else []
            groups = chain.from_iterable(combinations(loud, size) for size in range(1, len(loud) + 1))
            found = [frozenset().union(*chosen) for group in groups for chosen in product(*group)]
            return quiet + found or None
        case AtLeast(motif, least):
            places = {match.parts for one in alternatives(motif) for match in FIND.find(one, example)}
        case Path():
            places, least = {match.parts for match in FIND.find_paths(rule, example)}, 1
        case _:
            raise TypeError(rule)
    if not wanted:
        return [frozenset()] if len(places) < least else None
    subsets = chain.from_iterable(combinations(places, size) for size in range(least, len(places) + 1))
    return [frozenset().union(*subset) for subset in subsets] or None


@settings(max_examples=400, deadline=None)
@given(RULES, TEXTS)
def test_the_masks_are_those_of_the_definition(rule: Rule, example: str) -> None:
    expected = literal(rule, example) or []
    found = explanations(rule, FIND, example, cap=10**6)
    assert Counter(found.alternatives) == Counter(expected)
    assert found.total == len(expected)
    assert holds(rule, FIND, example) is bool(expected)
    if expected:
        assert found.union == found.alternatives[-1] == frozenset().union(*expected)


@settings(deadline=None)
@given(RULES, RULES, TEXTS)
def test_de_morgan(one: Rule, other: Rule, example: str) -> None:
    for left, right in ((~(one & other), ~one | ~other), (~(one | other), ~one & ~other), (~~one, one)):
        assert holds(left, FIND, example) is holds(right, FIND, example)
        assert explanations(left, FIND, example) == explanations(right, FIND, example)
    assert holds(~one, FIND, example) is not holds(one, FIND, example)


@settings(max_examples=400, deadline=None)
@given(RULES, TEXTS, st.integers(1, 12))
def test_a_cap_keeps_legal_masks_the_union_and_the_count(rule: Rule, example: str, cap: int) -> None:
    whole, capped = explanations(rule, FIND, example, cap=10**6), explanations(rule, FIND, example, cap)
    assert (capped.total, capped.union, capped.parts) == (whole.total, whole.union, whole.parts)
    assert capped.capped is (whole.total > cap)
    assert len(capped.alternatives) == min(whole.total, cap)
    assert not Counter(capped.alternatives[:-1]) - Counter(whole.alternatives)
    if whole.total:
        assert capped.alternatives[-1] == whole.union


def test_capped_masks_begin_with_single_matches() -> None:
    found = explanations(A, FIND, "a" * 20)
    assert found.total == 2**20 - 1
    assert found.capped
    assert found.alternatives[:20] == tuple(frozenset({i}) for i in range(20))
    assert found.alternatives[-1] == frozenset(range(20))
    both = explanations(A & B, FIND, "a" * 20 + "b" * 20)
    assert both.total == (2**20 - 1) ** 2
    assert set(both.alternatives[:400]) == {frozenset({i, j}) for i in range(20) for j in range(20, 40)}


@pytest.mark.parametrize(
    "rule",
    [A, A & B, A | B, AtLeast(Motif("a"), 3) & ~C, And((A, B) * 20), Or((A, B, ~C) * 20)],
    ids=["one", "and", "or", "at least 3", "wide and", "wide or"],
)
def test_what_cannot_be_listed_is_never_listed(rule: Rule) -> None:
    start = time.process_time()
    found = explanations(rule, FIND, "a" * 100 + "b" * 100)
    assert len(found.alternatives) == 4096
    assert found.total > 10**25
    assert time.process_time() - start < 5


def test_capped_masks_pass_over_sizes_that_a_side_has_not() -> None:
    rule = A | AtLeast(Motif("b"), 2)
    assert masks(rule, "abbb", cap=5) == [{0}, {1, 2}, {1, 3}, {2, 3}, {0, 1, 2, 3}]
    assert masks(rule & C, "abbbc", cap=3) == [{0, 4}, {1, 2, 4}, {0, 1, 2, 3, 4}]


def test_the_count_of_a_capped_rule_is_its_binomial_sum() -> None:
    found = explanations(AtLeast(Motif("a"), 28), FIND, "a" * 30, cap=10)
    assert found.total == comb(30, 28) + comb(30, 29) + 1
    assert [len(mask) for mask in found.alternatives] == [28] * 9 + [30]


def test_operators_build_flat_trees() -> None:
    assert And((A, B, C)) == A & B & C == A & (B & C)
    assert Or((A, Or((B, C)))) == A | B | C
    assert Not(A) == ~A
    assert Motif("a") | (Motif("b") | Motif("c")) == AnyOf((Motif("a"), Motif("b"), Motif("c")))


def test_motifs_are_those_written_from_left_to_right() -> None:
    path = Path(Motif("p") | Motif("q"), Motif("r"), 0, 1, (Motif("s"), Motif("t") | Motif("u")))
    assert "".join(motif.text for motif in motifs(A & ~(path | B))) == "apqrstub"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Motif(""), "text is empty"),
        (lambda: Motif("a", name=""), "name is empty"),
        (lambda: Motif("a", grow=""), "grow is empty"),
        (lambda: AnyOf((Motif("a"),)), "two motifs or more, got 1"),
        (lambda: AtLeast(Motif("a"), -1), "got n = -1"),
        (lambda: Path(Motif("a"), Motif("b"), 3, 1), "got 3 and 1"),
        (lambda: Path(Motif("a"), Motif("b"), -1, 1), "got -1 and 1"),
        (lambda: And((A,)), "And takes two sides or more, got 1"),
        (lambda: Or(()), "Or takes two sides or more, got 0"),
        (lambda: explanations(A, FIND, "a", cap=0), "got cap = 0"),
        (lambda: holds(Rule(), FIND, "a"), "not a rule"),
        (lambda: explanations(Rule(), FIND, "a"), "not a rule"),
    ],
)
def test_what_makes_no_sense_is_refused(build, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build()


def test_rules_and_explanations_travel_and_can_be_keys() -> None:
    rule = ~(A & Path(Motif("a", name="X"), Motif("b"), 0, 1, (Motif("c"),))) | B
    found = explanations(rule, FIND, "ab")
    assert pickle.loads(pickle.dumps((rule, found))) == (rule, found)
    assert len({rule: 0, ~rule: 1, found: 2}) == 3
