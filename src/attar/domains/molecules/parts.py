"""The parts of a molecule that a chemist would name: functional groups, ring systems and what is left between them."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import torch
from rdkit import Chem

from attar.core.errors import InputError
from attar.core.features import Features, Share
from attar.core.inputs import Inputs
from attar.domains.molecules.clean import unfit
from attar.domains.molecules.edit import detached, ring_name
from attar.domains.molecules.graphs import MoleculeGraphs
from attar.domains.molecules.molecule import Molecule

# A group takes atoms that none before it has taken. Those that say !R leave rings whole.
_GROUPS = (
    ("nitrate", "[OX2][NX3+](=O)[O-]"),
    ("nitro", "[NX3+](=O)[O-]"),
    ("nitroso", "[NX2]=[OX1]"),
    ("azide", "[NX2]=[NX2+]=[NX1-]"),
    ("diazo", "[CX3]=[NX2+]=[NX1-]"),
    ("azo", "[NX2;!R]=[NX2;!R]"),
    ("epoxide", "[CX4]1[OX2][CX4]1"),
    ("aziridine", "[CX4]1[NX3][CX4]1"),
    ("nitrile", "[CX2]#[NX1]"),
    ("isocyanate", "[NX2]=[CX2]=[OX1]"),
    ("trifluoromethyl", "[CX4](F)(F)F"),
    ("sulfonamide", "[SX4;!R](=O)(=O)[NX3;!R]"),
    ("sulfonic acid", "[SX4;!R](=O)(=O)[OX2H,OX1-]"),
    ("sulfonate", "[SX4;!R](=O)(=O)[OX2;!R]"),
    ("sulfonyl", "[SX4;!R](=O)=O"),
    ("phosphate", "[PX4;!R](=O)([#8])([#8])[#8]"),
    ("carboxylic acid", "[CX3;!R](=O)[OX2H,OX1-]"),
    ("urea", "[NX3;!R][CX3;!R](=O)[NX3;!R]"),
    ("carbamate", "[NX3;!R][CX3;!R](=O)[OX2;!R]"),
    ("amide", "[CX3;!R](=O)[NX3;!R]"),
    ("acyl halide", "[CX3;!R](=O)[F,Cl,Br,I]"),
    ("ester", "[CX3;!R](=O)[OX2;!R]"),
    ("aldehyde", "[CX3H1,CX3H2]=O"),
    ("carbonyl", "[CX3;!R]=[OX1]"),
    ("hydrazine", "[NX3;!R][NX3;!R]"),
    ("hydroxylamine", "[NX3;!R][OX2]"),
    ("imine", "[CX3;!R]=[NX2;!R]"),
    ("amino", "[NX3H2,NX4H3+]"),
    ("amine", "[#7;!R]"),
    ("peroxide", "[OX2;!R][OX2;!R]"),
    ("hydroxy", "[OX2H,OX1-]"),
    ("ether", "[OX2;!R]"),
    ("thiol", "[SX2H]"),
    ("thioether", "[SX2;!R]"),
    *((name, f"[{symbol}]") for name, symbol in (("fluoro", "F"), ("chloro", "Cl"), ("bromo", "Br"), ("iodo", "I"))),
    ("alkyne", "[CX2;!R]#[CX2;!R]"),
    ("alkene", "[CX3;!R]=[CX3;!R]"),
)
_RINGS = {
    "c1ccccc1": "benzene",
    "c1ccc2ccccc2c1": "naphthalene",
    "c1ccncc1": "pyridine",
    "c1cncnc1": "pyrimidine",
    "c1c[nH]cn1": "imidazole",
    "c1cn[nH]c1": "pyrazole",
    "c1cc[nH]c1": "pyrrole",
    "c1ccoc1": "furan",
    "c1ccsc1": "thiophene",
    "c1cscn1": "thiazole",
    "c1ccc2[nH]ccc2c1": "indole",
    "c1ccc2ncccc2c1": "quinoline",
    "c1ncc2nc[nH]c2n1": "purine",
    "C1CCNCC1": "piperidine",
    "C1CNCCN1": "piperazine",
    "C1COCCN1": "morpholine",
    "C1CCNC1": "pyrrolidine",
    "C1CCCCC1": "cyclohexane",
    "C1CCCC1": "cyclopentane",
    "C1CC1": "cyclopropane",
}


@dataclass(frozen=True)
class Part:
    """Heavy atoms of a molecule under one name: nitro, benzene, chain of 3."""

    name: str
    atoms: tuple[int, ...]

    @property
    def title(self) -> str:
        """With its atoms, by their numbers in the molecule: nitro (atoms 1-3)."""
        return f"{self.name} ({'atom' if len(self.atoms) == 1 else 'atoms'} {_runs(self.atoms)})"


def parts_of(molecule: Molecule) -> list[Part]:
    """Every heavy atom in one part: functional groups first, then ring systems (rings that share atoms are one; what a
    ring atom holds by a double bond goes with it), then the chains that are left. In the order of their first atoms."""
    mol = molecule.mol
    taken: set[int] = set()
    found: list[Part] = []
    for name, query in _queries():
        for match in mol.GetSubstructMatches(query):
            if taken.isdisjoint(match):
                found.append(Part(name, tuple(sorted(match))))
                taken.update(match)
    rings = [set(ring) - taken for ring in mol.GetRingInfo().AtomRings()]
    for system in _joined(ring for ring in rings if ring):
        name = _ring_title(mol, system)
        double = {
            atom.GetIdx()
            for bond in mol.GetBonds()
            if bond.GetBondType() == Chem.BondType.DOUBLE
            for one, atom in ((bond.GetBeginAtom(), bond.GetEndAtom()), (bond.GetEndAtom(), bond.GetBeginAtom()))
            if one.GetIdx() in system and atom.GetDegree() == 1
        }
        found.append(Part(name, tuple(sorted(system | (double - taken)))))
        taken |= system | double
    left = [{atom.GetIdx()} for atom in mol.GetAtoms() if atom.GetIdx() not in taken]
    ends = [{bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()} for bond in mol.GetBonds()]
    for chain in _joined([*left, *(pair for pair in ends if pair.isdisjoint(taken))]):
        symbols = {mol.GetAtomWithIdx(i).GetSymbol() for i in chain}
        carbon = "methyl" if len(chain) == 1 else f"chain of {len(chain)}"
        name = carbon if symbols == {"C"} else "".join(sorted(symbols))
        found.append(Part(name, tuple(sorted(chain))))
    return sorted(found, key=lambda part: part.atoms)


def without_each(molecule: Molecule) -> list[tuple[Part, Molecule]]:
    """Each part that can be replaced by hydrogen, with the molecule that is left: a real organic one, of one piece and
    three heavy atoms or more, about which a model can be asked what it says without the part."""
    found = []
    for part in parts_of(molecule):
        left = detached(molecule, part.atoms)
        if left is not None and unfit(left.mol) is None:
            found.append((part, left))
    return found


@cache
def _queries() -> tuple[tuple[str, Chem.Mol], ...]:
    return tuple((name, Chem.MolFromSmarts(smarts)) for name, smarts in _GROUPS)


@cache
def _ring_names() -> dict[str, str]:
    return {Chem.CanonSmiles(smiles): name for smiles, name in _RINGS.items()}


def _joined(sets: Iterable[set[int]]) -> list[set[int]]:
    """Sets that share an atom as one."""
    found: list[set[int]] = []
    for each in sets:
        touching = [other for other in found if other & each]
        found = [other for other in found if not other & each] + [set(each).union(*touching)]
    return found


def _ring_title(mol: Chem.Mol, system: set[int]) -> str:
    bonds = [b.GetIdx() for b in mol.GetBonds() if {b.GetBeginAtomIdx(), b.GetEndAtomIdx()} <= system and b.IsInRing()]
    smiles = ring_name(mol, sorted(system), bonds)
    return "ring system" if smiles is None else _ring_names().get(smiles, f"ring {smiles}")


def _runs(atoms: tuple[int, ...]) -> str:
    """1, 2, 3, 7 as 1-3, 7."""
    runs: list[list[int]] = []
    for atom in atoms:
        if runs and atom == runs[-1][-1] + 1:
            runs[-1].append(atom)
        else:
            runs.append([atom])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


@dataclass(frozen=True, kw_only=True)
class Groups:
    """Functional groups, ring systems and chains (`parts_of`) as features of graphs of molecules.

    To take a group away: its atoms' rows and those of all bonds that touch it go, so that a bond between two groups
    goes with either. With `sums` for carrying values: half of a bond goes to either end's group, and sums are kept.
    Raises `InputError` for graphs that do not remember their molecules.
    """

    sums: bool = False

    def __call__(self, inputs: Inputs) -> Features:
        graphs = molecule_graphs_of(inputs)
        owner, names, of_atom = [], [], []
        for k, molecule in enumerate(graphs.molecules):
            place = [0] * molecule.size
            for part in parts_of(molecule):
                for atom in part.atoms:
                    place[atom] = len(names)
                owner.append(k)
                names.append(part.title)
            of_atom += place
        group = torch.tensor(of_atom, dtype=torch.long, device=graphs.device)
        bonds = torch.arange(len(graphs.edges), device=graphs.device)
        pairs = torch.stack([group[graphs.edge_index].flatten(), bonds.repeat(2)])
        pairs = pairs if self.sums else pairs.unique(dim=1)
        share = torch.full((pairs.shape[1],), 0.5 if self.sums else 1.0, device=graphs.device)
        atoms = torch.arange(len(group), device=graphs.device)
        return Features(
            name="groups",
            rule="functional groups and rings",
            owner=torch.tensor(owner, dtype=torch.long, device=graphs.device),
            shares={
                graphs.names[0]: Share(group, atoms, torch.ones(len(group), device=graphs.device)),
                graphs.names[1]: Share(pairs[0], pairs[1], share),
            },
            names=tuple(names),
        )


@dataclass(frozen=True)
class NamedAtoms:
    """Atoms with half of each of their bonds, called by element, number and part: "N, atom 1 (nitro)". Sums are kept.

    Half, for no end of a bond has more right to it: `perturb.Receivers` gives a directed bond to where it arrives, in
    this network to the atom after the one whose features it carries.
    """

    def __call__(self, inputs: Inputs) -> Features:
        graphs = molecule_graphs_of(inputs)
        names = []
        for molecule in graphs.molecules:
            part_of = {atom: part.name for part in parts_of(molecule) for atom in part.atoms}
            names += [f"{a.GetSymbol()}, atom {a.GetIdx()} ({part_of[a.GetIdx()]})" for a in molecule.mol.GetAtoms()]
        atoms = torch.arange(len(graphs.nodes), device=graphs.device)
        bonds = torch.arange(len(graphs.edges), device=graphs.device).repeat(2)
        half = torch.full((len(bonds),), 0.5, device=graphs.device)
        return Features(
            name="atoms",
            rule="half of a bond to either end",
            owner=graphs.node_owner,
            shares={
                graphs.names[0]: Share(atoms, atoms, torch.ones(len(atoms), device=graphs.device)),
                graphs.names[1]: Share(graphs.edge_index.flatten(), bonds, half),
            },
            names=tuple(names),
        )


def molecule_graphs_of(inputs: Inputs) -> MoleculeGraphs:
    if not isinstance(inputs, MoleculeGraphs) or len(inputs.molecules) != len(inputs):
        raise InputError(f"groups are parts of graphs that remember their molecules, not of {type(inputs).__name__}")
    return inputs
