"""Whether an attribution gives out all that there is to give."""

import numpy as np
import torch

from attar.core.attribution import Attribution
from attar.core.errors import InputError
from attar.core.parts import precise
from attar.evaluation.score import Score, scored
from attar.evaluation.subject import subject

_ROUNDINGS = 64


def completeness(found: Attribution, *, draws: int = 39, seed: int = 0) -> Score:
    """|output - reference - unassigned - sum of values| as a share of |output - reference|: 0 is best.

    An example whose output is its reference has nothing to give out, and no score. Chance are random values of the same
    norm. A check of the arithmetic and no more: values that add up may be given to the wrong parts.
    Raises `InputError` where the method has no reference.
    Source: Sundararajan et al. 2017, arXiv:1703.01365, axiom of completeness.
    """
    residual = found.residual()
    if residual is None or found.reference is None:
        raise InputError(
            f"{found.method.split('(')[0] or 'the attribution'} has no reference that its values count from: "
            "completeness is of methods that have one"
        )
    said = subject(found)
    output, reference = (precise(each).cpu() for each in (found.output, found.reference))
    whole = (output - reference).abs()
    rounding = _ROUNDINGS * torch.finfo(found.output.dtype).eps * torch.maximum(output.abs(), reference.abs())
    rest = residual.cpu().double() + said.table(said.values).sum(-1)
    random = rest - said.table(said.drawn(said.sizes, draws=draws, seed=seed)).sum(-1)
    table = torch.cat([residual.cpu().double()[None], random]).abs() / torch.where(whole > rounding, whole, torch.nan)
    return scored("residual of completeness", table[:1].numpy(), table[1:].numpy(), worst=np.inf, best=0.0)
