"""DNA rules: where motifs and paths are, against a search letter by letter; what cannot be meant."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attar.core.errors import InputError
from attar.core.motif import AnyOf, Motif, alternatives
from attar.core.rule import AtLeast, Path, explanations, holds
from attar.domains.sequences.domain import Sequences
from attar.domains.sequences.truth import DnaFinder
from reference.dna_enumeration import paths, places
from reference.legal_masks import legal_masks

FIND = DnaFinder()
SEQUENCES = st.text("AACGTTN", max_size=14)
MOTIFS = st.builds(
    lambda letters, strand, window: f"{letters}{strand}{window}",
    st.text("ACGTWSN", min_size=1, max_size=3).filter(lambda letters: set(letters) != {"N"}),
    st.sampled_from(["", " +", " -", " +-"]),
    st.sampled_from(["", "", " @ 2..9", " @ 0..40", " @ 3..5"]),
)
EITHER = st.builds(
    lambda letters: f"{letters} +-", st.text("ATGWN", min_size=1, max_size=2).filter(lambda x: set(x) != {"N"})
)
LINKS = st.lists(st.lists(st.sampled_from(["A +-", "W +-", "S +-", "K +-"]), min_size=1, max_size=2), max_size=2)


def found(text: str, sequence: str) -> list[set[int]]:
    return [set(match.parts) for match in FIND.find(Motif(text), sequence)]


def joined(path: Path, sequence: str) -> list[set[int]]:
    return [set(match.parts) for match in FIND.find_paths(path, sequence)]


def any_of(texts: list[str]) -> Motif | AnyOf:
    motifs = tuple(map(Motif, texts))
    return motifs[0] if len(motifs) == 1 else AnyOf(motifs)


# --- against the search letter by letter ---


@given(MOTIFS, SEQUENCES)
@settings(max_examples=400, deadline=None)
def test_motifs_are_where_a_search_letter_by_letter_finds_them(motif: str, sequence: str) -> None:
    matches = FIND.find(Motif(motif), sequence)
    assert {match.parts for match in matches} == places(motif, sequence)
    assert len({match.parts for match in matches}) == len(matches)


@given(EITHER, EITHER, st.integers(0, 3), st.integers(0, 3), LINKS, SEQUENCES)
@settings(max_examples=400, deadline=None)
def test_paths_are_where_a_search_letter_by_letter_finds_them(
    first: str, last: str, shortest: int, more: int, links: list[list[str]], sequence: str
) -> None:
    path = Path(Motif(first), Motif(last), shortest, shortest + more, tuple(map(any_of, links)))
    assert {match.parts for match in FIND.find_paths(path, sequence)} == paths(
        first, last, shortest, shortest + more, links, sequence
    )


RULES = [
    'has("AT +-")',
    'count("W") >= 2 and not has("CG")',
    'has("TA") or path("A +-", "S +-", 0, 2)',
    'not (has("GW") and has("C -"))',
    'path("A", "T", 1, 2, "S" or "A" then "W") and count("A" or "T @ 0..4") >= 3',
]


@given(st.sampled_from(RULES), st.text("ACGT", max_size=7))
@settings(max_examples=300, deadline=None)
def test_masks_are_every_choice_of_matches(text: str, sequence: str) -> None:
    rule = Sequences().read_rule(text)

    def where(condition: AtLeast | Path) -> set[frozenset[int]]:
        if isinstance(condition, AtLeast):
            return set().union(*(places(m.text, sequence) for m in alternatives(condition.motif)))
        ends = [m.text for end in (condition.first, condition.last) for m in alternatives(end)]
        along = [[m.text for m in alternatives(piece)] for piece in condition.along]
        return paths(ends[0], ends[1], condition.shortest, condition.longest, along, sequence)

    literal = legal_masks(rule, where)
    assert holds(rule, FIND, sequence) is (literal is not None)
    assert set(explanations(rule, FIND, sequence, cap=10**6).alternatives) == (literal or set())


# --- known places ---


def test_overlapping_motifs_are_all_found() -> None:
    assert found("ATA", "ATATA") == [{0, 1, 2}, {2, 3, 4}]


def test_a_minus_motif_is_its_reverse_complement() -> None:
    assert found("GGGA -", "ATCCCA") == [{1, 2, 3, 4}]
    assert found("GGGA", "ATCCCA") == []
    assert found("GGGA +-", "GGGATCCC") == [{0, 1, 2, 3}, {4, 5, 6, 7}]


def test_a_palindrome_on_both_strands_is_one_match() -> None:
    assert found("CACGTG +-", "ACACGTGA") == [{1, 2, 3, 4, 5, 6}]


def test_an_n_of_a_motif_is_any_letter_and_no_part() -> None:
    assert found("CANNTG", "CAGGTG.CANCTG".replace(".", "A")) == [{0, 1, 4, 5}, {7, 8, 11, 12}]


def test_an_unread_letter_is_told_by_no_other() -> None:
    assert found("RTA", "NTA") == found("VTA", "NTA") == []


def test_a_window_has_both_its_ends() -> None:
    assert found("AT @ 2..5", "ATATATAT") == [{2, 3}, {4, 5}]
    assert found("AT @ 6..99", "ATATATAT") == [{6, 7}]


def test_a_path_is_read_along_its_strand_and_its_gap_is_no_part() -> None:
    forward = Path(Motif("GGA"), Motif("TTC"), 2, 3)
    assert joined(forward, "GGACCTTC") == [{0, 1, 2, 5, 6, 7}]
    assert joined(forward, "GGACTTC") == joined(forward, "TTCCCGGA") == []
    backward = Path(Motif("GGA -"), Motif("TTC -"), 2, 3)
    assert joined(backward, "GAACCTCC") == [{0, 1, 2, 5, 6, 7}]  # the first, turned, is TCC and lies on the right
    assert joined(backward, "TCCCCGAA") == []
    assert joined(Path(Motif("GGA +-"), Motif("TTC"), 2, 3), "GGACCTTC") == [{0, 1, 2, 5, 6, 7}]


def test_what_along_names_is_part_of_the_path() -> None:
    path = Path(Motif("GG", "X"), Motif("TT", "F"), 1, 3, (Motif("C", "C"), Motif("A") | Motif("W", "W")))
    (match,) = FIND.find_paths(path, "GGCATTC")
    assert match.parts == {*range(6)}
    assert match.named == {"X": {0, 1}, "C": {2}, "F": {4, 5}}
    assert joined(path, "GGAATT") == joined(path, "GGCGTT") == joined(path, "GGCTCTT") == []


def test_ends_of_a_path_do_not_share_letters() -> None:
    assert joined(Path(Motif("GGA"), Motif("ATT"), 0, 1), "GGATT") == []


def test_grown_motifs_cover_what_they_grow_into() -> None:
    (match,) = FIND.find(Motif("CG", "core", grow="ACGT +-"), "TTACGTT")
    assert match.parts == match.named["core"] == {2, 3, 4, 5}
    assert found("CG", "TTCCGTT") == [{3, 4}]


# --- what cannot be meant ---


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('has("tata")', 'is no DNA motif: write IUPAC letters, then .* as in "TATAWR'),
        ('has("TAJA")', "has the letter J, which is none of A C G"),
        ('has("NNN")', "asks for no letter at all"),
        ('has("TATA +/-")', "is no DNA motif"),
        ('has("TATA @ 20")', "is no DNA motif"),
        ('has("TATA @ 3..5")', "4 letters for the places 3 to 5: widen the window"),
        ('has("TATA @ 9..2")', "4 letters for the places 9 to 2"),
        ('has("TATA" grow "tata")', '"tata" is no DNA motif'),
        ('path("TATA", "CAAT -", 1, 9)', "different strands: a path lies on one, so write"),
        ('path("TATA -", "CAAT +-", 1, 9, "S")', "different strands"),
        ('path("TATA", "CAAT", 1, 9, "SS")', "has SS between its ends: a chain part is one letter"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, why: str) -> None:
    with pytest.raises(InputError, match=why) as refused:
        Sequences().read_rule(text)
    assert "\n" not in str(refused.value)
