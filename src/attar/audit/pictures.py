"""The examples that a report shows: positives from sure to doubtful, and negatives that the model takes for such."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from attar.core.recipe import Fitted
from attar.experiments.task import Task

LEGIBLE = {"molecules": 30}  # parts beyond which an example is too small to read in a picture
DIGITS = 4  # of a value: more than a colour shows


@dataclass(frozen=True, eq=False)
class Picture:
    """An example to draw: as its domain's `as_json` says, its probability (or value), label, the values of its parts in
    log-odds (or the label's unit) and the parts that the rule names."""

    example: Any
    prediction: float
    label: float
    values: list[float]
    true_parts: list[int]


def pictures(task: Task, fitted: Fitted, method: str, most: int = 12) -> list[Picture]:
    """Held-out examples as the method sees them; where nothing says which are positive, from the largest to the
    smallest prediction."""
    domain = task.domain
    held_out, labels = task.part(task.test)
    logits = fitted.predict(held_out)
    largest = LEGIBLE.get(domain.name, np.inf)
    order = [i for i in np.argsort(-logits, kind="stable").tolist() if domain.size(held_out[i]) <= largest]
    told = task.task == "classification" or task.rule is not None
    positive = task.positive[task.test] if told else np.ones(len(held_out), dtype=bool)
    # Where the rule names every part, colours can neither agree nor differ.
    sure = [i for i in order if positive[i] and len(task.true_parts(held_out[i])) < domain.size(held_out[i])]
    wrong = [i for i in order if not positive[i]][: most // 4]
    spaced = np.unique(np.linspace(0, len(sure) - 1, most - len(wrong)).round().astype(int)) if sure else []
    chosen = [sure[k] for k in spaced] + wrong
    shown = [held_out[i] for i in chosen]
    values = fitted.explain(shown, method) if shown else []
    prediction = 1 / (1 + np.exp(-logits)) if task.task == "classification" else logits
    return [
        Picture(
            domain.as_json(e),
            float(prediction[i]),
            float(labels[i]),
            [float(f"{value:.{DIGITS}g}") for value in v],
            sorted(task.true_parts(e)),
        )
        for i, e, v in zip(chosen, shown, values, strict=True)
    ]
