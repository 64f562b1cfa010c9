"""Where a text motif is, by trying every window and every pair of words. Nothing here comes from attar."""

from itertools import product

KEYS = {"colour", "strap", "logo", "size", "pocket", "fabric", "lining"}
ENDS = {".", ",", "<pad>"}


def places(motif: str, text: tuple[str, ...]) -> list[tuple[int, int, frozenset[int]]]:
    """Begin, end and parts of each."""
    found = []
    if ":" in motif:
        keys, values = (words.strip(" {}").split("|") for words in motif.split(":"))
        for i, j in product(range(len(text)), repeat=2):
            between = set(text[i + 1 : j])
            if i < j and text[i] in keys and text[j] in values and not between & (KEYS | ENDS):
                found.append((i, j + 1, frozenset({i, j})))
        return found
    items = motif.split()
    for begin in range(len(text) - len(items) + 1):
        window = text[begin : begin + len(items)]
        if all(
            (word != "<pad>") if item == "*" else word in item.strip("{}").split("|")
            for item, word in zip(items, window, strict=True)
        ):
            parts = frozenset(begin + k for k, item in enumerate(items) if item != "*")
            found.append((begin, begin + len(items), parts))
    return found


def paths(
    first: str, last: str, shortest: int, longest: int, along: list[list[str]], text: tuple[str, ...]
) -> set[frozenset[int]]:
    found = set()
    for (_, end, one), (begin, _, other) in product(places(first, text), places(last, text)):
        between = range(end, begin)
        if begin < end or not shortest <= len(between) <= longest:
            continue
        fits = [
            any((at, at + 1, frozenset({at})) in places(motif, text) for motif in along[min(k, len(along) - 1)])
            for k, at in enumerate(between if along else ())
        ]
        if all(fits):
            found.add(one | other | (frozenset(between) if along else frozenset()))
    return found
