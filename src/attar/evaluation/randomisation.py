"""Whether an attribution depends on what the model has learnt: its parameters, and the labels it learnt from."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from attar.core.errors import InputError, UnsupportedError
from attar.core.method import Method, needs_of
from attar.core.recipe import Fitted, Recipe
from attar.core.target import Predicted, Target
from attar.evaluation import keyed
from attar.evaluation.ranks import Order, pearson
from attar.evaluation.score import Score, scored
from attar.evaluation.subject import Subject, subject
from attar.verb import attribute, explained, posed

FIRST = 10**6  # of the seeds that layers are redrawn from, far from those that models are born with


def cascading_randomisation(
    model: object,
    inputs: Any,
    method: Method,
    target: Target | None = None,
    *,
    module: nn.Module | None = None,
    redraws: int = 5,
    draws: int = 39,
    seed: int = 0,
    at: str | None = None,
    batch_size: int | None = None,
) -> dict[str, Score]:
    """Spearman's ρ with the model's own attribution after redrawing its layers one after another from the output down:
    after the layer that it is named by and all above it. 0 is best: what is left owes nothing to the parameters.

    A method that passes is "indistinguishable from chance" at the end, where nothing learnt is left; one that is "worse
    than chance" still shows what it showed of the trained model. Signed, zeros as they are: magnitudes would agree on
    where an image is blank. The target is that of the trained model. A layer whose parameters redrawing does not change
    (a norm as it was born) is left out. What the input alone brings about (values times inputs) keeps ρ above 0. An
    example whose values are all the same has nothing to lose, and no score.
    Each is drawn anew `redraws` times (`Score.values` has a row for each): all examples share a network, and one random
    network may by chance be like the trained one, or unlike it. Layers come in the order in which the model calls them.
    `module` is the torch module inside, where `model` is a function or adapter around one. It is changed in place and
    left as it was found, after an exception too; the global random state is neither read nor moved.
    Raises `UnsupportedError` where there is no torch module.
    Source: Adebayo et al. 2018, arXiv:1810.03292, section 3.
    """
    return _randomised(model, inputs, method, target, module, redraws, draws, seed, at, batch_size, cascading=True)


def layer_randomisation(
    model: object,
    inputs: Any,
    method: Method,
    target: Target | None = None,
    *,
    module: nn.Module | None = None,
    redraws: int = 5,
    draws: int = 39,
    seed: int = 0,
    at: str | None = None,
    batch_size: int | None = None,
) -> dict[str, Score]:
    """The same after redrawing one layer alone, all others as they were learnt."""
    return _randomised(model, inputs, method, target, module, redraws, draws, seed, at, batch_size, cascading=False)


def label_randomisation(
    recipe: Recipe,
    train: tuple[Sequence[Any], np.ndarray],
    scored_examples: Sequence[Any],
    method: str,
    *,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    draws: int = 39,
    learnt: Sequence[Fitted] = (),
) -> Score:
    """Spearman's ρ between the attributions of a model fitted to the labels and of one fitted to the same labels in
    random order, for each seed: 0 is best, and "indistinguishable from chance" is a pass.

    `learnt` are the models of the first seeds, where they have been fitted to the labels already. Raises `InputError`
    for labels that are all the same.
    Source: Adebayo et al. 2018, arXiv:1810.03292, section 4.
    """
    examples, labels = train
    if not len(labels) or bool((labels == labels[0]).all()):
        raise InputError("all labels are the same: in random order they say what they said")
    rows, random = [], []
    for place, seed in enumerate(seeds):
        shuffled = np.random.default_rng([seed, 41]).permutation(labels)
        model = learnt[place] if place < len(learnt) else recipe.fit(examples, labels, seed)
        said = subject(model.explain(scored_examples, method))
        alike = _Likeness(said)
        other = recipe.fit(examples, shuffled, seed).explain(scored_examples, method)
        rows.append(alike(subject(other).values[None]))
        random.append(alike(said.drawn(said.sizes, draws=draws, seed=seed)))
    hole = torch.stack(rows).isnan().any(0)
    values, chance = torch.cat(rows), torch.stack(random).mean(0)
    return _similarity("labels in random order", values.where(~hole, torch.nan), chance.where(~hole, torch.nan))


@contextmanager
def redrawn(module: nn.Module, layers: Sequence[str], *, seed: int) -> Iterator[bool]:
    """The named submodules with their own parameters drawn anew; everything as it was found afterwards. Inside, whether
    the last of them has changed.

    By the submodule's `reset_parameters`, from one seed each, so that a layer is redrawn alike alone and in a cascade;
    where it has none, from a normal law with the mean and spread of what it holds.
    """
    some = [module.get_submodule(name) for name in layers]
    found = [[(tensor, tensor.detach().clone()) for tensor in _own(each)] for each in some]
    try:
        for each in some:
            _redraw(each, seed)
        yield any(not torch.equal(tensor, before) for tensor, before in found[-1])
    finally:
        with torch.no_grad():
            for tensor, before in chain(*found):
                tensor.copy_(before)


def layers_of(module: nn.Module, ask: Callable[[], object]) -> tuple[str, ...]:
    """Submodules that hold parameters of their own, in the order in which the model last calls them when it is asked.

    One that is never called (its parameters are read by the module around it) stands where that one is called; within
    it, in the order of registration.
    """
    calls: list[str] = []
    hooks = []
    try:
        for name, each in module.named_modules():
            hooks.append(each.register_forward_pre_hook(lambda _m, _i, name=name: calls.append(name)))
        ask()
    finally:
        for hook in hooks:
            hook.remove()
    last = {name: place for place, name in enumerate(calls)}

    def place(name: str) -> int:
        while name and name not in last:
            name = name.rpartition(".")[0]
        return last.get(name, -1)

    own = [name for name, each in module.named_modules() if next(each.parameters(recurse=False), None) is not None]
    return tuple(sorted(own, key=place))


def _own(layer: nn.Module) -> list[Tensor]:
    return [*layer.parameters(recurse=False), *layer.buffers(recurse=False)]


def _redraw(layer: nn.Module, seed: int) -> None:
    devices = list({each.device for each in _own(layer) if each.device.type == "cuda"})
    with torch.random.fork_rng(devices=devices), torch.no_grad():
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would move every accelerator's too
        for device in devices:
            torch.cuda.default_generators[device.index].manual_seed(seed)
        reset = getattr(layer, "reset_parameters", None)
        if reset is not None:
            reset()
            return
        for each in layer.parameters(recurse=False):
            values = each.double()
            spread = values.std(correction=0)
            each.copy_(values.mean() + spread * torch.randn(each.shape, dtype=torch.double).to(values))


def _randomised(
    model: object,
    inputs: Any,
    method: Method,
    target: Target | None,
    module: nn.Module | None,
    redraws: int,
    draws: int,
    seed: int,
    at: str | None,
    batch_size: int | None,
    *,
    cascading: bool,
) -> dict[str, Score]:
    if redraws < 1:
        raise InputError(f"redraws is {redraws}, expected at least 1")
    module = _module(model) if module is None else module
    asked = [target if target is not None else Predicted()]
    put = posed(model, inputs, asked, needs=needs_of(method), at=at, batch_size=batch_size)

    def found() -> Subject:
        if at is None:
            (said,) = explained(put, method, inputs=put.inputs, targets=put.targets, batch_size=batch_size)
        else:  # from the start: what the layer puts out may come from layers that were redrawn
            said = attribute(model, inputs, method, put.targets[0], at=at, batch_size=batch_size)
        return subject(said, inputs=put.inputs)

    own = found()
    keys = keyed.contents(put.inputs.parts, put.inputs.owners, len(put.inputs))
    alike = _Likeness(own)
    chance = alike(own.drawn(keys, draws=draws, seed=seed))
    called = layers_of(module, lambda: put.model.predict(put.inputs.take(torch.tensor([0], device=put.inputs.device))))
    order, scores = called[::-1], {}
    for place, name in enumerate(order):
        values = []
        for k in range(redraws):
            layers = order[: place + 1] if cascading else [name]
            with redrawn(module, layers, seed=FIRST + seed * redraws + k) as changed:
                if not changed:
                    break
                values.append(found().values)
        if not values:
            continue
        said = f"{name or 'the module'} and all above redrawn" if cascading else f"{name or 'the module'} redrawn"
        scores[name] = _similarity(said, alike(torch.stack(values)), chance)
    if not scores:
        raise UnsupportedError("the module has no parameters that could be redrawn: there is nothing to randomise")
    return scores


def _similarity(what: str, values: Tensor, chance: Tensor) -> Score:
    return scored(f"similarity, {what}", values.numpy(), chance.numpy(), worst=1.0, best=0.0)


@dataclass(frozen=True, eq=False)
class _Likeness:
    """Spearman's ρ with the values of one attribution, whose ranks are found once; nan where these are all the same."""

    own: Subject

    @cached_property
    def ranks(self) -> Float[Tensor, "examples parts"]:
        return Order.of(self.own.table(self.own.values), self.own.there).ranks

    def __call__(self, values: Float[Tensor, "draws features"]) -> Float[Tensor, "draws examples"]:
        found = Order.of(self.own.table(values), self.own.there).ranks
        return pearson(found, self.ranks, self.own.there)


def _module(model: object) -> nn.Module:
    found = model if isinstance(model, nn.Module) else getattr(model, "module", None)
    if not isinstance(found, nn.Module):
        raise UnsupportedError(
            f"a {type(model).__name__} has no parameters to redraw: give the torch module inside it as module=, or ask "
            "label_randomisation with a way to make the model"
        )
    return found
