"""`attar audit husky-or-wolf`: a classifier that snow misleads, what shows it, the mend, and what the mend changes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import torch

from attar.core.method import Method
from attar.experiments.husky_or_wolf.backbone import Backbone, head_of
from attar.experiments.husky_or_wolf.maps import said_of_lime, usual, usual_on_backbone
from attar.experiments.husky_or_wolf.networks import fitted
from attar.experiments.husky_or_wolf.pictures import CLASSES, make
from attar.experiments.husky_or_wolf.record import of, pictured, provenance
from attar.experiments.husky_or_wolf.story import Told, Views, told

Progress = Callable[[float, str], None]

_FEW, _MANY, _TEST = 240, 1440, 400  # pictures that the misled network learns from, the mended one, and that both tell
_EPOCHS = 12
_HEADS_MANY, _HEADS_TEST = 480, 240  # of the mended head on a backbone, which learns from fewer
_SIDE, _TALL = 160, (0.3, 0.45)  # of what is drawn for a backbone: smaller animals on larger pictures
_SHOWN, _EXPLAINED = 4, 6
MISLED, MENDED = "as it was trained", "mended: grounds by the toss of a coin"
Found = tuple[list[tuple[Told, torch.nn.Module]], Any, dict[str, int], str]


def audit(
    *, seed: int = 0, backbone: str | None = None, command: str = "", progress: Progress | None = None
) -> dict[str, Any]:
    """The record of the story: both models, what decides, where maps lie, and pictures. `backbone` names a frozen
    network of photos, on which heads are fitted; None: small networks are trained from nothing.

    Same seed, same record, but for times. `verdict` is of the model as it was trained. Raises `InputError` for a
    backbone that is none, `UnsupportedError` where it is not installed.
    """
    start, say = perf_counter(), progress or nobody
    with one_thread():
        both, test, counts, about = _trained(seed, say) if backbone is None else _heads(backbone, seed, say)
        pictures = pictured(test, range(_SHOWN), both, CLASSES)
    first = both[0][0]
    return {
        "kind": "husky-or-wolf",
        "verdict": first.verdict,
        "reason": first.reason,
        "about": about,
        "models": [of(each) for each, _ in both],
        "counts": counts,
        "pictures": pictures,
        "provenance": provenance(command, seed, perf_counter() - start),
    }


def nobody(share: float, what: str) -> None:
    """Nobody waits to be told."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums of several threads are added in an order that differs from machine to machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _trained(seed: int, say: Progress) -> Found:
    test, methods = make(_TEST, seed=seed + 1_000_003), usual()
    say(0.0, "a model from pictures that mislead")
    misled = fitted(make(_FEW, seed=seed), epochs=_EPOCHS, seed=seed)
    say(0.15, "what it looks at")
    first = told(MISLED, misled, test, methods)
    say(0.4, "a model from pictures that do not")
    mended = fitted(make(_MANY, seed=seed).shuffled(seed), epochs=_EPOCHS, seed=seed)
    say(0.8, "what that looks at")
    second = told(MENDED, mended, test, methods)
    counts = {"misled": _FEW, "mended": _MANY, "test": _TEST, "explained": 40}
    return (
        [(first, misled), (second, mended)],
        test,
        counts,
        _about("small networks, trained from nothing", counts, methods),
    )


def _heads(name: str, seed: int, say: Progress) -> Found:
    backbone, drawn = Backbone.named(name), {"side": _SIDE, "tall": _TALL}
    say(0.0, "drawing pictures")
    few, many = make(_FEW, seed=seed, **drawn), make(_HEADS_MANY, seed=seed, **drawn).shuffled(seed)
    test, seen, all_ = make(_HEADS_TEST, seed=seed + 1_000_003, **drawn), 0, _FEW + _HEADS_MANY + 3 * _HEADS_TEST

    def see(pixels: torch.Tensor) -> torch.Tensor:
        nonlocal seen
        found = backbone.features(pixels)
        seen += len(pixels)
        say(0.15 + 0.45 * seen / all_, f"what {name} sees of them")
        return found

    heads = [head_of(see(each.pixels), each.labels, len(CLASSES)) for each in (few, many)]
    views, methods, both = Views.of(test, see), usual_on_backbone(_SIDE), []
    for k, (named, head) in enumerate(zip((MISLED, MENDED), heads, strict=True)):
        say(0.6 + 0.2 * k, "maps")
        judge = backbone.judge(head)
        both.append((told(named, judge, test, methods, views=views, answer=head, explained=_EXPLAINED), judge))
    counts = {"misled": _FEW, "mended": _HEADS_MANY, "test": _HEADS_TEST, "explained": _EXPLAINED}
    return both, test, counts, _about(f"heads on {name}, which stays as it is", counts, methods)


def _about(models: str, counts: dict[str, int], methods: Mapping[str, Method]) -> str:
    return (
        f"Made pictures: noughts are dogs, ones are wolves. Two {models}: one learnt from {counts['misled']} pictures "
        f"(dogs on grass, wolves in snow), the mended one from {counts['mended']:,} (either on either). Both were "
        f"asked about {counts['test']} others, dogs on grass and wolves in snow; maps are of {counts['explained']} of "
        f"these. {said_of_lime(methods)}"
    )
