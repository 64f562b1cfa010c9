"""Graphs of any size in one batch, packed as a disjoint union, as PyTorch Geometric packs them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from attar.core.errors import InputError
from attar.core.inputs import Inputs, owned, starts
from attar.core.parts import Parts


@dataclass(frozen=True, eq=False)
class Graphs(Inputs):
    """Nodes and directed edges with their features; `names` are what the parts are called.

    `edge_index[0]` are senders, `[1]` receivers, as in PyTorch Geometric; a chemical bond is two edges. A module
    is called as `module(x, edge_index, edge_attr, batch)`, the argument order of its networks.
    """

    nodes: Float[Tensor, "nodes features"]
    edges: Float[Tensor, "edges features"]
    edge_index: Int[Tensor, "2 edges"]
    node_owner: Int[Tensor, " nodes"]
    edge_owner: Int[Tensor, " edges"]
    size: int
    names: tuple[str, str] = ("nodes", "edges")

    @property
    def parts(self) -> Parts:
        return Parts({self.names[0]: self.nodes, self.names[1]: self.edges})

    @property
    def owners(self) -> Mapping[str, Int[Tensor, " rows"]]:
        return {self.names[0]: self.node_owner, self.names[1]: self.edge_owner}

    def __len__(self) -> int:
        return self.size

    def take(self, index: Int[Tensor, " examples"]) -> "Graphs":
        index = index.contiguous()
        nodes, node_owner = owned(self.node_owner, index)
        edges, edge_owner = owned(self.edge_owner, index)
        moved = starts(node_owner, len(index)) - torch.searchsorted(self.node_owner, index.to(self.node_owner.device))
        return replace(
            self,
            nodes=self.nodes[nodes],
            edges=self.edges[edges],
            edge_index=self.edge_index[:, edges] + moved[edge_owner],
            node_owner=node_owner,
            edge_owner=edge_owner,
            size=len(index),
        )

    def replace(self, parts: Parts) -> "Graphs":
        return replace(self, nodes=parts[self.names[0]], edges=parts[self.names[1]])

    def arguments(self) -> tuple[Any, ...]:
        return (self.nodes, self.edge_index, self.edges, self.node_owner)

    def to_pyg(self) -> Any:
        """A `torch_geometric.data.Batch` of the same graphs."""
        from torch_geometric.data import Batch, Data

        first = starts(self.node_owner, self.size)
        graphs = []
        for k in range(self.size):
            mine = self.edge_owner == k
            edge_index = self.edge_index[:, mine] - first[k]
            graphs.append(Data(x=self.nodes[self.node_owner == k], edge_index=edge_index, edge_attr=self.edges[mine]))
        return Batch.from_data_list(graphs)

    @classmethod
    def from_pyg(cls, batch: Any, names: tuple[str, str] = ("nodes", "edges")) -> "Graphs":
        """From a `torch_geometric.data.Batch` (or one `Data`) with x, edge_index and, if there, edge_attr.

        Integers become floats; floats keep their precision.
        """
        if batch.x is None:
            raise InputError("the PyTorch Geometric batch has no node features x; there is nothing to attribute")
        owner = batch.batch if batch.batch is not None else batch.x.new_zeros(len(batch.x), dtype=torch.long)
        edge_owner = owner[batch.edge_index[0]]
        order = edge_owner.argsort(stable=True)
        edges = batch.edge_attr
        if edges is None:
            edges = torch.zeros(batch.edge_index.shape[1], 0, device=batch.x.device)
        return cls(
            nodes=_floats(batch.x),
            edges=_floats(edges if edges.ndim == 2 else edges[:, None])[order],
            edge_index=batch.edge_index[:, order],
            node_owner=owner,
            edge_owner=edge_owner[order],
            size=getattr(batch, "num_graphs", 1),
            names=names,
        )


def _floats(array: Tensor) -> Tensor:
    return array if array.is_floating_point() else array.float()
