"""Photos without masks: nothing says where the animals are, but their outermost frame is seldom where they are."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attar.core.baseline import Blurred
from attar.core.inputs import Tensors
from attar.core.note import listed
from attar.core.target import Logit
from attar.domains.images.parts import Superpixels
from attar.experiments.husky_or_wolf.audit import MISLED, Progress
from attar.experiments.husky_or_wolf.backbone import Backbone, Judge, head_of
from attar.experiments.husky_or_wolf.folder import SIDE, Folder
from attar.experiments.husky_or_wolf.maps import inside
from attar.experiments.husky_or_wolf.record import address, in_turn, map_over
from attar.experiments.husky_or_wolf.story import Share
from attar.methods.occlusion import Occlusion
from attar.verb import attribute

_FRAME = SIDE // 8  # pixels from each edge
_GROUNDS = 3  # frames that each photo is given
_EXPLAINED, _SHOWN = 8, 4
_TAKEN = 5  # patches that decide, of about 49
_BLUR = 35.0


@dataclass(frozen=True, kw_only=True)
class Framed:
    """What is known of a model without masks. `test`: right on photos held out; `border`: how often a head that saw
    the frame alone is right; `moved`, `swapped`: right with the frame of another photo of the same class, and of
    another class, around the middle; `follows`: says with that frame what class the frame is of; `chosen` and `random`:
    says the same with five patches blurred, those that decide and any five; `chance`: the commonest class's share."""

    test: Share
    border: Share
    moved: Share
    swapped: Share
    follows: Share
    chosen: Share
    random: Share
    chance: float

    @property
    def costs(self) -> bool:
        """Whether another class's frame costs more than chance allows."""
        return self.swapped.high < self.moved.low

    @property
    def verdict(self) -> str:
        """distrust where another class's frame costs more than chance allows and more often than not decides; else
        caution: that the frame does not decide says nothing of the ground within it."""
        decides = self.costs and self.follows.low > max(0.5, self.chance)
        return "distrust" if decides else "caution"

    @property
    def reason(self) -> str:
        said = (
            f"{self.test.value:.0%} right on its test, {self.swapped.value:.0%} with the outermost frame of another "
            f"class's photo around it ({self.moved.value:.0%} of its own class's)"
        )
        alone = f"the frame alone tells the class of {self.border.value:.0%}"
        if self.verdict == "distrust":
            return f"unless your animals stand at the edges, it looks at the ground: {said}, and {alone}"
        known = (
            "the frame has a say, and without masks nobody knows what else has"
            if self.costs
            else ("without masks nobody knows what it looks at")
        )
        return (
            f"{known}: {said}, and {alone}; give --masks, a PNG for each photo, "
            "white where the animal is, and grounds are exchanged"
        )


def audit(folder: Folder, backbone: Backbone, seed: int, say: Progress) -> dict[str, Any]:
    """The record of photos without masks, but for where it comes from."""
    learnt, held_out = folder.halves(seed)
    photos, labels = folder.photos.float() / 255, folder.labels
    generator = np.random.default_rng([seed, 4])
    say(0.25, f"what {backbone.name} sees of them")
    head = head_of(backbone.features(photos[learnt]), labels[learnt], len(folder.classes))
    judge, said = backbone.judge(head), head(backbone.features(photos[held_out])).argmax(1)
    say(0.4, "their frames alone")
    alone = head_of(backbone.features(_alone(photos[learnt])), labels[learnt], len(folder.classes))
    border = alone(backbone.features(_alone(photos[held_out]))).argmax(1)
    say(0.5, "frames exchanged")
    is_, asked = labels[held_out], {True: [], False: []}
    for own in asked:
        for _ in range(_GROUNDS):
            frames = held_out[_drawn(is_, generator, own=own)]
            there = torch.where(_edge(), photos[frames], photos[held_out])
            asked[own].append((there, labels[frames], head(backbone.features(there)).argmax(1)))
    say(0.6, "patches that decide")
    some = slice(0, min(_EXPLAINED, len(held_out)))
    seen = photos[held_out][some]
    maps, chosen, random = _patches(judge, seen, said[some], generator)
    framed = Framed(
        test=Share.of(said == is_),
        border=Share.of(border == is_),
        moved=_mean([then == is_ for _, _, then in asked[True]]),
        swapped=_mean([then == is_ for _, _, then in asked[False]]),
        follows=_mean([then == of for _, of, then in asked[False]]),
        chosen=Share.of(chosen),
        random=Share.of(random),
        chance=float(is_.bincount().max() / len(is_)),
    )
    there, _, then = asked[False][0]
    names = [folder.classes[int(label)] for label in is_]
    return {
        "verdict": framed.verdict,
        "reason": framed.reason,
        "about": (
            f"{len(folder)} photos of {listed(folder.classes)}, each as {SIDE} x {SIDE} pixels. A head on "
            f"{backbone.name}, which stays as it is, learnt from {len(learnt)} of them and was asked about the other "
            f"{len(held_out)}. The frame is the outermost {_FRAME} pixels. Patches are superpixels of {len(seen)} of "
            "them."
        ),
        "models": [_of(framed, maps)],
        "counts": {"misled": len(learnt), "test": len(held_out), "explained": len(seen)},
        "pictures": [
            {
                "is": names[k],
                "name": folder.names[int(held_out[k])],
                "pixels": address(seen[k]),
                "framed": address(there[k]),
                "models": [
                    {
                        "model": MISLED,
                        "said": folder.classes[int(said[k])],
                        "said_framed": folder.classes[int(then[k])],
                        "maps": {"occlusion of patches": map_over(seen[k], maps[k])},
                    }
                ],
            }
            for k in in_turn(is_, len(seen), _SHOWN)
        ],
    }


