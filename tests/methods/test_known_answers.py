"""Each method against an answer that is known: in closed form, from a slow literal version, or as a law of chance."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from attar import InputError, Logit, Predicted, Probability, UnsupportedError, attribute
from attar.adapters import adapt
from attar.adapters.graph import Graphs
from attar.adapters.torch import TorchModel
from attar.core.attribution import Attribution
from attar.core.baseline import Constant
from attar.core.features import groups
from attar.core.inputs import Inputs, SparseRows, Tensors
from attar.core.model import lacks
from attar.core.parts import Parts
from attar.core.target import Target
from attar.domains.molecules.bag import MoleculeBag, Vocabulary
from attar.domains.molecules.graphs import ATOM_FEATURES, BOND_FEATURES, molecule_graphs
from attar.domains.molecules.networks import BagMLP, GraphNetwork, graph_model
from attar.domains.molecules.perturb import Mask, Spread, WithBonds
from attar.methods.attention_weights import AttentionWeights
from attar.methods.cam import CAM
from attar.methods.grad_cam import GradCAM
from attar.methods.grad_input import GradInput
from attar.methods.integrated_gradients import IntegratedGradients
from attar.methods.occlusion import Occlusion
from attar.methods.random_values import RandomValues
from attar.methods.smooth_grad import SmoothGrad
from attar.methods.tree_paths import TreePaths
from attar.methods.weight_times_input import WeightTimesInput
from models import (
    FEATURES,
    MODELS,
    Formula,
    PooledCNN,
    case,
    close,
    graph_network,
    graphs,
    images,
    in_dtype,
    nci,
    numbers,
    relu_mlp,
    seeded,
    sparse,
    table,
)


def per_example(values: Tensor) -> Tensor:
    return values.flatten(1).sum(1)


# --- W·x and trees: exact by design ---


@pytest.mark.parametrize("name", ["logistic", "multinomial", "ridge"])
def test_weight_times_input_is_the_estimators_own_weight(name: str) -> None:
    given = case(name)
    found = attribute(given.model, given.inputs, WeightTimesInput(), Logit(0))
    sign = -1.0 if name == "logistic" else 1.0  # class 0 of two: the estimator keeps the weights of class 1
    weights = np.atleast_2d(given.model.coef_)[0]
    close(found.values, sign * given.inputs.values * torch.from_numpy(weights))
    close(found.residual(), torch.zeros(len(given.inputs), dtype=torch.float64))


@pytest.mark.parametrize("name", [n for n in MODELS if lacks(adapt(case(n).model), WeightTimesInput.needs) is None])
def test_weight_times_input_is_complete(name: str) -> None:
    given = case(name)
    found = attribute(given.model, given.inputs, WeightTimesInput())
    total = found.parts.per_example(found.owners, len(found))
    close(found.reference + total, found.output)


@pytest.mark.parametrize("name", ["tree", "regression-tree", "tree-on-rows"])
def test_tree_paths_are_a_walk_down_the_tree(name: str) -> None:
    given = case(name)
    target = Logit(1) if name != "regression-tree" else Logit(0)
    found = attribute(given.model, given.inputs, TreePaths(), target)
    values = _node_values(given.model, target)
    rows = given.inputs.dense() if isinstance(given.inputs, SparseRows) else given.inputs.values
    expected = np.stack([_walked(given.model.tree_, values, row) for row in rows.numpy()])
    if isinstance(given.inputs, SparseRows):
        present = expected[given.inputs.rows, given.inputs.columns]
        close(found.parts["words"], torch.from_numpy(present))
        absent = expected.sum(1) - np.bincount(given.inputs.rows, present, minlength=len(given.inputs))
        close(found.unassigned, torch.from_numpy(absent))
        assert float(found.unassigned.abs().max()) > 0.1
    else:
        close(found.values, torch.from_numpy(expected))
    close(found.reference, torch.full((len(found),), values[0], dtype=torch.float64))
    close(found.residual(), torch.zeros(len(found), dtype=torch.float64))


def _node_values(estimator: object, target: Logit) -> np.ndarray:
    """The log-odds of the class in each node, half an example added to each; or the node's mean."""
    tree = estimator.tree_
    if not hasattr(estimator, "classes_"):
        return tree.value[:, 0, 0]
    counts = tree.value[:, 0, :] * tree.n_node_samples[:, None] + 0.5
    of_class = counts[:, target.index]
    return np.log(of_class / (counts.sum(1) - of_class))


