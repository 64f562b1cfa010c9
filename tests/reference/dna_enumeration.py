"""Where a DNA motif is, letter by letter on the strand as it is read: a - motif is looked for in the turned sequence.

Nothing here comes from attar.
"""

from itertools import product

STANDS_FOR = {
    "A": "A", "C": "C", "G": "G", "T": "T", "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
    "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGTN",
}  # fmt: skip


def places(motif: str, sequence: str) -> set[frozenset[int]]:
    return {frozenset(parts) for strand in "+-" for *_, parts in _on(strand, motif, sequence)}


def paths(
    first: str, last: str, shortest: int, longest: int, along: list[list[str]], sequence: str
) -> set[frozenset[int]]:
    """Both ends on one strand, read along it; `along` has the alternatives for each place between."""
    found = set()
    for strand in "+-":
        for one, other in product(_on(strand, first, sequence), _on(strand, last, sequence)):
            between = range(one[1], other[0])
            if other[0] < one[1] or not shortest <= len(between) <= longest:
                continue
            links = [set() for _ in between]
            for step, (at, link) in enumerate(zip(between, links, strict=True)):
                for motif in along[min(step, len(along) - 1)] if along else []:
                    for begin, _, parts in _on(strand, motif, sequence):
                        if begin == at:
                            link |= parts
            if all(links) or not along:
                found.add(frozenset(one[2] | other[2]).union(*links))
    return found


def _on(strand: str, motif: str, sequence: str) -> list[tuple[int, int, set[int]]]:
    """Begin and end along the strand, and the parts as the sequence is numbered."""
    letters, *rest = motif.split()
    strands = "+"
    low, high = 0, len(sequence) - 1
    while rest:
        if rest[0] == "@":
            low, high = map(int, rest[1].split(".."))
            rest = rest[2:]
        else:
            strands, rest = rest[0], rest[1:]
    if strand not in strands:
        return []
    turned = strand == "-"
    read = (
        "".join({"A": "T", "C": "G", "G": "C", "T": "A", "N": "N"}[x] for x in sequence[::-1]) if turned else sequence
    )
    found = []
    for begin in range(len(sequence) - len(letters) + 1):
        if all(read[begin + k] in STANDS_FOR[letter] for k, letter in enumerate(letters)):
            spots = [len(sequence) - 1 - begin - k if turned else begin + k for k in range(len(letters))]
            if low <= min(spots) and max(spots) <= high:
                told = {spot for spot, letter in zip(spots, letters, strict=True) if letter != "N"}
                found.append((begin, begin + len(letters), told))
    return found
