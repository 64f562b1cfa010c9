"""SpliceAI's published weights: Keras files, read as data, each held against the network that is built here."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from attar.core.errors import UnsupportedError
from attar.pretrained.files import package_file
from attar.pretrained.spliceai_network import BLOCKS, EPSILON, GROUPS, OUTPUTS, REACH, SpliceNetwork

PACKAGE = "spliceai"
NETWORKS = 5
_FILE = "spliceai/models/spliceai{}.h5"
_ONE = 1  # a convolution of single places


def network(number: int) -> SpliceNetwork:
    """Network `number` of 1 to 5, in eval mode. Raises `UnsupportedError` without h5py, without the package, and for a
    file that describes another network."""
    try:
        import h5py
    except ImportError as problem:
        raise UnsupportedError("the weights of spliceai are HDF5 files: pip install 'attar[sequences]'") from problem
    path = package_file(PACKAGE, _FILE.format(number))
    with h5py.File(path, "r") as file:
        there = layers(json.loads(str(file.attrs["model_config"])))
        wrong = [name for name, layer in expected() if there.get(name) != layer]
        if wrong or len(there) != len(list(expected())):
            first = (wrong or ["count"])[0]
            raise UnsupportedError(f"{path.name} holds another network than SpliceAI-10k: see layer {first}")
        found = SpliceNetwork()
        found.load_state_dict(dict(_arrays(file["model_weights"])), strict=False)
    return found.eval().requires_grad_(False)


def layers(config: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Each layer of a Keras description: its kind, where its input comes from, and what bears on its numbers."""
    found = {}
    for layer in config["config"]["layers"]:
        told, kind = layer["config"], layer["class_name"]
        says = {
            "Conv1D": ("filters", "kernel_size", "dilation_rate", "strides", "activation", "use_bias"),
            "BatchNormalization": ("epsilon", "axis", "center", "scale"),
            "Activation": ("activation",),
            "Cropping1D": ("cropping",),
        }.get(kind, ())
        values = tuple(tuple(told[key]) if isinstance(told[key], list) else told[key] for key in says)
        if kind == "Conv1D" and told["kernel_size"] != [_ONE]:
            values += (told["padding"],)
        inputs = tuple(sorted(each[0] for each in (layer["inbound_nodes"] or [[]])[0]))
        found[layer["name"]] = (kind, inputs, *values)
    return found


def expected() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """What `layers` says of SpliceAI-10k."""

    def filters(name: int, came: str, kernel: int = 1, dilation: int = 1, out: int = 32, how: str = "linear") -> Any:
        padded = () if kernel == _ONE else ("same",)
        layer = ("Conv1D", (came,), out, (kernel,), (dilation,), (1,), how, True, *padded)
        return f"conv1d_{name}", layer

    yield "input_1", ("InputLayer", ())
    yield filters(1, "input_1")
    yield filters(2, "conv1d_1")
    stream, total, norm, conv, add = "conv1d_1", "conv1d_2", 0, 2, 0
    for kernel, dilation in GROUPS:
        for _ in range(BLOCKS):
            came = stream
            for _ in range(2):
                norm, conv = norm + 1, conv + 1
                yield f"batch_normalization_{norm}", ("BatchNormalization", (came,), EPSILON, -1, True, True)
                yield f"activation_{norm}", ("Activation", (f"batch_normalization_{norm}",), "relu")
                yield filters(conv, f"activation_{norm}", kernel, dilation)
                came = f"conv1d_{conv}"
            add += 1
            yield f"add_{add}", ("Add", tuple(sorted((came, stream))))
            stream = f"add_{add}"
        add, conv = add + 1, conv + 1
        yield filters(conv, stream)
        yield f"add_{add}", ("Add", tuple(sorted((total, f"conv1d_{conv}"))))
        total = f"add_{add}"
    yield "cropping1d_1", ("Cropping1D", (total,), (REACH, REACH))
    yield filters(conv + 1, "cropping1d_1", out=len(OUTPUTS), how="softmax")


def _arrays(file: Any) -> Iterator[tuple[str, Tensor]]:
    """The arrays under the names that they have here."""

    def array(layer: str, name: str) -> np.ndarray:
        return np.asarray(file[layer][layer][f"{name}:0"])

    def filters(there: int, here: str) -> Iterator[tuple[str, Tensor]]:
        kernel = array(f"conv1d_{there}", "kernel").transpose(2, 1, 0)  # (places, in, out) there
        yield f"{here}.weight", torch.from_numpy(kernel.copy())
        yield f"{here}.bias", torch.from_numpy(array(f"conv1d_{there}", "bias").copy())

    yield from filters(1, "stem")
    yield from filters(2, "skips.0")
    conv, norm = 2, 0
    names = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
    for group in range(len(GROUPS)):
        for block in range(group * BLOCKS, (group + 1) * BLOCKS):
            for half in range(2):
                conv, norm = conv + 1, norm + 1
                yield from filters(conv, f"blocks.{block}.filters.{half}")
                for here, there in names.items():
                    values = array(f"batch_normalization_{norm}", there)
                    yield f"blocks.{block}.norms.{half}.{here}", torch.from_numpy(values.copy())
        conv += 1
        yield from filters(conv, f"skips.{group + 1}")
    yield from filters(conv + 1, "head")
