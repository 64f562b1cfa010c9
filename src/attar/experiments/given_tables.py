"""A model of a table's rows that somebody else made: what it is asked, and whether it can be made again."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from attar.adapters import adapt
from attar.core.baseline import Rows
from attar.core.errors import AttarError, InputError
from attar.core.labels import Task as Kind
from attar.core.method import Method
from attar.core.model import Additive, TreeEnsemble, lacks
from attar.core.recipe import Explained
from attar.core.target import Difference, Logit, Target
from attar.domains.raw_tables.domain import RawTables
from attar.domains.raw_tables.truth import Row
from attar.experiments.factories import makes_models
from attar.experiments.table_models import ASKING, background_of, by_column, over
from attar.methods.shape_functions import ShapeFunctions
from attar.methods.tree_paths import TreePaths
from attar.verb import attribute

SAMPLE = 40  # rows that a fresh estimator is fitted to, to see what it can be asked


@dataclass(frozen=True, eq=False, kw_only=True)
class GivenTableRecipe:
    """Hands out a model as it is, or, where it is given a way to make one (a function without arguments, a class), a
    fresh one fitted to the rows as a data frame.

    A fitted estimator or Pipeline is asked with a data frame of raw columns, or with an array where it was fitted on
    one; a function with a data frame. It answers a number for each row, or one for each class; `positive` is the label
    that counts as 1, by which an estimator's class is found (the second of two, where it knows none of that name).
    """

    model: Any
    domain: RawTables
    task: Kind = "classification"
    positive: str | None = None
    name: str = "given"

    @property
    def makes(self) -> bool:
        """Whether a way to make a model was given, so that it can be made again on other data."""
        return makes_models(self.model)

    @property
    def seeds_matter(self) -> bool:
        return False

    @property
    def methods(self) -> tuple[str, ...]:
        if not self.makes:
            return tuple(_methods(_asked(self.model), None))
        places = np.linspace(0, len(self.domain.spread) - 1, SAMPLE).astype(int)
        rows = [tuple(row) for row in self.domain.spread[places].tolist()]
        return tuple(_methods(self.fit(rows, np.arange(SAMPLE) % 2.0, 0).asked, None))

    def fit(self, examples: Sequence[Row], labels: np.ndarray, seed: int) -> "FittedGivenTable":
        inputs = self.domain.encode(examples)
        model = self.model
        if self.makes:
            model = self.model()
            if not hasattr(model, "fit"):
                raise InputError(f"{self.name} makes a {type(model).__name__}, expected an estimator with fit")
            if "random_state" in getattr(model, "get_params", dict)():
                model.set_params(random_state=seed)
            classes = labels.astype(int) if self.task == "classification" else labels
            model = model.fit(inputs.frame(), classes)
        return FittedGivenTable(recipe=self, asked=_asked(model), background=background_of(inputs, seed), model=model)


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedGivenTable:
    """The model, `asked` as the methods are given it, and the training rows that stand for absence."""

    recipe: GivenTableRecipe
    asked: Any
    background: Rows
    model: Any

    def predict(self, examples: Sequence[Row]) -> np.ndarray:
        outputs = self._outputs(examples)
        target = self._target(outputs)
        return (target.of_log_odds() if self._by_class else target)(outputs).double().numpy()

    def explained(self, examples: Sequence[Row], method: str) -> Explained:
        known = _methods(self.asked, self.background)
        if method not in known:
            raise InputError(f"{method!r} does not fit the model that was given; choose from {', '.join(known)}")
        target = self._target(self._outputs(examples[:2]))
        chosen: Any = known[method]
        found = attribute(self.asked, self.recipe.domain.encode(examples), chosen, target)
        return Explained(found, by_column(len(examples), len(self.recipe.domain.columns)))

    def explain(self, examples: Sequence[Row], method: str) -> list[np.ndarray]:
        return self.explained(examples, method).values()

    @property
    def _by_class(self) -> bool:
        return bool(getattr(self.asked, "log_odds", False))

    def _outputs(self, examples: Sequence[Row]) -> Tensor:
        inputs = self.recipe.domain.encode(examples)
        try:
            return torch.cat([self.asked.predict(inputs.take(k)) for k in torch.arange(len(inputs)).split(4096)])
        except AttarError:
            raise
        except Exception as problem:
            said = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
            raise InputError(f"the model does not take the rows as a data frame: {said}") from problem

    def _target(self, outputs: Tensor) -> Target:
        """What speaks for the label that counts as 1, or the only output."""
        if outputs.ndim != 2:
            raise InputError(f"the model answers {tuple(outputs.shape[1:])} for a row, expected numbers")
        if outputs.shape[1] == 1:
            return Logit(0)
        place = self._place(outputs.shape[1])
        if outputs.shape[1] > 2 or self._by_class:
            return Logit(place)
        return Difference(Logit(place), Logit(1 - place))

    def _place(self, count: int) -> int:
        classes = [_plain(each) for each in getattr(self.model, "classes_", ())]
        wanted = None if self.recipe.positive is None else _plain(self.recipe.positive)
        if wanted in classes:
            return classes.index(wanted)
        if count == 2:
            return 1
        raise InputError(
            f"the model answers {count} numbers for a row and knows no class {self.recipe.positive!r}: name one of its "
            "classes with --positive, or give a model of two classes"
        )


def columns_of(model: Any) -> tuple[str, ...] | None:
    """The columns that a fitted model takes, where it says so."""
    names = None if inspect.isclass(model) else getattr(model, "feature_names_in_", None)
    return None if names is None else tuple(map(str, names))


def _asked(model: Any) -> Any:
    if isinstance(model, torch.nn.Module):
        raise InputError("a torch module takes no data frame: give a function of a data frame that asks it")
    return adapt(model)


def _methods(asked: Any, background: Rows | None) -> dict[str, Method | None]:
    """By name, the model's own first; without a background only the names count."""
    own: dict[str, Method | None] = {}
    if lacks(asked, Additive) is None:
        own["shape-functions"] = ShapeFunctions()
    elif lacks(asked, TreeEnsemble) is None:
        own["tree-paths"] = TreePaths()
    asking: dict[str, Method | None] = dict.fromkeys(ASKING) if background is None else {**over(background)}
    return {**own, **asking}


def _plain(value: Any) -> str:
    """As labels are compared: capitals and the way a number is written make no difference."""
    word = str(value).strip().lower()
    try:
        return f"{float(word):.17g}"
    except ValueError:
        return {"true": "1", "false": "0"}.get(word, word)
