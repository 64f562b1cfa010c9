"""Rules about texts: where patterns, relations and paths are, against trying every window; what cannot be meant."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attar.core.errors import InputError
from attar.core.motif import AnyOf, Motif, alternatives
from attar.core.rule import AtLeast, Path, explanations, holds
from attar.domains.text.domain import Texts
from attar.domains.text.truth import TextFinder
from attar.domains.text.words import KEYS, KINDS, PAD, STOPS, WORDS
from reference import text_enumeration
from reference.legal_masks import legal_masks
from reference.text_enumeration import paths, places

FIND = TextFinder()
FEW = ("colour", "strap", "red", "blue", "is", "not", ".", ",", PAD)
TEXTS = st.lists(st.sampled_from(FEW), max_size=11).map(tuple)
ITEM = st.sampled_from(["colour", "red", "is", "not", ".", "{red|blue}", "{is|not|,}"])
ROWS = st.builds(
    lambda first, middle, last: " ".join([first, *middle, last]),
    ITEM,
    st.lists(st.one_of(ITEM, st.just("*")), max_size=2),
    ITEM,
)
MOTIFS = st.one_of(
    ITEM, ROWS, st.sampled_from(["colour: red", "{colour|strap}: blue", "colour: {red|blue}", "strap : is"])
)  # fmt: skip
LINKS = st.lists(st.lists(st.sampled_from(["red", "{is|not}", "{.|,}"]), min_size=1, max_size=2), max_size=2)


def letter(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def found(motif: str, text: str) -> list[set[int]]:
    return [set(match.parts) for match in FIND.find(Motif(motif), letter(text))]


def joined(path: Path, text: str) -> list[set[int]]:
    return [set(match.parts) for match in FIND.find_paths(path, letter(text))]


def any_of(texts: list[str]) -> Motif | AnyOf:
    motifs = tuple(map(Motif, texts))
    return motifs[0] if len(motifs) == 1 else AnyOf(motifs)


# --- against every window ---


def test_the_oracle_knows_the_same_keys() -> None:
    assert text_enumeration.KEYS == KEYS
    assert {*STOPS, PAD} == text_enumeration.ENDS


@given(MOTIFS, TEXTS)
@settings(max_examples=500, deadline=None)
def test_motifs_are_where_trying_every_window_finds_them(motif: str, text: tuple[str, ...]) -> None:
    matches = [match.parts for match in FIND.find(Motif(motif), text)]
    assert set(matches) == {parts for *_, parts in places(motif, text)}
    assert len(set(matches)) == len(matches)


@given(MOTIFS, MOTIFS, st.integers(0, 3), st.integers(0, 3), LINKS, TEXTS)
@settings(max_examples=500, deadline=None)
def test_paths_are_where_trying_every_pair_finds_them(
    first: str, last: str, shortest: int, more: int, links: list[list[str]], text: tuple[str, ...]
) -> None:
    path = Path(Motif(first), Motif(last), shortest, shortest + more, tuple(map(any_of, links)))
    literal = paths(first, last, shortest, shortest + more, links, text)
    assert {match.parts for match in FIND.find_paths(path, text)} == literal


RULES = [
    'has("colour: red")',
    'count("{red|blue}") >= 2 and not has("is not")',
    'has("colour: blue") or path("not", "red", 0, 2)',
    'not (has("is * red") and has("strap"))',
    'path("colour", "red", 1, 2, "is" or "not" then "not") and count("is" or "strap: red") >= 2',
]


@given(st.sampled_from(RULES), st.lists(st.sampled_from(FEW), max_size=7).map(tuple))
@settings(max_examples=300, deadline=None)
def test_masks_are_every_choice_of_matches(rule_text: str, text: tuple[str, ...]) -> None:
    rule = Texts().read_rule(rule_text)

    def where(condition: AtLeast | Path) -> set[frozenset[int]]:
        if isinstance(condition, AtLeast):
            return {parts for m in alternatives(condition.motif) for *_, parts in places(m.text, text)}
        ends = [m.text for end in (condition.first, condition.last) for m in alternatives(end)]
        along = [[m.text for m in alternatives(piece)] for piece in condition.along]
        return paths(ends[0], ends[1], condition.shortest, condition.longest, along, text)

    literal = legal_masks(rule, where)
    assert holds(rule, FIND, text) is (literal is not None)
    assert set(explanations(rule, FIND, text, cap=10**6).alternatives) == (literal or set())


# --- known places ---


def test_a_value_under_another_key_is_no_match() -> None:
    assert found("colour: red", "the colour is blue , its strap is very red .") == []
    assert found("colour: red", "colour strap red") == []  # the nearest key before it
    assert found("colour: red", "red colour .") == []
    assert found("colour: red", "the colour is quite red , strap blue .") == [{1, 4}]
    assert found("colour: {red|blue}", "colour red blue") == [{0, 1}, {0, 2}]


@pytest.mark.parametrize("end", [".", ",", PAD])
def test_a_clause_ends_at_a_stop(end: str) -> None:
    assert found("colour: red", f"colour {end} red") == []
    assert found("not soft", f"not {end} soft") == []


def test_any_word_is_a_word_and_no_part() -> None:
    assert found("would * it", "i would buy it , would . it") == [{1, 3}, {5, 7}]
    assert found("would * it", f"would {PAD} it") == []


def test_a_path_goes_from_the_end_of_one_to_the_start_of_the_other() -> None:
    path = Path(Motif("size: small"), Motif("returned it"), 1, 3)
    assert joined(path, "size is small , i returned it .") == [{0, 2, 5, 6}]
    assert joined(path, "size is small . my sister today returned it") == []
    assert joined(path, "i returned it , size small .") == []


def test_what_along_names_is_part_of_the_path() -> None:
    path = Path(Motif("i", "who"), Motif("it"), 1, 2, (Motif("would") | Motif("will", "when"), Motif("{buy|keep}")))
    (match,) = FIND.find_paths(path, letter("i will keep it , i will not it"))
    assert (match.parts, match.named) == ({0, 1, 2, 3}, {"who": {0}, "when": {1}})


def test_grown_motifs_cover_what_they_grow_into() -> None:
    grown = Motif("ugly", "verdict", grow="is {very|so} ugly")
    assert [set(m.parts) for m in FIND.find(grown, letter("bag is so ugly , ugly"))] == [{1, 2, 3}, {5}]


# --- words ---


def test_every_word_is_of_one_kind_that_has_another() -> None:
    assert len(set(WORDS)) == len(WORDS)
    assert 60 <= len(WORDS) <= 100
    assert all(len(words) >= 2 for words in KINDS.values())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('has("colour: rad")', "'rad', which is none of the 77 words: write one such as red"),
        ('has("color: red")', "'color', which is none .* such as colour"),
        ('has("soft: red")', "the key soft, expected one of colour, fabric, lining"),
        ('has("colour: strap")', "the value strap, which ends what a key says"),
        ('has("colour: *")', "is no relation: write words"),
        ('has("colour: red blue")', "is no relation"),
        ('has("colour:")', "is no relation"),
        ('has("* red")', "begins or ends with any word at all"),
        ('has(" ")', "begins or ends with any word at all, or is empty"),
        ('has("{red|}")', "'{red\\|}' where a word was expected"),
        ('has("RED")', "'RED' where a word was expected"),
        ('has("red" grow "rad")', "'rad', which is none"),
        ('path("red", "blue", 0, 2, "is not")', "a chain part is one word"),
        ('path("red", "blue", 0, 2, "colour: red")', "a chain part is one word"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, why: str) -> None:
    with pytest.raises(InputError, match=why) as refused:
        Texts().read_rule(text)
    assert "\n" not in str(refused.value)
