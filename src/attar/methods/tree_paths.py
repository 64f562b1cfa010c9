"""Tree paths: what each split on the way to the leaf changed."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from attar.core.attribution import Attribution
from attar.core.error import exact
from attar.core.inputs import Inputs
from attar.core.model import TreeEnsemble
from attar.core.target import Target


@dataclass(frozen=True, kw_only=True)
class TreePaths:
    """Each column's sum of changes of the node value over the splits that an example passes.

    In units of the target; positive supports it. Complete: root + values + absent columns = output. Splits on
    columns that a sparse row lacks ("no such subgraph") belong to no part and are `unassigned`.
    Misleads near the root: an early split takes what later, correlated ones could have had.
    Source: Saabas 2014, "Interpreting random forests" (treeinterpreter).
    """

    needs: ClassVar[type] = TreeEnsemble

    def __call__(self, model: TreeEnsemble, inputs: Inputs, target: Target) -> Attribution:
        walk = model.walk(inputs, target)
        return Attribution(
            parts=walk.steps,
            owners=inputs.owners,
            output=walk.output,
            reference=walk.root,
            unassigned=walk.absent,
            error=exact(len(inputs), inputs.device),
            evaluations=torch.ones(len(inputs), dtype=torch.long, device=inputs.device),
        )
