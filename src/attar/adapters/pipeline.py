"""Pipelines whose last step explains itself: what it says of the columns it is fed, back in the raw columns."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from attar.adapters.frames import own_order, refusals
from attar.adapters.sklearn import Estimator, LinearEstimator, TreeEstimator, adapt_estimator, rows_of_table
from attar.core.errors import UnsupportedError
from attar.core.inputs import Inputs, Tensors
from attar.core.model import Terms, Walk
from attar.core.parts import placed, precise
from attar.core.target import Target

_EACH_BY_ITSELF = (
    *("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "PowerTransformer", "QuantileTransformer"),
    *("OrdinalEncoder", "Binarizer"),
)  # one column out for each that goes in, which looks at no other: not so Normalizer, which scikit-learn calls so too


def adapt_pipeline(pipeline: Any) -> Any:
    """A sum over raw columns where the last step is linear, a walk in raw columns where it is a tree, and where every
    column that it is fed is made of one raw column; else an `Estimator`."""
    plain = Estimator(pipeline)
    if pipeline.steps[-1][1] == "passthrough" or not hasattr(pipeline.steps[-1][1], "predict"):
        return plain
    last = adapt_estimator(pipeline.steps[-1][1])
    several = len(getattr(pipeline.steps[-1][1], "classes_", ())) > 2  # whose logits share one softmax
    if not isinstance(last, TreeEstimator) and (several or not isinstance(last, LinearEstimator)):
        return plain
    try:
        made_of = sources(pipeline[:-1], int(pipeline.n_features_in_))
    except (UnsupportedError, AttributeError):
        return plain
    fed = Fed(pipeline, np.array(made_of, dtype=np.int64))
    return LinearPipeline(fed, last) if isinstance(last, LinearEstimator) else TreePipeline(fed, last)


@dataclass(frozen=True, eq=False)
class Fed:
    """What a pipeline feeds its last step; `made_of` is the raw column that each of these columns is made of."""

    pipeline: Any
    made_of: np.ndarray

    def __call__(self, inputs: Inputs) -> Tensors:
        with refusals(inputs, type(self.pipeline.steps[-1][1]).__name__):
            made = rows_of_table(inputs, self.pipeline)
            made = self.pipeline[:-1].transform(made) if len(self.pipeline.steps) > 1 else made
        made = made.toarray() if hasattr(made, "toarray") else np.asarray(made, dtype=float)
        return Tensors(placed(torch.from_numpy(np.ascontiguousarray(made)), inputs.device))

    def raw(self, values: Tensor, inputs: Inputs) -> Tensor:
        """Values of the columns that are fed (second axis), summed into the raw columns as they stand in the inputs."""
        total = values.new_zeros(len(values), int(self.pipeline.n_features_in_), *values.shape[2:])
        total.index_add_(1, torch.from_numpy(self.made_of).to(values.device), values)
        return total[:, own_order(self.pipeline, inputs)]


@dataclass(frozen=True, eq=False)
class LinearPipeline:
    """W·t(x) + b, where every column of t(x) is made of one raw column: a sum over raw columns, so that what the levels
    of a category are given one by one is the category's. Outputs are those of the last step."""

    fed: Fed
    last: LinearEstimator
    hint = "it is a sum over its raw columns, which ShapeFunctions reads off"

    @property
    def estimator(self) -> Any:
        return self.fed.pipeline

    @property
    def log_odds(self) -> bool:
        return self.last.log_odds

    def predict(self, inputs: Inputs) -> Tensor:
        answers = self.last.predict(self.fed(inputs))
        if not bool(torch.isfinite(answers).all()):
            Estimator(self.fed.pipeline).predict(inputs)  # which says what it refuses
        return answers

    def terms(self, inputs: Inputs) -> Terms:
        weights, bias = self.last.weights(inputs.device)
        each = precise(self.fed(inputs).values)[..., None] * weights.T
        values = self.fed.raw(each, inputs)
        return Terms(values, tuple((column,) for column in range(values.shape[1])), bias)


