"""Random numbers for the rows of a batch that do not depend on the batch."""

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
    arrays = {}
    for place, (name, values) in enumerate(inputs.parts.items()):
        owner = inputs.owners[name]
        position = torch.arange(len(owner), device=owner.device) - starts(owner, len(inputs))[owner]
        longest = int(position.max()) + 1 if len(position) else 0
        generator = np.random.default_rng([*seed, place])
        shape = (longest, *values.shape[1:])
        stream = generator.standard_normal(shape) if law == "normal" else generator.random(shape)
        arrays[name] = torch.from_numpy(stream).to(values)[position]
    return Parts(arrays)
