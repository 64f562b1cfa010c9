"""The pieces of an audit that tables alone have: columns that tell the label alone, and what the columns are worth."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from attar.audit.plan import AuditPlan
from attar.audit.table_plan import of_rows
from attar.core.column import LARGEST, as_codes
from attar.core.effect import Effect
from attar.core.importance import Importance
from attar.core.inputs import Tensors
from attar.core.loss import log_loss, squared
from attar.core.recipe import Fitted
from attar.effect_verb import effect
from attar.effects.accumulated_local import AccumulatedLocalEffects
from attar.experiments.task import Task
from attar.methods.permutation_importance import PermutationImportance
from attar.pitfalls.leaks import Told, told_by_column
from attar.verb import attribute

ROWS = 1000  # held-out rows that are looked at
LEADING = 3  # columns whose effect is shown


def leaks(task: Task, seed: int) -> list[Told]:
    """How well each column alone tells the label, over all rows: held out or not, a leak is one."""
    columns = of_rows(task).columns
    codes = np.array(task.examples, dtype=float)
    values = np.where(codes >= LARGEST, np.nan, codes)
    return told_by_column(columns.names, values, columns.coded, task.labels, seed=seed)


@dataclass(frozen=True, eq=False)
class Columns:
    """What the columns are worth to the first model on held-out rows, and how its output goes with the leading ones."""

    importance: Importance
    effects: tuple[Effect, ...]


def columns(task: Task, plan: AuditPlan) -> Columns:
    """By exchanging values between held-out rows, and by accumulated local effects, which ask about no row that is far
    from any there is. A column that does not vary there has no effect to show."""
    fitted = plan.recipe(plan.models[0], task.task).fit(*task.part(task.train), plan.seed)
    examples, labels = task.part(task.test)
    table, asked = of_rows(task).encode(examples[:ROWS]), Answers(fitted)
    loss = log_loss if task.task == "classification" else squared
    method = PermutationImportance(labels=labels[:ROWS].astype(int) if loss is log_loss else labels[:ROWS], loss=loss)
    importance = attribute(asked, table, method).importance()
    codes = as_codes(table.values)
    varying = {name for name, of in zip(table.names, codes.T, strict=True) if len(np.unique(of[of < LARGEST])) > 1}
    leading = [name for name, _ in importance.ranked(LEADING) if name in varying]
    return Columns(importance, tuple(effect(asked, table, name, AccumulatedLocalEffects()) for name in leading))


@dataclass(frozen=True, eq=False)
class Answers:
    """A fitted model as one output for each row: the logit of class 1, or the value."""

    fitted: Fitted

    def predict(self, inputs: Tensors) -> Tensor:
        rows = [tuple(row) for row in as_codes(inputs.values).tolist()]
        return torch.from_numpy(np.asarray(self.fitted.predict(rows), dtype=float))[:, None]


def described(found: Columns) -> dict[str, Any]:
    """For the record: importances, the largest first, and a curve for each leading column."""
    said, order = found.importance, np.argsort(-found.importance.values, kind="stable").tolist()
    return {
        "rows": said.rows,
        "unit": said.unit,
        "importance": [
            {
                "column": said.names[k],
                "value": float(said.values[k]),
                "interval": [float(said.low[k]), float(said.high[k])],
            }
            for k in order
        ],
        "effects": [
            {
                "column": each.columns[0],
                "grid": each.grid[0].tolist(),
                "points": list(each.points[0]),
                "values": each.values.tolist(),
                "low": each.low.tolist(),
                "high": each.high.tolist(),
            }
            for each in found.effects
        ],
        "notes": [note.sentence for note in said.notes],
    }
