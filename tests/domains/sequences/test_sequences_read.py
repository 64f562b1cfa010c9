"""FASTA, VCF and variants by name: what is read, what is said, and what is refused in one line."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from attar.core.errors import InputError
from attar.core.inputs import Tensors
from attar.domains.sequences.parts import Stretches
from attar.domains.sequences.read import read_fasta, read_sequences, read_vcf
from attar.domains.sequences.record import Record, Variant, one_hot, variant

HEADER = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


def fasta(folder: Path, text: str) -> Path:
    path = folder / "gene.fa"
    path.write_text(text)
    return path


def vcf(folder: Path, *rows: str) -> Path:
    path = folder / "calls.vcf"
    path.write_text(HEADER + "".join("\t".join(row.split()) + "\n" for row in rows))
    return path


def letters(examples) -> list[str]:
    return [record.letters for record in examples.raw]


# --- FASTA ---


def test_several_records_are_a_batch_and_the_shorter_one_ends_in_nothing(tmp_path: Path) -> None:
    found = read_sequences(fasta(tmp_path, ">one first gene\nACG\nTN\n>two\r\nGG\r\n"))
    assert found.names == ("one", "two")
    assert letters(found) == ["ACGTN", "GG"]
    assert found.inputs.values.shape == (2, 4, 5)
    expected = torch.zeros(2, 4, 5)
    for row, column, letter in ((0, 0, 0), (0, 1, 1), (0, 2, 2), (0, 3, 3), (1, 0, 2), (1, 1, 2)):
        expected[row, letter, column] = 1
    assert torch.equal(found.inputs.values, expected)
    assert found.said == "2 sequences of up to 5 letters"
    assert found.domain == "sequences"


def test_small_letters_are_taken_as_capitals_and_it_is_said(tmp_path: Path) -> None:
    found = read_sequences(fasta(tmp_path, ">g\nacgTN\n"))
    assert letters(found) == ["ACGTN"]
    assert found.said == "1 sequence of 5 letters, 3 small letters taken as capitals"


def test_letters_of_several_meanings_are_read_as_n_and_named(tmp_path: Path) -> None:
    found = read_sequences(fasta(tmp_path, ">g\nARGYT\nAAW\n"))
    assert letters(found) == ["ANGNTAAN"]
    assert found.said.endswith("R at 2, Y at 4 and W at 8 of g read as N")
    assert float(found.inputs.values[0, :, 1].sum()) == 0


def test_many_of_them_are_counted(tmp_path: Path) -> None:
    assert read_sequences(fasta(tmp_path, ">g\n" + "R" * 9)).said.endswith("R at 5 and 4 more of g read as N")


def test_rna_is_read_as_dna_and_it_is_said(tmp_path: Path) -> None:
    found = read_sequences(fasta(tmp_path, ">g\nACGU\n"))
    assert letters(found) == ["ACGT"]
    assert found.said.endswith("U of g read as T")


def test_a_packed_file_is_unpacked(tmp_path: Path) -> None:
    (tmp_path / "gene.fa.gz").write_bytes(gzip.compress(b">g\nACGT\n"))
    assert letters(read_sequences(tmp_path / "gene.fa.gz")) == ["ACGT"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            ">g\nAC-T\n",
            r"record g has '-' at position 3, which is no letter of DNA: expected A, C, G, T, N or an IUPAC",
        ),
        (">g\nACGT\n>h\nAC\nGX\n", r"record h has 'X' at position 4,"),
        (">g\n>h\nACGT\n", r"record g has no letters"),
        ("", r"gene.fa is empty: expected a line such as >name"),
        ("ACGT\n", r"is no FASTA file: it begins with 'ACGT'"),
        ("LOCUS x\n>g\nACGT\n", r"is no FASTA file: it begins with 'LOCUS"),
    ],
)
def test_what_is_no_sequence_is_refused_by_record_and_position(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as problem:
        read_sequences(fasta(tmp_path, text))
    assert "\n" not in str(problem.value)


# --- variants ---

GENE = Record.of("g", "ACGTACGTAC")


def made(text: str) -> Record:
    record, found = variant(text, [GENE])
    assert record is GENE
    return found.on(record)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("g.3G>T", "ACTTACGTAC"),
        ("g.3g>t", "ACTTACGTAC"),
        ("g.5del", "ACGTCGTAC"),
        ("g.5delA", "ACGTCGTAC"),
        ("g.5_7del", "ACGTTAC"),
        ("g.5_6insTT", "ACGTATTCGTAC"),
        ("g.5delinsGG", "ACGTGGCGTAC"),
        ("g.5_7delinsT", "ACGTTTAC"),
        ("g.5_7dup", "ACGTACGACGTAC"),
        ("g:g.1A>C", "CCGTACGTAC"),
        ("g 2 CGT C", "ACACGTAC"),
        ("g 10 C CA", "ACGTACGTACA"),
        ("g 1 A TA", "TACGTACGTAC"),
    ],
)
def test_a_variant_is_made_as_it_is_written(text: str, expected: str) -> None:
    assert made(text).letters == expected


def test_letters_keep_the_positions_that_they_were_given() -> None:
    found = variant("g.5_7delinsTT", [GENE])[1].on(GENE)
    assert [found.title(k) for k in range(len(found))] == ["A1", "C2", "G3", "T4", "T4+1", "T4+2", "T8", "A9", "C10"]
    assert found.place(8) == 6
    with pytest.raises(InputError, match=r"position 6 is taken out in g g.5_7delinsTT"):
        found.place(6)
    with pytest.raises(InputError, match=r"position 11 is beyond the end of g g.5_7delinsTT, which has 10 letters"):
        found.place(11)


def test_a_swap_of_letters_moves_no_position() -> None:
    found = variant("g 4 TAC GGG", [GENE])[1].on(GENE)
    assert [found.title(k) for k in (3, 4, 5)] == ["G4", "G5", "G6"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("g.3A>T", r"g.3A>T says A at position 3 of g, which has G there: is it another build, or the other strand\?"),
        ("g 3 GTC G", r"says TC at position 4 of g, which has TA there"),
        ("g.5_7delACC", r"says ACC at position 5 of g, which has ACG there"),
        ("g.5_7delAC", r"speaks of 3 positions and names 2 letters"),
        ("g.11A>T", r"g.11A>T is beyond the ends of g, which has positions 1 to 10"),
        ("g.0A>T", r"is beyond the ends"),
        ("g.7_5del", r"is beyond the ends"),
        ("g 11 A T", r"g 11 A T is beyond the end of g, which has 10 letters"),
        ("g.5_8insT", r"puts letters in between two neighbours: write g.5_6ins"),
        ("c.5A>T", r"'c.5A>T' is no variant that is read: write g.123A>G"),
        ("g.3G>R", r"holds 'R', expected letters out of A, C, G, T"),
        ("g 3 G G", r"changes nothing: REF and ALT are both G"),
        ("chr7 3 G T", r"there is no record 'chr7'; there is g"),
    ],
)
def test_a_variant_that_does_not_fit_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as problem:
        made(text)
    assert "\n" not in str(problem.value)


def test_of_several_records_a_variant_says_which() -> None:
    with pytest.raises(InputError, match=r"'g.3G>T' names no record, and there are 2: write g:g.3G>T"):
        variant("g.3G>T", [GENE, Record.of("h", "AAA")])


def test_each_variant_stands_alone_beside_its_own_sequence(tmp_path: Path) -> None:
    path = fasta(tmp_path, ">g\nACGT\n>h\nTTTT\n")
    found = read_sequences(path, variants=("h:g.1T>A", "g:g.2del", "g:g.1A>G"))
    assert found.names == ("g", "g g.2del", "g g.1A>G", "h", "h g.1T>A")
    assert letters(found) == ["ACGT", "AGT", "GCGT", "TTTT", "ATTT"]
    assert "3 variants, each on its own beside the sequence without it" in found.said


def test_a_vcf_names_its_variants_and_each_alt_is_one(tmp_path: Path) -> None:
    path = fasta(tmp_path, ">chr1\nACGTACGT\n")
    rows = vcf(tmp_path, "1 2 rs5 C G,T . . .", "chr1 3 . GTA G . . .")
    found = read_sequences(path, vcf=rows)
    assert found.names == ("chr1", "chr1 rs5", "chr1 rs5", "chr1 chr1:3 GTA>G")
    assert letters(found)[1:] == ["AGGTACGT", "ATGTACGT", "ACGCGT"]


def test_a_region_in_the_name_says_where_the_sequence_lies(tmp_path: Path) -> None:
    path = fasta(tmp_path, ">chr11:1001-1008\nACGTACGT\n")
    found = read_sequences(path, vcf=vcf(tmp_path, "11 1003 . G A . . ."))
    assert letters(found)[1] == "ACATACGT"
    assert found.raw[1].title(2) == "A3"
    with pytest.raises(InputError, match=r"is beyond the end of chr11:1001-1008, which has 8 letters from 1,001 on"):
        read_sequences(path, variants=("chr11 3 G A",))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("chr1 2 . C <DEL> . . .", r"line 3: ALT is '<DEL>', expected letters"),
        ("chr1 2 . C * . . .", r"line 3: ALT is '\*'"),
        ("chr1 two . C G . . .", r"line 3: expected CHROM, POS, ID, REF and ALT"),
        ("chr1 2 . A G . . .", r"chr1:2 A>G says A at position 2 of chr1, which has C there"),
        ("chr9 2 . C G . . .", r"there is no record 'chr9'; there is chr1"),
    ],
)
def test_rows_of_a_vcf_that_do_not_fit_are_refused(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_sequences(fasta(tmp_path, ">chr1\nACGT\n"), vcf=vcf(tmp_path, row))


def test_a_vcf_without_rows_is_refused(tmp_path: Path) -> None:
    records, _ = read_fasta(fasta(tmp_path, ">chr1\nACGT\n"))
    with pytest.raises(InputError, match="holds no variant"):
        read_vcf(vcf(tmp_path), records)


def test_variants_of_records_that_are_called_alike_are_refused(tmp_path: Path) -> None:
    path = fasta(tmp_path, ">g\nACGT\n>g\nTTTT\n")
    with pytest.raises(InputError, match="two records called g"):
        read_sequences(path, variants=("g:g.1A>G",))


# --- the other strand ---


def test_on_the_other_strand_letters_keep_their_positions(tmp_path: Path) -> None:
    path = fasta(tmp_path, ">g\nAACGT\n")
    found = read_sequences(path, strand="-", variants=("g.2del",))
    assert letters(found) == ["ACGTT", "ACGT"]
    assert [found.raw[0].title(k) for k in range(5)] == ["A5", "C4", "G3", "T2", "T1"]
    assert [found.raw[1].title(k) for k in range(4)] == ["A5", "C4", "G3", "T1"]
    assert found.raw[0].place(4) == 1
    assert "positions are those of the sequence as given" in found.said
    with pytest.raises(InputError, match=r"the strand is '\*', expected \+ or -"):
        read_sequences(path, strand="*")


def test_turned_twice_a_sequence_is_itself() -> None:
    made = Variant(name="x", first=4, removed="T", added="CCC").on(GENE)
    again = made.reversed().reversed()
    assert again.letters == made.letters
    assert again.strand == "+"
    np.testing.assert_array_equal(again.positions, made.positions)
    np.testing.assert_array_equal(again.inserted, made.inserted)


# --- parts ---


def test_stretches_are_named_by_their_positions_and_hold_every_letter_once() -> None:
    record = variant("g.5del", [GENE])[1].on(GENE)
    inputs = Tensors(one_hot([GENE, record]))
    features = Stretches(length=4, records=(GENE, record))(inputs)
    assert features.names == ("1 to 4 ACGT", "5 to 8 ACGT", "9 to 10 AC", "1 to 4 ACGT", "6 to 9 CGTA", "C10")
    assert features.owner.tolist() == [0, 0, 0, 1, 1, 1]
    assert sorted(features.shares["input"].row.tolist()) == list(range(inputs.values.numel()))
    assert features.carry(inputs.by_entry().parts).tolist() == [4, 4, 2, 4, 4, 1]


def test_stretches_are_of_sequences() -> None:
    with pytest.raises(InputError, match=r"stretches need letters as \(batch, letters, positions\), not \(2, 3\)"):
        Stretches()(Tensors(torch.ones(2, 3)))
    with pytest.raises(InputError, match="length is 0"):
        Stretches(length=0)


def test_examples_asked_for_alone_keep_their_names(tmp_path: Path) -> None:
    found = read_sequences(fasta(tmp_path, ">g\nACGT\n"), variants=("g.2C>A",)).only(2)
    assert found.features is not None
    assert found.features(found.inputs).names == ("1 to 4 AAGT",)
