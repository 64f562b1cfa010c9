"""Networks on molecules: order and company change nothing, and the readout is what CAM needs."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn

from attar import InputError, attribute
from attar.adapters.torch import TorchModel
from attar.core.inputs import Inputs
from attar.core.model import Attending, Layered, Pooled, lacks
from attar.core.parts import Parts
from attar.domains.molecules.bag import Vocabulary
from attar.domains.molecules.graphs import ATOM_FEATURES, BOND_FEATURES, molecule_graphs
from attar.domains.molecules.molecule import Molecule
from attar.domains.molecules.networks import BLOCKS, BagMLP, Build, GraphNetwork, graph_model
from attar.engine.train import train
from attar.methods.cam import CAM
from attar.methods.grad_cam import GradCAM
from attar.methods.grad_input import GradInput
from models import in_dtype, nci, seeded

MOLECULES = (*nci(12), Molecule.of("C"))
VOCABULARY = Vocabulary.of(MOLECULES, radius=1)
KINDS = (*BLOCKS, "bag")


def network(kind: str, seed: int = 0) -> nn.Module:
    def build() -> nn.Module:
        if kind == "bag":
            return BagMLP(len(VOCABULARY), hidden=12, depth=2)
        return GraphNetwork(kind, len(ATOM_FEATURES), len(BOND_FEATURES), atoms=9, bonds=7, channels=8, depth=2)

    return seeded(build, seed=seed)


def inputs_of(kind: str, molecules: tuple[Molecule, ...]) -> Inputs:
    inputs = VOCABULARY.bag(molecules) if kind == "bag" else molecule_graphs(molecules)
    return in_dtype(inputs, torch.float64)


@torch.no_grad()
def answers(kind: str, molecules: tuple[Molecule, ...]) -> torch.Tensor:
    return network(kind)(*inputs_of(kind, molecules).arguments())


@pytest.mark.parametrize("kind", KINDS)
def test_one_logit_per_molecule(kind: str) -> None:
    found = answers(kind, MOLECULES)
    assert found.shape == (13, 1)
    assert float(found.std()) > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_molecules_is_the_order_of_answers(kind: str) -> None:
    order = [5, 12, 0, 3, 11, 1, 2, 4, 10, 6, 7, 9, 8]
    torch.testing.assert_close(answers(kind, tuple(MOLECULES[k] for k in order)), answers(kind, MOLECULES)[order])


@pytest.mark.parametrize("kind", KINDS)
def test_a_molecule_answers_alone_as_in_company(kind: str) -> None:
    together = answers(kind, MOLECULES)
    for k, molecule in enumerate(MOLECULES):
        torch.testing.assert_close(answers(kind, (molecule,)), together[k : k + 1])


@pytest.mark.parametrize("kind", BLOCKS)
def test_the_numbering_of_atoms_changes_nothing(kind: str) -> None:
    from rdkit import Chem

    for molecule in MOLECULES[:5]:
        order = np.random.default_rng(0).permutation(molecule.size).tolist()
        renumbered = Molecule(molecule.smiles, Chem.RenumberAtoms(molecule.mol, order))
        torch.testing.assert_close(answers(kind, (renumbered,)), answers(kind, (molecule,)))
        before, after = (
            attribute(network(kind), inputs_of(kind, (m,)), GradInput()).by_example("atoms")[0]
            for m in (molecule, renumbered)
        )
        torch.testing.assert_close(after, before[order])


@pytest.mark.parametrize("kind", BLOCKS)
def test_every_kind_hears_atoms_and_bonds(kind: str) -> None:
    found = attribute(network(kind), inputs_of(kind, MOLECULES[:4]), GradInput())
    assert float(found.parts["atoms"].abs().sum()) > 1e-3
    assert float(found.parts["bonds"].abs().sum()) > 1e-3


@pytest.mark.parametrize("kind", BLOCKS)
def test_an_atom_hears_its_neighbours_and_bonds(kind: str) -> None:
    """In one block from next door; two doors away is heard through the second."""
    chain, model = inputs_of(kind, (Molecule.of("CCCCCC"),)), graph_model(network(kind))
    plain = attribute(model, chain, CAM()).parts["atoms"]
    nodes, edges = chain.nodes.clone(), chain.edges.clone()
    nodes[0] += 1
    edges[:2] += 1  # the bond of atoms 0 and 1, both ways
    for part, changed, reach in (("atoms", nodes, 2), ("bonds", edges, 2)):
        moved = attribute(model, chain.replace(Parts({**chain.parts, part: changed})), CAM()).parts["atoms"] != plain
        assert bool(moved[: reach + 1].all())
        if kind != "graphnets":  # which has a whole molecule in between; in the others what is far away is not heard
            assert not bool(moved[4:].any())


@pytest.mark.parametrize("kind", BLOCKS)
def test_cam_sums_to_the_logit_less_the_heads_bias(kind: str) -> None:
    module = network(kind)
    found = attribute(graph_model(module), inputs_of(kind, MOLECULES), CAM())
    bias = module.head.bias.detach()
    torch.testing.assert_close(found.parts.per_example(found.owners, 13) + bias, found.output)
    torch.testing.assert_close(found.reference, bias.expand(13))


@pytest.mark.parametrize("kind", BLOCKS)
def test_maps_are_nothing_where_no_channel_stands_out(kind: str) -> None:
    """A constant added to all of the head's weights then adds nothing to any atom: it would count atoms and bonds."""
    module, inputs = network(kind), inputs_of(kind, MOLECULES)
    before = attribute(graph_model(module), inputs, CAM())
    with torch.no_grad():
        module.head.weight += 5
    after = attribute(graph_model(module), inputs, CAM())
    torch.testing.assert_close(after.output, before.output)
    for part, array in after.parts.items():
        torch.testing.assert_close(array, before.parts[part])


