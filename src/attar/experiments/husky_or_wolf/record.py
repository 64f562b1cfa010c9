"""What a page needs to know of the story: numbers with their intervals, and pictures as data addresses."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn

from attar.core.heat import over, shared_scale
from attar.core.svg import png
from attar.experiments.husky_or_wolf.story import Shown, Told


def of(each: Told) -> dict[str, Any]:
    """One model's numbers."""
    return {
        "name": each.name,
        "verdict": each.verdict,
        "reason": each.reason,
        "test": asdict(each.test),
        "swapped": asdict(each.swapped),
        **({} if each.moved is None else {"moved": asdict(each.moved)}),
        "grounded": asdict(each.grounded),
        "follows": asdict(each.follows),
        "area": each.area,
        "chance": each.chance,
        "inside": {name: asdict(share) for name, share in each.inside.items()},
    }


def pictured(
    pictures: Shown,
    which: Sequence[int],
    models: Sequence[tuple[Told, nn.Module]],
    classes: Sequence[str],
    names: Sequence[str] | None = None,
) -> list[dict[str, Any]]:
    """Some of the explained pictures: each as it is, with its ground exchanged and its animal erased, and what each
    model says of these and why."""
    (swapped, *_), seen, erased = pictures.exchanged(), pictures.pixels, pictures.erased
    there, found = swapped.pixels, []
    for k in which:
        place, rows = slice(k, k + 1), []
        for told, model in models:
            with torch.no_grad():
                said, then, gone = (classes[int(model(pixels[place]).argmax(1))] for pixels in (seen, there, erased))
            drawn = {name: map_over(seen[k], values[k]) for name, values in told.maps.items()}
            rows.append({"model": told.name, "said": said, "said_swapped": then, "said_erased": gone, "maps": drawn})
        found.append(
            {
                "is": classes[int(pictures.labels[k])],
                "name": None if names is None else names[k],
                "pixels": address(seen[k]),
                "swapped": address(there[k]),
                "erased": address(erased[k]),
                "models": rows,
            }
        )
    return found


def in_turn(labels: Int[Tensor, " pictures"], explained: int, shown: int) -> list[int]:
    """Of the first that many a few, the classes in turn."""
    first = labels[:explained].tolist()
    return sorted(range(len(first)), key=lambda k: (first[:k].count(first[k]), first[k]))[:shown]


def address(pixels: Tensor) -> str:
    """A picture, of numbers from 0 to 1, as an address of PNG."""
    return png(np.rint(255 * pixels.clamp(0, 1).numpy()).astype(np.uint8).transpose(1, 2, 0))


def map_over(pixels: Tensor, values: Tensor) -> str:
    """A map over its picture in grey, on its own scale."""
    numbers = values.double().numpy()
    return png(over(pixels.mean(0).double().numpy(), numbers, shared_scale([numbers.ravel().tolist()])))


def provenance(command: str, seed: int, seconds: float) -> Mapping[str, Any]:
    from attar import __version__

    return {"attar": __version__, "command": command, "seed": seed, "seconds": seconds}
