"""What stands for "absent": the reference that a path starts from or a removed part is set to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from attar.core.errors import InputError
from attar.core.inputs import Inputs
from attar.core.parts import Parts


class Baseline(Protocol):
    def __call__(self, inputs: Inputs) -> Parts:
        """Values that stand for absence, shaped like the inputs' parts."""
        ...


@dataclass(frozen=True)
class Zeros:
    """Zero everywhere: the absent word or subgraph, the black image."""

    def __call__(self, inputs: Inputs) -> Parts:
        return inputs.parts.zeros()


@dataclass(frozen=True, eq=False)
class Constant:
    """One row of values per part, the same for every row: a mean colour, the null atom of a graph."""

    rows: Mapping[str, Tensor] = field(default_factory=dict)

    def __call__(self, inputs: Inputs) -> Parts:
        missing = set(inputs.parts) - set(self.rows)
        if missing:
            raise InputError(f"the baseline has no value for {', '.join(sorted(missing))}; give one row for each part")
        return Parts({n: torch.as_tensor(self.rows[n], dtype=a.dtype).expand_as(a) for n, a in inputs.parts.items()})
