"""The parts of a signal that a person would name: stretches of time, bands of frequency, and tiles of both."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attar.core.errors import InputError
from attar.core.features import Features
from attar.core.inputs import Entries, Inputs, Tensors
from attar.core.windows import Windows


@dataclass(frozen=True, kw_only=True)
class Stretches:
    """Stretches of time, side by side from the first sample on, as features: of a signal as (batch, channels, samples)
    with all its channels, of one that `Bands` has split as (batch, bands, samples) tiles of one band each.

    `rate` is in samples per second; a stretch is rounded to whole samples, one or more.
    """

    seconds: float
    rate: float
    bands: "Bands | None" = None

    def __post_init__(self) -> None:
        if not self.seconds > 0 or not self.rate > 0:
            raise InputError(f"stretches of {self.seconds} s at {self.rate} samples per second: expected more than 0")

    @property
    def samples(self) -> int:
        return max(round(self.seconds * self.rate), 1)

    def __call__(self, inputs: Inputs) -> Features:
        signals = _signals(inputs, "stretches of time")
        count, length = signals.shape[1:]
        tiled = self.bands is not None
        if self.bands is not None and count != len(self.bands.names):
            raise InputError(f"the signal is split in {count} bands, expected {len(self.bands.names)}: {self.bands!r}")
        found = Windows(shape=(1, self.samples) if tiled else (self.samples,))(inputs)
        starts = range(0, length, self.samples)
        spans = [f"{k / self.rate:.4g}-{min(k + self.samples, length) / self.rate:.4g} s" for k in starts]
        names = [f"{band}, {span}" for band in self.bands.names for span in spans] if self.bands else spans
        rule = f"stretches of {self.seconds:g} s" + (" in each band" if tiled else "")
        return replace(found, name="tiles" if tiled else "stretches", rule=rule, names=tuple(names) * len(signals))


@dataclass(frozen=True, kw_only=True)
class Bands:
    """Bands of frequency between these `edges` in Hz, from 0 to half the `rate`: a signal as the sum of its bands. An
    edge belongs to the band above it.

    `split` divides by Fourier's transform over the whole signal: bands are orthogonal and add up to the signal exactly.
    A model is then asked through `Joined`, which adds them up first. So every method says something of each sample of
    each band, whole bands are features (called here), and stretches of bands are tiles (`Stretches`).
    """

    edges: tuple[float, ...]
    rate: float

    def __post_init__(self) -> None:
        inner = [edge for edge in self.edges if 0 < edge < self.rate / 2]
        if sorted(set(inner)) != list(self.edges) or not self.edges:
            raise InputError(
                f"edges are {self.edges}, expected ascending frequencies between 0 and {self.rate / 2:g} Hz, which is "
                "half the rate"
            )

    @property
    def names(self) -> tuple[str, ...]:
        ends = (0.0, *self.edges, self.rate / 2)
        return tuple(f"{low:g}-{high:g} Hz" for low, high in pairwise(ends))

    def split(self, signal: Float[Tensor, "batch 1 samples"]) -> Float[Tensor, "batch bands samples"]:
        """Each band as a signal. Raises `InputError` for several channels."""
        if signal.ndim != 3 or signal.shape[1] != 1:
            raise InputError(f"bands are of a signal (batch, 1, samples), not {tuple(signal.shape)}")
        waves = torch.fft.rfft(signal.double())
        hertz = torch.arange(waves.shape[-1], device=signal.device) * (self.rate / signal.shape[-1])
        band = torch.bucketize(hertz, torch.tensor(self.edges, device=signal.device, dtype=hertz.dtype), right=True)
        masks = band == torch.arange(len(self.edges) + 1, device=signal.device)[:, None]
        return torch.fft.irfft(waves * masks, n=signal.shape[-1]).to(signal.dtype)

    def inputs(self, inputs: Inputs) -> Tensors:
        """The same examples, each as its bands."""
        return Tensors(self.split(_signals(inputs, "bands")))

    def __call__(self, inputs: Inputs) -> Features:
        signals = _signals(inputs, "bands")
        if signals.shape[1] != len(self.names):
            raise InputError(f"the signal is split in {signals.shape[1]} bands, expected {len(self.names)}: {self!r}")
        found = Windows(shape=(1, signals.shape[2]))(inputs)
        return replace(found, name="bands", rule="bands of frequency", names=self.names * len(signals))


class Joined(nn.Module):
    """A model of signals (batch, 1, samples), asked with their bands (batch, bands, samples), which it adds up."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, bands: Float[Tensor, "batch bands samples"]) -> Any:
        return self.module(bands.sum(1, keepdim=True))


def strongest(values: Sequence[float] | Float[Tensor, " samples"]) -> tuple[int, int]:
    """The stretch of a row of values that adds up to the most: its first place, and one past its last.

    Of several the first; the largest single value where none is above 0. Source: Bentley 1984,
    doi:10.1145/358234.381162, Kadane's way.
    """
    row = torch.as_tensor(values).double()
    if not len(row):
        raise InputError("there are no values to take the strongest of")
    sums = torch.cat([row.new_zeros(1), row.cumsum(0)])
    least = torch.cummin(sums, 0)
    gains = sums[1:] - least.values[:-1]
    last = int(gains.argmax())
    return int(least.indices[last]), last + 1


def _signals(inputs: Inputs, what: str) -> Tensor:
    entries = inputs.by_entry()
    if not isinstance(entries, Entries):
        raise InputError(f"{what} are parts of signals: give a tensor (batch, channels, samples)")
    _, signals = entries.tensor(f"{what} are cut out of")
    if signals.ndim != 3:
        raise InputError(f"{what} need signals as (batch, channels, samples), not {tuple(signals.shape)}")
    return signals
