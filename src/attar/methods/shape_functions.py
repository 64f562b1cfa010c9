"""Shape functions: what each column's own curve adds to an additive model's output."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.error import exact
from attar.core.errors import UnsupportedError
from attar.core.inputs import Inputs
from attar.core.model import Additive, Terms
from attar.core.parts import Parts
from attar.core.target import Difference, Entry, Logit, Target


@dataclass(frozen=True, kw_only=True)
class ShapeFunctions:
    """The value of each column's own curve at the example: f_j(x_j).

    In units of the target; positive supports it. Complete: the values and the reference sum to the output. The curves
    of `attar.design` are 0 on average over the training rows, so that a value is how far the column takes this example
    from the mean one. What a term of several columns adds is shared evenly among them, which is its Shapley value where
    "absent" means without the term; `measured` lists each such term, so that the share can be taken back.
    Misleads where columns are correlated: what both could say, one curve may have taken. It says nothing of how sure a
    curve is: `model.shape(column)` draws it with its band.
    Raises `UnsupportedError` for a target that bends the outputs, such as a probability.
    Source: Hastie & Tibshirani 1986, doi:10.1214/ss/1177013604; terms of pairs: Lou et al. 2013,
    doi:10.1145/2487575.2487579.
    """

    needs: ClassVar[type] = Additive

    def __call__(self, model: Additive, inputs: Inputs, target: Target) -> Attribution:
        _refuse_unless_linear(target)
        found = model.terms(inputs)
        count, terms, _ = found.values.shape
        owner = torch.arange(count, device=inputs.device).repeat_interleave(terms)
        added = target.take(owner)(found.values.flatten(0, 1)).reshape(count, terms)
        reference = target(found.reference.expand(count, -1))
        columns = next(iter(inputs.parts.values())).shape[1]
        return Attribution(
            parts=Parts({"input": added @ _shares(found, columns).to(added)}),
            owners=inputs.owners,
            output=target(model.predict(inputs)),
            reference=reference,
            error=exact(count, inputs.device),
            evaluations=torch.ones(count, dtype=torch.long, device=inputs.device),
            measured={
                _name(columns, inputs): added[:, k] for k, columns in enumerate(found.columns) if len(columns) > 1
            },
        )


def _shares(found: Terms, columns: int) -> Tensor:
    """Which share of each term is each column's."""
    shares = torch.zeros(len(found.columns), columns)
    for term, members in enumerate(found.columns):
        shares[term, list(members)] = 1 / len(members)
    return shares


def _name(columns: tuple[int, ...], inputs: Inputs) -> str:
    names = inputs.entry_names
    return " × ".join(f"[{k}]" if names is None else names[k] for k in columns)


def _refuse_unless_linear(target: Target) -> None:
    if isinstance(target, Difference):
        _refuse_unless_linear(target.this)
        _refuse_unless_linear(target.that)
    elif not isinstance(target, Logit | Entry):
        raise UnsupportedError(
            f"shape functions add up to an output as it is, the target is {target!r}; ask for attar.Logit"
        )
