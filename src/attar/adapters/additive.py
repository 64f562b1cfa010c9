"""Additive estimators: sums of functions of columns, each of which is asked by itself."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from attar.adapters.frames import fitted_order, refusals
from attar.adapters.sklearn import rows_of_table
from attar.core.inputs import Inputs
from attar.core.model import Terms
from attar.core.parts import placed


@dataclass(frozen=True)
class AdditiveEstimator:
    """An estimator with `term_values(table)` and `term_columns_`, as `attar.design.additive` has. Of two classes the
    outputs are (-z, z); of more the logits that share one softmax."""

    estimator: Any

    @property
    def log_odds(self) -> bool:
        return len(getattr(self.estimator, "classes_", ())) == 2

    def predict(self, inputs: Inputs) -> Tensor:
        found = self.terms(inputs)
        return found.reference + found.values.sum(1)

    def terms(self, inputs: Inputs) -> Terms:
        with refusals(inputs, type(self.estimator).__name__):
            values = np.asarray(self.estimator.term_values(rows_of_table(inputs, self.estimator)), dtype=float)
        reference = np.atleast_1d(np.asarray(self.estimator.intercept_, dtype=float))
        if hasattr(self.estimator, "classes_") and values.shape[2] == 1:
            values, reference = np.concatenate([-values, values], 2), np.concatenate([-reference, reference])
        arrays = (placed(torch.from_numpy(array), inputs.device) for array in (values, reference))
        laid, start = arrays
        columns, order = self.estimator.term_columns_, fitted_order(self.estimator, inputs)
        if order is not None:
            columns = tuple(tuple(order[column] for column in term) for term in columns)
        return Terms(laid, columns, start)
