"""Motifs as counts: read as JASPAR writes them, found on both strands, and named beside an attribution."""

from pathlib import Path

import numpy as np
import pytest

from attar.core.errors import InputError
from attar.domains.sequences.motifs import Motif, hits, lost, read_jaspar
from attar.domains.sequences.record import Record, variant

FILE = """>MA0001.1 TATA
A  [ 0  90  5 ]
C  [ 1   5  5 ]
G  [ 1   0 80 ]
T  [98   5 10 ]
>plain
10 0
0 10
0 0
0 0
"""
DONOR = Motif(  # Mount 1982's consensus MAG|GTRAGT, of which GT hardly ever varies
    name="donor",
    counts=np.array(
        [
            [40, 70, 10, 0, 0, 45, 70, 10, 10],
            [40, 10, 10, 0, 0, 5, 10, 10, 10],
            [10, 10, 70, 100, 0, 45, 10, 70, 10],
            [10, 10, 10, 0, 100, 5, 10, 10, 70],
        ],
        dtype=float,
    ),
)


def jaspar(folder: Path, text: str) -> Path:
    path = folder / "motifs.jaspar"
    path.write_text(text)
    return path


def test_jaspar_files_are_read_with_and_without_letters(tmp_path: Path) -> None:
    one, two = read_jaspar(jaspar(tmp_path, FILE))
    assert (one.name, two.name) == ("MA0001.1 TATA", "plain")
    assert one.counts.tolist() == [[0, 90, 5], [1, 5, 5], [1, 0, 80], [98, 5, 10]]
    assert two.counts.shape == (4, 2)


def test_weights_are_log_odds_with_a_pseudocount() -> None:
    motif = Motif(name="m", counts=np.array([[8.0], [0.0], [0.0], [0.0]]))
    expected = np.log2((np.array([8.0, 0, 0, 0]) + 0.2) / 8.8 / 0.25)
    np.testing.assert_allclose(motif.weights[:, 0], expected)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A 1 2\n", "is no JASPAR file"),
        (">m\nA [1 2]\nC [1 2]\nG [1 2]\n", "motif m needs four rows of one length, for A, C, G and T; it has 3"),
        (">m\nA [1 2]\nC [1 2]\nG [1]\nT [1 2]\n", "motif m needs four rows of one length"),
        (">m\nA [1 x]\nC [1 2]\nG [1 2]\nT [1 2]\n", "motif m, row A is 'A .1 x.', expected counts"),
        (">m\nA [0 1]\nC [0 1]\nG [0 1]\nT [0 1]\n", "motif m has a position without counts"),
        (">m\nA [-1 1]\nC [5 1]\nG [0 1]\nT [0 1]\n", "or a negative one"),
    ],
)
def test_files_that_are_no_motifs_are_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_jaspar(jaspar(tmp_path, text))


def test_a_motif_is_found_on_both_strands_by_its_positions() -> None:
    record = Record.of("g", "TTTTCAGGTAAGTTTTTTACTTACCTGTTT")
    forward, backward = hits(record, [DONOR])
    assert (forward.where, forward.strand, forward.letters) == ("5 to 13", "+", "CAGGTAAGT")
    assert (backward.where, backward.strand, backward.letters) == ("19 to 27", "-", "ACTTACCTG")
    assert forward.fit == pytest.approx(1)
    assert backward.fit == pytest.approx(1)


def test_a_motif_that_reads_alike_on_both_strands_is_named_once() -> None:
    assert [hit.strand for hit in hits(Record.of("g", "TTCACGTGTT"), [Motif.of_consensus("E-box", "CACGTG")])] == ["+"]


def test_mass_is_the_share_of_an_attribution_inside_against_the_share_of_letters() -> None:
    record = Record.of("g", "TTTTCAGGTAAGTTTTTTACTTACCTGTTT")
    values = np.zeros(30)
    values[4:13], values[0], values[20] = 2.0, -1.0, 1.0
    first, second = hits(record, [DONOR], values)
    assert (first.strand, second.strand) == ("+", "-")
    assert (first.mass, first.value, first.length) == (pytest.approx(18 / 20), pytest.approx(18), pytest.approx(9 / 30))
    assert second.mass == pytest.approx(1 / 20)
    assert str(first) == "donor at 5 to 13 (+) CAGGTAAGT, fit 1.00: 90% of the attribution, 30.0% of the letters"


def test_unread_letters_fit_as_the_background_and_short_sequences_hold_nothing() -> None:
    assert hits(Record.of("g", "CAGGTAAGN"), [DONOR])[0].fit < 1
    assert hits(Record.of("g", "NNNNNNNNN"), [DONOR]) == []
    assert hits(Record.of("g", "CAGG"), [DONOR]) == []


def test_what_a_variant_takes_is_named() -> None:
    gene = Record.of("g", "TTTTCAGGTAAGTTTTTTACTTACCTGTTT")
    for text in ("g.8G>A", "g.8_9del"):
        gone = lost(gene, variant(text, [gene])[1].on(gene), [DONOR])
        assert [(hit.motif, hit.where, hit.strand) for hit in gone] == [("donor", "5 to 13", "+")], text
    assert lost(gene, variant("g.1T>A", [gene])[1].on(gene), [DONOR]) == []
    assert lost(gene, variant("g.2_3insA", [gene])[1].on(gene), [DONOR]) == []


def test_a_consensus_of_other_letters_is_refused() -> None:
    with pytest.raises(InputError, match="the motif x has '-'"):
        Motif.of_consensus("x", "A-G")
