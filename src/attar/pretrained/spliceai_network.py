"""SpliceAI-10k: residual blocks of dilated convolutions that read 5,000 letters to either side of a position.

Jaganathan et al. 2019, doi:10.1016/j.cell.2018.12.015, figure 1 and its supplement. Built here without padding
inside: a position's answer needs its 10,001 letters and nothing else, so what a padded network computes and crops is
left out. Of one position only every fifth (dilation 10) and then every twenty-fifth (dilation 25) place in between is
needed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from attar.core.errors import UnsupportedError

REACH = 5000  # letters to either side that an answer depends on
CHANNELS = 32
GROUPS = ((11, 1), (11, 4), (21, 10), (41, 25))  # kernel and dilation of four groups of blocks
BLOCKS = 4  # of two convolutions each, in a group
EPSILON = 1e-3
OUTPUTS = ("none", "acceptor", "donor")
_EVERY = (1, 1, 5, 25)  # the places that one position's answer needs in each group
_NEAR = 64  # changes so many letters apart are asked about together


class Block(nn.Module):
    """Twice normed, bounded below and convolved, and added to what came. Places at the ends are lost."""

    def __init__(self, kernel: int, dilation: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm1d(CHANNELS, eps=EPSILON) for _ in range(2))
        self.filters = nn.ModuleList(nn.Conv1d(CHANNELS, CHANNELS, kernel, dilation=dilation) for _ in range(2))

    def filtered(self, number: int, stream: Tensor, every: int) -> Tensor:
        """One of the two convolutions of a stream of which every so many places are there."""
        filters = cast(nn.Conv1d, self.filters[number])
        normed = functional.relu(self.norms[number](stream))
        return functional.conv1d(normed, filters.weight, filters.bias, dilation=filters.dilation[0] // every)

    def forward(self, stream: Tensor, every: int = 1) -> Tensor:
        found = self.filtered(1, self.filtered(0, stream, every), every)
        return found + _middle(stream, found.shape[-1])

    def lost(self, every: int) -> int:
        """Places that one convolution takes off at each end."""
        filters = cast(nn.Conv1d, self.filters[0])
        return (filters.kernel_size[0] - 1) // 2 * filters.dilation[0] // every


class SpliceNetwork(nn.Module):
    """One of the five networks: letters with 5,000 more to either side → logits of none, acceptor, donor."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv1d(4, CHANNELS, 1)
        self.blocks = nn.ModuleList(Block(*shape) for shape in GROUPS for _ in range(BLOCKS))
        self.skips = nn.ModuleList(nn.Conv1d(CHANNELS, CHANNELS, 1) for _ in range(len(GROUPS) + 1))
        self.head = nn.Conv1d(CHANNELS, len(OUTPUTS), 1)

    def forward(self, letters: Float[Tensor, "batch 4 around"]) -> Float[Tensor, "batch 3 length"]:
        length = letters.shape[-1] - 2 * REACH
        every = _EVERY if length == 1 else (1,) * len(GROUPS)
        stream = self.stem(letters)
        total = self.skips[0](_middle(stream, length))
        for group, skip in enumerate(self.skips[1:]):
            stream = _thinned(stream, group, every)
            for block in self._group(group):
                stream = block(stream, every[group])
            total = total + skip(_middle(stream, length))
        return self.head(total)

    def changed(
        self, letters: Float[Tensor, "1 4 around"], others: Float[Tensor, "changes 4"], places: Int[Tensor, " changes"]
    ) -> Float[Tensor, "changes 3"]:
        """The logits of the one position in the middle, where at one place after another another letter stands: only
        what a change reaches is computed again."""
        stream = self.stem(letters)
        spread = _Spread.of(stream, self.stem(others[..., None]), places)
        total = self.skips[0](spread.middle(stream))
        for group, skip in enumerate(self.skips[1:]):
            spread = spread.thinned(_EVERY[group] // _EVERY[max(group - 1, 0)])
            stream = _thinned(stream, group, _EVERY)
            for block in self._group(group):
                inner = block.filtered(0, stream, _EVERY[group])
                first = spread.filtered(block, 0, stream, inner, _EVERY[group])
                outer = block.filtered(1, inner, _EVERY[group])
                second = first.filtered(block, 1, inner, outer, _EVERY[group])
                crop = (stream.shape[-1] - outer.shape[-1]) // 2
                spread, stream = second.added(spread, stream, crop), outer + _middle(stream, outer.shape[-1])
            total = total + skip(spread.middle(stream))
        return self.head(total)[..., 0]

    def _group(self, number: int) -> list[Block]:
        return [cast(Block, each) for each in self.blocks[number * BLOCKS : (number + 1) * BLOCKS]]


@dataclass(frozen=True, eq=False)
class _Spread:
    """What changes have reached: the changed stream from place `first` on; all else is as in the stream unchanged."""

    values: Float[Tensor, "changes channels reached"]
    first: int

    @classmethod
    def of(
        cls, stream: Tensor, others: Float[Tensor, "changes channels 1"], places: Int[Tensor, " changes"]
    ) -> "_Spread":
        first, last = int(places.min()), int(places.max())
        values = stream[..., first : last + 1].repeat(len(places), 1, 1)
        values[torch.arange(len(places), device=places.device), :, places - first] = others[..., 0]
        return cls(values, first)

    def thinned(self, step: int) -> "_Spread":
        if step == 1:
            return self
        skipped = -self.first % step
        return _Spread(self.values[..., skipped::step], (self.first + skipped) // step)

    def inside(self, stream: Tensor, low: int, high: int) -> Tensor:
        """The changed stream from place `low` to before `high`."""
        values, most = self.values, self.first + self.values.shape[-1]
        before = stream[..., low : max(min(self.first, high), low)].expand(len(values), -1, -1)
        after = stream[..., min(max(most, low), high) : high].expand(len(values), -1, -1)
        mine = values[..., max(low - self.first, 0) : max(high - self.first, 0)]
        return torch.cat([before, mine, after], 2)

    def filtered(self, block: Block, number: int, stream: Tensor, found: Tensor, every: int) -> "_Spread":
        """After a convolution, by which the stream came to be what was found."""
        wide = 2 * block.lost(every)
        low = max(self.first - wide, 0)
        high = min(self.first + self.values.shape[-1], found.shape[-1])
        if high <= low:
            return _Spread(self.values[..., :0], min(low, found.shape[-1]))
        return _Spread(block.filtered(number, self.inside(stream, low, high + wide), every), low)

    def added(self, came: "_Spread", stream: Tensor, crop: int) -> "_Spread":
        """With what came before the block added, `crop` places of which were lost at each end."""
        low, high = self.first, self.first + self.values.shape[-1]
        return _Spread(self.values + came.inside(stream, low + crop, high + crop), low)

    def middle(self, stream: Tensor) -> Float[Tensor, "changes channels 1"]:
        at = stream.shape[-1] // 2
        return self.inside(stream, at, at + 1)


def _middle(stream: Tensor, length: int) -> Tensor:
    lost = (stream.shape[-1] - length) // 2
    return stream[..., lost : lost + length]


def _thinned(stream: Tensor, group: int, every: Sequence[int]) -> Tensor:
    """Every so many places, of which the middle is one."""
    step = every[group] // every[max(group - 1, 0)]
    return stream[..., stream.shape[-1] // 2 % step :: step] if step > 1 else stream


class SpliceAI(nn.Module):
    """The letters of sequences (A, C, G, T; N is zeros) → the log of the networks' mean probabilities of none, acceptor
    and donor at every position; a softmax of them gives the published answer. What lies beyond the ends is N.

    With a `place` (from 0) it answers about that position alone, at a quarter of the cost: (batch, 3).
    """

    def __init__(self, networks: Sequence[SpliceNetwork], place: int | None = None) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.place = place

    def forward(self, letters: Float[Tensor, "batch 4 length"]) -> Float[Tensor, "batch 3 *length"]:
        around = self.around(letters)
        outputs = _mean([network(around) for network in self.networks])
        return outputs if self.place is None else outputs[..., 0]

    def around(self, letters: Float[Tensor, "batch 4 length"]) -> Float[Tensor, "batch 4 around"]:
        if self.place is None:
            return functional.pad(letters, (REACH, REACH))
        low, high = self.place - REACH, self.place + REACH + 1
        cut = letters[..., max(low, 0) : high]
        return functional.pad(cut, (max(-low, 0), max(high - letters.shape[-1], 0)))

    def changed(
        self, letters: Float[Tensor, "1 4 length"], others: Float[Tensor, "changes 4"], places: Int[Tensor, " changes"]
    ) -> Float[Tensor, "changes 3"]:
        """The answers about the one `place`, where at one place after another another letter stands."""
        if self.place is None:
            raise UnsupportedError("letters are exchanged for a model of one place: SpliceAI(networks, place)")
        around, moved = self.around(letters), places - self.place + REACH
        seen = (moved >= 0) & (moved <= 2 * REACH)
        found = self(letters).repeat(len(places), 1)
        networks = [cast(SpliceNetwork, each) for each in self.networks]
        for some in _near(moved, seen):
            found[some] = _mean([network.changed(around, others[some], moved[some]) for network in networks])
        return found


def _mean(logits: Sequence[Float[Tensor, "batch 3 *length"]]) -> Float[Tensor, "batch 3 *length"]:
    """The log of the mean of the probabilities."""
    return torch.stack([each.log_softmax(1) for each in logits]).logsumexp(0) - math.log(len(logits))


def _near(places: Int[Tensor, " changes"], seen: Tensor) -> list[Int[Tensor, " some"]]:
    """The changes that are seen, those near each other together."""
    stretch = torch.where(seen, places // _NEAR, -1)
    return [(stretch == each).nonzero()[:, 0] for each in stretch.unique().tolist() if each >= 0]
