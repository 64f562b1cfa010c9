"""What each part of a transformer says of the next token: what it wrote into the stream, read out as the end is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from attar.core.errors import InputError, UnsupportedError
from attar.mechanistic.record import logits, recorded
from attar.mechanistic.transformer import Transformer

_CLOSE = 1e-4


@dataclass(frozen=True, eq=False, kw_only=True)
class DirectAttribution:
    """What each part wrote straight towards one token rather than another (or towards one): `values`, by `names`.

    In units of logits, at the last token of each text; positive supports `token`. `output` is the difference of logits
    itself, `left_over` what the parts' values and that of the last norm's bias miss of it: a check, not an error bar.
    What a part does by way of others is not in it.
    """

    names: tuple[str, ...]
    values: Float[Tensor, "batch parts"]
    output: Float[Tensor, " batch"]
    left_over: Float[Tensor, " batch"]

    def ranked(self, limit: int | None = None) -> list[tuple[str, float]]:
        """Parts with their mean over texts, the largest magnitude first."""
        mean = self.values.double().mean(0)
        order = mean.abs().argsort(descending=True, stable=True)[:limit].tolist()
        return [(self.names[k], float(mean[k])) for k in order]


def direct_logit_attribution(
    of: Transformer,
    ids: Int[Tensor, "batch tokens"],
    token: int | Sequence[int],
    rather_than: int | Sequence[int] | None = None,
) -> DirectAttribution:
    """Every head, multilayer perceptron and embedding of a transformer, by what it wrote towards `token`.

    The last norm divides by what the whole stream amounts to; that is kept as it was, and then each part's share is
    linear. Complete: the values sum to the difference of logits. Tokens are those of `ids`, nothing is put before them.
    Raises `UnsupportedError` where the parts do not sum to the stream or the last norm is none that is known. Source:
    Elhage et al. 2021; nostalgebraist 2020 for the reading of the stream.
    """
    with torch.no_grad(), recorded(of, of.writing_sites) as seen:
        answers = logits(of, ids)[:, -1]
        of.check(seen)
        direction = _direction(of, token, rather_than, len(ids))
        gain, bias = frozen_norm(of.part(of.family.norm), seen["final"][:, -1])
        names, values = [], []
        for name, written in of.writers(seen):
            values.append((gain(written[:, -1]) * direction).sum(1))
            names.append(name)
        if bias is not None:
            values.append((bias * direction).sum(1))
            names.append("final.bias")
        head = getattr(of.part(of.family.unembedding), "bias", None)
        output = _picked(answers, token) - (0 if rather_than is None else _picked(answers, rather_than))
        if head is not None:
            values.append(_picked(head[None].expand_as(answers), token))
            values[-1] = values[-1] - (
                0 if rather_than is None else _picked(head[None].expand_as(answers), rather_than)
            )
            names.append("unembedding.bias")
    found = torch.stack(values, 1)
    left_over = output.double() - found.double().sum(1)
    return DirectAttribution(names=tuple(names), values=found, output=output, left_over=left_over)


def logit_lens(of: Transformer, ids: Int[Tensor, "batch tokens"]) -> Float[Tensor, "blocks batch vocabulary"]:
    """What the model would say of the next token if it ended before each block, and after the last: the stream through
    the last norm and the unembedding. The last row is the model's own answer. Source: nostalgebraist 2020."""
    sites = [f"{k}.before" for k in range(len(of.blocks))]
    with torch.no_grad(), recorded(of, [*sites, "final"]) as seen:
        answers = logits(of, ids)[:, -1]
        norm, head = of.part(of.family.norm), of.part(of.family.unembedding)
        early = [head(norm(seen[name][:, -1:]))[:, 0] for name in sites]
    return torch.stack([*early, answers])


Gain = Callable[[Float[Tensor, "batch width"]], Float[Tensor, "batch width"]]


@torch.no_grad()
def frozen_norm(norm: nn.Module, stream: Float[Tensor, "batch width"]) -> tuple[Gain, Float[Tensor, " width"] | None]:
    """A norm with what it divides by kept as it is for this stream: linear, and its bias apart. Raises
    `UnsupportedError` for a norm that is neither LayerNorm nor RMSNorm."""
    expected = norm(stream)
    weight = getattr(norm, "weight", None)
    scale = torch.ones_like(stream[0]) if weight is None else weight.detach()
    eps = float(getattr(norm, "eps", getattr(norm, "variance_epsilon", 1e-6)))
    held = getattr(norm, "bias", None)
    bias = None if held is None else held.detach()
    centred = stream - stream.mean(1, keepdim=True)
    spread = (centred.square().mean(1, keepdim=True) + eps).rsqrt()
    size = (stream.square().mean(1, keepdim=True) + eps).rsqrt()
    candidates = (
        lambda part: (part - part.mean(1, keepdim=True)) * spread * scale,
        lambda part: part * size * scale,
        lambda part: part * size * (1 + scale),
    )
    for each in candidates:
        made = each(stream) + (0 if bias is None else bias)
        if torch.allclose(made, expected, rtol=_CLOSE, atol=_CLOSE * float(expected.abs().max())):
            return each, bias
    raise UnsupportedError(
        f"the last norm is a {type(norm).__name__}, neither LayerNorm nor RMSNorm: its parts are unknown"
    )


def _direction(
    of: Transformer, token: int | Sequence[int], rather_than: int | Sequence[int] | None, count: int
) -> Float[Tensor, "batch width"]:
    """What the stream is read by: the unembedding of a token, less that of another."""
    table = of.unembedding

    def row(which: int | Sequence[int]) -> Tensor:
        index = torch.as_tensor(which).expand(count) if isinstance(which, int) else torch.as_tensor(which)
        if index.shape != (count,):
            raise InputError(f"there are {len(index)} tokens for {count} texts: give one, or one for each")
        least, most = int(index.min()), int(index.max())
        if least < 0 or most >= len(table):
            raise InputError(f"there is no token {least if least < 0 else most}; there are 0 to {len(table) - 1}")
        return table[index]

    return row(token) - (0 if rather_than is None else row(rather_than))


def _picked(answers: Float[Tensor, "batch vocabulary"], which: int | Sequence[int]) -> Float[Tensor, " batch"]:
    index = torch.as_tensor(which).expand(len(answers)) if isinstance(which, int) else torch.as_tensor(which)
    return answers.gather(1, index[:, None])[:, 0]
