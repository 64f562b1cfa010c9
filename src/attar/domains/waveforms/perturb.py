"""Signals at random: what a description leaves open varies, and so do amplitude, width, drift, hum and noise."""

from dataclasses import dataclass

import numpy as np

from attar.core.errors import InputError
from attar.domains.waveforms.signal import AMPLITUDES, BANDS, LASTS, Event, Recording
from attar.domains.waveforms.truth import VOCABULARY, Sought

SHORTEST = 0.5  # seconds: the longest event takes 0.26
SLOWEST = 100.0  # samples per second: more than twice the highest frequency of an event


@dataclass(frozen=True)
class SignalMaker:
    """Makes events and recordings of so many samples at `rate` samples per second."""

    samples: int = 256
    rate: float = 128.0

    def __post_init__(self) -> None:
        if not SLOWEST <= self.rate < np.inf:
            raise InputError(f"rate is {self.rate}, expected {SLOWEST:g} Hz or more, or a burst has no samples enough")
        if self.samples < SHORTEST * self.rate:
            raise InputError(
                f"samples is {self.samples}, expected {SHORTEST * self.rate:g} or more at {self.rate:g} Hz, or no "
                "event has room"
            )

    def ground(self, generator: np.random.Generator, what: Sought | None = None) -> Recording:  # noqa: ARG002
        return Recording(grid=(self.samples,), seed=int(generator.integers(2**62)), rate=self.rate)

    def thing(self, generator: np.random.Generator, what: Sought | None = None) -> Event:
        words = None if what is None else what.words
        kind = VOCABULARY.drawn("event", words, generator)
        while kind == "burst" and words is not None and not words.said.isdisjoint(("up", "down")):
            kind = VOCABULARY.drawn("event", words, generator)  # a burst has no direction
        burst = kind == "burst"
        low, high = BANDS if what is None or what.band is None else what.band
        return Event(
            grid=(self.samples,),
            corner=(0,),
            kind=kind,
            direction="" if burst else VOCABULARY.drawn("direction", words, generator),
            length=round(generator.uniform(*LASTS) * self.rate),
            amplitude=float(generator.uniform(*AMPLITUDES)),
            frequency=float(generator.uniform(max(low, BANDS[0]), min(high, BANDS[1]))) if burst else 0.0,
            phase=float(generator.uniform(0, 2 * np.pi)),
            rate=self.rate,
        )
