"""`attar audit husky-or-wolf`: a classifier that snow misleads, what shows it, the mend, and what the mend changes."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from attar.core.heat import over, shared_scale
from attar.core.method import Method
from attar.core.svg import png
from attar.experiments.husky_or_wolf.networks import fitted
from attar.experiments.husky_or_wolf.pictures import CLASSES, Pictures, make
from attar.experiments.husky_or_wolf.story import Told, attribution_map, told, usual

_FEW, _MANY, _TEST = (
    240,
    1440,
    400,
)  # pictures that the first model learns from, the mended one, and that both are asked
_EPOCHS = 12
_SHOWN = 4
MISLED, MENDED = "as it was trained", "mended: grounds by the toss of a coin"


def audit(*, seed: int = 0, command: str = "", progress: Callable[[float, str], None] | None = None) -> dict[str, Any]:
    """The record of the story: both models, what decides, where maps lie, and pictures. Same seed, same record, but for
    times. `verdict` is of the model as it was trained."""
    start, say = perf_counter(), progress or _nobody
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        test, methods = make(_TEST, seed=seed + 1_000_003), usual()
        say(0.0, "a model from pictures that mislead")
        misled = fitted(make(_FEW, seed=seed), epochs=_EPOCHS, seed=seed)
        say(0.15, "what it looks at")
        first = told(MISLED, misled, test, methods)
        say(0.4, "a model from pictures that do not")
        mended = fitted(make(_MANY, seed=seed).shuffled(seed), epochs=_EPOCHS, seed=seed)
        say(0.8, "what that looks at")
        second = told(MENDED, mended, test, methods)
        pictures = [_pictured(k, test, {MISLED: misled, MENDED: mended}, methods) for k in range(_SHOWN)]
    finally:
        torch.set_num_threads(threads)
    from attar import __version__

    return {
        "kind": "husky-or-wolf",
        "verdict": first.verdict,
        "reason": first.reason,
        "models": [_of(each) for each in (first, second)],
        "counts": {"misled": _FEW, "mended": _MANY, "test": _TEST},
        "pictures": pictures,
        "provenance": {"attar": __version__, "command": command, "seed": seed, "seconds": perf_counter() - start},
    }


def _nobody(share: float, what: str) -> None:
    """Nobody waits to be told."""


def _of(each: Told) -> dict[str, Any]:
    return {
        "name": each.name,
        "verdict": each.verdict,
        "reason": each.reason,
        "test": asdict(each.test),
        "swapped": asdict(each.swapped),
        "follows": asdict(each.follows),
        "area": each.area,
        "inside": {name: asdict(share) for name, share in each.inside.items()},
    }


def _pictured(
    which: int, test: Pictures, models: Mapping[str, nn.Module], methods: Mapping[str, Method]
) -> dict[str, Any]:
    """One picture: as it is, with its ground exchanged, and what each model says and why, as data addresses of PNG."""
    place = slice(which, which + 1)
    seen, swapped = test.pixels[place], test.swapped().pixels[place]
    rows = []
    for name, model in models.items():
        with torch.no_grad():
            said, said_then = (int(model(pixels).argmax(1)) for pixels in (seen, swapped))
        maps = {}
        for named, method in methods.items():
            values = attribution_map(model, seen, method, torch.tensor([said]))[0].double().numpy()
            grey = seen[0].mean(0).double().numpy()
            maps[named] = png(over(grey, values, shared_scale([values.ravel().tolist()])))
        rows.append({"model": name, "said": CLASSES[said], "said_swapped": CLASSES[said_then], "maps": maps})
    return {
        "is": CLASSES[int(test.labels[which])],
        "pixels": _png(seen[0]),
        "swapped": _png(swapped[0]),
        "models": rows,
    }


def _png(pixels: Tensor) -> str:
    return png(np.rint(255 * pixels.clamp(0, 1).numpy()).astype(np.uint8).transpose(1, 2, 0))
