"""Texts as a language model takes them: tokens of any number in one batch, of which the embeddings are attributed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from attar.core.errors import InputError
from attar.core.inputs import Inputs, owned, starts
from attar.core.parts import Parts

PART = "tokens"


@dataclass(frozen=True, eq=False, kw_only=True)
class Tokens(Inputs):
    """Tokens in order, one row each; what fills up a shorter text next to a longer one is no row and has no value.

    `embedded` is what the model's embedding layer makes of the `ids`, before positions are added. `pieces` is how each
    token reads, `words` numbers the word that it belongs to within its text (from 0), and `special` says which of them
    nobody wrote: those that begin, part and end texts. A module is called as `module(inputs_embeds=…,
    attention_mask=…)`, as models of transformers are: padded on the right, the mask 1 where a token is.
    """

    ids: Int[Tensor, " tokens"]
    embedded: Float[Tensor, "tokens width"]
    row_owner: Int[Tensor, " tokens"]
    size: int
    pieces: np.ndarray
    words: Int[Tensor, " tokens"]
    special: Bool[Tensor, " tokens"]

    @property
    def parts(self) -> Parts:
        return Parts({PART: self.embedded})

    @property
    def owners(self) -> Mapping[str, Int[Tensor, " rows"]]:
        return {PART: self.row_owner}

    @property
    def lengths(self) -> Int[Tensor, " examples"]:
        """The number of tokens of each text."""
        return torch.bincount(self.row_owner, minlength=self.size)

    @property
    def row_names(self) -> Mapping[str, Sequence[str]]:
        return {PART: titles(self.pieces.tolist(), self.row_owner.tolist())}

    def __len__(self) -> int:
        return self.size

    def take(self, index: Int[Tensor, " examples"]) -> "Tokens":
        rows, owner = owned(self.row_owner, index)
        return replace(
            self,
            ids=self.ids[rows],
            embedded=self.embedded[rows],
            row_owner=owner,
            size=len(index),
            pieces=self.pieces[rows.cpu().numpy()],
            words=self.words[rows],
            special=self.special[rows],
        )

    def replace(self, parts: Parts) -> "Tokens":
        return replace(self, embedded=parts[PART])

    def arguments(self) -> tuple[Any, ...]:
        """The padded embeddings, `Float[Tensor, "batch longest width"]`, and the mask."""
        lengths, owner = self.lengths, self.row_owner
        place = torch.arange(len(owner), device=owner.device) - starts(owner, self.size)[owner]
        padded = self.embedded.new_zeros(self.size, int(lengths.max()), self.embedded.shape[1])
        there = torch.arange(padded.shape[1], device=owner.device) < lengths[:, None]
        return padded.index_put((owner, place), self.embedded), there.long()

    def call(self, function: Callable[..., Any]) -> Any:
        embedded, mask = self.arguments()
        return function(inputs_embeds=embedded, attention_mask=mask)

    def unpadded(self, padded: Tensor) -> Tensor:
        """What stands at the tokens of an array (batch, longest, …), row by row; another array as it is."""
        if padded.ndim < 3 or padded.shape[:2] != (self.size, int(self.lengths.max())):
            return padded
        there = torch.arange(padded.shape[1], device=padded.device) < self.lengths[:, None]
        return padded[there]

    def label(self, part: str, row: int) -> str:
        return self.row_names[part][row] if self.size == 1 else f"{part} {row}"


def visible(piece: str) -> str:
    """A piece of text as it is named in a line: without the blanks at its ends, and blanks alone as signs for them."""
    return piece.strip() or "".join(_BLANKS.get(sign, sign) for sign in piece) or "(nothing)"


def titles(pieces: Sequence[str], owners: Sequence[int]) -> list[str]:
    """What to call pieces of texts in a list: without the blanks at their ends, repeated ones counted in each text."""
    seen: dict[tuple[int, str], int] = {}
    plain = [visible(piece) for piece in pieces]
    keys = list(zip(owners, plain, strict=True))
    often = {key for key, times in _counted(keys).items() if times > 1}
    found = []
    for key in keys:
        seen[key] = seen.get(key, 0) + 1
        found.append(f"{key[1]} ({seen[key]})" if key in often else key[1])
    return found


_BLANKS = {" ": "␣", "\n": "⏎", "\t": "⇥"}


def _counted(keys: Sequence[tuple[int, str]]) -> dict[tuple[int, str], int]:
    times: dict[tuple[int, str], int] = {}
    for key in keys:
        times[key] = times.get(key, 0) + 1
    return times


@dataclass(frozen=True, eq=False)
class InsteadOf:
    """A baseline for texts: every token is the one called `name`, whose embedding is `row`; special ones stay.

    Raises `InputError` for what is no text.
    """

    name: str
    row: Float[Tensor, " width"]

    def __call__(self, inputs: Inputs) -> Parts:
        if not isinstance(inputs, Tokens):
            raise InputError(f"{self!r} stands for tokens of texts, not {type(inputs).__name__}")
        row = self.row.to(inputs.embedded)
        if row.shape != inputs.embedded.shape[1:]:
            raise InputError(f"{self!r} has {len(row)} numbers, an embedding here has {inputs.embedded.shape[1]}")
        return Parts({PART: torch.where(inputs.special[:, None], inputs.embedded, row)})

    def __repr__(self) -> str:
        return f"InsteadOf({self.name!r})"


class NextToken(nn.Module):
    """The logits of the token that follows a text, of a causal language model of transformers, which stays as it is.

    `Float[Tensor, "batch vocabulary"]`. Texts are padded on the right, where no token of a causal model looks.
    """

    def __init__(self, language: nn.Module) -> None:
        super().__init__()
        self.language = language

    def forward(
        self, inputs_embeds: Float[Tensor, "batch tokens width"], attention_mask: Int[Tensor, "batch tokens"]
    ) -> Float[Tensor, "batch vocabulary"]:
        last = attention_mask.sum(1) - 1
        kept, place = last.unique(return_inverse=True)
        found = self.language(
            inputs_embeds=inputs_embeds, attention_mask=attention_mask, use_cache=False, logits_to_keep=kept
        )
        return found.logits[torch.arange(len(last), device=last.device), place]


class MeanOfTokens(nn.Module):
    """The mean of what an encoder of transformers says at each token of a text, scaled to length 1: its embedding.

    `Float[Tensor, "batch width"]`. Source: Reimers & Gurevych 2019, arXiv:1908.10084, section 3 (mean pooling).
    """

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(
        self, inputs_embeds: Float[Tensor, "batch tokens width"], attention_mask: Int[Tensor, "batch tokens"]
    ) -> Float[Tensor, "batch width"]:
        found = self.encoder(inputs_embeds=inputs_embeds, attention_mask=attention_mask).last_hidden_state
        there = attention_mask[:, :, None].to(found.dtype)
        return nn.functional.normalize((found * there).sum(1) / there.sum(1), dim=1)
