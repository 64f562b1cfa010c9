"""A directed message-passing network of molecules: what stands on its atoms and bonds, and the network.

Messages go along bonds, one for each direction, and never straight back. With x the features of an atom, e those of a
bond, and W without a bias but where b stands:

    h(a→b) = relu(W_i [x_a, e_ab]),   then T − 1 times   h(a→b) ← relu(W_i [x_a, e_ab] + W_h Σ_{k≠b} h(k→a))
    h(a)   = relu(W_o [x_a, Σ_k h(k→a)] + b),   the molecule is Σ_a h(a) / 100, and two linear layers answer.

Source: Yang et al. 2019, doi:10.1021/acs.jcim.9b00237, equations 3 to 8; features as chemprop 2 has them (Heid et al.
2024, doi:10.1021/acs.jcim.3c01250), which its checkpoints are held to in tests/pretrained/test_admet.py.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from rdkit import Chem
from torch import Tensor, nn
from torch.nn import functional

from attar.core.errors import InputError, UnsupportedError
from attar.domains.molecules.graphs import MoleculeGraphs, molecule_graphs
from attar.domains.molecules.molecule import Molecule

_NUMBERS = (*range(1, 37), 53)  # elements by their atomic number: hydrogen to krypton, and iodine
_CHARGES = (-1, -2, 1, 2, 0)
_HYBRIDS = tuple(getattr(Chem.HybridizationType, name) for name in ("S", "SP", "SP2", "SP2D", "SP3", "SP3D", "SP3D2"))
_ORDERS = tuple(getattr(Chem.BondType, name) for name in ("SINGLE", "DOUBLE", "TRIPLE", "AROMATIC"))
_MASS = 0.01  # of an atom's mass

ATOM_FEATURES = (
    *(f"is {Chem.GetPeriodicTable().GetElementSymbol(number)}" for number in _NUMBERS),
    "is another element",
    *(f"has {degree} neighbours" for degree in range(6)),
    "has more neighbours",
    *(f"has charge {charge:+d}" for charge in _CHARGES),
    "has another charge",
    *(f"is {turn}" for turn in ("of no known handedness", "clockwise", "anticlockwise", "handed otherwise")),
    "is handed in no known way",
    *(f"has {count} hydrogens" for count in range(5)),
    "has more hydrogens",
    *(f"is {kind.name.lower()}" for kind in _HYBRIDS),
    "is hybridised otherwise",
    "is aromatic",
    "mass / 100",
)
BOND_FEATURES = (
    "is no bond",
    *(f"is {kind.name.lower()}" for kind in _ORDERS),
    "is conjugated",
    "is in a ring",
    *(f"is {turn}" for turn in ("of no stereo", "of any stereo", "Z", "E", "cis", "trans")),
    "is of unknown stereo",
)


def graphs(molecules: Sequence[Molecule]) -> MoleculeGraphs:
    """Atoms (`ATOM_FEATURES`) and bonds (`BOND_FEATURES`, each twice) of all molecules.

    Raises `InputError` for an element that has no feature of its own, of which the network learnt nothing.
    """
    for molecule in molecules:
        strange = [a.GetSymbol() for a in molecule.mol.GetAtoms() if a.GetAtomicNum() not in _NUMBERS]
        if strange:
            raise InputError(
                f"{molecule.smiles} holds {strange[0]}, an element that this network has no feature for: it knows H to "
                "Kr and I"
            )
    return molecule_graphs(molecules, arrays=_arrays)


def _arrays(mol: Chem.Mol) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    atoms = np.array([_atom(a) for a in mol.GetAtoms()], dtype=np.float32).reshape(-1, len(ATOM_FEATURES))
    bonds, index = [], []
    for bond in mol.GetBonds():
        a, b = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        features = _bond(bond)
        bonds += [features, features]
        index += [(a, b), (b, a)]
    edges = np.array(bonds, dtype=np.float32).reshape(-1, len(BOND_FEATURES))
    return atoms, edges, np.array(index, dtype=np.int64).reshape(-1, 2).T


def _atom(atom: Chem.Atom) -> list[float]:
    return [
        *_one_of(atom.GetAtomicNum(), _NUMBERS),
        *_one_of(atom.GetTotalDegree(), range(6)),
        *_one_of(atom.GetFormalCharge(), _CHARGES),
        *_one_of(int(atom.GetChiralTag()), range(4)),
        *_one_of(int(atom.GetTotalNumHs()), range(5)),
        *_one_of(atom.GetHybridization(), _HYBRIDS),
        float(atom.GetIsAromatic()),
        _MASS * atom.GetMass(),
    ]


def _bond(bond: Chem.Bond) -> list[float]:
    return [
        0.0,
        *(float(bond.GetBondType() == kind) for kind in _ORDERS),
        float(bond.GetIsConjugated()),
        float(bond.IsInRing()),
        *_one_of(int(bond.GetStereo()), range(6)),
    ]


def _one_of(value: Any, known: Sequence[Any]) -> list[float]:
    """A one at its place among the known values, or after them for any other."""
    found = [float(value == each) for each in known]
    return [*found, 0.0 if any(found) else 1.0]


class DMPNN(nn.Module):
    """Atoms and bonds of molecules → a logit for each task. Called like a network of PyTorch Geometric.

    Every bond must be there in both directions.
    """

    def __init__(self, atoms: int, bonds: int, hidden: int, tasks: int, *, steps: int, norm: float) -> None:
        super().__init__()
        self.steps, self.norm = steps, norm
        self.W_i = nn.Linear(atoms + bonds, hidden, bias=False)
        self.W_h = nn.Linear(hidden, hidden, bias=False)
        self.W_o = nn.Linear(atoms + hidden, hidden)
        self.last = nn.Identity()  # a place to read the atoms at
        self.head = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, tasks))

    def forward(
        self,
        x: Float[Tensor, "atoms features"],
        edge_index: Int[Tensor, "2 bonds"],
        edge_attr: Float[Tensor, "bonds features"],
        batch: Int[Tensor, " atoms"],
    ) -> Float[Tensor, "batch tasks"]:
        sender, receiver = edge_index
        back = reverse(edge_index, len(x))
        start = self.W_i(torch.cat([x[sender], edge_attr], 1))
        messages = functional.relu(start)
        for _ in range(self.steps - 1):
            arriving = _sum(messages, receiver, len(x))
            messages = functional.relu(start + self.W_h(arriving[sender] - messages[back]))
        arriving = _sum(messages, receiver, len(x))
        atoms = self.last(functional.relu(self.W_o(torch.cat([x, arriving], 1))))
        return self.head(_sum(atoms, batch, int(batch.max()) + 1) / self.norm)


def reverse(edge_index: Int[Tensor, "2 bonds"], count: int) -> Int[Tensor, " bonds"]:
    """For each directed bond the place of the one that goes back. Raises `InputError` where there is none."""
    there, back = edge_index[0] * count + edge_index[1], edge_index[1] * count + edge_index[0]
    known, order = there.sort()
    place = torch.searchsorted(known, back).clamp(max=max(len(known) - 1, 0))
    if not torch.equal(known[place], back):
        raise InputError("a bond goes one way only: give each bond in both directions")
    return order[place]


def _sum(rows: Tensor, owner: Tensor, count: int) -> Tensor:
    return rows.new_zeros(count, rows.shape[1]).index_add(0, owner, rows)


class Ensemble(nn.Module):
    """Several networks as one: the log-odds of the mean of their probabilities, task by task."""

    def __init__(self, networks: Sequence[DMPNN]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor, batch: Tensor) -> Float[Tensor, "batch tasks"]:
        each = torch.stack([network(x, edge_index, edge_attr, batch) for network in self.networks])
        if len(each) == 1:
            return each[0]
        return functional.logsigmoid(each).logsumexp(0) - functional.logsigmoid(-each).logsumexp(0)


class Inert:
    """Stands in for a class that a file names: holds what it is given, and does nothing."""

    def __init__(self, *_: Any) -> None:
        pass

    def __new__(cls, *_: Any) -> "Inert":
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        pass


# What chemprop's files name: each is opened as something of ours that can do nothing. `dict` is only filled.
_NAMED: tuple[tuple[str, Callable[..., Any]], ...] = (
    ("lightning.fabric.utilities.data.AttributeDict", dict),
    *(
        (name, type(name.rpartition(".")[2], (Inert,), {}))
        for name in (
            "chemprop.nn.agg.NormAggregation",
            "chemprop.nn.message_passing.base.BondMessagePassing",
            "chemprop.nn.metrics.BinaryAUPRC",
            "chemprop.nn.metrics.BinaryAUROC",
            "chemprop.nn.predictors.BinaryClassificationFFN",
            "chemprop.nn.transforms.GraphTransform",
            "torch.nn.modules.activation.ReLU",
            "torch.nn.modules.linear.Identity",
            "torchmetrics.metric.jit_distributed_available",
            "torchmetrics.utilities.data.dim_zero_cat",
        )
    ),
)


def opened(path: Path) -> tuple[DMPNN, tuple[str, ...]]:
    """The network in a file of chemprop 2, and the names of its tasks.

    Such a file is a pickle that names classes of chemprop. It is opened weights-only, with the names above and no
    others allowed, and each of these is a class of ours that does nothing: no code is imported or run for the file's
    sake. Raises `UnsupportedError` for a file that names anything else, or holds a network that is not this one.
    """
    with torch.serialization.safe_globals([(ours, theirs) for theirs, ours in _NAMED]):
        try:
            held = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as problem:  # pickle.UnpicklingError and whatever a damaged file leads to
            raise UnsupportedError(f"{path.name} is no file of chemprop 2 that can be opened as weights") from problem
    told, arrays = held["hyper_parameters"], held["state_dict"]
    messages, pooled, head = told["message_passing"], told["agg"], told["predictor"]
    kinds = tuple(getattr(part["cls"], "__name__", "") for part in (messages, pooled, head))
    plain = not (told["batch_norm"] or messages["bias"] or messages["undirected"] or messages["d_vd"])
    if kinds != ("BondMessagePassing", "NormAggregation", "BinaryClassificationFFN") or not plain:
        raise UnsupportedError(f"{path.name} holds another network: {', '.join(kinds)}")
    network = DMPNN(
        messages["d_v"],
        messages["d_e"],
        messages["d_h"],
        head["n_tasks"],
        steps=messages["depth"],
        norm=float(pooled["norm"]),
    )
    network.load_state_dict({ours: arrays[theirs] for ours, theirs in _ARRAYS.items()})
    return network.eval().requires_grad_(False), tuple(held["output_columns"])


_ARRAYS = {
    **{name: f"message_passing.{name}" for name in ("W_i.weight", "W_h.weight", "W_o.weight", "W_o.bias")},
    **{f"head.0.{what}": f"predictor.ffn.0.0.{what}" for what in ("weight", "bias")},
    **{f"head.2.{what}": f"predictor.ffn.1.2.{what}" for what in ("weight", "bias")},
}
