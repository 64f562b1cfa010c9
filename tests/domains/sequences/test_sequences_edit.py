"""DNA made and edited: what varies in a background, what an edit changes and what it leaves."""

from functools import cache

import numpy as np
import pytest
import torch

from attar.core.errors import InputError
from attar.core.motif import Motif
from attar.core.planting import counterfactuals, generate
from attar.core.rule import Match, Path
from attar.domains.sequences.control import trivial_places
from attar.domains.sequences.domain import Sequences
from attar.domains.sequences.edit import INTACT, NEAR, DnaPlanter
from reference.dna_enumeration import STANDS_FOR, places

DOMAIN = Sequences()
PLANTER, FIND = DOMAIN.planter, DOMAIN.finder
BARE = DnaPlanter(120)


@cache
def backgrounds(planter: DnaPlanter) -> list[str]:
    generator = np.random.default_rng(1)
    return [planter.background(generator) for _ in range(300)]


def off_by(motif: str, sequence: str) -> int:
    """The fewest letters by which any place misses the motif."""
    starts = range(len(sequence) - len(motif) + 1)
    return min(sum(sequence[b + k] not in STANDS_FOR[x] for k, x in enumerate(motif)) for b in starts)


def differing(before: str, after: str) -> list[int]:
    return [k for k, (one, other) in enumerate(zip(before, after, strict=True)) if one != other]


# --- backgrounds ---


def test_backgrounds_differ_in_how_rich_they_are_and_drift() -> None:
    strong = np.array([[x in "GC" for x in sequence] for sequence in backgrounds(BARE)], dtype=float)
    letters_alone = np.sqrt(0.25 / 120)
    assert strong.mean(1).std() > 1.5 * letters_alone
    drift = strong[:, 60:].mean(1) - strong[:, :60].mean(1)
    assert drift.std() > 1.5 * np.sqrt(2 * 0.25 / 60)
    assert drift.mean() == pytest.approx(0, abs=0.05)


def test_cg_is_rare_as_in_genomes_and_strands_are_uneven() -> None:
    found = DOMAIN.properties(backgrounds(BARE))
    assert 0.4 < found["CG found / expected"].mean() < 0.75
    assert 0.75 < found["TA found / expected"].mean() < 0.95
    assert found["share of A and G"].std() > 1.2 * np.sqrt(0.25 / 120)


def test_distractors_lie_about_whole_and_with_a_letter_wrong() -> None:
    motif = "GATTACAGATTACA"  # too long to come about by chance
    misses = np.array([off_by(motif, sequence) for sequence in backgrounds(DnaPlanter(120, (Motif(motif),)))])
    assert np.mean(misses == 0) == pytest.approx(INTACT, abs=0.05)
    assert np.mean(misses == 1) == pytest.approx(NEAR, abs=0.06)


def test_half_of_the_negatives_miss_a_motif_by_a_letter() -> None:
    examples, labels = generate(DOMAIN.read_rule("tata"), FIND, PLANTER, 200, seed=2)
    misses = np.array([off_by("TATAWAW", example) for example in examples])
    assert set(misses[labels > 0.5]) == {0}
    assert np.mean(misses[labels < 0.5] == 1) > 0.5


# --- edits ---


@pytest.mark.parametrize("text", ["TATAWAW", "CCAAT -", "WGATAR +-", "GGGCGG +- @ 10..30", "CANNNTG"])
def test_a_planted_motif_is_there_once_more_and_spares_the_distractors(text: str) -> None:
    generator = np.random.default_rng(3)
    for sequence in backgrounds(PLANTER)[:40]:
        edited = PLANTER.plant(sequence, Motif(text), generator)
        assert edited is not None
        assert len(places(text, edited)) > len(places(text, sequence))
        (there,) = [sorted(p) for p in places(text, edited) if set(differing(sequence, edited)) <= p][:1]
        assert len(differing(sequence, edited)) <= len(there)
        for motif in PLANTER.distractors:
            assert places(motif.text, sequence) <= places(motif.text, edited)


def test_letters_that_fit_are_left() -> None:
    edited = {BARE.plant("TATAGAT", Motif("TATAWAW"), np.random.default_rng(seed)) for seed in range(20)}
    assert edited == {"TATAAAT", "TATATAT"}


@pytest.mark.parametrize(
    "path",
    [
        Path(Motif("GGGCGG +-"), Motif("CCAAT +-"), 3, 10),
        Path(Motif("GGGCGG -"), Motif("CCAAT -"), 0, 4),
        Path(Motif("GGGCGG -"), Motif("CCAAT -"), 2, 4, (Motif("A -"), Motif("C -"))),
        Path(Motif("TATAWAW") | Motif("CACGTG"), Motif("CCAAT @ 60..119"), 2, 3, (Motif("S"), Motif("W") | Motif("G"))),
    ],
)
def test_a_planted_path_is_a_path(path: Path) -> None:
    generator = np.random.default_rng(4)
    for sequence in backgrounds(PLANTER)[:30]:
        edited = PLANTER.plant(sequence, path, generator)
        assert edited is not None
        assert len(FIND.find_paths(path, edited)) > len(FIND.find_paths(path, sequence))


