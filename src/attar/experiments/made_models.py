"""Models of made examples: by design on the raw entries, and small networks; with the methods that fit each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import RidgeCV
from torch import Tensor

from attar.adapters import adapt
from attar.adapters.torch import TorchModel
from attar.core.domain import MadeDomain
from attar.core.errors import InputError
from attar.core.features import Features, Share
from attar.core.inputs import Tensors
from attar.core.labels import Task as Kind
from attar.core.method import Method
from attar.core.recipe import Explained
from attar.core.target import Logit
from attar.core.windows import Windows
from attar.design.glm import GeneralizedLinearModel
from attar.design.tree import decision_tree
from attar.engine.train import train
from attar.experiments.made_networks import Build
from attar.methods.cam import CAM
from attar.methods.grad_cam import GradCAM
from attar.methods.grad_input import GradInput
from attar.methods.integrated_gradients import IntegratedGradients
from attar.methods.occlusion import Occlusion
from attar.methods.random_values import RandomValues
from attar.methods.shapley import Shapley
from attar.methods.smooth_grad import SmoothGrad
from attar.methods.tree_paths import TreePaths
from attar.methods.weight_times_input import WeightTimesInput
from attar.verb import attribute


@dataclass(frozen=True)
class Shape:
    """What suits a domain's arrays: the networks' kernel and stride, the windows that occlusion slides (None: each part
    alone), whether zero already means absent (one-hot letters and words) or inputs are standardised so that it is the
    training mean, and the models that are fitted; how many examples a leaderboard makes, and scores at most: fewer
    where a network is slow to train, or an example has many parts."""

    kernel: int
    stride: int
    windows: Windows | None
    one_hot: bool
    models: tuple[str, ...] = ("glm", "mlp", "cnn")
    made: int = 2000
    scored: int = 400


SHAPES: Mapping[str, Shape] = {
    "sequences": Shape(9, 1, Windows(shape=(5,), stride=(1,)), True),
    "texts": Shape(5, 1, Windows(shape=(1,), stride=(1,)), True),
    "waveforms": Shape(9, 2, Windows(shape=(16,), stride=(4,)), False),
    "images": Shape(5, 2, Windows(shape=(6, 6), stride=(2, 2)), False, scored=100),
    "volumes": Shape(3, 2, Windows(shape=(4, 4, 4), stride=(2, 2, 2)), False, made=1000, scored=50),
    "tables": Shape(1, 1, None, False, ("glm", "tree", "mlp")),
}


PENALTIES = tuple(10.0**k for k in range(7))  # of a GLM of numbers, to choose from


def methods_of(kind: str, windows: Windows | None) -> dict[str, Method]:
    """The methods that fit a kind of model, its own first."""
    occlusion = Occlusion() if windows is None else Occlusion(by=windows, on_rows=True)
    gradients: dict[str, Method] = {
        "integrated-gradients": IntegratedGradients(tolerance=0.05, budget=72),
        "gradient-input": GradInput(),
        "smooth-grad": SmoothGrad(),
    }
    ends: dict[str, Method] = {"occlusion": occlusion, "random": RandomValues()}
    match kind:
        case "glm":  # where losing a part one at a time says the same
            return {"weight-times-input": WeightTimesInput(), "random": RandomValues()}
        case "tree":
            return {"tree-paths": TreePaths(), **ends}
        case "mlp":
            sampled: dict[str, Method] = {"shapley": Shapley()} if windows is None else {}
            return {**gradients, **sampled, **ends}
        case "cnn":
            return {**gradients, "cam": CAM(), "grad-cam": GradCAM(), **ends}
    raise InputError(f"there is no model {kind!r}; choose from glm, tree, mlp, cnn")


@dataclass(frozen=True, kw_only=True)
class MadeRecipe:
    """How a model of a domain's made examples is fitted and explained: `glm`, `tree`, `mlp` or `cnn`.

    `strength` is the GLM's penalty; None: 1 for classes, and for numbers the one of least leave-one-out error among the
    training examples, without which a line through thousands of pixels predicts worse than their mean.
    """

    domain: MadeDomain
    kind: str
    task: Kind = "classification"
    epochs: int = 20
    strength: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in self.shape.models:
            raise InputError(
                f"there is no model {self.kind!r} of {self.domain.name}; choose from {', '.join(self.shape.models)}"
            )
        if self.epochs < 1:
            raise InputError(f"epochs is {self.epochs}, expected at least 1")

    @property
    def shape(self) -> Shape:
        return SHAPES[self.domain.name]

    @property
    def name(self) -> str:
        return self.kind

    @property
    def methods(self) -> tuple[str, ...]:
        return tuple(methods_of(self.kind, self.windows))

    @property
    def windows(self) -> Windows | None:
        """An estimator sees one long row, over which no windows of a grid slide."""
        return self.shape.windows if self.seeds_matter else None

    @property
    def seeds_matter(self) -> bool:
        """Only the networks start from chance."""
        return self.kind not in ("glm", "tree")

    def fit(self, examples: Sequence[Any], labels: np.ndarray, seed: int) -> "FittedMade":
        values = self.domain.encode(examples).values
        scaling = _Scaling.none(values) if self.shape.one_hot else _Scaling.of(values)
        inputs = Tensors(scaling(values))
        if self.seeds_matter:
            build = Build(self.kind, tuple(values.shape[1:]), self.shape.kernel, self.shape.stride)
            # Networks learn a standardised value; the label's own scale goes into the last, affine, step.
            centre, scale = (labels.mean(), labels.std() or 1.0) if self.task == "regression" else (0.0, 1.0)
            standard = torch.from_numpy((labels - centre) / scale)
            module = train(build, inputs, standard, task=self.task, epochs=self.epochs, seed=seed, learning_rate=4e-3)
            if self.task == "regression":
                module.rescale(scale, centre)  # type: ignore[operator]
            return FittedMade(self, TorchModel(module), scaling)
        table = inputs.values.flatten(1).double().numpy()
        if self.kind == "tree":
            estimator: Any = decision_tree(self.task, random_state=seed)
        elif self.task == "classification":
            estimator = GeneralizedLinearModel("binomial", "l2", self.strength or 1.0, random_state=seed)
        else:
            chosen: Any = self.strength or RidgeCV(PENALTIES).fit(table, labels).alpha_
            estimator = GeneralizedLinearModel("gaussian", "l2", chosen, random_state=seed)
        return FittedMade(self, estimator.fit(table, labels), scaling)


@dataclass(frozen=True, eq=False)
class FittedMade:
    """A fitted model of made examples. Its inputs are scaled as its training examples were."""

    recipe: MadeRecipe
    model: Any
    scaling: "_Scaling"

    def inputs(self, examples: Sequence[Any]) -> Tensors:
        encoded = self.recipe.domain.encode(examples)
        scaled = self.scaling(encoded.values)
        if not self.recipe.seeds_matter:
            scaled = scaled.flatten(1).double()
        return replace(encoded, values=scaled) if scaled.ndim == encoded.values.ndim else Tensors(scaled)

    @property
    def target(self) -> Logit:
        """The logit of class 1, or the only output."""
        by_class = not self.recipe.seeds_matter and self.recipe.task == "classification"
        return Logit(1 if by_class else 0)

    def predict(self, examples: Sequence[Any]) -> np.ndarray:
        inputs = self.inputs(examples)
        asked: Any = adapt(self.model)
        target = self.target.of_log_odds() if getattr(asked, "log_odds", False) else self.target
        chunks = [inputs.take(index) for index in torch.arange(len(inputs)).split(256)]
        return torch.cat([target(asked.predict(chunk)) for chunk in chunks]).double().numpy()

    def explained(self, examples: Sequence[Any], method: str) -> Explained:
        """The method's answer on the encoded entries, or on the places of a map, and how these make up the parts."""
        known = methods_of(self.recipe.kind, self.recipe.windows)
        if method not in known:
            raise InputError(f"{method!r} does not fit a {self.recipe.kind}; choose from {', '.join(known)}")
        found = attribute(self.model, self.inputs(examples), known[method], self.target)
        grid = tuple(self.recipe.domain.encode(examples[:1]).values.shape[1:])
        (array,) = found.parts.values()
        parts = grid if len(grid) == 1 else grid[1:]
        return Explained(found, _over_parts(array, parts, grid, self.recipe.domain.part))

    def explain(self, examples: Sequence[Any], method: str) -> list[np.ndarray]:
        return self.explained(examples, method).values()


