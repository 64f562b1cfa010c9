"""What a torch module need not be told: which layers its maps are read from, and which axis holds the channels."""

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from attar.adapters.attention import watched
from attar.adapters.tokens import Tokens
from attar.core.draws import draw
from attar.core.errors import UnsupportedError
from attar.core.inputs import Inputs, Named, Tensors
from attar.core.parts import Parts

if TYPE_CHECKING:
    from attar.adapters.torch import TorchModel

_COPIES = 2  # of one example: what has no row for each (tokens first, position codes) gives itself away


def channel_axis(module: nn.Module, layer: str, shape: Sequence[int]) -> int:
    """Which axis of a layer's output holds the channels; the others after the first are positions.

    The axis that is as wide as the last convolution, linear or normalising layer in it, or else before it. Where
    several are, a convolution keeps its channels first and a linear layer last. Raises `UnsupportedError` where that
    does not decide.
    """
    if len(shape) == 2:
        return 1
    names = [name for name, _ in module.named_modules()]
    place = names.index(layer)
    inside = [name for name in names[place:] if name == layer or name.startswith(f"{layer}.")]
    known = [said for name in inside if (said := _channels(module.get_submodule(name)))]
    known = known or [said for name in names[:place] if (said := _channels(module.get_submodule(name)))]
    for width, axis in reversed(known):
        fitting = [k for k in range(1, len(shape)) if shape[k] == width]
        if len(fitting) == 1:
            return fitting[0]
        if fitting and {a for w, a in known if w == width} == {axis}:
            return axis % len(shape)
        if fitting:
            break
    raise UnsupportedError(
        f"layer {layer!r} puts out maps of shape {tuple(shape)}, and which axis holds the channels cannot be told: say "
        "it with attar.adapters.torch.TorchModel(module, channels=1), or channels=-1 for tokens"
    )


def _channels(layer: nn.Module) -> tuple[int, int] | None:
    """How many channels a layer of torch's own puts out, and on which axis it keeps them."""
    if isinstance(layer, nn.modules.conv._ConvNd):
        return layer.out_channels, 1
    if isinstance(layer, nn.modules.batchnorm._NormBase):
        return layer.num_features, 1
    if isinstance(layer, nn.Linear):
        return layer.out_features, -1
    if isinstance(layer, nn.Embedding):
        return layer.embedding_dim, -1
    if isinstance(layer, nn.RNNBase):
        return (layer.proj_size or layer.hidden_size) * (1 + layer.bidirectional), -1
    if isinstance(layer, nn.LayerNorm) and len(layer.normalized_shape) == 1:
        return layer.normalized_shape[0], -1
    return None


def as_parts(output: Any, inputs: Inputs, layer: str) -> Parts:
    """A layer's output under the names of the input's parts: a tuple in their order, or one tensor for the first.

    Where the input has one part, the first tensor of a tuple is the layer's output and the rest (attention weights, a
    recurrent state) is not.
    """
    arrays = list(output) if isinstance(output, tuple | list) else [output]
    names = list(inputs.parts)
    if len(names) == 1:
        arrays = [a for a in arrays if isinstance(a, Tensor)][:1] or arrays
    if isinstance(inputs, Tokens):
        arrays = [inputs.unpadded(a) if isinstance(a, Tensor) else a for a in arrays]
    if len(arrays) > len(names) or any(not isinstance(a, Tensor) for a in arrays):
        raise UnsupportedError(f"layer {layer} puts out {len(arrays)} things, the input has parts {', '.join(names)}")
    parts = dict(zip(names, arrays, strict=False))
    for name, array in parts.items():
        if len(array) != len(inputs.owners[name]):
            raise UnsupportedError(
                f"layer {layer} puts out {len(array)} rows for {len(inputs.owners[name])} {name}; "
                "only layers with the rows of the input can be attributed"
            )
    return Parts(parts)


def averaged(maps: Parts, inputs: Inputs) -> Parts:
    """Divided by how many rows and positions an example has."""
    found = {}
    for name, array in maps.items():
        owner = inputs.owners[name]
        places = torch.bincount(owner, minlength=len(inputs))[owner] * math.prod(array.shape[2:])
        found[name] = array / places.to(array.dtype).reshape(-1, *[1] * (array.ndim - 1))
    return Parts(found)


def adds_up(maps: Parts, head: nn.Linear, inputs: Inputs, outputs: Tensor) -> bool:
    """Whether the head, applied to the sum of the maps, answers what the model does."""
    if any(array.ndim < 2 or array.shape[1] != head.in_features for array in maps.values()):
        return False
    pooled = torch.zeros(len(inputs), head.in_features, dtype=outputs.dtype, device=outputs.device)
    for name, array in maps.items():
        pooled.index_add_(0, inputs.owners[name], array.flatten(2).sum(2) if array.ndim > 2 else array)
    total = head(pooled)
    if total.shape != outputs.shape:
        return False
    # Equal but for rounding: convolutions on an accelerator keep 10 bits of single precision.
    slack = max(torch.finfo(outputs.dtype).eps ** 0.5, 3e-3 if outputs.dtype == torch.float32 else 0.0)
    terms = nn.functional.linear(pooled.abs(), head.weight.abs())
    return bool((total - outputs).abs().max() <= slack * torch.maximum(terms, outputs.abs()).max())


