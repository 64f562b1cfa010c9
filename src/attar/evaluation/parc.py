"""True of the model: whether better models explain themselves better."""

import numpy as np
import torch
from jaxtyping import Float

from attar.core.errors import InputError
from attar.evaluation.intervals import Interval
from attar.evaluation.ranks import kendall
from attar.evaluation.score import Intervals, Score


def parc(
    qualities: Float[np.ndarray, " models"],
    accuracies: Float[np.ndarray, "models examples"] | Float[np.ndarray, " models"],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Score:
    """Kendall's τ-b between the quality of ever more degraded models and the accuracy of their attributions.

    1: the better the model, the better it explains itself, so that an attribution that looks wrong says something of
    the model; 0: no relation; -1: the worse the better. The interval is a bootstrap over models and, where accuracies
    come by example (`Score.values`), over examples; chance is the same accuracies on the models in random order.
    0 where all accuracies are the same. Look at the accuracies too: all may be near chance.
    Raises `InputError` for fewer than three models, for models of one quality, and for NaN.
    Source: Sanchez-Lengeling et al. 2020, "Evaluating attribution for graph neural networks", faithfulness; they report
    neither interval nor chance.
    """
    qualities = np.asarray(qualities, dtype=float)
    table = np.asarray(accuracies, dtype=float).reshape(len(qualities), -1)
    table = table[:, ~np.isnan(table).all(0)]
    if len(qualities) < 3 or not table.shape[1] or np.ptp(qualities) == 0:
        raise InputError(f"PARC needs three models or more of different quality and accuracies, got {len(qualities)}")
    if not (np.isfinite(qualities).all() and np.isfinite(table).all()):
        raise InputError("the models' qualities or accuracies hold NaN or infinity: leave such models out")
    generator = np.random.default_rng([seed, 31])
    models = generator.integers(len(table), size=(resamples, len(table)))
    examples = generator.integers(table.shape[1], size=(resamples, table.shape[1]))
    means = np.stack([table[:, some].mean(1) for some in examples]) if table.shape[1] > 1 else table.T
    of_models = np.take_along_axis(np.broadcast_to(means, (resamples, len(table))), models, 1)
    boot = _tau(of_models, qualities[models])
    boot = boot[np.isfinite(boot)]  # a resample of one model alone has none
    mean = table.mean(1)
    order = generator.random((resamples, len(table))).argsort(1)
    random = _tau(mean[order], np.broadcast_to(qualities, order.shape))
    tau = float(_tau(mean[None], qualities[None])[0])
    low, high = (float(end) for end in np.quantile(boot, [0.025, 0.975]))
    by_chance = [float(end) for end in np.quantile(random, [0.025, 0.975])]
    middle, count = float(random.mean()), len(table)
    return Score(
        measure="PARC",
        values=np.array([[tau]]),
        random=random[:, None],
        worst=-1.0,
        best=1.0,
        noun="models",
        known=Intervals(
            mean=Interval(tau, low, high, count),
            chance=Interval(middle, by_chance[0], by_chance[1], count),
            margin=Interval(tau - middle, low - middle, high - middle, count),
        ),
    )


def _tau(accuracies: np.ndarray, qualities: np.ndarray) -> np.ndarray:
    every = torch.ones(1, dtype=torch.bool)
    return kendall(torch.from_numpy(accuracies.copy()), torch.from_numpy(qualities.copy()), every).numpy()
