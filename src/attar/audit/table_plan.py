"""What an audit of a table's rows does: which models, methods, ladders and decoys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from attar.core.errors import InputError
from attar.core.labels import Task as Kind
from attar.core.recipe import Recipe
from attar.domains.raw_tables.domain import RawTables
from attar.experiments.given_tables import GivenTableRecipe
from attar.experiments.table_models import MODELS, TableRecipe
from attar.experiments.task import Task
from attar.pitfalls.imperfect_model import Step, fewer, noisier

USUAL = ("boosting", "glm", "tree")
FLIPS, SHARES, LESS = (0.0, 0.25, 0.5), (0.0, 0.5, 1.0), (0.25, 0.1)
BY_DESIGN = ("glm", "tree")  # quick to fit and exact to explain: what ladders are run on
PLANTED = (0.05, 0.4)  # the share of the training rows that may have a group for it to be planted as a decoy


@dataclass(frozen=True, kw_only=True)
class TablePlan:
    """Everything an audit of a table can be told; its repr is the provenance.

    The first of `models` is the one that the verdict is about; ladders and decoys are run on it if it is a GLM or a
    tree, else on a GLM. `decoys` are groups by their name in the domain. Raises `InputError` for names and numbers that
    cannot be.
    """

    domain: RawTables
    models: tuple[str, ...] = USUAL
    methods: tuple[str, ...] | None = None
    seed: int = 0
    seeds: int = 3
    flips: tuple[float, ...] = ()
    decoys: tuple[str, ...] = ()
    shares: tuple[float, ...] = SHARES
    workers: int | None = None

    def __post_init__(self) -> None:
        if not self.models:
            raise InputError(f"no model to audit; choose from {', '.join(MODELS)}")
        for name, value in (("seeds", self.seeds), ("workers", self.workers)):
            if value is not None and value < 1:
                raise InputError(f"{name} is {value}, expected at least 1")
        for kind in self.models:
            if not self.methods_of(kind):
                fitting = ", ".join(self.recipe(kind, "classification").methods)
                raise InputError(f"none of {', '.join(self.methods or ())} fits a {kind}; it takes {fitting}")

    def recipe(self, kind: str, task: Kind) -> TableRecipe:
        return TableRecipe(domain=self.domain, kind=kind, task=task)

    def methods_of(self, kind: str) -> tuple[str, ...]:
        known = self.recipe(kind, "classification").methods
        return tuple(m for m in known if m in (self.methods or known))

    @property
    def makes(self) -> bool:
        return True

    @property
    def ladder_kind(self) -> str:
        return self.models[0] if self.models[0] in BY_DESIGN else "glm"

    def steps(self, task: Kind) -> list[Step]:
        return _steps(self.recipe(self.ladder_kind, task), self.flips)

    @property
    def groups(self) -> Mapping[str, str]:
        return {name: name for name in self.decoys}

    def cost(self, kind: str) -> float:
        return {"glm": 1.0, "tree": 3.0, "mlp": 6.0}.get(kind, 12.0)

    def quick(self, kind: str) -> bool:  # noqa: ARG002
        return True

    def unlike(self, task: Task) -> np.ndarray | None:  # noqa: ARG002
        return None


@dataclass(frozen=True, kw_only=True)
class GivenTablePlan:
    """What an audit does with a model of rows that was given (`model`: see `GivenTableRecipe`).

    What needs the model made again on other data (ladders, decoys, two halves) is left out unless a way to make it was
    given. Raises `InputError` for methods that do not fit it.
    """

    domain: RawTables
    model: Any = field(repr=False)
    named: str = "the given model"
    positive: str | None = None
    methods: tuple[str, ...] | None = None
    seed: int = 0
    decoys: tuple[str, ...] = ()
    told: bool = False

    def __post_init__(self) -> None:
        if not self.methods_of("given"):
            raise InputError(
                f"none of {', '.join(self.methods or ())} fits {self.named}; it takes {', '.join(self._known)}"
            )

    def recipe(self, kind: str, task: Kind) -> GivenTableRecipe:  # noqa: ARG002
        return GivenTableRecipe(model=self.model, domain=self.domain, task=task, positive=self.positive)

    @cached_property
    def _known(self) -> tuple[str, ...]:
        return self.recipe("given", "classification").methods

    def methods_of(self, kind: str) -> tuple[str, ...]:  # noqa: ARG002
        return tuple(m for m in self._known if m in (self.methods or self._known))

    @property
    def models(self) -> tuple[str, ...]:
        return ("given",)

    @property
    def seeds(self) -> int:
        return 1

    @property
    def workers(self) -> int:
        """All in this process: nobody promised that the model can be sent to another."""
        return 1

    @property
    def makes(self) -> bool:
        return self.recipe("given", "classification").makes

    @property
    def flips(self) -> tuple[float, ...]:
        """Without a truth to be scored against, worse models would say nothing."""
        return (0.0, 0.25, 0.5) if self.makes and self.told else ()

    @property
    def shares(self) -> tuple[float, ...]:
        return (0.0, 0.5)

    @property
    def ladder_kind(self) -> str:
        return "given"

    def steps(self, task: Kind) -> list[Step]:
        return _steps(self.recipe("given", task), self.flips)

    @property
    def groups(self) -> Mapping[str, str]:
        return {name: name for name in self.decoys} if self.makes else {}

    def cost(self, kind: str) -> float:  # noqa: ARG002
        return 10.0

    def quick(self, kind: str) -> bool:  # noqa: ARG002
        return True

    def unlike(self, task: Task) -> np.ndarray | None:  # noqa: ARG002
        return None


def table_plan(
    task: Task,
    *,
    models: Sequence[str] | None = None,
    methods: tuple[str, ...] | None = None,
    seed: int = 0,
    seeds: int = 3,
    workers: int | None = None,
) -> TablePlan:
    """Without `models` boosted trees, a GLM and a tree: the verdict is about the first.

    One decoy is planted, the group that goes least with the label. Where nothing is known of the truth there is no
    ladder of worse models, for no attribution could be scored on it.
    """
    return TablePlan(
        domain=of_rows(task),
        models=USUAL if models is None else tuple(models),
        methods=methods,
        seed=seed,
        seeds=seeds,
        flips=FLIPS if task.known else (),
        decoys=quiet_group(task),
        workers=workers,
    )


def given_table_plan(
    task: Task,
    model: Any,
    *,
    named: str = "the given model",
    positive: str | None = None,
    methods: tuple[str, ...] | None = None,
    seed: int = 0,
) -> GivenTablePlan:
    """The same for a model that was given, or a way to make one."""
    return GivenTablePlan(
        domain=of_rows(task),
        model=model,
        named=named,
        positive=positive,
        methods=methods,
        seed=seed,
        decoys=quiet_group(task),
        told=task.known,
    )


def of_rows(task: Task) -> RawTables:
    """The task's domain. Raises `InputError` where it is none of rows."""
    if not isinstance(task.domain, RawTables):
        raise InputError(f"{task.name} is about {task.domain.name}, and this plan is for the rows of a table")
    return task.domain


