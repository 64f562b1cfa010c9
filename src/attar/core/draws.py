"""Random numbers for the rows of a batch that do not depend on the batch."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

from attar.core.inputs import Inputs, starts
from attar.core.parts import Parts


def draw(inputs: Inputs, *, seed: tuple[int, ...], law: Literal["normal", "uniform"]) -> Parts:
    """Independent numbers shaped like the parts.

    The k-th row of any example gets the k-th row of one stream, so that an example's numbers are the same in any
    batch and order (examples share their numbers, which no estimate per example minds). The global random state
    is neither read nor changed.
    """
    return draws(inputs, seeds=[seed], law=law).map(lambda array: array[0])


def draws(inputs: Inputs, *, seeds: Sequence[tuple[int, ...]], law: Literal["normal", "uniform"]) -> Parts:
    """Several draws, one for each seed along a new first axis; each is what `draw` gives for its seed alone."""
    arrays = {}
    for place, (name, values) in enumerate(inputs.parts.items()):
        owner = inputs.owners[name]
        position = torch.arange(len(owner), device=owner.device) - starts(owner, len(inputs))[owner]
        longest = int(position.max()) + 1 if len(position) else 0
        shape = (longest, *values.shape[1:])
        generators = [np.random.default_rng([*seed, place]) for seed in seeds]
        streams = [g.standard_normal(shape) if law == "normal" else g.random(shape) for g in generators]
        arrays[name] = torch.from_numpy(np.stack(streams)).to(values)[:, position]
    return Parts(arrays)
