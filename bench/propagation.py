"""DeepLIFT against Captum's: does it add up, whatever the network is made of, and what it costs where both are right.

python bench/propagation.py

Completeness: |sum of the values - (output - output of the baseline)| / |output - output of the baseline|, the median
over 32 examples of a network with random weights, in single precision. CPU: milliseconds of one process with one torch
thread, the least of interleaved runs. Captum's DeepLift and LRP have no settings that bear on either.
"""

import time
import warnings
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
import torch.nn.functional as F
from captum.attr import LRP as CaptumLRP
from captum.attr import DeepLift as CaptumDeepLift
from captum.attr import GuidedBackprop as CaptumGuidedBackprop
from torch import Tensor, nn

from attar import Logit, attribute
from attar.core.baseline import Constant
from attar.methods.deep_lift import DeepLift
from attar.methods.guided_backprop import GuidedBackprop
from attar.methods.lrp import LRP, Epsilon
from networks import trained

WRONG = 1e-3


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(16, 32), nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.relu(self.first(x)))


class Reused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(16, 32), nn.Linear(32, 32), nn.Linear(32, 3)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.relu(self.second(self.relu(self.first(x)))))


class Gated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.value, self.gate, self.last = nn.Linear(16, 32), nn.Linear(16, 32), nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.value(x) * torch.sigmoid(self.gate(x)))


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.0, activation="gelu", batch_first=True)
        self.last = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.layer(x).mean(1))


def dense(*bends: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(16, 32), *bends, nn.Linear(32, 3))


def convolved(*bends: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 8, 3, padding=1), *bends, nn.Flatten(), nn.Linear(8 * 16, 3))


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "nn.ReLU": (lambda: dense(nn.ReLU()), (16,)),
    "nn.Tanh, nn.Sigmoid": (lambda: dense(nn.Tanh(), nn.Linear(32, 32), nn.Sigmoid()), (16,)),
    "Conv > ReLU > MaxPool": (lambda: convolved(nn.ReLU(), nn.MaxPool2d(2)), (2, 8, 8)),
    "Conv > MaxPool > ReLU": (lambda: convolved(nn.MaxPool2d(2), nn.ReLU()), (2, 8, 8)),
    "F.relu": (Functional, (16,)),
    "one ReLU used twice": (Reused, (16,)),
    "SiLU": (lambda: dense(nn.SiLU()), (16,)),
    "GELU": (lambda: dense(nn.GELU()), (16,)),
    "LayerNorm, ReLU": (lambda: dense(nn.LayerNorm(32), nn.ReLU()), (16,)),
    "BatchNorm, ReLU": (lambda: dense(nn.BatchNorm1d(32), nn.ReLU()), (16,)),
    "softmax at the end": (lambda: nn.Sequential(dense(nn.ReLU()), nn.Softmax(1)), (16,)),
    "product with a gate": (Gated, (16,)),
    "LSTM": (lambda: nn.Sequential(nn.LSTM(16, 8, batch_first=True), Last(), nn.Linear(8, 3)), (5, 16)),
    "TransformerEncoderLayer": (Encoder, (5, 16)),
}


class Last(nn.Module):
    def forward(self, output: tuple[Tensor, Any]) -> Tensor:
        return output[0][:, -1]


def missed(values: Tensor, change: Tensor) -> float:
    return float(((values.flatten(1).sum(1) - change).abs() / change.abs()).median())


def completeness() -> None:
    print("does it add up? (median relative miss; baseline: another example)")
    print(f"{'':<26} {'attar':>9} {'Captum':>9}   {'difference of values, where both add up':<40}")
    for name, (build, shape) in NETWORKS.items():
        torch.manual_seed(0)
        network = build().eval()
        x, start = torch.randn(32, *shape), torch.randn(shape)
        with torch.no_grad():
            change = (network(x) - network(start[None]))[:, 1]
        ours = attribute(network, x, DeepLift(baseline=Constant({"input": start})), Logit(1)).values
        try:
            theirs = CaptumDeepLift(network).attribute(x, start[None].expand_as(x), target=1)
        except (RuntimeError, AssertionError) as problem:
            said = str(problem).splitlines()[0][:60]
            print(f"{name:<26} {missed(ours, change):>9.1e} {'raises':>9}   {said}")
            continue
        off = missed(theirs, change)
        apart = float((ours - theirs).abs().sum() / ours.abs().sum())
        verdict = "Captum's values are wrong, unsaid" if off > WRONG else f"{apart:.1e}"
        print(f"{name:<26} {missed(ours, change):>9.1e} {off:>9.1e}   {verdict}")


def cpu(runs: dict[str, Callable[[], Tensor]], times: int) -> dict[str, float]:
    """Milliseconds of CPU, the least of interleaved runs."""
    least = dict.fromkeys(runs, float("inf"))
    for _ in range(times):
        for name, run in runs.items():
            before = time.process_time()
            run()
            least[name] = min(least[name], (time.process_time() - before) * 1000)
    return least


def cost() -> None:
    print()
    print("what does it cost? (CPU ms of a whole call; no ratio was promised, below 1 Captum is faster)")
    print(f"{'':<44} {'attar':>8} {'Captum':>8} {'ratio':>6}   {'values apart':<13} Captum's miss")
    epsilon = Epsilon(epsilon=1e-9)
    methods: dict[str, tuple[Any, Any]] = {
        "DeepLIFT": (DeepLift(), CaptumDeepLift),
        "LRP-epsilon": (LRP(dense=epsilon, convolution=epsilon), CaptumLRP),
        "guided backpropagation": (GuidedBackprop(), CaptumGuidedBackprop),
    }
    for kind, count, times in (("mlp_relu", 1, 60), ("mlp_relu", 256, 30), ("cnn_relu", 1, 20), ("cnn_relu", 32, 5)):
        for name, (method, peer) in methods.items():
            race(f"{kind}, batch {count}, {name}", kind, count, times, method, peer)


def race(label: str, kind: str, count: int, times: int, method: Any, peer: Any) -> None:
    network, digits, _ = trained(kind)
    x = digits[:count]
    with torch.no_grad():
        classes = network(x).argmax(1)
        change = (network(x) - network(torch.zeros_like(x))).gather(1, classes[:, None])[:, 0]
    own = deepcopy(network)  # Captum leaves rules and hooks on it when it raises
    runs = {
        "attar": lambda: attribute(network, x, method, Logit(classes)).values,
        "Captum": lambda: peer(own).attribute(x, target=classes).detach(),
    }
    try:
        ours, theirs = runs["attar"](), runs["Captum"]()
    except TypeError as problem:
        del runs["Captum"]
        print(f"{label:<44} {cpu(runs, times)['attar']:>8.2f} {'raises':>8}   {str(problem)[:58]}")
        return
    apart = float((ours - theirs).abs().sum() / ours.abs().sum())
    ms = cpu(runs, times)
    ratio = ms["Captum"] / ms["attar"]
    miss = f"{missed(theirs, change):.0e}" if peer is CaptumDeepLift else ""
    print(f"{label:<44} {ms['attar']:>8.2f} {ms['Captum']:>8.2f} {ratio:>6.2f}   {apart:<13.1e} {miss}")


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    completeness()
    cost()


if __name__ == "__main__":
    main()