def _walked(tree: object, values: np.ndarray, row: np.ndarray) -> np.ndarray:
    gained, node = np.zeros(len(row)), 0
    while tree.children_left[node] >= 0:
        column = tree.feature[node]
        goes_left = np.float32(row[column]) <= tree.threshold[node]
        below = tree.children_left[node] if goes_left else tree.children_right[node]
        gained[column] += values[below] - values[node]
        node = below
    return gained


# --- gradient times input ---


def test_gradient_input_on_a_linear_model_is_weight_times_input() -> None:
    module, x = case("linear").model, table()
    found = attribute(module, x, GradInput(), Logit(2))
    close(found.values, x * module.weight.detach()[2])


def test_gradient_input_is_the_derivative_times_the_input() -> None:
    x = table()
    found = attribute(Formula(lambda x: (x**3).sum(1) + x[:, 0] * x[:, 1]), x, GradInput())
    expected = 3 * x**3
    expected[:, :2] += (x[:, 0] * x[:, 1])[:, None]
    close(found.values, expected)


def test_a_target_that_does_not_depend_on_the_input_has_no_attribution() -> None:
    found = attribute(Formula(lambda x: torch.ones(len(x), 2, dtype=x.dtype)), table(), GradInput())
    assert torch.equal(found.values, torch.zeros(6, FEATURES, dtype=torch.float64))


# --- CAM and GradCAM ---


def test_cam_is_grad_cam_where_maps_are_averaged() -> None:
    """A channel's mean gradient over the map is its weight over the map's size: both are the share of a position."""
    given = case("cnn")
    for target in (Predicted(), Logit(1)):
        cam, grad_cam = (attribute(given.model, given.inputs, method, target) for method in (CAM(), GradCAM()))
        assert cam.values.shape == (4, 5, 4)
        close(cam.values, grad_cam.values)
        close(cam.values, attribute(given.model, given.inputs, GradCAM(averaged=False), target).values)
        close(per_example(cam.values), cam.output)


def test_cam_is_grad_cam_where_maps_are_summed() -> None:
    module = graph_network("mpnn")
    model = TorchModel(module, layers=("maps",), pooled="maps", head="head")
    cam, grad_cam = (attribute(model, graphs(), method) for method in (CAM(), GradCAM()))
    for part in ("nodes", "edges"):
        close(cam.parts[part], grad_cam.parts[part])


def test_cam_is_the_head_applied_to_each_position() -> None:
    module, x = seeded(PooledCNN), images()
    found = attribute(TorchModel(module, pooled="second", head="head", mean=True), x, CAM(), Logit(2))
    with torch.no_grad():
        maps = module.second(torch.relu(module.first(x)))
    for image, row, column in np.ndindex(4, 5, 4):
        expected = module.head.weight[2] @ maps[image, :, row, column] / (5 * 4)
        close(found.values[image, row, column], expected.detach())


def test_cam_is_complete_up_to_the_bias() -> None:
    module = seeded(PooledCNN)
    module.head = seeded(lambda: nn.Linear(4, 3))
    found = attribute(TorchModel(module, pooled="second", head="head", mean=True), images(), CAM(), Logit(1))
    close(found.reference, module.head.bias.detach()[1].expand(4))


def test_grad_cam_of_every_layer_is_the_mean_over_layers() -> None:
    module = graph_network("gcn")
    of_each = [attribute(TorchModel(module, layers=(f"layers.{k}",)), graphs(), GradCAM()) for k in range(2)]
    of_all = attribute(graph_model(module), graphs(), GradCAM(every_layer=True))
    for part in ("nodes", "edges"):
        close(of_all.parts[part], (of_each[0].parts[part] + of_each[1].parts[part]) / 2)