@dataclass(frozen=True, eq=False)
class _Scaling:
    """Each channel (each column of a table) less its training mean, over its standard deviation."""

    mean: Tensor
    sd: Tensor

    @classmethod
    def of(cls, values: Tensor) -> "_Scaling":
        axes = [0, *range(2, values.ndim)]
        sd = values.std(axes, keepdim=True)
        return cls(values.mean(axes, keepdim=True), torch.where(sd > 0, sd, 1))

    @classmethod
    def none(cls, values: Tensor) -> "_Scaling":
        return cls(values.new_zeros(1), values.new_ones(1))

    def __call__(self, values: Tensor) -> Tensor:
        return (values - self.mean) / self.sd


def _over_parts(array: Tensor, parts: tuple[int, ...], grid: tuple[int, ...], name: str) -> Features:
    """What stands on an example's entries, carried to its parts: channels are summed, and a place of a coarser map
    gives each part that lies under it the same share."""
    count = int(np.prod(parts))
    shape = tuple(array.shape[1:])
    if np.prod(shape) == np.prod(grid):
        of_entry = torch.arange(count).repeat(int(np.prod(grid)) // count)
        entry, part, share, rule = torch.arange(len(of_entry)), of_entry, torch.ones(len(of_entry)), "channels summed"
    else:
        axes = [torch.arange(size) * cells // size for size, cells in zip(parts, shape, strict=True)]
        place = axes[0]
        for axis, cells in zip(axes[1:], shape[1:], strict=True):
            place = (place[..., None] * cells + axis).reshape(*place.shape, -1)
        entry, part = place.flatten(), torch.arange(count)
        share, rule = 1 / torch.bincount(entry)[entry], "map stretched over the parts"
    examples = torch.arange(len(array))
    rows = (examples[:, None] * int(np.prod(shape)) + entry).flatten()
    features = (examples[:, None] * count + part).flatten()
    owner = examples.repeat_interleave(count)
    shares = {"input": Share(features, rows, share.repeat(len(array)))}
    return Features(name=f"{name}s", rule=rule, owner=owner, shares=shares)
