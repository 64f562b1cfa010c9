"""scikit-learn estimators: classifiers give the logit of each class, regressors their value."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from attar.adapters.frames import frame_for, own_order, refusals
from attar.adapters.torch import gradients_of, leaves_of
from attar.core.baseline import Rows
from attar.core.errors import InputError, UnsupportedError
from attar.core.inputs import Inputs, SparseRows, Tensors
from attar.core.model import Contributions, Forest, Walk
from attar.core.parts import Parts, placed, precise
from attar.core.target import Difference, Logit, Target


def adapt_estimator(estimator: Any) -> Any:
    """Linear estimators offer `Linear`, trees `TreeEnsemble` and, as ensembles of them do, `Forest`; a Pipeline that
    ends in a linear one is a sum over its raw columns (`Additive`), one that ends in a tree walks in them
    (`TreeEnsemble`), where transformers keep columns apart; all others offer `Predictor`.

    Raises `InputError` for an estimator that is not fitted, `UnsupportedError` for one that classifies several things
    at once.
    """
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(estimator)
    except NotFittedError as problem:
        raise InputError(f"{type(estimator).__name__} is not fitted; call fit first") from problem
    if isinstance(getattr(estimator, "classes_", None), list):
        raise UnsupportedError(
            f"{type(estimator).__name__} classifies several things at once; explain one: give a function such as "
            "lambda x: estimator.predict_proba(x)[0]"
        )
    if hasattr(estimator, "term_values"):
        from attar.adapters.additive import AdditiveEstimator

        return AdditiveEstimator(estimator)
    if hasattr(estimator, "rule_steps"):
        from attar.adapters.rule_list import RuleListEstimator

        return RuleListEstimator(estimator)
    if any(kind.__name__ == "Pipeline" for kind in type(estimator).__mro__):
        from attar.adapters.pipeline import adapt_pipeline

        return adapt_pipeline(estimator)
    if _is_linear(estimator):
        return LinearEstimator(estimator)
    if hasattr(estimator, "tree_"):
        return TreeEstimator(estimator)
    from attar.adapters.trees import ForestEstimator, is_forest

    return ForestEstimator(estimator) if is_forest(estimator) else Estimator(estimator)


def _is_linear(estimator: Any) -> bool:
    """Whether W·x + b is what it answers, by asking: a Poisson regressor answers its exponential, PLS centres x first
    and a one-against-one SVC has weights for pairs of classes."""
    if not (hasattr(estimator, "coef_") and hasattr(estimator, "intercept_")):
        return False
    points = np.random.default_rng(0).standard_normal((3, estimator.coef_.shape[-1]))
    names = ("linear_predictor", "decision_function", "predict")  # the first is what a log link is laid on
    ask = next(getattr(estimator, name) for name in names if hasattr(estimator, name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the points have no column names
        answers = np.asarray(ask(points), dtype=float)
    ours = LinearEstimator(estimator).predict(Tensors(torch.from_numpy(points))).numpy()
    ours = ours[:, -1] if answers.ndim == 1 else ours
    return ours.shape == answers.shape and np.allclose(ours, answers, rtol=1e-4, atol=1e-4 * np.abs(answers).max())


@dataclass(frozen=True)
class Estimator:
    """Any estimator: outputs are each class's logit, log p / (1 - p), or the predicted value."""

    estimator: Any

    @property
    def hint(self) -> str:
        piped = hasattr(self.estimator, "steps")
        return "a Pipeline's raw columns are explained by methods that only ask, such as Shapley" if piped else ""

    @property
    def log_odds(self) -> bool:
        return hasattr(self.estimator, "classes_")

    def predict(self, inputs: Inputs) -> Tensor:
        with refusals(inputs, type(self.estimator).__name__):
            return placed(torch.from_numpy(self._answers(rows_of_table(inputs, self.estimator))), inputs.device)

    def _answers(self, table: Any) -> np.ndarray:
        if hasattr(self.estimator, "predict_proba"):
            # In double precision: single has no number between 1 - 6e-8 and 1, and the logit of 1 is infinite.
            share = np.clip(np.asarray(self.estimator.predict_proba(table), dtype=float), 1e-12, 1 - 1e-12)
            return np.log(share) - np.log1p(-share)
        if hasattr(self.estimator, "decision_function"):
            margin = np.asarray(self.estimator.decision_function(table), dtype=float)
            return margin if margin.ndim == 2 else np.stack([-margin, margin], 1)
        value = np.asarray(self.estimator.predict(table), dtype=float)
        return value if value.ndim == 2 else value[:, None]


