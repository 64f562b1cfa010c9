"""Measures of attributions at equal values: ours, and Quantus 0.6.

python bench/quantus_metrics.py

Digits of 8 x 8 pixels, gradient times input (the gradient itself for infidelity in Quantus, which multiplies it by what
was taken away), 64 examples, 128 for randomisation; a network of two convolutions and one of two hidden layers. CPU
seconds of one thread, the least of seven interleaved runs. Ours without random attributions and intervals, for Quantus
has neither: what these cost on top stands in the last column. Where Quantus draws, it is handed our draws, so that
values can be compared; settings are those that make it measure what its papers define (`abs=False`, `normalise=False`),
and what its own defaults say stands below the table. Its infidelity takes one block away after another without putting
any back, ten times over with the same result: both do so here, ours once.
"""

import contextlib
import io
import logging
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from unittest import mock

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

import attar
from attar.core.draws import draws
from attar.core.inputs import Tensors
from attar.estimation.noisy_linear import NoisyLinear
from attar.evaluation.faithfulness import ROAD, Deletion
from attar.evaluation.randomisation import FIRST, cascading_randomisation
from attar.evaluation.score import Score
from attar.evaluation.stability import MaxSensitivity
from attar.evaluation.subsets import FaithfulnessCorrelation, Infidelity, RandomSets
from attar.methods.grad_input import GradInput

with contextlib.redirect_stdout(io.StringIO()):
    import quantus

RUNS = 7
COUNT, MORE = 64, 128
SIDE = 8
SEED = 42  # Quantus redraws a layer from the number after this one
BLOCK = 2  # pixels along a side, of what infidelity takes away
PATCHED = "quantus.metrics.faithfulness.faithfulness_correlation.np.random.choice"


@dataclass(frozen=True, eq=False)
class Network:
    name: str
    module: nn.Module
    x: Tensor
    y: Tensor

    @cached_property
    def found(self) -> attar.Attribution:
        """Made before any clock runs, for both."""
        return attar.attribute(self.module, self.x, GradInput(), self.target)

    @cached_property
    def untied(self) -> np.ndarray:
        """Without ties: which of them goes first is left to chance here, and to NumPy's sort in Quantus."""
        values = self.found.values.numpy()
        return values + 1e-9 * np.random.default_rng(0).standard_normal(values.shape).astype(np.float32)

    @cached_property
    def slopes(self) -> np.ndarray:
        return self.gradient(self.x.numpy(), self.y.numpy(), times_input=False)

    def gradient(self, x: np.ndarray, y: np.ndarray, *, times_input: bool = True) -> np.ndarray:
        leaf = torch.tensor(x, dtype=torch.float32).requires_grad_()
        asked = self.module(leaf).gather(1, torch.as_tensor(y)[:, None]).sum()
        (found,) = torch.autograd.grad(asked, leaf)
        return (found * leaf if times_input else found).detach().numpy()

    def explain(self, model: nn.Module, inputs: np.ndarray, targets: np.ndarray, **_: object) -> np.ndarray:
        return replace(self, module=model).gradient(inputs, targets)

    @property
    def target(self) -> attar.Logit:
        return attar.Logit(self.y)

    def first(self, count: int) -> "Network":
        return replace(self, x=self.x[:count], y=self.y[:count])


def cnn() -> Network:
    def build() -> nn.Module:
        first = [nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        return nn.Sequential(*first, nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10))

    return trained("CNN", build)


def mlp() -> Network:
    return trained(
        "MLP",
        lambda: nn.Sequential(
            nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 10)
        ),
    )


