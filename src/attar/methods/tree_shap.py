"""TreeSHAP: exact Shapley values of trees."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.baseline import Rows
from attar.core.error import exact
from attar.core.errors import UnsupportedError
from attar.core.inputs import Inputs, SparseRows
from attar.core.model import Forest
from attar.core.parts import Parts
from attar.core.target import Difference, Entry, Logit, Target

_SLACK = 1e-5  # of all that is added: shap adds in single precision here and there


@dataclass(frozen=True, kw_only=True)
class TreeSHAP:
    """The Shapley value of every column in the output of an ensemble of trees.

    In units of the output: log-odds for boosted classifiers, the value for regressions, probabilities where the model
    is `attar.adapters.trees.Probabilities(forest)`; positive supports it. With a `background` an absent column stands
    at its rows, as in `Shapley` (interventional); without one the training examples of each node decide which way an
    absent column goes (path-dependent), which is faster and another question. Complete: reference + values = output,
    which is checked. Columns that a sparse row lacks are zeros; what they have is `unassigned`.
    Misleads, path-dependent, where columns depend on each other: one that the trees never split on still gets 0, but
    one that they do gets what another stands for.
    Raises `UnsupportedError` where shap's values do not sum to the output, and without shap
    (`pip install attar[trees]`). Source: Lundberg et al. 2020, Nature Machine Intelligence 2, algorithms 2 and 3.
    """

    background: Rows | None = None

    needs: ClassVar[type] = Forest

    def __call__(self, model: Forest, inputs: Inputs, target: Target) -> Attribution:
        _refuse_unless_linear(target)
        found = model.contributions(inputs, self.background)
        output = target(model.predict(inputs))
        count, columns, _ = found.values.shape
        owner = torch.arange(count, device=found.values.device).repeat_interleave(columns)
        values = target.take(owner)(found.values.flatten(0, 1)).reshape(count, columns)
        reference = target(found.reference.expand(count, -1))
        off = (output - reference - values.sum(1)).abs()
        if bool((off > _SLACK * (reference.abs() + values.abs().sum(1))).any()):
            raise UnsupportedError(
                f"shap's values miss the model's output by up to {float(off.max()):.3g}: it does not know this kind of "
                "loss or split; explain it with Shapley"
            )
        parts, unassigned = _at_entries(values, inputs)
        return Attribution(
            parts=parts,
            owners=inputs.owners,
            output=output,
            reference=reference,
            unassigned=unassigned,
            error=exact(count, inputs.device),
            evaluations=torch.ones(count, dtype=torch.long, device=inputs.device),
        )


def _refuse_unless_linear(target: Target) -> None:
    if isinstance(target, Difference):
        _refuse_unless_linear(target.this)
        _refuse_unless_linear(target.that)
    elif not isinstance(target, Logit | Entry):
        raise UnsupportedError(
            f"TreeSHAP explains outputs as they are, the target is {target!r}; ask for attar.Logit, of "
            "attar.adapters.trees.Probabilities(forest) where a probability is wanted"
        )


def _at_entries(values: Tensor, inputs: Inputs) -> tuple[Parts, Tensor | None]:
    """In the layout of the inputs, and what columns without an entry have."""
    if not isinstance(inputs, SparseRows):
        return Parts({"input": values}), None
    present = values[inputs.rows, inputs.columns]
    return Parts({inputs.part: present}), values.sum(1) - values.new_zeros(len(inputs)).index_add_(
        0, inputs.rows, present
    )
