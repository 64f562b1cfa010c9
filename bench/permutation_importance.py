"""Permutation importance beside scikit-learn's, in one process: CPU time at equal values, and what the errors hold.

python bench/permutation_importance.py

Five repeats of ten columns, log loss, the same `random_state` and so the same permutations; the columns of the Pipeline
are half words. "off" is the largest difference of any score. The last table is how often the 95% interval from
scikit-learn's spread over repeats, and ours, hold the value that all rows of the population would give.
"""

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import stdtrit
from sklearn import inspection
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from attar.sklearn import permutation_importance

COLUMNS, REPEATS, RUNS = 10, 5, 5
SIZES = {300: 3.0, 20_000: 1.0}  # rows, and how many times less CPU is asked for


def drawn(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    x = random.standard_normal((rows, COLUMNS))
    score = x[:, 0] - x[:, 1] + x[:, 2] * x[:, 3] + np.sin(2 * x[:, 4])
    return x, (score + 0.5 * random.standard_normal(rows) > 0).astype(int)


def framed(x: np.ndarray) -> pd.DataFrame:
    frame = pd.DataFrame(x, columns=[f"x{k}" for k in range(COLUMNS)])
    for k in range(0, COLUMNS, 2):
        frame[f"x{k}"] = np.array(["low", "middle", "high"])[np.digitize(x[:, k], [-0.5, 0.5])]
    return frame


def models() -> dict[str, tuple[Any, Callable[[np.ndarray], Any]]]:
    x, y = drawn(2000, seed=1)
    words, numbers = [f"x{k}" for k in range(0, COLUMNS, 2)], [f"x{k}" for k in range(1, COLUMNS, 2)]
    columns = make_column_transformer((OneHotEncoder(), words), (StandardScaler(), numbers))

    def as_it_is(table: np.ndarray) -> np.ndarray:
        return table

    return {
        "logistic": (LogisticRegression().fit(x, y), as_it_is),
        "forest of 100": (RandomForestClassifier(100, max_depth=8, random_state=0).fit(x, y), as_it_is),
        "hist boosting": (HistGradientBoostingClassifier(max_iter=50, random_state=0).fit(x, y), as_it_is),
        "MLP": (MLPClassifier((64,), max_iter=60, random_state=0).fit(x, y), as_it_is),
        "Pipeline, DataFrame": (make_pipeline(columns, LogisticRegression()).fit(framed(x), y), framed),
    }


def cpu(*calls: Callable[[], Any], runs: int) -> tuple[list[float], list[Any]]:
    """The least CPU time of a few runs of each, in turn, and what each answered."""
    taken: list[list[float]] = [[] for _ in calls]
    answers: list[Any] = []
    for _ in range(runs):
        answers.clear()
        for times, call in zip(taken, calls, strict=True):
            start = time.process_time()
            answers.append(call())
            times.append(time.process_time() - start)
    return [min(times) for times in taken], answers


def race() -> None:
    print(f"{'':<22}{'rows':>8}{'scikit-learn ms':>17}{'attar ms':>10}{'times less':>12}{'off':>10}")
    for name, (model, shaped) in models().items():
        for rows, wanted in SIZES.items():
            x, y = drawn(rows)
            table = shaped(x)
            options: dict[str, Any] = {"scoring": "neg_log_loss", "n_repeats": REPEATS, "random_state": 0}

            def theirs(model=model, table=table, y=y, options=options) -> Any:
                return inspection.permutation_importance(model, table, y, **options)

            def ours(model=model, table=table, y=y, options=options) -> Any:
                return permutation_importance(model, table, y, **options)

            (peer, mine), (one, other) = cpu(theirs, ours, runs=RUNS if rows < 1000 else 2)
            ratio, off = peer / mine, np.abs(one.importances - other.importances).max()
            line = f"{name:<22}{rows:>8}{1000 * peer:>17.1f}{1000 * mine:>10.1f}{ratio:>12.1f}{off:>10.1g}"
            print(f"{line}  {'' if ratio >= wanted else f'LOST: {wanted:.0f} asked'}", flush=True)


def coverage(samples: int = 300, rows: int = 200) -> None:
    """Squared errors of a linear model on new rows: a weight is worth 2 w² of the column's variance."""
    truth = 2 * np.array([1.0, 0.25, 0.0])
    weights = np.array([1.0, 0.5, 0.0])
    model = LinearRegression().fit(np.eye(4)[:, :3], [*weights, 0.0])
    held = np.zeros((2, 3))
    for seed in range(samples):
        random = np.random.default_rng(seed)
        x = random.standard_normal((rows, 3))
        y = x @ weights + 0.5 * random.standard_normal(rows)
        found = permutation_importance(
            model, x, y, scoring="neg_mean_squared_error", n_repeats=REPEATS, random_state=seed
        )
        over_repeats = found.importances.std(1, ddof=1) / np.sqrt(REPEATS)
        for k, half in enumerate(
            (stdtrit(REPEATS - 1, 0.975) * over_repeats, stdtrit(rows - 1, 0.975) * found.importances_se)
        ):
            held[k] += np.abs(found.importances_mean - truth) <= half + 1e-12
    print(f"\n95% intervals that hold the population's value, {samples} samples of {rows} rows")
    print(f"{'weights 1, 1/2':<42}{'over repeats':>14}{'attar':>8}")
    for name, k in (("weight 1", 0), ("weight 1/2", 1)):
        print(f"{name:<42}{held[0, k] / samples:>14.1%}{held[1, k] / samples:>8.1%}")


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    race()
    coverage()


if __name__ == "__main__":
    main()