def test_grad_cam_is_activation_times_mean_gradient() -> None:
    module, x = seeded(PooledCNN), images()
    found = attribute(TorchModel(module, layers=("first",)), x, GradCAM(), Logit(0))
    first = module.first(x).detach().requires_grad_()
    outputs = module.head(module.second(torch.relu(first)).mean((2, 3)))
    (gradient,) = torch.autograd.grad(outputs[:, 0].sum(), first)
    close(found.values, (first * gradient.mean((2, 3), keepdim=True)).sum(1).detach())


def test_layers_of_different_size_have_no_mean() -> None:
    module = seeded(lambda: nn.Sequential(nn.Conv2d(2, 3, 2), nn.Conv2d(3, 3, 2), nn.Flatten(), nn.Linear(18, 2)))
    with pytest.raises(UnsupportedError, match="layers 0, 1 differ in size"):
        attribute(TorchModel(module, layers=("0", "1")), images(), GradCAM(every_layer=True))


def test_cam_explains_logits_alone() -> None:
    given = case("cnn")
    with pytest.raises(UnsupportedError, match="CAM explains one output's logit"):
        attribute(given.model, given.inputs, CAM(), Probability(0))


# --- occlusion ---


def loop(model: Callable[[Inputs], Tensor], inputs: Inputs, part: str, absent: Tensor) -> Tensor:
    """The drop of output 0 when one entry of the part, or one row of features, goes to `absent`; one at a time."""
    whole, drops = model(inputs)[:, 0], []
    for row, owner in enumerate(inputs.owners[part].tolist()):
        parts = {name: array.clone() for name, array in inputs.parts.items()}
        parts[part][row] = absent[row]
        drops.append(whole[owner] - model(inputs.replace(Parts(parts)))[owner, 0])
    return torch.stack(drops)


@pytest.mark.parametrize("name", ["mlp", "cnn", "function", "forest", "function-of-images"])
@pytest.mark.parametrize("filling", [0.0, 0.7])
def test_occlusion_of_a_tensor_is_a_loop_over_its_entries(name: str, filling: float) -> None:
    given = case(name)
    x = given.inputs.values
    row = torch.full(x.shape[1:], filling, dtype=x.dtype)
    found = attribute(given.model, x, Occlusion(baseline=Constant({"input": row})), Logit(0))
    predict = adapt(given.model).predict
    whole = predict(Tensors(x))[:, 0]
    expected = torch.zeros_like(x)
    for place in np.ndindex(*x.shape[1:]):
        without = x.clone()
        without[(slice(None), *place)] = filling
        expected[(slice(None), *place)] = whole - predict(Tensors(without))[:, 0]
    close(found.values, expected)
    assert found.evaluations.tolist() == [x[0].numel() + 1] * len(x)


@pytest.mark.parametrize("name", ["mpnn", "pyg-gcn", "bag-mlp", "tree-on-rows"])
def test_occlusion_of_rows_is_a_loop_over_them(name: str) -> None:
    given = case(name)
    found = attribute(given.model, given.inputs, Occlusion(), Logit(0))
    for part, array in given.inputs.parts.items():
        close(found.parts[part], loop(adapt(given.model).predict, given.inputs, part, torch.zeros_like(array)))


def test_occlusion_of_an_atom_takes_its_bonds_along() -> None:
    model, molecules = _molecule_network(), list(nci(5))
    inputs = in_dtype(molecule_graphs(molecules), torch.float64)
    found = attribute(model, inputs, Occlusion(by=WithBonds()), Logit(0))
    whole, drops = model.predict(inputs)[:, 0], []
    for atom, owner in enumerate(inputs.node_owner.tolist()):
        nodes, edges = inputs.nodes.clone(), inputs.edges.clone()
        nodes[atom] = 0
        edges[(inputs.edge_index == atom).any(0)] = 0
        without = inputs.replace(Parts({"atoms": nodes, "bonds": edges}))
        drops.append(whole[owner] - model.predict(without)[owner, 0])
    close(found.parts["atoms"], torch.stack(drops))
    assert found.carried_by == "atom with its bonds"


def _molecule_network() -> TorchModel:
    def build() -> GraphNetwork:
        return GraphNetwork("mpnn", len(ATOM_FEATURES), len(BOND_FEATURES), atoms=8, bonds=5, channels=6)

    return graph_model(seeded(build))


