"""Models of molecules that the audit fits: by design on the bag of subgraphs, and networks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from sklearn.base import BaseEstimator

from attar.adapters.sklearn import rows_of_table
from attar.adapters.torch import TorchModel
from attar.core.errors import InputError
from attar.core.features import Features
from attar.core.inputs import Inputs
from attar.core.method import Method
from attar.core.recipe import Explained
from attar.core.target import Logit
from attar.design.glm import GeneralizedLinearModel
from attar.design.tree import decision_tree
from attar.domains.molecules.bag import Vocabulary
from attar.domains.molecules.graphs import ATOM_FEATURES, BOND_FEATURES, molecule_graphs
from attar.domains.molecules.molecule import LARGEST_RADIUS, Molecule
from attar.domains.molecules.networks import BagMLP, Build, GraphNetwork, graph_model
from attar.domains.molecules.perturb import (
    AtomsOnly,
    Centre,
    Mask,
    MaskOccurrences,
    Receivers,
    Spread,
    WithBonds,
)
from attar.engine.train import train
from attar.methods.attention_weights import AttentionWeights
from attar.methods.cam import CAM
from attar.methods.grad_cam import GradCAM
from attar.methods.grad_input import GradInput
from attar.methods.integrated_gradients import IntegratedGradients
from attar.methods.occlusion import Occlusion
from attar.methods.random_values import RandomValues
from attar.methods.smooth_grad import SmoothGrad
from attar.methods.tree_paths import TreePaths
from attar.methods.weight_times_input import WeightTimesInput
from attar.verb import attribute

Task = Literal["classification", "regression"]
Carry = Callable[[Inputs], Features]

SUBGRAPH_RULES: dict[str, Carry] = {
    "spread": Spread(),
    "centre": Centre(),
    "mask": Mask(),
    "mask-occurrences": MaskOccurrences(),
}
BOND_RULES: dict[str, Carry] = {"receivers": Receivers(), "none": AtomsOnly()}

ON_BAG: dict[str, Method] = {
    "integrated-gradients": IntegratedGradients(tolerance=0.02, budget=72),
    "gradient-input": GradInput(),
    "smooth-grad": SmoothGrad(),
    "occlusion": Occlusion(by=Mask()),
    "occlusion-occurrences": Occlusion(by=MaskOccurrences()),
    "random": RandomValues(),
}
ON_GRAPH: dict[str, Method] = {
    "cam": CAM(),
    "integrated-gradients": IntegratedGradients(tolerance=0.05, budget=72),
    "gradient-input": GradInput(),
    "smooth-grad": SmoothGrad(),
    "grad-cam": GradCAM(),
    "grad-cam-all": GradCAM(every_layer=True),
    "occlusion": Occlusion(by=WithBonds()),
    "random": RandomValues(),
}
METHODS_OF: dict[str, dict[str, Method]] = {
    "glm": {"weight-times-input": WeightTimesInput(), **ON_BAG},
    "tree": {
        "tree-paths": TreePaths(),
        **{name: ON_BAG[name] for name in ("occlusion", "occlusion-occurrences", "random")},
    },
    "mlp": ON_BAG,
    "gcn": ON_GRAPH,
    "gat": {**ON_GRAPH, "attention-weights": AttentionWeights()},
    "mpnn": ON_GRAPH,
    "graphnets": ON_GRAPH,
}

LEARNING_RATE = {"graphnets": 5e-4}
"""By kind, where the other networks' 1.5e-3 is too fast: at that rate one GraphNets in three does not learn logic10
(`bench/graph_networks.py`)."""


@dataclass(frozen=True, kw_only=True)
class MoleculeRecipe:
    """How a model of molecules is fitted and explained. `kind` is a key of `METHODS_OF`.

    Bags hold the unhashed circular subgraphs up to `radius` that occur in at least `at_least` training molecules,
    as presences or counts, or folded to `bits` columns. `penalty` and `strength` are the GLM's; `epochs` the
    graph networks' (an MLP learns in half as many), `learning_rate` all networks' (None: as `LEARNING_RATE` says).
    Attributions are carried to atoms by `subgraphs` and `bonds`,
    named in every result. Raises `InputError` for options that cannot be.
    """

    kind: str
    task: Task = "classification"
    radius: int = 2
    at_least: int = 2
    presence: bool = True
    bits: int | None = None
    penalty: Literal["l1", "l2"] = "l2"
    strength: float = 3.0
    epochs: int = 30
    learning_rate: float | None = None
    subgraphs: str = "spread"
    bonds: str = "receivers"

    def __post_init__(self) -> None:
        for value, known, what in (
            (self.kind, METHODS_OF, "model"),
            (self.subgraphs, SUBGRAPH_RULES, "rule from subgraphs to atoms"),
            (self.bonds, BOND_RULES, "rule from bonds to atoms"),
        ):
            if value not in known:
                raise InputError(f"there is no {what} {value!r}; choose from {', '.join(known)}")
        for good, said in (
            (0 <= self.radius <= LARGEST_RADIUS, f"radius is {self.radius}, expected 0 to {LARGEST_RADIUS}"),
            (self.at_least >= 1, f"at_least is {self.at_least}, expected at least 1"),
            (self.bits is None or self.bits >= 16, f"bits is {self.bits}, expected at least 16 (2048 is usual)"),
            (self.penalty in ("l1", "l2"), f"penalty is {self.penalty!r}, expected l1 or l2"),
            (self.strength > 0, f"strength is {self.strength}, expected a positive number"),
            (self.epochs >= 1, f"epochs is {self.epochs}, expected at least 1"),
            (
                self.learning_rate is None or self.learning_rate > 0,
                f"learning_rate is {self.learning_rate}, expected a positive number",
            ),
        ):
            if not good:
                raise InputError(said)

    @property
    def name(self) -> str:
        return self.kind

    @property
    def methods(self) -> tuple[str, ...]:
        return tuple(METHODS_OF[self.kind])

    @property
    def seeds_matter(self) -> bool:
        """Whether another seed gives another model: only the networks start from chance."""
        return self.kind not in ("glm", "tree")

    def fit(self, examples: Sequence[Molecule], labels: np.ndarray, seed: int) -> "FittedMolecules":
        if self.kind in ("glm", "tree", "mlp"):
            return self._fit_bag(examples, labels, seed)
        return self._fit_graph(examples, labels, seed)

    def _fit_bag(self, examples: Sequence[Molecule], labels: np.ndarray, seed: int) -> "FittedMolecules":
        vocabulary = Vocabulary.of(
            examples, radius=self.radius, presence=self.presence, folded=self.bits, at_least=self.at_least
        )
        if not len(vocabulary):
            raise InputError(f"no subgraph occurs in {self.at_least} training molecules: nothing to learn from")
        bag = vocabulary.bag(examples)
        if self.kind == "mlp":
            module = self._trained(Build(BagMLP, (len(vocabulary),)), bag, labels, seed)
            return FittedMolecules(self, TorchModel(module), vocabulary)
        if self.kind == "tree":
            estimator: Any = decision_tree(self.task, random_state=seed)
        else:
            family = "binomial" if self.task == "classification" else "gaussian"
            estimator = GeneralizedLinearModel(family, self.penalty, self.strength, random_state=seed)
        return FittedMolecules(self, estimator.fit(rows_of_table(bag), labels), vocabulary)

    def _fit_graph(self, examples: Sequence[Molecule], labels: np.ndarray, seed: int) -> "FittedMolecules":
        build = Build(GraphNetwork, (self.kind, len(ATOM_FEATURES), len(BOND_FEATURES)))
        module = self._trained(build, molecule_graphs(examples), labels, seed)
        return FittedMolecules(self, graph_model(module), None)

    def _trained(self, build: Build, inputs: Inputs, labels: np.ndarray, seed: int) -> Any:
        """Networks learn a standardised value; the label's own scale goes into a last affine step."""
        centre, scale = (labels.mean(), labels.std() or 1.0) if self.task == "regression" else (0.0, 1.0)
        standard = torch.from_numpy((labels - centre) / scale)
        epochs = max(1, self.epochs // 2) if self.kind == "mlp" else self.epochs
        rate = LEARNING_RATE.get(self.kind, 1.5e-3) if self.learning_rate is None else self.learning_rate
        module = train(build, inputs, standard, task=self.task, epochs=epochs, learning_rate=rate, seed=seed)
        if self.task == "regression":
            module.rescale(scale, centre)  # type: ignore[operator]
        return module


@dataclass(frozen=True, eq=False)
class FittedMolecules:
    """A fitted model of molecules: `model` is what the methods are given, `vocabulary` its columns (bags only)."""

    recipe: MoleculeRecipe
    model: TorchModel | BaseEstimator
    vocabulary: Vocabulary | None

    def inputs(self, examples: Sequence[Molecule]) -> Inputs:
        return molecule_graphs(examples) if self.vocabulary is None else self.vocabulary.bag(examples)

    @property
    def target(self) -> Logit:
        """The logit of class 1, or the only output."""
        two_outputs = self.recipe.kind in ("glm", "tree") and self.recipe.task == "classification"
        return Logit(1) if two_outputs else Logit(0)

    def predict(self, examples: Sequence[Molecule]) -> np.ndarray:
        from attar.adapters import adapt

        inputs = self.inputs(examples)
        if isinstance(self.model, TorchModel):
            chunks = [inputs.take(i) for i in torch.arange(len(inputs)).split(512)]
            return torch.cat([self.model.predict(c)[:, 0] for c in chunks]).double().numpy()
        return self.target(adapt(self.model).predict(inputs)).double().numpy()  # type: ignore[attr-defined]

    def explained(self, examples: Sequence[Molecule], method: str) -> Explained:
        """The method's answer on subgraphs, or on atoms and bonds, and the recipe's rule from these to atoms."""
        known = METHODS_OF[self.recipe.kind]
        if method not in known:
            raise InputError(f"{method!r} does not fit a {self.recipe.kind}; choose from {', '.join(known)}")
        inputs = self.inputs(examples)
        found = attribute(self.model, inputs, known[method], self.target)
        if found.carried_by is not None:  # occlusion by atoms has carried it already
            return Explained(found)
        rule = BOND_RULES[self.recipe.bonds] if self.vocabulary is None else SUBGRAPH_RULES[self.recipe.subgraphs]
        return Explained(found, rule(inputs))

    def explain(self, examples: Sequence[Molecule], method: str) -> list[np.ndarray]:
        return self.explained(examples, method).values()
