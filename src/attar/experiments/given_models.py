"""A model of molecules that somebody else made: what it takes, what it is asked, and whether it can be made again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from attar.adapters import adapt
from attar.adapters.function import rows_of_outputs
from attar.core.attribution import Attribution
from attar.core.error import exact
from attar.core.errors import AttarError, InputError
from attar.core.inputs import Inputs, SparseRows, Tensors
from attar.core.labels import Task as Kind
from attar.core.method import Method
from attar.core.model import Differentiable, Linear, TreeEnsemble, lacks
from attar.core.parts import Parts
from attar.core.recipe import Explained
from attar.core.target import Difference, Logit, Target
from attar.domains.molecules.bag import Vocabulary
from attar.domains.molecules.edit import detached, rings, saturated, substituents
from attar.domains.molecules.graphs import ATOM_FEATURES, BOND_FEATURES, molecule_graphs
from attar.domains.molecules.molecule import Molecule
from attar.domains.molecules.perturb import Mask, Receivers, Spread, WithBonds
from attar.engine.train import train
from attar.experiments.factories import makes_models, required
from attar.methods.integrated_gradients import IntegratedGradients
from attar.methods.occlusion import Occlusion
from attar.methods.tree_paths import TreePaths
from attar.methods.weight_times_input import WeightTimesInput
from attar.verb import attribute


@dataclass(frozen=True, eq=False, kw_only=True)
class GivenRecipe:
    """Hands out a model as it is, or, where it is given a way to make one (a function without arguments), a fresh one
    fitted to the examples.

    An estimator that knows its number of columns is given folded Morgan fingerprints of that many bits (radius,
    presence or counts as here; RDKit's own), any other a list of SMILES. A torch module is given a batch of graphs if
    its `forward` takes (x, edge_index, edge_attr, batch), in the features of `attar.domains.molecules.graphs`, and
    fingerprints if it takes one argument. A function is given a list of SMILES; it answers a number for each, or one
    for each class. Raises `InputError` for anything else.
    """

    model: Any
    task: Kind = "classification"
    radius: int = 2
    presence: bool = True
    bits: int = 2048
    epochs: int = 30
    name: str = "given"

    @property
    def makes(self) -> bool:
        """Whether a way to make a model was given, so that it can be made again on other data."""
        return makes_models(self.model)

    @property
    def seeds_matter(self) -> bool:
        return self.makes and isinstance(self.model(), nn.Module)

    @property
    def methods(self) -> tuple[str, ...]:
        return self._asked(self._sample() if self.makes else self.model).methods

    def _sample(self) -> Any:
        """What the way to make one makes; an estimator is fitted to next to nothing, to see what it can be asked."""
        model = self.model()
        if isinstance(model, nn.Module) or not hasattr(model, "fit"):
            return model
        generator = np.random.default_rng(0)
        rows = generator.integers(0, 2, (20, self.bits)).astype(float)
        return model.fit(rows, np.arange(20) % 2)

    def fit(self, examples: Sequence[Molecule], labels: np.ndarray, seed: int) -> "FittedGiven":
        if not self.makes:
            return self._asked(self.model)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = self.model()
        asked = self._asked(model)
        if isinstance(model, nn.Module):
            target = torch.from_numpy(labels)
            inputs = asked.inputs(examples)
            learner = OnBag(model, asked.bits) if asked.takes == "bits" else model
            train(lambda: learner, inputs, target, task=self.task, epochs=self.epochs, seed=seed)
            return self._asked(model.eval())
        if not hasattr(model, "fit"):
            raise InputError(f"{self.name} makes a {type(model).__name__}, expected a torch module or an estimator")
        if hasattr(model, "random_state"):
            model.set_params(random_state=seed)
        classes = labels.astype(int) if self.task == "classification" else labels
        if asked.takes == "smiles":
            return self._asked(model.fit([m.smiles for m in examples], classes))
        bag = asked.inputs(examples)
        table = bag.dense().numpy() if isinstance(bag, SparseRows) else bag
        return self._asked(model.fit(table, classes))

    def _asked(self, model: Any) -> "FittedGiven":
        if isinstance(model, nn.Module):
            wanted = required(model.forward)
            if len(wanted) == 1:
                first = next((m for m in model.modules() if isinstance(m, nn.Linear)), None)
                bits = self.bits if first is None else first.in_features
                return FittedGiven(recipe=self, model=model, takes="bits", bits=bits)
            return FittedGiven(recipe=self, model=model, takes="graphs")
        if hasattr(model, "predict") or hasattr(model, "fit"):
            bits = getattr(model, "n_features_in_", self.bits if self.makes else None)
            if bits is None:
                return FittedGiven(recipe=self, model=_answers(model), takes="smiles")
            return FittedGiven(recipe=self, model=model, takes="bits", bits=int(bits))
        if callable(model):
            return FittedGiven(recipe=self, model=model, takes="smiles")
        raise InputError(
            f"{self.name} is a {type(model).__name__}, expected a torch module, a scikit-learn estimator, a function "
            "over a list of SMILES, or a function without arguments that makes one of these"
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedGiven:
    """The model and what it takes: `bits` of a fingerprint, `graphs` or `smiles`."""

    recipe: GivenRecipe
    model: Any
    takes: Literal["bits", "graphs", "smiles"]
    bits: int = 0

    def inputs(self, examples: Sequence[Molecule]) -> Inputs:
        if self.takes == "graphs":
            return molecule_graphs(examples)
        options = {"radius": self.recipe.radius, "presence": self.recipe.presence, "folded": self.bits}
        return Vocabulary.of((), **options).bag(examples)

    @property
    def asked(self) -> Any:
        """What the methods are given."""
        if self.takes == "graphs":
            return adapt(self.model)
        if isinstance(self.model, nn.Module):
            return adapt(OnBag(self.model, self.bits).eval())
        found: Any = adapt(self.model)
        try:
            found.predict(self.inputs([Molecule.of("CCO")]))
        except (TypeError, ValueError, AttarError):  # many estimators take no sparse table
            return DenseEstimator(found, self.bits)
        return found

    @property
    def methods(self) -> tuple[str, ...]:
        return tuple(self._methods())

    def _methods(self) -> dict[str, Method | None]:
        """By name, the model's own first; None: by edited molecules."""
        if self.takes == "smiles":
            return {"group-occlusion": None}
        asked = self.asked
        occlusion: dict[str, Method | None] = {
            "occlusion": Occlusion(by=WithBonds() if self.takes == "graphs" else Mask())
        }
        if lacks(asked, Linear) is None:
            return {"weight-times-input": WeightTimesInput(), **occlusion}
        if lacks(asked, TreeEnsemble) is None:
            return {"tree-paths": TreePaths(), **occlusion}
        if lacks(asked, Differentiable) is None:
            return {"integrated-gradients": IntegratedGradients(tolerance=0.05, budget=72), **occlusion}
        return occlusion

    def _target(self, asked: Any, outputs: Tensor) -> Target:
        if outputs.shape[1] == 1:
            return Logit(0)
        if outputs.shape[1] != 2:
            raise InputError(
                f"the model answers {outputs.shape[1]} numbers for a molecule, expected one, or two classes"
            )
        by_class = getattr(asked, "log_odds", False)
        return Logit(1) if by_class else Difference(Logit(1), Logit(0))

    def predict(self, examples: Sequence[Molecule]) -> np.ndarray:
        if self.takes == "smiles":
            return self._scores([m.smiles for m in examples])
        asked = self.asked
        answers = []
        for some in torch.arange(len(examples)).split(512):
            inputs = self.inputs([examples[k] for k in some.tolist()])
            outputs = self._outputs(asked, inputs)
            target = self._target(asked, outputs)
            answers.append((target.of_log_odds() if getattr(asked, "log_odds", False) else target)(outputs))
        return torch.cat(answers).double().numpy()

    def explained(self, examples: Sequence[Molecule], method: str) -> Explained:
        known = self._methods()
        if method not in known:
            raise InputError(f"{method!r} does not fit the model that was given; choose from {', '.join(known)}")
        chosen = known[method]
        if chosen is None:
            return Explained(self._without_groups(examples))
        asked, inputs = self.asked, self.inputs(examples)
        target = self._target(asked, self._outputs(asked, inputs.take(torch.arange(min(2, len(inputs))))))
        found = attribute(asked, inputs, chosen, target)
        if found.carried_by is not None:
            return Explained(found)
        return Explained(found, (Receivers() if self.takes == "graphs" else Spread())(inputs))

    def explain(self, examples: Sequence[Molecule], method: str) -> list[np.ndarray]:
        return self.explained(examples, method).values()

    def _outputs(self, asked: Any, inputs: Inputs) -> Tensor:
        try:
            return asked.predict(inputs)
        except AttarError:
            raise
        except Exception as problem:
            what = f"fingerprints of {self.bits} bits" if self.takes == "bits" else _GRAPHS
            said = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
            raise InputError(f"the model does not take {what}: {said}") from problem

    def _scores(self, smiles: list[str]) -> np.ndarray:
        try:
            answer = self.model(smiles)
        except Exception as problem:
            said = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
            raise InputError(f"the model does not take a list of SMILES: {type(problem).__name__}: {said}") from problem
        return rows_of_outputs(answer, len(smiles))[:, -1].double().numpy()

    def _without_groups(self, examples: Sequence[Molecule]) -> Attribution:
        """An atom's value is what the groups that hold it count for, each spread over its atoms, their mean: the answer
        less the answer without the group (a substituent gone, a ring made cyclohexane), so that only molecules are
        asked about. Atoms that no group holds have 0."""
        edits: list[tuple[int, frozenset[int], str]] = []
        for k, molecule in enumerate(examples):
            for group in substituents(molecule):
                if (edited := detached(molecule, group.parts)) is not None:
                    edits.append((k, group.parts, edited.smiles))
            for ring in rings(molecule):
                if (edited := saturated(molecule, ring.parts)) is not None and edited.smiles != molecule.smiles:
                    edits.append((k, ring.parts, edited.smiles))
        whole = self._scores([m.smiles for m in examples])
        less = self._scores([smiles for _, _, smiles in edits]) if edits else np.zeros(0)
        values = [np.zeros(m.size) for m in examples]
        counts = [np.zeros(m.size) for m in examples]
        for (k, parts, _), answer in zip(edits, less, strict=True):
            atoms = sorted(parts)
            values[k][atoms] += (whole[k] - answer) / len(atoms)
            counts[k][atoms] += 1
        each = [v / np.maximum(c, 1) for v, c in zip(values, counts, strict=True)]
        sizes = torch.tensor([m.size for m in examples])
        edited = torch.tensor([k for k, _, _ in edits], dtype=torch.long)
        return Attribution(
            parts=Parts({"atoms": torch.from_numpy(np.concatenate(each))}),
            owners={"atoms": torch.arange(len(examples)).repeat_interleave(sizes)},
            output=torch.from_numpy(whole),
            error=exact(len(examples)),
            evaluations=1
            + torch.bincount(torch.tensor([k for k, _, _ in edits], dtype=torch.long), minlength=len(examples)),
            method="group occlusion",
            carried_by="groups that hold the atom, their mean",
        )


class OnBag(nn.Module):
    """A module of dense fingerprints, asked with sparse ones, so that their entries can be attributed."""

    def __init__(self, module: nn.Module, bits: int) -> None:
        super().__init__()
        self.module, self.bits = module, bits

    def forward(self, counts: Tensor, columns: Tensor, rows: Tensor, size: int) -> Tensor:
        dense = counts.new_zeros(size, self.bits).index_put((rows, columns), counts, accumulate=True)
        return self.module(dense)


@dataclass(frozen=True, eq=False)
class DenseEstimator:
    """An adapted estimator that takes no sparse tables, asked with dense ones."""

    asked: Any
    bits: int

    @property
    def log_odds(self) -> bool:
        return getattr(self.asked, "log_odds", False)

    def predict(self, inputs: SparseRows) -> Tensor:
        return self.asked.predict(Tensors(inputs.dense()))


_GRAPHS = (
    f"graphs of {len(ATOM_FEATURES)} atom and {len(BOND_FEATURES)} bond features as (x, edge_index, edge_attr, batch), "
    "see attar.domains.molecules.graphs"
)


def _answers(model: Any) -> Callable[[list[str]], np.ndarray]:
    """An estimator that takes SMILES themselves, as a function."""
    for name in ("predict_proba", "decision_function", "predict"):
        if hasattr(model, name):
            return getattr(model, name)
    raise InputError(
        f"a {type(model).__name__} has nothing to ask: expected predict_proba, decision_function or predict"
    )
