"""The parts of a text that a person would name: words, or the tokens that a model is fed."""

from dataclasses import dataclass

import torch

from attar.adapters.tokens import PART, Tokens, titles
from attar.core.errors import InputError
from attar.core.features import Features, Share
from attar.core.inputs import Inputs

KINDS = ("words", "tokens")


@dataclass(frozen=True, kw_only=True)
class Pieces:
    """Words (or tokens) of texts as features: methods that take parts away take these, others' values are summed over.

    A special token is a part of its own. Raises `InputError` for another kind of part, and for what is no text.
    """

    by: str = "words"

    def __post_init__(self) -> None:
        if self.by not in KINDS:
            raise InputError(f"the parts of a text are {self.by!r}, expected {' or '.join(KINDS)}")

    def __call__(self, inputs: Inputs) -> Features:
        if not isinstance(inputs, Tokens):
            raise InputError(f"{self.by} are parts of texts, not of {type(inputs).__name__}")
        count = len(inputs.ids)
        rows = torch.arange(count, device=inputs.device)
        part = rows
        if self.by == "words":
            keys = torch.stack([inputs.row_owner, inputs.words], 1)
            _, part = torch.unique(keys, dim=0, return_inverse=True)
        number = int(part.max()) + 1
        owner = torch.zeros(number, dtype=torch.long, device=inputs.device).index_put_((part,), inputs.row_owner)
        written = [""] * number
        for place, piece in zip(part.tolist(), inputs.pieces.tolist(), strict=True):
            written[place] += piece
        return Features(
            name=self.by,
            rule=self.by,
            owner=owner,
            shares={PART: Share(part, rows, torch.ones(count, device=inputs.device))},
            names=tuple(titles(written, owner.tolist())),
        )
