"""What an audit of molecules does: which models, methods, ladders and decoys."""

from dataclasses import dataclass

from attar.core.errors import InputError
from attar.experiments.molecule_models import METHODS_OF, MoleculeRecipe, Task
from attar.pitfalls.imperfect_model import FLIPS
from attar.pitfalls.spurious_correlation import SHARES

DECOYS = {"chlorine": "*Cl", "morpholine": "*N1CCOCC1", "sulfonamide": "*S(N)(=O)=O"}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything an audit can be told; its repr is the provenance.

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
        if self.seeds < 1:
            raise InputError(f"seeds is {self.seeds}, expected at least 1")
        if self.workers is not None and self.workers < 1:
            raise InputError(f"workers is {self.workers}, expected at least 1")
        for kind in self.models:
            if not self.methods_of(kind):
                fitting = ", ".join(m for m in METHODS_OF[kind] if m != "random")
                raise InputError(f"none of {', '.join(self.methods or ())} fits a {kind}; it takes {fitting}")
        self.recipe(self.models[0], "classification")

    def recipe(self, kind: str, task: Task) -> MoleculeRecipe:
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
    def ladder_kind(self) -> str:
        return self.models[0] if self.models[0] in ("glm", "tree") else "glm"


def _every_method() -> tuple[str, ...]:
    return tuple(dict.fromkeys(m for methods in METHODS_OF.values() for m in methods if m != "random"))
