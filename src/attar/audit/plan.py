"""What an audit does: which models, methods, ladders and decoys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from attar.core.domain import MadeDomain
from attar.core.errors import InputError
from attar.core.labels import Task as Kind
from attar.core.recipe import Recipe
from attar.domains.molecules.networks import BLOCKS
from attar.domains.molecules.split import cluster_split
from attar.experiments.given_models import GivenRecipe
from attar.experiments.made_models import SHAPES, MadeRecipe
from attar.experiments.molecule_models import METHODS_OF, MoleculeRecipe
from attar.experiments.task import Task
from attar.pitfalls.imperfect_model import FLIPS, Step, fewer, noisier
from attar.pitfalls.spurious_correlation import SHARES

DECOYS = {"chlorine": "*Cl", "morpholine": "*N1CCOCC1", "sulfonamide": "*S(N)(=O)=O"}


class AuditPlan(Protocol):
    """Everything an audit can be told, whatever the domain; its repr is the provenance.

    The first of `models` is the one that the verdict is about.
    """

    @property
    def models(self) -> tuple[str, ...]: ...

    @property
    def seed(self) -> int: ...

    @property
    def seeds(self) -> int: ...

    @property
    def flips(self) -> tuple[float, ...]: ...

    @property
    def shares(self) -> tuple[float, ...]: ...

    @property
    def workers(self) -> int | None: ...

    @property
    def makes(self) -> bool:
        """Whether its models can be made again on other data."""
        ...

    @property
    def ladder_kind(self) -> str:
        """The model that ladders and decoys are run on."""
        ...

    def steps(self, task: Kind) -> list[Step]:
        """The rungs of the ladder of ever worse models of that kind."""
        ...

    @property
    def groups(self) -> Mapping[str, str]:
        """The decoys to plant: by name, the group that the domain's editor inserts."""
        ...

    def recipe(self, kind: str, task: Kind) -> Recipe: ...

    def methods_of(self, kind: str) -> tuple[str, ...]:
        """The methods to run on a model, its own first; the random baseline is chance, measured apart."""
        ...

    def cost(self, kind: str) -> float:
        """Roughly the seconds that a fit takes."""
        ...

    def quick(self, kind: str) -> bool:
        """Whether it is also fitted on the tasks beside the main one."""
        ...

    def unlike(self, task: Task) -> np.ndarray | None:
        """A mask of test examples unlike those that are left for training; None where there is no such split."""
        ...


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything an audit of molecules can be told; its repr is the provenance.

    The first of `models` is the one that the verdict is about; ladders and decoys are run on it if it is a GLM or a
    tree, else on a GLM. `methods` None: all that fit each model. Networks are fitted with `seeds` seeds. Options from
    `radius` on are those of `MoleculeRecipe`. Raises `InputError` for names and numbers that cannot be.
    """

    models: tuple[str, ...] = ("glm", "tree", "mlp", "gcn")
    methods: tuple[str, ...] | None = None
    seed: int = 0
    seeds: int = 3
    flips: tuple[float, ...] = FLIPS
    decoys: tuple[str, ...] = tuple(DECOYS)
    shares: tuple[float, ...] = SHARES
    radius: int = 2
    at_least: int = 2
    presence: bool = True
    bits: int | None = None
    penalty: str = "l2"
    strength: float = 3.0
    epochs: int = 30
    subgraphs: str = "spread"
    bonds: str = "receivers"
    workers: int | None = None

    def __post_init__(self) -> None:
        if not self.models:
            raise InputError(f"no model to audit; choose from {', '.join(METHODS_OF)}")
        for value, known, what in [
            *((m, METHODS_OF, "model") for m in self.models),
            *((m, _every_method(), "method") for m in self.methods or ()),
            *((d, DECOYS, "decoy") for d in self.decoys),
        ]:
            if value not in known:
                raise InputError(f"there is no {what} {value!r}; choose from {', '.join(known)}")
        _check_counts(self.seeds, self.workers)
        for kind in self.models:
            if not self.methods_of(kind):
                fitting = ", ".join(m for m in METHODS_OF[kind] if m != "random")
                raise InputError(f"none of {', '.join(self.methods or ())} fits a {kind}; it takes {fitting}")
        self.recipe(self.models[0], "classification")

    def recipe(self, kind: str, task: Kind) -> MoleculeRecipe:
        return MoleculeRecipe(
            kind=kind,
            task=task,
            radius=self.radius,
            at_least=self.at_least,
            presence=self.presence,
            bits=self.bits,
            penalty=self.penalty,  # type: ignore[arg-type]
            strength=self.strength,
            epochs=self.epochs,
            subgraphs=self.subgraphs,
            bonds=self.bonds,
        )

    def methods_of(self, kind: str) -> tuple[str, ...]:
        """The methods to run on a model, its own first; the random baseline is chance, measured apart."""
        wanted = self.methods or tuple(METHODS_OF[kind])
        return tuple(m for m in METHODS_OF[kind] if m in wanted and m != "random")

    @property
    def makes(self) -> bool:
        return True

    @property
    def ladder_kind(self) -> str:
        return self.models[0] if self.models[0] in ("glm", "tree") else "glm"

    def steps(self, task: Kind) -> list[Step]:
        """Noisier labels, fewer molecules, smaller subgraphs."""
        recipe = self.recipe(self.ladder_kind, task)
        smaller = [Step(name="smaller subgraphs", recipe=replace(recipe, radius=r)) for r in range(self.radius)]
        return _steps(recipe, self.flips, smaller)

    @property
    def groups(self) -> Mapping[str, str]:
        return {name: DECOYS[name] for name in self.decoys}

    def cost(self, kind: str) -> float:
        return _COST[kind]

    def quick(self, kind: str) -> bool:
        return kind not in BLOCKS

    def unlike(self, task: Task) -> np.ndarray | None:
        """Whole clusters, as new chemistry is."""
        try:
            return cluster_split(task.examples, task.labels, seed=self.seed)
        except InputError:
            return None


_COST = {"glm": 2, "tree": 2, "mlp": 6, "gcn": 20, "gat": 22, "mpnn": 24, "graphnets": 36}


@dataclass(frozen=True, kw_only=True)
class MadePlan:
    """Everything an audit of made examples can be told; its repr is the provenance. `decoys` are groups by their name
    in the domain. Raises `InputError` for a model that the domain has not."""

    domain: MadeDomain
    models: tuple[str, ...] = ("glm",)
    methods: tuple[str, ...] | None = None
    seed: int = 0
    seeds: int = 3
    flips: tuple[float, ...] = FLIPS
    decoys: tuple[str, ...] = ()
    shares: tuple[float, ...] = SHARES
    epochs: int = 20
    workers: int | None = None

    def __post_init__(self) -> None:
        if not self.models:
            raise InputError(f"no model to audit; choose from {', '.join(SHAPES[self.domain.name].models)}")
        _check_counts(self.seeds, self.workers)
        for kind in self.models:
            if not self.methods_of(kind):
                fitting = ", ".join(m for m in self.recipe(kind, "classification").methods if m != "random")
                raise InputError(f"none of {', '.join(self.methods or ())} fits a {kind}; it takes {fitting}")

    def recipe(self, kind: str, task: Kind) -> MadeRecipe:
        return MadeRecipe(domain=self.domain, kind=kind, task=task, epochs=self.epochs)

    def methods_of(self, kind: str) -> tuple[str, ...]:
        known = self.recipe(kind, "classification").methods
        return tuple(m for m in known if m in (self.methods or known) and m != "random")

    @property
    def makes(self) -> bool:
        return True

    @property
    def ladder_kind(self) -> str:
        return self.models[0]

    def steps(self, task: Kind) -> list[Step]:
        """Noisier labels, fewer examples, networks that are stopped early."""
        recipe = self.recipe(self.ladder_kind, task)
        epochs = sorted({1, max(1, self.epochs // 5)} - {self.epochs}) if recipe.seeds_matter else []
        stopped = [Step(name="stopped early", recipe=replace(recipe, epochs=e)) for e in epochs]
        return _steps(recipe, self.flips, stopped)

    @property
    def groups(self) -> Mapping[str, str]:
        return {name: name for name in self.decoys}

    def cost(self, kind: str) -> float:
        return {"glm": 2.0, "tree": 1.0, "mlp": 6.0}.get(kind, 20.0)

    def quick(self, kind: str) -> bool:
        return kind != "cnn"

    def unlike(self, task: Task) -> np.ndarray | None:  # noqa: ARG002
        return None


@dataclass(frozen=True, kw_only=True)
class GivenPlan:
    """What an audit does with a model of molecules that was given (`model`: see `GivenRecipe`).

    What needs the model made again on other data (ladders, decoys, seeds, unlike molecules) is left out unless a way
    to make it was given. Raises `InputError` for methods that do not fit it.
    """

    model: Any
    named: str = "the given model"
    methods: tuple[str, ...] | None = None
    seed: int = 0
    seeds: int = 3
    radius: int = 2
    presence: bool = True
    bits: int | None = None
    epochs: int = 30

    def __post_init__(self) -> None:
        if not self.methods_of("given"):
            fitting = ", ".join(self.recipe("given", "classification").methods)
            raise InputError(f"none of {', '.join(self.methods or ())} fits {self.named}; it takes {fitting}")

    def recipe(self, kind: str, task: Kind) -> GivenRecipe:  # noqa: ARG002
        return GivenRecipe(
            model=self.model,
            task=task,
            radius=self.radius,
            presence=self.presence,
            bits=self.bits or 2048,
            epochs=self.epochs,
        )

    def methods_of(self, kind: str) -> tuple[str, ...]:
        known = self.recipe(kind, "classification").methods
        return tuple(m for m in known if m in (self.methods or known))

    @property
    def workers(self) -> int:
        """All in this process: nobody promised that the model can be sent to another."""
        return 1

    @property
    def models(self) -> tuple[str, ...]:
        return ("given",)

    @property
    def makes(self) -> bool:
        return self.recipe("given", "classification").makes

    @property
    def flips(self) -> tuple[float, ...]:
        return (0.0, 0.2, 0.4, 0.5) if self.makes else ()

    @property
    def shares(self) -> tuple[float, ...]:
        return (0.0, 0.5)

    @property
    def ladder_kind(self) -> str:
        return "given"

    def steps(self, task: Kind) -> list[Step]:
        """Noisier labels and fewer molecules; how to make it smaller only its owner knows."""
        return _steps(self.recipe("given", task), self.flips, ()) if self.makes else []

    @property
    def groups(self) -> Mapping[str, str]:
        return DECOYS if self.makes else {}

    def cost(self, kind: str) -> float:  # noqa: ARG002
        return 10.0

    def quick(self, kind: str) -> bool:  # noqa: ARG002
        return True

    def unlike(self, task: Task) -> np.ndarray | None:
        return Plan(models=("glm",), seed=self.seed).unlike(task) if self.makes else None


def _steps(recipe: Recipe, flips: Sequence[float], smaller: Sequence[Step]) -> list[Step]:
    """Without a rung of label noise there is no ladder at all."""
    return [*noisier(recipe, flips), *fewer(recipe, (0.25, 0.1)), *smaller] if flips else []


def _check_counts(seeds: int, workers: int | None) -> None:
    for name, value in (("seeds", seeds), ("workers", workers)):
        if value is not None and value < 1:
            raise InputError(f"{name} is {value}, expected at least 1")


def _every_method() -> tuple[str, ...]:
    return tuple(dict.fromkeys(m for methods in METHODS_OF.values() for m in methods if m != "random"))
