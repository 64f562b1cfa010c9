"""Attention weights, read off any torch module while it works: nothing is replaced, nothing need be named."""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from attar.core.errors import InputError, UnsupportedError

_SOFTMAX = (F.softmax, torch.softmax, Tensor.softmax)


@contextmanager
def watched(module: nn.Module) -> Iterator[list[tuple[str, Tensor]]]:
    """Every attention of tokens over tokens, in order: the submodule that it happens in, and its weights.

    `Float[Tensor, "batch heads tokens tokens"]`. Seen are `nn.MultiheadAttention`, `scaled_dot_product_attention`
    (whichever kernel it uses: the weights are worked out beside it), and a softmax over the last axis of a square
    array of four axes, which is attention written out. Kernels of other libraries are not seen. The hooks are gone
    afterwards, whatever happens.
    """
    seen: list[tuple[str, Tensor]] = []
    within: list[str] = []
    hooks = []
    try:
        for name, each in module.named_modules():
            hooks.append(each.register_forward_pre_hook(lambda _m, _i, name=name: within.append(name)))
            hooks.append(each.register_forward_hook(lambda *_: _leave(within)))
        with _Watching(seen, within):
            yield seen
    finally:
        for hook in hooks:
            hook.remove()


def places_of_attention(seen: list[tuple[str, Tensor]]) -> tuple[str, ...]:
    """The submodules in which one example was seen to attend, each once; windows, which are more rows, are not it."""
    return tuple(dict.fromkeys(place for place, weights in seen if len(weights) == 1))


def chosen_attention(seen: list[tuple[str, Tensor]], names: Sequence[str], count: int) -> list[Tensor]:
    """What was seen in the named submodules. Raises where one did not attend, or not with a row for each example."""
    for name in names:
        if not any(_is_in(place, name) for place, _ in seen):
            raise InputError(f"no attention of tokens over tokens was seen in {name!r}; name a layer that attends")
    kept = [(place, weights) for place, weights in seen if any(_is_in(place, name) for name in names)]
    for place, weights in kept:
        if len(weights) != count:
            raise UnsupportedError(
                f"the attention in {place!r} has {len(weights)} rows for {count} examples (windows?); name layers that "
                "attend over whole examples: attar.adapters.torch.TorchModel(module, self_attention=('block',))"
            )
    return [weights for _, weights in kept]


def _is_in(place: str, layer: str) -> bool:
    return place == layer or place.startswith(f"{layer}.")


def _leave(within: list[str]) -> None:
    within.pop()


class _Watching(TorchFunctionMode):
    def __init__(self, seen: list[tuple[str, Tensor]], within: list[str]) -> None:
        super().__init__()
        self.seen, self.within = seen, within

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.multi_head_attention_forward:
            return self._multi_head(func, args, kwargs)
        found = func(*args, **kwargs)
        if func is F.scaled_dot_product_attention:
            weights = _weights(*args, **kwargs)
            self._keep(weights[:, None] if weights.ndim == 3 else weights)  # three axes: without heads
        elif func in _SOFTMAX and kwargs.get("dim", args[1] if len(args) > 1 else None) in (-1, 3):
            self._keep(found)
        return found

    def _multi_head(self, function: Any, args: Any, kwargs: Any) -> tuple[Tensor, Tensor | None]:
        """Asked for its weights, head by head, and answering with those that the module wanted."""
        asked = inspect.signature(function).bind(*args, **kwargs)
        asked.apply_defaults()
        wanted, averaged = (asked.arguments.pop(name) for name in ("need_weights", "average_attn_weights"))
        output, weights = function(**asked.arguments, need_weights=True, average_attn_weights=False)
        self._keep(weights)
        return output, (weights.mean(-3) if averaged else weights) if wanted else None

    def _keep(self, weights: Tensor) -> None:
        if weights.ndim == 4 and weights.shape[2] == weights.shape[3]:
            self.seen.append((self.within[-1] if self.within else "", weights.detach()))


def _weights(
    query: Tensor,
    key: Tensor,
    value: Tensor,  # noqa: ARG001 - given with the others
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,  # noqa: ARG001 - none in eval mode
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """What `scaled_dot_product_attention` weighs the values by, as its documentation defines it."""
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
    scores = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        scores = scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(1), -torch.inf)
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -torch.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
    # A token that may look nowhere (padding) gets no values from the kernel, and no weights here.
    return scores.softmax(-1).nan_to_num(0.0)