@dataclass(frozen=True)
class LinearEstimator:
    """W·x + b with the estimator's own coefficients; a binary classifier has outputs (-z, z)."""

    estimator: Any

    @property
    def log_odds(self) -> bool:
        """Of two classes; of more they share one softmax."""
        return len(getattr(self.estimator, "classes_", ())) == 2

    def predict(self, inputs: Inputs) -> Tensor:
        with torch.no_grad():
            return self._answers(inputs)

    def _answers(self, inputs: Inputs) -> Tensor:
        weights, bias = self.weights(inputs.device)
        return _linear(inputs, weights[:, own_order(self.estimator, inputs)]) + bias

    def coefficients(self, inputs: Inputs, target: Target) -> tuple[Parts, Tensor]:
        if isinstance(target, Difference):
            this, that = self.coefficients(inputs, target.this), self.coefficients(inputs, target.that)
            return this[0] - that[0], this[1] - that[1]
        if not isinstance(target, Logit):
            raise UnsupportedError(f"W·x explains a logit, the target is {target!r}; ask for attar.Logit(class)")
        weights, bias = self.weights(inputs.device)
        weights = weights[:, own_order(self.estimator, inputs)]
        chosen = torch.as_tensor(target.index, device=inputs.device).expand(len(inputs))
        if isinstance(inputs, SparseRows):
            rows = weights[chosen[inputs.rows], inputs.columns]
            return Parts({inputs.part: rows}), bias[chosen]
        return Parts({"input": weights[chosen]}), bias[chosen]

    def differentiate(self, inputs: Inputs, target: Target) -> tuple[Tensor, Parts]:
        return self.differentiate_each(inputs, [target])[0]

    def differentiate_each(self, inputs: Inputs, targets: Sequence[Target]) -> list[tuple[Tensor, Parts]]:
        with torch.enable_grad():
            return gradients_of(lambda parts: self._answers(inputs.replace(parts)), targets, leaves_of(inputs.parts))

    def weights(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """W `Float[Tensor, "outputs features"]` and b `Float[Tensor, " outputs"]`."""
        kept = self.estimator.coef_
        kept = kept.toarray() if hasattr(kept, "toarray") else kept  # after sparsify()
        weights = placed(torch.from_numpy(np.atleast_2d(np.array(kept, dtype=float))), device)
        bias = placed(torch.from_numpy(np.atleast_1d(np.asarray(self.estimator.intercept_, dtype=float))), device)
        bias = bias.expand(len(weights))
        if hasattr(self.estimator, "classes_") and len(weights) == 1:
            return torch.cat([-weights, weights]), torch.cat([-bias, bias])
        return weights, bias


@dataclass(frozen=True)
class TreeEstimator:
    """A decision tree. A classifier's outputs are the log-odds of each class in the leaf, with half an example of
    each class added so that a pure leaf is finite; a regressor's is the leaf's mean."""

    estimator: Any

    @property
    def log_odds(self) -> bool:
        return hasattr(self.estimator, "classes_")

    def predict(self, inputs: Inputs) -> Tensor:
        return placed(self._values()[self._leaves(inputs)], inputs.device)

    def missing(self, protocol: type) -> str | None:
        from attar.adapters.trees import lacks_contributions

        return lacks_contributions(self.estimator) if protocol is Forest else None

    def contributions(self, inputs: Inputs, background: Rows | None) -> Contributions:
        from attar.adapters.trees import contributions

        return contributions(self.estimator, inputs, background)

    def walk(self, inputs: Inputs, target: Target) -> Walk:
        """Every split on the path from the root changes the node's value; the change is the split column's.

        Source: Saabas 2014, "Interpreting random forests" (treeinterpreter).
        """
        tree = self.estimator.tree_
        values = target_of_nodes(self._values(), target, len(inputs))
        leaves = self._leaves(inputs)
        parent = np.full(tree.node_count, -1)
        for children in (tree.children_left, tree.children_right):
            inner = children >= 0
            parent[children[inner]] = np.nonzero(inner)[0]
        gain = np.zeros((len(inputs), tree.n_features))
        rows = np.arange(len(inputs))
        node = leaves.numpy().copy()
        moving = parent[node] >= 0
        while moving.any():
            here, above = node[moving], parent[node[moving]]
            np.add.at(
                gain, (rows[moving], tree.feature[above]), values[rows[moving], here] - values[rows[moving], above]
            )
            node[moving] = above
            moving = parent[node] >= 0
        gain = np.ascontiguousarray(gain[:, own_order(self.estimator, inputs)])
        found = (values[rows, leaves.numpy()], values[:, 0], gain)
        output, root, gains = (placed(torch.from_numpy(array), inputs.device) for array in found)
        if isinstance(inputs, SparseRows):
            steps = gains[inputs.rows, inputs.columns]
            present = torch.zeros_like(output).index_add_(0, inputs.rows, steps)
            return Walk(output, root, Parts({inputs.part: steps}), output - root - present)
        return Walk(output, root, Parts({"input": gains}), torch.zeros_like(output))

    def _leaves(self, inputs: Inputs) -> Tensor:
        with refusals(inputs, type(self.estimator).__name__):
            table = rows_of_table(inputs, self.estimator)
            return torch.from_numpy(np.asarray(self.estimator.apply(table)))

    def _values(self) -> Tensor:
        tree = self.estimator.tree_
        if not hasattr(self.estimator, "classes_"):
            return torch.from_numpy(tree.value[:, :, 0].copy())
        value = tree.value[:, 0, :]
        weight = value / value.sum(1, keepdims=True) * tree.weighted_n_node_samples[:, None] + 0.5
        share = weight / weight.sum(1, keepdims=True)
        return torch.from_numpy(np.log(share) - np.log1p(-share))


def target_of_nodes(values: Tensor, target: Target, count: int) -> np.ndarray:
    """The target of every node for every example: `Float[ndarray, "batch nodes"]`."""
    if not isinstance(target, Logit):
        raise UnsupportedError(f"tree paths explain a logit or a value, the target is {target!r}; ask for attar.Logit")
    return values.T[torch.as_tensor(target.index, device=values.device).expand(count)].numpy()


def rows_of_table(inputs: Inputs, estimator: Any = None) -> Any:
    """A 2-D table for scikit-learn: a dense array, a data frame where the examples came as one, or a CSR matrix for
    sparse rows. The columns of a frame are in the order that the estimator was fitted in."""
    if isinstance(inputs, SparseRows):
        from scipy.sparse import csr_matrix

        entries = (_array(inputs.counts), (_array(inputs.rows), _array(inputs.columns)))
        return csr_matrix(entries, shape=(inputs.size, inputs.width))
    if isinstance(inputs, Tensors) and inputs.values.ndim == 2:
        columns = inputs.columns
        return _array(inputs.values) if columns is None else frame_for(estimator, inputs, columns)
    raise InputError("a scikit-learn estimator explains tables: give a (rows, columns) array or sparse rows")


def _array(tensor: Tensor) -> np.ndarray:
    """On the processor, half precision as single: numpy has no bfloat16 and scikit-learn computes in neither."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor).numpy()


def _linear(inputs: Inputs, weights: Tensor) -> Tensor:
    if isinstance(inputs, SparseRows):
        terms = weights.T[inputs.columns] * inputs.counts[:, None]
        return weights.new_zeros(len(inputs), len(weights)).index_add_(0, inputs.rows, terms.to(weights.dtype))
    if not isinstance(inputs, Tensors) or inputs.values.ndim != 2:
        raise InputError("a linear estimator explains tables: give a (rows, columns) array or sparse rows")
    (values,) = inputs.arguments()
    return precise(values) @ weights.T