def last_layer(model: "TorchModel", inputs: Inputs) -> str | None:
    """The last layer that keeps positions apart and of which more than one counts for the output.

    So it is the last before a pooling, and before the last attention where only a class token is read from that; it
    follows from the first of the input's parts. Of a graph network it is the last message passing written with PyTorch
    Geometric's, or else the last layer with a row for each node.
    """
    if not isinstance(inputs, Tensors | Named):
        return _last_over_nodes(model, inputs)
    some = _tried(inputs)
    with model.resting(), torch.enable_grad(), watched(model.module) as seen:
        outputs, layers = _answered(model, some)
        # Queries, keys and values are each a part of what attention reads, which is the layer before it.
        attending = [place for place, _ in seen if place]
        layers = {n: parts for n, parts in layers.items() if not any(n.startswith(f"{place}.") for place in attending)}
        layers = {n: a for n, parts in layers.items() for a in parts.values() if a.ndim > 2 and a.requires_grad}
        if not layers or not outputs.requires_grad:
            return None
        # Not their plain sum: that of probabilities is 1 whatever the input.
        asked = (outputs.flatten(1) * torch.linspace(1, 2, outputs[0].numel()).to(outputs)).sum()
        gradients = torch.autograd.grad(asked, list(layers.values()), allow_unused=True, retain_graph=True)
    for (name, array), gradient in reversed(list(zip(layers.items(), gradients, strict=True))):
        the_answer = array.shape == outputs.shape and torch.equal(array, outputs)
        if gradient is not None and not the_answer:
            of_places = model.channels_first(gradient, name)[0].flatten(1).abs().sum(0)
            if int((of_places != 0).sum()) > 1 and _follows(array, next(iter(some.parts.values()))):
                return name
    return None


def _follows(array: Tensor, part: Tensor) -> bool:
    with torch.enable_grad():
        return torch.autograd.grad(array.sum(), part, allow_unused=True, retain_graph=True)[0] is not None


def _last_over_nodes(model: "TorchModel", inputs: Inputs) -> str | None:
    some = _tried(inputs)
    passing = [n for n, m in model.module.named_modules() if hasattr(m, "propagate") and hasattr(m, "message")]
    sizes = [len(array) // _COPIES for array in some.parts.values()]
    if not passing and (sizes[0] == 1 or sizes[0] in sizes[1:]):
        return None  # a row for each node would look like a row for the graph, or for each edge
    with model.resting(), torch.no_grad():
        _, layers = _answered(model, some)
    fitting = [name for name in layers if not passing or name in passing]
    return fitting[-1] if fitting else None


def pooled_and_head(model: "TorchModel", inputs: Inputs) -> tuple[str, str, bool] | None:
    """The last layer whose maps, summed (or averaged: True), the last linear layer turns into the output.

    Tried out, not guessed: None where nothing adds up to what the model answers.
    """
    some = _tried(inputs)
    flat = isinstance(inputs, Tensors | Named)
    heads = [(name, each) for name, each in model.module.named_modules() if isinstance(each, nn.Linear)]
    with model.resting(), torch.no_grad():
        outputs, layers = _answered(model, some)
        for head_name, head in reversed(heads):
            for name, parts in reversed(layers.items()):
                maps = Parts({n: model.channels_first(array, name) for n, array in parts.items()})
                if name == head_name or (flat and any(math.prod(a.shape[2:]) == 1 for a in maps.values())):
                    continue
                for mean in (False, True):
                    if adds_up(averaged(maps, some) if mean else maps, head, some, outputs):
                        return name, head_name, mean
    return None


def _tried(inputs: Inputs) -> Inputs:
    """Copies of the example with the most rows, filled with noise: what is found depends on its shape alone."""
    owner = next(iter(inputs.owners.values()))
    largest = torch.bincount(owner, minlength=len(inputs)).argmax()
    copies = inputs.take(largest.repeat(_COPIES))
    return copies.replace(draw(copies, seed=(0,), law="normal").map(Tensor.requires_grad_))


def _answered(model: "TorchModel", inputs: Inputs) -> tuple[Tensor, dict[str, Parts]]:
    """The answer, and what every submodule put out that has the rows of the input and known channels."""
    names = [name for name, _ in model.module.named_modules() if name]
    with model.recording(names) as seen:
        outputs = model.outputs(inputs.replace(inputs.parts.map(Tensor.clone)))
    layers: dict[str, Parts] = {}
    for name, output in seen.items():
        with suppress(UnsupportedError):
            parts = as_parts(output, inputs, name)
            parts.map(lambda array, name=name: model.channels_first(array, name))
            if all(array.is_floating_point() and array.ndim > 1 for array in parts.values()):
                layers[name] = parts
    return outputs, layers
