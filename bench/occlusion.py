"""Occlusion: CPU time against Captum's FeatureAblation and Occlusion at equal values.

python bench/occlusion.py        about a minute

Milliseconds of one thread, the least of interleaved runs. Captum at its default (one perturbation in a call) and at
the best of several settings; ours as it comes, the verb's checks included. Digits are raced twice: as they are, where
whatever is zero already is not asked about, and with 0.01 added, where everything is.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from captum.attr import FeatureAblation
from captum.attr import Occlusion as CaptumOcclusion
from torch import Tensor, nn

from attar import attribute
from attar.core.windows import Windows
from attar.methods.occlusion import Occlusion
from networks import trained

TUNED = (8, 16, 32, 64, 100, 225)


@dataclass(frozen=True)
class Race:
    name: str
    network: nn.Module
    x: Tensor
    windows: bool
    against_default: float | None
    against_tuned: float | None
    runs: int

    @property
    def method(self) -> Occlusion:
        return Occlusion(by=Windows(shape=(4, 4), stride=(2, 2)), on_rows=True) if self.windows else Occlusion()

    def ours(self) -> Tensor:
        return attribute(self.network, self.x, self.method).parts["input"]

    def captum(self, at_once: int) -> Tensor:
        target = self.network(self.x).argmax(1)
        if self.windows:
            peer, sizes = CaptumOcclusion(self.network), {"sliding_window_shapes": (1, 4, 4), "strides": (1, 2, 2)}
        else:
            peer, sizes = FeatureAblation(self.network), {}
        return peer.attribute(self.x, target=target, perturbations_per_eval=at_once, **sizes)

    def bare(self) -> Callable[[], object]:
        """The forward pass alone, over as many copies as ours asks about: without it nothing can be known."""
        found = attribute(self.network, self.x, self.method)
        copies = self.x.repeat_interleave(found.evaluations - 1, 0)
        pieces = copies.split(max(1, 2**17 // self.x[0].numel()))

        def forward() -> None:
            with torch.no_grad():
                for piece in pieces:
                    self.network(piece)

        return forward


def least(calls: Sequence[Callable[[], object]], runs: int) -> list[float]:
    """Milliseconds of CPU time, the least of interleaved runs after one that is not counted."""
    best = [float("inf")] * len(calls)
    for run in range(runs + 1):
        for k, call in enumerate(calls):
            start = time.process_time()
            call()
            if run:
                best[k] = min(best[k], 1e3 * (time.process_time() - start))
    return best


def races() -> list[Race]:
    mlp, digits, _ = trained("mlp_relu")
    cnn, pictures, _ = trained("cnn_relu")
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        wide = nn.Sequential(nn.Linear(1000, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
    columns = torch.randn(4, 1000, generator=generator)
    return [
        Race("MLP, 64 entries, batch 1, digits", mlp, digits[:1], False, 10, 2.5, 60),
        Race("MLP, 64 entries, batch 1, no zeros", mlp, digits[:1] + 0.01, False, 10, 2.5, 60),
        Race("MLP, 64 entries, batch 32, digits", mlp, digits[:32], False, 10, 2.5, 40),
        Race("MLP, 64 entries, batch 32, no zeros", mlp, digits[:32] + 0.01, False, 10, 2.5, 40),
        Race("MLP, 1000 columns, batch 4, no zeros", wide.eval(), columns, False, 10, 2.5, 5),
        Race("CNN, 225 windows, batch 1, digits", cnn, pictures[:1], True, 1.75, 1.1, 8),
        Race("CNN, 225 windows, batch 1, no zeros", cnn, pictures[:1] + 0.01, True, 1.75, 1.1, 8),
        Race("CNN, 225 windows, batch 8, digits", cnn, pictures[:8], True, 1.75, 1.1, 4),
        Race("CNN, 225 windows, batch 8, no zeros", cnn, pictures[:8] + 0.01, True, 1.75, 1.1, 4),
    ]


def said(ratio: float, target: float | None) -> str:
    return (
        f"{ratio:5.1f}x ({'no target' if target is None else f'{target:g}x ' + ('met' if ratio >= target else 'lost')})"
    )


def main() -> None:
    torch.set_num_threads(1)
    print(
        f"{'':<38}{'ours':>8}{'bare':>8}{'default':>9}{'tuned':>8}{'at':>5}   "
        f"{'against default':<18}{'against tuned':<18}off by"
    )
    for race in races():
        calls = [race.ours, race.bare(), *(partial(race.captum, at_once) for at_once in (1, *TUNED))]
        ours, bare, default, *tuned = least(calls, race.runs)
        best, at_once = min(zip(tuned, TUNED, strict=True))
        off = float((race.ours() - race.captum(at_once)).abs().max() / race.captum(at_once).abs().max())
        print(
            f"{race.name:<38}{ours:>8.2f}{bare:>8.2f}{default:>9.2f}{best:>8.2f}{at_once:>5}   "
            f"{said(default / ours, race.against_default):<18}{said(best / ours, race.against_tuned):<18}{off:.0e}"
        )
    print("bare: the forward pass of the copies alone. Ours asks twice more (the prediction; whether examples see each")
    print("other), checks for NaN and says how the answer was made: on 64 entries that is most of the time.")


if __name__ == "__main__":
    main()
