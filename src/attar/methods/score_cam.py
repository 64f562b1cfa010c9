"""ScoreCAM: a channel's weight is what the model says of the input seen through the channel's map."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.baseline import Baseline, Zeros
from attar.core.error import exact
from attar.core.inputs import Inputs, owned
from attar.core.model import Layered
from attar.core.parts import Parts
from attar.core.target import Target
from attar.estimation.layer_maps import laid_out
from attar.methods.resampled import interpolated, size_of_positions


@dataclass(frozen=True, kw_only=True)
class ScoreCAM:
    """A layer's maps, each weighed by the target of the input that is left where the map is high.

    One value per row; for an image, per position of the layer's map (`Float[Tensor, "batch height width"]`). Needs no
    gradient, and one evaluation per channel. A map, brought to the input's size and scaled to between 0 and 1 over
    its example, keeps that share of the input; the rest is `baseline`. `softmax`: the weights are the softmax of the
    targets over channels, as published, and values are in units of the layer; otherwise a weight is the target's gain
    over the baseline, with its sign, and positive supports the target. `positive`: negative values become 0, as
    published. `channels` is the input's axis of channels (-1: last).
    Misleads where a masked input is unlike anything the model has seen, and by softmax of large logits, which leaves
    one channel alone.
    Source: Wang et al. 2020, arXiv:1910.01279, definition 3 and algorithm 1, without its last ReLU.
    """

    softmax: bool = True
    positive: bool = False
    baseline: Baseline = field(default_factory=Zeros)
    channels: int = 1

    needs: ClassVar[type] = Layered

    def __call__(self, model: Layered, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Any, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        layers = model.layers[-1:]
        _, (layer,) = model.activations(inputs, targets[0], layers)
        outputs, absent = model.predict(inputs), self.baseline(inputs)
        plain = [0.0] * len(targets)
        if not self.softmax:
            without = model.predict(inputs.replace(absent))
            plain = [target(without)[:, None] for target in targets]
        maps: list[dict[str, Tensor]] = [{} for _ in targets]
        for part, values in layer.values.items():
            seen = self._seen_through(model, inputs, part, values, absent[part], targets)
            for found, answers, floor in zip(maps, seen, plain, strict=True):
                weights = torch.softmax(answers, 1) if self.softmax else answers - floor
                map_ = (laid_out(weights, inputs.owners[part], values.ndim) * values).sum(1)
                found[part] = torch.relu(map_) if self.positive else map_
        masks = sum(values.shape[1] for values in layer.values.values())
        return [
            Attribution(
                parts=Parts(found),
                owners={n: inputs.owners[n] for n in found},
                output=target(outputs),
                error=exact(len(inputs), inputs.device),
                evaluations=torch.full((len(inputs),), masks + 2 + (not self.softmax), device=inputs.device),
                layers=tuple(layers),
            )
            for target, found in zip(targets, maps, strict=True)
        ]

    def _seen_through(
        self, model: Any, inputs: Inputs, part: str, values: Tensor, absent: Tensor, targets: Sequence[Target]
    ) -> list[Tensor]:
        """For each target its value where this part is seen through each channel: `Float[Tensor, "batch channels"]`."""
        owner, whole = inputs.owners[part], inputs.parts[part]
        size = size_of_positions(whole, values.ndim - 2, self.channels) if values.ndim > 2 else ()
        pairs = torch.arange(len(inputs) * values.shape[1], device=inputs.device)
        answers: list[list[Tensor]] = [[] for _ in targets]
        at = 0
        while at < len(pairs):
            some = pairs[at : at + model.size]
            at += len(some)
            example, channel = some // values.shape[1], some % values.shape[1]
            rows, copy = owned(owner, example)
            mask = _from_0_to_1(interpolated(values[rows, channel[copy]], size), copy, len(some))
            keep = _over_entries(mask, whole, self.channels)
            copies = inputs.take(example)
            seen = absent[rows] + keep * (whole[rows] - absent[rows])
            outputs = model.predict(copies.replace(Parts({**copies.parts, part: seen})))
            for found, target in zip(answers, targets, strict=True):
                found.append(target.take(example)(outputs))
        return [torch.cat(found).reshape(len(inputs), -1) for found in answers]


def _from_0_to_1(maps: Tensor, owner: Tensor, count: int) -> Tensor:
    """From its least to its most over each example; 0 where it is the same everywhere but for rounding."""
    flat = maps[:, None].flatten(1)
    least, most = (
        flat.new_zeros(count).scatter_reduce(0, owner, end, kind, include_self=False)
        for end, kind in ((flat.amin(1), "amin"), (flat.amax(1), "amax"))
    )
    rounding = 1e3 * torch.finfo(maps.dtype).eps * torch.maximum(least.abs(), most.abs())
    scale = torch.where(most - least > rounding, 1 / (most - least), 0)
    return ((flat - least[owner][:, None]) * scale[owner][:, None]).reshape(maps.shape)


def _over_entries(keep: Tensor, whole: Tensor, channels: int) -> Tensor:
    """A share per position, laid out to multiply an input: the same for all of its channels."""
    if 1 < keep.ndim < whole.ndim:
        return keep.unsqueeze(channels)
    return keep.reshape(*keep.shape, *[1] * (whole.ndim - keep.ndim))
