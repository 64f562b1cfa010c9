"""`attar audit husky-or-wolf --images DIR --labels CSV`: what a classifier of somebody's own photos looks at."""

from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from attar.core.note import listed
from attar.experiments.husky_or_wolf import frames
from attar.experiments.husky_or_wolf.audit import MENDED, MISLED, Progress, nobody, one_thread
from attar.experiments.husky_or_wolf.backbone import Backbone, head_of
from attar.experiments.husky_or_wolf.folder import SIDE, Folder, read_folder
from attar.experiments.husky_or_wolf.maps import said_of_lime, usual_on_backbone
from attar.experiments.husky_or_wolf.photos import Photos
from attar.experiments.husky_or_wolf.record import in_turn, of, pictured, provenance
from attar.experiments.husky_or_wolf.story import Views, told

_EXPLAINED, _SHOWN = 8, 4
_READ, _SEEN = 0.25, 0.5  # shares of the time


def photo_audit(
    images: str | Path,
    labels: str | Path,
    masks: str | Path | None = None,
    *,
    backbone: str | Backbone = "efficientnet-lite0",
    seed: int = 0,
    command: str = "",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The record for a folder of photos: a head on a frozen backbone, fitted to half of the photos and asked about the
    other half. With masks grounds are exchanged and animals erased, and a second head learns from animals on grounds at
    random; without, all that can be asked is whether the photos' outermost frame decides, and the verdict is caution at
    best. Raises as `read_folder` and `Backbone.named` do."""
    start, say = perf_counter(), progress or nobody
    eyes = Backbone.named(backbone) if isinstance(backbone, str) else backbone
    with one_thread():
        folder = read_folder(images, labels, masks, told=lambda share: say(_READ * share, "reading photos"))
        story = frames.audit if folder.animal is None else _with_masks
        found = story(folder, eyes, seed, say)
    return {"kind": "husky-or-wolf", **found, "provenance": provenance(command, seed, perf_counter() - start)}


def _with_masks(folder: Folder, backbone: Backbone, seed: int, say: Progress) -> dict[str, Any]:
    learnt, held_out = (Photos.of(folder, which, seed) for which in folder.halves(seed))
    seen, all_ = 0, 4 * len(learnt) + 8 * len(held_out)

    def see(pixels: torch.Tensor) -> torch.Tensor:
        nonlocal seen
        features = backbone.features(pixels)
        seen += len(pixels)
        say(_READ + _SEEN * min(1.0, seen / all_), f"what {backbone.name} sees of them")
        return features

    many = learnt.shuffled()
    heads = [
        head_of(see(learnt.pixels), learnt.labels, len(folder.classes)),
        head_of(
            torch.cat([see(each.pixels) for each in many]),
            torch.cat([each.labels for each in many]),
            len(folder.classes),
        ),
    ]
    views, methods, both = Views.of(held_out, see), usual_on_backbone(SIDE), []
    for k, (name, head) in enumerate(zip((MISLED, MENDED), heads, strict=True)):
        say(_READ + _SEEN + 0.12 * k, "maps")
        judge = backbone.judge(head)
        both.append((told(name, judge, held_out, methods, views=views, answer=head, explained=_EXPLAINED), judge))
    explained = min(_EXPLAINED, len(held_out))
    names = [folder.names[k] for k in held_out.which.tolist()]
    first = both[0][0]
    return {
        "verdict": first.verdict,
        "reason": first.reason,
        "about": (
            f"{len(folder)} photos of {listed(folder.classes)}, each as {SIDE} x {SIDE} pixels. Two heads on "
            f"{backbone.name}, which stays as it is: one learnt from {len(learnt)} photos, the mended one from their "
            f"animals, cut out by the masks and put on {len(many)} grounds each, of classes by the toss of a coin. "
            f"Both were asked about the other {len(held_out)}. Grounds are these photos with their animals painted "
            f"over, each pixel like its mirror image beyond the animal's edge. Maps are of {explained} of the held-out "
            f"photos. {said_of_lime(methods)}"
        ),
        "models": [of(each) for each, _ in both],
        "counts": {
            "misled": len(learnt),
            "mended": len(many) * len(learnt),
            "test": len(held_out),
            "explained": explained,
        },
        "pictures": pictured(held_out, in_turn(held_out.labels, explained, _SHOWN), both, folder.classes, names),
    }