def quiet_group(task: Task) -> tuple[str, ...]:
    """The group that goes least with the label in training, away from what the rule names: a decoy. None for numbers,
    and where no group is neither rare nor usual."""
    if task.task != "classification":
        return ()
    editor, (examples, labels) = task.domain.editor, task.part(task.train)
    asked = frozenset().union(*(task.true_parts(example) for example in task.part(task.follows_rule)[0]))
    rows: dict[str, list[int]] = {}
    for k, example in enumerate(examples):
        for group in editor.groups(example):
            if not group.parts & asked:
                rows.setdefault(group.name, []).append(k)
    low, high = (share * len(examples) for share in PLANTED)
    usual = {name: held for name, held in rows.items() if low <= len(held) <= high}
    if not usual:
        return ()
    base = labels.mean()

    def goes_along(name: str) -> tuple[float, str]:
        """The size of the correlation with the label, less what both have in common with all groups of its size."""
        held, count = len(usual[name]), len(examples)
        return abs(labels[usual[name]].mean() - base) * np.sqrt(held / (count - held)), name

    return (min(usual, key=goes_along),)


def _steps(recipe: Recipe, flips: Sequence[float]) -> list[Step]:
    """Noisier labels, fewer rows; without a rung of label noise there is no ladder at all."""
    return [*noisier(recipe, flips), *fewer(recipe, LESS)] if flips else []
