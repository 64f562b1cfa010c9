"""Integrated Gradients on graphs: ours beside PyTorch Geometric's CaptumExplainer, the same network and molecules.

    python bench/graphs.py FILE          FILE is smiles,label,split; the positives of its test split are explained

A three-layer GCNConv network on the benchmark's atom features, trained for a few seconds. CaptumExplainer explains one
graph at a time with 50 steps (its default); ours packs graphs × steps into disjoint unions. The true values are a fine
midpoint rule in double precision. CPU time of one process on one thread, the least of three interleaved runs.
"""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from time import process_time

import torch
from torch import Tensor, nn
from torch_geometric.explain import CaptumExplainer, Explainer
from torch_geometric.nn import GCNConv, global_add_pool

import attar
from attar.adapters.graph import Graphs
from attar.domains.molecules.graphs import ATOM_FEATURES, molecule_graphs
from attar.domains.molecules.molecule import molecules
from attar.domains.molecules.read import read_molecules
from attar.methods.integrated_gradients import IntegratedGradients

FINE = 2000  # steps of what is called true
TARGET = 30.0


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([GCNConv(len(ATOM_FEATURES), 64), GCNConv(64, 64), GCNConv(64, 64)])
        self.head = nn.Linear(64, 1)

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor | None, batch: Tensor) -> Tensor:  # noqa: ARG002
        for layer in self.layers:
            x = torch.relu(layer(x, edge_index))
        return self.head(global_add_pool(x, batch))


def trained(graphs: Graphs, labels: Tensor) -> Network:
    torch.manual_seed(0)
    network = Network()
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(8):
        for index in torch.randperm(len(labels)).split(128):
            optimizer.zero_grad()
            answers = network(*graphs.take(index).arguments())[:, 0]
            nn.functional.binary_cross_entropy_with_logits(answers, labels[index]).backward()
            optimizer.step()
    return network.eval()


def by_captum(network: Network, graphs: list) -> list[Tensor]:
    """Node masks: signed values are lost in PyTorch Geometric's absolute value unless asked; they are asked here."""
    explainer = Explainer(
        network,
        algorithm=CaptumExplainer("IntegratedGradients", n_steps=50),
        explanation_type="model",
        node_mask_type="attributes",
        model_config={"mode": "regression", "task_level": "graph", "return_type": "raw"},
    )
    nobody = torch.zeros(0)
    found = []
    for graph in graphs:
        batch = torch.zeros(len(graph.x), dtype=torch.long)
        edge_attr = nobody.new_zeros(graph.edge_index.shape[1], 1)
        found.append(explainer(graph.x, graph.edge_index, edge_attr=edge_attr, batch=batch).node_mask)
    return found


def fine(network: Network, graphs: Graphs) -> Tensor:
    double, total = network.double(), torch.zeros_like(graphs.nodes, dtype=torch.float64)
    _, edge_index, _, owner = graphs.arguments()
    for step in range(FINE):
        x = (graphs.nodes.double() * ((step + 0.5) / FINE)).requires_grad_()
        total += torch.autograd.grad(double(x, edge_index, None, owner).sum(), x)[0]
    network.float()
    return total * graphs.nodes.double() / FINE


def shares_off(values: Tensor, truth: Tensor, graphs: Graphs) -> Tensor:
    """L1 error as a share of the true L1 norm, per graph."""

    def per_graph(rows: Tensor) -> Tensor:
        return torch.zeros(len(graphs), dtype=torch.float64).index_add_(0, graphs.node_owner, rows.abs().sum(1))

    return per_graph(values.double() - truth) / per_graph(truth)


def timed(run: Callable[[], object]) -> float:
    before = process_time()
    run()
    return process_time() - before


def main(path: Path) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    table = read_molecules(str(path), input="smiles", label="label", split="split")
    labels = torch.from_numpy(table.labels).float()
    training = torch.tensor([k for k, part in enumerate(table.split) if part == "train"])
    chosen = torch.tensor([k for k, part in enumerate(table.split) if part == "test" and labels[k] == 1])
    everything = molecule_graphs(molecules(table.smiles))
    network = trained(everything.take(training), labels[training])
    graphs = everything.take(chosen)
    single = graphs.to_pyg().to_data_list()
    ways = {
        "CaptumExplainer, 50 steps": lambda: torch.cat(by_captum(network, single)),
        "ours, tolerance 1 %": lambda: explained(network, graphs, 0.01).parts["atoms"],
        "ours, tolerance 5 %": lambda: explained(network, graphs, 0.05).parts["atoms"],
    }
    truth = fine(network, graphs)
    least = {name: min(timed(run) for _ in range(3)) for name, run in ways.items()}
    print(f"{len(graphs)} molecules, {len(graphs.nodes)} atoms\n")
    print(f"{'':<28}{'CPU s':>8}{'ratio':>8}{'error, median':>15}{'worst':>8}")
    first = next(iter(least.values()))
    for name, run in ways.items():
        off = shares_off(run(), truth, graphs)
        print(f"{name:<28}{least[name]:>8.3f}{first / least[name]:>7.1f}x{off.median():>14.2%}{off.max():>8.2%}")
    nodes = float(explained(network, graphs, 0.01).evaluations.double().mean()) - 1
    passes = min(timed(lambda: bare(network, graphs, 10)) for _ in range(5)) * nodes / 10
    said = "the passes alone of the 1 %"
    print(f"{said:<28}{passes:>8.3f}{first / passes:>7.1f}x   {nodes:.0f} nodes for each molecule")
    reached = first / least["ours, tolerance 1 %"]
    print(f"\nAt least {TARGET:.0f}x is asked for: {'met' if reached >= TARGET else 'lost'} ({reached:.0f}x).")
    print("Lost at 1 %: so many nodes are needed until it is known to be reached, and two thirds of the time go into")
    print("where the next ones belong and how far off the sum may be.")


def explained(network: Network, graphs: Graphs, tolerance: float) -> attar.Attribution:
    return attar.attribute(network, graphs, IntegratedGradients(tolerance=tolerance))


def bare(network: Network, graphs: Graphs, times: int) -> None:
    """Forward and backward, once for so many nodes of every molecule."""
    x, edge_index, _, owner = graphs.take(torch.arange(len(graphs)).repeat(times)).arguments()
    x = x.detach().requires_grad_()
    torch.autograd.grad(network(x, edge_index, None, owner).sum(), x)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
