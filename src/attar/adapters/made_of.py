"""What operations are made of: softmax, norms, attention, recurrence, pooling in terms of sums, products and maxima.

Each stands in for the torch function of its name and takes that function's arguments, behind the watch that runs it:
what it calls is seen in turn. `NotImplemented` where the operation is to be taken as it is.
"""

from collections.abc import Callable
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor


class Watch(Protocol):
    """Who runs them."""

    def no_rule(self, name: str) -> None:
        """Refuse, or note for a caller who takes what comes."""

    def largest(self, flat: Tensor, best: Callable[[Tensor], tuple[Tensor, Tensor]]) -> Tensor:
        """The largest entries of the last axis, by the rule for them; `best` gives them and their places."""
        ...

    def places(self, name: str, find: Callable[[], Tensor]) -> Tensor:
        """Indices that the model may go on to use."""
        ...


def _softmax(_: Watch, x: Tensor, dim: int | None = None, dtype: torch.dtype | None = None) -> Tensor:
    x = x if dtype is None else x.to(dtype)
    exponential = (x - x.amax(dim, keepdim=True)).exp()  # type: ignore[arg-type]
    return exponential / exponential.sum(dim, keepdim=True)


def _log_softmax(_: Watch, x: Tensor, dim: int | None = None, dtype: torch.dtype | None = None) -> Tensor:
    x = x if dtype is None else x.to(dtype)
    shifted = x - x.amax(dim, keepdim=True)  # type: ignore[arg-type]
    return shifted - shifted.exp().sum(dim, keepdim=True).log()