def _of(framed: Framed, maps: Float[Tensor, "photos height width"]) -> dict[str, Any]:
    edge = _edge().expand(len(maps), -1, -1)
    return {
        "name": MISLED,
        "verdict": framed.verdict,
        "reason": framed.reason,
        "test": asdict(framed.test),
        "frame_moved": asdict(framed.moved),
        "frame_swapped": asdict(framed.swapped),
        "frame_follows": asdict(framed.follows),
        "border": asdict(framed.border),
        "chosen": asdict(framed.chosen),
        "random": asdict(framed.random),
        "frame_inside": asdict(Share.mean(inside(maps, edge))),
        "frame_area": float(edge.double().mean()),
        "chance": framed.chance,
        "inside": {},
    }


def _mean(right: Sequence[Tensor]) -> Share:
    return Share.of(torch.stack(list(right)).double().mean(0))


def _edge() -> Bool[Tensor, "1 height width"]:
    edge = torch.ones(1, SIDE, SIDE, dtype=torch.bool)
    edge[:, _FRAME:-_FRAME, _FRAME:-_FRAME] = False
    return edge


def _alone(photos: Float[Tensor, "photos 3 height width"]) -> Float[Tensor, "photos 3 height width"]:
    """The frame, around its own mean colour."""
    edge = _edge()
    mean = (photos * edge).sum((2, 3), keepdim=True) / edge.sum()
    return torch.where(edge, photos, mean)


def _drawn(labels: Int[Tensor, " photos"], generator: np.random.Generator, *, own: bool) -> Int[Tensor, " photos"]:
    """For each photo another one, of its own class or of one of the others."""
    found = []
    for k, label in enumerate(labels.tolist()):
        places = [at for at, other in enumerate(labels.tolist()) if at != k and (other == label) == own]
        found.append(places[generator.integers(len(places))])
    return torch.tensor(found)


def _patches(
    judge: Judge, seen: Tensor, said: Tensor, generator: np.random.Generator
) -> tuple[Float[Tensor, "photos height width"], Bool[Tensor, " photos"], Bool[Tensor, " photos"]]:
    """What each patch counts, on its pixels; whether the same is said with those that count most blurred; with any."""
    cut, blur = Superpixels(), Blurred(sigma=_BLUR)
    maps, same = [], {"chosen": [], "random": []}
    for k in range(len(seen)):
        one = Tensors(seen[k : k + 1])
        patches = torch.from_numpy(cut.patches(seen[k].numpy()))
        method = Occlusion(by=cut, baseline=blur, on_rows=True)
        found = attribute(judge, one, method, Logit(said[k : k + 1])).parts["input"][0, 0]
        count = int(patches.max()) + 1
        worth = torch.stack([found[patches == number].mean() for number in range(count)])
        away = blur(one)["input"]
        few: dict[str, Sequence[int]] = {
            "chosen": worth.argsort(descending=True)[:_TAKEN].tolist(),
            "random": generator.permutation(count)[:_TAKEN].tolist(),
        }
        for name, numbers in few.items():
            gone = torch.isin(patches, torch.tensor(numbers))
            with torch.no_grad():
                then = judge(torch.where(gone, away, one.values)).argmax(1)
            same[name].append(bool(then == said[k]))
        maps.append(found)
    return torch.stack(maps), torch.tensor(same["chosen"]), torch.tensor(same["random"])
