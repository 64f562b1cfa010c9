"""Quantile bins of a table's columns."""

import torch
from jaxtyping import Float
from torch import Tensor


def below_the_largest(
    edges: Float[Tensor, "columns edges"], values: Float[Tensor, "columns rows"]
) -> Float[Tensor, "columns edges"]:
    """The edges, each the last of its bin, with those at a column's largest value moved to the one next to it.

    No value is above the largest: a column that is mostly 1 would be one bin, and nothing would hang on it.
    """
    largest = values.amax(1, keepdim=True)
    next_to_it = values.masked_fill(values == largest, -torch.inf).amax(1, keepdim=True)
    return torch.where((edges == largest) & next_to_it.isfinite(), next_to_it, edges).sort(1).values
