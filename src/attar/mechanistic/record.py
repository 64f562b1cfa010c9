"""What happens inside a transformer, recorded while it answers, and changed on its way: hooks, gone afterwards."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from attar.core.errors import InputError
from attar.mechanistic.transformer import Transformer

Edit = Tensor | Callable[[Tensor], Tensor]


@contextmanager
def recorded(of: Transformer, sites: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """What stands at the named sites the next time the module answers, with gradients where it has them.

    `3.heads` as (batch, tokens, heads, width of a head), all else (batch, tokens, width). Raises `InputError` for a
    name that is no site.
    """
    seen: dict[str, Tensor] = {}
    with ExitStack() as stack:
        for name in sites:
            stack.enter_context(_hooked(of, of.site(name), partial(_keep, seen, name)))
        yield seen


@contextmanager
def edited(of: Transformer, edits: Mapping[str, Edit]) -> Iterator[None]:
    """The module answers as if what stands at these sites were another: a tensor that fits, or a function of what is
    there. What comes after goes on from it. Raises `InputError` for a name that is no site, and for an array of another
    shape."""
    with ExitStack() as stack:
        for name, edit in edits.items():
            stack.enter_context(_hooked(of, of.site(name), partial(_edit, edit, name)))
        yield


def _keep(seen: dict[str, Tensor], name: str, array: Tensor) -> Tensor:
    """What is kept also goes on, so that an answer has a gradient at it."""
    seen[name] = array
    return array


def _edit(edit: Edit, name: str, array: Tensor) -> Tensor:
    changed = edit if isinstance(edit, Tensor) else edit(array)
    try:
        return changed.to(array).expand_as(array)
    except RuntimeError:
        raise InputError(
            f"the edit of {name} has shape {tuple(changed.shape)}, what stands there {tuple(array.shape)}"
        ) from None


@contextmanager
def answering(module: nn.Module) -> Iterator[None]:
    """Eval mode inside, each submodule's own mode as it was afterwards: dropout would be taken for an effect."""
    awake = [each for each in module.modules() if each.training]
    for each in awake:
        each.training = False
    try:
        yield
    finally:
        for each in awake:
            each.training = True


@contextmanager
def _hooked(of: Transformer, site: str, change: Callable[[Tensor], Tensor | None]) -> Iterator[None]:
    """`change` sees what stands at a site, and what it gives back takes its place, unless that is None."""
    module, side = of.where(site)
    by_head = site.endswith(".heads")

    def changed(array: Tensor) -> Tensor | None:
        seen = array.unflatten(-1, (of.heads, -1)) if by_head else array
        found = change(seen)
        return None if found is None else found.flatten(-2) if by_head else found

    def before(_module: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        if not args:  # asked by name
            found = changed(named["hidden_states"])
            return None if found is None else (args, {**named, "hidden_states": found})
        found = changed(args[0])
        return None if found is None else ((found, *args[1:]), named)

    def after(_module: nn.Module, _args: Any, output: Any) -> Any:
        several = isinstance(output, tuple)
        found = changed(output[0] if several else output)
        return None if found is None else (found, *output[1:]) if several else found

    hook: Any = (
        module.register_forward_pre_hook(before, with_kwargs=True)
        if side == "input"
        else module.register_forward_hook(after)
    )
    try:
        yield
    finally:
        hook.remove()


def logits(of: Transformer, ids: Tensor) -> Tensor:
    """The module's answers to tokens as they are: (batch, tokens, vocabulary). Raises `InputError` for what is no batch
    of ids."""
    if ids.ndim != 2 or ids.is_floating_point() or ids.dtype == torch.bool:
        raise InputError(f"ids are {ids.dtype} of shape {tuple(ids.shape)}, expected whole numbers (batch, tokens)")
    with answering(of.module):
        return of.module(input_ids=ids, use_cache=False).logits