@pytest.mark.parametrize("kind", BLOCKS)
def test_a_graph_model_offers_all_that_methods_ask(kind: str) -> None:
    model = graph_model(network(kind))
    assert model.layers == ("layers.0", "layers.1")
    assert lacks(model, Layered) is None
    assert lacks(model, Pooled) is None
    assert (lacks(model, Attending) is None) == (kind == "gat")
    found = attribute(model, inputs_of(kind, MOLECULES), GradCAM())
    assert list(found.parts) == ["atoms", "bonds"]


@pytest.mark.parametrize("kind", KINDS)
def test_rescaling_is_an_affine_step_after_the_answer(kind: str) -> None:
    module, inputs = network(kind), inputs_of(kind, MOLECULES)
    before = answers(kind, MOLECULES)
    module.rescale(3.0, -2.0)
    with torch.no_grad():
        torch.testing.assert_close(module(*inputs.arguments()), 3 * before - 2)
    scaled = attribute(TorchModel(module), inputs, GradInput())
    plain = attribute(network(kind), inputs, GradInput())
    for part, array in scaled.parts.items():
        torch.testing.assert_close(array, 3 * plain.parts[part])


@pytest.mark.parametrize("kind", BLOCKS)
def test_the_centre_of_a_regression_belongs_to_no_atom(kind: str) -> None:
    plain, module = network(kind), network(kind)
    module.rescale(3.0, -2.0)
    before, after = (attribute(graph_model(m), inputs_of(kind, MOLECULES), CAM()) for m in (plain, module))
    torch.testing.assert_close(after.reference, 3 * before.reference - 2)
    for part, array in after.parts.items():
        torch.testing.assert_close(array, 3 * before.parts[part])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_learns(kind: str) -> None:
    """Whether there is a nitrogen: a dozen molecules learned by heart."""
    labels = torch.tensor([float("N" in m.smiles or "n" in m.smiles) for m in MOLECULES])
    assert 2 < int(labels.sum()) < 11
    inputs = in_dtype(inputs_of(kind, MOLECULES), torch.float32)
    module = train(lambda: network(kind).float(), inputs, labels, epochs=150, batch_size=13, learning_rate=1e-2)
    with torch.no_grad():
        sure = module(*inputs.arguments())[:, 0] * (2 * labels - 1)
    assert float(sure.min()) > 0


@pytest.mark.parametrize("kind", BLOCKS)
def test_a_molecule_without_bonds_has_finite_gradients(kind: str) -> None:
    found = attribute(network(kind), inputs_of(kind, (Molecule.of("C"),)), GradInput())
    assert found.parts["bonds"].shape == (0, len(BOND_FEATURES))
    assert bool(torch.isfinite(found.parts["atoms"]).all())


def test_attention_is_a_softmax_over_what_arrives() -> None:
    module = network("gat")
    score, receiver = torch.tensor([1000.0, 1000.0, -1000.0, 3.0]), torch.tensor([0, 0, 0, 2])
    weight = module.blocks[0].attention(score, receiver, 3)
    torch.testing.assert_close(weight[:, 0], torch.tensor([0.5, 0.5, 0.0, 1.0]))


def test_an_empty_bag_answers_with_the_bias() -> None:
    module = network("bag")
    nothing = Vocabulary.of((Molecule.of("C"),), radius=0)
    strange = Vocabulary(VOCABULARY.identifiers, 1).bag((Molecule.of("[Hg]"),))
    assert len(strange.counts) == 0
    assert len(nothing) == 1
    with torch.no_grad():
        expected = module.rest(module.bias[None])
        torch.testing.assert_close(module(*in_dtype(strange, torch.float64).arguments()), expected)


def test_a_kind_that_is_not_there() -> None:
    with pytest.raises(InputError, match="no graph network 'transformer'; choose from gcn, gat, mpnn, graphnets"):
        GraphNetwork("transformer", 3, 2)


def test_a_recipe_for_a_module_pickles() -> None:
    recipe = Build(GraphNetwork, ("gcn", 3, 2))
    assert pickle.loads(pickle.dumps(recipe)) == recipe
    assert isinstance(recipe(), GraphNetwork)
