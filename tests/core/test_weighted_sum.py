"""Weighted sums: what is read and printed, what they come to, and who gets which share."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attar.core.errors import InputError
from attar.core.motif import AnyOf, Motif, alternatives
from attar.core.named_rules import names_sum, read_named_sum
from attar.core.planting import counterfactuals, generate
from attar.core.rule import Match, Path, conditions, explanations, holds
from attar.core.rule_text import parse_rule, parse_sum, says_sum
from attar.core.weighted_sum import Term, WeightedSum, contributions, value

A, B, C = Motif("A"), Motif("B"), Motif("C")


class Letters:
    """Finds runs of letters in a string; a path is two of them with so many letters between, which are no part."""

    def find(self, motif: Motif, example: str, /) -> list[Match]:
        size = len(motif.text)
        found = [range(k, k + size) for k in range(len(example) - size + 1) if example[k : k + size] == motif.text]
        return [Match(frozenset() if motif.text == "_" else frozenset(where)) for where in found]

    def find_paths(self, path: Path, example: str, /) -> list[Match]:
        firsts, lasts = (
            [match for motif in alternatives(end) for match in self.find(motif, example)]
            for end in (path.first, path.last)
        )
        found = [
            Match(one.parts | other.parts)
            for one in firsts
            for other in lasts
            if path.shortest <= min(other.parts) - max(one.parts) - 1 <= path.longest
        ]
        return list({match.parts: match for match in found}.values())


FINDER = Letters()
TEXTS = st.text("ABC\"' \\", min_size=1, max_size=4)
MOTIFS = st.builds(Motif, TEXTS, st.none() | TEXTS, st.none() | TEXTS)
ANY = MOTIFS | st.lists(MOTIFS, min_size=2, max_size=3).map(lambda motifs: AnyOf(tuple(motifs)))
NUMBERS = st.floats(-1e12, 1e12).filter(bool)
TERMS = st.builds(Term, NUMBERS, ANY, st.booleans()) | st.builds(
    Term, NUMBERS, st.builds(Path, ANY, ANY, st.just(0), st.integers(0, 99)), st.just(True)
)
SUMS = st.builds(WeightedSum, st.lists(TERMS, min_size=1, max_size=4).map(tuple), st.floats(-1e12, 1e12))


# --- text ---


@settings(deadline=None)
@given(SUMS)
def test_what_is_printed_is_read_back(total: WeightedSum) -> None:
    assert parse_sum(str(total)) == total
    assert says_sum(str(total))


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ('count("A")', WeightedSum((Term(1, A),))),
        ('2*count("A") - 1.5*has(b: "B") + 0.3', WeightedSum((Term(2, A), Term(-1.5, Motif("B", "b"), True)), 0.3)),
        ('has("A")*2+has("B")', WeightedSum((Term(2, A, True), Term(1, B, True)))),
        ('-3 + 2E1*COUNT("A" or "B") - 1', WeightedSum((Term(20, A | B),), -4)),
        ('- path("A", "B", 1, 3)', WeightedSum((Term(-1, Path(A, B, 1, 3), True),))),
        ("1 -\n2 * count('-')", WeightedSum((Term(-2, Motif("-")),), 1)),
    ],
)
def test_what_is_read(text: str, total: WeightedSum) -> None:
    assert parse_sum(text) == total


def test_how_it_is_written() -> None:
    total = WeightedSum((Term(-2, A), Term(1, B, True), Term(0.1 + 0.2, A | C)), -7.5)
    assert str(total) == '-2*count("A") + 1*has("B") + 0.30000000000000004*count("A" or "C") - 7.5'


@pytest.mark.parametrize(
    ("text", "problem", "place"),
    [
        ('2*has("A")*has("B")', "A sum has no products of motifs: put + or - between them", 10),
        ('has("A") * count("B")', "A sum has no products of motifs: put + or - between them", 11),
        ('2*not has("A")', "A sum has no not: a motif that speaks against gets a negative weight", 2),
        ('has("A") - not has("B")', "A sum has no not: a motif that speaks against gets a negative weight", 11),
        ("2 + 3", "A sum takes one motif or more, with its weight", 0),
        ('2*3*has("A")', "The sum has '3' where count, has or path was expected.", 2),
        ("2*", "The sum ends where count, has or path was expected.", 2),
        ("2*A", "The sum has 'A' where count, has or path was expected.", 2),
        ("2*count(A)", 'A motif stands in quotes: write "A".', 8),
        ('2*has("A") and has("B")', "The sum has 'and' where + or - or its end was expected.", 11),
        ('2*count("A") >= 3', "The sum has '>=' where + or - or its end was expected.", 13),
        ('2*(has("A") + has("B"))', "The sum has '(' where count, has or path was expected.", 2),
        ('count("A") + - 1', "The sum has '-' where a term (such as 2*count(", 13),
        ('0*count("A")', "A term's weight is 0, expected a finite number other than 0.", 0),
        ('count("A") - 1e999*has("B")', "A term's weight is inf, expected a finite number other than 0.", 13),
        ('2*count("") + 1', "A motif's text is empty", 8),
        ('has("A") + 1*path("A", "B", 3, 1)', "A path has 0 <= shortest <= longest chain parts", 28),
    ],
)
def test_an_error_says_what_came_and_points_at_it(text: str, problem: str, place: int) -> None:
    with pytest.raises(InputError) as caught:
        parse_sum(text)
    first, shown, caret = str(caught.value).split("\n")
    assert first.startswith(problem)
    assert (shown, caret) == ("  " + text, " " * (2 + place) + "^")


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_sum_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match=r"^The sum is empty: write one such as 2\*count"):
        parse_sum(text)


@settings(deadline=None)
@given(st.text('has"()A*+-2.5 e', max_size=30))
def test_any_text_is_a_sum_or_an_input_error(text: str) -> None:
    try:
        total = parse_sum(text)
    except InputError:
        return
    assert parse_sum(str(total)) == total


def test_rules_and_sums_are_told_apart() -> None:
    with pytest.raises(InputError, match=r"^has\(\"A\"\) - 1 is a weighted sum, .* expected a rule, .* such as has"):
        parse_rule('has("A") - 1')
    with pytest.raises(InputError, match=r"^count\(\"A\"\) >= 2 is a rule, .* expected a weighted sum, .* such as 2\*"):
        parse_sum('count("A") >= 2')
    for text in (
        'has("A")',
        'count("A") >= 2',
        'not has("2*")',
        "rose",
        'has("A") and 2',
        'has("A") or not 2*has("B")',
    ):
        assert not says_sum(text), text
    for text in (
        '2*has("A")',
        'count("A")',
        'has("A") - 1',
        '2*has("A") and has("B")',
        "3",
        "-x",
        'has("A") - not has("B")',
    ):
        assert says_sum(text), text
    assert names_sum(" Motif-Scores ", {"motif-scores": ""})
    assert not names_sum("tata", {"motif-scores": ""})


def test_a_sum_by_name_is_its_text_and_its_motifs_are_tried() -> None:
    named = {"scores": '2*count("A") - 1'}
    assert read_named_sum("SCORES", named, FINDER, "") == parse_sum(named["scores"])
    with pytest.raises(InputError, match="No sum is named score: there are scores, or a text such as 2"):
        read_named_sum("score", named, FINDER, "")

    class Picky(Letters):
        def find(self, motif: Motif, example: str, /) -> list[Match]:
            raise InputError(f"what is {motif}?")

    with pytest.raises(InputError, match='what is "A"'):
        read_named_sum("scores", named, Picky(), "")


# --- amounts and shares ---


@pytest.mark.parametrize(
    ("text", "example", "shares"),
    [
        ('2*count("AB")', "ABCAB", [1, 1, 0, 1, 1]),
        ('2*has("AB")', "ABCAB", [0.5, 0.5, 0, 0.5, 0.5]),  # once, shared by its two matches
        ('2*has("AB")', "CCCCC", [0, 0, 0, 0, 0]),
        ('2*count("AA")', "AAAC", [1, 2, 1, 0]),  # what two matches name gets a share of each
        ('3*count("A") - 4*count("AB") + 10', "ABA", [1, -2, 3]),
        ('4*path("A", "C", 0, 2)', "ABCBC", [2, 0, 2, 0, 0]),
        ('4*path("A", "C", 0, 3)', "ABCBC", [2, 0, 1, 0, 1]),  # two paths share what the path is worth
        ('1*count("A" or "B")', "ABC", [1, 1, 0]),
    ],
)
def test_who_gets_which_share(text: str, example: str, shares: list[float]) -> None:
    total = parse_sum(text)
    np.testing.assert_allclose(contributions(total, FINDER, example, len(example)), shares)
    assert value(total, FINDER, example) == pytest.approx(total.constant + sum(shares))


@settings(deadline=None)
@given(SUMS, st.text("ABC", max_size=12))
def test_shares_and_constant_sum_to_the_value(total: WeightedSum, example: str) -> None:
    shares = contributions(total, FINDER, example, len(example))
    size = sum(abs(term.weight) for term in total.terms) * 200
    assert shares.sum() + total.constant == pytest.approx(value(total, FINDER, example), abs=1e-12 * size)


def test_a_sum_of_sums_is_the_sum_of_their_shares() -> None:
    texts = ['2*count("A")', '-3*has("AB")', '0.5*path("A", "C", 0, 9)']
    example = "ABACCAB"
    together = contributions(parse_sum("".join(f"+ {text}" for text in texts).replace("+ -", "- ")), FINDER, example, 7)
    alone = sum(contributions(parse_sum(text), FINDER, example, 7) for text in texts)
    np.testing.assert_allclose(together, alone, atol=1e-12)
    twice = contributions(parse_sum('4*count("A")'), FINDER, example, 7)
    np.testing.assert_allclose(twice, 2 * contributions(parse_sum('2*count("A")'), FINDER, example, 7))


def test_a_count_grows_and_a_has_does_not() -> None:
    counted, once = parse_sum('2*count("A") + 1'), parse_sum('2*has("A") + 1')
    values = [[value(total, FINDER, "A" * n) for n in range(4)] for total in (counted, once)]
    assert values == [[1, 3, 5, 7], [1, 3, 3, 3]]
    assert all(other - one == 2 for one, other in pairwise(values[0]))


def test_a_match_without_parts_can_carry_nothing() -> None:
    assert value(parse_sum('2*count("_")'), FINDER, "A_") == 2
    with pytest.raises(InputError, match='A match of "_" names no part'):
        contributions(parse_sum('2*count("_")'), FINDER, "A_", 2)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: WeightedSum(()), "one motif or more"),
        (lambda: WeightedSum((Term(1, A),), np.nan), "constant is nan"),
        (lambda: Term(0, A), "weight is 0"),
        (lambda: Term(np.inf, A), "weight is inf"),
        (lambda: Term(1, Path(A, B, 0, 1)), "counts once"),
    ],
)
def test_what_is_no_sum_is_refused(make: Callable[[], object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        make()


@pytest.mark.parametrize(
    "ask",
    [
        lambda total: holds(total, FINDER, "AB"),
        lambda total: explanations(total, FINDER, "AB"),
        lambda total: counterfactuals(total, FINDER, None, "AB"),
        lambda total: generate(total, FINDER, Blank(), 1),
    ],
)
def test_a_sum_has_no_label_masks_or_counterfactuals(ask: Callable[[WeightedSum], object]) -> None:
    total = parse_sum('2*count("A")')
    assert not list(conditions(total))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r'^This is not a rule: 2\*count\("A"\)\. .*no legal masks, counterfactuals'):
        ask(total)


class Blank:
    def background(self, generator: np.random.Generator) -> str:
        return "CCC"
