"""Files of sequences: FASTA, with variants by name or out of a VCF → what a model of DNA is asked about."""

import re
from collections.abc import Sequence
from pathlib import Path

from attar.core.errors import InputError
from attar.core.examples import Examples
from attar.core.files import as_text, first_bytes, read_bytes
from attar.core.inputs import Tensors
from attar.core.note import counted, listed
from attar.domains.sequences.parts import Stretches
from attar.domains.sequences.record import LETTERS, Record, Variant, at_place, named, one_hot, variant
from attar.domains.sequences.shuffle import shuffled

SUFFIXES = (".fa", ".fasta", ".fna", ".fa.gz", ".fasta.gz")
_VCF = (".vcf", ".vcf.gz")
_AMBIGUOUS = "RYSWKMBDHV"
_SHOWN = 5  # positions that a message quotes
_COLUMNS = 5  # of a VCF row that are read: CHROM, POS, ID, REF, ALT
_MOST = 200  # variants at once


def read_sequences(
    path: str | Path, *, strand: str = "+", variants: Sequence[str] = (), vcf: str | Path | None = None
) -> Examples:
    """The records of a FASTA file as a batch (records, 4, positions), and after each what every variant makes of it.

    A, C, G, T as ones; N, and what stands after the end of a shorter one, as zeros. Small letters are taken as capitals
    and letters of several meanings as N, both said. `variants` are as `record.variant` reads them and stand on the
    strand as given; `strand` "-" then asks about the other one, whose letters keep their positions as given.
    Raises `InputError` for what is no FASTA, for other letters (with record and position), and for a variant whose
    letters are not those that stand there.
    """
    if strand not in ("+", "-"):
        raise InputError(f"the strand is {strand!r}, expected + or -")
    records, said = read_fasta(path)
    asked = [variant(text, records) for text in variants]
    asked += [] if vcf is None else read_vcf(vcf, records)
    if asked and (alike := _repeated([record.name for record in records])):
        raise InputError(f"{path} has two records called {alike}: variants need names that say which is meant")
    if len(asked) > _MOST:
        raise InputError(f"there are {len(asked)} variants, at most {_MOST} are read at once: ask in several goes")
    rows: list[Record] = []
    for record in records:
        rows += [record, *(each.on(record) for about, each in asked if about is record)]
    if strand == "-":
        rows = [record.reversed() for record in rows]
        said.append("read on the other strand (-): positions are those of the sequence as given")
    if asked:
        said.append(f"{counted(len(asked), 'variant')}, each on its own beside the sequence without it")
    return Examples(
        inputs=Tensors(one_hot(rows)),
        names=tuple(record.name for record in rows),
        said=", ".join(said),
        domain="sequences",
        raw=tuple(rows),
        features=Stretches(records=tuple(rows)),
        background=shuffled,
    )


def read_fasta(path: str | Path) -> tuple[list[Record], list[str]]:
    """The records as they were given, and what to say of how they were read."""
    text = _text(path)
    blocks = re.split(r"^>", text, flags=re.MULTILINE)
    if blocks[0].strip() or len(blocks) == 1:
        begins = text.strip()[:20]
        raise InputError(f"{path} is no FASTA file: it begins with {begins!r}, expected a line that begins with >")
    records, small, others = [], 0, []
    for block in blocks[1:]:
        head, _, body = block.partition("\n")
        name = head.split()[0] if head.split() else f"record {len(records) + 1}"
        given = re.sub(r"\s", "", body)
        if not given:
            raise InputError(f"{path}: record {name} has no letters: give the sequence below its name")
        if wrong := re.search(f"[^{LETTERS}NU{_AMBIGUOUS}]", given, re.IGNORECASE):
            raise InputError(
                f"{path}: record {name} has {wrong[0]!r} at position {wrong.start() + 1:,}, which is no letter of DNA: "
                f"expected A, C, G, T, N or an IUPAC code ({_AMBIGUOUS})"
            )
        small += sum(map(str.islower, given))
        letters = given.upper()
        if unclear := [(found[0], found.start() + 1) for found in re.finditer(f"[{_AMBIGUOUS}]", letters)]:
            places = [f"{letter} at {place:,}" for letter, place in unclear[:_SHOWN]]
            places += [f"{len(unclear) - _SHOWN:,} more"] if len(unclear) > _SHOWN else []
            others.append(f"{listed(places)} of {name} read as N")
        if "U" in letters:
            others.append(f"U of {name} read as T")
        letters = re.sub(f"[{_AMBIGUOUS}]", "N", letters.replace("U", "T"))
        records.append(Record.of(name, letters))
    longest = max(map(len, records))
    said = [f"{counted(len(records), 'sequence')} of {'' if len(records) == 1 else 'up to '}{longest:,} letters"]
    said += [f"{counted(small, 'small letter')} taken as {'a capital' if small == 1 else 'capitals'}"] if small else []
    return records, [*said, *others]


def read_vcf(path: str | Path, records: Sequence[Record]) -> list[tuple[Record, Variant]]:
    """The variants of a VCF file (4.x), each ALT for itself, with the record that each is about."""
    found = []
    for number, line in enumerate(as_text(read_bytes(path, suffixes=_VCF), str(path))[0].splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = line.split("\t") if "\t" in line else line.split()
        if len(cells) < _COLUMNS or not cells[1].isdecimal():
            raise InputError(f"{path}, line {number}: expected CHROM, POS, ID, REF and ALT with tabs between them")
        chromosome, place, called, ref, alts = cells[:_COLUMNS]
        record = named(chromosome, records)
        for alt in alts.split(","):
            if not alt or set(alt.upper()) - set(LETTERS):
                raise InputError(f"{path}, line {number}: ALT is {alt!r}, expected letters out of A, C, G, T")
            name = f"{chromosome}:{place} {ref}>{alt}" if called in (".", "") else called
            found.append((record, at_place(record, int(place), ref, alt, name=name)))
    if not found:
        raise InputError(f"{path} holds no variant: a VCF has a row for each below its header")
    return found


def _text(path: str | Path) -> str:
    try:
        first_bytes(path, suffixes=SUFFIXES)
    except InputError as problem:
        if str(problem).endswith("is empty."):
            raise InputError(f"{path} is empty: expected a line such as >name and letters below it") from None
        raise
    return as_text(read_bytes(path, suffixes=SUFFIXES), str(path))[0].replace("\r", "\n")


def _repeated(names: Sequence[str]) -> str:
    return next((name for name in names if names.count(name) > 1), "")
