"""Networks for molecules, for when the weights are gone: an MLP on the bag, and four kinds on the graph.

The graph networks follow the attribution benchmark of Sanchez-Lengeling et al. 2020 ("Evaluating attribution for
graph neural networks"): linear encoders, blocks, and a readout that sums softmax maps over atoms and bonds under
one linear layer, so that CAM exists. Every output is one logit (or value).

One thing differs: the maps are softmax less 1 / channels, and the head has a bias. A softmax sums to one on every atom,
so that any constant could be added to the head's weights and be read off the molecule's size: as a class activation it
would stand on every atom, and once bonds are carried to atoms it would measure the atom's degree.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from attar.adapters.torch import TorchModel
from attar.core.errors import InputError

Block = Callable[..., tuple[Tensor, Tensor, Tensor]]


class BagMLP(nn.Module):
    """An MLP on sparse rows: counts → hidden ReLU layers → one output."""

    def __init__(self, width: int, hidden: int = 64, depth: int = 1) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.randn(width, hidden) * 0.05)
        self.bias = nn.Parameter(torch.zeros(hidden))
        inner = [layer for _ in range(depth - 1) for layer in (nn.Linear(hidden, hidden), nn.ReLU())]
        self.rest = nn.Sequential(nn.ReLU(), *inner, nn.Linear(hidden, 1))

    def forward(self, counts: Tensor, columns: Tensor, rows: Tensor, size: int) -> Tensor:
        summed = torch.zeros(size, self.first.shape[1], dtype=counts.dtype, device=counts.device)
        return self.rest(summed.index_add(0, rows, self.first[columns] * counts[:, None]) + self.bias)

    @torch.no_grad()
    def rescale(self, scale: float, centre: float) -> None:
        """Make the output scale · output + centre."""
        last = self.rest[-1]
        last.weight.mul_(scale)  # type: ignore[union-attr, operator]
        last.bias.mul_(scale).add_(centre)  # type: ignore[union-attr, operator]


class GraphNetwork(nn.Module):
    """Encoders, `depth` blocks, and the benchmark's readout. Called like a PyTorch Geometric network."""

    def __init__(
        self,
        kind: str,
        atom_features: int,
        bond_features: int,
        *,
        atoms: int = 50,
        bonds: int = 20,
        channels: int = 100,
        depth: int = 3,
    ) -> None:
        super().__init__()
        if kind not in BLOCKS:
            raise InputError(f"there is no graph network {kind!r}; choose from {', '.join(BLOCKS)}")
        self.encode_atoms = nn.Linear(atom_features, atoms)
        self.encode_bonds = nn.Linear(bond_features, bonds)
        self.blocks = nn.ModuleList([BLOCKS[kind](atoms, bonds) for _ in range(depth)])
        self.layers = nn.ModuleList([Tap() for _ in range(depth)])
        self.maps = CentredSoftmax(atoms, bonds, channels)
        self.head = nn.Linear(channels, 1)

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor, batch: Tensor) -> Tensor:
        size = int(batch.max()) + 1
        atoms, bonds = self.encode_atoms(x), self.encode_bonds(edge_attr)
        whole = atoms.new_zeros(size, WHOLE)
        of_bond = batch[edge_index[0]]
        for block, tap in zip(self.blocks, self.layers, strict=True):
            atoms, bonds, whole = block(atoms, bonds, whole, edge_index, batch, of_bond)
            atoms, bonds = tap(atoms, bonds)
        atoms, bonds = self.maps(atoms, bonds)
        return self.head(_sum(atoms, batch, size) + _sum(bonds, of_bond, size))

    @torch.no_grad()
    def rescale(self, scale: float, centre: float) -> None:
        """Make the output scale · output + centre."""
        self.head.weight.mul_(scale)
        self.head.bias.mul_(scale).add_(centre)


class Tap(nn.Module):
    """A place to read a layer's atoms and bonds."""

    def forward(self, atoms: Tensor, bonds: Tensor) -> tuple[Tensor, Tensor]:
        return atoms, bonds


class CentredSoftmax(nn.Module):
    """Maps that are 0 where no channel stands out."""

    def __init__(self, atoms: int, bonds: int, channels: int) -> None:
        super().__init__()
        self.atoms, self.bonds = nn.Linear(atoms, channels), nn.Linear(bonds, channels)

    def forward(self, atoms: Tensor, bonds: Tensor) -> tuple[Tensor, Tensor]:
        maps = torch.softmax(self.atoms(atoms), 1), torch.softmax(self.bonds(bonds), 1)
        return maps[0] - 1 / maps[0].shape[1], maps[1] - 1 / maps[1].shape[1]


