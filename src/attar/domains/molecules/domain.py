"""Molecules as a domain: the parts are atoms, motifs are SMARTS, groups are substituents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from attar.core.motif import Motif
from attar.core.rule import Match, Path, Rule
from attar.core.weighted_sum import WeightedSum
from attar.domains.molecules.control import trivial_atoms
from attar.domains.molecules.edit import MoleculeEditor
from attar.domains.molecules.molecule import Molecule
from attar.domains.molecules.split import properties
from attar.domains.molecules.truth import SmartsFinder, read_rule, read_sum


@dataclass(frozen=True)
class MoleculeFinder:
    """Finds SMARTS in a `Molecule`, as `SmartsFinder` does in RDKit's."""

    def find(self, motif: Motif, example: Molecule, /) -> list[Match]:
        return SmartsFinder().find(motif, example.mol)

    def find_paths(self, path: Path, example: Molecule, /) -> list[Match]:
        return SmartsFinder().find_paths(path, example.mol)


@dataclass(frozen=True)
class Molecules:
    """See `attar.core.domain.Domain`."""

    name: ClassVar[str] = "molecules"
    example: ClassVar[str] = "molecule"
    part: ClassVar[str] = "atom"
    control: ClassVar[str] = "heteroatoms and unsaturated atoms"

    @property
    def finder(self) -> MoleculeFinder:
        return MoleculeFinder()

    @property
    def editor(self) -> MoleculeEditor:
        return MoleculeEditor()

    def read_rule(self, text: str) -> Rule:
        return read_rule(text)

    def read_sum(self, text: str) -> WeightedSum:
        return read_sum(text)

    def size(self, example: Molecule) -> int:
        return example.size

    def trivial(self, example: Molecule) -> np.ndarray:
        return trivial_atoms(example)

    def properties(self, examples: Sequence[Molecule]) -> Mapping[str, np.ndarray]:
        return properties(examples)

    def key(self, example: Molecule) -> str:
        return example.smiles

    def as_json(self, example: Molecule) -> str:
        return example.smiles
