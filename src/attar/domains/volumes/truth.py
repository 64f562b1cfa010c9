"""Rules about volumes: `has("large bright shell left")`, `path("blob", "rod", 1, 2)`.

A motif is any of the words below in any order, at most one of each kind; left, right and their like are the half of the
volume that holds the body's middle. A path is two bodies with so many voxels between them, on any side: voxels between
carry nothing and are not part of the match.
"""

from functools import lru_cache

from attar.core.named_rules import read_named, read_named_sum
from attar.core.rule import Rule
from attar.core.scene import Ground, Scene, Thing, gap
from attar.core.scene_truth import SceneFinder, Vocabulary, Words
from attar.core.weighted_sum import WeightedSum
from attar.domains.volumes.volume import BODIES, ENDS, EXTENTS, TONES, Field

MOST_WORDS = 3  # of a group that an editor proposes

VOCABULARY = Vocabulary(
    {
        "size": tuple(EXTENTS["blob"]),
        "tone": TONES,
        "body": BODIES,
        "depth": ENDS[0],
        "height": ENDS[1],
        "width": ENDS[2],
    }
)

RULES = {
    "bright-plate": 'has("bright plate")',
    "rod-or-plate": 'has("large bright rod") or has("small dark plate")',
    "plate-and-rod": 'has("bright plate") and has("dark rod")',
    "two-plates": 'count("plate") >= 2',
    "rod-no-plate": 'has("bright rod") and not has("large dark plate")',
    "plate-by-rod": 'path("bright plate", "dark rod", 1, 2)',
}
"""From easy to hard: a body; one of two; two together; a number; one without the other; two close to one another. Blobs
are told from shells by what is inside them, which is harder still."""

SUMS = {
    "plates-less-rods": '1*count("bright plate") - 1*count("dark rod")',
    "three-bodies": '1.5*count("bright rod") - 1*count("dark plate") + 0.5*has("bright shell")',
}
"""Truths that are numbers: bodies for and against; and one that counts once, told from others by what is inside it."""


@lru_cache(maxsize=4096)
def read_motif(text: str) -> Words:
    return VOCABULARY.read(text)


def voxels_between(_scene: Scene, one: Thing, other: Thing) -> int:
    return gap(one, other)


@lru_cache(maxsize=65536)
def _descriptions(words: frozenset[str]) -> tuple[str, ...]:
    return tuple(VOCABULARY.descriptions(words, MOST_WORDS))


def describe(one: Thing | Ground) -> tuple[str, ...]:
    """Every motif of up to `MOST_WORDS` words that fits it."""
    return _descriptions(one.words)


FINDER = SceneFinder(read_motif, voxels_between)
_BLANK = Scene(Field(grid=(1, 1, 1), seed=0))


def read_rule(text: str) -> Rule:
    """A rule by its name in `RULES`, or from its text. Raises: InputError for what is no rule about volumes."""
    return read_named(text, RULES, FINDER, _BLANK)


def read_sum(text: str) -> WeightedSum:
    """A weighted sum by its name in `SUMS`, or from its text. Raises: InputError for what is no sum about volumes."""
    return read_named_sum(text, SUMS, FINDER, _BLANK)