@pytest.mark.parametrize("rule", [Mask(), Spread()])
def test_occlusion_of_an_atom_takes_its_subgraphs_along(rule: Mask | Spread) -> None:
    """By `Mask` every subgraph that it stands in, whole; by `Spread` its share of each."""
    molecules = list(nci(6))
    vocabulary = Vocabulary.of(molecules, radius=1)
    model = TorchModel(seeded(lambda: BagMLP(len(vocabulary), 8)))
    bag = in_dtype(vocabulary.bag(molecules), torch.float64)
    found = attribute(model, bag, Occlusion(by=rule), Logit(0))
    whole, drops = model.predict(bag)[:, 0], []
    for k, molecule in enumerate(molecules):
        for atom in range(molecule.size):
            counts = bag.counts.clone()
            for entry in (bag.rows == k).nonzero()[:, 0].tolist():
                share = _share(bag, molecule, entry, atom)
                counts[entry] *= 1 - (float(share > 0) if isinstance(rule, Mask) else share)
            drops.append(whole[k] - model.predict(bag.replace(Parts({"subgraphs": counts})))[k, 0])
    close(found.parts["atoms"], torch.stack(drops), tolerance=1e-9)


def _share(bag: MoleculeBag, molecule: object, entry: int, atom: int) -> float:
    """The atom's share of the entry, looked up occurrence by occurrence."""
    identifier = bag.vocabulary.identifiers[bag.columns[entry]]
    seen = molecule.environments.up_to(1)
    occurrences = np.flatnonzero(seen.identifier == identifier)
    members = [set(seen.atom[seen.occurrence == k].tolist()) for k in occurrences]
    return sum((atom in atoms) / len(atoms) for atoms in members) / len(members)


def test_occlusion_by_groups_takes_a_group_away_at_once() -> None:
    x = table()
    group = torch.tensor([0, 0, 1, 1, 1])

    def two_halves(whole: Inputs) -> object:
        return groups(whole.owners["input"], group.repeat(len(x)), "input", "halves")

    found = attribute(relu_mlp(), x, Occlusion(by=two_halves), Logit(0))
    predict = adapt(relu_mlp()).predict
    drops = [predict(Tensors(x))[:, 0] - predict(Tensors(x * (group != k)))[:, 0] for k in (0, 1)]
    close(found.parts["halves"], torch.stack(drops, 1).flatten())
    assert found.owners["halves"].tolist() == [k for k in range(6) for _ in range(2)]
    assert found.evaluations.tolist() == [2 + 1] * 6


def test_occlusion_of_an_example_that_has_no_parts() -> None:
    nothing = sparse().take(torch.tensor([1]))
    found = attribute(case("bag-mlp").model, nothing, Occlusion())
    assert found.parts["words"].shape == (0,)


# --- SmoothGrad ---


def test_antithetic_noise_on_a_linear_model_makes_no_error() -> None:
    module, x = case("linear").model, table()
    found = attribute(module, x, SmoothGrad(noise=2.0), Logit(1))
    close(found.values, x * module.weight.detach()[1])
    assert float(found.error.bound.max()) < 1e-12


def test_smooth_grad_is_the_mean_over_its_noisy_copies() -> None:
    """On a cube the mean is known: E[3 (x + n)^3] = 3 x^3 + 9 x s^2."""
    x = table(4)
    spread = 0.15 * x.std(1, correction=0, keepdim=True)
    found = attribute(Formula(lambda x: (x**3).sum(1)), x, SmoothGrad(samples=4000))
    expected = 3 * x**3 + 9 * x * spread**2
    assert bool((per_example((found.values - expected).abs()) < 2 * found.error.bound).all())
    assert float(found.error.bound.max()) < 0.02 * float(per_example(expected.abs()).max())


def test_the_standard_error_shrinks_with_the_root_of_the_samples() -> None:
    x = 3 * table(40, seed=11)
    bounds = [
        float(attribute(relu_mlp(), x, SmoothGrad(samples=samples, noise=0.5)).error.bound.mean())
        for samples in (20, 80, 320)
    ]
    assert bounds[0] / bounds[1] == pytest.approx(2, rel=0.15)
    assert bounds[1] / bounds[2] == pytest.approx(2, rel=0.15)


