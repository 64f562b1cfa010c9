"""Rules about signals: `has("chirp up @ 0.2..0.6")`, `has("burst 8..12")`, `path("bump", "step down", 1, 20)`.

A motif is an event (bump, chirp, burst, step), a direction (up, down; a burst has none), or both in any order; after
them, each optional and in this order, a band `8..12` in Hz that holds the frequency of a burst, and a window
`@ from..to` in seconds that holds the whole event. A path is two events in this order with so many samples of silence
between: no other event is there, and the silence is not part of the match.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from attar.core.errors import InputError
from attar.core.motif import quoted
from attar.core.named_rules import read_named, read_named_sum
from attar.core.rule import Rule
from attar.core.scene import Ground, Scene, Thing
from attar.core.scene_truth import SceneFinder, Vocabulary, Words
from attar.core.weighted_sum import WeightedSum
from attar.domains.waveforms.signal import BANDS, LOUDNESS, Event, Recording

VOCABULARY = Vocabulary({"event": tuple(LOUDNESS), "direction": ("up", "down")})
EDGES = (8, 14, 20, 28, 40)  # Hz: the bands that an editor proposes
HALVES = 2  # windows that an editor proposes

RULES = {
    "chirp": 'has("chirp up")',
    "slow-or-fast": 'has("burst 8..14") or has("burst 28..40")',
    "bump-and-burst": 'has("bump up") and has("burst 18..40")',
    "two-bumps": 'count("bump up") >= 2',
    "late-chirp": 'has("chirp @ 1..2") and not has("burst 8..14")',
    "bump-then-step": 'path("bump up", "step down", 1, 24)',
}
"""From easy to hard: a shape; one of two; two together; a number; a shape in the second half without another; two in
order and close to one another."""

SUMS = {
    "bumps-less-steps": '1.5*count("bump up") - 1*count("step down")',
    "slow-and-rising": '2*count("burst 8..14") - 1*count("chirp up") + 0.5*has("step up @ 1..2")',
}
"""Truths that are numbers: shapes for and against; bursts of a band, chirps, and one late step."""

_MOTIF = re.compile(r"(?P<words>[^\d@]*?)\s*(?P<band>\d[^@]*?)?\s*(?:@\s*(?P<window>.*?))?\s*")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\.\.(\d+(?:\.\d+)?)")
_FORM = 'write such as "chirp up @ 0.2..0.6" or "burst 8..12"'


@dataclass(frozen=True)
class Sought:
    """An event of these words, in this band (Hz) and window (seconds), both ends included."""

    words: Words
    band: tuple[float, float] | None = None
    window: tuple[float, float] | None = None

    of_ground = False

    def fits(self, one: Thing | Ground, /) -> bool:
        if not isinstance(one, Event) or not self.words.fits(one):
            return False
        if self.band is not None and not (one.kind == "burst" and self.band[0] <= one.frequency <= self.band[1]):
            return False
        return self.window is None or (self.window[0] <= one.seconds[0] and one.seconds[1] <= self.window[1])


@lru_cache(maxsize=4096)
def read_motif(text: str) -> Sought:
    """Raises: InputError for what is no motif of signals."""
    read = _MOTIF.fullmatch(text)
    if read is None or not read["words"].strip():
        raise InputError(f"{quoted(text)} names no event: {_FORM}.")
    words = VOCABULARY.read(read["words"])
    if "burst" in words.said and len(words.said) > 1:
        raise InputError(f"{quoted(text)} gives a burst a direction, and it has none: leave it out.")
    if read["band"] is not None and "burst" not in words.said:
        raise InputError(f"{quoted(text)} gives a band to what is no burst: {_FORM}.")
    band = _span(read["band"], text, "Hz")
    if band is not None and (band[1] < BANDS[0] or band[0] > BANDS[1]):
        raise InputError(f"{quoted(text)} asks for what no burst has: they have {BANDS[0]:g} to {BANDS[1]:g} Hz.")
    return Sought(words, band, _span(read["window"], text, "seconds"))


def _span(written: str | None, text: str, unit: str) -> tuple[float, float] | None:
    if written is None:
        return None
    ends = _SPAN.fullmatch(written)
    if ends is None or float(ends[1]) >= float(ends[2]):
        raise InputError(f"{quoted(text)} has {quoted(written)} where from..to in {unit} was expected: {_FORM}.")
    return float(ends[1]), float(ends[2])


def silence(scene: Scene, one: Thing, other: Thing) -> int | None:
    """Samples between the end of one event and the start of the other; None if that is earlier, or not the next."""
    end, begin = one.box[0].stop, other.box[0].start
    between = any(end <= thing.box[0].start < begin for thing in scene.things if thing is not other)
    return None if begin < end or between else begin - end


def describe(one: Thing | Ground) -> Iterator[str]:
    """Words, the band of a burst, and the half of the recording that holds the event."""
    if not isinstance(one, Event):
        return
    names = list(VOCABULARY.descriptions(one.words, most=2))
    if one.kind == "burst":
        names += [f"burst {low}..{high}" for low, high in pairwise(EDGES) if low <= one.frequency <= high]
    yield from names
    half = one.grid[0] / one.rate / HALVES
    for k in range(HALVES):
        if k * half <= one.seconds[0] and one.seconds[1] <= (k + 1) * half:
            yield from (f"{name} @ {k * half:g}..{(k + 1) * half:g}" for name in names)


FINDER = SceneFinder(read_motif, silence)
_BLANK = Scene(Recording(grid=(2,), seed=0, rate=1.0))


def read_rule(text: str) -> Rule:
    """A rule by its name in `RULES`, or from its text. Raises: InputError for what is no rule about signals."""
    return read_named(text, RULES, FINDER, _BLANK)


def read_sum(text: str) -> WeightedSum:
    """A weighted sum by its name in `SUMS`, or from its text. Raises: InputError for what is no sum about signals."""
    return read_named_sum(text, SUMS, FINDER, _BLANK)