@dataclass(frozen=True, eq=False)
class TreePipeline:
    """A decision tree behind transformers: a split on what is made of a raw column is that column's. Outputs are those
    of the tree."""

    fed: Fed
    last: TreeEstimator
    hint = (
        "what Shapley values give the levels of a category one by one does not sum to the category's: take Shapley, "
        "which asks about raw columns"
    )

    @property
    def estimator(self) -> Any:
        return self.fed.pipeline

    @property
    def log_odds(self) -> bool:
        return self.last.log_odds

    def predict(self, inputs: Inputs) -> Tensor:
        return self.last.predict(self.fed(inputs))

    def walk(self, inputs: Inputs, target: Target) -> Walk:
        found = self.last.walk(self.fed(inputs), target)
        return Walk(found.output, found.root, found.steps.map(lambda steps: self.fed.raw(steps, inputs)), found.absent)


def sources(transformer: Any, count: int) -> list[int]:
    """Which of the `count` columns that go in each column that comes out is made of.

    Raises `UnsupportedError` for a transformer that makes columns of several, or that is not known.
    """
    name = type(transformer).__name__
    if transformer is None or transformer == "passthrough" or _is_identity(transformer):
        return list(range(count))
    if hasattr(transformer, "steps"):
        made_of = list(range(count))
        for _, step in transformer.steps:
            made_of = [made_of[k] for k in sources(step, len(made_of))]
        return made_of
    if hasattr(transformer, "transformers_"):
        return _of_column_transformer(transformer)
    if name in _EACH_BY_ITSELF or (name == "KBinsDiscretizer" and transformer.encode == "ordinal"):
        return list(range(count))
    if name == "OneHotEncoder":
        named = copy(transformer)  # shallow: the fitted one is not touched
        named.feature_name_combiner = lambda feature, _: feature
        return _places(named, named.get_feature_names_out(), count)
    if name == "SimpleImputer":
        flags = [] if transformer.indicator_ is None else list(map(int, transformer.indicator_.features_))
        out = transformer.get_feature_names_out()
        return [*_places(transformer, out[: len(out) - len(flags)], count), *flags]
    if name == "SplineTransformer":
        each = len(transformer.get_feature_names_out()) // count
        return [column for column in range(count) for _ in range(each)]
    if name == "KBinsDiscretizer":
        return [column for column, bins in enumerate(transformer.n_bins_) for _ in range(int(bins))]
    if hasattr(transformer, "get_support"):
        return list(map(int, transformer.get_support(indices=True)))
    raise UnsupportedError(f"{name} may make one column of several")


def _is_identity(transformer: Any) -> bool:
    return type(transformer).__name__ == "FunctionTransformer" and transformer.func is None


def _places(transformer: Any, names: Sequence[str], count: int) -> list[int]:
    known = getattr(transformer, "feature_names_in_", [f"x{k}" for k in range(count)])
    place = {str(name): k for k, name in enumerate(known)}
    return [place[str(name)] for name in names]


def _of_column_transformer(transformer: Any) -> list[int]:
    known = [str(name) for name in getattr(transformer, "feature_names_in_", ())]
    every = np.arange(transformer.n_features_in_)
    found: dict[int, int] = {}
    for name, each, columns in transformer.transformers_:
        where = transformer.output_indices_.get(name, slice(0, 0))
        if where.stop <= where.start:
            continue
        given = [columns] if isinstance(columns, str) else columns
        if not isinstance(given, slice) and len(given) and all(isinstance(column, str) for column in given):
            mine = [known.index(column) for column in given]
        else:
            mine = np.atleast_1d(every[np.asarray(given) if not isinstance(given, slice) else given]).tolist()
        made_of = sources(each, len(mine))
        if len(made_of) != where.stop - where.start:
            raise UnsupportedError(f"{type(each).__name__} makes other columns than are known of it")
        found |= {where.start + k: mine[column] for k, column in enumerate(made_of)}
    return [found[k] for k in range(len(found))]
