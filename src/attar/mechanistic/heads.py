"""What heads look at, on tokens made for the purpose: scores, each with what a head that looks evenly would have."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from attar.adapters.attention import watched
from attar.core.errors import InputError, UnsupportedError
from attar.mechanistic.record import logits
from attar.mechanistic.transformer import Transformer


@dataclass(frozen=True, eq=False, kw_only=True)
class HeadScores:
    """How much of its attention each head spends where a head of a kind would: `Float[Tensor, "blocks heads"]`, 0 to 1,
    by kind; and what a head that looks evenly at all it may see would spend there (`chance`)."""

    scores: Mapping[str, Float[Tensor, "blocks heads"]]
    chance: Mapping[str, float]

    def ranked(self, kind: str, limit: int | None = None) -> list[tuple[str, float]]:
        """Heads by name (`18.6`: block 18, head 6), the highest score first. Raises `InputError` for no kind."""
        if kind not in self.scores:
            raise InputError(f"there is no kind of head {kind!r}; there is {', '.join(self.scores)}")
        table = self.scores[kind]
        order = table.flatten().argsort(descending=True, stable=True)[:limit].tolist()
        return [(f"{k // table.shape[1]}.{k % table.shape[1]}", float(table.flatten()[k])) for k in order]


def attention_patterns(of: Transformer, ids: Int[Tensor, "batch tokens"]) -> list[Float[Tensor, "batch heads to from"]]:
    """The attention of every block, of whichever kind (eager or sdpa): how much each token takes from each before it.
    Raises `UnsupportedError` where a kernel hides it."""
    with torch.no_grad(), watched(of.module) as seen:
        logits(of, ids)
    found = [weights for place, weights in seen if any(place.startswith(f"{block}.") for block in of.blocks)]
    if len(found) != len(of.blocks):
        raise UnsupportedError(
            f"attention was seen in {len(found)} of {len(of.blocks)} blocks: a kernel hides it; ask for the eager kind"
        )
    return found


def head_scores(of: Transformer, *, length: int = 24, texts: int = 8, seed: int = 0) -> HeadScores:
    """Scores on random tokens that come twice, `texts` of them of 2 x `length`, drawn from the whole vocabulary.

    previous-token: on the token just before. duplicate-token: on the same token, where it came first. induction: on the
    token after that, which is what comes next. Each is a mean over the second half and over texts. Sources: Elhage et
    al. 2021; Olsson et al. 2022, arXiv:2209.11895; Wang et al. 2022, arXiv:2211.00593 (duplicate token heads).
    """
    if length < 2 or texts < 1:
        raise InputError(f"length is {length} and texts {texts}, expected 2 or more tokens and a text")
    generator = torch.Generator().manual_seed(seed)
    half = torch.stack([torch.randperm(len(of.unembedding), generator=generator)[:length] for _ in range(texts)])
    patterns = attention_patterns(of, torch.cat([half, half], 1).to(of.unembedding.device))
    to = torch.arange(length, 2 * length)
    places = {"previous-token": to - 1, "duplicate-token": to - length, "induction": to - length + 1}
    scores = {
        kind: torch.stack([pattern[:, :, to, place].double().mean((0, 2)).cpu() for pattern in patterns])
        for kind, place in places.items()
    }
    even = float((1 / (to + 1).double()).mean())
    return HeadScores(scores=scores, chance=dict.fromkeys(scores, even))
