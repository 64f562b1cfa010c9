"""Why a graph network's attributions are as good as they are: the same network trained otherwise, seed by seed.

    python bench/graph_networks.py FILE.csv         a task of the published benchmark, such as logic10.csv

GraphNets are MPNN with a state of the whole molecule; everything else is the same. For each network and seed: held-out
AUROC, and how well CAM and Integrated Gradients of the logit find the rule's atoms (the published protocol). The
published means and standard deviations stand below. Two things can be seen on logic10: at a fast learning rate some
seeds do not learn; and a GraphNets that has learnt is read well by Integrated Gradients and badly by CAM, for through
the state of the whole every atom knows the answer, and its map may say so wherever it stands.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from attar.engine.here import run
from attar.experiments.molecule_benchmark import entries
from attar.experiments.trial import trial

METHODS = ("cam", "integrated-gradients")
TRAINED = (
    ("mpnn", 1.5e-3, 16),
    ("graphnets", 1.5e-3, 16),
    ("graphnets", 5e-4, 16),
    ("graphnets", 5e-4, 32),
    ("graphnets", 5e-4, 60),
)


def asked(file: Path, kind: str, rate: float, epochs: int, seed: int) -> tuple[float, ...]:
    (entry,) = entries(file, models=(kind,))
    recipe = replace(entry.recipes[kind], learning_rate=rate, epochs=epochs)  # type: ignore[type-var]
    done = trial(entry.task, recipe, METHODS, seed, at_most=None)
    scores = [float(np.mean([each.best for each in done.methods[method].accuracies])) for method in METHODS]
    return float(roc_auc_score(done.labels > 0.5, done.predictions)), *scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    tasks = [(given.file, *how, seed) for how in TRAINED for seed in range(given.seeds)]
    found = dict(run(asked, tasks))
    print(f"{'':<38}{'AUROC':>24}{'CAM':>24}{'IG':>24}")
    for k, (kind, rate, epochs) in enumerate(TRAINED):
        rows = np.array([found[k * given.seeds + seed] for seed in range(given.seeds)])
        columns = ["  ".join(f"{value:.3f}" for value in column) for column in rows.T]
        name = f"{kind}, rate {rate:g}, {epochs} epochs"
        print(f"{name:<38}" + "".join(f"{column:>24}" for column in columns))
    published = entries(given.file, models=("mpnn", "graphnets"))[0].published
    for (kind, method), score in published.items():
        if kind in ("mpnn", "graphnets") and method in METHODS:
            print(f"published: {kind}, {method}: {score.mean:.3f} ± {score.sd:.3f} over {score.runs} runs")


if __name__ == "__main__":
    main()