def test_where_there_is_no_room_nothing_is_planted() -> None:
    generator = np.random.default_rng(0)
    assert PLANTER.plant("ACGT", Motif("TATAWAW"), generator) is None
    assert PLANTER.plant("ACGTACGTACGT", Motif("TATAWAW @ 20..40"), generator) is None
    assert PLANTER.plant("ACGTACGTACGT", Path(Motif("TATA"), Motif("CCAA"), 9, 9), generator) is None


@pytest.mark.parametrize("text", ["TATAWAW", "CACGTG +-", "WGATAR +-", "CANNTG", "BVA"])
def test_a_match_goes_by_one_letter_of_it(text: str) -> None:
    generator, gone = np.random.default_rng(5), 0
    for sequence in backgrounds(PLANTER)[:60]:
        for match in FIND.find(Motif(text), sequence):
            edited = PLANTER.remove(sequence, match, generator)
            assert edited is not None
            (place,) = differing(sequence, edited)
            assert place in match.parts
            assert match.parts not in places(text, edited)
            gone += 1
    assert gone >= 5


def test_a_path_goes_by_one_letter_of_its_ends() -> None:
    path = Path(Motif("GGA"), Motif("TTC"), 2, 3)
    sequence = "AAGGACCTTCAA"
    (match,) = FIND.find_paths(path, sequence)
    for seed in range(20):
        edited = PLANTER.remove(sequence, match, np.random.default_rng(seed))
        assert edited is not None
        assert set(differing(sequence, edited)) < {2, 3, 4, 7, 8, 9}
        assert FIND.find_paths(path, edited) == []


def test_a_match_of_no_known_motif_loses_a_letter_too() -> None:
    edited = PLANTER.remove("AAAA", Match(frozenset({1, 2})), np.random.default_rng(0))
    assert edited is not None
    assert len(differing("AAAA", edited)) == 1
    assert set(differing("AAAA", edited)) <= {1, 2}


def test_the_counterfactual_of_one_box_is_one_letter() -> None:
    rule = DOMAIN.read_rule('has("TATAWAW") and has("CACGTG")')
    example = "GGG" + "TATAAAA" + "GGG" + "CACGTG" + "GGG" + "TATATAT" + "GGG"
    found = counterfactuals(rule, FIND, BARE, example)
    assert [len(c.removed) for c in found] == [1, 2]  # the E-box, or both TATA boxes
    assert [len(differing(example, c.example)) for c in found] == [1, 2]


# --- groups ---


def test_groups_are_all_words_of_four_to_six_letters() -> None:
    groups = DOMAIN.editor.groups("ACGTNACGTAC")
    assert [group.name for group in groups] == ["ACGT", "ACGT", "CGTA", "GTAC", "ACGTA", "CGTAC", "ACGTAC"]
    assert all("ACGTNACGTAC"[min(g.parts) : max(g.parts) + 1] == g.name for g in groups)


def test_a_word_that_comes_with_the_label_is_a_group_of_it() -> None:
    generator = np.random.default_rng(6)
    with_word = [BARE.plant(e, Motif("GACTCA"), generator) for e in backgrounds(BARE)[:100]]
    held = [{g.name for g in DOMAIN.editor.groups(e)} for e in with_word if e is not None]
    without = [{g.name for g in DOMAIN.editor.groups(e)} for e in backgrounds(BARE)[100:200]]
    assert all("GACTCA" in names for names in held)
    assert sum("GACTCA" in names for names in without) < 10


# --- looks ---


def test_letters_are_four_channels_and_unread_ones_none() -> None:
    values = Sequences(length=5).encode(["ACGTN"]).values
    assert torch.equal(values, torch.eye(5)[None, :4])


@pytest.mark.parametrize(
    ("sequence", "why"),
    [
        ("ACG", "has 3 letters, expected 5"),
        ("ACGTU", "'ACGTU' has 'U' at place 4, expected A"),
        ("acgta", "in capitals"),
    ],
)
def test_what_is_no_sequence_is_refused(sequence: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        Sequences(length=5).encode(["AAAAA", sequence])


def test_a_length_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="length is 0 letters"):
        DnaPlanter(0)


def test_properties_by_hand() -> None:
    found = {name: values.tolist() for name, values in DOMAIN.properties(["ACGCGGTAAA", ""]).items()}
    assert found == {
        "letters": [10, 0],
        "share of G and C": [0.5, 0],
        "share of A and G": [0.7, 0],
        "CG found / expected": [2 * 10 / (2 * 3), 0],
        "TA found / expected": [1 * 10 / (1 * 4), 0],
        "longest run of a letter": [3, 0],
    }


def test_the_trivial_control_sees_where_composition_changes() -> None:
    values = trivial_places("A" * 40 + "G" * 7 + "A" * 40)
    assert values.argmax() == 43
    assert set(np.flatnonzero(values > 0.5)) == {*range(41, 46)}
    np.testing.assert_allclose(trivial_places("GAAAAAAA")[:5], [1 / 8, 3 / 40, 1 / 24, 1 / 56, 1 / 8])
    assert trivial_places("").shape == (0,)