def test_the_standard_error_is_what_other_seeds_show() -> None:
    """The distance of one run from the mean of many is 0.8 standard errors on average, as for a normal law."""
    x = 3 * table(20, seed=11)
    runs = [attribute(relu_mlp(), x, SmoothGrad(samples=40, noise=0.5, seed=seed)) for seed in range(60)]
    middle = torch.stack([run.values for run in runs]).mean(0)
    distance = torch.stack([per_example((run.values - middle).abs()) for run in runs])
    said = torch.stack([per_example(run.standard_error["input"]) for run in runs])
    assert float(distance.mean() / said.mean()) == pytest.approx((2 / np.pi) ** 0.5, rel=0.08)


def test_smooth_grad_takes_any_method() -> None:
    given = case("mlp")
    smooth = SmoothGrad(base=Occlusion(), samples=4)
    found = attribute(given.model, given.inputs, smooth, Logit(0))
    assert found.values.shape == (6, FEATURES)
    assert not torch.equal(found.values, attribute(given.model, given.inputs, Occlusion(), Logit(0)).values)


def test_smooth_grad_of_atoms_stays_on_atoms() -> None:
    """What the base carried to other features is there, with their name."""
    inputs = in_dtype(molecule_graphs(list(nci(3))), torch.float64)
    by_atoms = Occlusion(by=WithBonds())
    found = attribute(_molecule_network(), inputs, SmoothGrad(base=by_atoms, samples=4), Logit(0))
    assert found.carried_by == "atom with its bonds"
    assert found.parts["atoms"].shape == (len(inputs.nodes),)


def test_input_without_spread_gets_no_noise() -> None:
    x = torch.full((2, FEATURES), 0.5, dtype=torch.float64)
    found = attribute(relu_mlp(), x, SmoothGrad())
    close(found.values, attribute(relu_mlp(), x, GradInput()).values)


@pytest.mark.parametrize("wrong", [{"samples": 2}, {"samples": 5}, {"samples": 0}, {"noise": 0.0}, {"noise": -1.0}])
def test_impossible_samples_and_noise_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=f"^{next(iter(wrong))} is {next(iter(wrong.values()))}, expected"):
        SmoothGrad(**wrong)


# --- attention, chance, dummies ---


def test_attention_that_arrives_at_a_node_sums_to_one() -> None:
    given = case("gat")
    found = attribute(given.model, given.inputs, AttentionWeights())
    receiver = given.inputs.edge_index[1]
    arriving = torch.zeros(10, dtype=torch.float64).index_add_(0, receiver, found.parts["edges"])
    close(arriving, (torch.bincount(receiver, minlength=10) > 0).double())
    assert float(found.parts["edges"].min()) > 0
    assert found.parts["edges"].unique().numel() > 8  # not all equal, as untrained attention without scores would be


def test_attention_is_the_same_whatever_the_target() -> None:
    given = case("gat")
    one, other = (attribute(given.model, given.inputs, AttentionWeights(), t) for t in (Logit(0), Probability(0)))
    assert torch.equal(one.parts["edges"], other.parts["edges"])


def test_random_values_know_nothing_of_the_model() -> None:
    x = table()
    found = [attribute(case(name).model, x, RandomValues()).values for name in ("linear", "mlp", "forest", "function")]
    assert all(torch.equal(values, found[0]) for values in found)
    many = attribute(case("linear").model, numbers(1, FEATURES), RandomValues(seed=3)).values
    assert not torch.equal(many, found[0][:1])


def test_random_values_are_standard_normal() -> None:
    found = attribute(Formula(lambda x: x.sum(1)), numbers(1, 20_000), RandomValues()).values
    assert abs(float(found.mean())) < 0.03
    assert float(found.std()) == pytest.approx(1, rel=0.03)


DUMMY = 3


@pytest.mark.parametrize("method", [WeightTimesInput(), GradInput(), TreePaths(), Occlusion()])
def test_a_column_that_no_weight_or_split_uses_gets_nothing(method: object) -> None:
    from sklearn.linear_model import Ridge
    from sklearn.tree import DecisionTreeRegressor

    x = table(40)
    x[:, DUMMY] = 1.5  # constant in training: nothing can be learned from it
    kind = DecisionTreeRegressor(random_state=0) if isinstance(method, TreePaths) else Ridge()
    fitted = kind.fit(x.numpy(), x[:, 0].numpy() * 2 + x[:, 1].numpy())
    values = attribute(fitted, table(), method).values
    close(values[:, DUMMY], torch.zeros(6, dtype=torch.float64))
    assert float(values[:, 0].abs().min()) > 0


