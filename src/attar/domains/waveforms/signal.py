"""What signals are made of: events added to drift, hum and coloured noise.

Amplitudes are in units of a typical event, time in seconds, frequencies in Hz. An event covers the samples from its
first to its last, in all of which its envelope is above `THRESHOLD`; a chirp or burst crosses zero there like any
oscillation, and outside there is nothing of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float

from attar.core.scene import Ground, Thing

THRESHOLD = 0.05
LOUDNESS = {"bump": 0.85, "chirp": 1.15, "burst": 1.15, "step": 1.3}  # so that all have about the same mean square
LASTS = 0.15, 0.26  # seconds, of any event: how much they cover tells no kind
SWEEP = 6.0, 34.0  # Hz, of a chirp that goes up
BANDS = 8.0, 40.0  # Hz, of bursts at random
AMPLITUDES = 0.8, 1.4
HUM = 50.0  # Hz


@dataclass(frozen=True, kw_only=True)
class Event(Thing):
    """A bump (half a sine), a step (a jump that leaks away, as behind a high-pass filter), a chirp (its frequency goes
    up or down) or a burst (a few periods at `frequency` Hz; 0 for the others) at `rate` samples per second.

    `direction` is up or down; a burst has none. `phase` in radians is where a chirp or a burst starts.
    """

    kind: str
    direction: str
    length: int
    amplitude: float
    frequency: float
    phase: float
    rate: float

    @property
    def stamp(self) -> Bool[np.ndarray, " length"]:
        return np.ones(self.length, dtype=bool)

    def called(self) -> Iterable[str]:
        return filter(None, (self.kind, self.direction))

    @property
    def seconds(self) -> tuple[float, float]:
        """When its first and its last sample are taken."""
        (first,) = self.corner
        return first / self.rate, (first + self.length - 1) / self.rate

    def draw(self, canvas: Float[np.ndarray, "channels length"]) -> None:
        when = np.arange(self.length) / self.rate
        canvas += self.amplitude * LOUDNESS[self.kind] * self.envelope * self._carrier(when)

    @property
    def envelope(self) -> Float[np.ndarray, " length"]:
        if self.kind == "step":
            return np.exp(-2.5 * np.arange(self.length) / self.length)
        return 0.1 + 0.9 * np.sin(np.pi * (np.arange(self.length) + 0.5) / self.length)

    def _carrier(self, when: Float[np.ndarray, " length"]) -> Float[np.ndarray, " length"] | float:
        if self.kind == "burst":
            return np.sin(2 * np.pi * self.frequency * when + self.phase)
        if self.kind == "chirp":
            first, last = SWEEP if self.direction == "up" else SWEEP[::-1]
            duration = self.length / self.rate
            return np.sin(2 * np.pi * (first + (last - first) * when / duration / 2) * when + self.phase)
        return 1.0 if self.direction == "up" else -1.0


@dataclass(frozen=True, kw_only=True)
class Recording(Ground):
    """An offset and slow drift on which events stand; hum and coloured noise over all, each as loud as it happens."""

    rate: float

    def draw(self) -> tuple[Float[np.ndarray, "one samples"], Float[np.ndarray, "one samples"]]:
        generator = np.random.default_rng([self.seed, 43])
        (samples,) = self.grid
        when = np.arange(samples) / self.rate
        offset, slope, swing, phase, turns = generator.uniform((-1, -0.6, 0, 0, 0.3), (1, 0.6, 0.6, 2 * np.pi, 1.5))
        along = np.linspace(0, 1, samples)
        drift = offset + slope * (2 * along - 1) + swing * np.sin(2 * np.pi * turns * along + phase)
        loud, phase = generator.uniform((0, 0), (0.4, 2 * np.pi))
        hum = loud * np.sin(2 * np.pi * HUM * when + phase)
        strength, colour = generator.uniform((0.08, 0.2), (0.3, 0.8))
        noise = strength * _coloured(generator.standard_normal(samples), colour)
        return drift[None], (hum + noise)[None]


def _coloured(white: Float[np.ndarray, " samples"], colour: float) -> Float[np.ndarray, " samples"]:
    """Noise whose amplitude falls with frequency to the power of `colour`, of variance about one."""
    shape = _falling(len(white)) ** colour
    return np.fft.irfft(np.fft.rfft(white) * shape / np.sqrt(np.mean(shape**2)), len(white))


@lru_cache
def _falling(samples: int) -> Float[np.ndarray, " frequencies"]:
    return 1 / np.maximum(np.arange(samples // 2 + 1), 4.0)  # flat below four periods: that is the drift's
