"""What belongs to an atom, and what "without this atom" means, for bags of subgraphs and for graphs."""

from dataclasses import dataclass

import numpy as np
import torch

from attar.adapters.graph import Graphs
from attar.core.errors import InputError
from attar.core.features import Features, Share
from attar.core.inputs import Inputs
from attar.domains.molecules.bag import MoleculeBag, Occurrences


@dataclass(frozen=True)
class Spread:
    """A subgraph's attribution is spread evenly over its occurrences and, in each, over the atoms. Sums are kept."""

    def __call__(self, inputs: Inputs) -> Features:
        found = _occurrences(inputs, self)
        per_entry = np.bincount(found.entry)[found.entry]
        per_occurrence = np.bincount(found.occurrence, minlength=len(found.entry))
        share = 1 / (per_entry * per_occurrence)
        return _atoms(found, "spread", found.entry[found.occurrence], found.atom, share[found.occurrence])


@dataclass(frozen=True)
class Centre:
    """A subgraph's attribution goes to the centre atoms of its occurrences, evenly. Sums are kept."""

    def __call__(self, inputs: Inputs) -> Features:
        found = _occurrences(inputs, self)
        return _atoms(found, "centre", found.entry, found.centre, 1 / np.bincount(found.entry)[found.entry])


@dataclass(frozen=True)
class Mask:
    """An atom has every subgraph that touches it in any of its occurrences, whole: without the atom the column is 0.

    With occlusion this is what RDKit's SimilarityMaps does with a bit vector (a test holds them together to 1e-6).
    Sums are not kept: a subgraph counts once for each of its atoms.
    """

    def __call__(self, inputs: Inputs) -> Features:
        found = _occurrences(inputs, self)
        pairs = np.unique(np.stack([found.entry[found.occurrence], found.atom]), axis=1)
        return _atoms(found, "mask", pairs[0], pairs[1], np.ones(pairs.shape[1]))


@dataclass(frozen=True)
class MaskOccurrences:
    """An atom has those occurrences of a subgraph that touch it: without it the count falls by their number.

    In a bag of presences the column goes to 0 only if every occurrence touches the atom. Differs from `Mask` in
    sign on about one atom in eight.
    """

    def __call__(self, inputs: Inputs) -> Features:
        found = _occurrences(inputs, self)
        pairs, touching = np.unique(np.stack([found.entry[found.occurrence], found.atom]), axis=1, return_counts=True)
        share = touching / np.bincount(found.entry)[pairs[0]]
        if isinstance(inputs, MoleculeBag) and inputs.vocabulary is not None and inputs.vocabulary.presence:
            share = np.floor(share)
        return _atoms(found, "mask occurrences", pairs[0], pairs[1], share)


@dataclass(frozen=True)
class Receivers:
    """A graph's atom has its own row and all of each bond that arrives at it: a bond's two directed edges go to
    its two ends. Sums are kept. Source: Sanchez-Lengeling et al. 2020, `reduce_sum_edges`.
    """

    def __call__(self, inputs: Inputs) -> Features:
        graphs = _graphs(inputs, self)
        return _graph_atoms(graphs, "bonds to receivers", graphs.edge_index[1])


@dataclass(frozen=True)
class AtomsOnly:
    """A graph's atom has its own row; what lies on bonds is left out (and so is its share of the sum)."""

    def __call__(self, inputs: Inputs) -> Features:
        return _graph_atoms(_graphs(inputs, self), "atoms only", None)


@dataclass(frozen=True)
class WithBonds:
    """Without a graph's atom, its own row and the rows of all its bonds, both directions, are gone."""

    def __call__(self, inputs: Inputs) -> Features:
        graphs = _graphs(inputs, self)
        edges = torch.arange(len(graphs.edges), device=graphs.device)
        ends = torch.stack([graphs.edge_index.flatten(), edges.repeat(2)]).unique(dim=1)  # a loop has one end
        features = _graph_atoms(graphs, "atom with its bonds", None)
        whole = torch.ones(ends.shape[1], device=graphs.device)
        shares = {**features.shares, graphs.names[1]: Share(ends[0], ends[1], whole)}
        return Features(name="atoms", rule=features.rule, owner=features.owner, shares=shares)


def _graph_atoms(graphs: Graphs, rule: str, receivers: torch.Tensor | None) -> Features:
    atoms = torch.arange(len(graphs.nodes), device=graphs.device)
    shares = {graphs.names[0]: Share(atoms, atoms, torch.ones(len(atoms), device=graphs.device))}
    if receivers is not None:
        edges = torch.arange(len(receivers), device=graphs.device)
        shares[graphs.names[1]] = Share(receivers, edges, torch.ones(len(edges), device=graphs.device))
    return Features(name="atoms", rule=rule, owner=graphs.node_owner, shares=shares)


def _atoms(found: Occurrences, rule: str, entry: np.ndarray, atom: np.ndarray, share: np.ndarray) -> Features:
    members = Share(torch.from_numpy(atom), torch.from_numpy(entry), torch.from_numpy(share.astype(np.float64)))
    owner = torch.from_numpy(found.atom_owner)
    return Features(name="atoms", rule=rule, owner=owner, shares={"subgraphs": members})


def _occurrences(inputs: Inputs, rule: object) -> Occurrences:
    if not isinstance(inputs, MoleculeBag) or inputs.vocabulary is None:
        raise InputError(f"{type(rule).__name__} carries bags of subgraphs to atoms, not {type(inputs).__name__}")
    return inputs.vocabulary.occurrences(inputs.molecules)


def _graphs(inputs: Inputs, rule: object) -> Graphs:
    if not isinstance(inputs, Graphs):
        raise InputError(f"{type(rule).__name__} carries graphs to atoms, not {type(inputs).__name__}")
    return inputs
