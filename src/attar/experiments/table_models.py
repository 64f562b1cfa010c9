"""Models of the rows of a table: boosted trees, by design, a small network; all explained in raw columns."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import RidgeCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch import Tensor

from attar.adapters import adapt
from attar.core.baseline import Rows, Typical
from attar.core.column import LARGEST, as_codes
from attar.core.columns import Columns
from attar.core.errors import InputError
from attar.core.features import Features, Share
from attar.core.inputs import Inputs, Tensors
from attar.core.labels import Task as Kind
from attar.core.method import Method
from attar.core.model import Terms, Walk, lacks
from attar.core.recipe import Explained
from attar.core.target import Logit, Target
from attar.design.glm import GeneralizedLinearModel
from attar.design.pruned_tree import PrunedTreeClassifier, PrunedTreeRegressor
from attar.domains.raw_tables.domain import RawTables
from attar.domains.raw_tables.truth import Row
from attar.methods.lime import Lime
from attar.methods.occlusion import Occlusion
from attar.methods.shape_functions import ShapeFunctions
from attar.methods.shapley import Shapley
from attar.methods.tree_paths import TreePaths
from attar.verb import attribute

MODELS = ("boosting", "glm", "tree", "mlp")
BACKGROUND, FEWEST = 50, 20  # training rows that stand for absence: so many, fewer where there are many columns
BUDGET = 8192  # evaluations that a row's Shapley values may take; as many as a first estimate needs, if that is more
_FIRST = 5  # evaluations for a column and background row that a first estimate takes at most
MOST_LEVELS = 100  # of a category that are told apart, the most frequent ones
PENALTIES = tuple(10.0**k for k in range(-1, 5))  # of a GLM of numbers, to choose from

OWN: dict[str, dict[str, Method]] = {
    "glm": {"shape-functions": ShapeFunctions()},
    "tree": {"tree-paths": TreePaths()},
}
"""By kind, the method that reads off the model itself what the others have to ask."""


ASKING = ("shapley", "occlusion", "lime")
"""The methods that only ask, for any model; `over` makes them."""


def over(background: Rows, seed: int = 0) -> dict[str, Method]:
    """The methods that only ask, by name: what is absent stands at rows of the background, or at its typical row."""
    columns, rows = background.values.shape[1], len(background)
    return {
        "shapley": Shapley(background=background, budget=max(BUDGET, 1 + rows * (1 + _FIRST * columns)), seed=seed),
        "occlusion": Occlusion(baseline=Typical(background)),
        "lime": Lime(background=background, seed=seed),
    }


@dataclass(frozen=True, kw_only=True)
class TableRecipe:
    """How a model of a table's rows is fitted and explained: `boosting` (trees that take categories and gaps as they
    are), `glm` and pruned `tree` (gaps filled with the median beside a column that says so, numbers scaled, levels
    spelled out), `mlp` on the same.

    Of a category with more than 100 levels the rarest are taken together. The methods speak of raw columns; absent ones
    stand at 50 training rows at most.
    """

    domain: RawTables
    kind: str
    task: Kind = "classification"

    def __post_init__(self) -> None:
        if self.kind not in MODELS:
            raise InputError(f"there is no model {self.kind!r} of tables; choose from {', '.join(MODELS)}")

    @property
    def name(self) -> str:
        return self.kind

    @property
    def methods(self) -> tuple[str, ...]:
        return (*OWN.get(self.kind, {}), *ASKING)

    @property
    def seeds_matter(self) -> bool:
        """Only the network starts from chance."""
        return self.kind == "mlp"

    def fit(self, examples: Sequence[Row], labels: np.ndarray, seed: int) -> "FittedTable":
        inputs, columns = self.domain.encode(examples), self.domain.columns
        table = _array(inputs, columns)
        make = _boosted if self.kind == "boosting" else _piped
        fitted = make(self, table, labels, seed)
        return FittedTable(self, OnCodes(adapt(fitted), columns), background_of(inputs, seed))


def background_of(inputs: Tensors, seed: int) -> Rows:
    """Training rows, as many as the budget allows for so many columns."""
    most = int(np.clip(BUDGET // (1 + _FIRST * inputs.values.shape[1]), FEWEST, BACKGROUND))
    return Rows(inputs.values, inputs.names, inputs.columns).some(most, seed)


@dataclass(frozen=True, eq=False)
class FittedTable:
    """A fitted model of rows: `model` is what the methods are given, `background` what stands for absence."""

    recipe: TableRecipe
    model: "OnCodes"
    background: Rows

    @property
    def target(self) -> Logit:
        """The logit of class 1, or the only output."""
        return Logit(1 if self.recipe.task == "classification" else 0)

    def predict(self, examples: Sequence[Row]) -> np.ndarray:
        target = self.target.of_log_odds() if self.model.log_odds else self.target
        return target(self.model.predict(self.recipe.domain.encode(examples))).double().numpy()

    def explained(self, examples: Sequence[Row], method: str) -> Explained:
        known = {**OWN.get(self.recipe.kind, {}), **over(self.background)}
        if method not in known:
            raise InputError(f"{method!r} does not fit a {self.recipe.kind}; choose from {', '.join(known)}")
        found = attribute(self.model, self.recipe.domain.encode(examples), known[method], self.target)
        return Explained(found, by_column(len(examples), len(self.recipe.domain.columns)))

    def explain(self, examples: Sequence[Row], method: str) -> list[np.ndarray]:
        return self.explained(examples, method).values()


def by_column(examples: int, columns: int) -> Features:
    """Every entry of a row as the part that it is."""
    entries = torch.arange(examples * columns)
    return Features(
        name="columns",
        rule="itself",
        owner=torch.arange(examples).repeat_interleave(columns),
        shares={"input": Share(entries, entries, torch.ones(len(entries)))},
    )


@dataclass(frozen=True, eq=False)
class OnCodes:
    """An adapted estimator of arrays, asked with a table's codes: NaN where a value is missing, legal codes else."""

    asked: Any
    columns: Columns

    @property
    def log_odds(self) -> bool:
        return getattr(self.asked, "log_odds", False)

    def missing(self, protocol: type) -> str | None:
        return lacks(self.asked, protocol)

    def predict(self, inputs: Inputs) -> Tensor:
        return self.asked.predict(self._coded(inputs))

    def terms(self, inputs: Inputs) -> Terms:
        return self.asked.terms(self._coded(inputs))

    def walk(self, inputs: Inputs, target: Target) -> Walk:
        return self.asked.walk(self._coded(inputs), target)

    def _coded(self, inputs: Inputs) -> Tensors:
        if not isinstance(inputs, Tensors):
            raise InputError(f"a model of rows takes a table, not {type(inputs).__name__}")
        return Tensors(torch.from_numpy(_array(inputs, self.columns)))