def _logsumexp(_: Watch, x: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    top = x.amax(dim, keepdim=True)
    found = (x - top).exp().sum(dim, keepdim=True).log() + top
    return found if keepdim else found.sum(dim)


def _standardised(x: Tensor, dims: Any, eps: float, *, centred: bool = True) -> Tensor:
    x = x - x.mean(dims, keepdim=True) if centred else x
    return x * (x.square().mean(dims, keepdim=True) + eps).rsqrt()


def _scaled(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def _layer_norm(
    _: Watch, x: Tensor, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5, *_options: Any
) -> Tensor:
    return _scaled(_standardised(x, tuple(range(-len(shape), 0)), eps), weight, bias)


def _rms_norm(_: Watch, x: Tensor, shape: Any, weight: Any = None, eps: float | None = None) -> Tensor:
    eps = torch.finfo(x.dtype).eps if eps is None else eps
    return _scaled(_standardised(x, tuple(range(-len(shape), 0)), eps, centred=False), weight, None)


def _group_norm(
    _: Watch, x: Tensor, groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5, *_options: Any
) -> Tensor:
    grouped = _standardised(x.reshape(x.shape[0], groups, -1), -1, eps).reshape(x.shape)
    return _scaled(grouped, _of_channels(weight, x), _of_channels(bias, x))


def _instance_norm(
    watch: Watch, x: Tensor, weight: Any, bias: Any, mean: Any, var: Any, own: bool, _: float, eps: float, *_o: Any
) -> Any:
    if own:
        return _group_norm(watch, x, x.shape[1], weight, bias, eps)
    return _batch_norm(watch, x, weight, bias, mean, var, False, 0.0, eps)


def _batch_norm(
    watch: Watch, x: Tensor, weight: Any, bias: Any, mean: Any, var: Any, own: bool, _: float, eps: float, *_o: Any
) -> Any:
    if own:
        watch.no_rule("batch_norm on the batch's own statistics")
        return NotImplemented
    scale = (var + eps).rsqrt() if weight is None else weight * (var + eps).rsqrt()
    shift = -mean * scale if bias is None else bias - mean * scale
    return x * _of_channels(scale, x) + _of_channels(shift, x)


def _of_channels(weight: Tensor | None, x: Tensor) -> Any:
    return None if weight is None else weight.reshape(-1, *[1] * (x.ndim - 2))


def _div(_: Watch, x: Any, divisor: Any, *, rounding_mode: str | None = None) -> Any:
    if rounding_mode is not None:
        return NotImplemented
    if isinstance(divisor, Tensor) and divisor.requires_grad:
        return divisor.reciprocal() * x
    return x * (1 / divisor)


def _glu(_: Watch, x: Tensor, dim: int = -1) -> Tensor:
    value, gate = x.chunk(2, dim)
    return value * gate.sigmoid()


def _norm(_: Watch, x: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    if dtype is not None or ord not in (1, 2, 2.0):
        return NotImplemented
    dims = tuple(range(x.ndim)) if dim is None else dim
    return x.abs().sum(dims, keepdim) if ord == 1 else x.square().sum(dims, keepdim).sqrt()


def _cosine_similarity(_: Watch, x: Tensor, other: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    sizes = [side.square().sum(dim).sqrt().clamp(min=eps) for side in (x, other)]
    return (x * other).sum(dim) / (sizes[0] * sizes[1])


def _var(_: Watch, x: Tensor, dim: Any = None, unbiased: Any = None, keepdim: bool = False, **options: Any) -> Tensor:
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    correction = options.get("correction", 1 if unbiased is None else int(unbiased))
    dims = tuple(range(x.ndim)) if dim is None else dim
    squares = (x - x.mean(dims, keepdim=True)).square()
    count = squares.numel() // max(squares.sum(dims).numel(), 1)
    return squares.sum(dims, keepdim=keepdim) / (count - (1 if correction is None else correction))


def _std(watch: Watch, x: Tensor, *args: Any, **options: Any) -> Tensor:
    return _var(watch, x, *args, **options).sqrt()


def _addmm(product: str) -> Callable[..., Tensor]:
    def added(_: Watch, x: Tensor, left: Tensor, right: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
        return x * beta + getattr(torch, product)(left, right) * alpha

    return added


def _addcdiv(_: Watch, x: Tensor, over: Tensor, under: Tensor, *, value: float = 1) -> Tensor:
    return x + over / under * value


def _attention(
    watch: Watch,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    if dropout_p > 0:
        watch.no_rule("scaled_dot_product_attention with dropout")
        return NotImplemented
    if enable_gqa:
        times = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(times, -3), value.repeat_interleave(times, -3)
    score = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        future = torch.ones(score.shape[-2:], dtype=torch.bool, device=score.device).triu(1)
        score = score.masked_fill(future, -torch.inf)
    if attn_mask is not None:
        score = score.masked_fill(~attn_mask, -torch.inf) if attn_mask.dtype == torch.bool else score + attn_mask
    return score.softmax(-1) @ value


Step = Callable[[Tensor, tuple[Tensor, ...], list[Any]], tuple[Tensor, ...]]


def _lstm_step(x: Tensor, state: tuple[Tensor, ...], w: list[Any]) -> tuple[Tensor, ...]:
    h, c = state
    enter, keep, new, leave = (F.linear(x, w[0], w[2]) + F.linear(h, w[1], w[3])).chunk(4, -1)
    c = keep.sigmoid() * c + enter.sigmoid() * new.tanh()
    return leave.sigmoid() * c.tanh(), c


def _gru_step(x: Tensor, state: tuple[Tensor, ...], w: list[Any]) -> tuple[Tensor, ...]:
    (h,) = state
    reset, keep, new = F.linear(x, w[0], w[2]).chunk(3, -1)
    h_reset, h_keep, h_new = F.linear(h, w[1], w[3]).chunk(3, -1)
    new = (new + (reset + h_reset).sigmoid() * h_new).tanh()
    return (new + (keep + h_keep).sigmoid() * (h - new),)


def _rnn_step(bend: Callable[[Tensor], Tensor]) -> Step:
    return lambda x, state, w: (bend(F.linear(x, w[0], w[2]) + F.linear(state[0], w[1], w[3])),)


def _recurrent(name: str, step: Step) -> Callable[..., Any]:
    """Layers of recurrence, forwards and backwards, from the arguments that torch's own kernels take."""

    def run(watch: Watch, x: Tensor, first: Any, weights: Any, biased: Any, *options: Any) -> Any:
        if not isinstance(biased, bool):
            watch.no_rule(f"{name} on packed sequences")
            return NotImplemented
        count, dropout, training, both_ways, batch_first = options
        if training and dropout > 0:
            watch.no_rule(f"{name} with dropout that is always on")
            return NotImplemented
        first = first if isinstance(first, tuple | list) else (first,)
        if len({state.shape[-1] for state in first}) > 1:
            watch.no_rule(f"{name} with projections")
            return NotImplemented
        ways, each = 1 + both_ways, 4 if biased else 2
        rows = x.transpose(0, 1) if batch_first else x
        ends: list[tuple[Tensor, ...]] = []
        for layer in range(count):
            outputs = []
            for way in range(ways):
                place = layer * ways + way
                own = [*weights[place * each : (place + 1) * each], None, None][:4]
                state = tuple(states[place] for states in first)
                steps = []
                for row in rows.flip(0).unbind(0) if way else rows.unbind(0):
                    state = step(row, state, own)
                    steps.append(state[0])
                outputs.append(torch.stack(steps[::-1] if way else steps))
                ends.append(state)
            rows = torch.cat(outputs, -1)
        found = rows.transpose(0, 1) if batch_first else rows
        return found, *(torch.stack(states) for states in zip(*ends, strict=True))

    return run


def _cell(step: Step) -> Callable[..., Any]:
    def run(_: Watch, x: Tensor, state: Any, *weights: Any) -> Any:
        several = isinstance(state, tuple | list)
        ends = step(x, tuple(state) if several else (state,), [*weights, None, None][:4])
        return ends if several else next(iter(ends))

    return run


def _dropout(watch: Watch, x: Tensor, p: float = 0.5, train: bool = True, *_options: Any) -> Any:
    if train and p > 0:
        watch.no_rule("dropout that is always on")
        return NotImplemented
    return x


def _amax(watch: Watch, x: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    dims = (dim,) if isinstance(dim, int) else tuple(dim) or tuple(range(x.ndim))
    dims = sorted(d % x.ndim for d in dims)
    flat = x.movedim(dims, list(range(-len(dims), 0))).flatten(-len(dims))
    found = watch.largest(flat, lambda rows: rows.max(-1, keepdim=True))[..., 0]
    for d in dims if keepdim else ():
        found = found.unsqueeze(d)
    return found


def _amin(watch: Watch, x: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    return -_amax(watch, -x, dim, keepdim)


def _extreme(largest: Callable[..., Tensor], pair: type) -> Callable[..., Any]:
    def found(watch: Watch, x: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
        if other is not None or isinstance(dim, Tensor):
            return _either(largest)(watch, x, dim if other is None else other)
        if dim is None:
            return largest(watch, x)
        name = "argmax" if pair is torch.return_types.max else "argmin"
        return pair((largest(watch, x, dim, keepdim), watch.places(name, lambda: getattr(x, name)(dim, keepdim))))

    return found


def _either(largest: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda watch, x, other: largest(watch, torch.stack(torch.broadcast_tensors(x, other)), 0)


def _pool(name: str, axes: int) -> Callable[..., Any]:
    adaptive = name.startswith("adaptive")

    def pooled(watch: Watch, x: Tensor, *args: Any, return_indices: bool = False, **options: Any) -> Any:
        spatial = x.shape[-axes:]
        if len(args) > (1 if adaptive else 5):
            *args, return_indices = args  # type: ignore[assignment]

        def best(flat: Tensor) -> tuple[Tensor, Tensor]:
            found, places = getattr(F, name)(flat.unflatten(-1, spatial), *args, return_indices=True, **options)
            shapes.append(found.shape)
            return found.flatten(-axes), places.flatten(-axes)

        shapes: list[Any] = []
        found = watch.largest(x.flatten(-axes), best)
        found = found.reshape(shapes[-1])
        if not return_indices:
            return found
        return found, watch.places(name, lambda: best(x.flatten(-axes))[1].reshape(found.shape))

    return pooled


def _scatter_reduce(
    watch: Watch, x: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Any:
    if reduce in ("sum", "mean"):
        return NotImplemented
    if reduce not in ("amax", "amin") or (x.requires_grad and include_self):
        watch.no_rule(f"scatter_reduce by {reduce}")
        return NotImplemented
    if reduce == "amin":
        return -_scatter_reduce(watch, -x, dim, index, -src, "amax", include_self=include_self)
    index, count = index.movedim(dim, -1), src.shape[dim]
    into = x.detach().movedim(dim, -1)

    def best(padded: Tensor) -> tuple[Tensor, Tensor]:
        rows = padded[..., :-1]
        found = into.scatter_reduce(-1, index, rows, "amax", include_self=include_self)
        place = torch.arange(count, device=rows.device).expand_as(rows)
        winning = place.where(rows == found.gather(-1, index), torch.full_like(place, count))
        nobody = torch.full_like(found, count, dtype=torch.long)
        return found, nobody.scatter_reduce(-1, index, winning, "amin")

    # A last place of zeros, for groups that nobody is in.
    return watch.largest(F.pad(src.movedim(dim, -1), (0, 1)), best).movedim(-1, dim)


POOLS = {
    f"{kind}max_pool{axes}d": _pool(f"{kind}max_pool{axes}d", axes) for kind in ("", "adaptive_") for axes in (1, 2, 3)
}
RECURRENT: dict[str, Step] = {
    "lstm": _lstm_step,
    "gru": _gru_step,
    "rnn_tanh": _rnn_step(torch.tanh),
    "rnn_relu": _rnn_step(torch.relu),
}
MADE_OF: dict[str, Callable[..., Any]] = {
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "group_norm": _group_norm,
    "instance_norm": _instance_norm,
    "batch_norm": _batch_norm,
    "div": _div,
    "glu": _glu,
    "linalg_vector_norm": _norm,
    "var": _var,
    "std": _std,
    "addmm": _addmm("mm"),
    "addmv": _addmm("mv"),
    "baddbmm": _addmm("bmm"),
    "addcmul": lambda _, x, a, b, *, value=1: x + a * b * value,
    "addcdiv": _addcdiv,
    "scaled_dot_product_attention": _attention,
    **{name: _recurrent(name, step) for name, step in RECURRENT.items()},
    **{f"{name}_cell": _cell(step) for name, step in RECURRENT.items()},
    "dropout": _dropout,
    "feature_dropout": _dropout,
    "alpha_dropout": _dropout,
    "feature_alpha_dropout": _dropout,
    "amax": _amax,
    "amin": _amin,
    "max": _extreme(_amax, torch.return_types.max),
    "min": _extreme(_amin, torch.return_types.min),
    "maximum": _either(_amax),
    "minimum": _either(_amin),
    "fmax": _either(_amax),
    "fmin": _either(_amin),
    "scatter_reduce": _scatter_reduce,
    "cosine_similarity": _cosine_similarity,
    **POOLS,
}