class GCN(nn.Module):
    """Atoms from their neighbours and the bonds that arrive; bonds stay."""

    def __init__(self, atoms: int, bonds: int) -> None:
        super().__init__()
        self.update = _mlp(2 * atoms + bonds, atoms)

    def forward(self, h: Tensor, e: Tensor, u: Tensor, edges: Tensor, _batch: Tensor, _of_bond: Tensor):
        arriving = _sum(torch.cat([e, h[edges[0]]], 1), edges[1], len(h))
        return self.update(torch.cat([arriving, h], 1)), e, u


class MPNN(nn.Module):
    """Bonds from their ends, then atoms from the bonds that arrive."""

    def __init__(self, atoms: int, bonds: int) -> None:
        super().__init__()
        self.bond, self.atom = _mlp(2 * atoms + bonds, bonds), _mlp(atoms + bonds, atoms)

    def forward(self, h: Tensor, e: Tensor, u: Tensor, edges: Tensor, _batch: Tensor, _of_bond: Tensor):
        e = self.bond(torch.cat([e, h[edges[1]], h[edges[0]]], 1))
        return self.atom(torch.cat([_sum(e, edges[1], len(h)), h], 1)), e, u


class GraphNets(nn.Module):
    """Bonds, atoms and the whole molecule, each from the others (Battaglia et al. 2018, arXiv:1806.01261)."""

    def __init__(self, atoms: int, bonds: int) -> None:
        super().__init__()
        self.bond = _mlp(2 * atoms + bonds + WHOLE, bonds)
        self.atom = _mlp(atoms + bonds + WHOLE, atoms)
        self.whole = _mlp(atoms + bonds + WHOLE, WHOLE)

    def forward(self, h: Tensor, e: Tensor, u: Tensor, edges: Tensor, batch: Tensor, of_bond: Tensor):
        e = self.bond(torch.cat([e, h[edges[1]], h[edges[0]], u[of_bond]], 1))
        h = self.atom(torch.cat([_sum(e, edges[1], len(h)), h, u[batch]], 1))
        u = self.whole(torch.cat([_sum(h, batch, len(u)), _sum(e, of_bond, len(u)), u], 1))
        return h, e, u


class GAT(nn.Module):
    """Atoms from their neighbours, weighed by one head of dot-product attention; bonds stay."""

    def __init__(self, atoms: int, bonds: int) -> None:
        super().__init__()
        self.query, self.key = nn.Linear(atoms + bonds, atoms), nn.Linear(atoms + bonds, atoms)
        self.update = _mlp(atoms + bonds, atoms)
        self.attention = EdgeAttention()

    def forward(self, h: Tensor, e: Tensor, u: Tensor, edges: Tensor, _batch: Tensor, _of_bond: Tensor):
        both = torch.cat([h, _sum(e, edges[1], len(h))], 1)
        query, key = self.query(both), self.key(both)
        score = (query[edges[1]] * key[edges[0]]).sum(1) / query.shape[1] ** 0.5
        weight = self.attention(score, edges[1], len(h))
        return self.update(_sum(both[edges[0]] * weight, edges[1], len(h)) + both), e, u


class EdgeAttention(nn.Module):
    """Softmax of scores over the edges that arrive at the same atom: `Float[Tensor, "edges 1"]`."""

    def forward(self, score: Tensor, receiver: Tensor, count: int) -> Tensor:
        top = score.new_full((count,), -torch.inf).scatter_reduce(0, receiver, score, "amax")
        weight = torch.exp(score - top[receiver])
        return (weight / _sum(weight[:, None], receiver, count)[receiver, 0])[:, None]


WHOLE = 100  # features of the molecule as a whole, zero before the first block
BLOCKS: dict[str, type[nn.Module]] = {"gcn": GCN, "gat": GAT, "mpnn": MPNN, "graphnets": GraphNets}


@dataclass(frozen=True)
class Build:
    """A recipe for a module that pickles: `Build(GraphNetwork, ("gcn", 24, 5))()`."""

    module: type[nn.Module]
    arguments: tuple[Any, ...]

    def __call__(self) -> nn.Module:
        return self.module(*self.arguments)


def graph_model(module: GraphNetwork) -> TorchModel:
    """The network with everything the methods may ask for: layers, maps for CAM, attention where it has any."""
    attends = [f"blocks.{k}.attention" for k, block in enumerate(module.blocks) if isinstance(block, GAT)]
    return TorchModel(
        module,
        layers=tuple(f"layers.{k}" for k in range(len(module.layers))),
        pooled="maps",
        head="head",
        attention_layers=tuple(attends),
    )


def _mlp(wide: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(wide, out), nn.ReLU(), nn.Linear(out, out), nn.ReLU(), nn.LayerNorm(out))


def _sum(rows: Tensor, owner: Tensor, count: int) -> Tensor:
    return rows.new_zeros(count, rows.shape[1]).index_add(0, owner, rows)
