"""Chance, measured: the same scorer on values that know nothing."""

from collections.abc import Sequence

import numpy as np
import torch

from attar.core.features import Features
from attar.core.parts import Parts
from attar.evaluation.accuracy import Accuracy, accuracies
from attar.evaluation.truth import Truth


def chance(
    truths: Sequence[Truth],
    *,
    parts: Parts | None = None,
    features: Features | None = None,
    draws: int = 20,
    seed: int = 0,
) -> Accuracy:
    """The mean accuracy of `draws` random attributions of the same examples.

    Standard normal numbers stand on the rows of `parts` and are carried by `features`; without `parts` they stand on
    the scored parts themselves. Signed, as attributions are: numbers in [0, 1), once summed over bonds, only measure
    an atom's degree, which puts the random rows of Sanchez-Lengeling et al. 2020 at 0.42 to 0.61.
    """
    generator = np.random.default_rng([seed, 17])
    sizes = [t.size for t in truths]
    rounds = []
    for _ in range(draws):
        if parts is None or features is None:
            flat = generator.standard_normal(sum(sizes))
        else:
            counts = {n: a.numel() if features.reach(n) > len(a) else len(a) for n, a in parts.items()}
            drawn = Parts({n: torch.from_numpy(generator.standard_normal(c)) for n, c in counts.items()})
            flat = features.carry(drawn).numpy()
        rounds += accuracies(np.split(flat, np.cumsum(sizes)[:-1]), truths)
    return mean_accuracy(rounds)


def mean_accuracy(scores: Sequence[Accuracy]) -> Accuracy:
    """Averaged over examples, those without a score left out; nan where none has one."""
    names = sorted({name for s in scores for name in s.named})
    return Accuracy(
        best=_mean([s.best for s in scores]),
        union=_mean([s.union for s in scores]),
        named={name: _mean([s.named.get(name, np.nan) for s in scores]) for name in names},
    )


def _mean(values: Sequence[float]) -> float:
    usable = np.array([v for v in values if np.isfinite(v)])
    return float(usable.mean()) if len(usable) else float("nan")