def _array(inputs: Tensors, columns: Columns) -> Float[np.ndarray, "rows columns"]:
    codes = as_codes(inputs.values)
    gone = codes >= LARGEST
    last = np.array([np.inf if c.levels is None else max(min(len(c.levels), MOST_LEVELS) - 1, 0) for c in columns.each])
    whole = ~columns.numbers | np.array([c.whole for c in columns.each], dtype=bool)
    legal = np.where(whole, np.rint(np.where(gone, 0, codes)), codes)
    return np.where(gone, np.nan, np.minimum(legal, last))


# --- estimators ---


def _boosted(recipe: TableRecipe, table: np.ndarray, labels: np.ndarray, seed: int) -> Any:
    """Trees that split categories by their levels and send gaps to either side."""
    kind = HistGradientBoostingClassifier if recipe.task == "classification" else HistGradientBoostingRegressor
    at_least = int(np.clip(len(labels) // 20, 5, 20))  # of few rows a leaf of 20 is none
    options: Any = {
        "categorical_features": np.flatnonzero(recipe.domain.columns.coded).tolist() or None,
        "min_samples_leaf": at_least,
        "learning_rate": 0.05,
        "max_leaf_nodes": 8,
        "early_stopping": False,
        "random_state": seed,
    }
    return kind(**options).fit(table, labels)


def _piped(recipe: TableRecipe, table: np.ndarray, labels: np.ndarray, seed: int) -> Pipeline:
    columns = recipe.domain.columns
    coded, numbers = np.flatnonzero(columns.coded).tolist(), np.flatnonzero(~columns.coded).tolist()
    filled = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    levels = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    pieces: list[Any] = [("numbers", make_pipeline(filled, StandardScaler()), numbers), ("levels", levels, coded)]
    spelled = ColumnTransformer([piece for piece in pieces if piece[2]])
    made = spelled.fit_transform(table)
    model = _of_numbers(recipe, made, labels, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a network that was stopped is a network all the same
        return Pipeline([("columns", spelled), ("model", model.fit(made, labels))])


def _of_numbers(recipe: TableRecipe, made: Any, labels: np.ndarray, seed: int) -> Any:
    of_classes = recipe.task == "classification"
    if recipe.kind == "glm" and of_classes:
        return GeneralizedLinearModel("binomial", "l2", 1.0, random_state=seed)
    if recipe.kind == "glm":
        chosen: Any = RidgeCV(PENALTIES).fit(made, labels).alpha_
        return GeneralizedLinearModel("gaussian", "l2", chosen, random_state=seed)
    if recipe.kind == "tree":
        # One seed for all: which folds prune it is no part of the question.
        return PrunedTreeClassifier(random_state=0) if of_classes else PrunedTreeRegressor(random_state=0)
    options: Any = {
        "hidden_layer_sizes": (32,),
        "alpha": 10.0,
        "solver": "lbfgs",
        "max_iter": 200,
        "random_state": seed,
    }
    if of_classes:
        return MLPClassifier(**options)
    return TransformedTargetRegressor(MLPRegressor(**options), transformer=StandardScaler())
