"""Anchors of a table's rows: ours beside the `anchor` package of the paper's authors, precision at equal coverage.

pip install --no-deps anchor-exp    (its own dependencies are for text; `lime`, which it needs, is a peer anyway)
python bench/anchors.py

Three tables, half of each held back; a network, a forest and a boosting; 25 rows of the held-back half are explained.
Both search over the same training rows, cut at quartiles, for a precision of .8, .9, .95 and .99. What a rule is worth
is counted on the held-back rows (their real ones, not copies): its coverage is the share that it holds for, its
precision the share of those that are answered as the explained row is, which is left out (Ribeiro et al. 2018, section
5). A rule that holds for no other row has no precision and is left out of the mean. Of ours there are two: rules that
hold in copies, everything else exchanged, and rules that hold among the rows that there are (`conditional=True`), which
is what the package's come to: the precision that it prints is not that of the copies it makes, for it counts for a new
rule the copies of others that it happens to hold for. The precision at equal coverage is that of our second at the
peer's mean coverage, along the line between our settings. CPU seconds a row on one thread, and how many evaluations of
the model each asked for.
"""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from anchor.anchor_tabular import AnchorTabularExplainer
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from attar import attribute
from attar.core.baseline import Rows
from attar.methods.anchors import Anchors

ROWS, LEVELS = 25, (0.8, 0.9, 0.95, 0.99)


@dataclass(eq=False)
class Counted:
    """A classifier that counts the rows it is asked about."""

    model: object
    asked: int = 0

    def classes(self, x: np.ndarray) -> np.ndarray:
        self.asked += len(x)
        return self.model.predict(x)

    def scores(self, x: torch.Tensor) -> np.ndarray:
        self.asked += len(x)
        return self.model.predict_proba(x.numpy())


@dataclass(frozen=True, eq=False)
class Problem:
    name: str
    train: np.ndarray
    held: np.ndarray
    model: Counted


def problems() -> list[Problem]:
    random = np.random.default_rng(0)
    x = random.standard_normal((4000, 10))
    score = 2 * (x[:, 0] > 0.5) * (x[:, 1] > -0.5) + x[:, 2] * (x[:, 3] > 0) + 0.5 * x[:, 4]
    tables = {
        "breast cancer, 30 numbers": load_breast_cancer(return_X_y=True),
        "wine, 13 numbers, 3 classes": load_wine(return_X_y=True),
        "made, 10 numbers": (x, (score + 0.3 * random.standard_normal(len(x)) > 1).astype(int)),
    }
    models = {
        "network": make_pipeline(StandardScaler(), MLPClassifier((32,), max_iter=500, random_state=0)),
        "forest": RandomForestClassifier(20, random_state=0),
        "boosting": GradientBoostingClassifier(random_state=0),
    }
    found = []
    for (table, (x, y)), (kind, model) in zip(tables.items(), models.items(), strict=True):
        train, held, y, _ = train_test_split(x, y, test_size=0.5, random_state=0)
        found.append(Problem(f"{table}, {kind}", train, held[:1000], Counted(model.fit(train, y))))
    return found


Holds = Callable[[np.ndarray], np.ndarray]


class Peer(AnchorTabularExplainer):
    """The package's explainer, which also keeps its rule as conditions on quartiles (it gives words, rounded)."""

    def add_names_to_exp(self, data_row: np.ndarray, exp: dict, mapping: dict) -> None:
        self.rule = [mapping[k] for k in exp["feature"]]
        super().add_names_to_exp(data_row, exp, mapping)

    def holds(self) -> Holds:
        rule = list(self.rule)

        def holds(rows: np.ndarray) -> np.ndarray:
            bins = self.disc.discretize(rows)
            sides = {"leq": np.less_equal, "geq": np.greater, "eq": np.equal}
            return np.all(
                [sides[side](bins[:, column], bin) for column, side, bin in rule] or [True], axis=0
            ) & np.ones(len(rows), dtype=bool)

        return holds


def peer(problem: Problem, rows: np.ndarray, level: float) -> list[Holds]:
    names = [f"c{k}" for k in range(rows.shape[1])]
    np.random.seed(0)  # noqa: NPY002 - the package draws from the global generator
    explainer = Peer(["no", "yes", "other"], names, problem.train, {})
    found = []
    for row in rows:
        explainer.explain_instance(row, problem.model.classes, threshold=level)
        found.append(explainer.holds())
    return found


def ours(problem: Problem, rows: np.ndarray, level: float, conditional: bool = False) -> list[Holds]:
    method = Anchors(background=Rows(torch.from_numpy(problem.train)), precision=level, conditional=conditional)
    found = attribute(problem.model.scores, torch.from_numpy(rows), method)
    above, up_to = found.measured["bounds"].numpy().transpose(2, 0, 1)
    return [
        lambda x, low=low, high=high: ((x > low) & (x <= high)).all(1) for low, high in zip(above, up_to, strict=True)
    ]


def worth(problem: Problem, rules: list[Holds]) -> tuple[float, float, int]:
    """Mean coverage, mean precision, and the rules that hold for no other row."""
    classes = problem.model.model.predict(problem.held)
    covered, precise = [], []
    for k, holds in enumerate(rules):
        held = holds(problem.held)
        held[k] = False
        covered.append(held.sum() / (len(held) - 1))
        if held.any():
            precise.append((classes[held] == classes[k]).mean())
    return float(np.mean(covered)), float(np.mean(precise)), len(rules) - len(precise)


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for problem in problems():
        rows = problem.held[:ROWS]
        print(f"\n{problem.name}")
        print(f"{'':20}{'asked':>6}{'coverage':>10}{'precision':>11}{'of none':>9}{'CPU s':>8}{'evaluations':>13}")
        found: dict[str, list[tuple[float, float]]] = {}
        for name, explain in (
            ("anchor", peer),
            ("attar, copies", ours),
            ("attar, conditional", partial(ours, conditional=True)),
        ):
            for level in LEVELS:
                problem.model.asked, since = 0, time.process_time()
                rules = explain(problem, rows, level)
                taken, asked = (time.process_time() - since) / len(rows), problem.model.asked // len(rows)
                coverage, precision, none = worth(problem, rules)
                found.setdefault(name, []).append((coverage, precision))
                said = f"{level:>6}{coverage:>10.3f}{precision:>11.3f}{none:>9}{taken:>8.3f}{asked:>13,}"
                print(f"{name:20}{said}", flush=True)
        line = sorted(found["attar, conditional"])
        for level, (coverage, precision) in zip(LEVELS, found["anchor"], strict=True):
            equal = np.interp(coverage, *zip(*line, strict=True))
            beyond = "" if line[0][0] <= coverage <= line[-1][0] else f" (ours at its nearest, {line[0][0]:.3f})"
            print(f"at the coverage of anchor at {level}, {coverage:.3f}: {equal:.3f} against {precision:.3f}{beyond}")


if __name__ == "__main__":
    main()
