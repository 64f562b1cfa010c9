"""Rule lists: a walk along the list, condition by condition."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from attar.adapters.frames import own_order, refusals
from attar.adapters.sklearn import rows_of_table, target_of_nodes
from attar.core.inputs import Inputs
from attar.core.model import Walk
from attar.core.parts import Parts, placed
from attar.core.target import Target


@dataclass(frozen=True)
class RuleListEstimator:
    """An estimator with `rule_steps(table)`, as `attar.design.rule_list` has. Outputs are the log-odds of each class
    among the rows that came as far, with half an example of each class added, as of a tree's leaf."""

    estimator: Any

    @property
    def log_odds(self) -> bool:
        return True

    def predict(self, inputs: Inputs) -> Tensor:
        states, _ = self._steps(inputs)
        return placed(self._values()[torch.from_numpy(states[:, -1])], inputs.device)

    def walk(self, inputs: Inputs, target: Target) -> Walk:
        """Every condition that is asked changes who is left, and so the value; the change is its column's."""
        states, columns = self._steps(inputs)
        values = target_of_nodes(self._values(), target, len(inputs))
        along = np.take_along_axis(values, states, 1)
        gain = np.zeros((len(inputs), self.estimator.n_features_in_))
        rows = np.arange(len(inputs))
        for step, column in enumerate(columns):  # as many as the list has conditions
            gain[rows, column] += along[:, step + 1] - along[:, step]
        output, root, gains = (
            placed(torch.from_numpy(np.ascontiguousarray(array)), inputs.device)
            for array in (along[:, -1], along[:, 0], gain[:, own_order(self.estimator, inputs)])
        )
        return Walk(output, root, Parts({"input": gains}), torch.zeros_like(output))

    def _steps(self, inputs: Inputs) -> tuple[np.ndarray, tuple[int, ...]]:
        with refusals(inputs, type(self.estimator).__name__):
            return self.estimator.rule_steps(rows_of_table(inputs, self.estimator))

    def _values(self) -> Tensor:
        """The log-odds of every class in every state of the walk."""
        weight = np.asarray(self.estimator.state_weights_, dtype=float) + 0.5
        share = weight / weight.sum(1, keepdims=True)
        return torch.from_numpy(np.log(share) - np.log1p(-share))