# --- what the answer says of itself ---


def ranked_by_hand(found: Attribution, example: int) -> list[float]:
    return sorted(found.values[example].flatten().tolist(), key=lambda v: -abs(v))


def test_ranking_puts_the_largest_first_under_its_index() -> None:
    found = attribute(case("cnn").model, images(), GradInput())
    ranked = found.ranked(2)
    assert [value for _, value in ranked] == ranked_by_hand(found, 2)
    name, value = ranked[0]
    assert found.values[(2, *eval(name))] == value  # [0, 4, 1] is its place
    assert found.ranked(2, limit=3) == ranked[:3]


def test_values_of_an_example_are_its_own_rows() -> None:
    found = attribute(case("mpnn").model, graphs(), GradInput())
    rows = found.parts["nodes"].sum(1)
    assert [len(values) for values in found.by_example("nodes")] == [3, 1, 4, 2]
    assert [len(values) for values in found.by_example("edges")] == [6, 0, 6, 2]
    close(found.by_example("nodes")[2], rows[4:8])


def test_targets_are_what_they_say() -> None:
    given, x = case("mlp"), table()
    with torch.no_grad():
        outputs = given.module(x)

    def said(target: Target | None) -> Tensor:
        return attribute(given.model, x, GradInput(), target).output

    close(said(None), outputs.max(1).values)
    close(said(Predicted()), outputs.max(1).values)
    close(said(Logit(1)), outputs[:, 1])
    close(said(Probability(1)), torch.softmax(outputs, 1)[:, 1])
    close(said(Logit([0, 1, 0, 1, 1, 0])), outputs[torch.arange(6), torch.tensor([0, 1, 0, 1, 1, 0])])
    close(said(Logit(torch.tensor(1))), outputs[:, 1])
    close(said(Logit(np.int64(1))), outputs[:, 1])
    close(
        said(Probability(np.array([1, 0, 0, 0, 0, 0]))), torch.softmax(outputs, 1)[torch.arange(6), [1, 0, 0, 0, 0, 0]]
    )


def test_the_predicted_class_is_settled_before_the_input_is_changed() -> None:
    """Else a path or an occlusion would switch classes on its way and mix two questions."""
    given, x = case("mlp"), 3 * table(30, seed=4)
    with torch.no_grad():
        predicted = given.module(x).argmax(1)
    assert set(predicted.tolist()) == {0, 1}
    for method in (IntegratedGradients(), Occlusion(), SmoothGrad(noise=1.0)):
        close(
            attribute(given.model, x, method).values,
            attribute(given.model, x, method, Logit(predicted)).values,
        )


def test_one_output_is_one_class() -> None:
    module = seeded(lambda: nn.Linear(FEATURES, 1))
    close(attribute(module, -table(), GradInput()).output, module(-table())[:, 0].detach())
    close(attribute(module, table(), GradInput(), Probability()).output, torch.sigmoid(module(table()))[:, 0].detach())


def test_a_nan_that_only_the_method_meets_is_refused() -> None:
    """The logarithm is fine at the input and not at the zero that occlusion puts there."""
    x = table().abs() + 1
    with pytest.raises(InputError, match="Occlusion's attribution of input holds NaN or infinity"):
        attribute(Formula(lambda x: torch.log(x).sum(1)), x, Occlusion())
    with pytest.raises(InputError, match="IntegratedGradients's attribution of input holds NaN or infinity"):
        attribute(Formula(lambda x: torch.log(x).sum(1)), x, IntegratedGradients())


def test_graphs_are_named_as_they_are_called() -> None:
    inputs = molecule_graphs(list(nci(2)))
    assert isinstance(inputs, Graphs)
    assert list(inputs.parts) == ["atoms", "bonds"]
    assert inputs.label("atoms", 3) == "atoms 3"