def trained(name: str, build: Callable[[], nn.Module]) -> Network:
    rows, labels = load_digits(return_X_y=True)
    x, y = torch.tensor(rows).float().reshape(-1, 1, SIDE, SIDE) / 16, torch.tensor(labels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = build()
        optimizer = torch.optim.Adam(module.parameters(), lr=2e-3)
        for _ in range(8):
            for batch in torch.randperm(1500).split(64):
                optimizer.zero_grad()
                nn.functional.cross_entropy(module(x[batch]), y[batch]).backward()
                optimizer.step()
    return Network(name, module.eval(), x[1500:], y[1500:])


@dataclass(frozen=True)
class Race:
    """Both give the values that are compared; `with_chance` is ours as it comes, chance and words included."""

    name: str
    targets: dict[str, float]
    ours: Callable[[Network], np.ndarray]
    theirs: Callable[[Network], np.ndarray]
    with_chance: Callable[[Network], object]
    count: int = COUNT
    handed: Callable[[Network], contextlib.AbstractContextManager[object]] = lambda _: contextlib.nullcontext()


def asked(metric: object, net: Network, **options: object) -> object:
    attributions = options.pop("attributions", net.found.values.numpy())
    return metric(
        model=net.module,
        x_batch=net.x.numpy(),
        y_batch=net.y.numpy(),
        a_batch=attributions,
        device="cpu",
        batch_size=len(net.x),
        **options,
    )


PLAIN = {"abs": False, "normalise": False, "disable_warnings": True, "display_progressbar": False}


Ours = Callable[[Network], list[Score]]


def values(ours: Ours) -> Callable[[Network], np.ndarray]:
    return lambda net: np.concatenate([score.values for score in ours(net)])


def words(ours: Ours) -> Callable[[Network], object]:
    return lambda net: [str(score) for score in ours(net)]


def flipping(net: Network) -> np.ndarray:
    return Deletion(steps=SIDE * SIDE, draws=0).curves(net.module, net.x, net.found, net.target).own[:, 1:]


def flipped(net: Network) -> list[Score]:
    return [Deletion(steps=SIDE * SIDE)(net.module, net.x, net.found, net.target)]


def their_flipping(net: Network) -> np.ndarray:
    return np.array(
        asked(quantus.PixelFlipping(features_in_step=1, perturb_baseline="black", **PLAIN), net, softmax=False)
    )


SETS = RandomSets(share=0.25, count=100)


def correlation(draws_: int) -> Ours:
    measure = FaithfulnessCorrelation(sets=SETS, draws=draws_)
    return lambda net: [measure(net.module, net.x, net.found, net.target)]


def their_correlation(net: Network) -> np.ndarray:
    metric = quantus.FaithfulnessCorrelation(
        nr_runs=100, subset_size=16, perturb_baseline="black", return_aggregate=False, **PLAIN
    )
    return np.array(asked(metric, net))


def our_sets(net: Network) -> contextlib.AbstractContextManager[object]:
    """Quantus asks for a subset for each run and example, one after another."""
    sets = [each.nonzero()[:, 0].numpy() for each in SETS(SIDE * SIDE)]
    handed = iter([each for each in sets for _ in range(len(net.x))])
    return mock.patch(PATCHED, side_effect=lambda *_, **__: next(handed))


RADIUS, SAMPLES = 0.2, 50


def sensitivity(draws_: int) -> Ours:
    measure = MaxSensitivity(radius=RADIUS, samples=SAMPLES, draws=draws_)
    return lambda net: [measure(net.module, net.x, GradInput(), net.target)]


def their_sensitivity(net: Network, perturb: Callable[..., np.ndarray] | None = None) -> np.ndarray:
    told = {} if perturb is None else {"perturb_func": perturb}
    metric = quantus.MaxSensitivity(nr_samples=SAMPLES, lower_bound=RADIUS, **PLAIN, **told)
    return np.array(asked(metric, net, explain_func=net.explain))


def same_sensitivity(net: Network) -> np.ndarray:
    """Theirs on our copies."""
    steps = draws(Tensors(net.x), seeds=[(0, k) for k in range(SAMPLES)], law="uniform")["input"]
    handed = iter((2 * steps - 1) * RADIUS)
    return their_sensitivity(net, lambda arr, **_: arr + next(handed).reshape(arr.shape).numpy())


def randomised(draws_: int) -> Ours:
    def ours(net: Network) -> list[Score]:
        scores = cascading_randomisation(
            net.module, net.x, GradInput(), net.target, redraws=1, draws=draws_, seed=SEED + 1 - FIRST
        )
        return list(scores.values())

    return ours


def their_randomised(net: Network, **options: object) -> np.ndarray:
    metric = quantus.MPRT(layer_order="top_down", seed=SEED, return_last_correlation=False, **(PLAIN | options))
    by_layer = asked(metric, net, explain_func=net.explain)
    return np.stack([np.array(values) for name, values in by_layer.items() if name != "original"])


def blocks(_: int) -> Tensor:
    """What Quantus takes away: one block after another, each on top of those before."""
    place = torch.arange(SIDE) // BLOCK
    block = (place[:, None] * (SIDE // BLOCK) + place).flatten()
    return block <= torch.arange((SIDE // BLOCK) ** 2)[:, None]


def infidelity(draws_: int) -> Ours:
    measure = Infidelity(sets=blocks, draws=draws_)
    return lambda net: [measure(net.module, net.x, net.found, net.target)]


def their_infidelity(net: Network, repeats: int = 10) -> np.ndarray:
    """Ten repeats unless told otherwise, which all give the same."""
    metric = quantus.Infidelity(
        perturb_baseline="black", perturb_patch_sizes=[BLOCK], n_perturb_samples=repeats, **PLAIN
    )
    return np.array(asked(metric, net, attributions=net.slopes))


def road(draws_: int) -> Ours:
    def ours(net: Network) -> list[Score]:
        measure = ROAD(labels=net.y, removal=NoisyLinear(noise=0.0), draws=draws_)
        return [measure(net.module, net.x, net.untied)]

    return ours


def their_road(net: Network) -> np.ndarray:
    metric = quantus.ROAD(noise=0.0, percentages=list(range(10, 100, 10)), **PLAIN)
    by_share = asked(metric, net, attributions=net.untied)
    return np.array([by_share[share] for share in sorted(by_share)])


SMALL = {"CNN": 2, "MLP": 20}
RACES = [
    Race("PixelFlipping", SMALL, flipping, their_flipping, words(flipped)),
    Race(
        "FaithfulnessCorrelation 100",
        SMALL,
        values(correlation(0)),
        their_correlation,
        words(correlation(39)),
        handed=our_sets,
    ),
    Race("MaxSensitivity 50", SMALL, values(sensitivity(0)), their_sensitivity, words(sensitivity(20))),
    Race("MPRT", {"CNN": 8, "MLP": 8}, values(randomised(0)), their_randomised, words(randomised(39)), count=MORE),
    Race("Infidelity, 16 blocks", SMALL, values(infidelity(0)), their_infidelity, words(infidelity(39))),
    Race(
        "the same without repeats",
        SMALL,
        values(infidelity(0)),
        partial(their_infidelity, repeats=1),
        words(infidelity(39)),
    ),
    Race("ROAD 9 shares", SMALL, values(road(0)), their_road, words(road(20))),
]


def seconds(calls: list[Callable[[], object]]) -> list[float]:
    """CPU seconds of each, the least of interleaved runs."""
    least = [np.inf] * len(calls)
    for _ in range(RUNS):
        for k, call in enumerate(calls):
            with quiet():
                start = time.process_time()
                call()
                least[k] = min(least[k], time.process_time() - start)
    return least


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def difference(race: Race, net: Network) -> float:
    with race.handed(net), quiet():
        theirs = same_sensitivity(net) if race.theirs is their_sensitivity else race.theirs(net)
    ours = race.ours(net)
    return float(np.abs((mean_by_share(net) if race.theirs is their_road else ours) - theirs).max())


def mean_by_share(net: Network) -> np.ndarray:
    """ROAD's accuracy at each share, which is what Quantus returns."""
    shares = [k / 10 for k in range(1, 10)]
    removal = NoisyLinear(noise=0.0)
    asked_at = [ROAD(labels=net.y, removal=removal, shares=(share,), draws=0) for share in shares]
    return np.array([each(net.module, net.x, net.untied).mean.score for each in asked_at])


def main() -> None:
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    networks = [cnn(), mlp()]
    print(f"{'':<28}      Quantus s   ours s   ratio  target        max diff  + chance s")
    for race in RACES:
        for whole in networks:
            net = whole.first(race.count)
            apart = difference(race, net)
            theirs, ours, chance = seconds([partial(each, net) for each in (race.theirs, race.ours, race.with_chance)])
            ratio, target = theirs / ours, race.targets[net.name]
            verdict = "met" if ratio >= target else "lost"
            print(
                f"{race.name:<28} {net.name:<4} {theirs:>9.3f} {ours:>8.4f} {ratio:>6.1f}x {target:>6.0f}x  "
                f"{verdict:<5}{apart:>10.1e} {chance - ours:>11.3f}"
            )
    says(networks[0].first(MORE))


def says(net: Network) -> None:
    """What Quantus' defaults make of a network that was redrawn throughout."""
    with quiet():
        plain, by_default = their_randomised(net)[-1], their_randomised(net, abs=True)[-1]
    print(
        f"\nall layers redrawn, rank correlation with the trained network's attribution: {plain.mean():.3f}; "
        f"Quantus' default, of magnitudes: {by_default.mean():.3f} (blank pixels agree)"
    )
    batches = []
    for size in (64, 16, 4):
        metric = quantus.MaxSensitivity(nr_samples=20, normalise=True, abs=False, disable_warnings=True)
        with quiet():
            np.random.seed(0)  # noqa: NPY002 - what Quantus draws from
            values = metric(
                model=net.module,
                x_batch=net.x[:64].numpy(),
                y_batch=net.y[:64].numpy(),
                a_batch=net.found.values.numpy()[:64],
                device="cpu",
                batch_size=size,
                explain_func=net.explain,
            )
        batches.append(f"{np.mean(values):.3f} at {size}")
    print(f"max-sensitivity as Quantus normalises it (over the batch), by batch size: {', '.join(batches)}")


if __name__ == "__main__":
    main()
