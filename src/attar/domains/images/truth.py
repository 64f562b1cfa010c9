"""Rules about pictures: `has("large striped red circle left")`, `path("red ring", "square", 1, 4)`.

A motif is any of the words below in any order, at most one of each kind; or a background alone, as "snow background",
whose parts are the pixels that no shape covers. left, right, top and bottom are the outer thirds by the shape's middle
(a shape may be left and top), centre is what is in none of them. A path is two shapes with so many pixels between them,
on either side of one another: pixels between carry nothing and are not part of the match.
"""

from functools import lru_cache

from attar.core.named_rules import read_named, read_named_sum
from attar.core.rule import Rule
from attar.core.scene import Ground, Scene, Thing, gap
from attar.core.scene_truth import GROUND, SceneFinder, Vocabulary, Words
from attar.core.weighted_sum import WeightedSum
from attar.domains.images.picture import ACROSS, BACKDROPS, CENTRE, COLOURS, OUTER, SHAPES, TEXTURES, Backdrop

MOST_WORDS = 3  # of a group that an editor proposes

VOCABULARY = Vocabulary(
    {
        "size": tuple(ACROSS),
        "texture": TEXTURES,
        "colour": tuple(COLOURS),
        "shape": SHAPES,
        "place": (*OUTER[1], *OUTER[0], CENTRE),
        GROUND: tuple(f"{kind} {GROUND}" for kind in BACKDROPS),
    }
)

RULES = {
    "red": 'has("red")',
    "red-or-striped": 'has("red circle") or has("striped ring")',
    "red-and-checked": 'has("red") and has("checked")',
    "two-circles": 'count("circle") >= 2',
    "off-snow": 'has("yellow") and not has("snow background")',
    "pair": 'path("red", "blue", 1, 3)',
}
"""From easy to hard: a colour; two of them; a texture beside a colour; a number of shapes; a colour but not on snow;
two colours side by side. What a shape is, is the hardest to learn from few pictures."""

SUMS = {
    "red-less-blue": '1*count("red") - 1*count("blue")',
    "checked-on-snow": '1.5*count("checked") - 1*count("yellow") + 1*has("snow background")',
}
"""Truths that are numbers: colours for and against; a texture and a colour, and the ground under all of them."""


@lru_cache(maxsize=4096)
def read_motif(text: str) -> Words:
    return VOCABULARY.read(text)


def pixels_between(_scene: Scene, one: Thing, other: Thing) -> int:
    return gap(one, other)


@lru_cache(maxsize=65536)
def _descriptions(words: frozenset[str]) -> tuple[str, ...]:
    return tuple(VOCABULARY.descriptions(words, MOST_WORDS))


def describe(one: Thing | Ground) -> tuple[str, ...]:
    """Every motif of up to `MOST_WORDS` words that fits it."""
    return _descriptions(one.words)


FINDER = SceneFinder(read_motif, pixels_between)
_BLANK = Scene(Backdrop(grid=(1, 1), seed=0, kind="sky"))


def read_rule(text: str) -> Rule:
    """A rule by its name in `RULES`, or from its text. Raises: InputError for what is no rule about pictures."""
    return read_named(text, RULES, FINDER, _BLANK)


def read_sum(text: str) -> WeightedSum:
    """A weighted sum by its name in `SUMS`, or from its text. Raises: InputError for what is no sum about pictures."""
    return read_named_sum(text, SUMS, FINDER, _BLANK)
