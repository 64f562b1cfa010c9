"""Attention rollout: how much of each token reaches the last layer, as far as attention carries it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.error import exact
from attar.core.errors import InputError, UnsupportedError
from attar.core.inputs import Inputs
from attar.core.model import SelfAttending
from attar.core.parts import Parts
from attar.core.target import Target


@dataclass(frozen=True, kw_only=True)
class AttentionRollout:
    """The attention of all layers multiplied, heads averaged, a share `residual` of each layer passing straight on.

    One value per token (`Float[Tensor, "batch tokens"]`), 0 to 1, summing to 1. `token` is the place of the token that
    the model reads its answer from (0: a class token; -1: the last, of a causal model); None: the mean over all.
    Not in units of the target and the same whatever the target: attention is where the model looks, not what it makes
    of it; what the layers between do with a token is not seen. Kept because it is asked for.
    Source: Abnar & Zuidema 2020, arXiv:2005.00928, eq. 1 and section 3 (residual 0.5).
    Raises `UnsupportedError` where the layers attend over different numbers of tokens.
    """

    token: int | None = None
    residual: float = 0.5

    needs: ClassVar[type] = SelfAttending

    def __post_init__(self) -> None:
        if not 0 <= self.residual < 1:
            raise InputError(f"residual is {self.residual}, expected a share from 0 to below 1 (0.5 as published)")

    def __call__(self, model: SelfAttending, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Any, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        layers = model.attention_maps(inputs)
        tokens = layers[0].shape[-1]
        if sizes := {weights.shape[-1] for weights in layers} - {tokens}:
            raise UnsupportedError(
                f"the layers attend over {tokens} and {sizes.pop()} tokens, which have no product; name those over one "
                "sequence: attar.adapters.torch.TorchModel(module, self_attention=('encoder',))"
            )
        several = inputs.lengths
        fewest = tokens if several is None else int(several.min())
        if self.token is not None and not -fewest <= self.token < fewest:
            raise InputError(f"token is {self.token}, and there are {fewest} (from 0)")
        straight = torch.eye(tokens, dtype=layers[0].dtype, device=layers[0].device)
        reached = straight
        for weights in layers:
            step = (1 - self.residual) * weights.mean(1) + self.residual * straight
            reached = step / step.sum(-1, keepdim=True) @ reached
        if several is None:
            values = self._read(reached)
        else:
            each = zip(reached, several.tolist(), strict=True)
            values = torch.cat([self._read(one[None, :length, :length])[0] for one, length in each])
        part = next(iter(inputs.parts))
        outputs = model.predict(inputs)
        return [
            Attribution(
                parts=Parts({part: values.clone()}),
                owners={part: inputs.owners[part]},
                output=target(outputs),
                error=exact(len(inputs), inputs.device),
                evaluations=torch.full((len(inputs),), 2, device=inputs.device),
            )
            for target in targets
        ]

    def _read(self, reached: Float[Tensor, "batch tokens tokens"]) -> Float[Tensor, "batch tokens"]:
        """How much of each token reaches the place that the answer is read from."""
        return reached.mean(1) if self.token is None else reached[:, self.token]
